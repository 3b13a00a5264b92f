"""Takes one difference with its interval per segment; gives the forest plot, worst segment first."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Each row is candidate minus baseline on the same scope, with its interval; the row's mark is the gate's verdict. "
    "The solid line is no change, the dashed line the largest harm that the gate allows. "
    "A segment without enough data is listed, never left out. The upright stroke is the estimate pulled towards the mean of "
    "the segments of the same split, the more the fewer events a segment has (empirical Bayes)."
)
# From worst to best, as verdicts are ordered; INCONCLUSIVE stands before NODATA because it has something to show.
GLYPHS: dict[str, dict[str, Any]] = {
    "FAIL": {"word": "fail", "color": "$bad", "symbol": "x", "size": 10},
    "INCONCLUSIVE": {"word": "inconclusive", "color": "$undecided", "symbol": "diamond-open", "size": 11},
    "MARGINAL": {"word": "marginal", "color": "$warn", "symbol": "triangle-up", "size": 11},
    "PASS": {"word": "pass", "color": "$good", "symbol": "circle", "size": 9},
    "OBSERVE": {"word": "observed only", "color": "$muted", "symbol": "circle-open", "size": 8},
    "NODATA": {"word": "no data", "color": "$muted", "symbol": "circle-open-dot", "size": 9},
    "WORSE": {"word": "worse beyond doubt", "color": "$bad", "symbol": "x", "size": 10},
    "OPEN": {"word": "may be chance", "color": "$undecided", "symbol": "diamond-open", "size": 11},
    "BETTER": {"word": "better", "color": "$good", "symbol": "circle", "size": 9},
}
BAD = {"FAIL": "fail", "WORSE": "are worse beyond doubt"}
SHRUNKEN = "estimate pulled towards the mean of all segments"


def forest(
    rows: list[Row],
    caption: Caption,
    *,
    metric: str,
    unit: str = "share",
    better: str = "higher",
    margin: float | None,
    sort: bool = True,
    question: str = "",
) -> Chart:
    """Return the forest plot of one metric over segments.

    Args:
        rows: segment, difference, low, high (None where not known), verdict (a key of GLYPHS), n, and optionally
            key: what a click reports (default: segment), and shrunken: a second mark.
        caption: version ids and evidence.
        metric: its name as a reader says it, e.g. "Recall".
        unit: "share" (shown in percentage points) or any other (shown as it is).
        better: higher, lower, or neither; says which side is harm, and so which row is worst.
        margin: the harm that the gate allows, >= 0, in the metric's unit; None: no gate.
        question: what the chart answers (default: which segments break).
        sort: whether the worst row is to stand on top; else the rows stand as they are given.
    """
    question = question or f"Which segments break in {_inside(metric)}?"
    if not rows:
        return blank(question, f"No segment has {_inside(metric)} here.", DEFINITION, caption)
    ordered = sorted(rows, key=lambda row: _badness(row, better)) if sort else rows
    scale = 100.0 if unit == "share" else 1.0
    places = {id(row): len(ordered) - 1 - place for place, row in enumerate(ordered)}
    present = [verdict for verdict in GLYPHS if any(row["verdict"] == verdict for row in ordered)]
    groups = [[row for row in ordered if row["verdict"] == verdict] for verdict in present]
    title = f"change in {_inside(metric)}" + (" (percentage points)" if unit == "share" else "")
    shapes, notes = _limits(margin, better, scale, unit)
    spec = {
        "data": [*(_trace(group, places, scale, unit) for group in groups), *_shrunken(ordered, places, scale, unit)],
        "layout": style.layout(
            f"{question} {[row['segment'] for row in ordered]}",
            len(ordered) * style.ROW_HEIGHT + 120,
            shapes=shapes,
            annotations=notes + [_absence(row, places) for row in ordered if row["difference"] is None],
            xaxis=style.axis(title, zeroline=True, zerolinecolor="$text", zerolinewidth=1),
            yaxis=_segments(ordered),
        ),
    }
    return finish(question, spec, _head(ordered, metric, unit), DEFINITION, ordered, caption)


def _inside(metric: str) -> str:
    """Return a metric's name as it stands within a sentence: currencies and acronyms stay as they are written."""
    return " ".join(word if word.isupper() else word.lower() for word in metric.split(" "))


def _badness(row: Row, better: str) -> tuple[int, float]:
    """Return the sort key: verdict first, then harm; a row without a number comes last of its verdict."""
    rank = list(GLYPHS).index(row["verdict"])
    if row["difference"] is None:
        return rank, float("inf")
    harm = {"higher": -row["difference"], "lower": row["difference"]}.get(better, abs(row["difference"]))
    return rank, -harm


def _trace(rows: list[Row], places: dict[int, int], scale: float, unit: str) -> dict[str, Any]:
    glyph = GLYPHS[rows[0]["verdict"]]
    drawn = [row for row in rows if row["difference"] is not None]
    marker = {key: glyph[key] for key in ("color", "symbol", "size")}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{glyph['word']} ({len(rows)})",
        "x": [scale * row["difference"] for row in drawn] or [None],
        "y": [places[id(row)] for row in drawn] or [None],
        "customdata": [row.get("key", row["segment"]) for row in drawn],
        "text": [_hover(row, unit) for row in drawn],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": marker | {"line": {"width": 2 if "open" in glyph["symbol"] else 0, "color": glyph["color"]}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(row["high"], row["difference"], scale) for row in drawn],
            "arrayminus": [_reach(row["difference"], row["low"], scale) for row in drawn],
            "color": glyph["color"],
            "thickness": 2,
            "width": 3,
        },
        "cliponaxis": False,
    }


def _shrunken(ordered: list[Row], places: dict[int, int], scale: float, unit: str) -> list[dict[str, Any]]:
    """Return the second marks, none where no row has one."""
    pulled = [row for row in ordered if row.get("shrunken") is not None]
    if not pulled:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": SHRUNKEN,
            "x": [scale * row["shrunken"] for row in pulled],
            "y": [places[id(row)] for row in pulled],
            "customdata": [row.get("key", row["segment"]) for row in pulled],
            "text": [
                f"<b>{style.plain(row['segment'])}</b><br>pulled together {digits.difference(row['shrunken'], unit)} "
                + digits.interval(row.get("shrunken_low"), row.get("shrunken_high"), unit)
                for row in pulled
            ],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": "$text", "symbol": "line-ns-open", "size": 13, "line": {"width": 2, "color": "$text"}},
        }
    ]


def _reach(upper: float | None, lower: float | None, scale: float) -> float | None:
    return None if upper is None or lower is None else max(0.0, scale * (upper - lower))


def _hover(row: Row, unit: str) -> str:
    change = f"{digits.difference(row['difference'], unit)} {digits.interval(row['low'], row['high'], unit)}"
    return f"<b>{style.plain(row['segment'])}</b><br>{change}<br>n = {digits.count(row['n'])}"


def _limits(margin: float | None, better: str, scale: float, unit: str) -> tuple[list[Row], list[Row]]:
    """Return the dashed line at each harm margin, with the words that say what it is."""
    if margin is None:
        return [], []
    sides = {"higher": (-1,), "lower": (1,)}.get(better, (-1, 1))
    shapes = [style.vertical(side * scale * margin, "$bad", "dash") for side in sides]
    last = sides[-1]
    text = f"at most {digits.difference(last * margin, unit)}"
    side = {"xanchor": "right", "xshift": -3} if last < 0 else {}
    return shapes, [style.note(last * scale * margin, 1, text, "$bad", **side)]


def _absence(row: Row, places: dict[int, int]) -> Row:
    text = f"no data: n = {digits.count(row['n'])}"
    return style.note(0, places[id(row)], text, yref="y", yanchor="middle", xshift=6)


def _segments(ordered: list[Row]) -> Row:
    names = [style.short(row["segment"]) for row in ordered]
    ticks = {"tickvals": list(range(len(ordered) - 1, -1, -1)), "ticktext": names}
    return style.axis("", range=[-0.7, len(ordered) + 0.4], tickfont={"color": "$text"}, showline=False, **ticks)


def _head(ordered: list[Row], metric: str, unit: str) -> str:
    fails = sum(row["verdict"] in BAD for row in ordered)
    verb = next((BAD[row["verdict"]] for row in ordered if row["verdict"] in BAD), "fail")
    worst = ordered[0]
    change = f"{digits.difference(worst['difference'], unit)} {digits.interval(worst['low'], worst['high'], unit)}"
    tally = f"{fails} of {len(ordered)} segments {verb} {'on' if verb == 'fail' else 'in'} {_inside(metric)}."
    return f"{tally} Worst: {worst['segment']}, {change}, {GLYPHS[worst['verdict']]['word']}."

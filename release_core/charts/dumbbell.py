"""Takes each gate's change at two times; gives the dumbbell: did what we knew then mislead us?"""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.forest import GLYPHS

DEFINITION = (
    "One row per gate, in its worst segment now: the harm as the gate reads it, in units of what the gate allows, so "
    "that gates of different metrics share one scale. 0 is no change; at the dashed line the whole margin is used up; "
    "right of it is more harm than allowed. The hollow mark is what was known then, the full mark what is known now, "
    "each with the bounds that its verdict used."
)
ENDS = (("then", "$base", 0.14), ("now", "$cand", -0.14))
REACH = 12.0


def dumbbell(rows: list[Row], caption: Caption, *, then: str, now: str) -> Chart:
    """Return the dumbbell chart.

    Args:
        rows: gate, segment, and for each of then and now: value, low, high (in margins, or None) and verdict.
        caption: version ids and evidence.
        then: the earlier as-of time in words.
        now: the later one.
    """
    question = "Did what we knew then mislead us?"
    if not any(row["then"] is not None and row["now"] is not None for row in rows):
        return blank(question, "No gate with a margin could be read at both times.", DEFINITION, caption)
    shown = [row for row in rows if row["now"] is not None or row["then"] is not None]
    names = [style.short(f"{row['gate']}: {row['segment']}", 44) for row in shown][::-1]
    places = {id(row): len(shown) - 1 - n for n, row in enumerate(shown)}
    reach = min(REACH, max(abs(value) for row in shown for value in _values(row)) * 1.1)
    spec = {
        "data": [_bars(shown, places), *(_end(shown, places, *end, {"then": then, "now": now}) for end in ENDS)],
        "layout": style.layout(
            question,
            len(shown) * 34 + 120,
            shapes=[style.vertical(1, "$bad", "dash")],
            annotations=[style.note(1, 1, "allowed", "$bad")],
            xaxis=style.axis(
                "harm, in units of what the gate allows", zeroline=True, zerolinecolor="$text", zerolinewidth=1,
                range=[-reach, max(reach, 1.5)],
            ),
            yaxis=style.axis(
                "", range=[-0.7, len(shown) + 0.1], tickvals=list(range(len(shown))), ticktext=names,
                tickfont={"color": "$text"}, showline=False,
            ),
            showlegend=True,
        ),
    }  # fmt: skip
    turned = [row for row in rows if row["then_verdict"] != row["now_verdict"]]
    head = f"{len(turned)} of {len(rows)} gates read differently on {then} and on {now}." + (
        f" First: {turned[0]['gate']}, {turned[0]['then_verdict'].lower()} then, {turned[0]['now_verdict'].lower()} now."
        if turned
        else ""
    )
    return finish(question, spec, head, DEFINITION, rows, caption)


def _values(row: Row) -> list[float]:
    ends = [row[f"{when}{part}"] for when in ("then", "now") for part in ("", "_low", "_high")]
    return [value for value in ends if value is not None] or [1.0]


def _bars(rows: list[Row], places: dict[int, int]) -> dict[str, Any]:
    x: list[Any] = []
    y: list[Any] = []
    for row in rows:
        if row["then"] is not None and row["now"] is not None:
            x += [row["then"], row["now"], None]
            y += [places[id(row)] + ENDS[0][2], places[id(row)] + ENDS[1][2], None]
    pen = {"color": "$muted", "width": 1}
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "line": pen, "hoverinfo": "skip", "showlegend": False,
        "connectgaps": False,
    }  # fmt: skip


def _end(
    rows: list[Row], places: dict[int, int], when: str, colour: str, lift: float, names: dict[str, str]
) -> dict[str, Any]:
    drawn = [row for row in rows if row[when] is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{when} ({names[when]})",
        "x": [row[when] for row in drawn],
        "y": [places[id(row)] + lift for row in drawn],
        "text": [_hover(row, when) for row in drawn],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": colour,
            "size": 9,
            "symbol": "circle-open" if when == "then" else "circle",
            "line": {"width": 2, "color": colour},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(row[f"{when}_high"], row[when]) for row in drawn],
            "arrayminus": [_reach(row[when], row[f"{when}_low"]) for row in drawn],
            "color": colour,
            "thickness": 1.5,
            "width": 3,
        },
    }  # fmt: skip


def _reach(upper: float | None, lower: float | None) -> float | None:
    return None if upper is None or lower is None else max(0.0, upper - lower)


def _hover(row: Row, when: str) -> str:
    word = GLYPHS[row[f"{when}_verdict"]]["word"]
    return (
        f"<b>{style.plain(row['gate'])}</b><br>{style.plain(row['segment'])}<br>{digits.number(row[when], 2)} of what is allowed "
        f"[{digits.number(row[f'{when}_low'], 2)}, {digits.number(row[f'{when}_high'], 2)}]<br>{word}"
    )

"""Takes stages, verdicts, alarms, decisions and label maturity of one release; gives its whole history on one time axis."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, Spec, blank, finish
from release_core.charts.forest import GLYPHS

QUESTION = "What has happened to this release so far?"
DEFINITION = (
    "One time axis, that of the logs. Stages last from their first to their last event, ramp steps likewise. Verdicts are "
    "those that the stage would have got at that time, on what was known then. An alarm stands at the first look at which "
    "its stop rule fired. A decision stands at the as-of time of the evidence that was signed. The line below is the "
    "share of events whose label was mature by then."
)
# From top to bottom.
LANES = ("Stages", "Ramp steps", "Verdicts", "Alarms", "Decisions")
DECISIONS = {
    "go": ("$good", "triangle-right"),
    "conditional go": ("$warn", "triangle-right-open"),
    "no go": ("$bad", "square"),
    "rollback": ("$bad", "triangle-left"),
    "drill": ("$muted", "star-triangle-up-open"),
}
HEIGHT = 440
LANES_FROM = 0.42
# Names of spans that begin within this share of the time axis would cover each other.
APART, RAISED = 0.15, 0.45


def history(
    stages: list[Row],
    ramps: list[Row],
    caption: Caption,
    *,
    verdicts: list[Row] | None = None,
    alarms: list[Row] | None = None,
    decisions: list[Row] | None = None,
    maturity: list[Row] | None = None,
    as_of: str | None = None,
) -> Chart:
    """Return the history; every time is ISO 8601.

    Args:
        stages: name, begin, end, n (events).
        ramps: name (such as "5%"), begin, end, n.
        caption: version ids and evidence.
        verdicts: at, stage, verdict (a key of forest.GLYPHS), sentence.
        alarms: at, rule, segment, action, sentence.
        decisions: at, decision (a key of DECISIONS), stage, who.
        maturity: at, mature (0 to 1, or None).
        as_of: the time in use, marked; None: no mark.
    """
    if not stages:
        return blank(QUESTION, "No stage has an event yet.", DEFINITION, caption)
    data = [*_spans(stages, 0, "$cand/.55", 16), *_spans(ramps, 1, "$cand/.3", 12), *_verdicts(verdicts or [])]
    data += [*_alarms(alarms or []), *_decided(decisions or []), *_mature(maturity or [])]
    top, length = len(LANES) - 1, _length([*stages, *ramps])
    lanes = style.axis("", tickvals=[top - n for n in range(len(LANES))], ticktext=list(LANES), range=[-0.6, top + 1.6])
    spec: Spec = {
        "data": data,
        "layout": style.layout(
            QUESTION,
            HEIGHT,
            showlegend=False,
            shapes=[style.vertical(as_of, "$cut")] if as_of else [],
            annotations=[
                *(_name(row, top + RAISED * height) for row, height in _staggered(stages, length)),
                *(_name(row, top - 1) for row, height in _staggered(ramps, length) if not height),
                *([style.note(as_of, 0.06, "as of", "$cut")] if as_of else []),
            ],
            xaxis=style.axis("", anchor="y2", type="date"),
            yaxis=lanes | {"domain": [LANES_FROM, 1.0], "zeroline": False},
            yaxis2=style.share_axis("labels mature", domain=[0, LANES_FROM - 0.1], range=[0, 1.05]),
        ),
    }
    rows = [{"kind": kind, **row} for kind, some in _kinds(stages, ramps, verdicts, alarms, decisions) for row in some]
    return finish(QUESTION, spec, _said(stages, alarms or [], decisions or []), DEFINITION, rows, caption)


def _kinds(*parts: list[Row] | None) -> list[tuple[str, list[Row]]]:
    names = ("stage", "ramp step", "verdict", "alarm", "decision")
    return [(name, rows or []) for name, rows in zip(names, parts, strict=True)]


def _said(stages: list[Row], alarms: list[Row], decisions: list[Row]) -> str:
    last = stages[-1]
    fired = (
        f"{_many(len(alarms), 'alarm')}, the first on {min(row['at'] for row in alarms)[:10]}" if alarms else "no alarm"
    )
    signed = _many(len(decisions), "decision")
    return f"{_many(len(stages), 'stage')}, the last is {last['name']} since {last['begin'][:10]}; {fired}; {signed}."


def _many(n: int, word: str) -> str:
    return f"{n or 'no'} {word}{'' if n == 1 else 's'}"


def _spans(rows: list[Row], lane: int, colour: str, width: int) -> list[Spec]:
    place, found = len(LANES) - 1 - lane, []
    for row in rows:
        text = (
            f"{style.plain(row['name'])}<br>{row['begin'][:16]} to {row['end'][:16]}<br>{digits.count(row['n'])} events"
        )
        found.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [row["begin"], row["end"]],
                "y": [place, place],
                "line": {"color": colour, "width": width},
                "hovertext": [text, text],
                "hoverinfo": "text",
            }
        )
    return found


def _length(spans: list[Row]) -> timedelta:
    ends = [datetime.fromisoformat(row[key]) for row in spans for key in ("begin", "end")]
    return max(ends) - min(ends)


def _staggered(rows: list[Row], length: timedelta) -> list[tuple[Row, int]]:
    """Return each span with the lowest height on which its name does not cover another; the axis is `length` long."""
    found: list[tuple[Row, int]] = []
    last: list[datetime] = []
    for row in rows:
        begin = datetime.fromisoformat(row["begin"])
        height = next((n for n, other in enumerate(last) if begin - other >= APART * length), len(last))
        last[height : height + 1] = [begin]
        found.append((row, height))
    return found


def _name(row: Row, place: float) -> Spec:
    """Return the name of a span, above its beginning."""
    text = style.short(row["name"], 14)
    return style.note(
        row["begin"], place + 0.28, text, "$text", yref="y", yanchor="bottom", xshift=0, bgcolor="$bg/.01"
    )


def _points(rows: list[Row], lane: int, look: dict[str, Any], words: list[str]) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": style.column(rows, "at"),
        "y": [len(LANES) - 1 - lane] * len(rows),
        "marker": {"size": 11} | look,
        "hovertext": words,
        "hoverinfo": "text",
    }


def _verdicts(rows: list[Row]) -> list[Spec]:
    found = []
    for verdict, glyph in GLYPHS.items():
        mine = [row for row in rows if row["verdict"] == verdict]
        words = [style.plain(f"{row['at'][:16]} {row['stage']}: {glyph['word']}. {row['sentence']}") for row in mine]
        if mine:
            found.append(_points(mine, 2, {key: glyph[key] for key in ("color", "symbol", "size")}, words))
    return found


def _alarms(rows: list[Row]) -> list[Spec]:
    words = [
        style.plain(f"{row['at'][:16]} {row['rule']} in {row['segment']}: {row['action']}. {row['sentence']}")
        for row in rows
    ]
    return [_points(rows, 3, {"color": "$bad", "symbol": "x"}, words)] if rows else []


def _decided(rows: list[Row]) -> list[Spec]:
    found = []
    for decision, (colour, symbol) in DECISIONS.items():
        mine = [row for row in rows if row["decision"] == decision]
        words = [style.plain(f"{row['at'][:16]} {row['stage']}: {decision} by {row['who']}") for row in mine]
        if mine:
            found.append(_points(mine, 4, {"color": colour, "symbol": symbol, "size": 12}, words))
    return found


def _mature(rows: list[Row]) -> list[Spec]:
    if not rows:
        return []
    share = style.line("labels mature", "candidate", style.column(rows, "at"), style.column(rows, "mature"))
    return [share | {"yaxis": "y2", "hovertemplate": "%{x}<br>%{y:.1%} mature<extra></extra>"}]

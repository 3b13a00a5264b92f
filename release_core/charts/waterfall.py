"""Takes the steps from one level to another; gives the waterfall: levels are lines, changes are bars between them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Every event is decided again with the parts of both bundles mixed. From left to right the candidate's parts are put "
    "in force one after the other; each bar is what that step changes. The line through a bar is its 95% interval, the "
    "bracket beside it spans what the same part changes when the parts are put in force in any other order. "
    "Levels are lines and only changes are bars, so the axis need not begin at 0: lengths compare on any axis."
)
ROOM, WIDTH = 0.25, 0.6
HALF = WIDTH / 2


def waterfall(rows: list[Row], caption: Caption, *, effect: str, unit: str, better: str) -> Chart:
    """Return the waterfall of one effect.

    Args:
        rows: first the start and last the end (name, level), between them one row per step: name, level (after the
            step), change, low, high (95% interval of the change, or None), least, most (over all orders).
        caption: version ids and evidence.
        effect: its name as a reader says it.
        unit: "share" (shown in percent), or what it is counted in.
        better: higher, lower, or neither: which changes are good.
    """
    question = f"What changed the {effect.lower()}?"
    if len(rows) < 2 or any(row["level"] is None for row in rows):
        return blank(
            question, f"The {effect.lower()} is not known in every mix of the two bundles.", DEFINITION, caption
        )
    scale = 100.0 if unit == "share" else 1.0
    ends = [scale * value for value in _ends(rows)]
    room = ROOM * (max(ends) - min(ends)) or 0.1 * abs(ends[0]) or 1.0
    floor = max(min(ends) - room, 0.0) if min(ends) >= 0 else min(ends) - room
    title = f"{effect.lower()} (%)" if unit == "share" else unit
    spec = {
        "data": [
            _joints(rows, scale),
            _changes(rows, scale, unit, better),
            _orders(rows, scale),
            *_levels(rows, scale, unit, caption),
        ],
        "layout": style.layout(
            question,
            320,
            barmode="overlay",
            xaxis=style.axis("", tickfont={"color": "$text"}, showgrid=False, tickangle=0, **_names(rows)),
            yaxis=style.axis(title, range=[floor, max(ends) + room]),
        ),
    }
    steps = ", ".join(f"{row['name']} {digits.difference(row['change'], unit)}" for row in rows[1:-1])
    levels = f"{digits.level(rows[0]['level'], unit)} to {digits.level(rows[-1]['level'], unit)}"
    return finish(question, spec, f"{effect} goes from {levels}: {steps}.", DEFINITION, rows, caption)


def _ends(rows: list[Row]) -> list[float]:
    """Return every position that must be seen: levels, ends of intervals, ends of brackets."""
    found = [row["level"] for row in rows]
    for before, row in pairwise(rows[:-1]):
        found += [before["level"] + row[name] for name in ("low", "high", "least", "most") if row[name] is not None]
    return found


def _names(rows: list[Row]) -> Row:
    words = [style.plain(row["name"]).replace(" and ", " and<br>") for row in rows]
    return {"tickvals": list(range(len(rows))), "ticktext": words, "range": [-0.55, len(rows) - 0.45]}


def _levels(rows: list[Row], scale: float, unit: str, caption: Caption) -> list[dict[str, Any]]:
    """Return the lines of the two levels, each with its number above it."""
    pens = (("baseline", "$base", "6px,3px"), ("candidate", "$cand", "solid"))
    return [
        {
            "type": "scatter",
            "mode": "lines+text",
            "name": style.plain(caption.name(version)),
            "x": [place - HALF, place, place + HALF],
            "y": [scale * row["level"]] * 3,
            "text": ["", digits.level(row["level"], unit), ""],
            "textposition": "top center",
            "textfont": {"color": "$text"},
            "cliponaxis": False,
            "line": {"color": colour, "dash": dash, "width": 3},
            "hovertemplate": f"<b>{style.plain(caption.name(version))}</b><br>{digits.level(row['level'], unit)}<extra></extra>",
            "showlegend": False,
        }
        for (version, colour, dash), place, row in zip(pens, (0, len(rows) - 1), (rows[0], rows[-1]), strict=True)
    ]


def _joints(rows: list[Row], scale: float) -> dict[str, Any]:
    """Return the thin lines that carry a level from one step to the next."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place, row in enumerate(rows[:-1]):
        x += [place + HALF, place + 1 - HALF, None]
        y += [scale * row["level"], scale * row["level"], None]
    pen = {"color": "$muted", "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": pen, "hoverinfo": "skip", "showlegend": False}


def _changes(rows: list[Row], scale: float, unit: str, better: str) -> dict[str, Any]:
    steps = rows[1:-1]
    before = [scale * row["level"] for row in rows[: len(steps)]]
    return {
        "type": "bar",
        "name": "change, with 95% interval",
        "x": list(range(1, len(rows) - 1)),
        "width": WIDTH,
        "y": [scale * row["change"] for row in steps],
        "base": before,
        "marker": {"color": [_colour(row["change"], better) for row in steps]},
        "text": [digits.difference(row["change"], unit) for row in steps],
        "textposition": "none",
        "hovertext": [
            f"<b>{style.plain(row['name'])}</b><br>{digits.difference(row['change'], unit)} "
            f"{digits.interval(row['low'], row['high'], unit)}<br>any order: {digits.interval(row['least'], row['most'], unit)}"
            for row in steps
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None if row["high"] is None else scale * (row["high"] - row["change"]) for row in steps],
            "arrayminus": [None if row["low"] is None else scale * (row["change"] - row["low"]) for row in steps],
            "color": "$text",
            "thickness": 1.5,
            "width": 4,
        },
    }


def _colour(change: float, better: str) -> str:
    if change == 0 or better == "neither":
        return "$muted"
    return "$good" if (change > 0) == (better == "higher") else "$bad"


def _orders(rows: list[Row], scale: float) -> dict[str, Any]:
    """Return the brackets of least and most over all orders, beside their bars."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place, (before, row) in enumerate(pairwise(rows[:-1]), start=1):
        low, high = (scale * (before["level"] + row[name]) for name in ("least", "most"))
        x += [place + 0.36, place + 0.42, place + 0.42, place + 0.36, None]
        y += [low, low, high, high, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "in any order",
        "x": x,
        "y": y,
        "line": {"color": "$cut", "width": 2},
        "hoverinfo": "skip",
    }

"""Takes observed / expected of both versions per segment; gives the forest of ratios around 1, worst segment first."""

from __future__ import annotations

import math
from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "Observed / expected: labelled positives divided by the sum of the scores of the labelled events, with its 95% "
    "interval, both versions on the same events, on a logarithmic axis. At 1 the scores promise as many as happen; at 2 "
    "twice as many happen. The row whose candidate is farthest from 1 for certain stands on top."
)
TICKS = (0.1, 0.2, 0.33, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10)
MOST_TICKS = 6
# Ratios beyond these stand at the edge.
FARTHEST = 10.0
OFFSET = {"baseline": 0.16, "candidate": -0.16}


def ratios(rows: list[Row], caption: Caption, *, split: str) -> Chart:
    """Return the observed / expected chart.

    Args:
        rows: segment, and baseline, candidate with _low and _high (ratios, or None), n, positives.
        caption: version ids and evidence.
        split: the dimension of the rows, as readers say it.
    """
    question = f"Where do the scores promise too much or too little, by {split}?"
    drawn = [row for row in rows if row["candidate"] is not None or row["baseline"] is not None]
    if not drawn:
        return blank(question, "No segment has labelled events.", DEFINITION, caption)
    ordered = sorted(rows, key=_distance, reverse=True)
    places = {id(row): float(len(ordered) - 1 - number) for number, row in enumerate(ordered)}
    names = [style.short(row["segment"]) for row in ordered]
    segments = style.axis(
        "",
        range=[-0.7, len(ordered) - 0.3],
        tickfont={"color": "$text"},
        showline=False,
        tickvals=[places[id(row)] for row in ordered],
        ticktext=names,
    )
    spec = {
        "data": [_dots(ordered, places, version, name) for version, name in style.both(caption)],
        "layout": style.layout(
            question,
            len(ordered) * 34 + 110,
            shapes=[style.vertical(0.0, "$text", "solid", 1)],
            xaxis=_across(drawn),
            yaxis=segments,
        ),
    }
    worst = ordered[0]
    head = (
        f"Observed / expected by {split}. Farthest from 1: {worst['segment']}, candidate "
        f"{digits.number(worst['candidate'])} {_interval(worst, 'candidate')}."
    )
    return finish(question, spec, head, DEFINITION, ordered, caption)


def _distance(row: Row) -> tuple[float, float]:
    """Return by how much the candidate is surely off, then by how much it seems to be; unknown ones come last."""
    low, high, value = (_place(row.get(key)) for key in ("candidate_low", "candidate_high", "candidate"))
    sure = 0.0 if low is None or high is None else max(low, -high, 0.0)
    return sure, -1.0 if value is None else abs(value)


def _place(ratio: float | None) -> float | None:
    return None if ratio is None else math.log(min(max(ratio, 1 / FARTHEST), FARTHEST))


def _across(rows: list[Row]) -> dict[str, Any]:
    ends = (_place(row.get(f"{version}{end}")) for row in rows for version in OFFSET for end in ("", "_low", "_high"))
    known = [0.0, *(end for end in ends if end is not None)]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.1
    marks = {"tickvals": [math.log(tick) for tick in _ticks(low, high)], "tickangle": 0}
    marks["ticktext"] = [f"{tick:g}" for tick in _ticks(low, high)]
    return style.axis("observed / expected", range=[low - room, high + room], **marks)


def _ticks(low: float, high: float) -> list[float]:
    """Return round ratios within the logarithms `low` and `high`: 1, and others as far apart as labels need."""
    kept = [1.0]
    for tick in sorted(TICKS, key=lambda tick: abs(math.log(tick))):
        apart = min(abs(math.log(tick / other)) for other in kept)
        if low <= math.log(tick) <= high and apart >= (high - low) / MOST_TICKS:
            kept.append(tick)
    return sorted(kept)


def _dots(rows: list[Row], places: dict[int, float], version: str, name: str) -> dict[str, Any]:
    known = [row for row in rows if row[version] is not None]
    at = [_place(row[version]) or 0.0 for row in known]
    low, high = ([_place(row.get(f"{version}_{end}")) for row in known] for end in ("low", "high"))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": at or [None],
        "y": [places[id(row)] + OFFSET[version] for row in known] or [None],
        "marker": dict(style.MARKERS[version]),
        "customdata": [row["segment"] for row in known],
        "text": [_hover(row, version) for row in known],
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [None if b is None else b - x for x, b in zip(at, high, strict=True)],
            "arrayminus": [None if a is None else x - a for x, a in zip(at, low, strict=True)],
            "color": style.LINES[version]["color"],
            "thickness": 1.5,
            "width": 3,
        },
    }


def _hover(row: Row, version: str) -> str:
    said = f"{digits.number(row[version])} {_interval(row, version)}"
    counted = f"{digits.count(row.get('positives'))} bad of {digits.count(row.get('n'))}"
    return f"<b>{style.plain(row['segment'])}</b><br>{said}<br>{counted}"


def _interval(row: Row, version: str) -> str:
    return digits.interval(row.get(f"{version}_low"), row.get(f"{version}_high"), "number", of_difference=False)

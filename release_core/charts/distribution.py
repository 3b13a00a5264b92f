"""Takes shares of events per score bin; gives the picture of where the traffic moved."""

from __future__ import annotations

import math
from typing import Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, Spec, blank, finish
from release_core.charts.style import PROBABILITY, Score

QUESTION = "Where did the traffic move?"
DEFINITION = (
    "Each bin holds the share of events whose score falls into it; the shares of a version add up to one. "
    "Events without a score are not in the picture and are counted beside it. Vertical lines are the cutoffs in force. "
    "Hatched: bins in which a version has fewer than 20 events, so that differences there are mostly chance."
)
# UX.md: a bin with fewer events of a version than this is hatched.
FEWEST = 20
ROOM = 1.5
HATCHED = {"shape": "/", "fgcolor": "$muted", "size": 7, "solidity": 0.2}


def distribution(
    bins: list[Row], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY, log: bool = False
) -> Chart:
    """Return the score histogram of both versions, candidate filled, baseline dashed, with cutoff lines.

    Args:
        bins: one row a bin in rising order: low, high (score), baseline, candidate (share of events, 0 to 1), and
            optionally baseline_n, candidate_n (events), by which thin bins are hatched.
        cutoffs: label, score, version (baseline or candidate), see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that scores are shown on.
        log: whether shares stand on a log axis (needed where fraud is rare); empty bins leave a gap there.
    """
    if not any(row["baseline"] or row["candidate"] for row in bins):
        return blank(QUESTION, "No event in this selection has a score.", DEFINITION, caption)
    edges = [row["low"] for row in bins] + [bins[-1]["high"]]
    across = score.axis(edges)
    shapes, notes = style.cutoff_marks(cutoffs, score, across.get("range"))
    floor = _floor(bins) if log else 0.0
    top = max(row[version] for row in bins for version in ("baseline", "candidate"))
    limits = (
        {"type": "log", "dtick": "D2", "rangemode": "normal", "range": [math.log10(floor), math.log10(ROOM * top)]}
        if log
        else {}
    )
    areas = [_area(bins, score, floor), _thin(bins, score, floor)]
    lines = [_steps(bins, edges, score, version, name, log=log) for version, name in style.both(caption)]
    spec = {
        "data": [*(area for area in areas if area), *lines],
        "layout": style.layout(
            QUESTION,
            hovermode="x unified",
            shapes=shapes,
            annotations=notes,
            xaxis=across,
            yaxis=style.share_axis("share of events", **limits),
        ),
    }
    head = f"Score distribution of {caption.baseline} and {caption.candidate} with their cutoffs."
    return finish(QUESTION, spec, head, DEFINITION, bins, caption)


def _floor(bins: list[Row]) -> float:
    """Return where a log axis ends: half of the smallest share."""
    return min(row[version] for row in bins for version in ("baseline", "candidate") if row[version]) / 2


def _area(bins: list[Row], score: Score, floor: float) -> Spec | None:
    """Return the shade below the candidate's steps."""
    columns = [(row, row["candidate"]) for row in bins if row["candidate"]]
    return _filled(columns, score, floor, {"fillcolor": "$cand/.14"})


def _thin(bins: list[Row], score: Score, floor: float) -> Spec | None:
    """Return the hatching of bins with few events of either version."""
    columns = [
        (row, max(row["baseline"], row["candidate"]))
        for row in bins
        if min(row.get("baseline_n", FEWEST), row.get("candidate_n", FEWEST)) < FEWEST
    ]
    made = _filled([column for column in columns if column[1]], score, floor, {"fillpattern": HATCHED})
    return made and made | {"fillcolor": "rgba(0,0,0,0)", "name": f"fewer than {FEWEST} events", "showlegend": True}


def _filled(columns: list[tuple[Row, float]], score: Score, floor: float, filling: Spec) -> Spec | None:
    """Return bars of one trace from the floor to each height; neighbours share their edge. None where there is none."""
    x: list[float | None] = []
    y: list[float | None] = []
    for row, height in columns:
        left, right = score.place(row["low"]), score.place(row["high"])
        x += [left, left, right, right, left, None]
        y += [floor, height, height, floor, floor, None]
    if not x:
        return None
    common: Spec = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return common | {"x": x, "y": y, "fill": "toself"} | filling


def _steps(bins: list[Row], edges: list[float], score: Score, version: str, name: str, *, log: bool) -> dict[str, Any]:
    shares = [row[version] for row in bins]
    heights = [share if share or not log else None for share in shares]
    ranges = [f"{score.write(row['low'])} to {score.write(row['high'])}" for row in bins]
    pen = style.LINES[version] | {"shape": "hv"}
    return style.line(
        name,
        version,
        score.places(edges),
        [*heights, heights[-1]],
        line=pen,
        text=[*ranges, ranges[-1]],
        hovertemplate="%{y:.3p}<extra>%{fullData.name}, score %{text}</extra>",
    )

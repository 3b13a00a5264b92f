"""Takes shares of events per score bin; gives the picture of where the traffic moved."""

from __future__ import annotations

from typing import Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY, Score

QUESTION = "Where did the traffic move?"
DEFINITION = (
    "Each bin holds the share of events whose score falls into it; the shares of a version add up to one. "
    "Events without a score are not in the picture and are counted beside it. Vertical lines are the cutoffs in force."
)


def distribution(
    bins: list[Row], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY, log: bool = False
) -> Chart:
    """Return the score histogram of both versions, candidate filled, baseline dashed, with cutoff lines.

    Args:
        bins: one row a bin in rising order: low, high (score), baseline, candidate (share of events, 0 to 1).
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
    shares = style.share_axis("share of events", **({"type": "log", "rangemode": "normal"} if log else {}))
    spec = {
        "data": [_steps(bins, edges, score, version, name, log=log) for version, name in style.both(caption)],
        "layout": style.layout(
            QUESTION, hovermode="x unified", shapes=shapes, annotations=notes, xaxis=across, yaxis=shares
        ),
    }
    head = f"Score distribution of {caption.baseline} and {caption.candidate} with their cutoffs."
    return finish(QUESTION, spec, head, DEFINITION, bins, caption)


def _steps(bins: list[Row], edges: list[float], score: Score, version: str, name: str, *, log: bool) -> dict[str, Any]:
    shares = [row[version] for row in bins]
    heights = [share if share or not log else None for share in shares]
    ranges = [f"{score.write(row['low'])} to {score.write(row['high'])}" for row in bins]
    pen = style.LINES[version] | {"shape": "hv"}
    fill = {"fill": "tozeroy", "fillcolor": "$cand/.14"} if version == "candidate" else {}
    return style.line(
        name,
        version,
        [score.place(edge) for edge in edges],
        [*heights, heights[-1]],
        line=pen,
        text=[*ranges, ranges[-1]],
        hovertemplate="%{y:.3p}<extra>%{fullData.name}, score %{text}</extra>",
        **fill,
    )

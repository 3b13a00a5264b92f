"""Takes quantiles of both versions' scores per step; gives their course over time on the score axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = "How did the scores move over time?"
DEFINITION = (
    "Of the events of each step alone: the score that half of them do not exceed (p50), that 90% do not exceed, and so "
    "on; each is the lower edge of its bin, without interpolation. Horizontal lines are the cutoffs in force. "
    "Steps without events leave a gap."
)


def quantiles(
    rows: list[Row], levels: Sequence[str], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY
) -> Chart:
    """Return the quantile lines of both versions per step.

    Args:
        rows: rising step, n, and baseline_<level>, candidate_<level>: the score of each quantile, or None.
        levels: the names of the quantiles, rising, e.g. p50, p90, p99.
        cutoffs: label, score, version (baseline or candidate).
        caption: version ids and evidence.
        score: the axis that scores are shown on.
    """
    shown = [row[f"{v}_{level}"] for row in rows for v in style.LINES for level in levels]
    if not any(value is not None for value in shown):
        return blank(QUESTION, "No step has events with a score.", DEFINITION, caption)
    x = style.column(rows, "step")
    data = [
        _trace(rows, x, level, (version, name), score, first=level == levels[0])
        for version, name in style.both(caption)
        for level in levels
    ]
    marks = [cut for cut in cutoffs if cut["score"] is not None]
    spec = {
        "data": data,
        "layout": style.layout(
            QUESTION,
            320,
            hovermode="x unified",
            shapes=[_across(cut, score) for cut in marks],
            annotations=_names(rows, levels, score),
            margin={"l": 8, "r": 40, "t": 30, "b": 8},
            xaxis=style.axis(""),
            yaxis=score.axis([*shown, *(cut["score"] for cut in marks)]),
        ),
    }
    top = levels[-1]
    last = rows[-1]
    head = (
        f"Quantiles {', '.join(levels)} of both scores over {len(rows)} steps; {top} last: "
        f"{caption.baseline} {score.write(last[f'baseline_{top}'])}, {caption.candidate} {score.write(last[f'candidate_{top}'])}."
    )
    return finish(QUESTION, spec, head, DEFINITION, rows, caption)


def _trace(
    rows: list[Row], x: list[Any], level: str, version: tuple[str, str], score: Score, *, first: bool
) -> dict[str, Any]:
    side, name = version
    values = style.column(rows, f"{side}_{level}")
    return style.line(
        name,
        side,
        x,
        score.places(values),
        mode="lines+markers",
        marker=style.MARKERS[side] | {"size": 5},
        legendgroup=side,
        showlegend=first,
        text=[f"{level} {score.write(value)}" for value in values],
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
    )


def _across(cut: Row, score: Score) -> dict[str, Any]:
    old = cut.get("version") == "baseline"
    pen = {"color": "$base" if old else "$cut", "dash": "dash" if old else "dot", "width": 1.5}
    at = score.place(cut["score"])
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": pen}


def _names(rows: list[Row], levels: Sequence[str], score: Score) -> list[Row]:
    """Return the name of each quantile at the right end of the candidate's line."""
    ends = [(level, score.place(rows[-1][f"candidate_{level}"])) for level in levels]
    return [
        style.note(1, at, level, "$text", xref="paper", yref="y", yanchor="middle", xshift=6, bgcolor="rgba(0,0,0,0)")
        for level, at in ends
        if at is not None
    ]

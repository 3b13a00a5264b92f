"""Takes one segment's cost curve; gives a small chart of it, one of many side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from release_core.charts import style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY, Score

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = "Which cutoff costs least in each segment?"
DEFINITION = (
    "Expected cost per 1,000 labelled events of moving one cutoff, the other as in force, for the baseline's score (dashed) and "
    "the candidate's (solid). Dotted: the candidate's cutoff in force; thick: the advised one. The shade spans the cutoffs "
    "whose cost is within 1% of the least. Each picture has its own cost axis."
)
HEIGHT, MOST_TICKS = 150, 4


def panel(
    segment: str,
    points: list[Row],
    caption: Caption,
    *,
    score: Score = PROBABILITY,
    now: float | None = None,
    advised: float | None = None,
    flat: tuple[float, float] | None = None,
    limits: tuple[Sequence[float], float] | None = None,
) -> Chart:
    """Return the small chart of one segment; a click gives the segment.

    Args:
        segment: its name, the title.
        points: rising cutoff (score), baseline, candidate (cost, or None where not allowed).
        caption: version ids and evidence.
        score: the axis that cutoffs are shown on.
        now: the candidate's cutoff in force; None: there is none, or it varies within the segment.
        advised: the advised cutoff.
        flat: the ends of the range of nearly equal cost.
        limits: scores that the axis spans, and where the cost axis ends; None: what the curves span.
    """
    question = f"What does a cutoff cost in {segment}?"
    if not points:
        return blank(question, "No labelled event here has a score.", DEFINITION, caption)
    x = score.places(style.column(points, "cutoff"))
    data = [
        style.line(
            name,
            version,
            x,
            style.column(points, version),
            customdata=[segment] * len(points),
            hovertemplate="%{y:,.0f}<extra>%{fullData.name}</extra>",
        )
        for version, name in style.both(caption)
    ]
    shown, top = limits or ([row["cutoff"] for row in points], None)
    across = score.axis(shown, " ")
    if "tickvals" in across:
        across = _fewer(across)
    shapes = [style.vertical(score.place(at), "$cut", dash, width) for at, dash, width in _lines(now, advised)]
    if flat is not None:
        shapes.insert(0, style.span(score.place(flat[0]), score.place(flat[1]), "$cand/.15"))
    layout = style.layout(
        question,
        HEIGHT,
        showlegend=False,
        margin={"l": 4, "r": 6, "t": 24, "b": 4},
        hovermode="x unified",
        shapes=shapes,
        title={
            "text": style.short(segment),
            "font": {"size": 12, "color": "$text"},
            "x": 0,
            "xanchor": "left",
            "y": 0.98,
        },
        xaxis=across,
        yaxis=style.axis("", nticks=4, **({} if top is None else {"range": [0, top]})),
    )
    head = f"Cost of {segment} at each cutoff."
    return finish(question, {"data": data, "layout": layout}, head, DEFINITION, points, caption)


def _lines(now: float | None, advised: float | None) -> Sequence[tuple[float, str, float]]:
    found = [(now, "dot", 1.5), (advised, "solid", 2.5)]
    return [(at, dash, width) for at, dash, width in found if at is not None]


def _fewer(axis: dict[str, Any]) -> dict[str, Any]:
    """Return an axis of a small chart: at most four ticks."""
    step = -(-len(axis["tickvals"]) // MOST_TICKS)
    return axis | {name: axis[name][::step] for name in ("tickvals", "ticktext")}

"""Takes the share of events at or above each score; gives the tail of both distributions on a log axis."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish
from release_core.charts.style import PROBABILITY, Score

QUESTION = "How much traffic lies {side} each score?"
DEFINITION = (
    "For every score: the share of events whose score is at or {side} it, that is what a cutoff there would alert on; "
    "both versions, same events. Shares stand on a log scale, so that the tail, where cutoffs stand, can be read."
)


def tail(
    points: list[Row], cutoffs: list[Row], caption: Caption, *, score: Score = PROBABILITY, side: str = "above"
) -> Chart:
    """Return the share of events beyond each score, both versions.

    Args:
        points: rising score, and baseline, candidate: the share at or above it (0 to 1).
        cutoffs: label, score, version (baseline or candidate), see `style.cutoff_marks`.
        caption: version ids and evidence.
        score: the axis that scores are shown on.
        side: on which side of a score the riskier events lie, above or below.
    """
    question, definition = QUESTION.format(side=side), DEFINITION.format(side=side)
    if not points:
        return blank(question, "No event in this selection has a score.", definition, caption)
    scores = style.column(points, "score")
    across = score.axis(scores)
    shapes, notes = style.cutoff_marks(cutoffs, score, across.get("range"))
    spec = {
        "data": [
            style.line(
                name,
                version,
                score.places(scores),
                [share or None for share in style.column(points, version)],
                text=[score.write(value) for value in scores],
                hovertemplate="%{y:.3p} at %{text} and " + side + "<extra>%{fullData.name}</extra>",
            )
            for version, name in style.both(caption)
        ],
        "layout": style.layout(
            question,
            hovermode="x unified",
            shapes=shapes,
            annotations=notes,
            xaxis=across,
            yaxis=style.share_axis(f"share of events at or {side}", type="log", rangemode="normal"),
        ),
    }
    middle = points[len(points) // 2]
    head = (
        f"Share of events {side} each score, {caption.baseline} and {caption.candidate}; {side} "
        f"{score.write(middle['score'])}: {digits.percent(middle['baseline'])} and {digits.percent(middle['candidate'])}."
    )
    return finish(question, spec, head, definition, points, caption)

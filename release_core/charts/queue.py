"""Takes how many cases waited and how many may wait; gives the course of a queue, its limit and a fan of what may come."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

QUESTION = "Will the review queue hold?"
DEFINITION = (
    "Cases that wait for a manual review, then a fan of what comes if the queue goes on to grow as it did over the last "
    "day: 50, 80 and 95% of what may happen, by the luck of arrivals. The dashed line is the limit."
)
SHADES = {"95": "$cand/.12", "80": "$cand/.18", "50": "$cand/.28"}


def queue(rows: list[Row], ahead: list[Row], caption: Caption, *, limit: float | None, overflow: str | None) -> Chart:
    """Return the queue's course and forecast.

    Args:
        rows: rising time (ISO 8601), depth.
        ahead: rising time, middle, and low_50, high_50, low_80, high_80, low_95, high_95; the first is the last of `rows`.
        caption: version ids and evidence.
        limit: cases at which the queue overflows; None: not known.
        overflow: when the middle of the fan reaches the limit (ISO 8601), marked; None: not within the fan.
    """
    if not rows:
        reason = "The runtime log holds no depth of the review queue (review_queue_depth) in this stage."
        return blank(QUESTION, reason, DEFINITION, caption)
    x = style.column(rows, "time")
    pen = {"color": "$text", "width": 2}
    hover = "%{y:,.0f} cases<extra>%{fullData.name}</extra>"
    later = style.column(ahead, "time")
    data = [
        style.band(later, style.column(ahead, f"low_{share}"), style.column(ahead, f"high_{share}"), colour)
        for share, colour in SHADES.items()
    ]
    data.append(style.line("waiting", "candidate", x, style.column(rows, "depth"), line=pen, hovertemplate=hover))
    middle = {"color": "$cand", "width": 2, "dash": "dot"}
    data.append(
        style.line("if it goes on", "candidate", later, style.column(ahead, "middle"), line=middle, hovertemplate=hover)
    )
    if limit is not None:
        data.append(style.limit([x[0], later[-1] if later else x[-1]], limit))
    shapes = [] if overflow is None else [style.vertical(overflow, "$bad")]
    side = {"xanchor": "right", "xshift": -3}
    notes = [] if overflow is None else [style.note(overflow, 0.12, "overflows", "$bad", **side)]
    spec = {
        "data": data,
        "layout": style.layout(
            QUESTION,
            hovermode="x unified",
            shapes=shapes,
            annotations=notes,
            xaxis=style.axis(""),
            yaxis=style.axis("cases waiting", rangemode="tozero"),
        ),
    }
    said = f"limit {digits.count(limit)}" if limit is not None else "no limit known"
    head = f"{digits.count(rows[-1]['depth'])} cases wait; {said}."
    return finish(QUESTION, spec, head, DEFINITION, [*rows, *ahead[1:]], caption)

"""Takes one share with its interval per group; gives a row of dots with whiskers, from 0."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = "Each dot is {of}, the line through it its 95% interval; the dashed line is that of all events together."


def rates(
    rows: list[Row], caption: Caption, *, question: str, what: str, of: str, overall: float | None = None
) -> Chart:
    """Return one share per group, in the order of the rows, first on top.

    Args:
        rows: segment, value, low, high (shares or None), n.
        caption: version ids and evidence.
        question: what the chart answers.
        what: the axis' title, e.g. "disagreement".
        of: the definition in words, e.g. "events on which the actions differ / events".
        overall: the share of all events, or None.
    """
    definition = DEFINITION.format(of=of)
    drawn = [row for row in rows if row["value"] is not None]
    if not drawn:
        return blank(question, f"No event here tells of {what}.", definition, caption)
    places = list(range(len(drawn) - 1, -1, -1))
    names = {"tickvals": places, "ticktext": [style.short(row["segment"]) for row in drawn]}
    spec = {
        "data": [_dots(drawn, places)],
        "layout": style.layout(
            question,
            len(drawn) * style.ROW_HEIGHT + 80,
            showlegend=False,
            margin={"l": 8, "r": 14, "t": 8, "b": 8},
            shapes=[] if overall is None else [style.vertical(overall, "$muted", "dash")],
            xaxis=style.share_axis(what),
            yaxis=style.axis("", range=[-0.7, len(drawn) - 0.3], tickfont={"color": "$text"}, showline=False, **names),
        ),
    }
    most = max(drawn, key=lambda row: row["value"])
    head = f"{what.capitalize()} is greatest in {most['segment']}: {digits.percent(most['value'])}."
    return finish(question, spec, head, definition, rows, caption)


def _dots(rows: list[Row], places: list[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [row["value"] for row in rows],
        "y": places,
        "customdata": [row.get("key", row["segment"]) for row in rows],
        "text": [_hover(row) for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": "$cand", "symbol": "circle", "size": 9},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [None if row["high"] is None else max(0.0, row["high"] - row["value"]) for row in rows],
            "arrayminus": [None if row["low"] is None else max(0.0, row["value"] - row["low"]) for row in rows],
            "color": "$cand",
            "thickness": 2,
            "width": 3,
        },
        "cliponaxis": False,
    }


def _hover(row: Row) -> str:
    ends = digits.interval(row["low"], row["high"], of_difference=False)
    return (
        f"<b>{style.plain(row['segment'])}</b><br>{digits.percent(row['value'])} {ends}<br>n = {digits.count(row['n'])}"
    )

"""Takes the share of events that get each action, per version; gives two stacked bars to compare."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

QUESTION = "What is done with the traffic?"
DEFINITION = (
    "The share of events that get each action; the shares of a version add up to one. Both versions, same events."
)
COLOURS = {"approve": "$approve", "review": "$review", "block": "$block"}


def mix(rows: list[Row], caption: Caption) -> Chart:
    """Return the mix of actions of both versions as stacked bars.

    Args:
        rows: one row an action in rising severity: action, baseline, candidate (share of events, 0 to 1).
        caption: version ids and evidence.
    """
    if not any(row["baseline"] or row["candidate"] for row in rows):
        return blank(QUESTION, "No event in this selection has an action of both versions.", DEFINITION, caption)
    spec = {
        "data": [_part(row, place, caption) for place, row in enumerate(rows)],
        "layout": style.layout(
            QUESTION,
            190,
            barmode="stack",
            bargap=0.35,
            xaxis=style.share_axis("share of events", range=[0, 1]),
            legend=style.layout(QUESTION)["legend"] | {"traceorder": "normal"},
            yaxis=style.axis("", autorange="reversed", showgrid=False, tickfont={"color": "$text"}),
        ),
    }
    said = (f"{r['action']} {digits.percent(r['baseline'])} to {digits.percent(r['candidate'])}" for r in rows)
    head = f"Actions, {caption.baseline} to {caption.candidate}: {'; '.join(said)}."
    return finish(QUESTION, spec, head, DEFINITION, rows, caption)


def _part(row: Row, place: int, caption: Caption) -> dict[str, Any]:
    shares = [row["baseline"], row["candidate"]]
    return {
        "type": "bar",
        "orientation": "h",
        "name": style.plain(row["action"]),
        "y": [name for _, name in style.both(caption)],
        "x": shares,
        "marker": {"color": COLOURS.get(row["action"], f"$cat{place % 6}")},
        "hovertext": [digits.percent(share) for share in shares],
        "hovertemplate": "%{hovertext}<extra>%{fullData.name}</extra>",
    }

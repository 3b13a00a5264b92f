"""Takes the share of events above each cutoff per version; gives paired bars with intervals."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

QUESTION = "How much traffic is above each cutoff?"
DEFINITION = (
    "The share of events whose score is at or above the cutoff, with its 95% interval; both versions, same events."
)


def share_above(rows: list[Row], caption: Caption) -> Chart:
    """Return one pair of bars per cutoff.

    Args:
        rows: cutoff (its label), baseline, candidate (share, 0 to 1, or None), and baseline_low, baseline_high,
            candidate_low, candidate_high (or None).
        caption: version ids and evidence.
    """
    if not any(row["baseline"] is not None or row["candidate"] is not None for row in rows):
        return blank(QUESTION, "No cutoff is registered for this release.", DEFINITION, caption)
    labels = style.axis("", tickfont={"color": "$text"}, showgrid=False)
    spec = {
        "data": [_bars(rows, version, name) for version, name in style.both(caption)],
        "layout": style.layout(
            QUESTION,
            barmode="group",
            bargap=0.35,
            bargroupgap=0.08,
            xaxis=labels,
            yaxis=style.share_axis("share of events"),
        ),
    }
    said = (f"{r['cutoff']} {digits.percent(r['baseline'])} to {digits.percent(r['candidate'])}" for r in rows)
    head = f"Share of events above each cutoff, {caption.baseline} to {caption.candidate}: {'; '.join(said)}."
    return finish(QUESTION, spec, head, DEFINITION, rows, caption)


def _bars(rows: list[Row], version: str, name: str) -> dict[str, Any]:
    values, low, high = (style.column(rows, version + end) for end in ("", "_low", "_high"))
    old = version == "baseline"
    fill = {"color": "$base/.25", "line": {"color": "$base", "width": 1.5}} if old else {"color": "$cand"}
    intervals = [digits.interval(a, b, of_difference=False) for a, b in zip(low, high, strict=True)]
    return {
        "type": "bar",
        "name": name,
        "x": [style.plain(row["cutoff"]) for row in rows],
        "y": values,
        "marker": fill,
        "text": [digits.percent(value) for value in values],
        "textposition": "inside",
        "insidetextanchor": "start",
        "textfont": {"color": "$text" if old else "$bg"},
        "hovertext": intervals,
        "hovertemplate": "%{y:.2%} %{hovertext}<extra>%{fullData.name}</extra>",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None if v is None or b is None else b - v for v, b in zip(values, high, strict=True)],
            "arrayminus": [None if v is None or a is None else v - a for v, a in zip(values, low, strict=True)],
            "color": "$text",
            "thickness": 1.5,
            "width": 4,
        },
    }

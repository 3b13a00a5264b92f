"""Takes what each segment contributes to a change, as mix and as rate; gives the stacked bars, largest contribution first."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "All bars add up to the change. Rate: what the segment's own value changed, at the mean of both shares. Mix: what its "
    "share of events changed, at the distance of its mean value from that of all (Kitagawa 1955). A segment that only one "
    "side has is neither, since its value on the other side is not defined."
)
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mix": ("mix", {"color": "$base/.25", "line": {"color": "$base", "width": 1.5}}),
    "rate": ("rate", {"color": "$cand"}),
}


def shift(rows: list[Row], caption: Caption, *, metric: str, unit: str, first: str, second: str) -> Chart:
    """Return one bar per segment, stacked of mix and rate.

    Args:
        rows: segment, mix, rate (contributions, or None), first, second (values), first_share, second_share.
        caption: version ids and evidence.
        metric: its name as a reader says it.
        unit: "share" (shown in percentage points) or any other.
        first: what the first population is called.
        second: what the second is called.
    """
    question = f"Is it the mix or the rate that moves {metric.lower()}?"
    drawn = [row for row in rows if row["mix"] is not None and row["rate"] is not None]
    if not drawn:
        return blank(question, "No segment has events on both sides.", DEFINITION, caption)
    scale = 100.0 if unit == "share" else 1.0
    title = f"contribution to the change in {metric.lower()}" + (" (percentage points)" if unit == "share" else "")
    ticks = {
        "tickvals": list(range(len(drawn) - 1, -1, -1)),
        "ticktext": [style.short(row["segment"]) for row in drawn],
    }
    spec = {
        "data": [_bars(drawn, part, scale, unit, (first, second)) for part in LOOKS],
        "layout": style.layout(
            f"{question} {[row['segment'] for row in drawn]}",
            len(drawn) * style.ROW_HEIGHT + 120,
            barmode="relative",
            bargap=0.35,
            xaxis=style.axis(title, zeroline=True, zerolinecolor="$text", zerolinewidth=1),
            yaxis=style.axis("", range=[-0.7, len(drawn) - 0.3], tickfont={"color": "$text"}, showline=False, **ticks),
        ),
    }
    worst = drawn[0]
    head = (
        f"From {first} to {second}: {worst['segment']} contributes most, mix {digits.difference(worst['mix'], unit)} and "
        f"rate {digits.difference(worst['rate'], unit)}."
    )
    return finish(question, spec, head, DEFINITION, rows, caption)


def _bars(rows: list[Row], part: str, scale: float, unit: str, names: tuple[str, str]) -> dict[str, Any]:
    name, marker = LOOKS[part]
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [scale * row[part] for row in rows],
        "y": list(range(len(rows) - 1, -1, -1)),
        "customdata": [row.get("key", row["segment"]) for row in rows],
        "marker": marker,
        "text": [_hover(row, part, unit, names) for row in rows],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }


def _hover(row: Row, part: str, unit: str, names: tuple[str, str]) -> str:
    values = " → ".join(digits.level(row[side], unit) for side in ("first", "second"))
    shares = " → ".join(digits.percent(row[f"{side}_share"]) for side in ("first", "second"))
    sides = style.plain(" → ".join(names))
    return (
        f"<b>{style.plain(row['segment'])}</b><br>{part} {digits.difference(row[part], unit)}<br>{sides}<br>"
        f"value {values}<br>share of events {shares}"
    )

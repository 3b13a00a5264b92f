"""Takes runtime samples by hour; gives their course per arm, with the range within each hour."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "The mean of the samples of each hour (each minute where as-of times are hours); the band is their least and greatest. "
    "One line per arm, or one for both where the log names no arm."
)
LOOKS = {"baseline": "$base", "candidate": "$cand", "": "$text"}


def gauge(rows: list[Row], caption: Caption, *, name: str, unit: str = "number", limit: float | None = None) -> Chart:
    """Return the course of one runtime sample.

    Args:
        rows: arm ("" for both), rising time (ISO 8601), mean, low, high.
        caption: version ids and evidence.
        name: what is sampled, as a reader says it.
        unit: "share" (percent) or any other (as it is).
        limit: a value that must not be passed, drawn across; None: none.
    """
    question = f"How did {name} develop?"
    if not rows:
        return blank(question, f"The runtime log holds no {name} in this stage.", DEFINITION, caption)
    form = "%{y:.1%}" if unit == "share" else "%{y:,.3~f}"
    bands, lines = [], []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        x, colour = style.column(own, "time"), LOOKS[arm]
        bands.append(style.band(x, style.column(own, "low"), style.column(own, "high"), f"{colour}/.14"))
        pen = {"color": colour, "width": 1.5, "dash": "dash" if arm == "baseline" else "solid"}
        title = style.plain(caption.name(arm)) if arm else "both arms"
        hover = f"{form}<extra>%{{fullData.name}}</extra>"
        lines.append(style.line(title, "candidate", x, style.column(own, "mean"), line=pen, hovertemplate=hover))
    if limit is not None:
        ends = [min(row["time"] for row in rows), max(row["time"] for row in rows)]
        lines.append(style.limit(ends, limit))
    values = style.share_axis("") if unit == "share" else style.axis(style.unit_title(unit), rangemode="tozero")
    spec = {
        "data": bands + lines,
        "layout": style.layout(question, hovermode="x unified", xaxis=style.axis(""), yaxis=values),
    }
    last = {row["arm"]: row for row in rows}
    said = (
        f"{caption.name(arm) if arm else 'both arms'} {digits.level(row['mean'], unit)}" for arm, row in last.items()
    )
    return finish(question, spec, f"{name[:1].upper()}{name[1:]}, last: {'; '.join(said)}.", DEFINITION, rows, caption)

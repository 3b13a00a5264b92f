"""Takes several readings of one metric per cohort; gives their course: what is known, what is expected, what is estimated."""

from __future__ import annotations

from typing import NamedTuple

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

NEARLY_ALL = 0.9


class Reading(NamedTuple):
    """One line: its key in the rows (with `<key>_low` and `<key>_high` where an interval is known), name, and look."""

    key: str
    name: str
    colour: str
    dash: str = "solid"


def course(
    rows: list[Row], readings: list[Reading], caption: Caption, *, question: str, definition: str, unit: str = "share"
) -> Chart:
    """Return the course of a metric over cohorts.

    Args:
        rows: rising step (a period's name), one value or None per reading, optionally its low and high.
        readings: the lines, the most important last.
        caption: version ids and evidence.
        question: what the picture answers.
        definition: how each line was made.
        unit: "share" (percent) or any other (as it is).
    """
    drawn = [one for one in readings if any(row.get(one.key) is not None for row in rows)]
    if not drawn:
        return blank(question, "No cohort has enough labels for this yet.", definition, caption)
    x = style.column(rows, "step")
    form = "%{y:.2%}" if unit == "share" else "%{y:.3~f}"
    bands = [
        style.band(x, style.column(rows, f"{one.key}_low"), style.column(rows, f"{one.key}_high"), f"{one.colour}/.15")
        for one in drawn
        if any(row.get(f"{one.key}_low") is not None for row in rows)
    ]
    lines = [
        style.line(
            one.name,
            "candidate",
            x,
            style.column(rows, one.key),
            line={"color": one.colour, "width": 2, "dash": one.dash},
            mode="lines+markers",
            marker={"color": one.colour, "size": 6, "symbol": "circle" if one.dash == "solid" else "circle-open"},
            hovertemplate=form + "<extra>%{fullData.name}</extra>",
        )
        for one in drawn
    ]
    values = _axis(rows, drawn) if unit == "share" else style.axis(style.unit_title(unit))
    spec = {
        "data": bands + lines,
        "layout": style.layout(
            question,
            hovermode="x unified",
            xaxis=style.axis("events up to", type="category"),
            yaxis=values,
            showlegend=True,
        ),
    }
    last = [(one, next(row for row in reversed(rows) if row.get(one.key) is not None)) for one in drawn]
    said = "; ".join(f"{one.name} {digits.level(row[one.key], unit)} at {row['step']}" for one, row in last)
    return finish(question, spec, f"Last: {said}.", definition, rows, caption)


def _axis(rows: list[Row], drawn: list[Reading]) -> Row:
    """Return the axis of shares: all of 0 to 100% where they come near it, else what they fill."""
    ends = [row.get(f"{one.key}{end}") for row in rows for one in drawn for end in ("", "_low", "_high")]
    most = max(value for value in ends if value is not None)
    return style.share_axis("", range=[0, 1.03]) if most > NEARLY_ALL else style.share_axis("")

"""Takes the share of labels known, by age or by as-of step; gives the pictures of label delay."""

from __future__ import annotations

from typing import Any

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

AGE = "How long until labels are known?"
AGE_DEFINITION = (
    "Of the events that are at least this old at the as-of time, the share whose label was known within that age. "
    "Events that are younger are not counted at ages that they have not reached. The dotted line is the declared "
    "maturity: a gate reads a label only after it."
)
SPEED = "How fast do labels come in?"
SPEED_DEFINITION = (
    "Of what becomes known within the oldest age that can be seen, the share that is known within each age, with its "
    "95% interval. Young events can only show fast labels, so the share is a reverse-time product limit (Lagakos, "
    "Barraj and De Gruttola 1988), not the share of what has been seen. What comes later than the oldest age cannot "
    "be told from these events: it must come from an older cohort. The dotted line is the declared maturity."
)
STEP = "How many labels were known when?"
STEP_DEFINITION = (
    "At each as-of step, of all events up to that step: the share whose label was known, and the share whose label "
    "was known and mature (old enough that it rarely changes). Gates read mature labels only."
)

HALF = 0.5


def by_age(rows: list[Row], caption: Caption, *, maturity_days: float | None = None) -> Chart:
    """Return the cumulative share of labels known by age.

    Args:
        rows: rising age_days, known (0 to 1, or None), n (events old enough), and optionally low, high.
        caption: version ids and evidence.
        maturity_days: where the manifest says that labels are mature; None: no line.
    """
    if not any(row["known"] is not None for row in rows):
        return blank(AGE, "No outcome has been observed yet, so no label is known.", AGE_DEFINITION, caption)
    x = style.column(rows, "age_days")
    data = [style.band(x, style.column(rows, "low"), style.column(rows, "high"), "$cand/.15")]
    data.append(_known(rows, x, "labels known", "candidate", "known") | _fill())
    shapes, notes = [], []
    if maturity_days is not None:
        shapes = [style.vertical(maturity_days, "$cut")]
        notes = [style.note(maturity_days, 0.12, f"mature at {maturity_days:g} days", "$cut")]
    days = style.axis("age of the event (days)", rangemode="tozero")
    shares = style.share_axis("labels known", range=[0, 1.03])
    spec = {
        "data": data,
        "layout": style.layout(AGE, shapes=shapes, annotations=notes, xaxis=days, yaxis=shares, showlegend=False),
    }
    last = [row for row in rows if row["known"] is not None][-1]
    head = f"By an age of {last['age_days']:g} days {digits.percent(last['known'])} of labels are known."
    return finish(AGE, spec, head, AGE_DEFINITION, rows, caption)


def curves(rows: list[Row], caption: Caption, *, what: str, maturity_days: float | None = None) -> Chart:
    """Return maturity curves, one line for each name.

    Args:
        rows: name, and rising age_days, known (0 to 1, or None), low, high, n (at risk).
        caption: version ids and evidence.
        what: what arrives, as a reader says it.
        maturity_days: where the manifest says that labels are mature; None: no line.
    """
    if not rows:
        return blank(SPEED, f"Too few of {what} are known to tell how fast they come.", SPEED_DEFINITION, caption)
    names = list(dict.fromkeys(row["name"] for row in rows))
    bands, lines = [], []
    for number, name in enumerate(names):
        own, colour = [row for row in rows if row["name"] == name], f"$cat{number % 6}"
        x = style.column(own, "age_days")
        bands.append(style.band(x, style.column(own, "low"), style.column(own, "high"), f"{colour}/.15"))
        pen = {"color": colour, "width": 2, "shape": "hv", "dash": ("solid", "dash", "dot")[number // 2 % 3]}
        lines.append(_known(own, x, style.plain(name), "candidate", "known") | {"line": pen})
    shapes, notes = [], []
    if maturity_days is not None and maturity_days <= 1.3 * max(row["age_days"] for row in rows):
        shapes = [style.vertical(maturity_days, "$cut")]
        notes = [
            style.note(maturity_days, 0.12, f"mature at {maturity_days:g} days", "$cut", xanchor="right", xshift=-3)
        ]
    days = style.axis("age (days)", rangemode="tozero")
    shares = style.share_axis("share known by then", range=[0, 1.03])
    spec = {
        "data": bands + lines,
        "layout": style.layout(SPEED, shapes=shapes, annotations=notes, xaxis=days, yaxis=shares, showlegend=True),
    }
    first = [next((row for row in rows if row["name"] == name and (row["known"] or 0) >= HALF), None) for name in names]
    said = [
        f"{name}: half within {row['age_days']:g} day{'' if row['age_days'] == 1 else 's'}"
        for name, row in zip(names, first, strict=True)
        if row
    ]
    return finish(SPEED, spec, f"{what[:1].upper()}{what[1:]}. {'; '.join(said)}.", SPEED_DEFINITION, rows, caption)


def by_step(rows: list[Row], caption: Caption, *, as_of: str | None = None) -> Chart:
    """Return the shares of known and of mature labels at each as-of step.

    Args:
        rows: rising step (ISO 8601), known, mature (0 to 1, or None), n (events up to the step).
        caption: version ids and evidence.
        as_of: the step in use, marked; None: no mark.
    """
    if not any(row["known"] is not None for row in rows):
        return blank(STEP, "No outcome has been observed yet, so no label is known.", STEP_DEFINITION, caption)
    x = style.column(rows, "step")
    data = [
        _known(rows, x, "known", "baseline", "known"),
        _known(rows, x, "known and mature", "candidate", "mature") | _fill(),
    ]
    shapes = [] if as_of is None else [style.vertical(as_of, "$cut")]
    notes = [] if as_of is None else [style.note(as_of, 0.12, "as of", "$cut")]
    shares = style.share_axis("share of events", range=[0, 1.03])
    spec = {
        "data": data,
        "layout": style.layout(
            STEP, hovermode="x unified", shapes=shapes, annotations=notes, xaxis=style.axis("as of"), yaxis=shares
        ),
    }
    last = rows[-1]
    head = f"At {last['step']} {digits.percent(last['known'])} known, {digits.percent(last['mature'])} mature."
    return finish(STEP, spec, head, STEP_DEFINITION, rows, caption)


def _known(rows: list[Row], x: list[Any], name: str, version: str, column: str) -> dict[str, Any]:
    text = [f"n = {digits.count(row['n'])}" for row in rows]
    hover = "%{y:.1%}, %{text}<extra>%{fullData.name}</extra>"
    return style.line(name, version, x, style.column(rows, column), text=text, hovertemplate=hover)


def _fill() -> dict[str, Any]:
    return {"fill": "tozeroy", "fillcolor": "$cand/.12"}

"""Takes how often an outcome has come by each age of its event; gives both arms' curves at equal age."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "At each age: the share of events to which it came by that age, over the events at least that old in both arms, with "
    "the 95% interval. So an arm whose events are younger is not taken for a better one."
)
TICKS = (0.05, 0.25, 1, 3, 7, 14, 30, 60, 180)


def ages(rows: list[Row], caption: Caption, *, what: str) -> Chart:
    """Return the curves of both arms.

    Args:
        rows: rising age_days, baseline, candidate (0 to 1, or None), baseline_low, baseline_high, candidate_low,
            candidate_high, n.
        caption: version ids and evidence.
        what: the outcome as a reader says it.
    """
    question = f"How often does {what} come, at equal age?"
    if not any(row["candidate"] is not None for row in rows):
        return blank(question, f"No event is old enough to tell of {what}.", DEFINITION, caption)
    x = style.column(rows, "age_days")
    colours = {"baseline": "$base/.14", "candidate": "$cand/.16"}
    data = [
        style.band(x, style.column(rows, f"{v}_low"), style.column(rows, f"{v}_high"), c) for v, c in colours.items()
    ]
    hover = "%{y:.2%} by %{x:.3~g} days<extra>%{fullData.name}</extra>"
    for version, name in style.both(caption):
        look = {"mode": "lines+markers", "marker": dict(style.MARKERS[version]), "hovertemplate": hover}
        data.append(style.line(name, version, x, style.column(rows, version), **look))
    spec = {
        "data": data,
        "layout": style.layout(
            question,
            xaxis=style.axis(
                "age of the event (days)", type="log", tickvals=TICKS, ticktext=[f"{at:g}" for at in TICKS]
            ),
            yaxis=style.share_axis("share of events"),
        ),
    }
    last = [row for row in rows if row["candidate"] is not None][-1]
    head = (
        f"{what[:1].upper()}{what[1:]} within {last['age_days']:.3g} days: {caption.baseline} "
        f"{digits.percent(last['baseline'])}, {caption.candidate} {digits.percent(last['candidate'])}."
    )
    return finish(question, spec, head, DEFINITION, rows, caption)

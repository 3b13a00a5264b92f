"""Takes one metric per step and version; gives its course over time with intervals and release marks."""

from __future__ import annotations

from release_core.charts import digits, style
from release_core.charts.chart import Caption, Chart, Row, blank, finish

DEFINITION = (
    "The metric on the events of each step alone, for both versions, with its 95% interval as a band. "
    "Steps without enough data leave a gap. Vertical lines mark changes."
)


def timeline(
    rows: list[Row],
    caption: Caption,
    *,
    metric: str,
    unit: str = "share",
    marks: list[Row] | None = None,
    limit: float | None = None,
) -> Chart:
    """Return both versions' values per step.

    Args:
        rows: rising step (ISO 8601), baseline, candidate (value or None), and optionally baseline_low,
            baseline_high, candidate_low, candidate_high, n.
        caption: version ids and evidence.
        metric: its name as a reader says it.
        unit: "share" (percent) or any other (as it is).
        marks: step, label: changes to mark.
        limit: a value that must not be passed, drawn across; None: none.
    """
    question = f"How did {metric.lower()} develop?"
    if not any(row["baseline"] is not None or row["candidate"] is not None for row in rows):
        return blank(question, f"No step has enough data for {metric.lower()}.", DEFINITION, caption)
    x = style.column(rows, "step")
    colours = {"baseline": "$base/.14", "candidate": "$cand/.16"}
    data = [
        style.band(x, style.column(rows, f"{v}_low"), style.column(rows, f"{v}_high"), c) for v, c in colours.items()
    ]
    form = "%{y:.2%}" if unit == "share" else "%{y:.3~f}"
    hover = form + "<extra>%{fullData.name}</extra>"
    for version, name in style.both(caption):
        look = {"mode": "lines+markers", "marker": dict(style.MARKERS[version]), "hovertemplate": hover}
        data.append(style.line(name, version, x, style.column(rows, version), **look))
    shapes = [style.vertical(mark["step"], "$muted") for mark in marks or []]
    notes = [style.note(mark["step"], 1 - 0.09 * (i % 3), mark["label"]) for i, mark in enumerate(marks or [])]
    if limit is not None:
        data.append(style.limit([x[0], x[-1]], limit))
    values = style.share_axis("", rangemode="normal") if unit == "share" else style.axis(style.unit_title(unit))
    spec = {
        "data": data,
        "layout": style.layout(
            question, hovermode="x unified", shapes=shapes, annotations=notes, xaxis=style.axis(""), yaxis=values
        ),
    }
    known = [row for row in rows if row["candidate"] is not None]
    said = digits.level(known[-1]["candidate"], unit) if known else digits.NOT_KNOWN
    head = f"{metric} of {caption.baseline} and {caption.candidate} over {len(rows)} steps; candidate last: {said}."
    return finish(question, spec, head, DEFINITION, rows, caption)

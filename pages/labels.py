"""Labels: how much of the truth is known as of this time, and what did we believe before?"""

from typing import Any

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import labels
from release_core.views.view import said

THEN_NOW = (
    show.Column("Metric of the candidate", "title"),
    show.Column("Then", "shown_then", number=True),
    show.Column("Difference then", "shown_difference_then", number=True),
    show.Column("Now", "shown_now", number=True),
    show.Column("Difference now", "shown_difference_now", number=True),
)
TURNED = (
    show.Column("Then", "then", verdict=True),
    show.Column("Now", "now", verdict=True),
    show.Column("Gate", "gate"),
    show.Column("Segment", "segment"),
    show.Column("In words, now", "sentence"),
)


def written(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with both times' values and differences in the metric's unit."""
    unit, texts = row["unit"], {}
    for when in ("then", "now"):
        texts[f"shown_{when}"] = digits.level(row[when], unit)
        between = digits.interval(row[f"{when}_low"], row[f"{when}_high"], unit)
        change = digits.difference(row[f"{when}_difference"], unit)
        texts[f"shown_difference_{when}"] = (
            f"{change}\n{between}" if row[f"{when}_difference"] is not None else digits.NOT_KNOWN
        )
    return row | texts


with read.told("Labels cannot be shown"):
    view = read.view(state.current())
    st.title("Labels", anchor=False)
    before = [step for step in view.opened.cube.steps if step < view.step]
    names = {view.opened.cube.label(step): step for step in before}
    earlier = None
    if names:
        chosen = st.select_slider(
            "Compare with what was known on", list(names), list(names)[-1], key="earlier", bind="query-params"
        )
        earlier = names[chosen]
    page = read.page(labels.labels, earlier)
    parts.lead(page.headline)
    left, right = st.columns(2)
    with left:
        plot.plot(page.by_step, "by-step")
    with right:
        plot.plot(page.by_age, "by-age")
    st.subheader(f"What we knew on {page.earlier}, and what we know on {view.as_of}", anchor=False)
    show.table(
        THEN_NOW, [written(row) for row in page.then_and_now], "Then and now, with 95 % intervals of the differences"
    )
    show.table(
        TURNED, page.turned, "Verdicts that turned", f"No verdict turned between {page.earlier} and {view.as_of}."
    )
    st.subheader("What makes a label", anchor=False)
    st.markdown("\n".join(f"- {show.escape_markdown(rule)}" for rule in page.rules))
    st.caption(
        f"The logs end at {said(view.opened, view.opened.cube.steps[-1])}; an as-of time sees nothing that was learned after it."
    )

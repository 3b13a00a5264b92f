"""Labels: how much of the truth is known as of this time, what will it be, and what did we believe before?"""

import streamlit as st

from pages.frame import delayed, parts, plot, read, show, state
from release_core.views import labels
from release_core.views.view import said

with read.told("Labels cannot be shown"):
    view = read.view(state.current())
    st.title("Labels", anchor=False)
    page = read.page(labels.labels)
    st.caption(show.escape_markdown(page.headline))
    st.caption(show.escape_markdown(page.late))
    parts.tell_wrong("Show", list(delayed.SECTIONS), "labels")
    chosen = st.segmented_control(
        "Show",
        list(delayed.SECTIONS),
        default=next(iter(delayed.SECTIONS)),
        key="labels",
        bind="query-params",
        required=True,
    )
    delayed.SECTIONS[chosen or next(iter(delayed.SECTIONS))](view)
    st.subheader("How much is known", anchor=False)
    left, right = st.columns(2)
    with left:
        plot.plot(page.by_step, "by-step")
    with right:
        plot.plot(page.by_age, "by-age")
    st.subheader("What makes a label", anchor=False)
    st.markdown("\n".join(f"- {show.escape_markdown(rule)}" for rule in page.rules))
    end = said(view.opened, view.opened.cube.steps[-1])
    st.caption(f"The logs end at {end}; an as-of time sees nothing that was learned after it.")

"""Score drift: what moves at the cutoff, who is moved, and which cutoff would do what today's does?"""

import streamlit as st

from pages.frame import drift, parts, plot, read, show, state
from release_core.views import score_drift

with read.told("Score drift cannot be shown"):
    page = read.page(score_drift.score_drift)
    st.title("Score drift", anchor=False)
    parts.lead(page.headline)
    parts.speaks()
    left, right = st.columns(2)
    with left:
        plot.plot(page.above, "above")
    with right:
        plot.plot(page.mix, "mix")
    show.table(
        drift.cutoff_columns(*page.near),
        drift.cutoff_texts(page.cutoffs),
        "At each registered cutoff, both versions on the same events",
        "No cutoff is registered for this release.",
    )
    show.table(
        drift.ACTIONS,
        drift.action_texts(page.actions),
        "What it means in work, each version with its own cutoffs and policy",
    )
    if page.capacity:
        st.caption(show.escape_markdown(page.capacity))
    names = list(drift.SECTIONS)
    parts.tell_wrong("Part", names, "part")
    tabs = st.tabs(names, key="part", bind="query-params")
    view = read.view(state.current())
    for tab, draw in zip(tabs, drift.SECTIONS.values(), strict=True):
        if tab.open:
            with tab, read.told("This part cannot be shown"):
                draw(view)
    show.evidence(page.evidence)

"""Stop rules: must this rollout be halted, since when, where, and what is to be done?"""

import streamlit as st

from pages.frame import parts, read, show, state
from release_core.views import stops

FIRED = tuple(show.Column(title, key, wide=key == "sentence") for title, key in (
    ("Since (UTC)", "since"), ("Rule", "rule"), ("Where", "segment"), ("Do", "action"), ("What was seen", "sentence")))  # fmt: skip
RULES = tuple(show.Column(title, key, verdict=key == "verdict") for title, key in (
    ("State", "verdict"), ("Rule", "rule"), ("Watches", "watches"), ("Limit", "limit"),
    ("Narrowest at", "expected"), ("If it fires", "action"),
    ("First fired", "first")))  # fmt: skip

with read.told("Stop rules cannot be read"):
    view = read.view(state.current())
    page = read.page(stops.page)
    st.title("Stop rules", anchor=False)
    show.banner(page.verdict, page.headline, page.advice)
    if page.fired:
        show.table(FIRED, page.fired, "Rules that have fired, the earliest first")
        st.page_link(parts.ROLLBACK, label="Take the way back", icon=":material/undo:", query_params=parts.kept())
    show.table(
        RULES, page.rules, "Every rule that watches this stage", "Stop rules watch canary, A/B test and full rollout."
    )
    st.caption(
        "Rules are read at every as-of step with bounds that hold at all of them together; alpha is divided over the rules and "
        "then over the segments, so a harmless release is halted by any of them with a chance of at most alpha (5%). What comes "
        "to few customers is read by whose first case falls in which arm, which is exact for any number of cases; a customer "
        "counts in the segment of the first event in the stage."
    )
    if page.left_out:
        st.caption(page.left_out)
    st.caption(page.notices)

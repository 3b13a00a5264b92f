"""Score drift: what moves at the cutoff first, then the whole distribution."""

import streamlit as st

from pages.frame import parts, plot, read, show
from release_core.charts import digits
from release_core.views import score_drift

MEASURES = (
    show.Column("Distance", "measure"),
    show.Column("Value", "value", digits.number, number=True),
    show.Column("How to read it", "meaning"),
)
COUNTED = ("Count A", "Count E", "Count A (%)", "Count E (%)", "PSI")
GROUPS = (show.Column("Bin", "Bin"), *(show.Column(name, name, digits.number, number=True) for name in COUNTED))

with read.told("Score drift cannot be shown"):
    page = read.page(score_drift.score_drift)
    st.title("Score drift", anchor=False)
    parts.lead(page.headline)
    left, right = st.columns(2)
    with left:
        plot.plot(page.above, "above")
    with right:
        plot.plot(page.over_time, "over-time")
    left, right = st.columns(2)
    with left:
        plot.plot(page.swaps, "swaps")
    with right:
        plot.plot(page.distribution, "distribution")
    st.subheader("Distances between the two distributions", anchor=False)
    show.table(MEASURES, page.distances, "Distances between the two score distributions")
    st.caption("None of them sees what happens at the cutoff: a release never fails or passes by PSI alone.")
    with st.expander("PSI group by group (A: candidate, E: baseline)"):
        show.table(GROUPS, page.psi_groups, "PSI by baseline decile")
    show.evidence(page.distribution.evidence)

"""Calibration: does a score of 70 % still mean 70 %, overall and by segment?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, show, state
from release_core.views import calibration

with read.told("Calibration cannot be shown"):
    view = read.view(state.current())
    st.title("Calibration", anchor=False)
    page = read.page(calibration.calibration)
    parts.lead(page.headline)
    if page.warning:
        st.warning(show.escape_markdown(page.warning), icon=":material/hourglass_bottom:")
    left, right = st.columns((3, 2))
    with left:
        plot.plot(page.reliability, "reliability")
    with right:
        st.subheader("In numbers", anchor=False)
        show.table(columns.COMPARED, columns.written(page.numbers, read.units()), "Calibration of both versions")
    st.subheader("Observed / expected by segment", anchor=False)
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    if dims:
        by = parts.pick("Split by", dims, "split_by", parts.words)
        rows = read.page(calibration.calibration, by).by_segment
        named = [row | {"title": row["segment"]} for row in rows]
        show.table(columns.COMPARED, columns.written(named, read.units()), f"Observed / expected by {parts.words(by)}")

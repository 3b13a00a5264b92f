"""Cutoffs: what do the two cutoffs cost, which would be cheapest, and what would other ones do?"""

import streamlit as st

from pages.frame import cutting, parts, plot, read, state
from release_core.views import cutoffs
from release_core.views.cutoffs import Ask

with read.told("Cutoffs cannot be shown"):
    view = read.view(state.current())
    st.title("Cutoffs", anchor=False)
    first = st.container()
    by, segment = cutting.choose(view)
    inputs = st.container()
    priced, most = cutting.costs()
    with inputs:
        typed = cutting.pair(view, by, segment)
    ask = Ask(by if segment else "", segment, typed.get("review"), typed.get("block"), priced)
    page = read.page(cutoffs.cutoffs, ask)
    with first:
        parts.lead(page.headline)
        parts.speaks()
    left, right = st.columns((2, 3))
    with left:
        for action, chart in page.curves.items():
            plot.plot(chart, f"cost-{action}", drag=cutting.dragging(view, [action]))
        plot.plot(page.trade, "trade", drag=cutting.dragging(view, list(page.snapped)))
    with right:
        cutting.told(page)
    names = [row | {"segment": row["version"]} for row in page.best]
    if page.sensitivity:
        cutting.optimum(names, tuple(page.curves), f"Cheapest cutoffs of {page.place}, both versions")
    cutting.looks(view, by, (priced, most), page)
    parts.open_transfer(view.where)

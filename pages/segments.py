"""Segments: which ones break, by how much, and how sure is that?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, show, state
from release_core.views import segments

with read.told("Segments cannot be shown"):
    view = read.view(state.current())
    st.title("Segments", anchor=False)
    offered, splits = dict(segments.comparable(view)), segments.splits(view)
    if not splits:
        show.empty('The manifest declares no segment dimension. Add one: [segments] dims = ["market"].')
        st.stop()
    left, right = st.columns(2)
    with left:
        metric = parts.pick("Metric", list(offered), "metric", offered.__getitem__)
    parts.tell_wrong("Split", [parts.words(dim) for dim in splits], "split")
    split = right.multiselect(
        "Split by (one or two)",
        splits,
        splits[:1],
        key="split",
        bind="query-params",
        max_selections=2,
        format_func=parts.words,
    )
    page = read.page(segments.segments, metric, tuple(split or splits[:1]))
    keys = [row["key"] for row in page.rows]
    st.caption(show.escape_markdown(page.gate))
    parts.speaks()

    def pick(key: object) -> None:
        """Choose the segment that was clicked."""
        wanted = (
            " | ".join(f"{dim}={value}" for dim, value in zip(split, key, strict=False))
            if isinstance(key, list)
            else key
        )
        if wanted in keys:
            st.session_state["segment"] = wanted

    wide, narrow = st.columns((3, 2))
    with wide:
        plot.plot(page.heatmap or page.forest, "forest", on_click=pick)
    with narrow:
        chosen = parts.pick("Look into", keys, "segment", segments.spoken)
        drill = read.page(segments.drill, segments.where_of(chosen)) if chosen else None
        if drill:
            show.table(columns.COMPARED, columns.written(drill.numbers, read.units()), drill.title)
    show.table(columns.SEGMENTS, columns.written(page.rows, read.units()), f"{offered[metric]} by segment, worst first")
    if drill:
        left, right = st.columns(2)
        with left:
            plot.plot(drill.distribution, "drill-distribution")
        with right:
            plot.plot(drill.reliability, "drill-reliability")

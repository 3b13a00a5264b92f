"""Segments: which ones break, by how much, how sure is that, and what does it cost?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, show, sliced, state
from release_core.views import segments

with read.told("Segments cannot be shown"):
    view = read.view(state.current())
    st.title("Segments", anchor=False)
    offered, splits = dict(segments.comparable(view)), segments.splits(view)
    if not splits:
        show.empty('The manifest declares no segment dimension. Add one: [segments] dims = ["market"].')
        st.stop()
    parts.speaks()
    shown = sliced.choose()
    if shown == sliced.WORST:
        sliced.worst()
        st.stop()
    if shown == sliced.MIX:
        sliced.mixed()
        st.stop()
    left, right = st.columns(2)
    with left:
        metric = parts.pick("Metric", list(offered), "metric", offered.__getitem__)
    parts.tell_wrong("Split", [parts.words(dim) for dim in splits], "split")
    split = right.multiselect(
        "Split by (one to three)",
        splits,
        splits[:1],
        key="split",
        bind="query-params",
        max_selections=3,
        format_func=parts.words,
    )
    page = read.page(segments.segments, metric, tuple(split or splits[:1]))
    keys = [row["key"] for row in page.rows]
    st.caption(show.escape_markdown(" ".join([page.gate, *page.notes])))

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
            sliced.looked_into(drill, segments.where_of(chosen))
    show.table(
        columns.SEGMENTS, columns.together(page.rows, read.units()), f"{offered[metric]} by segment, worst first"
    )
    if drill:
        sliced.pictures(drill)

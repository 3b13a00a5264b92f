"""Segments: which ones break, by how much, how sure is that, and what does it cost?"""

import streamlit as st

from pages.frame import parts, read, show, sliced, state
from release_core.views import segments

with read.told("Segments cannot be shown"):
    st.title("Segments", anchor=False)
    splits = segments.splits(read.view(state.current()))
    if not splits:
        show.empty('The manifest declares no segment dimension. Add one: [segments] dims = ["market"].')
    else:
        parts.speaks()
        shown = sliced.choose()
        if shown == sliced.WORST:
            sliced.worst()
        elif shown == sliced.MIX:
            sliced.mixed()
        else:
            sliced.by_segment(splits)

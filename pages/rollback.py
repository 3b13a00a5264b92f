"""Rollback: what is restored, is the way back proven, and what changes for whom if it is taken now?"""

import streamlit as st

from pages.frame import parts, read, returning, show, state
from release_core.charts import digits
from release_core.views import rollback

RESTORED = tuple(show.Column(*pair) for pair in (
    ("Component", "component"), ("With the candidate", "now"), ("After the rollback", "after"), ("Change", "what")))  # fmt: skip
CUTOFFS = tuple(show.Column(*pair) for pair in (
    ("Events", "segment"), ("Action", "action"), ("Candidate's cutoff", "now"), ("Restored", "after")))  # fmt: skip
RULES = (show.Column("Rule", "rule", wide=True), show.Column("Change", "what"))
CHANGES = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("The candidate's action", "now", None), ("Comes back", "after", None), ("Events a day", "per_day", digits.number),
    ("Amount a day", "amount", digits.number)))  # fmt: skip
SEGMENTS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Segment", "segment", None), ("Decided by the candidate a day", "acted", digits.number),
    ("Would change a day", "changed", digits.number),
    ("Of them", "share", digits.percent), ("Amount a day", "amount", digits.number)))  # fmt: skip


def took(minutes: float | None) -> str:
    """Return how long a rehearsal took, as it was written down."""
    return digits.NOT_KNOWN if minutes is None else f"{minutes:g}"


DRILLS = tuple(show.Column(title, key, write, number=key in {"minutes", "age"}) for title, key, write in (
    ("Began (UTC)", "began", None), ("Minutes", "minutes", took), ("Fast enough", "fast", None),
    ("Days ago", "age", digits.count),
    ("Who", "who", lambda who: who or "not said"), ("Note", "note", None)))  # fmt: skip

with read.told("The way back cannot be shown"):
    view = read.view(state.current())
    page = rollback.page(view)
    st.title("Rollback", anchor=False)
    show.banner(page.verdict, page.headline, page.effect)
    show.chips(page.facts)
    st.caption("Readiness is that of today; the gates read how old the rehearsal was at the as-of time.")
    returning.told()
    left, right = st.columns(2)
    with left, st.container(border=True):
        returning.roll_back(view)
    with right, st.container(border=True):
        returning.rehearse(view)
    st.subheader("What is restored", anchor=False)
    show.table(RESTORED, page.restored, "The bundle before and after")
    show.table(CUTOFFS, page.cutoffs, "Cutoffs that change", "Both bundles have the same cutoffs.")
    show.table(RULES, page.rules, "Rules that change", "Both bundles have the same rules.")
    st.download_button(
        "What is restored, as files", page.archive, f"{view.release.id}-rollback.zip", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip
    if page.changes:
        st.subheader("What changes for whom", anchor=False)
        show.table(CHANGES, page.changes, "Actions that change, on the candidate's own traffic")
        dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
        if dims:
            by = parts.pick("By", dims, "back_by", parts.words)
            show.table(SEGMENTS, rollback.by_segment(view, by), f"By {parts.words(by)}, most changes first")
    show.table(
        DRILLS, rollback.drills(read.records(), view.release), "Rehearsed rollbacks", "No rollback was rehearsed yet."
    )

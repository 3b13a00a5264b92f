"""The two small forms of the Rollback page: take the way back, or record that it was rehearsed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from pages.frame import show
from release_core.errors import ReleaseReviewError
from release_core.ledger import Drill, Ledger, RollbackRequest
from release_core.views import rollback

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.ledger import Record
    from release_core.views.view import View

_DONE = "recorded"


def told() -> None:
    """Say once what was just recorded."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(done, icon=":material/verified:")


def roll_back(view: View) -> None:
    """Draw the form that records a rollback: a name, a reason, one click; no gate is asked."""
    st.subheader("Roll back", anchor=False)
    st.caption(
        "Restore first, record then: this records the decision, it changes nothing in your systems. No gate is asked."
    )
    signer = st.text_input("Your name", key="signer", persist_state="session")
    reason = st.text_input("Why", key="rollback_reason", persist_state="session", max_chars=4000)
    if st.button("Record rollback", type="primary", icon=":material/undo:"):
        _kept(view, lambda: rollback.record(view, Ledger(), RollbackRequest(str(view.stage), reason, signer)))


def rehearse(view: View) -> None:
    """Draw the form that records a rehearsed rollback."""
    st.subheader("Record a drill", anchor=False)
    st.caption("A rollback that was tried out, with the time that it took from the order to the restored bundle.")
    who, minutes = st.columns((3, 2))
    name = who.text_input("Who did it", key="drill_who", persist_state="session")
    took = minutes.number_input("Minutes", 0.0, 10_000.0, 5.0, 1.0, "%.4g", key="drill_minutes")
    note = st.text_input("Note", key="drill_note", persist_state="session", max_chars=4000)
    if st.button("Record drill", icon=":material/timer:"):
        drill = Drill(datetime.now(UTC).isoformat(timespec="seconds"), took, name, note)
        _kept(view, lambda: rollback.rehearse(view, Ledger(), drill))


def _kept(view: View, act: Callable[[], Record]) -> None:
    """Record, and start the page anew with what is now in the ledger; show why where it was refused."""
    try:
        made = act()
    except ReleaseReviewError as error:
        show.problems(error, "Not recorded")
        return
    st.session_state[_DONE] = f"Record {made.seq} of {view.release.id} is in the ledger. Its hash: {made.hash}"
    st.rerun()

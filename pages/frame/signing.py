"""The fields of a sign-off and the dialog that records it; what was typed stays until it is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from pages.frame import read, show, state
from release_core.errors import ReleaseReviewError
from release_core.ledger import Acceptance, Ledger, Override, SignOffRequest, Waiver
from release_core.views import sign_off

if TYPE_CHECKING:
    from release_core.ledger import Needs
    from release_core.views.sign_off import SignOffPage
    from release_core.views.view import View

WORDS = {"go": "Go", "conditional_go": "Conditional go", "no_go": "No-go"}
MEANINGS = {"go": "approved", "conditional_go": "risk_accepted", "no_go": "rejected"}
WEEKS = 4


def fields(page: SignOffPage, needs: Needs) -> SignOffRequest:
    """Draw the fields that a decision needs and return the request as typed so far."""
    left, right = st.columns(2)
    signer = left.text_input(
        "Your name", key="signer", persist_state="session", help="There is no login yet: the name is taken as typed."
    )
    role = right.text_input("Your role", key="role", persist_state="session", placeholder="release_manager")
    reason = st.text_area("Reason", key="reason", persist_state="session", max_chars=4000)
    return SignOffRequest(
        needs.decision,
        reason,
        signer,
        page.mark,
        MEANINGS[needs.decision],
        role,
        tuple(Acceptance(gate, _note("accept", gate, "Why is this acceptable")) for gate in needs.acceptances),
        tuple(_waiver(gate) for gate in needs.waivers),
        _override() if needs.override else None,
    )


def _note(kind: str, gate: str, label: str) -> str:
    return st.text_input(f"{gate}: {label.lower()}?", key=f"{kind}-{gate}", persist_state="session")


def _waiver(gate: str) -> Waiver:
    owner, expires, note = st.columns((2, 1, 3))
    name = owner.text_input(f"{gate}: who answers for it?", key=f"owner-{gate}", persist_state="session")
    until = datetime.now(UTC).date() + timedelta(weeks=WEEKS)
    day = expires.date_input("until", until, key=f"until-{gate}")
    text = note.text_input("Why can it wait?", key=f"wait-{gate}", persist_state="session")
    return Waiver(gate, name, str(day), text)


def _override() -> Override:
    st.markdown("**Override**: this decision goes against the verdict.")
    reason = st.text_area("Why is the verdict overridden?", key="override", persist_state="session", max_chars=4000)
    second = st.text_input("Second signer", key="second", persist_state="session")
    return Override(reason, second or None)


@st.dialog("Record decision", width="medium")
def confirm(view: View, request: SignOffRequest) -> None:
    """Repeat in one sentence what will be recorded, and record it once the release's id is typed."""
    st.markdown(
        f"You are about to record **{WORDS[request.decision]}** for **{show.escape_markdown(view.release.id)}** at "
        f"**{view.stage}**, on evidence as of {view.as_of}, signed by **{show.escape_markdown(request.signer or 'nobody')}**."
    )
    st.caption(
        f"Evidence {request.evidence_hash[:16]}… is frozen; if it changes before you record, recording is refused."
    )
    typed = st.text_input(f"Type {view.release.id} to confirm", key="typed")
    if st.button("Record", type="primary", disabled=typed.strip() != view.release.id):
        try:
            made = sign_off.record(read.view(state.current()), Ledger(), request)
        except ReleaseReviewError as error:
            show.problems(error, "Not recorded")
            return
        st.session_state["recorded"] = f"Record {made.seq} is in the ledger. Its hash: {made.hash}"
        st.rerun()

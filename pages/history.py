"""History: what was decided, on which numbers, and is the record intact?"""

import json

import streamlit as st

from pages.frame import plot, read, show, state
from release_core.ledger import Ledger
from release_core.views import history, stops, timeline

ROWS = tuple(show.Column(title, key, verdict=key == "verdict_shown") for title, key in (
    ("No.", "seq"), ("When (UTC)", "at"), ("Decision", "decision"), ("Release", "release"), ("Stage", "stage"), ("As of", "as_of"),
    ("Verdict seen", "verdict"), ("Signer", "signer"), ("Reason", "reason"), ("Override", "override"), ("Hash", "hash")))  # fmt: skip
SEEN = (
    show.Column("Verdict", "verdict", verdict=True),
    show.Column("Gate", "id"),
    show.Column("In words, as signed", "sentence"),
)

TURNED = tuple(show.Column(title, key, verdict=key == "verdict") for title, key in (
    ("By", "at"), ("Stage", "stage"), ("Gate", "gate"), ("Was", "from"), ("Became", "verdict"), ("In words", "sentence")))  # fmt: skip


def course(choice: state.Choice) -> None:
    """Show the release's own history, where it can be read."""
    with read.told("The history of this release cannot be shown"):
        found = timeline.timeline(read.view(choice), read.records(), stops.alarm_rows(read.view(choice)))
        plot.plot(found.chart, "history")
        show.table(TURNED, found.turned, timeline.said(found.turned), timeline.said(found.turned))


with read.told("The ledger cannot be read"):
    choice, book = state.current(), Ledger()
    st.title("History", anchor=False)
    every = st.toggle("All releases", key="all_releases", bind="query-params")
    page = history.history(book, None if every else choice.release)
    intact = (
        "The ledger is empty."
        if not page.check.records
        else f"The chain holds: every one of {page.check.records:,} records matches its hash and its predecessor."
    )
    broken = f"The chain is broken at record {page.check.first_bad}: {page.check.reason}"
    show.banner("PASS" if page.check.ok else "FAIL", intact if page.check.ok else broken)
    show.table(ROWS, page.rows, "Decisions, newest first", "Nothing has been decided yet. Decide on the Sign-off page.")
    st.caption("A chain shows every later edit, but not a rewrite of all of it: publish its head elsewhere.")
    st.code(page.head, language=None)
    if page.rows:
        numbers = [row["seq"] for row in page.rows]
        by_number = {row["seq"]: row for row in page.rows}
        seq = st.selectbox("What the signer saw in record", numbers, key="record", bind="query-params")
        row = by_number[seq]
        with read.told("This release cannot be compared with what was signed"):
            now = read.view(choice)
            if row["release"] == now.release.id and row["manifest_hash"]:
                same = {
                    "manifest": row["manifest_hash"] == now.release.manifest_hash,
                    "data": row["data_fingerprint"] == now.opened.cube.fingerprint,
                }
                said = " and ".join(
                    f"the {name} {'is unchanged' if kept else 'HAS CHANGED'}" for name, kept in same.items()
                )
                st.caption(f"Since then {said}.")
        show.table(SEEN, row["gates"], f"Verdicts seen in record {seq}", "This record holds no verdicts.")
        st.download_button(
            "Export as JSON",
            lambda: json.dumps(book.export(), indent=2),
            "ledger.json",
            "application/json",
            on_click="ignore",
        )
    course(choice)

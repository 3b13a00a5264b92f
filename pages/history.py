"""History: what was decided, on which numbers, and is the record intact?"""

import json

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.ledger import Ledger
from release_core.views import history, stops, timeline

ROWS = tuple(show.Column(title, key, wide=key == "reason") for title, key in (
    ("No.", "seq"), ("When (UTC)", "at"), ("Decision", "decision"), ("Release", "release"), ("Stage", "stage"), ("As of", "as_of"),
    ("Verdict seen", "verdict"), ("Signer", "signer"), ("Reason", "reason"), ("Override", "override"), ("Hash", "hash")))  # fmt: skip
SEEN = (
    show.Column("Verdict", "verdict", verdict=True),
    show.Column("Gate", "id"),
    show.Column("In words, as signed", "sentence", wide=True),
)

TURNED = tuple(show.Column(title, key, verdict=key in {"was", "verdict"}, wide=key == "sentence") for title, key in (
    ("By", "at"), ("Stage", "stage"), ("Gate", "gate"), ("Was", "was"), ("Became", "verdict"), ("In words", "sentence")))  # fmt: skip


def course(choice: state.Choice) -> None:
    """Show the release's own history, where it can be read."""
    with read.told("The history of this release cannot be shown"):
        read.page(timeline.judged)  # with a feed it is ready when the page is drawn again
        found = timeline.timeline(read.view(choice), read.records(), stops.alarm_rows(read.view(choice)))
        parts.lead(found.headline)
        plot.plot(found.chart, "history")
        show.table(TURNED, found.turned, "Gates that turned, newest first", timeline.said(found.turned))


def seen_by_signer(choice: state.Choice, rows: list[history.Row]) -> None:
    """Show what the signer of a chosen record saw, and whether it still stands."""
    by_number = {row["seq"]: row for row in rows}
    row = by_number[st.selectbox("What the signer saw in record", list(by_number), key="record", bind="query-params")]
    with read.told("This release cannot be compared with what was signed"):
        said = history.since(read.view(choice), row)
        if said:
            st.caption(said)
    show.table(SEEN, row["gates"], f"Verdicts seen in record {row['seq']}", "This record holds no verdicts.")


with read.told("The ledger cannot be read"):
    choice, book = state.current(), Ledger()
    st.title("History", anchor=False)
    every = st.toggle("All releases", key="all_releases", bind="query-params")
    page = history.history(book, None if every else choice.release, [] if every else read.came())
    if page.check.records:
        show.banner("PASS" if page.check.ok else "FAIL", page.said)
    if not every:
        course(choice)
    show.table(ROWS, page.rows, "Decisions, newest first", "Nothing has been decided yet. Decide on the Sign-off page.")
    if page.came:
        st.caption(show.escape_markdown(page.came))
    if page.rows:
        seen_by_signer(choice, page.rows)
    if page.check.records:
        st.caption("A chain shows every later edit, but not a rewrite of all of it: publish its head elsewhere.")
        st.code(page.head, language=None)
        text = lambda: json.dumps(book.export(), indent=2)  # noqa: E731
        st.download_button("Export as JSON", text, "ledger.json", "application/json", on_click="ignore")

"""Data health: what was read, what was set aside and why, which invariants hold?"""

import streamlit as st

from pages.frame import parts, read, show
from release_core.charts import digits
from release_core.views import health

COUNTS = tuple(
    show.Column(name.capitalize(), name, digits.count, number=True)
    for name in ("read", "accepted", "quarantined", "pending")
)
ASIDE_FILES = show.Column("Files set aside", "rejected", digits.count, number=True)
LOGS = (show.Column("Log", "log"), show.Column("Files", "files", digits.count, number=True), *COUNTS, ASIDE_FILES)
FILES = (
    show.Column("File", "file"),
    *COUNTS,
    show.Column("Columns ignored", "ignored"),
    show.Column("Fingerprint", "fingerprint"),
)
ASIDE = (
    show.Column("Files", "files", digits.count, number=True),
    show.Column("Log", "log"),
    show.Column("Found", "found"),
    show.Column("Required", "required"),
    show.Column("To do", "remedy"),
    show.Column("Which", "some", wide=True),
)
REASONS = (
    show.Column("Log", "log"),
    show.Column("Why", "rule"),
    show.Column("Rows", "rows", digits.count, number=True),
)
BAD = tuple(
    show.Column(name.capitalize(), name, digits.count if name == "row" else None)
    for name in ("file", "row", "column", "value", "rule")
)
RULES = (
    show.Column("Verdict", "verdict", verdict=True),
    show.Column("Invariant", "title"),
    show.Column("In words", "sentence"),
)
OVERLAP = (
    show.Column("Events", "what"),
    show.Column("Number", "events", digits.count, number=True),
    show.Column("What it means", "meaning"),
)
CODES = (
    show.Column("Input", "input"), show.Column("Code", "code"), show.Column("Period", "period"),
    show.Column("Share", "share", digits.percent, number=True), show.Column("All periods before", "before", digits.percent, number=True),
    show.Column("Largest change allowed", "allowed", digits.limit, number=True),
)  # fmt: skip
MAPPING = (show.Column("Log", "log"), show.Column("Our name", "ours"), show.Column("Name in the file", "theirs"))

with read.told("Data health cannot be shown"):
    page = read.page(health.health)
    st.title("Data health", anchor=False)
    parts.lead(page.headline)
    show.table(LOGS, page.logs, "Logs: read = accepted + quarantined; pending outcomes wait for their event")
    if page.rejected:
        show.table(ASIDE, page.rejected, "Files set aside whole, by reason")
    show.table(RULES, page.invariants, "Invariants")
    show.table(REASONS, page.reasons, "Why rows were quarantined", "No row was quarantined.")
    if page.bad:
        show.table(BAD, page.bad, f"{len(page.bad)} of {page.bad_total:,} quarantined rows")
    show.table(OVERLAP, page.overlap, "Events")
    if page.codes:
        show.table(CODES, page.codes[:8], "Watched inputs: the codes that moved most")
    with st.expander(f"{len(page.files)} files"):
        show.table(FILES, page.files, "Files")
        show.table(MAPPING, page.mapping, "Columns that go by another name", "Every column goes by our name.")
        st.markdown("\n".join(f"- {show.escape_markdown(note)}" for note in page.notes) or "No notes.")

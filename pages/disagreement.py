"""Disagreement: where do the two versions act differently, why, on whom, and for how much money?"""

import streamlit as st

from pages.frame import drift, parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import disagreement

PAIRS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Baseline → candidate", "pair", None), ("Events", "n", digits.count), ("A day", "per_day", digits.number),
    ("Of all", "share", digits.percent), ("Amount", "amount", digits.count), ("Bad of the labelled", "shown_bad", str),
    ("Labelled bad", "labelled_bad", digits.count), ("Good", "labelled_good", digits.count),
    ("Bad amount", "bad_amount", digits.count), ("Saved by the candidate", "saved", digits.count)))  # fmt: skip
REASONS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Baseline → candidate", "pair", None), ("Baseline's reason", "baseline_reason", None),
    ("Candidate's reason", "candidate_reason", None), ("Events", "n", digits.count), ("Of the disagreements", "share", digits.percent),
    ("Amount", "amount", digits.count), ("Bad of the labelled", "bad", digits.percent)))  # fmt: skip
SEGMENTS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Group", "segment", None), ("Act differently", "shown", str), ("Events", "n", digits.count), ("Differ", "differ", digits.count),
    ("Their amount", "amount", digits.count), ("Explained", "explained", digits.percent)))  # fmt: skip
# Before any label has matured these columns say nothing.
LABELLED = {"shown_bad", "bad", "labelled_bad", "labelled_good", "bad_amount", "saved"}


def told(columns: tuple[show.Column, ...]) -> tuple[show.Column, ...]:
    """Return the columns that say something: those of labels only where an event that changes action has one."""
    labelled = any(row["labelled_bad"] or row["labelled_good"] for row in page.pairs)
    return columns if labelled else tuple(column for column in columns if column.key not in LABELLED)


with read.told("Disagreement cannot be shown"):
    view = read.view(state.current())
    st.title("Disagreement", anchor=False)
    page = read.page(disagreement.page)
    parts.lead(page.headline)
    parts.speaks()
    st.caption(show.escape_markdown(page.demand))
    by = parts.pick("By", disagreement.splits(view), "differ_by", parts.words)
    chart, rows = read.page(disagreement.by_segment, by)
    left, right = st.columns(2)
    with left:
        plot.plot(page.flow, "flow")
    with right:
        plot.plot(chart, "differ")
    changed = [row | {"shown_bad": drift.ranged(row, "bad", digits.percent)} for row in page.pairs]
    show.table(told(PAIRS), changed, "Who changes action", "Both versions take the same action on every event.")
    if told(PAIRS) == PAIRS:
        st.caption(
            "Saved: by the unit costs in the manifest, on labelled events only; a minus says that the candidate costs more."
        )
    rows = [row | {"shown": drift.ranged(row, "value", digits.percent, ("low", "high"))} for row in rows]
    show.table(SEGMENTS, rows, f"Disagreement by {parts.words(by)}")
    show.table(
        told(REASONS), page.reasons, "By reason code", "There is no disagreement, so there is no reason for one."
    )
    pairs = {row["pair"]: (row["baseline"], row["candidate"]) for row in page.pairs}
    if pairs and st.toggle("Show single events", key="events", bind="query-params"):
        pair = parts.pick("Who", list(pairs), "pair")
        events = read.page(disagreement.sample, *pairs[pair])
        named = tuple(show.Column(name.replace("_", " ").capitalize(), name) for name in (events[0] if events else ()))
        show.table(named, events, f"Up to 20 events, in the order of the logs: {pair}")
        st.caption(
            "Read from the kept rows just now. Customers are shown as a code that names nobody; what the manifest lists under "
            "[segments] personal is masked."
        )

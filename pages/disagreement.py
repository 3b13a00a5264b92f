"""Disagreement: where do the two versions act differently, why, on whom, and for how much money?"""

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import disagreement

PAIRS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Baseline → candidate", "pair", None), ("Events", "n", digits.count), ("A day", "per_day", digits.number),
    ("Of all", "share", digits.percent), ("Bad of the labelled", "bad", digits.percent), ("from", "bad_low", digits.percent),
    ("to", "bad_high", digits.percent), ("Labelled bad", "labelled_bad", digits.count), ("Good", "labelled_good", digits.count),
    ("Amount", "amount", digits.count), ("Bad amount", "bad_amount", digits.count),
    ("Saved by the candidate", "saved", digits.count)))  # fmt: skip
REASONS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Baseline → candidate", "pair", None), ("Baseline's reason", "baseline_reason", None),
    ("Candidate's reason", "candidate_reason", None), ("Events", "n", digits.count), ("Of the disagreements", "share", digits.percent),
    ("Bad of the labelled", "bad", digits.percent), ("Amount", "amount", digits.count)))  # fmt: skip
SEGMENTS = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Group", "segment", None), ("Act differently", "value", digits.percent), ("from", "low", digits.percent),
    ("to", "high", digits.percent), ("Events", "n", digits.count), ("Differ", "differ", digits.count),
    ("Their amount", "amount", digits.count), ("Explained", "explained", digits.percent)))  # fmt: skip

with read.told("Disagreement cannot be shown"):
    view = read.view(state.current())
    st.title("Disagreement", anchor=False)
    page = read.page(disagreement.page)
    parts.lead(page.headline)
    parts.speaks()
    st.caption(show.escape_markdown(page.demand))
    show.table(PAIRS, page.pairs, "Who changes action", "Both versions take the same action on every event.")
    st.caption(
        "Saved: by the unit costs in the manifest, on labelled events only; a minus says that the candidate costs more."
    )
    by = parts.pick("By", disagreement.splits(view), "differ_by", parts.words)
    chart, rows = read.page(disagreement.by_segment, by)
    left, right = st.columns(2)
    with left:
        plot.plot(page.flow, "flow")
    with right:
        plot.plot(chart, "differ")
    show.table(SEGMENTS, rows, f"Disagreement by {parts.words(by)}")
    show.table(REASONS, page.reasons, "By reason code", "There is no disagreement, so there is no reason for one.")
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

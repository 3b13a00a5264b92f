"""Cutoffs: what does another cutoff buy and cost, and which one keeps today's alert rate?"""

import streamlit as st

from pages.frame import parts, plot, read, show, state
from release_core.charts import digits
from release_core.views import cutoffs

FORCE = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Events", "segment", None), ("Baseline review", "baseline_review", digits.cutoff),
    ("Candidate review", "candidate_review", digits.cutoff),
    ("Baseline block", "baseline_block", digits.cutoff), ("Candidate block", "candidate_block", digits.cutoff)))  # fmt: skip
WHAT_IF = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Version", "version", None), ("Alert rate", "alert_rate", digits.percent), ("Alerts a day", "alerts_per_day", digits.number),
    ("Recall", "recall", digits.percent), ("Precision", "precision", digits.percent), ("False-positive rate", "fpr", digits.percent),
    ("Bad amount caught", "amount_recall", digits.percent), ("Caught", "true_positives", digits.count), ("Missed", "missed", digits.count),
    ("False alerts", "false_positives", digits.count), ("Cost per 1,000", "cost", digits.count)))  # fmt: skip
TRANSFER = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Segment", "segment", None), ("Baseline's cutoff", "cutoff", None), ("Its alert rate", "alert_rate", digits.percent),
    ("Candidate at the same number", "nominal", digits.percent), ("Candidate's cutoff for the same rate", "transferred", digits.cutoff),
    ("Reached", "achieved", digits.percent), ("Events", "n", digits.count)))  # fmt: skip
BEST = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Version", "version", None), ("Cheapest cutoff", "cutoff", digits.cutoff), ("As cheap within 1 %: from", "low", digits.cutoff),
    ("to", "high", digits.cutoff), ("Cost per 1,000", "cost", digits.count)))  # fmt: skip

with read.told("Cutoffs cannot be shown"):
    view = read.view(state.current())
    scale = view.release.scale
    st.title("Cutoffs", anchor=False)
    start = round(cutoffs.default_cutoff(view), 4)
    at = st.number_input(
        "What if alerts began at a score of",
        scale.minimum,
        scale.maximum,
        start,
        scale.step or 0.005,
        "%.4g",
        key="cutoff",
        bind="query-params",
    )
    page = read.page(cutoffs.cutoffs, at)
    parts.lead(page.headline)
    parts.speaks()

    def moved(score: float) -> None:
        """Take the cutoff to which the line was dragged."""
        st.session_state["cutoff"] = min(max(score, scale.minimum), scale.maximum)

    left, right = st.columns(2)
    with left:
        plot.plot(page.trade, "trade", drag=moved)
    with right:
        plot.plot(page.cost, "cost")
    show.table(WHAT_IF, page.what_if, f"What if alerts began at {digits.cutoff(page.snapped)}")
    st.caption(
        "A what-if cutoff snaps to the nearest edge of a score bin; counts at the cutoffs in force are exact. Nothing here is applied."
    )
    show.table(
        BEST, page.optimum, "Least expected cost", "No costs are declared in the manifest, so no cutoff is cheapest."
    )
    show.table(FORCE, page.in_force, "Cutoffs in force")
    st.subheader("Which cutoff keeps today's alert rate?", anchor=False)
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    by = parts.pick("By", dims, "transfer_by", parts.words) if dims else ""
    show.table(TRANSFER, read.page(cutoffs.transfer, by), "Threshold transfer by equal alert rate")

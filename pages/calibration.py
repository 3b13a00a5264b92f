"""Calibration: does a score of 70 % still mean 70 %, overall and by segment, and what would recalibration change?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, recalibrating, show, state
from release_core.charts import digits
from release_core.views import calibration

ZONES = tuple(show.Column(title, key, number=key != "zone") for title, key in (
    ("Events", "zone"), ("Baseline: observed / expected", "baseline_oe"), ("Bad", "baseline_sums"),
    ("Candidate: observed / expected", "candidate_oe"), ("Bad", "candidate_sums")))  # fmt: skip
LOSSES = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Loss", "loss", None), ("Version", "version", None), ("Value", "value", digits.number),
    ("Miscalibration (MCB)", "mcb", digits.number), ("95 % of calibrated scores stay below", "expected", digits.number),
    ("Discrimination (DSC)", "dsc", digits.number), ("Uncertainty (UNC)", "unc", digits.number),
    ("MCB / UNC", "share", digits.percent)))  # fmt: skip
TESTS = tuple(column for column in columns.COMPARED if column.key != "shown_both")

with read.told("Calibration cannot be shown"):
    view = read.view(state.current())
    st.title("Calibration", anchor=False)
    page = read.page(calibration.calibration)
    parts.lead(page.headline)
    parts.speaks()
    for sentence in page.warnings:
        st.warning(show.escape_markdown(sentence), icon=":material/straighten:")
    left, right = st.columns((3, 2))
    with left:
        plot.plot(page.reliability, "reliability")
        if page.notes:
            st.caption(show.escape_markdown(" ".join(page.notes)))
    with right:
        st.subheader("In numbers", anchor=False)
        show.table(
            columns.COMPARED,
            columns.written(page.numbers, {row["metric"]: row["unit"] for row in page.numbers}),
            "Calibration of both versions",
        )
        show.table(TESTS, page.tests, "Small print", "No test without labels.")
    if page.numbers:
        st.subheader("Where scores are high", anchor=False)
        show.table(ZONES, page.zones, "Observed / expected, with exact Poisson intervals")
        st.subheader("How much of the loss is miscalibration?", anchor=False)
        show.table(LOSSES, read.page(calibration.losses), "Value = MCB − DSC + UNC (CORP)")
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    if dims and page.numbers:
        st.subheader("Observed / expected by segment", anchor=False)
        by = parts.pick("Split by", dims, "split_by", parts.words)
        found = read.page(calibration.by_segment, by)
        plot.plot(found.chart, "segments")
        named = [row | {"title": row["segment"]} for row in found.rows]
        show.table(columns.COMPARED, columns.written(named, read.units()), f"Observed / expected by {parts.words(by)}")
    if page.numbers:
        recalibrating.section()

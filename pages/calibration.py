"""Calibration: does a score of 70% still mean 70%, overall and by segment, and what would recalibration change?"""

import streamlit as st

from pages.frame import columns, parts, plot, read, recalibrating, show, state
from release_core.charts import digits
from release_core.views import calibration
from release_core.views.view import View

ZONES = tuple(show.Column(title, key, number=key != "zone") for title, key in (
    ("Events", "zone"), ("Baseline: observed / expected", "baseline_oe"), ("Bad", "baseline_sums"),
    ("Candidate: observed / expected", "candidate_oe"), ("Bad", "candidate_sums")))  # fmt: skip
LOSSES = tuple(show.Column(title, key, write, number=write is not None) for title, key, write in (
    ("Loss", "loss", None), ("Version", "version", None), ("Value", "value", digits.number),
    ("Miscalibration (MCB)", "mcb", digits.number), ("95% of calibrated scores stay below", "expected", digits.number),
    ("Discrimination (DSC)", "dsc", digits.number), ("Uncertainty (UNC)", "unc", digits.number),
    ("MCB / UNC", "share", digits.percent)))  # fmt: skip
NUMBERS = columns.COMPARED[:4]
TESTS = columns.COMPARED[:3]
SEGMENTS = tuple(show.Column(title, key, write, number=key != "segment") for title, key, write in (
    ("Segment", "segment", None), ("Baseline", "baseline_oe", None), ("Candidate", "candidate_oe", None), ("Change", "shown_both", None),
    ("Bad", "positives", digits.count), ("Labelled events", "n", digits.count)))  # fmt: skip


def by_segment(view: View) -> None:
    """Show observed / expected of every value of a dimension."""
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    if not dims:
        show.empty("No dimension is left to split by: remove a filter.")
        return
    by = parts.pick("Split by", dims, "split_by", parts.words)
    found = read.page(calibration.by_segment, by)
    plot.plot(found.chart, "segments")
    rows = columns.written(found.rows, read.units())
    show.table(SEGMENTS, rows, f"Observed / expected by {parts.words(by)}, with 95% intervals")


def losses(_: View) -> None:
    """Show how much of each loss is miscalibration."""
    show.table(
        LOSSES, read.page(calibration.losses), "How much of the loss is miscalibration? Value = MCB − DSC + UNC (CORP)"
    )


# What stands under the page, each part computed when it is open.
PARTS = {"By segment": by_segment, "What if recalibrated": recalibrating.section, "Parts of the loss": losses}

with read.told("Calibration cannot be shown"):
    view = read.view(state.current())
    st.title("Calibration", anchor=False)
    page = read.page(calibration.calibration)
    parts.lead(page.headline)
    parts.speaks()
    for sentence in page.warnings:
        st.warning(show.escape_markdown(sentence), icon=":material/straighten:")
    left, right = st.columns((3, 2)) if page.numbers else (st.container(), None)
    with left:
        plot.plot(page.reliability, "reliability")
        if page.notes:
            st.caption(show.escape_markdown(" ".join(page.notes)))
    if right is not None:
        with right:
            st.subheader("In numbers", anchor=False)
            units = {row["metric"]: row["unit"] for row in page.numbers}
            show.table(NUMBERS, columns.written(page.numbers, units), "Calibration of both versions")
            show.table(TESTS, page.tests, "Small print")
    if page.numbers:
        st.subheader("Where scores are high", anchor=False)
        show.table(ZONES, page.zones, "Observed / expected, with exact Poisson intervals")
        parts.tell_wrong("Part", list(PARTS), "under")
        for tab, draw in zip(st.tabs(list(PARTS), key="under", bind="query-params"), PARTS.values(), strict=True):
            if tab.open:
                with tab:
                    draw(view)

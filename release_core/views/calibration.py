"""The Calibration page: does a score of 70 % mean 70 %, for which version, and in which segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.digits import percent
from release_core.charts.reliability import reliability
from release_core.release import VERSIONS
from release_core.stats import corp
from release_core.views.score_drift import shown_bins
from release_core.views.view import known, paired_rows, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.views.view import View

    Row = dict[str, Any]

NUMBERS = (
    "base_rate", "mean_score", "oe_ratio", "calibration_intercept", "calibration_slope", "brier", "mcb_brier", "log_loss",
    "mcb_log_loss",
)  # fmt: skip
LEAST_POSITIVES = 50
SEED = 20050930


@dataclass(frozen=True, slots=True)
class CalibrationPage:
    """What the page shows; `by_segment` holds observed / expected of both versions per value of a dimension."""

    headline: str
    reliability: Chart
    numbers: list[Row]
    by_segment: list[Row]
    warning: str


def calibration(view: View, by: str = "") -> CalibrationPage:
    """Return the page for a choice; `by` is the dimension of the table below (default: the first declared one)."""
    metrics = view.known()
    numbers = [
        row | {"title": metrics[row["metric"]].title, "unit": metrics[row["metric"]].unit}
        for row in paired_rows(view.rows(NUMBERS))
    ]
    dims = [dim for dim in (by, *view.release.segments.dims) if dim and dim not in dict(view.where)]
    segments = paired_rows(view.rows(["oe_ratio"], dims[0])) if dims else []
    return CalibrationPage(_headline(view, numbers), reliability_of(view), numbers, segments, _warning(view))


def _headline(view: View, numbers: list[Row]) -> str:
    found = next((row for row in numbers if row["metric"] == "oe_ratio"), None)
    if not found or found.get("candidate") is None:
        return f"No labelled event of {view.place}: calibration is not known as of {view.as_of}."
    value, low, high = found["candidate"], found["candidate_low"], found["candidate_high"]
    if low is None:
        return f"The candidate's observed / expected is {value:.2f}; too few shards for an interval."
    word = (
        "about as often as the scores say"
        if low <= 1 <= high
        else "more often than the scores say"
        if low > 1
        else "less often than the scores say"
    )
    return (
        f"Bad outcomes happen {word}: observed / expected is {value:.2f} for the candidate ({low:.2f} to {high:.2f}), "
        f"{found['baseline']:.2f} for the baseline."
    )


def _warning(view: View) -> str:
    share = next((row.value for row in view.rows(["labelled_share"]) if row.version == "candidate"), None)
    if share is not None and share < 0.95:
        return (
            f"Only {percent(share)} of the events have a mature label. Curves rest on those alone; compare versions at the same "
            "as-of time only."
        )
    return ""


def reliability_of(view: View) -> Chart:
    """Return the reliability diagram of a choice: CORP steps, the candidate's consistency band, the histogram."""
    cells = view.cells()
    if view.release.scale.name != "probability":
        return reliability(
            {}, [], [], view.caption(0, takeaway="Scores are points: no probability mapping is declared.")
        )
    curves = {version: _steps(view, cells, number) for number, version in enumerate(VERSIONS)} if cells.segments else {}
    band = _band(view, cells) if cells.segments else []
    n = float((cells.whole.positive + cells.whole.negative)[0, 1].sum()) if cells.segments else 0.0
    bins = [{key: row[key] for key in ("low", "high", *VERSIONS)} for row in shown_bins(view, cells)]
    return reliability({v: c for v, c in curves.items() if c}, band, bins, view.caption(n))


def _labelled(cells: Cells, number: int) -> tuple[Array, Array, Array]:
    positive, n = cells.whole.positive[0, number], (cells.whole.positive + cells.whole.negative)[0, number]
    with np.errstate(invalid="ignore", divide="ignore"):
        return positive, n, cells.whole.labelled_score[0, number] / n


def _steps(view: View, cells: Cells, number: int) -> list[Row]:
    """Return the isotonic steps of one version: the scores that each spans, its observed rate, its events."""
    positive, n, mean = _labelled(cells, number)
    if positive.sum() < LEAST_POSITIVES or not (n - positive).sum():
        return []
    fitted = corp.recalibrated(positive, n)
    filled = np.flatnonzero(n > 0)
    starts = np.flatnonzero(np.diff(fitted[filled], prepend=-1.0) > 1e-12)
    ends = np.append(starts[1:], len(filled))
    rows = []
    for start, end in zip(starts, ends, strict=True):
        inside = filled[start:end]
        low, high = shown_scores(view.release, mean[[inside[0], inside[-1]]])
        rows.append(
            {
                "low": low,
                "high": high,
                "rate": float(fitted[inside[0]]),
                "n": int(n[inside].sum()),
                "positives": int(positive[inside].sum()),
            }
        )
    return rows


def _band(view: View, cells: Cells) -> list[Row]:
    """Return where a calibrated candidate's curve would fall 90 % of the time, on 1/8 log-odds so that it stays quick."""
    positive, n, _ = _labelled(cells, 1)
    if positive.sum() < LEAST_POSITIVES:
        return []
    per = (cells.whole.grid.per_unit or 8) // 8
    group = (cells.whole.grid.ids - 1) // max(per, 1)
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    sums, score = np.add.reduceat(n, starts), np.add.reduceat(cells.whole.labelled_score[0, 1], starts)
    keep = sums > 0
    band = corp.consistency_band(sums[keep], score[keep] / sums[keep], seed=SEED, resamples=200)
    return [
        {"score": float(at), "low": known(float(low)), "high": known(float(high))}
        for at, low, high in zip(shown_scores(view.release, score[keep] / sums[keep]), band.low, band.high, strict=True)
    ]

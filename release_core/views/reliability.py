"""Cells of a choice in, the reliability diagram out: CORP steps, the consistency band, where the events are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.reliability import reliability
from release_core.release import VERSIONS
from release_core.stats import corp
from release_core.stats.arrays import ratio
from release_core.views.score_drift import shown_bins
from release_core.views.view import TINY, known

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.views.view import View

    Row = dict[str, Any]

LEAST_POSITIVES = 10
SEED = 20050930
RESAMPLES = 99
# The band is drawn on steps of so many per unit of log-odds: 8 look the same as 64 and take a tenth of the time.
BAND_PER_UNIT = 8
POINTS = "Scores are points, for which no probability is declared: calibration is not known."


def reliability_of(view: View) -> Chart:
    """Return the reliability diagram of a choice: CORP steps of both versions, the candidate's band, the histogram."""
    cells = view.cells()
    why = unknown(view, cells)
    if why:
        return reliability({}, [], [], view.caption(0), why=why)
    sides = [labelled(cells, number) for number in range(len(VERSIONS))]
    curves = {version: steps(*side) for version, side in zip(VERSIONS, sides, strict=True)}
    _, n, score = sides[1]
    per_unit = (cells.whole.grid.per_unit or BAND_PER_UNIT) // BAND_PER_UNIT
    band = band_rows(n, score, (cells.whole.grid.ids - 1) // max(per_unit, 1))
    return reliability(curves, band, _strip(view, cells), view.caption(float(n.sum())))


def unknown(view: View, cells: Cells) -> str:
    """Return why calibration is not known here; empty where it is."""
    if view.release.scale.name != "probability":
        return POINTS
    if not cells.segments or not (cells.whole.positives + cells.whole.negatives)[0].any():
        return f"{view.none} has a mature label as of {view.as_of}: calibration is not known."
    positives, negatives = float(cells.whole.positives[0, 1]), float(cells.whole.negatives[0, 1])
    if min(positives, negatives) < LEAST_POSITIVES:
        rare, count = ("bad", positives) if positives <= negatives else ("good", negatives)
        return (
            f"Only {count:,.0f} {rare} among the labelled events of {view.place} as of {view.as_of}: calibration is not "
            f"known. At least {LEAST_POSITIVES} are needed."
        )
    return ""


def labelled(cells: Cells, number: int) -> tuple[Array, Array, Array]:
    """Return positives, labelled events and their mean risk per bin of one version; NaN in empty bins."""
    n, score = cells.once("labelled", lambda: _labelled(cells))
    return cells.whole.positive[0, number], n[number], score[number]


def _labelled(cells: Cells) -> tuple[Array, Array]:
    n = (cells.whole.positive + cells.whole.negative)[0]
    return n, ratio(cells.whole.labelled_score[0], n)


def steps(positive: Array, n: Array, score: Array) -> list[Row]:
    """Return the isotonic steps of one score: the scores that each spans, its observed rate, its events and positives."""
    fitted = corp.recalibrated(positive, n)
    filled = np.flatnonzero(n > 0)
    starts = np.flatnonzero(np.diff(fitted[filled], prepend=-1.0) > 1e-12)
    first, last = filled[starts], filled[np.append(starts[1:], len(filled)) - 1]
    sums = (np.add.reduceat(counts[filled], starts).astype(np.int64) for counts in (n, positive))
    columns = (part.tolist() for part in (score[first], score[last], fitted[first], *sums))
    return [
        {"low": low, "high": high, "rate": rate, "n": events, "positives": positives}
        for low, high, rate, events, positives in zip(*columns, strict=True)
    ]


def band_rows(n: Array, score: Array, group: Array) -> list[Row]:
    """Return where a calibrated score's curve would fall 90% of the time, on the groups of bins (numbers that rise)."""
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    events, sums = np.add.reduceat(n, starts), np.add.reduceat(np.where(n > 0, n * score, 0.0), starts)
    keep = events > 0
    mean = sums[keep] / events[keep]
    limits = corp.consistency_curve(events[keep], mean, seed=SEED, resamples=RESAMPLES)
    columns = (mean.tolist(), *([known(end) for end in side.tolist()] for side in limits))
    return [{"score": at, "low": low, "high": high} for at, low, high in zip(*columns, strict=True)]


def _strip(view: View, cells: Cells) -> list[Row]:
    """Return the histogram on the axis of risk, which runs against the score where a higher score is safer."""
    rows = shown_bins(view, cells)
    if view.release.scale.riskier == "higher":
        return rows
    turned = [row | {"low": max(1 - row["high"], TINY), "high": 1 - row["low"]} for row in rows]
    return sorted(turned, key=lambda row: float(row["low"]))

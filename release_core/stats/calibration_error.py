"""Positives, events and summed scores per bin in, [B] from safest to riskiest; calibration error over equal groups out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, floats, ratio

GROUPS = 15


class CalibrationError(NamedTuple):
    """Mean absolute gap between observed rate and mean score, and the root of the debiased mean squared gap.

    `groups` is how many groups there are: at most those asked for, since a group never splits a bin.
    """

    absolute: float
    debiased: float
    groups: int


def calibration_error(pos: ArrayLike, n: ArrayLike, sum_score: ArrayLike, groups: int = GROUPS) -> CalibrationError:
    """Return the calibration error over `groups` groups of equally many events (METHODS a6).

    absolute: sum n_g / N x |rate - mean score| (ECE). debiased: root of the sum of n_g / N x [(rate - mean score)^2
    - rate (1 - rate) / (n_g - 1)], at least 0 (Kumar, Liang and Ma 2019): labels alone make the gap of even a
    perfect score positive. A bin goes to the group of its middle event, so that ties stay together. NaN with fewer
    than two events, and where a count is not known.

    >>> calibration_error([1, 3], [4, 4], [1.0, 2.0], groups=2)
    CalibrationError(absolute=0.125, debiased=0.0, groups=2)
    """
    sums = floats(pos), floats(n), floats(sum_score)
    positives, events, scores = _grouped(*sums, groups)
    total = sums[1].sum()
    if not total >= 2 or np.isnan(sums[0].sum()):
        return CalibrationError(np.nan, np.nan, len(events))
    rate = ratio(positives, events)
    gap = rate - ratio(scores, events)
    noise = ratio(rate * (1 - rate), events - 1)
    share = events / total
    return CalibrationError(float(share @ np.abs(gap)), float(np.sqrt(max(0.0, share @ (gap**2 - noise)))), len(events))


def _grouped(pos: Array, n: Array, sum_score: Array, groups: int) -> tuple[Array, Array, Array]:
    """Return the sums per group; a group of a single event joins the one below, as its spread cannot be told."""
    filled = n > 0
    pos, n, sum_score = pos[filled], n[filled], sum_score[filled]
    if not len(n):
        return pos, n, sum_score
    middle = (np.cumsum(n) - n / 2) / n.sum()
    number = np.minimum((groups * middle).astype(np.int64), groups - 1)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    sizes = np.add.reduceat(n, starts)
    starts = starts[(sizes > 1) | (np.arange(len(starts)) == 0)]
    if len(starts) > 1 and n[: starts[1]].sum() <= 1:
        starts = np.delete(starts, 1)
    return np.add.reduceat(pos, starts), np.add.reduceat(n, starts), np.add.reduceat(sum_score, starts)

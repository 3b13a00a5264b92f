"""Sums per as-of step in, the first step at which a mean is proven beyond a limit, and since when, out.

Load, outages and campaigns come in spells, so events of one step are alike, and by how much is not known beforehand.
A spread measured around one mean over the whole stage would take a breach that has begun for spread and tell it late.
So every window from a step on is tested, its spread measured around the mean of the window and around the mean of what
came before it; the error is divided over the windows. For values over any limit change the sign of both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, ndtri, stdtr, xlogy

from release_core.stats.arrays import Array, floats, ratio

# One bad step may be one spell; a breach that is told lasts at least so many.
LEAST_STEPS = 3
# Before steps tell how alike their events are, that counts as seen in so many steps, with this correlation.
PRIOR_STEPS = 4.0
PRIOR_ALIKE = 0.008
_SMALLEST, _LEAST = 1e-290, -1e6


class Onset(NamedTuple):
    """The first step at which a mean is proven beyond the limit, and the step since which it is; -1 if it never is."""

    look: int
    start: int


def onset(
    totals: ArrayLike, squares: ArrayLike, n: ArrayLike, limit: float, alpha: float, *, share: bool, least: float = 0.0
) -> Onset:
    """Return when the mean of values is first proven above a limit; over all steps together false with at most `alpha`.

    The windows from step j on of k >= 3 steps are tested at 3 alpha / (j (j + 1) k (k + 1)), whose sum over all is alpha:
    by the binomial tail (shares, events counting for fewer by the dispersion) or the normal one, and the deviate read
    against Student's t with the degrees of freedom that the dispersion rests on (quasi-likelihood, McCullagh and Nelder
    1989, 4.5 and 9.2). A step without events, or of which something is not known, says nothing. In simulations false alarms
    stay below alpha however much steps vary, also where hits come in spells (tests/stats/test_budgets.py).

    Args:
        totals: sum of the values of each step [step]; of a share the hits.
        squares: sum of their squares [step]; of a share the hits again.
        n: how many there are [step].
        limit: what the mean may be; of a share within 0 and 1.
        alpha: the error over all steps together.
        share: whether values are 0 or 1.
        least: values that a window must hold at least.

    >>> onset([0, 1, 0, 9, 8, 9], [0, 1, 0, 9, 8, 9], [50] * 6, 0.02, 0.05, share=True)
    Onset(look=5, start=3)
    """
    size = floats(n)
    told = np.flatnonzero((size > 0) & ~np.isnan(floats(totals) + floats(squares)))
    if not len(told):
        return Onset(-1, -1)
    sums = [_windows(floats(part)[told]) for part in (totals, squares, n)]
    means = floats(totals)[told] / size[told]
    sums.append(_windows(means**2 * size[told]))
    first, length = _shape(len(told))
    spent = np.log(first * (first + 1.0) * np.maximum(length * (length + 1.0), 1.0) / LEAST_STEPS)
    over = np.maximum(_surprise(sums, limit, share=share), _LEAST) + spent - np.log(alpha)
    over = np.where((length >= LEAST_STEPS) & (sums[2] >= least), over, np.inf)
    looks = np.flatnonzero((over < 0).any(axis=0))
    if not len(looks):
        return Onset(-1, -1)
    start = np.flatnonzero(over[:, looks[0]] < 0)[-1]
    return Onset(int(told[looks[0]]), int(told[start + (means[start:] > limit).argmax()]))


def _windows(values: Array) -> Array:
    """Return the sum of the values of each window [first step, last step]; 0 where the last is before the first."""
    ends = np.cumsum(values)
    return np.triu(ends[None, :] - (ends - values)[:, None])


def _shape(steps: int) -> tuple[Array, Array]:
    """Return the number of the first step, from 1 on, and the length of each window [first step, last step]."""
    first = np.arange(1.0, steps + 1)[:, None]
    return first, np.maximum(first.T - first + 1, 0.0)


def _surprise(sums: list[Array], limit: float, *, share: bool) -> Array:
    """Return the log p-value of each window [first, last] under a mean at the limit."""
    total, _, n, _ = sums
    length = np.maximum(_shape(len(n))[1], 1.0)
    mean, variance, spread, df = _spread(sums, length)
    before = [np.concatenate([[0.0], part[0, :-1]])[:, None] for part in (spread, df)]
    alike = 1 + PRIOR_ALIKE * (n / length - 1)
    degrees = PRIOR_STEPS + df + before[1]
    effect = np.maximum((PRIOR_STEPS * alike + spread + before[0]) / degrees, 1.0)
    if share:
        deviate = _deviate(total / effect, (n - total) / effect, limit)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            deviate = np.nan_to_num((mean - limit) / np.sqrt(effect * variance / n), posinf=np.inf, neginf=-np.inf)
    with np.errstate(divide="ignore"):
        surprise = np.log(stdtr(degrees, -deviate))
    return np.where(n > 0, surprise, 0.0)


def _deviate(hits: Array, misses: Array, limit: float) -> Array:
    """Return the normal deviate of as many hits or more at a share of `limit`: the binomial tail's, or the deviance's."""
    tail = np.where(hits > 0, betainc(np.where(hits > 0, hits, 1.0), misses + 1, limit), 1.0)
    n = hits + misses
    far = 2 * (xlogy(hits, ratio(hits, limit * n)) + xlogy(misses, ratio(misses, (1 - limit) * n)))
    exact = -ndtri(np.clip(tail, _SMALLEST, 1.0))
    return np.where(tail > _SMALLEST, exact, np.sqrt(np.maximum(np.nan_to_num(far), 0.0)))


def _spread(sums: list[Array], length: Array) -> tuple[Array, Array, Array, Array]:
    """Return each window's mean, variance of values, and how unlike its steps are: chi-squared, degrees of freedom."""
    total, squares, n, between = sums
    mean = np.nan_to_num(ratio(total, n))
    variance = np.maximum(np.nan_to_num(ratio(squares, n)) - mean**2, 0.0)
    varies = variance > 1e-12 * np.maximum(mean**2, 1e-300)
    apart = np.maximum(between - n * mean**2, 0.0)
    spread = np.where(varies, apart / np.where(varies, variance, 1.0), 0.0)
    return mean, np.where(varies, variance, 0.0), spread, np.where(varies, length - 1.0, 0.0)

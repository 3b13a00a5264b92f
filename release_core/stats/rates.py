"""Counts over periods in; rates, how unlike the periods are, and the differences of any two intervals out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv

from release_core.stats.arrays import Array, floats, only, ratio
from release_core.stats.decisions import Difference
from release_core.stats.intervals import Interval

# Fewer periods than this say nothing of how unlike they are.
LEAST_PERIODS = 5


def poisson(count: ArrayLike, exposure: ArrayLike = 1.0, confidence: ArrayLike = 0.95, sides: int = 2) -> Interval:
    """Return the exact interval of a rate count / exposure (Garwood 1936); NaN where the exposure is 0.

    >>> [bound.round(3).item() for bound in poisson(10)]
    [4.795, 18.39]
    """
    k, per = floats(count), floats(exposure)
    tail = (1 - floats(confidence)) / sides
    low = np.where(k > 0, gammaincinv(np.where(k > 0, k, 1.0), tail), 0.0)
    return Interval(ratio(only(low, ~np.isnan(k)), per), ratio(gammaincinv(k + 1, 1 - tail), per))


def dispersion(hits: ArrayLike, n: ArrayLike) -> Array:
    """Return how much more a share [..., period] varies between periods than chance alone makes it; at least 1.

    Pearson's chi-squared of equal shares over its degrees of freedom (quasi-binomial; McCullagh and Nelder 1989, 4.5).
    1 where fewer than 5 periods hold events, or where the share is 0 or 1. NaN where a number is not known.

    >>> dispersion([1, 9, 1, 9, 5], [50, 50, 50, 50, 50]).round(3).item()
    3.556
    """
    k, size = np.broadcast_arrays(floats(hits), floats(n))
    share = ratio(k.sum(axis=-1), size.sum(axis=-1))[..., None]
    squares = np.where(size > 0, ratio((k - size * share) ** 2, size * share * (1 - share)), 0.0).sum(axis=-1)
    return only(_factor(squares, (size > 0).sum(axis=-1)), ~np.isnan((k + size).sum(axis=-1)))


def dispersion_of_means(totals: ArrayLike, squares: ArrayLike, n: ArrayLike) -> Array:
    """Return the same for a mean: between-period over within-period variance; at least 1.

    `totals`, `squares` [..., period] are the sums of the values and of their squares over `n` events.
    """
    total, size = floats(totals), floats(n)
    each, mean = ratio(total, size), ratio(total.sum(axis=-1), size.sum(axis=-1))[..., None]
    periods = (size > 0).sum(axis=-1)
    within = np.where(size > 0, floats(squares) - total * np.nan_to_num(each), 0.0).sum(axis=-1)
    variance = ratio(within, size.sum(axis=-1) - periods)
    between = np.where(size > 0, size * (each - mean) ** 2, 0.0).sum(axis=-1)
    found = _factor(ratio(between, np.where(variance > 0, variance, np.nan)), periods)
    return only(found, ~np.isnan((total + floats(squares) + size).sum(axis=-1)))


def _factor(squares: Array, periods: Array) -> Array:
    found = ratio(squares, periods - 1.0)
    return np.where((periods >= LEAST_PERIODS) & np.isfinite(found), np.maximum(found, 1.0), 1.0)


def mover(baseline: tuple[Array, Array, Array], candidate: tuple[Array, Array, Array]) -> Difference:
    """Return the difference of two estimates, each given as (value, low, high), with an interval made of theirs.

    Method of variance estimates recovery (Zou and Donner 2008): what Newcombe's method is for two shares. Right for
    independent estimates; too wide, never too narrow, for estimates that rise and fall together.

    >>> [part.round(3).item() for part in mover((np.array(1.0), np.array(0.7), np.array(1.4)), (2.0, 1.6, 2.3))]
    [1.0, 0.434, 1.424]
    """
    (old, old_low, old_high), (new, new_low, new_high) = (tuple(map(floats, side)) for side in (baseline, candidate))
    value = new - old
    known = np.isfinite(value)
    low = value - np.hypot(new - new_low, old_high - old)
    high = value + np.hypot(new_high - new, old - old_low)
    return Difference(value, only(low, known), only(high, known))

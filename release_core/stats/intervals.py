"""Estimates and standard errors in, bounds out: the jackknife over entity shards, quantiles, what is still provable."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr, ndtri, stdtr, stdtrit

from release_core.stats.arrays import Array, floats, only, ratio

MIN_SHARDS = 20
_LEAST_P = 1e-12
_HALVINGS = 50


class Interval(NamedTuple):
    """A lower and an upper bound; each is also a one-sided bound at 1 - (1 - confidence) / sides."""

    low: Array
    high: Array


class Spread(NamedTuple):
    """A standard error and its degrees of freedom."""

    se: Array
    df: Array


def jackknife(full: ArrayLike, replicates: ArrayLike, used: ArrayLike, axis: int = -1) -> Spread:
    """Return the delete-a-group jackknife standard error and its degrees of freedom, B - 1.

    `replicates` [..., shards] are the statistic without each shard; `used` [..., shards] flags the B shards that hold
    evaluated events; `axis` is where both have the shards, counted from the end. SE^2 = (B - 1) / B x sum (replicate -
    mean)^2 (METHODS 0.11). NaN where fewer than 20 shards are used, where `full` [...] is undefined, or where it becomes
    undefined without one of the shards.

    >>> jackknife(0.5, np.tile([0.4, 0.6], 10), np.ones(20)).se.round(4).item()
    0.4359
    """
    values, flags = floats(replicates), np.asarray(used, dtype=bool)
    shape = np.broadcast_shapes(values.shape, flags.shape)
    finite = np.isfinite(values)
    values = values if finite.all() else only(values, finite)
    # Differences from one replicate, not from a rounded mean: equal replicates give exactly 0.
    if shape == values.shape and flags.all():
        shards, moved = np.asarray(shape[axis]), values - values.take([0], axis)
        squares = ((moved - moved.sum(axis=axis, keepdims=True) / shards) ** 2).sum(axis=axis)
    else:
        values, flags = np.broadcast_to(values, shape), np.broadcast_to(flags, shape)
        shards = flags.sum(axis=axis)
        anchor = np.take_along_axis(values, np.expand_dims(flags.argmax(axis=axis), axis), axis=axis)
        moved = np.where(flags, values - anchor, 0.0)
        centre = np.expand_dims(ratio(moved.sum(axis=axis), shards), axis)
        squares = np.where(flags, (moved - centre) ** 2, 0.0).sum(axis=axis)
    enough = (shards >= MIN_SHARDS) & ~np.isnan(squares) & ~np.isnan(floats(full))
    df = only(shards - 1.0, enough)
    return Spread(np.sqrt(squares * ratio(df, df + 1)), df)


def critical(confidence: ArrayLike, sides: int = 2, df: ArrayLike = np.inf) -> Array:
    """Return the quantile of Student's t (normal for infinite df) for an interval of one or two sides.

    >>> critical(0.95).round(3).item(), critical(0.95, sides=1).round(3).item(), critical(0.95, df=31).round(3).item()
    (1.96, 1.645, 2.04)
    """
    probability, freedom = _single(1 - (1 - floats(confidence)) / sides), _single(floats(df))
    shape = np.broadcast_shapes(np.shape(confidence), np.shape(df))
    if probability.size == freedom.size == 1:
        return np.full(shape, _quantile(probability.item(), freedom.item()))
    return np.broadcast_to(_student(probability, freedom), shape)


@lru_cache(maxsize=512)
def _quantile(probability: float, freedom: float) -> float:
    """Return one quantile: most intervals ask for the same few."""
    return float(_student(floats(probability), floats(freedom)))


def _student(probability: Array, freedom: Array) -> Array:
    student = stdtrit(np.where(np.isfinite(freedom), freedom, 1.0), probability)
    return only(np.where(np.isfinite(freedom), student, ndtri(probability)), ~np.isnan(freedom))


def _single(values: Array) -> Array:
    """Return one of many values that are all the same, else all: Student's quantile, which is dear, is then found once."""
    first = values.reshape(-1)[:1]
    return first if values.size > 1 and (values == first).all() else values


def interval(
    value: ArrayLike, se: ArrayLike, df: ArrayLike = np.inf, confidence: ArrayLike = 0.95, sides: int = 2
) -> Interval:
    """Return value -+ quantile x SE; with `sides` = 1 each bound holds with `confidence` on its own.

    >>> [bound.round(3).item() for bound in interval(0.5, 0.1)]
    [0.304, 0.696]
    """
    reach = critical(confidence, sides, df) * floats(se)
    return Interval(floats(value) - reach, floats(value) + reach)


def p_above(value: ArrayLike, se: ArrayLike, threshold: ArrayLike, df: ArrayLike = np.inf) -> Array:
    """Return the one-sided p-value of "the true value is above the threshold", small where it clearly is.

    At most alpha exactly where the 1 - alpha lower bound of `interval` is at or above the threshold. With SE 0: 0 or 1.

    >>> p_above([0.3, 0.1], [0.1, 0.0], 0.1).round(4)
    array([0.0228, 1.    ])
    """
    excess, freedom = floats(value) - floats(threshold), floats(df)
    distance = ratio(excess, se)
    student = stdtr(np.where(np.isfinite(freedom), freedom, 1.0), -distance)
    tail = only(np.where(np.isfinite(freedom), student, ndtr(-distance)), ~np.isnan(freedom))
    certain = only(np.where(excess > 0, 0.0, 1.0), ~np.isnan(excess))
    return np.where(floats(se) == 0, certain, tail)


def p_from_bound(lower: Callable[[Array], ArrayLike], threshold: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the smallest alpha at which the lower bound reaches the threshold: a p-value for any kind of interval.

    `lower` takes one-sided confidences [shape] and returns bounds [shape]. Between 1e-12 and 0.5; 1 where even the
    bound at 0.5 stays below the threshold; NaN where the bound is NaN.

    >>> p_from_bound(lambda confidence: interval(0.3, 0.1, confidence=confidence, sides=1).low, 0.1, ()).round(4).item()
    0.0228
    """
    low, high = np.full(shape, np.log(_LEAST_P)), np.full(shape, np.log(0.5))
    start = floats(lower(1 - np.exp(high)))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = floats(lower(1 - np.exp(middle))) >= floats(threshold)
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return only(np.where(start >= floats(threshold), np.exp(high), 1.0), ~np.isnan(start))


def logit_interval(
    value: ArrayLike, se: ArrayLike, df: ArrayLike = np.inf, confidence: ArrayLike = 0.95, sides: int = 2
) -> Interval:
    """Return an interval for a share or an AUC, taken on the log-odds axis so that it stays inside (0, 1).

    For an AUC above 0.95 or from fewer than 50 positives (METHODS b7). NaN where the value is 0 or 1.

    >>> [bound.round(3).item() for bound in logit_interval(0.96, 0.02)]
    [0.896, 0.985]
    """
    values = floats(value)
    inside = (values > 0) & (values < 1)
    safe = np.where(inside, values, 0.5)
    bounds = interval(logit(safe), floats(se) / (safe * (1 - safe)), df, confidence, sides)
    return Interval(only(expit(bounds.low), inside), only(expit(bounds.high), inside))


def amount_interval(
    value: ArrayLike,
    errors: tuple[ArrayLike, ArrayLike],
    one: ArrayLike,
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of a change in money that few bad events may make, amounts being very unlike.

    A few events show too little of the large amounts that make their sum vary, and the least of it where they happen to
    be small: value -+ t se then holds the truth in 72 to 92 of 100 logs. So the variance is not taken for less than it would
    be if all bad events had the usual amount, the root of their mean square, and one more of them had changed sides. By
    simulation; see tests/bench/page_coverage.py.

    Args:
        value: the change [...].
        errors: its standard error, and what that would be if every bad event had the usual amount.
        one: what one event of the usual amount changes.
        df: degrees of freedom of the error.
        confidence: of both bounds together, or with one side of each.
        sides: 2 or 1.

    >>> [bound.round(2).item() for bound in amount_interval(10.0, (2.0, 3.0), 4.0)]
    [0.2, 19.8]
    """
    seen, usual = map(floats, errors)
    return interval(value, np.maximum(seen, np.hypot(usual, floats(one))), df, confidence, sides)


def design_effect(clustered_se: ArrayLike, independent_se: ArrayLike) -> Array:
    """Return by how much clustering widens the variance: (clustered SE / independent SE)^2; warn above 1.5.

    >>> design_effect(0.03, 0.02).round(2).item()
    2.25
    """
    return ratio(clustered_se, independent_se) ** 2


def events_needed(n: ArrayLike, estimate: ArrayLike, se: ArrayLike, margin: ArrayLike) -> Array:
    """Return how many events more are needed to prove estimate < margin with power 80%, one-sided 5%.

    n ((2.5 SE / (margin - estimate))^2 - 1), rounded up, at least 0; NaN where the estimate is not below the margin.
    Harm scale: larger is worse (METHODS e2).

    >>> events_needed(1000, 0.0, 0.02, 0.025).item()
    3000.0
    """
    room = floats(margin) - floats(estimate)
    factor = (2.5 * ratio(se, room)) ** 2 - 1
    return only(np.maximum(np.ceil(floats(n) * factor), 0.0), room > 0)


def minimum_provable_margin(
    se: ArrayLike, alpha: float = 0.05, power: float = 0.8, reach: ArrayLike | None = None
) -> Array:
    """Return the smallest margin that a harmless change would be proven to keep: (z_(1-alpha) + z_power) x SE.

    `reach` is how far the one-sided bound lies from the value, where that is not z_(1-alpha) x SE.

    >>> minimum_provable_margin(0.01).round(4).item()
    0.0249
    """
    bound = ndtri(1 - alpha) * floats(se) if reach is None else floats(reach)
    return bound + ndtri(power) * floats(se)


def effective_size(sum_weight: ArrayLike, sum_weight_squared: ArrayLike) -> Array:
    """Return (sum w)^2 / sum w^2, the number of equally weighted events that say as much.

    >>> effective_size(3 + 1, 9 + 1).item()
    1.6
    """
    return ratio(floats(sum_weight) ** 2, sum_weight_squared)

"""Confusion counts and paired or unpaired counts in; rates, their differences and intervals out.

Differences are candidate - baseline. Intervals assume independent events. With `sides` = 1 each bound holds with
`confidence` on its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, betaincinv

from release_core.stats.arrays import Array, floats, only, ratio
from release_core.stats.intervals import Interval, critical


class Difference(NamedTuple):
    """Candidate - baseline and its interval."""

    value: Array
    low: Array
    high: Array


def precision(tp: ArrayLike, fp: ArrayLike) -> Array:
    """Return the share of alerts that are positive: TP / (TP + FP); NaN without alerts.

    >>> precision([3, 0], [1, 0])
    array([0.75,  nan])
    """
    return ratio(tp, floats(tp) + floats(fp))


def recall(tp: ArrayLike, fn: ArrayLike) -> Array:
    """Return the share of positives that are alerted: TP / (TP + FN); NaN without positives."""
    return ratio(tp, floats(tp) + floats(fn))


def fpr(fp: ArrayLike, tn: ArrayLike) -> Array:
    """Return the share of negatives that are alerted: FP / (FP + TN); NaN without negatives."""
    return ratio(fp, floats(fp) + floats(tn))


def share(k: ArrayLike, n: ArrayLike) -> Array:
    """Return k / n; NaN where n is 0."""
    return ratio(k, n)


def wilson(
    k: ArrayLike, n: ArrayLike, confidence: ArrayLike = 0.95, sides: int = 2, df: ArrayLike = np.inf
) -> Interval:
    """Return the score interval of a rate k / n (Wilson 1927); NaN where n is 0. k need not be whole.

    What it claims holds on average over all rates: of 5 events 95.5% of intervals hold the rate, of 100 95.1% (Agresti and
    Coull 1998, The American Statistician 52, table 1). At a single rate few events make it more or fewer, as only n + 1
    intervals are possible: never fewer than 83%.

    `df` are the degrees of freedom of the quantile: infinite where n is counted, not estimated.

    >>> [bound.round(4).item() for bound in wilson(0, 10)]
    [0.0, 0.2775]
    """
    z = critical(confidence, sides, df)
    events, rate = floats(n), ratio(k, n)
    centre = rate + ratio(z**2, 2 * events)
    reach = z * np.sqrt(ratio(rate * (1 - rate), events) + ratio(z**2, 4 * events**2))
    widening = 1 + ratio(z**2, events)
    low = np.where(rate == 0, 0.0, (centre - reach) / widening)
    high = np.where(rate == 1, 1.0, (centre + reach) / widening)
    return Interval(low, high)


def share_interval(
    value: ArrayLike, se: ArrayLike, df: ArrayLike = np.inf, confidence: ArrayLike = 0.95, sides: int = 2
) -> Interval:
    """Return the interval of a share whose standard error was estimated: Wilson's, of as many events as say as much.

    n = value (1 - value) / se^2 and Student's quantile (Kott and Carr 1997, Journal of Official Statistics 13; Korn and
    Graubard 1998, Survey Methodology 24). For many events value -+ t se; near 0 or 1 that would be too short. NaN where
    the share is 0 or 1, or the error 0.

    >>> [bound.round(4).item() for bound in share_interval(0.1, 0.03)]
    [0.0552, 0.1744]
    """
    share_of, error = floats(value), floats(se)
    events = ratio(share_of * (1 - share_of), error**2)
    events = only(events, (events > 0) & (error > 0))
    return wilson(share_of * events, events, confidence, sides, df)


def clopper_pearson(k: ArrayLike, n: ArrayLike, confidence: ArrayLike = 0.95, sides: int = 2) -> Interval:
    """Return the exact interval of a rate k / n, never too narrow (Clopper and Pearson 1934); NaN where n is 0.

    >>> [bound.round(4).item() for bound in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    hits, events = floats(k), floats(n)
    misses = events - hits
    tail = (1 - floats(confidence)) / sides
    low = np.where(hits > 0, betaincinv(np.where(hits > 0, hits, 1), misses + 1, tail), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.where(misses > 0, misses, 1), 1 - tail), 1.0)
    known = (events > 0) & ~np.isnan(hits)
    return Interval(only(low, known), only(high, known))


def jeffreys(k: ArrayLike, n: ArrayLike, confidence: ArrayLike = 0.95, sides: int = 2) -> Interval:
    """Return the posterior interval of a rate under Jeffreys' prior Beta(1/2, 1/2); NaN where n is 0.

    The lower bound is 0 where k is 0, the upper bound 1 where k is n (Brown, Cai and DasGupta 2001).

    >>> [bound.round(4).item() for bound in jeffreys(5, 10)]
    [0.2235, 0.7765]
    """
    hits, events = floats(k), floats(n)
    misses = events - hits
    tail = (1 - floats(confidence)) / sides
    low = np.where(hits > 0, betaincinv(hits + 0.5, misses + 0.5, tail), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 0.5, misses + 0.5, 1 - tail), 1.0)
    known = (events > 0) & ~np.isnan(hits)
    return Interval(only(low, known), only(high, known))


def newcombe(
    baseline: tuple[ArrayLike, ArrayLike],
    candidate: tuple[ArrayLike, ArrayLike],
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Difference:
    """Return the difference of two independent rates, each given as (k, n), with Newcombe's hybrid score interval.

    Newcombe 1998, method 10 (RELEASE B.3); NaN where an n is 0.

    >>> [part.round(4).item() for part in newcombe((48, 80), (56, 70))]
    [0.2, 0.0524, 0.3339]
    """
    old, new = ratio(*baseline), ratio(*candidate)
    old_low, old_high = wilson(*baseline, confidence, sides)
    new_low, new_high = wilson(*candidate, confidence, sides)
    value = new - old
    low = value - np.sqrt((new - new_low) ** 2 + (old_high - old) ** 2)
    high = value + np.sqrt((new_high - new) ** 2 + (old - old_low) ** 2)
    return Difference(value, low, high)


def bonett_price(
    only_baseline: ArrayLike,
    only_candidate: ArrayLike,
    n: ArrayLike,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
    df: ArrayLike = np.inf,
) -> Difference:
    """Return the difference of two rates on the same n events, from the events that only one version counts.

    Adjusted Wald interval of Bonett and Price 2012 (RELEASE B.2); NaN where n is 0.

    >>> [part.round(4).item() for part in bonett_price(2, 6, 100)]
    [0.04, -0.0211, 0.0995]
    """
    lost, gained, events = floats(only_baseline), floats(only_candidate), floats(n)
    p1, p2 = (lost + 1) / (events + 2), (gained + 1) / (events + 2)
    reach = critical(confidence, sides, df) * np.sqrt((p1 + p2 - (p2 - p1) ** 2) / (events + 2))
    value = ratio(gained - lost, events)
    low, high = np.maximum(p2 - p1 - reach, -1.0), np.minimum(p2 - p1 + reach, 1.0)
    return Difference(value, only(low, events > 0), only(high, events > 0))


def paired_interval(
    shares: tuple[ArrayLike, ArrayLike],
    se: ArrayLike,
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of a paired difference whose standard error was estimated: Bonett and Price's, of as many events.

    `shares` are those of the events that only the baseline, or only the candidate, counts; n = (p1 + p2 - (p2 - p1)^2) /
    se^2. For many events difference -+ t se; of few events that differ that would be too short on the side of harm.
    NaN where no event differs, or the error is 0.

    >>> [bound.round(4).item() for bound in paired_interval((0.02, 0.06), 0.028)]
    [-0.0211, 0.0995]
    """
    lost, gained = map(floats, shares)
    error = floats(se)
    events = ratio(lost + gained - (gained - lost) ** 2, error**2)
    events = only(events, (events > 0) & (error > 0))
    found = bonett_price(lost * events, gained * events, events, confidence, sides, df)
    return Interval(found.low, found.high)


def moved_interval(
    value: ArrayLike,
    se: ArrayLike,
    n: ArrayLike,
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of a change of a share of `n` events of which only the size and its error are known.

    What the error says of how many events changed (se^2 = (p1 + p2 - (p2 - p1)^2) / n) gives the shares p1, p2 that
    `paired_interval` asks for. With se 0 no event changed, and the interval is Bonett and Price's of none: a change that
    none of n events shows may still be one in so many. NaN where n is 0 or the error is not known.

    >>> [bound.round(4).item() for bound in moved_interval([0.04, 0.0], [0.028, 0.0], [100, 100]).high]
    [0.0995, 0.0272]
    """
    change, error, events = np.broadcast_arrays(floats(value), floats(se), floats(n))
    less = np.maximum((events * error**2 + change**2 - np.abs(change)) / 2, 0.0)
    more = less + np.abs(change)
    shares = np.where(change < 0, more, less), np.where(change < 0, less, more)
    found = paired_interval(shares, error, df, confidence, sides)
    none = bonett_price(0.0, 0.0, events, confidence, sides)
    still, known = (error == 0) & (change == 0), (events > 0) & ~np.isnan(change) & ~np.isnan(error)
    bounds = (np.where(still, a, b) for a, b in ((none.low, found.low), (none.high, found.high)))
    return Interval(*(only(bound, known) for bound in bounds))


def mcnemar(only_baseline: ArrayLike, only_candidate: ArrayLike) -> Array:
    """Return the exact two-sided p-value that both versions count equally often; 1 where they never differ.

    min(1, 2 BinomCDF(min(b, c); b + c, 1/2)).

    >>> mcnemar([1, 0], [6, 0]).round(4)
    array([0.125, 1.   ])
    """
    b, c = np.broadcast_arrays(floats(only_baseline), floats(only_candidate))
    least, both = np.nan_to_num(np.minimum(b, c)), np.nan_to_num(b + c).astype(np.int64)
    return only(np.minimum(1.0, 2 * bdtr(least, both, 0.5)), ~np.isnan(b + c))

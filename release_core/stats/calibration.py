"""Sums of scores, losses and labels in; observed against expected, Brier score and log loss out.

All but the spread of Spiegelhalter's Z are exact: they do not depend on how the scores are binned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainccinv, gammaincinv, ndtr, xlogy

from release_core.stats.arrays import Array, floats, only, ratio
from release_core.stats.intervals import Interval, critical


class Estimate(NamedTuple):
    """A value and its interval."""

    value: Array
    low: Array
    high: Array


class Sums(NamedTuple):
    """Sums over labelled events: of the labels, of the scores, of the scores of positives, of the squared scores."""

    positives: ArrayLike
    scores: ArrayLike
    positive_scores: ArrayLike
    squared: ArrayLike


def oe_ratio(positives: ArrayLike, sum_score: ArrayLike, confidence: ArrayLike = 0.95, sides: int = 2) -> Estimate:
    """Return observed / expected positives with the exact Poisson interval (Garwood 1936; METHODS a3).

    Expected is the sum of the scores of the labelled events; NaN where it is 0. The interval takes the expected
    number as given and the events as independent; with no positives its lower bound is 0.

    >>> [round(part.item(), 3) for part in oe_ratio(10, 8.0)]
    [1.25, 0.599, 2.299]
    """
    observed = floats(positives)
    tail = (1 - floats(confidence)) / sides
    low = np.where(observed > 0, gammaincinv(np.where(observed > 0, observed, 1), tail), 0.0)
    low, high = only(low, ~np.isnan(observed)), gammainccinv(observed + 1, tail)
    return Estimate(*(ratio(part, only(sum_score, floats(sum_score) > 0)) for part in (observed, low, high)))


def oe_interval(
    value: ArrayLike,
    se: ArrayLike,
    expected: ArrayLike,
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of an observed / expected whose standard error was estimated: the score interval of as many events.

    k = (value / se)^2 events of a Poisson count say as much; their score interval is k + z^2 / 2 -+ z root of
    (k + z^2 / 4) (Barker 2002, The American Statistician 56), z being Student's quantile. For many events value -+
    t se; for few that would miss high values more often than low ones. With no positive the exact Poisson bound, from
    `expected`. NaN where the error or what is expected is not known or 0.

    >>> [bound.round(3).item() for bound in oe_interval(1.25, 0.4, 8.0)]
    [0.674, 2.317]
    """
    found, error = floats(value), floats(se)
    z = critical(confidence, sides, df)
    k = only(ratio(found, error) ** 2, (error > 0) & (found > 0))
    middle, reach = k + z**2 / 2, z * np.sqrt(k + z**2 / 4)
    low, high = (ratio(found * end, k) for end in (middle - reach, middle + reach))
    no_positive = (found == 0) & (error == 0)
    if not no_positive.any():
        return Interval(low, high)
    none = oe_ratio(0.0, expected, confidence, sides)
    return Interval(np.where(no_positive, none.low, low), np.where(no_positive, none.high, high))


def brier(n: ArrayLike, positives: ArrayLike, sum_score_squared: ArrayLike, sum_positive_score: ArrayLike) -> Array:
    """Return the mean squared error of the scores of n labelled events, from sum s^2 and the sum of s over positives.

    >>> brier(2, 1, 0.8**2 + 0.4**2, 0.8).round(3).item()
    0.1
    """
    return ratio(floats(sum_score_squared) - 2 * floats(sum_positive_score) + floats(positives), n)


def brier_skill(score: ArrayLike, n: ArrayLike, positives: ArrayLike) -> Array:
    """Return 1 - Brier / Brier of the base rate: 1 is perfect, 0 says no more than the base rate; NaN for one class.

    >>> brier_skill(0.1, 2, 1).round(3).item()
    0.6
    """
    rate = ratio(positives, n)
    return 1 - ratio(score, rate * (1 - rate))


def log_loss(n: ArrayLike, sum_loss: ArrayLike) -> Array:
    """Return the mean of -ln(probability given to what happened), in nats, from its sum over n labelled events."""
    return ratio(sum_loss, n)


def base_rate_log_loss(n: ArrayLike, positives: ArrayLike) -> Array:
    """Return the log loss of a constant score at the base rate, the uncertainty of the labels; 0 for one class.

    >>> base_rate_log_loss(4, 2).round(4).item()
    0.6931
    """
    rate = ratio(positives, n)
    return floats(-(xlogy(rate, rate) + xlogy(1 - rate, 1 - rate)))


class Spiegelhalter(NamedTuple):
    """Spiegelhalter's Z and its two-sided p-value."""

    z: Array
    p_value: Array


def spiegelhalter(sums: Sums, n: ArrayLike, mean_score: ArrayLike) -> Spiegelhalter:
    """Return the test of "the scores are calibrated" by the Brier score (Spiegelhalter 1986; METHODS a5).

    Z = sum (y - s)(1 - 2 s) / root of sum s (1 - s)(1 - 2 s)^2; the numerator is exact from `sums`, the denominator
    from the events `n` [..., B] and mean scores of the bins. NaN where no score has a spread. With a million events
    every score fails it: it says whether, not how much.

    >>> spiegelhalter(Sums(3.0, 2.0, 0.6, 0.4), [10], [0.2]).z.round(3).item()
    0.791
    """
    positives, scores, positive_scores, squared = (floats(part) for part in sums)
    s = np.where(floats(n) > 0, floats(mean_score), 0.0)
    spread = (floats(n) * s * (1 - s) * (1 - 2 * s) ** 2).sum(axis=-1)
    z = ratio(positives - scores - 2 * positive_scores + 2 * squared, np.sqrt(spread))
    return Spiegelhalter(z, floats(2 * ndtr(-np.abs(z))))


def design_effect(positives: ArrayLike, n: ArrayLike, mean_score: ArrayLike, clustered_se: ArrayLike) -> Array:
    """Return by how much clustering widens the variance of observed / expected: (clustered SE / independent SE)^2.

    The independent SE is that of the ratio of two sums over events: root of sum (y - R s)^2 over sum s, with R the
    ratio itself, from labelled bins [..., B].
    """
    pos, events = floats(positives), floats(n)
    s = np.where(events > 0, floats(mean_score), 0.0)
    expected = (events * s).sum(axis=-1)
    r = ratio(pos.sum(axis=-1), expected)[..., None]
    squares = (pos * (1 - r * s) ** 2 + (events - pos) * (r * s) ** 2).sum(axis=-1)
    return ratio(clustered_se, ratio(np.sqrt(squares), expected)) ** 2

"""Positives and negatives per bin in, [..., B] from safest to riskiest; areas, separation and curves out.

`tied` flags bins whose events all have the same score: there nothing is lost by binning.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats import decisions, intervals
from release_core.stats.arrays import Array, at_or_above, floats, only, ratio
from release_core.stats.intervals import Interval

# How many events of the smaller class the worst variance that an AUC can have counts for, beside the observed one.
WORST_EVENTS = 3


class Sweep(NamedTuple):
    """Confusion counts [..., B + 1] at the lower edge of every bin; the last entry alerts on none."""

    tp: Array
    fp: Array
    fn: Array
    tn: Array


class Curve(NamedTuple):
    """Points of a curve, [..., B + 1] each, in the order of the bins."""

    x: Array
    y: Array


def sweep(pos: ArrayLike, neg: ArrayLike) -> Sweep:
    """Return the confusion counts when the alert starts at each bin, from alert on all to alert on none.

    >>> sweep([1, 2], [4, 1]).tp
    array([3., 2., 0.])
    """
    tp, fp = at_or_above(pos), at_or_above(neg)
    return Sweep(tp, fp, tp[..., :1] - tp, fp[..., :1] - fp)


def roc_curve(pos: ArrayLike, neg: ArrayLike) -> Curve:
    """Return false-positive rate (x) and recall (y) at every bin edge; NaN where a class is empty."""
    counts = sweep(pos, neg)
    return Curve(ratio(counts.fp, counts.fp[..., :1]), ratio(counts.tp, counts.tp[..., :1]))


def precision_recall_curve(pos: ArrayLike, neg: ArrayLike) -> Curve:
    """Return recall (x) and precision (y) at every bin edge; precision is NaN where nothing is alerted."""
    counts = sweep(pos, neg)
    return Curve(ratio(counts.tp, counts.tp[..., :1]), ratio(counts.tp, counts.tp + counts.fp))


def auc(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return P(score of a positive > score of a negative) + half of P(equal): the area under the ROC curve.

    Within a bin each pair gets half credit (METHODS b1, 0.10). NaN where a class is empty; 0.5 for one bin.

    >>> auc([0, 1, 1], [2, 2, 0]).item()
    0.875
    """
    positives, negatives = floats(pos), floats(neg)
    wins = np.einsum("...b,...b->...", positives, _beaten(negatives))
    return ratio(wins, positives.sum(axis=-1) * negatives.sum(axis=-1))


def auc_bracket(pos: ArrayLike, neg: ArrayLike, tied: ArrayLike | None = None) -> Array:
    """Return how far the AUC of the unbinned scores can lie from `auc`, at most: sum y_b q_b / (2 P Q).

    >>> auc_bracket([0, 1, 1], [2, 2, 0]).item()
    0.125
    """
    positives, negatives = floats(pos), floats(neg)
    inside = np.einsum("...b,...b->...", _open(positives, tied), negatives)
    return ratio(inside / 2, positives.sum(axis=-1) * negatives.sum(axis=-1))


def ks_separation(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return max |recall - false-positive rate| over the bin edges; NaN where a class is empty.

    >>> ks_separation([0, 1, 1], [2, 2, 0]).item()
    0.5
    """
    roc = roc_curve(pos, neg)
    return floats(np.abs(roc.y - roc.x).max(axis=-1))


def ks_bracket(pos: ArrayLike, neg: ArrayLike, tied: ArrayLike | None = None) -> tuple[Array, Array]:
    """Return lower and upper limit of the unbinned KS: the value at the edges, and that plus the largest bin share."""
    positives, negatives = floats(pos), floats(neg)
    low = ks_separation(positives, negatives)
    share = np.maximum(
        ratio(_open(positives, tied), positives.sum(axis=-1, keepdims=True)),
        ratio(_open(negatives, tied), negatives.sum(axis=-1, keepdims=True)),
    )
    return low, np.minimum(low + share.max(axis=-1), 1.0)


def delong_variance(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return DeLong's variance of the AUC; NaN with fewer than 2 positives or 2 negatives.

    Assumes independent events. DeLong, DeLong and Clarke-Pearson 1988, from placements per bin (METHODS b7).

    >>> round(delong_variance([0, 1, 1], [2, 2, 0]).item(), 6)
    0.020833
    """
    positives, negatives = floats(pos), floats(neg)
    of_pos, of_neg, area = _placements(positives, negatives)
    squares_pos = np.einsum("...b,...b->...", positives, (of_pos - area[..., None]) ** 2)
    squares_neg = np.einsum("...b,...b->...", negatives, (of_neg - area[..., None]) ** 2)
    return _mean_variance(squares_pos, positives.sum(axis=-1)) + _mean_variance(squares_neg, negatives.sum(axis=-1))


def delong_covariance(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return DeLong's 2 x 2 covariance [..., 2, 2] of the AUCs of two versions that scored the same events.

    `pos` and `neg` are joint tables [..., B1, B2]: events in bin i of the first and bin j of the second version.
    NaN with fewer than 2 positives or 2 negatives.
    """
    positives, negatives = floats(pos), floats(neg)
    parts = [_placements(positives.sum(axis=axis), negatives.sum(axis=axis)) for axis in (-1, -2)]
    total = np.zeros((*positives.shape[:-2], 2, 2))
    for table, side in ((positives, 0), (negatives, 1)):
        n = table.sum(axis=(-1, -2))
        first, second = (part[side] - part[2][..., None] for part in parts)
        cross = np.einsum("...i,...ij,...j->...", first, table, second)
        squares = (
            np.einsum("...i,...i->...", table.sum(axis=-1), first**2),
            np.einsum("...j,...j->...", table.sum(axis=-2), second**2),
        )
        total[..., 0, 0] += _mean_variance(squares[0], n)
        total[..., 1, 1] += _mean_variance(squares[1], n)
        total[..., 0, 1] += _mean_variance(cross, n)
    total[..., 1, 0] = total[..., 0, 1]
    return total


def difference_se(covariance: ArrayLike) -> Array:
    """Return the standard error of second - first from a covariance [..., 2, 2]; exactly 0 for identical versions.

    >>> difference_se([[0.04, 0.03], [0.03, 0.04]]).round(4).item()
    0.1414
    """
    matrix = floats(covariance)
    variance = (matrix[..., 0, 0] - matrix[..., 0, 1]) + (matrix[..., 1, 1] - matrix[..., 1, 0])
    return np.sqrt(np.maximum(variance, 0.0))


def auc_interval(
    value: ArrayLike,
    se: ArrayLike,
    classes: tuple[ArrayLike, ArrayLike],
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of an AUC of few events of a class, or near 1: Wilson's, of as many events as say as much.

    The few events at hand show too little of the tail that makes an AUC vary. Its variance is therefore averaged, as
    if of `WORST_EVENTS` more events, with the largest that it can have, A (1 - A) (1 / P + 1 / N), which is reached
    where scores of a class are either all above or all below the other's (Birnbaum and Klose 1957). With many events
    that is value -+ quantile x se. Of an AUC of 1 the interval starts below 1. The end on the side of 0.5 also allows for events
    of which those at hand show none and that score beyond every one of the other class (see `_unseen`). By simulation; see
    tests/bench/coverage.py.

    Args:
        value: the AUC [...].
        se: its standard error, by DeLong or by jackknife.
        classes: the positives P and the negatives N.
        df: degrees of freedom of the error; at most one less than the smaller class has.
        confidence: of both bounds together, or with one side of each.
        sides: 2 or 1.

    >>> [bound.round(3).item() for bound in auc_interval(0.96, 0.02, (20, 4000), 19)]
    [0.793, 0.988]
    """
    positives, negatives = map(floats, classes)
    fewest = np.minimum(positives, negatives)
    enough = (fewest > 1) & ~np.isnan(floats(se))
    # Half a pair away from 0 and 1: there the worst variance would be 0.
    half = ratio(0.5, positives * negatives)
    area = np.clip(floats(value), half, 1 - half)
    most = area * (1 - area) * (ratio(1, positives) + ratio(1, negatives))
    own = fewest - 1
    variance = ratio(WORST_EVENTS * most + own * floats(se) ** 2, WORST_EVENTS + own)
    events = only(ratio(area * (1 - area), variance), enough)
    freedom = np.maximum(np.minimum(floats(df), own), 1)
    low, high = decisions.wilson(floats(value) * events, events, confidence, sides, freedom)
    reach = intervals.critical(confidence, sides, np.maximum(np.minimum(floats(df), fewest), 1))
    above = np.maximum(floats(value), 1 - floats(value))
    least = np.maximum(above - np.hypot(reach * floats(se), _unseen(fewest, confidence, sides) * above), 0.0)
    low = np.where(floats(value) >= 0.5, np.minimum(low, least), low)
    high = np.where(floats(value) <= 0.5, np.maximum(high, 1 - least), high)
    return Interval(only(low, enough), only(high, enough))


def auc_difference_interval(
    areas: tuple[ArrayLike, ArrayLike],
    se: ArrayLike,
    fewest: ArrayLike,
    apart: ArrayLike = 1.0,
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of second - first AUC of versions that scored the same events.

    It is value -+ the root of (quantile x se)^2 + (share x change)^2: versions that agree on all events at hand, however near
    their ranks lie, may differ on a kind that these do not show. Share is the most that there may be of it (see `_unseen`), change
    what it does to an AUC where one version alone scores it beyond every event of the other class. Nothing is added where they must
    rank all events alike (`apart` is 0). By simulation; see tests/bench/coverage.py.

    Args:
        areas: the AUC [...] of either version.
        se: the standard error of the difference.
        fewest: the events of the smaller class.
        apart: how far the ranks of a further event may lie apart: 0 of one model recalibrated, say; of two models 1.
        df: degrees of freedom of the error; at most one less than `fewest`.
        confidence: of both bounds together, or with one side of each.
        sides: 2 or 1.

    >>> [bound.round(4).item() for bound in auc_difference_interval((0.86, 0.86), 0.001, 200)]
    [-0.0158, 0.0158]
    """
    first, second = map(floats, areas)
    n, error = floats(fewest), floats(se)
    reach = error * intervals.critical(confidence, sides, np.maximum(np.minimum(floats(df), n - 1), 1))
    share = floats(apart) * _unseen(n, confidence, sides)
    enough = (n > 1) & ~np.isnan(error)
    # The second version alone puts the kind last, or the first one alone puts it first; for the upper end the other way round.
    low = second - first - np.hypot(reach, share * np.maximum(second, 1 - first))
    high = second - first + np.hypot(reach, share * np.maximum(first, 1 - second))
    return Interval(only(low, enough), only(high, enough))


def ks_interval(
    value: ArrayLike,
    se: ArrayLike,
    classes: tuple[ArrayLike, ArrayLike],
    df: ArrayLike = np.inf,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
) -> Interval:
    """Return the interval of a KS separation of so many positives and negatives, or as many independent ones as say as much.

    The largest gap of a log is too large: it is where chance is kind. Its lower end is as far off as chance takes two
    distribution functions apart anywhere, sqrt(-ln(tail) / 2 x (1 / P + 1 / N)) (Smirnov 1939, Massart 1990), and at least
    Wilson's (see `decisions.share_interval`), which is the upper end. NaN where a class is empty or the error is not known.

    Args:
        value: the KS separation [...].
        se: its standard error.
        classes: the positives P and the negatives N [...].
        df: degrees of freedom of the error.
        confidence: of both bounds together, or with one side of each.
        sides: 2 or 1.

    >>> [bound.round(3).item() for bound in ks_interval(0.5, 0.07, (60, 3000))]
    [0.323, 0.632]
    """
    positives, negatives = map(floats, classes)
    anywhere = np.sqrt(-np.log((1 - floats(confidence)) / sides) / 2 * (ratio(1, positives) + ratio(1, negatives)))
    own = decisions.share_interval(value, se, df, confidence, sides)
    low, high = floats(value) - anywhere, floats(value) + anywhere
    # Of a gap of 0 or 1, or one that seems to have no error, Wilson's interval is not known.
    usual = (floats(se) > 0) & (floats(value) > 0) & (floats(value) < 1)
    ends = np.where(usual, np.minimum(own.low, low), low), np.where(usual, own.high, high)
    return Interval(*(only(np.clip(end, 0, 1), ~np.isnan(floats(se) * anywhere)) for end in ends))


def _unseen(n: Array, confidence: ArrayLike, sides: int) -> Array:
    """Return the largest share that a kind may have of which n events show none: Clopper's and Pearson's bound, about 3 / n."""
    return 1 - ((1 - floats(confidence)) / sides) ** ratio(1, n)


def _placements(positives: Array, negatives: Array) -> tuple[Array, Array, Array]:
    """Return per bin the share of negatives a positive beats, of positives a negative beats, and the AUC.

    The second is 1 - V01 of DeLong: it has the same variance, but its mean is 1 - AUC; flipped here to mean AUC.
    """
    p, q = positives.sum(axis=-1, keepdims=True), negatives.sum(axis=-1, keepdims=True)
    of_pos = ratio(_beaten(negatives), q)
    of_neg = 1.0 - ratio(_beaten(positives), p)
    return of_pos, of_neg, auc(positives, negatives)


def _beaten(counts: Array) -> Array:
    """Return for every bin the events in the bins before it, and half of those in it."""
    found: Array = np.cumsum(counts, axis=-1)
    found -= counts / 2
    return found


def _mean_variance(squares: Array, n: Array) -> Array:
    return only(ratio(squares, n * (n - 1)), n > 1)


def _open(counts: Array, tied: ArrayLike | None) -> Array:
    return counts if tied is None else np.where(tied, 0.0, counts)

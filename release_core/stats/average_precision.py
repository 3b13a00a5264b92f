"""Positives and negatives per bin in, [..., B] from safest to riskiest; average precision and its limits out.

Average precision is the mean, over the positives, of the precision when the alert starts at that positive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import psi

from release_core.stats.arrays import Array, above, floats, ratio

_SERIES_FROM = 64.0

Credit = Callable[[Array, Array, Array, Array], Array]


def average_precision(pos: ArrayLike, neg: ArrayLike, tied: ArrayLike | None = None) -> Array:
    """Return the average precision; NaN without positives, 1 without negatives (METHODS b2, 0.10).

    The events of a bin are taken in random order, and the expectation over the orders is exact (McSherry and Najork
    2008); where `tied`, all events of the bin have one score and are one step, as in scikit-learn.

    >>> average_precision([0, 1, 1], [2, 1, 0], tied=[True, True, True]).round(4).item()
    0.8333
    >>> average_precision([0, 1, 1], [2, 1, 0]).round(4).item()
    0.9167
    """
    return _average(_in_random_order, pos, neg, tied)


def average_precision_bracket(pos: ArrayLike, neg: ArrayLike, tied: ArrayLike | None = None) -> tuple[Array, Array]:
    """Return the lowest and the highest average precision that the unbinned scores can have.

    In every bin the positives come last, each on its own, or first and all with one score: no tie can do worse than
    the one or better than the other.

    >>> [limit.round(4).item() for limit in average_precision_bracket([0, 1, 1], [2, 1, 0])]
    [0.8333, 1.0]
    """
    return _average(_positives_last, pos, neg, tied), _average(_positives_first, pos, neg, tied)


def _average(credit: Credit, pos: ArrayLike, neg: ArrayLike, tied: ArrayLike | None) -> Array:
    """Return the summed precision at each positive over the number of positives; only bins with positives count."""
    y, q = np.broadcast_arrays(floats(pos), floats(neg))
    caught, alerted = above(y), above(y + q)
    some = y > 0
    precisions = np.zeros(y.shape)
    precisions[some] = credit(caught[some], alerted[some], y[some], q[some])
    if tied is not None:
        step = y * ratio(caught + y, alerted + y + q)
        precisions = np.where(some & np.asarray(tied), step, precisions)
    return ratio(precisions.sum(axis=-1), y.sum(axis=-1))


def _in_random_order(caught: Array, alerted: Array, y: Array, q: Array) -> Array:
    """Sum over ranks k = 1..n of P(a positive is k-th) x E[precision there], with n = y + q.

    That is y / n x sum (caught + 1 + (k - 1)(y - 1)/(n - 1)) / (alerted + k).
    """
    n = y + q
    inverse_ranks = _inverse_ranks(alerted, n)
    others = np.divide(y - 1, n - 1, out=np.zeros(y.shape), where=n > 1)
    return y / n * ((caught + 1) * inverse_ranks + others * (n - (alerted + 1) * inverse_ranks))


def _positives_first(caught: Array, alerted: Array, y: Array, _: Array) -> Array:
    return y * (caught + y) / (alerted + y)


def _positives_last(caught: Array, alerted: Array, y: Array, q: Array) -> Array:
    return y - (alerted - caught + q) * _inverse_ranks(alerted + q, y)


def _inverse_ranks(start: Array, n: Array) -> Array:
    """Return 1 / (start + 1) + ... + 1 / (start + n).

    For a large start the difference of two digammas would lose digits; Stirling's series of the difference does not.
    """
    low, high = start + 1.0, start + n + 1.0
    series = np.log1p(n / low) + n / (2 * low * high) - (1 / high**2 - 1 / low**2) / 12
    series += (1 / high**4 - 1 / low**4) / 120
    exact: Array = psi(high) - psi(low)
    return np.where(start < _SERIES_FROM, exact, series)

"""P-values [..., k] of k hypotheses in, decisions and levels out; NaN is no hypothesis and does not count in k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, floats, ratio


def holm(p: ArrayLike, alpha: float) -> Flags:
    """Return which hypotheses are rejected when the chance of any false rejection is at most alpha (Holm 1979).

    >>> holm([0.01, 0.04, 0.03], 0.05)
    array([ True, False, False])
    """
    return floats(p) <= holm_levels(p, alpha)


def holm_levels(p: ArrayLike, alpha: float) -> Array:
    """Return the level of each hypothesis, at which its one-sided bound agrees with `holm`.

    The r-th smallest p (r from 0) is tested at alpha / (k - r); after the first that is not rejected, all others keep
    its level. So a 1 - level lower bound lies beyond the margin exactly where `holm` rejects. NaN for a NaN p.

    >>> holm_levels([0.01, 0.04, 0.03], 0.05).round(4)
    array([0.0167, 0.025 , 0.025 ])
    """
    values = floats(p)
    if not values.shape[-1]:
        return values
    order = np.argsort(values, axis=-1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=-1)
    ranks = np.arange(values.shape[-1])
    tested = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    last = np.maximum(tested - 1, 0)
    steps = ratio(alpha, tested - np.minimum(ranks, last))
    rejected = np.logical_and.accumulate(ranked <= steps, axis=-1)
    stop = np.minimum(rejected.sum(axis=-1, keepdims=True), last)
    levels = np.take_along_axis(steps, np.minimum(ranks, stop), axis=-1)
    result = np.empty(values.shape)
    np.put_along_axis(result, order, np.where(np.isnan(ranked), np.nan, levels), axis=-1)
    return result


def benjamini_hochberg(p: ArrayLike, q: float) -> Flags:
    """Return a list of discoveries of which at most a share q is expected to be false (Benjamini & Hochberg 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.9], 0.1)
    array([ True,  True,  True, False])
    """
    return _step_up(floats(p), q)


def benjamini_yekutieli(p: ArrayLike, q: float) -> Flags:
    """Return discoveries as `benjamini_hochberg`, valid however the hypotheses overlap: q / (1 + 1/2 + ... + 1/k).

    >>> benjamini_yekutieli([0.01, 0.04, 0.03, 0.9], 0.1)
    array([ True, False, False, False])
    """
    values = floats(p)
    harmonic = np.concatenate([[1.0], np.cumsum(1 / np.arange(1, values.shape[-1] + 1))])
    tested = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    return _step_up(values, q / harmonic[tested])


def _step_up(values: Array, q: ArrayLike) -> Flags:
    ranked = np.sort(values, axis=-1)
    tested = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    passed = ranked <= floats(q) * ratio(np.arange(1, values.shape[-1] + 1), tested)
    limit = np.where(passed, ranked, -np.inf).max(axis=-1, initial=-np.inf, keepdims=True)
    return np.asarray(values <= limit, dtype=np.bool_)

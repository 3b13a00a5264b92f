"""Estimates of many segments with their variances in, estimates pulled towards the group's mean out (empirical Bayes)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, Indices, floats, only, ratio

LEAST_SEGMENTS = 5
_ROUNDS = 200


class Pooled(NamedTuple):
    """What pooling says: per estimate its shrunken value, weight and error; per group tau^2, mean and number of estimates.

    `se` is the standard error of the shrunken value, tau^2 and the mean being estimated too.
    `weight` is the share of an estimate's own value in its shrunken one. NaN where a group holds fewer than five
    estimates of known, positive variance, and for estimates that have none.
    """

    value: Array
    weight: Array
    tau2: Array
    mean: Array
    size: Indices
    se: Array


def shrink(values: ArrayLike, variances: ArrayLike, groups: ArrayLike | None = None) -> Pooled:
    """Return every estimate pulled towards the mean of its group, the more the less certain it is (METHODS d5).

    theta* = mu + tau^2 / (tau^2 + v) x (theta - mu), tau^2 by Paule & Mandel 1982 (Morris 1983 for the estimate).
    tau^2 = 0 says that the segments do not differ detectably: all shrink to one value.

    Args:
        values: estimates [n].
        variances: their variances [n].
        groups: the number of each estimate's group [n], from 0 on; None: one group.

    >>> shrink([0.0, 0.0, 0.0, 0.0, 5.0], [1.0] * 5).value.round(2)
    array([0.2, 0.2, 0.2, 0.2, 4.2])
    """
    theta, variance = floats(values), floats(variances)
    group = np.zeros(theta.shape, np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
    usable = np.isfinite(theta) & np.isfinite(variance) & (variance > 0)
    size = np.bincount(group[usable], minlength=int(group.max(initial=0)) + 1).astype(np.int64)
    enough = size >= LEAST_SEGMENTS
    own = usable & enough[group]
    tau2, mean = _paule_mandel(theta[own], variance[own], group[own], size)
    tau2, mean = only(tau2, enough), only(mean, enough)
    weight = only(ratio(tau2[group], tau2[group] + variance), own)
    apart = theta - mean[group]
    se = np.sqrt(_variance(variance, weight, apart, (tau2, group, size, own)))
    return Pooled(mean[group] + weight * apart, weight, tau2, mean, size, se)


def _variance(variance: Array, weight: Array, apart: Array, groups: tuple[Array, Indices, Indices, Flags]) -> Array:
    """Return the variance of shrunken values with tau^2 and the mean estimated (Morris 1983, JASA 78, 47-55).

    v (1 - (k - 1) / k x B) + 2 / (k - 3) x B^2 x (v' + tau^2) / (v + tau^2) x (theta - mu)^2, B = 1 - weight, v' the
    variances' mean, weighted by 1 / (v + tau^2).
    """
    tau2, group, size, own = groups
    total = only(variance + tau2[group], own)
    sums = [np.bincount(group[own], weights=terms[own], minlength=len(size)) for terms in (1 / total, variance / total)]
    mean = ratio(sums[1], sums[0])[group]
    k, pulled = floats(np.maximum(size, 1))[group], 1 - weight
    known = variance * (1 - (k - 1) / k * pulled)
    return known + 2 / np.maximum(k - 3, 1) * pulled**2 * ratio(mean + tau2[group], total) * apart**2


def _paule_mandel(theta: Array, variance: Array, group: Indices, size: Indices) -> tuple[Array, Array]:
    """Return tau^2 and the weighted mean of every group: the tau^2 at which weighted squares equal k - 1, or 0.

    Newton's steps from 0 rise to the root, because the weighted squares fall and are convex in tau^2.
    """

    def sums(terms: Array) -> Array:
        return floats(np.bincount(group, weights=terms, minlength=len(size)))

    tau2 = np.zeros(len(size))
    mean = tau2
    for _ in range(_ROUNDS):
        weight = 1 / (variance + tau2[group])
        mean = ratio(sums(weight * theta), sums(weight))
        squares = weight * (theta - mean[group]) ** 2
        excess = sums(squares) - (size - 1)
        step = np.where(excess > 0, np.nan_to_num(ratio(excess, sums(weight * squares))), 0.0)
        tau2 = tau2 + step
        if (step <= 1e-12 * tau2).all():
            break
    return tau2, mean

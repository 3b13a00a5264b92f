"""Estimates of many segments with their variances in, estimates pulled towards the group's mean out (empirical Bayes)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Indices, floats, only, or_zero, ratio

LEAST_SEGMENTS = 5
_ROUNDS = 200
_GRID = 100


class Pooled(NamedTuple):
    """What pooling says: per estimate its shrunken value, weight and error; per group tau^2, mean and number of estimates.

    `weight` is the share of an estimate's own value in its shrunken one. NaN where a group holds fewer than five
    estimates of known, positive variance, and for estimates that have none.
    """

    value: Array
    weight: Array
    tau2: Array
    mean: Array
    size: Indices


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
    return Pooled(mean[group] + weight * (theta - mean[group]), weight, tau2, mean, size)


def errors(values: ArrayLike, variances: ArrayLike, pooled: Pooled) -> Array:
    """Return the standard errors of the shrunken values of one group [n]: value -+ 1.96 errors holds the truth.

    One tau^2 taken for the truth makes them too short (92% of intervals hold it, not 95%). So tau^2 and the mean have a
    flat prior (Morris and Lysy 2012, Statistical Science 27, 115-134), which is integrated over a grid; the posterior's
    second moment around the shrunken value is the squared error. NaN where there is no shrunken value.

    >>> values, variances = [0.0, 0.0, 0.0, 0.0, 5.0], [1.0] * 5
    >>> errors(values, variances, shrink(values, variances)).round(2)
    array([0.97, 0.97, 0.97, 0.97, 1.11])
    """
    theta, variance = floats(values), floats(variances)
    own = np.isfinite(pooled.weight)
    found = np.full(theta.shape, np.nan)
    if own.any():
        mean, spread = _posterior(theta[own], variance[own])
        found[own] = np.sqrt(spread + (mean - pooled.value[own]) ** 2)
    return found


def _posterior(theta: Array, variance: Array) -> tuple[Array, Array]:
    """Return mean and variance of every true value, tau^2 and mu having flat priors.

    The grid is even in tau^2 / (tau^2 + v) for the median v: it reaches from no difference to nothing shared.
    """
    usual = float(np.median(variance))
    part = (np.arange(_GRID) + 0.5) / _GRID
    tau2 = usual * part / (1 - part)
    weight = 1 / (variance[:, None] + tau2)
    total = weight.sum(0)
    mu = (weight * theta[:, None]).sum(0) / total
    squares = (weight * (theta[:, None] - mu) ** 2).sum(0)
    # The last term is how much of tau^2 a step of the grid stands for.
    log = (np.log(weight).sum(0) - np.log(total) - squares) / 2 - 2 * np.log(1 - part)
    chance = np.exp(log - log.max())
    chance /= chance.sum()
    pull = variance[:, None] * weight
    middle = theta[:, None] + pull * (mu - theta[:, None])
    within = variance[:, None] * (1 - pull) + pull**2 / total
    mean = (chance * middle).sum(1)
    return mean, (chance * (within + (middle - mean[:, None]) ** 2)).sum(1)


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
        step = np.where(excess > 0, or_zero(ratio(excess, sums(weight * squares))), 0.0)
        tau2 = tau2 + step
        if (step <= 1e-12 * tau2).all():
            break
    return tau2, mean

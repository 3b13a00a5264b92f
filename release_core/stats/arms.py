"""Sums of two arms by ramp step and entity shard in, their difference and its standard error out.

Axes at the end: ramp step, arm (baseline, candidate), shard; any leading axes (segment, look). An entity is in one
shard and, unless it is contaminated and left out, in one arm, so the arms are independent (RELEASE.md B.4).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from release_core.stats.arrays import Array, floats, only, ratio
from release_core.stats.intervals import MIN_SHARDS

BASELINE, CANDIDATE = 0, 1


class Arms(NamedTuple):
    """What two arms show: the level of each [..., arm], candidate - baseline [...], and what they rest on.

    `se` and `n` (entities) are [..., arm or difference], the difference last.
    """

    levels: Array
    value: Array
    se: Array
    n: Array


def between(numerator: ArrayLike, denominator: ArrayLike, entities: ArrayLike) -> Arms:
    """Return the arms' difference of a ratio of sums, stratified by ramp step; see `stratified`.

    Args:
        numerator: [..., ramp step, arm, shard], for example approved events.
        denominator: the same shape, for example all events.
        entities: [..., ramp step, arm] entities that entered.
    """
    top, bottom = floats(numerator), floats(denominator)
    every, whole = top.sum(axis=-1), bottom.sum(axis=-1)
    left = ratio(every[..., None] - top, whole[..., None] - bottom)
    return stratified(ratio(every, whole), left, bottom != 0, entities)


def stratified(level: ArrayLike, left: ArrayLike, used: ArrayLike, entities: ArrayLike) -> Arms:
    """Return the arms' difference of any statistic, compared within ramp steps and then averaged.

    Within a ramp step d_k is the difference of the levels and s_k its delete-a-shard jackknife standard error; the
    steps weigh w_k ~ n_t n_c / (n_t + n_c) in entities, so that a step at which one arm is nearly empty says little and
    a rate that moves between steps moves nothing (RELEASE.md B.4). Steps in which an arm says nothing are left out.

    Args:
        level: [..., ramp step, arm] the statistic.
        left: [..., ramp step, arm, shard] the statistic without each shard.
        used: the same shape: whether the shard holds anything.
        entities: [..., ramp step, arm] entities that entered.

    Returns: NaN where no ramp step speaks of both arms, standard errors also where fewer than 20 shards of an arm do.
    """
    each, size = floats(level), floats(entities)
    variance = _jackknifed(each, floats(left), np.asarray(used, dtype=bool))
    harmonic = ratio(size[..., 0] * size[..., 1], size.sum(axis=-1))
    usable = np.isfinite(each).all(axis=-1) & (np.nan_to_num(harmonic) > 0)
    weight = np.where(usable, harmonic, 0.0)
    weight = ratio(weight, weight.sum(axis=-1, keepdims=True))[..., None]
    spread = (weight**2 * np.where(usable[..., None], variance, 0.0)).sum(axis=-2)
    n = np.where(usable[..., None], size, 0.0).sum(axis=-2)
    levels = (weight * np.where(usable[..., None], each, 0.0)).sum(axis=-2)
    return Arms(
        levels,
        levels[..., 1] - levels[..., 0],
        np.sqrt(np.concatenate([spread, spread.sum(axis=-1, keepdims=True)], axis=-1)),
        np.concatenate([n, n.sum(axis=-1, keepdims=True)], axis=-1),
    )


def _jackknifed(level: Array, left: Array, used: Array) -> Array:
    """Return the delete-a-shard jackknife variance of each arm's level, [..., ramp step, arm]."""
    shards = used.sum(axis=-1)
    moved = np.where(used & np.isfinite(left), left - level[..., None], 0.0)
    centre = ratio(moved.sum(axis=-1), shards)
    squares = np.where(used, (moved - centre[..., None]) ** 2, 0.0).sum(axis=-1)
    return np.where(shards >= MIN_SHARDS, squares * ratio(shards - 1, shards), np.nan)


class Covariate(NamedTuple):
    """Sums over entities of a covariate fixed before treatment, [..., ramp step, arm, shard]: count, X, X^2, X Y."""

    n: Array
    x: Array
    xx: Array
    xy: Array


def adjusted(y: ArrayLike, covariate: Covariate) -> Array:
    """Return the sums of Y less what the covariate foretells: Y - theta (X - mean X), same shape as `y` (CUPED).

    theta = cov(Y, X) / var(X), pooled over arms, ramp steps and shards; X must be fixed before treatment, such as the
    baseline score of an entity's first event (Deng et al. 2013; RELEASE.md B.6). Unchanged where X does not vary.
    """
    return floats(y) - slope(y, covariate)[..., None, None, None] * foretold(covariate)


def slope(y: ArrayLike, covariate: Covariate) -> Array:
    """Return [...] by how much Y rises with X over entities: theta of `adjusted`; 0 where X does not vary, NaN if unknown."""
    total = floats(y)
    axes = (-3, -2, -1)
    n, x = covariate.n.sum(axis=axes), covariate.x.sum(axis=axes)
    mean_x, mean_y = ratio(x, n), ratio(total.sum(axis=axes), n)
    variance = ratio(covariate.xx.sum(axis=axes), n) - mean_x**2
    together = ratio(covariate.xy.sum(axis=axes), n) - mean_x * mean_y
    varies = variance > 1e-12 * np.maximum(mean_x**2, 1e-300)
    known = ~np.isnan(x + mean_y * n + covariate.xx.sum(axis=axes) + covariate.xy.sum(axis=axes)) | (n == 0)
    return only(np.where(varies, together / np.where(varies, variance, 1.0), 0.0), known)


def foretold(covariate: Covariate) -> Array:
    """Return the sums of X less its mean, [..., ramp step, arm, shard]: 0 over all of them together."""
    axes = (-3, -2, -1)
    n = covariate.n.sum(axis=axes)
    mean = np.where(n == 0, 0.0, ratio(covariate.x.sum(axis=axes), n))
    return np.asarray(covariate.x - covariate.n * mean[..., None, None, None])


def balanced(covariate: Covariate, p_least: float = 0.0005) -> Array:
    """Return [...] whether the covariate is alike in both arms; where it is not, adjusting by it is off.

    A two-sided normal test of equal means per ramp step, added up to a chi-squared with one degree of freedom a step;
    unbalanced at p below `p_least`. True where there is nothing to compare.
    """
    n, x, xx = (part.sum(axis=-1) for part in (covariate.n, covariate.x, covariate.xx))
    mean = ratio(x, n)
    variance = ratio(ratio(xx, n) - mean**2, n)
    z2 = ratio((mean[..., 1] - mean[..., 0]) ** 2, variance.sum(axis=-1))
    told = np.isfinite(z2)
    p = chdtrc(np.maximum(told.sum(axis=-1), 1), np.where(told, z2, 0.0).sum(axis=-1))
    return np.asarray(p >= p_least)


def split_p(entities: ArrayLike, share: ArrayLike) -> Array:
    """Return the p-value of a fixed-look sample-ratio test, [...] over ramp steps: Pearson's chi-squared.

    `entities`, `share` [..., ramp step, arm]. NaN where an expected count is below 5, or a number is not known; steps without
    entities do not count. For a test that is read often use `sequential.split_evidence`.
    """
    x, p = np.broadcast_arrays(floats(entities), floats(share))
    expected = p * x.sum(axis=-1, keepdims=True)
    used = x.sum(axis=-1) > 0
    squares = np.where(used, ratio((x - expected) ** 2, expected).sum(axis=-1), 0.0).sum(axis=-1)
    enough = (np.where(used[..., None], expected, np.inf) >= 5).all(axis=(-2, -1)) & used.any(axis=-1)
    p_value = chdtrc(np.maximum(used.sum(axis=-1), 1), np.nan_to_num(squares))
    return only(p_value, enough & ~np.isnan(x.sum(axis=(-2, -1))))

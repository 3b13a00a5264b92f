"""Counts by age and lag in; the number that will finally be known out, with its uncertainty: chain ladder.

A table [..., age, lag] holds what came `lag` steps after its event, by the age of the event at the as-of in the same
steps (0 = newest). Only lags up to the age are read. Reversals are negative counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv

from release_core.stats.arrays import Array, Flags, above, below, floats, only, ratio
from release_core.stats.delay import product_after, risk_sets
from release_core.stats.intervals import Interval, interval

LEAST_AT_RISK = 10


class Ladder(NamedTuple):
    """How labels come in, per lag [..., lag]: the share known by then, and the `seen` of `at_risk` behind each step.

    `share` is conditional on a lag of at most the last one with enough at risk, the `horizon` (-1: there is none): 1
    from there on, NaN where a later step cannot be told. `source` is the number of the table from which each step was
    taken; -1: from none.
    """

    share: Array
    seen: Array
    at_risk: Array
    source: Array
    horizon: Array


class Outlook(NamedTuple):
    """What is still to come of what has happened: its mean and the variance of its prediction error."""

    mean: Array
    variance: Array


class Mack(NamedTuple):
    """Chain ladder after Mack 1993, per age [age]: latest, ultimate and its standard error; and of the sum of all."""

    latest: Array
    ultimate: Array
    se: Array
    total_se: Array


def ladder(tables: Sequence[ArrayLike], least: float = LEAST_AT_RISK) -> Ladder:
    """Return the ladder of the first table; a step with fewer than `least` at risk there is taken from the next.

    The share known by lag u is the product over later lags of 1 - seen / at risk: the chain ladder's link ratios,
    which are the reverse-time product limit (METHODS f2, f3).

    >>> ladder([[[4, 0], [3, 1]]], least=1).share
    array([0.75, 1.  ])
    """
    found = [risk_sets(floats(table)) for table in tables]
    seen, at_risk = found[0]
    source = np.where(at_risk >= least, 0.0, -1.0)
    for number, (other_seen, other_risk) in enumerate(found[1:], 1):
        take = (source < 0) & (other_risk >= least)
        seen, at_risk = np.where(take, other_seen, seen), np.where(take, other_risk, at_risk)
        source = np.where(take, number, source)
    lags = np.arange(source.shape[-1])
    horizon = np.where(source >= 0, lags, -1).max(-1)
    within = lags <= horizon[..., None]
    hazard = np.where(within, np.where(source >= 0, ratio(seen, at_risk), np.nan), 0.0)
    share = only(product_after(1 - hazard), horizon[..., None] >= 0)
    told = source >= 0
    return Ladder(share, np.where(told, seen, 0.0), np.where(told, at_risk, 0.0), source, horizon)


def link_variance(steps: Ladder) -> Array:
    """Return per lag the variance of the log of 1 - hazard (Greenwood); 0 where nothing came or nothing is left."""
    left = steps.at_risk * (steps.at_risk - steps.seen)
    return np.where(left > 0, np.abs(ratio(steps.seen, left)), 0.0)


def over_dispersion(table: ArrayLike) -> Array:
    """Return Pearson's chi-square of the fitted triangle over its degrees of freedom, at least 1 (METHODS f3).

    Equals the scale of a Poisson regression with age and lag as factors. 1 where no degree of freedom is left; NaN where a
    count is not known.

    >>> over_dispersion([[4, 0], [3, 1]]).item()
    1.0
    """
    counts, expected, visible = _fitted(floats(table))
    squares = np.where(expected > 0, ratio((counts - expected) ** 2, expected), 0.0).sum((-2, -1))
    cells = visible & (expected > 0)
    df = cells.sum((-2, -1)) - cells.any(-1).sum(-1) - cells.any(-2).sum(-1) + 1
    scale = np.where(df > 0, np.maximum(ratio(squares, np.maximum(df, 1)), 1.0), 1.0)
    return only(scale, ~np.isnan(counts.sum((-2, -1))))


def _fitted(table: Array) -> tuple[Array, Array, Flags]:
    """Return the visible counts, what the ladder expects there given each row's sum, and which cells are visible."""
    ages = np.arange(table.shape[-2])
    visible = ages[:, None] >= np.arange(table.shape[-1])
    counts = np.where(visible, table, 0.0)
    share = np.nan_to_num(ladder([table], least=1e-9).share)
    reached = np.take_along_axis(
        share, np.broadcast_to(np.minimum(ages, table.shape[-1] - 1), share.shape[:-1] + ages.shape), -1
    )
    final = np.nan_to_num(ratio(counts.sum(-1), reached))
    step = np.diff(share, axis=-1, prepend=0.0)
    return counts, np.where(visible, final[..., None] * np.maximum(step, 0.0)[..., None, :], 0.0), visible


def outlook(latest: ArrayLike, steps: Ladder, dispersion: ArrayLike = 1.0, use: Flags | None = None) -> Outlook:
    """Return what is still to come of all ages of `use` (None: all) together, from what is known of each, `latest` [..., age].

    Mean: sum of latest x (1 / share - 1). Variance: over-dispersed Poisson, process and estimation error together
    (England and Verrall 2002), which for the chain ladder is closed: dispersion x (sum of latest x (1 - share) /
    share^2 + sum over lags of (final count of all younger ages)^2 x Greenwood's term). Ages beyond the ladder are
    taken as complete. NaN where the ladder is empty.

    >>> outlook([3, 4], ladder([[[3, 0], [3, 1]]], least=1)).mean.item()
    1.0
    """
    counted = np.ones(np.shape(latest), dtype=bool) if use is None else use
    share = np.where(counted, at_ages(steps, np.shape(latest)[-1]), 1.0)
    known = np.where(counted, floats(latest), 0.0)
    final = ratio(known, share)
    process = ratio(known * (1 - share), share**2).sum(-1)
    estimation = (younger(final, steps.share.shape[-1]) ** 2 * link_variance(steps)).sum(-1)
    return Outlook((final - known).sum(-1), floats(dispersion) * (np.abs(process) + estimation))


def younger(values: Array, lags: int) -> Array:
    """Return per lag the sum of the values [..., age] of all ages below it."""
    ages = values.shape[-1]
    padded = np.concatenate([values, np.zeros((*values.shape[:-1], max(lags - ages, 0)))], axis=-1)
    return below(padded)[..., :lags]


def at_ages(steps: Ladder, ages: int) -> Array:
    """Return the share known at each age [..., age]; beyond the ladder's lags as at its last.

    >>> at_ages(ladder([[[4, 0], [3, 1]]], least=1), 3)
    array([0.75, 1.  , 1.  ])
    """
    share = steps.share
    beyond = np.repeat(share[..., -1:], max(ages - share.shape[-1], 0), axis=-1)
    return np.concatenate([share, beyond], axis=-1)[..., :ages]


def predicted(known: ArrayLike, to_come: Outlook, confidence: float = 0.95) -> Interval:
    """Return the interval of the final count, rounded outwards to whole numbers and never below what is known.

    What is to come is taken as gamma with half a count added to mean and variance, as Jeffreys' prior does for a
    Poisson count; normal where reversals leave a negative mean.

    >>> [bound.item() for bound in predicted(100, Outlook(np.array(0.0), np.array(0.0)))]
    [100.0, 103.0]
    """
    base, tail = floats(known), (1 - confidence) / 2
    mean, variance = to_come.mean + 0.5, to_come.variance + 0.5
    safe = np.where(mean > 0, mean, 1.0)
    shape, scale = safe**2 / variance, variance / safe
    gamma = [gammaincinv(shape, p) * scale for p in (tail, 1 - tail)]
    normal = interval(to_come.mean, np.sqrt(variance), confidence=confidence)
    low, high = (np.where(to_come.mean >= 0, a, b) for a, b in zip(gamma, normal, strict=True))
    return Interval(base + np.floor(low), base + np.ceil(high))


def pace(table: ArrayLike, last: int = 3) -> Array:
    """Return how far the last as-of steps lie from the ladder, in standard errors: negative where labels came slower.

    0 unless all of the last `last` diagonals lie on the same side (METHODS f3): a backlog, or a new way of reporting. NaN
    where a count is not known.
    """
    counts, expected, _ = _fitted(floats(table))
    ages, lags = counts.shape[-2:]
    # A cell of age a and lag u was filled a - u steps ago.
    ago = np.arange(ages)[:, None] - np.arange(lags)
    gap = np.stack([np.where(ago == n, counts - expected, 0.0).sum((-2, -1)) for n in range(last)])
    spread = np.where((ago >= 0) & (ago < last), expected, 0.0).sum((-2, -1)) * over_dispersion(table)
    same = (np.sign(gap) == np.sign(gap[:1])).all(0)
    apart = np.where(same & (spread > 0), np.nan_to_num(ratio(gap.sum(0), np.sqrt(spread))), 0.0)
    return only(apart, ~np.isnan(counts.sum((-2, -1))))


def mack(table: ArrayLike) -> Mack:
    """Return the chain ladder with Mack's distribution-free standard errors (Mack 1993), for one table [age, lag].

    The last sigma^2 is Mack's min rule. Needs a square triangle; a link without anything at risk is 1 with no error. NaN
    where a count is not known.
    """
    counts = floats(table)
    size = min(counts.shape)
    visible = np.arange(size)[:, None] >= np.arange(size)
    paid = np.where(visible, np.cumsum(counts[:size, :size], axis=-1), 0.0)
    both = visible[:, 1:]
    base = np.where(both, paid[:, :-1], 0.0).sum(0)
    link = np.nan_to_num(ratio(np.where(both, paid[:, 1:], 0.0).sum(0), base), nan=1.0)
    sigma2 = _sigma2(paid, both, link)
    full = _completed(paid, link)
    # Each row's error from its latest cell on; see Mack's theorem and its corollary for the total.
    error = np.where(link > 0, sigma2 / np.where(link > 0, link, 1.0) ** 2, 0.0)
    future = ~both
    own = np.where(future, error * (np.nan_to_num(ratio(1.0, full[:, :-1])) + np.nan_to_num(ratio(1.0, base))), 0.0)
    shared = np.where(future, error * np.nan_to_num(ratio(1.0, base)), 0.0).sum(-1)
    final = full[:, -1]
    squares = final**2 * own.sum(-1)
    total = squares.sum() + (2 * final * above(final[::-1])[::-1] * shared).sum()
    parts = np.diagonal(paid), final, np.sqrt(squares), np.sqrt(total)
    return Mack(*(only(part, ~np.isnan(paid.sum())) for part in parts))


def _sigma2(paid: Array, both: Flags, link: Array) -> Array:
    before = np.where(both, paid[:, :-1], 0.0)
    apart = np.nan_to_num(ratio(paid[:, 1:], before)) - link
    df = (both & (before > 0)).sum(0) - 1
    sigma2 = np.where(df > 0, ratio((before * apart**2).sum(0), np.maximum(df, 1)), np.nan)
    for k in np.flatnonzero(np.isnan(sigma2)):
        one, two = (sigma2[k - 1], sigma2[k - 2]) if k >= 2 else (0.0, 0.0)
        sigma2[k] = min(one**2 / two, one, two) if two > 0 else 0.0
    return sigma2


def _completed(paid: Array, link: Array) -> Array:
    """Return the triangle filled with what the links predict from each row's latest cell."""
    full = paid.copy()
    for lag in range(1, len(full)):
        full[:lag, lag] = full[:lag, lag - 1] * link[lag - 1]
    return full

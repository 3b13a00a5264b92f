"""Counts by age and by delay in; how much of the final labels is known at an age out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, above, floats, only, ratio
from release_core.stats.decisions import share, wilson


class Maturity(NamedTuple):
    """A share at each age, [..., ages], its interval, and the number of events it rests on."""

    value: Array
    low: Array
    high: Array
    n: Array


def known_share(known: ArrayLike, events: ArrayLike, confidence: ArrayLike = 0.95) -> Maturity:
    """Return the share of events of each age whose label is known, with Wilson's interval; NaN at ages without events.

    >>> known_share([5, 0], [10, 0]).value
    array([0.5, nan])
    """
    low, high = wilson(known, events, confidence)
    return Maturity(share(known, events), low, high, np.broadcast_to(floats(events), low.shape))


def completeness(counts: ArrayLike, confidence: ArrayLike = 0.95) -> Maturity:
    """Return, for each delay u, the share F(u) of positives that are known within u: reverse-time product limit.

    `counts` [..., age, delay] are known positives by the age of their event at the as-of and by the delay of their
    label, in the same steps; only delay <= age can be seen. h(u) = #{delay = u} / #{delay <= u <= age} and
    F(u) = product over v > u of 1 - h(v) (Lagakos, Barraj and De Gruttola 1988; METHODS f2). So F is conditional on a
    delay of at most the oldest age seen, and is 1 there by construction: the tail beyond is not identified.
    The interval is Wilson's for the effective number of events that Greenwood's variance implies, and rises with the age
    as F does: what is sure at an age is sure later, too. `n` is the risk set.
    NaN above the last delay with a risk set, and below an empty one.

    >>> completeness([[4, 0], [3, 1]]).value
    array([0.75, 1.  ])
    """
    happened, at_risk = risk_sets(floats(counts))
    last = at_risk.shape[-1] - 1 - (at_risk > 0)[..., ::-1].argmax(axis=-1)[..., None]
    steps = np.arange(at_risk.shape[-1])
    hazard = np.where(steps > last, 0.0, ratio(happened, at_risk))
    value = only(product_after(1 - hazard), (steps <= last) & at_risk.any(axis=-1, keepdims=True))
    # Greenwood: var F = F^2 x sum d / (Y (Y - d)); the n of a binomial with that variance is F (1 - F) / var.
    spread = value * above(np.where(happened < at_risk, ratio(happened, at_risk * (at_risk - happened)), 0.0))
    certain = np.where(steps == last, at_risk, _least_after(np.where(steps <= last, at_risk, np.inf)))
    size = np.where(spread > 0, ratio(1 - value, spread), certain)
    low, high = wilson(value * size, size, confidence)
    low, high = np.where(steps == last, value, low), only(high, np.isfinite(value))
    rising = np.fmax.accumulate(low, axis=-1)
    falling = np.fmin.accumulate(high[..., ::-1], axis=-1)[..., ::-1]
    return Maturity(value, only(rising, np.isfinite(value)), only(falling, np.isfinite(value)), at_risk)


def risk_sets(table: Array) -> tuple[Array, Array]:
    """Return per delay u the positives with that delay, and those with delay <= u <= age, [..., delay] each.

    `table` [..., age, delay] as for `completeness`; only delays up to the age are counted.

    >>> risk_sets(np.array([[4.0, 9.0], [3.0, 1.0]]))
    (array([7., 1.]), array([7., 4.]))
    """
    filled = _reached(table)
    ages, delays = filled.shape[-2:]
    visible = np.arange(ages)[:, None] >= np.arange(delays)
    seen = np.where(visible, filled, 0.0)
    known = np.where(visible, np.cumsum(seen, axis=-1), 0.0)
    found = np.zeros((2, *table.shape[:-2], table.shape[-1]))
    found[0, ..., :delays], found[1, ..., :delays] = seen.sum(axis=-2), known.sum(axis=-2)
    return found[0], found[1]


def _reached(table: Array) -> Array:
    """Return the table without the ages older than any with a count, and the delays that none has reached.

    >>> _reached(np.array([[4.0, 9.0, 0.0], [3.0, 1.0, 0.0], [0.0, 0.0, 0.0]])).shape
    (2, 2)
    """
    ages = np.flatnonzero(table.any(axis=(*range(table.ndim - 2), -1)))
    size = int(ages[-1]) + 1 if ages.size else 1
    return table[..., :size, :size]


def _least_after(sizes: Array) -> Array:
    """Return the smallest risk set after each delay: all that an F of exactly 0 or 1 rests on; NaN for none."""
    least = np.minimum.accumulate(sizes[..., ::-1], axis=-1)[..., ::-1]
    after = np.concatenate([least[..., 1:], np.full((*sizes.shape[:-1], 1), np.inf)], axis=-1)
    return only(after, np.isfinite(after))


def product_after(factors: Array) -> Array:
    """Return for every entry the product of the entries after it; 1 for the last."""
    ones = np.ones((*factors.shape[:-1], 1))
    return np.cumprod(np.concatenate([ones, factors[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]

"""Counts per bin in, quantiles with order-statistic intervals out: for latencies, which no score grid holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtrik, ndtri

from release_core.stats.arrays import Array, Indices, floats, only, ratio

# From this many observations on the binomial's quantile is taken from its normal limit with a continuity correction.
_EXACT = 100_000


class Quantile(NamedTuple):
    """A quantile and its interval; a bound is infinite (0 below) where too few observations lie beyond it."""

    value: Array
    low: Array
    high: Array


def quantile(counts: ArrayLike, edges: ArrayLike, p: float) -> Array:
    """Return the quantile `p` of counts [..., bin] between `edges` [bin + 1]; NaN without observations.

    Observations are taken to lie evenly (in the logarithm, where both edges are positive and finite) over their bin,
    so the error is below a bin's width.

    >>> quantile([1, 2, 1], [1.0, 2.0, 4.0, 8.0], 0.5).round(4).item()
    2.8284
    """
    n = floats(counts).sum(axis=-1)
    return _at(floats(counts), floats(edges), p * n)


def interval(
    counts: ArrayLike,
    edges: ArrayLike,
    p: float,
    confidence: ArrayLike = 0.95,
    sides: int = 2,
    effect: ArrayLike = 1.0,
) -> Quantile:
    """Return the quantile with its order-statistic interval: the ranks between which binomial luck may put it.

    Lower rank l and upper rank u are the tail quantiles of Binomial(n, p), as for the sign test (Hahn and Meeker 1991,
    5.2); with `effect`, the design effect, n counts as n / effect observations. Distribution-free but for the bins.

    >>> [part.round(1).item() for part in interval(np.ones(100), np.arange(1.0, 102.0), 0.5)]
    [51.0, 40.5, 61.5]
    """
    cells, bounds = floats(counts), floats(edges)
    n = cells.sum(axis=-1)
    size, tail = n / floats(effect), (1 - floats(confidence)) / sides
    low = _rank(size, p, np.broadcast_to(tail, size.shape))
    high = size + 1 - _rank(size, 1 - p, np.broadcast_to(tail, size.shape))
    # Ranks of the effective observations, as positions among the real ones: rank r lies at (r - 1/2) / size.
    lower = only(_at(cells, bounds, ratio(low - 0.5, size) * n), n > 0)
    upper = only(_at(cells, bounds, ratio(high - 0.5, size) * n), n > 0)
    return Quantile(
        quantile(cells, bounds, p),
        np.where((low < 1) & (n > 0), 0.0, lower),
        np.where((high > size) & (n > 0), np.inf, upper),
    )


def share_above(counts: ArrayLike, edges: ArrayLike, limit: ArrayLike) -> Array:
    """Return how many of the observations [..., bin] lie above `limit` [...], a part of its own bin included."""
    cells, bounds = floats(counts), floats(edges)
    below = np.concatenate([np.zeros((*cells.shape[:-1], 1)), np.cumsum(cells, axis=-1)], axis=-1)
    place = np.clip(np.searchsorted(bounds, limit, side="right") - 1, 0, cells.shape[-1] - 1)
    inside = _part(bounds, place, floats(limit))
    at = np.take_along_axis(below, place[..., None], -1)[..., 0]
    mine = np.take_along_axis(cells, place[..., None], -1)[..., 0]
    return below[..., -1] - at - mine * inside


def _rank(n: Array, p: float, tail: Array) -> Array:
    """Return the largest rank l with P(Binomial(n, p) < l) <= tail; below 1 there is none."""
    few = np.where(n > 0, np.minimum(n, _EXACT), 1.0)
    exact = np.ceil(bdtrik(tail, few, p) - 1e-9)
    limit = np.ceil(n * p + ndtri(tail) * np.sqrt(n * p * (1 - p)) - 0.5)
    return np.where(np.isfinite(exact) & (n <= _EXACT), exact, limit)


def _at(cells: Array, edges: Array, position: Array) -> Array:
    """Return the value below which `position` [...] of the observations lie."""
    cumulated = np.cumsum(cells, axis=-1)
    n = cumulated[..., -1]
    wanted = np.clip(position, 0.0, n)
    place = np.minimum((cumulated < wanted[..., None] - 1e-9).sum(axis=-1), cells.shape[-1] - 1)
    before = np.take_along_axis(cumulated - cells, place[..., None], -1)[..., 0]
    share = np.clip(ratio(wanted - before, np.take_along_axis(cells, place[..., None], -1)[..., 0]), 0.0, 1.0)
    share = np.nan_to_num(share)
    low, high = edges[place], edges[place + 1]
    low = np.where(low > 0, low, np.minimum(high, 1.0) / 2)
    high = np.where(np.isfinite(high), high, low)
    return only(low * (high / low) ** share, n > 0)


def _part(edges: Array, place: Indices, limit: Array) -> Array:
    """Return which part of its bin lies below `limit`, in the logarithm."""
    low, high = edges[place], edges[place + 1]
    safe = np.where(low > 0, low, np.minimum(high, 1.0) / 2)
    inside = np.isfinite(high) & (limit > safe)
    share = np.log(np.where(inside, limit / safe, 1.0)) / np.log(np.where(np.isfinite(high), high / safe, 2.0))
    return np.clip(share, 0.0, 1.0)

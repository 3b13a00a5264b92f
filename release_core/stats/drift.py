"""Counts per bin of a reference and of a current score distribution in, [..., B]; distances and shifts out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, xlogy

from release_core.stats.arrays import Array, Indices, at_or_above, floats, only, ratio

_SMOOTHING = 0.5
_WHOLE = 1e-9


class Psi(NamedTuple):
    """Population stability index, its parts per group [..., groups], and what chance alone would give.

    `net` is max(0, total - null_mean). `null_mean` and `null_high` (95% quantile) hold for independent samples; on
    paired events they are too large. A group that the snapping emptied has NaN shares and part.
    """

    total: Array
    part: Array
    reference: Array
    current: Array
    groups: Array
    null_mean: Array
    null_high: Array
    net: Array


class Transfer(NamedTuple):
    """A cutoff that keeps an alert rate: the lowest bin edge, the highest with the same alerts, and the rate there."""

    bin: Indices
    bin_high: Indices
    achieved: Array


def quantile_groups(reference: ArrayLike, groups: int = 10) -> Indices:
    """Return the inner group edges [..., groups - 1]: the bin edges that are nearest to the reference's quantiles.

    Fixed once per reference and stored (METHODS c1). An edge that repeats another, or that would leave a group of the
    reference empty, is B: no bin lies above it, and `psi` does not count its group.

    >>> quantile_groups([4, 0, 4, 2], groups=2)
    array([1])
    """
    counts = floats(reference)
    before, total = np.cumsum(counts, axis=-1), counts.sum(axis=-1, keepdims=True)
    targets = total * np.arange(1, groups) / groups
    nearest = np.abs(before[..., None, :] - targets[..., :, None]).argmin(axis=-1)
    beneath = np.take_along_axis(before, nearest, axis=-1)
    repeated = np.zeros(nearest.shape, dtype=bool)
    repeated[..., 1:] = nearest[..., 1:] == nearest[..., :-1]
    useless = repeated | (beneath == 0) | (beneath == total)
    return np.sort(np.where(useless, counts.shape[-1], nearest + 1), axis=-1)


def fixed_groups(edges: ArrayLike, lower: ArrayLike) -> Indices:
    """Return the inner group edges [groups - 1] of bins with these lower edges [B], from edges that were fixed before.

    A coarser bin that an edge falls into belongs to the group below. Edges that part no bins here are B, as above.

    >>> fixed_groups([0.1, 0.25, 0.9], [0.0, 0.1, 0.2, 0.3])
    array([1, 3, 4])
    """
    bins = floats(lower)
    # Edges are bin edges of the finest grid, written as decimals: the same edge must be found again.
    found = np.searchsorted(bins, floats(edges) * (1 - _WHOLE))
    repeated = np.zeros(found.shape, dtype=bool)
    repeated[1:] = found[1:] == found[:-1]
    return np.sort(np.where((found == 0) | repeated, len(bins), found))


def psi(reference: ArrayLike, current: ArrayLike, inner: ArrayLike) -> Psi:
    """Return the population stability index between two samples in the groups that `inner` edges make (METHODS c1).

    Sum of (a - e) ln(a / e) with shares (n_i + 0.5) / (n + 0.5 G), a current and e reference; NaN where a sample is
    empty. Flag drift only on total > null_high and net > 0.1.

    >>> psi([50, 50], [70, 30], [1]).total.round(4).item()
    0.1659
    """
    old, new = np.broadcast_arrays(floats(reference), floats(current))
    starts = np.asarray(inner, dtype=np.int64)
    starts = np.broadcast_to(starts, (*old.shape[:-1], starts.shape[-1]))
    starts = np.concatenate([np.zeros((*old.shape[:-1], 1), dtype=np.int64), starts], axis=-1)
    live = starts < old.shape[-1]
    groups = live.sum(axis=-1).astype(np.float64)
    n, m = old.sum(axis=-1), new.sum(axis=-1)
    known = (n > 0) & (m > 0)
    e, a = (only(_smoothed(counts, starts, groups), live & known[..., None]) for counts in (old, new))
    part = (a - e) * np.log(a / e)
    total = only(np.where(live, part, 0.0).sum(axis=-1), known)
    unit = only(ratio(1.0, n) + ratio(1.0, m), known)
    high = np.where(groups > 1, chdtri(np.maximum(groups - 1, 1), 0.05), 0.0)
    mean = (groups - 1) * unit
    return Psi(total, part, e, a, groups, mean, high * unit, np.maximum(total - mean, 0.0))


def ks_drift(reference: ArrayLike, current: ArrayLike) -> Array:
    """Return max |F - G| over the bin edges, the Kolmogorov-Smirnov distance; NaN where a sample is empty.

    >>> ks_drift([1, 1], [3, 1]).item()
    0.25
    """
    return floats(np.abs(_cumulative_gap(reference, current)).max(axis=-1))


def wasserstein(reference: ArrayLike, current: ArrayLike, positions: ArrayLike) -> Array:
    """Return by how far scores moved on average (earth mover's distance), each bin's events at its position [B].

    With `grid.log_odds` the unit is log-odds; NaN where a sample is empty.

    >>> wasserstein([1, 1], [0, 2], [0.0, 0.5]).item()
    0.25
    """
    gap = np.abs(_cumulative_gap(reference, current))[..., :-1]
    return floats(np.einsum("...b,b->...", gap, np.diff(floats(positions))))


def jensen_shannon(reference: ArrayLike, current: ArrayLike) -> Array:
    """Return the Jensen-Shannon distance, base 2, in [0, 1]: the square root of the divergence; NaN for an empty one.

    >>> jensen_shannon([1, 0], [0, 1]).item()
    1.0
    """
    e, a = _shares(reference), _shares(current)
    middle = (e + a) / 2
    divergence = sum(xlogy(part, ratio(part, middle)).sum(axis=-1, where=part != 0) for part in (e, a))
    return floats(np.sqrt(np.maximum(divergence / (2 * np.log(2)), 0.0)))


def mass_near(counts: ArrayLike, positions: ArrayLike, at: ArrayLike, reach: float = 0.25) -> Array:
    """Return the share of events whose bin lies within `reach` of `at` on the axis of `positions` [B] (METHODS c3).

    >>> mass_near([1, 2, 1], [-1.0, 0.0, 1.0], 0.1).item()
    0.5
    """
    near = np.abs(floats(positions) - floats(at)[..., None]) < reach
    values = floats(counts)
    return ratio(np.where(near, values, 0.0).sum(axis=-1), values.sum(axis=-1))


def quantile(counts: ArrayLike, probability: ArrayLike) -> Indices:
    """Return the bin of the quantile without interpolation: the first at which the share of events reaches it.

    Of one distribution per leading axis, at one probability; -1 for an empty one.

    >>> quantile([5, 3, 0, 2], 0.8).item(), quantile([5, 3, 0, 2], 0.81).item()
    (1, 3)
    """
    cumulative = np.cumsum(floats(counts), axis=-1)
    total = cumulative[..., -1:]
    reached = cumulative >= floats(probability) * total - _WHOLE
    return np.where(total[..., 0] > 0, (reached & (cumulative > 0)).argmax(axis=-1), -1).astype(np.int64)


def density(counts: ArrayLike, at: int, reach: int = 4) -> Array:
    """Return the events per bin around the bin edge `at`: the mean of `reach` bins on either side (METHODS c3).

    Times the bins per unit it is by how many events an alert grows when all scores rise by one unit.

    >>> density([0, 4, 8, 0], 2, reach=1).item()
    6.0
    """
    values = floats(counts)
    near = values[..., max(at - reach, 0) : at + reach]
    return floats(near.sum(axis=-1) / (2 * reach))


def equal_alert_rate(counts: ArrayLike, rate: ArrayLike) -> Transfer:
    """Return the lowest bin edge whose alert rate is at most `rate` (METHODS c5); B is alert none.

    With few or tied scores the wanted rate cannot be reached: compare `achieved`. Without events, or where
    their number is not known, the bin is -1 and the rate NaN.

    >>> equal_alert_rate([5, 3, 0, 2], 0.25)
    Transfer(bin=array(2), bin_high=array(3), achieved=array(0.2))
    """
    alerts = at_or_above(counts)
    total = alerts[..., 0]
    allowed = np.floor(floats(rate) * total + _WHOLE)
    first = (alerts <= allowed[..., None]).argmax(axis=-1)
    there = np.take_along_axis(alerts, first[..., None], axis=-1)
    last = (alerts >= there).sum(axis=-1) - 1
    missing = ~(total > 0)
    achieved = ratio(there[..., 0], total)
    return Transfer(np.where(missing, -1, first), np.where(missing, -1, last), achieved)


def _smoothed(counts: Array, starts: Indices, groups: Array) -> Array:
    from_start = np.take_along_axis(at_or_above(counts), starts, axis=-1)
    inside = from_start - np.concatenate([from_start[..., 1:], np.zeros((*starts.shape[:-1], 1))], axis=-1)
    total = counts.sum(axis=-1) + _SMOOTHING * groups
    return ratio(inside + _SMOOTHING, total[..., None])


def _shares(counts: ArrayLike) -> Array:
    values = floats(counts)
    return ratio(values, values.sum(axis=-1, keepdims=True))


def _cumulative_gap(reference: ArrayLike, current: ArrayLike) -> Array:
    return np.cumsum(_shares(current), axis=-1) - np.cumsum(_shares(reference), axis=-1)

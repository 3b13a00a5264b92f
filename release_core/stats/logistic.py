"""Positives, events and mean log-odds per bin in; logistic calibration lines out: logit P(y = 1) = a + b logit(s)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, entr, logit

from release_core.stats.arrays import Array, Flags, Indices, floats, only, or_zero, ratio

MIN_OF_CLASS = 10
_STEPS = 60
# Newton's error is of the order of the last step squared, so a step this small is the last.
_LAST_STEP = 1e-7
_FARTHEST = 60.0
# Log-odds of which the exponential, and one more, is a number.
_MOST = 700.0


class Shift(NamedTuple):
    """An intercept in log-odds and its standard error for independent events."""

    value: Array
    se: Array


class Line(NamedTuple):
    """Cox's intercept and slope, their standard errors for independent events, and the joint p-value of (0, 1)."""

    intercept: Array
    slope: Array
    se_intercept: Array
    se_slope: Array
    p_value: Array


class _Bins(NamedTuple):
    """Problems as rows [rows, B]: positives, events and log-odds per bin, without the bins that are empty in all."""

    pos: Array
    n: Array
    x: Array

    def rows(self, which: Flags | Indices | slice) -> _Bins:
        return _Bins(self.pos[which], self.n[which], self.x[which])


def calibration_intercept(pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike) -> Shift:
    """Return by how many log-odds all scores must move so that expected = observed: a, with the slope fixed at 1.

    Above 0 the scores are too low. `log_odds` [..., B] is the mean logit of the scores of each bin (anything where
    the bin is empty). NaN where a class is empty (METHODS a3).

    >>> calibration_intercept([1, 1], [3, 3], [0.0, 0.0]).value.round(4).item()
    -0.6931
    """
    bins, shape = _flat(pos, n, log_odds)
    observed = bins.pos.sum(axis=-1)
    known = (observed > 0) & (observed < bins.n.sum(axis=-1))
    value, se = np.full((2, observed.size), np.nan)
    value[known], se[known] = _solve_shift(bins if known.all() else bins.rows(known))
    return Shift(value.reshape(shape), se.reshape(shape))


def cox(pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike) -> Line:
    """Return Cox's calibration line by maximum likelihood from bins [..., B] (Cox 1958; METHODS a4).

    Slope below 1: scores too extreme; above 1: too timid. The p-value is of the likelihood-ratio test of (0, 1) with
    2 degrees of freedom. NaN with fewer than 10 events of a class, and where a score separates the classes so that
    no finite line exists.
    """
    bins, shape = _flat(pos, n, log_odds)
    return Line(*(part.reshape(shape) for part in _lines(bins, shape[-1] if shape else 1)))


def sigmoid(log_odds: Array) -> tuple[Array, Array, Array]:
    """Return p = 1 / (1 + exp(-x)), 1 - p and ln(1 + exp(x)) [...] of log-odds x [...], from one exponential.

    >>> [part.item() for part in sigmoid(np.array(0.0))][:2]
    [0.5, 0.5]
    """
    odds = np.exp(np.minimum(log_odds, _MOST))
    whole = 1 + odds
    other, softplus = 1 / whole, np.log(whole)
    if log_odds.max(initial=0.0) > _MOST:
        # Else a step too far would seem to fit better the farther it goes.
        softplus += np.maximum(log_odds - _MOST, 0.0)
    return odds * other, other, softplus


def _flat(pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike) -> tuple[_Bins, tuple[int, ...]]:
    arrays = np.broadcast_arrays(floats(pos), floats(n), floats(log_odds))
    shape = arrays[0].shape[:-1]
    positives, events, x = (array.reshape(-1, array.shape[-1]) for array in arrays)
    filled = events.any(axis=0)
    # Rows of numbers that lie side by side are summed several times as fast.
    positives, events, x = (np.compress(filled, part, axis=1) for part in (positives, events, x))
    return _Bins(positives, events, np.where(events > 0, x, 0.0)), shape


@np.errstate(divide="ignore", invalid="ignore")
def _solve_shift(bins: _Bins) -> tuple[Array, Array]:
    """Find the root of expected - observed by Newton steps inside a shrinking bracket."""
    observed = bins.pos.sum(axis=-1)
    a, information = np.zeros(observed.size), np.full(observed.size, np.nan)
    low, high = np.full(observed.size, -_FARTHEST), np.full(observed.size, _FARTHEST)
    active = np.arange(observed.size)
    for _ in range(_STEPS):
        if not active.size:
            break
        these = _these(active, observed.size)
        here, left = a[these], bins.rows(these)
        p, other, _ = sigmoid(left.x + here[:, None])
        expected = left.n * p
        excess = expected.sum(axis=-1) - observed[these]
        information[these] = np.vecdot(expected, other)
        low[these] = least = np.where(excess <= 0, here, low[these])
        high[these] = most = np.where(excess >= 0, here, high[these])
        newton = here - excess / information[these]
        found = np.where((newton >= least) & (newton <= most), newton, (least + most) / 2)
        active = active[np.abs(found - here) > _LAST_STEP]
        a[these] = found
    return a, np.sqrt(ratio(1.0, information))


def _these(active: Indices, every: int) -> Indices | slice:
    """Return which rows to go on with; all of them as a slice, which takes no copy."""
    return slice(None) if active.size == every else active


def _separated(bins: _Bins) -> Flags:
    """Return where one cutoff splits positives from negatives (ties at the cutoff allowed): no finite maximum."""
    pos_low, pos_high = _ends(bins.x, bins.pos > 0)
    neg_low, neg_high = _ends(bins.x, bins.n > bins.pos)
    return (neg_high <= pos_low) | (pos_high <= neg_low)


def _ends(x: Array, where: Flags) -> tuple[Array, Array]:
    return x.min(axis=-1, where=where, initial=np.inf), x.max(axis=-1, where=where, initial=-np.inf)


def _alike(bins: _Bins, kinds: int) -> _Bins:
    """Return the sums [kinds, B] of rows [any, kinds]: replicates of a kind end near where their sum does."""
    pos, n, x = (part.reshape(len(part) // kinds, kinds, part.shape[-1]) for part in bins)
    events = n.sum(axis=0)
    return _Bins(pos.sum(axis=0), events, or_zero(ratio((n * x).sum(axis=0), events)))


def _lines(bins: _Bins, kinds: int) -> Array:
    """Return [5, rows], the parts of a `Line`, of rows [any, kinds]."""
    observed, total = bins.pos.sum(axis=-1), bins.n.sum(axis=-1)
    known = (np.minimum(observed, total - observed) >= MIN_OF_CLASS) & ~_separated(bins)
    start = np.full((2, observed.size), np.nan)
    if observed.size > kinds:
        start = np.tile(_lines(_alike(bins, kinds), kinds)[:2], observed.size // kinds)
    found = np.full((5, observed.size), np.nan)
    found[:, known] = _solve_line(bins if known.all() else bins.rows(known), start[:, known])
    return found


@np.errstate(divide="ignore", invalid="ignore")
def _solve_line(bins: _Bins, start: Array) -> Array:
    """Return [5, rows], the parts of a `Line`: Newton steps, halved where they would do harm.

    They begin at `start` [2, rows]; where that is not known at the better of (0, 1), near which most scores are, and the
    flat line.
    """
    total = bins.n.sum(axis=-1)
    rate, given = bins.pos.sum(axis=-1) / total, _log_likelihood(bins, bins.x)
    flat = given < -total * (entr(rate) + entr(1 - rate))
    line, step = np.where(flat, [logit(rate), 0 * rate], [0 * rate, 1 + 0 * rate]), np.zeros((2, rate.size))
    # Of each row the best line so far with its variances, and last its log-likelihood.
    best = np.full((5, rate.size), -np.inf)
    best[:2] = np.where(np.isnan(start), line, start)
    active = np.arange(rate.size)
    for _ in range(_STEPS):
        if not active.size:
            break
        these = _these(active, rate.size)
        before = best[:, these]
        found, newton = _newton(bins.rows(these), before[:2] + step[:, these])
        worse = found[-1] < before[-1] - 1e-9 * np.abs(before[-1])
        best[:, these] = np.where(worse, before, found)
        step[:, these] = after = np.where(worse, step[:, these] / 2, newton)
        active = active[~(np.abs(after).max(axis=0) < _LAST_STEP)]
    line = best[:2] + step
    line[:, active] = np.nan
    p_value = only(chdtrc(2, 2 * np.maximum(best[-1] - given, 0.0)), ~np.isnan(line[0]))
    return np.stack([*line, *only(np.sqrt(best[2:4]), ~np.isnan(line)), p_value])


def _newton(bins: _Bins, line: Array) -> tuple[Array, Array]:
    """Return [5, rows], `line` with the variances of intercept and slope and its log-likelihood; and the next step."""
    eta = line[0, :, None] + line[1, :, None] * bins.x
    p, other, softplus = sigmoid(eta)
    expected = bins.n * p
    residual, weight = bins.pos - expected, expected * other
    g0, g1 = residual.sum(axis=-1), np.vecdot(residual, bins.x)
    # Moments about the weighted mean: with scores far from even odds the raw determinant would lose digits.
    v0 = 1 / weight.sum(axis=-1)
    centre = np.vecdot(weight, bins.x) * v0
    v1 = 1 / np.vecdot(weight, (bins.x - centre[:, None]) ** 2)
    slope_step = (g1 - centre * g0) * v1
    fit = np.vecdot(bins.pos, eta) - np.vecdot(bins.n, softplus)
    step = np.array([g0 * v0 - centre * slope_step, slope_step])
    return np.array([*line, v0 + centre**2 * v1, v1, fit]), step


def _log_likelihood(bins: _Bins, eta: Array) -> Array:
    terms = bins.pos * eta - bins.n * sigmoid(eta)[2]
    return floats(terms.sum(axis=-1))

"""Positives and negatives per bin in, [..., B] from safest to riskiest; standard errors of independent events out.

How far a statistic varies over logs is told by how far one event more of each kind moves it: its variance is the sum, over the
events at hand, of what each moves it by, squared (the infinitesimal jackknife; Jaeckel 1972, Efron 1982). Nothing is redrawn.
NaN with fewer than two events of a class, and where the statistic is not known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from release_core.stats import corp, drift, logistic
from release_core.stats.arrays import Array, above, at_or_above, below, floats, only, or_zero, ratio
from release_core.stats.grid import CLIP

# What one positive and one negative more of each bin move a statistic by.
Moved = tuple[Array, Array]
# A probability -> the loss of a positive and of a negative that has it.
Losses = Callable[[Array], tuple[Array, Array]]


def share(value: ArrayLike, n: ArrayLike) -> Array:
    """Return the standard error [...] of a share of n events; NaN where n is 0.

    >>> share(0.5, 100).item()
    0.05
    """
    return np.sqrt(ratio(floats(value) * (1 - floats(value)), n))


def average_precision(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return the standard error of the average precision; half of the events of a bin are taken to come before each of them.

    A positive brings its own precision; every alert changes the precision at the positives that score below it.
    """
    y, q = floats(pos), floats(neg)
    n, total = y + q, y.sum(axis=-1, keepdims=True)
    caught, alerted = above(y) + y / 2, above(n) + n / 2
    precision = or_zero(ratio(caught, alerted))
    lost = or_zero(ratio(y * precision, alerted))
    gained = or_zero(ratio(y, alerted)) - lost
    average = ratio((y * precision).sum(axis=-1, keepdims=True), total)
    of_pos = precision - average + below(gained) + gained / 2
    return _error(y, q, (ratio(of_pos, total), -ratio(below(lost) + lost / 2, total)))


def ks_separation(pos: ArrayLike, neg: ArrayLike) -> Array:
    """Return the standard error of the largest gap between recall and false-positive rate; its place is taken to stay.

    >>> ks_separation([1, 3], [3, 1]).round(4).item()
    0.3062
    """
    y, q = floats(pos), floats(neg)
    totals = [part.sum(axis=-1, keepdims=True) for part in (y, q)]
    recall, fpr = (ratio(at_or_above(part), total) for part, total in zip((y, q), totals, strict=True))
    place = or_zero(np.abs(recall - fpr)).argmax(axis=-1)[..., None]
    rates = [np.take_along_axis(part, place, axis=-1) for part in (recall, fpr)]
    beyond = np.arange(y.shape[-1]) >= place
    of_pos, of_neg = (ratio(beyond - rate, total) for rate, total in zip(rates, totals, strict=True))
    return _error(y, q, (of_pos, of_neg))


def calibration_intercept(pos: ArrayLike, neg: ArrayLike, log_odds: ArrayLike) -> Array:
    """Return the standard error of the shift in log-odds at which expected equals observed."""
    n, x = _logits(pos, neg, log_odds)
    expected = expit(x + logistic.calibration_intercept(pos, n, x).value[..., None])
    information = (n * expected * (1 - expected)).sum(axis=-1, keepdims=True)
    return _error(pos, neg, (ratio(1 - expected, information), ratio(expected, information)))


def cox(pos: ArrayLike, neg: ArrayLike, log_odds: ArrayLike, line: logistic.Line) -> tuple[Array, Array]:
    """Return the standard errors of the intercept and of the slope of Cox's calibration `line` of these bins.

    They hold whether or not the line is right, unlike those of the line itself.
    """
    n, x = _logits(pos, neg, log_odds)
    expected = expit(line.intercept[..., None] + line.slope[..., None] * x)
    weight = n * expected * (1 - expected)
    total = weight.sum(axis=-1, keepdims=True)
    centre = ratio((weight * x).sum(axis=-1, keepdims=True), total)
    tilted = ratio(x - centre, (weight * (x - centre) ** 2).sum(axis=-1, keepdims=True))
    intercept, slope = (
        _error(pos, neg, ((1 - expected) * part, expected * part))
        for part in (ratio(1.0, total) - centre * tilted, tilted)
    )
    return intercept, slope


def mcb_brier(pos: ArrayLike, neg: ArrayLike, score: ArrayLike) -> Array:
    """Return the standard error of the miscalibration of mean scores per bin, in Brier score (CORP)."""
    return _mcb(pos, neg, score, lambda p: ((1 - p) ** 2, p**2))


def mcb_log_loss(pos: ArrayLike, neg: ArrayLike, score: ArrayLike) -> Array:
    """Return the standard error of the miscalibration of mean scores per bin, in nats (CORP)."""
    return _mcb(pos, neg, score, lambda p: (-np.log(np.maximum(p, CLIP)), -np.log(np.maximum(1 - p, CLIP))))


def psi(found: drift.Psi, reference: ArrayLike, current: ArrayLike) -> Array:
    """Return the standard error [...] of a population stability index, of so many events of two independent samples.

    The groups are taken as fixed.
    """
    before, now = found.reference, found.current
    log = np.log(ratio(now, before))
    squares = np.zeros(found.total.shape)
    for part, slope, n in (
        (now, log + 1 - ratio(before, now), current),
        (before, 1 - ratio(now, before) - log, reference),
    ):
        spread = or_zero(part * slope**2).sum(axis=-1) - or_zero(part * slope).sum(axis=-1) ** 2
        squares += ratio(np.maximum(spread, 0.0), n)
    return only(np.sqrt(squares), ~np.isnan(found.total))


def _mcb(pos: ArrayLike, neg: ArrayLike, score: ArrayLike, losses: Losses) -> Array:
    """Return the error of the mean loss by the score less the mean loss by the recalibrated one.

    The recalibration is the best that there is, so to first order the loss does not feel that an event moves it.
    """
    y, q = floats(pos), floats(neg)
    n, total = y + q, (y + q).sum(axis=-1, keepdims=True)
    by_score = losses(np.where(n > 0, np.clip(score, CLIP, 1 - CLIP), 0.5))
    best = losses(np.where(n > 0, corp.recalibrated(y, n), 0.5))
    of_pos, of_neg = (mine - least for mine, least in zip(by_score, best, strict=True))
    mean = ratio((y * of_pos + q * of_neg).sum(axis=-1, keepdims=True), total)
    return _error(y, q, (ratio(of_pos - mean, total), ratio(of_neg - mean, total)))


def _logits(pos: ArrayLike, neg: ArrayLike, log_odds: ArrayLike) -> tuple[Array, Array]:
    """Return the events per bin, and their log-odds, 0 in empty bins."""
    n = floats(pos) + floats(neg)
    return n, np.where(n > 0, log_odds, 0.0)


def _error(pos: ArrayLike, neg: ArrayLike, moved: Moved) -> Array:
    positives, negatives = floats(pos), floats(neg)
    squares = positives * moved[0] ** 2 + negatives * moved[1] ** 2
    enough = np.minimum(positives.sum(axis=-1), negatives.sum(axis=-1)) > 1
    return only(np.sqrt(squares.sum(axis=-1)), enough)

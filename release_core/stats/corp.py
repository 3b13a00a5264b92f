"""Positives and events per bin in, [..., B] from safest to riskiest; the CORP calibration analysis out.

CORP: the scores are recalibrated by isotonic regression; miscalibration is what that gains, discrimination is what
remains of the uncertainty of the labels (Dimitriadis, Gneiting and Jordan 2021; METHODS a1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.special import logit, ndtr, xlogy

from release_core.stats.arrays import Array, Indices, floats, only, ratio
from release_core.stats.grid import CLIP

Loss = Callable[[Array, Array, Array], Array]
# Bins whose labels vary by at least so much (n p (1 - p)) are redrawn as normal numbers with the binomial's skewness.
NORMAL = 9.0
# Random numbers are kept for so many bins or a multiple.
_TABLED = 256


class Decomposition(NamedTuple):
    """Score = mcb - dsc + unc; all in the unit of the score (Brier, or nats)."""

    mcb: Array
    dsc: Array
    unc: Array


class Band(NamedTuple):
    """What a calibrated model would show: pointwise limits of its curve per bin, and a high quantile of its mcb."""

    low: Array
    high: Array
    mcb_brier: Array
    mcb_log_loss: Array


class CalibratedMcb(NamedTuple):
    """High quantiles of the miscalibration that a calibrated model would show, per loss."""

    brier: Array
    log_loss: Array


def recalibrated(pos: ArrayLike, n: ArrayLike) -> Array:
    """Return the isotonic regression of the labels on the bins: the recalibrated probability, NaN in empty bins.

    NaN in all bins of a row where a count is not known.

    >>> recalibrated([0, 2, 1, 0, 3], [4, 4, 4, 0, 4])
    array([0.   , 0.375, 0.375,   nan, 0.75 ])
    """
    positives, events = np.broadcast_arrays(floats(pos), floats(n))
    events = _known(positives, events)
    filled = events > 0
    if not filled.any():
        return np.full(events.shape, np.nan)
    blocks = _pool(positives, events)
    # Which block each bin is in: to repeat the rates instead takes three times as long.
    first = np.zeros(blocks.bins, bool)
    first[blocks.start[1:]] = True
    each = (blocks.pos / blocks.n)[np.cumsum(first)]
    if each.size == events.size:
        return each.reshape(events.shape)
    fitted = np.full(events.shape, np.nan)
    fitted[filled] = each
    return fitted


def _known(first: Array, events: Array) -> Array:
    """Return the events, none in the rows in which a number is not known: nothing can be said of such a row."""
    unknown = np.isnan(first.sum(axis=-1)) | np.isnan(events.sum(axis=-1))
    return np.where(unknown[..., None], 0.0, events) if unknown.any() else events


def overfit(pos: ArrayLike, n: ArrayLike) -> tuple[Array, Array]:
    """Return how much of the miscalibration, at most, is the recalibration's fit to the very labels: in Brier score and in nats.

    Each of K pooled blocks fits one rate r: half a chi-square of K over n in nats, its r (1 - r) over n in Brier score. Twice the
    chi-square's deviation is added (Meyer and Woodroofe 2000 count blocks as degrees of freedom). By simulation
    (tests/bench/deep_coverage.py); [...] each, 0 without events.

    >>> [round(part.item(), 4) for part in overfit([1, 3], [4, 4])]
    [0.1406, 0.375]
    """
    positives, events = np.broadcast_arrays(floats(pos), floats(n))
    events = _known(positives, events)
    rows = events.shape[:-1]
    if not events.any():
        return np.zeros(rows), np.zeros(rows)
    blocks = _pool(positives, events)
    rate = blocks.pos / blocks.n
    many, spread = (
        np.bincount(blocks.row, part, int(np.prod(rows))).reshape(rows) for part in (None, rate * (1 - rate))
    )
    reach = (1 + 2 * np.sqrt(ratio(2, many))) / events.sum(axis=-1)
    return floats(np.nan_to_num(spread * reach)), floats(np.nan_to_num(many / 2 * reach))


def corp_brier(pos: ArrayLike, n: ArrayLike, brier: ArrayLike) -> Decomposition:
    """Return the decomposition of the exact Brier score; NaN for one class.

    Binning pools near-equal scores, which lowers mcb and dsc alike by the gain inside the bins (METHODS 0.9).

    >>> [round(part.item(), 4) for part in corp_brier([1, 3], [4, 4], 0.2)]
    [0.0125, 0.0625, 0.25]
    """
    return _decompose(pos, n, brier, brier_of)


def corp_log_loss(pos: ArrayLike, n: ArrayLike, log_loss: ArrayLike) -> Decomposition:
    """Return the decomposition of the exact log loss, in nats; NaN for one class.

    >>> [round(part.item(), 4) for part in corp_log_loss([1, 3], [4, 4], 0.6)]
    [0.0377, 0.1308, 0.6931]
    """
    return _decompose(pos, n, log_loss, log_loss_of)


def consistency_band(
    n: ArrayLike, mean_score: ArrayLike, *, seed: int, resamples: int = 500, level: float = 0.9
) -> Band:
    """Return where the recalibration curve of a calibrated model would fall with probability `level`, pointwise.

    Labels are redrawn as Binomial(n, mean score) per bin and recalibrated again (METHODS a2); `mcb_*` are the 95%
    quantiles of the miscalibration found in those draws. Assumes independent events. Draws all resamples of all
    leading axes at once: meant for the few curves of a page.
    """
    events, scores = _rows(n, mean_score)
    expected = np.where(events > 0, scores, 0.5)
    drawn = _drawn(events, expected, seed, resamples)
    fitted = recalibrated(drawn, events)
    low, high = _limits(fitted, level)
    mcb = (np.quantile(ratio(gain, events.sum(axis=-1)), 0.95, axis=0) for gain in _gains(drawn, events, expected))
    return Band(low, high, *mcb)


def consistency_curve(
    n: ArrayLike, mean_score: ArrayLike, *, seed: int, resamples: int = 500, level: float = 0.9
) -> tuple[Array, Array]:
    """Return the limits `low` and `high` of `consistency_band` alone, which a picture needs."""
    events, scores = _rows(n, mean_score)
    drawn = _drawn(events, np.where(events > 0, scores, 0.5), seed, resamples)
    return _limits(recalibrated(drawn, events), level)


def _rows(n: ArrayLike, mean_score: ArrayLike) -> tuple[Array, Array]:
    events, scores = np.broadcast_arrays(floats(n), floats(mean_score))
    return _known(np.where(events == 0, 0.0, scores), events), scores


def _limits(fitted: Array, level: float) -> tuple[Array, Array]:
    """Return the quantiles of the draws: the k-th smallest of m stands at k / (m + 1) (Weibull).

    So one more draw falls beyond each limit as often as is claimed, exactly.
    """
    ranked, last = np.sort(fitted, axis=0), len(fitted) - 1
    places = (min(max(tail * (last + 2) - 1, 0.0), last) for tail in ((1 - level) / 2, (1 + level) / 2))
    low, high = (ranked[int(at)] + (at - int(at)) * (ranked[min(int(at) + 1, last)] - ranked[int(at)]) for at in places)
    return low, high


def calibrated_mcb(n: ArrayLike, mean_score: ArrayLike, *, seed: int, resamples: int = 39) -> CalibratedMcb:
    """Return the 95% quantiles of the miscalibration that a calibrated model would show, without the band.

    With 39 draws the 38th smallest is exceeded by one calibrated model in twenty, exactly (Barnard 1963); more draws would
    only steady it, and 39 tell the quantile to 2 to 5%. The bins must be those of the miscalibration that is compared with
    it: fewer bins show less of it.
    """
    events, scores = _rows(n, mean_score)
    used = events.any(axis=tuple(range(events.ndim - 1)))
    events, scores = events[..., used], scores[..., used]
    expected = np.where(events > 0, scores, 0.5)
    drawn = _drawn(events, expected, seed, resamples)
    gains = _gains(drawn, events, expected)
    highest = (np.quantile(ratio(gain, events.sum(axis=-1)), 0.95, axis=0, method="higher") for gain in gains)
    return CalibratedMcb(*highest)


def _drawn(events: Array, expected: Array, seed: int, resamples: int) -> Array:
    """Return labels [resamples, ...] redrawn as Binomial(events, expected), from the same random numbers at every call.

    Where labels vary much, a normal number with the binomial's skewness is rounded (its quantiles are off by less than 2%
    of a standard deviation); elsewhere the distribution function is inverted, which is exact.
    """
    n, p = np.rint(events).reshape(-1, 1), expected.reshape(-1, 1)
    normal, uniform = _numbers(seed, resamples, -(-n.size // _TABLED) * _TABLED)
    variance = n * p * (1 - p)
    many, few = (np.flatnonzero(variance >= NORMAL), np.flatnonzero(variance < NORMAL))
    drawn = np.empty((n.size, resamples))
    z, tilt = normal[many], (1 - 2 * p[many]) / 6
    drawn[many] = np.clip(np.rint((n * p)[many] - tilt + (np.sqrt(variance[many]) + tilt * z) * z), 0, n[many])
    drawn[few] = _inverted(n[few], p[few], uniform[few])
    # Weighed events are rounded to be drawn: never more positives than there are events.
    np.minimum(drawn, events.reshape(-1, 1), out=drawn)
    return np.ascontiguousarray(drawn.T).reshape(resamples, *events.shape)


@lru_cache(maxsize=8)
def _numbers(seed: int, resamples: int, bins: int) -> tuple[Array, Array]:
    """Return normal numbers [bins, resamples], and the same as uniform ones; those of more bins begin with them."""
    normal = np.random.default_rng(seed).standard_normal((bins, resamples))
    return normal, ndtr(normal)


def _inverted(n: Array, p: Array, uniform: Array) -> Array:
    """Return the binomial quantiles [B, resamples] at `uniform`, of n and p [B, 1]: the counts that are exceeded so."""
    # The bins where most is expected come first: as the count rises, fewer and fewer are left.
    rare = np.minimum(p, 1 - p)
    order = np.argsort(-(n * rare)[:, 0])
    uniform, rare, events = uniform[order], rare[order], n[order]
    highest = uniform.max(axis=1, keepdims=True, initial=0.0)
    drawn, chance = np.zeros(uniform.shape, np.uint8), (1 - rare) ** events
    reached, left = chance.copy(), len(n)
    for k in count():
        behind = np.flatnonzero(highest[:left] > reached[:left])
        if not behind.size:
            break
        left = int(behind[-1]) + 1
        drawn[:left] += (uniform[:left] > reached[:left]).view(np.uint8)
        chance *= (events - k) / (k + 1) * (rare / (1 - rare))
        reached += chance
    found = np.empty(uniform.shape)
    found[order] = drawn
    often = np.flatnonzero(p > 0.5)
    found[often] = n[often] - found[often]
    return found


class _Blocks(NamedTuple):
    """Pooled bins: positives and events of each block, its first bin among all `bins`, and in which row it lies."""

    pos: Array
    n: Array
    start: Indices
    row: Indices
    bins: int


def _pool(pos: Array, n: Array) -> _Blocks:
    """Pool adjacent violators of the bins with events in all rows by one call.

    Each row is lifted above the one before, so that none can mix.
    """
    filled = n > 0
    rows = np.arange(filled[..., :1].size).reshape(*filled.shape[:-1], 1)
    if filled.all():
        positives, events, row = (np.broadcast_to(part, n.shape).ravel() for part in (pos, n, rows))
    else:
        positives, events, row = pos[filled], n[filled], np.broadcast_to(rows, n.shape)[filled]
    blocks = isotonic_regression(positives / events + 2.0 * row, weights=events).blocks
    starts = blocks[:-1]
    pooled, of = (np.add.reduceat(part, starts) for part in (positives, events))
    return _Blocks(pooled, of, starts, row[starts], len(events))


def _decompose(pos: ArrayLike, n: ArrayLike, score: ArrayLike, loss: Loss) -> Decomposition:
    positives, events = np.broadcast_arrays(floats(pos), floats(n))
    p, total = positives.sum(axis=-1), events.sum(axis=-1)
    best = ratio(loss(positives, events, recalibrated(positives, events)).sum(axis=-1), total)
    constant = ratio(loss(p, total, ratio(p, total)), total)
    both = (p > 0) & (p < total)
    return Decomposition(*(only(part, both) for part in (floats(score) - best, constant - best, constant)))


def _gains(pos: Array, n: Array, score: Array) -> tuple[Array, Array]:
    """Return by how much pooling lowers the summed Brier score and log loss, [...].

    Over a pooled block the positives are the events times the fitted rate, so the fitted losses need the blocks alone.
    """
    rows, p = pos.shape[:-1], np.clip(score, CLIP, 1 - CLIP)
    brier = (n * score**2).sum(-1) - 2 * np.einsum("...b,...b->...", pos, score)
    loss = -np.einsum("...b,...b->...", pos, logit(p)) - (n * np.log1p(-p)).sum(-1)
    if not n.any():
        return floats(brier), floats(loss)
    blocks = _pool(pos, np.broadcast_to(n, pos.shape))
    rate = blocks.pos / blocks.n
    best = -(xlogy(blocks.pos, rate) + xlogy(blocks.n - blocks.pos, 1 - rate))
    squares, entropy = (
        np.bincount(blocks.row, weights=part, minlength=int(np.prod(rows))).reshape(rows)
        for part in (blocks.n * rate**2, best)
    )
    return floats(brier + squares), floats(loss - entropy)


def brier_of(pos: Array, n: Array, probability: Array) -> Array:
    """Return the summed squared error per bin; 0 in empty bins."""
    p = np.where(n > 0, probability, 0.0)
    return floats(pos * (1 - p) ** 2 + (n - pos) * p**2)


def log_loss_of(pos: Array, n: Array, probability: Array) -> Array:
    """Return the summed log loss per bin in nats; 0 in empty bins."""
    p = np.where(n > 0, probability, 0.5)
    return floats(-(_times_log(pos, p) + _times_log(n - pos, 1 - p)))


def _times_log(count: Array, p: Array) -> Array:
    """Return count x ln p, 0 where the count is 0: like `scipy.special.xlogy`, in a quarter of the time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count == 0, 0.0, count * np.log(p))

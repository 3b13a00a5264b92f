"""Numerators and denominators of two populations by segment in; how much of a change is mix and how much is rate out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from release_core.stats.arrays import Array, Flags, Indices, floats, only, ratio


class Split(NamedTuple):
    """A change of a rate: total = mix + rate + new + retired, arrays [...]; by segment `mixes`, `rates` [..., segment].

    `new` and `retired` are what segments contribute that only one population has: their rate in the other is undefined.
    `standardised` is the change at equal mix, over the segments that both have, `pooled` the same by Mantel-Haenszel.
    """

    total: Array
    mix: Array
    rate: Array
    new: Array
    retired: Array
    mixes: Array
    rates: Array
    standardised: Array
    pooled: Array


def kitagawa(top0: ArrayLike, bottom0: ArrayLike, top1: ArrayLike, bottom1: ArrayLike) -> Split:
    """Return the change of a rate from population 0 to population 1 split into mix and rate (Kitagawa 1955; METHODS e5).

    Rates are `top` / `bottom` [..., segment]; w a segment's share of its population's bottom:
    mix = sum (w1 - w0) ((r0 + r1) / 2 - R), rate = sum (r1 - r0) (w0 + w1) / 2, R the mean of both overall rates, which
    leaves the sum as it is and says of a segment whether growing there helped or hurt.

    >>> split = kitagawa([1.0, 30.0], [10.0, 90.0], [9.0, 3.0], [90.0, 10.0])
    >>> [float(part.round(3)) for part in (split.total, split.mix, split.rate)]
    [-0.19, -0.173, -0.017]
    """
    above0, below0, above1, below1 = np.broadcast_arrays(*map(floats, (top0, bottom0, top1, bottom1)))
    rate0, rate1 = ratio(above0, below0), ratio(above1, below1)
    weight0, weight1 = (ratio(below, below.sum(-1, keepdims=True)) for below in (below0, below1))
    all0, all1 = (ratio(above.sum(-1), below.sum(-1)) for above, below in ((above0, below0), (above1, below1)))
    middle = ((all0 + all1) / 2)[..., None]
    here0, here1 = below0 > 0, below1 > 0
    both = here0 & here1

    def summed(terms: Array, where: Flags) -> Array:
        return np.where(where, terms, 0.0).sum(-1)

    mixes = only((weight1 - weight0) * ((rate0 + rate1) / 2 - middle), both)
    rates = only((rate1 - rate0) * (weight0 + weight1) / 2, both)
    new, retired = (
        summed(weight1 * (rate1 - middle), here1 & ~here0),
        summed(-weight0 * (rate0 - middle), here0 & ~here1),
    )
    defined = np.isfinite(all0) & np.isfinite(all1)
    shares = (weight0 + weight1) / 2
    harmonic = ratio(below0 * below1, below0 + below1)
    return Split(
        all1 - all0,
        only(summed(mixes, both), defined),
        only(summed(rates, both), defined),
        only(new, defined),
        only(retired, defined),
        mixes,
        rates,
        ratio(summed(rates, both), summed(shares, both)),
        ratio(summed(harmonic * (rate1 - rate0), both), summed(harmonic, both)),
    )


class Turned(NamedTuple):
    """Whether the overall change points another way than most segments (by weight), or than the change at equal mix."""

    most: Flags
    standardised: Flags


def simpson(split: Split, weight: ArrayLike) -> Turned:
    """Return where the sign of the total change misleads (METHODS e6).

    `weight` [..., segment] is how much each segment counts; segments without a change do not vote.
    """
    votes = np.nansum(np.sign(split.rates) * floats(weight), axis=-1)
    sign = np.sign(split.total)
    return Turned(np.asarray(sign * np.sign(votes) < 0), np.asarray(sign * np.sign(split.standardised) < 0))


class Alike(NamedTuple):
    """Breslow and Day's test that the odds ratio is the same in every segment, with Tarone's correction."""

    statistic: Array
    df: Indices
    p: Array


def breslow_day(top0: ArrayLike, bottom0: ArrayLike, top1: ArrayLike, bottom1: ArrayLike) -> Alike:
    """Return the test of equal odds ratios of counts `top` of `bottom` [segment]; NaN with fewer than two usable tables.

    NaN also where a count is not known. Segments in which neither or all events count, or which one population lacks, say
    nothing and are left out.
    """
    a, n1, c, n0 = map(floats, (top1, bottom1, top0, bottom0))
    unknown = np.isnan((a + n1 + c + n0).sum())
    use = (n1 > 0) & (n0 > 0) & (a + c > 0) & (a + c < n1 + n0)
    a, n1, c, n0 = (array[use] for array in (a, n1, c, n0))
    n, m = n1 + n0, a + c
    odds = ratio((a * (n0 - c) / n).sum(), ((n1 - a) * c / n).sum())
    df = len(a) - 1
    if unknown or df < 1 or not np.isfinite(odds) or odds <= 0:
        return Alike(np.array(np.nan), np.array(max(df, 0)), np.array(np.nan))
    fitted = _fitted(odds, m, n1, n0)
    variance = 1 / (1 / fitted + 1 / (n1 - fitted) + 1 / (m - fitted) + 1 / (n0 - m + fitted))
    statistic = ((a - fitted) ** 2 / variance).sum() - (a - fitted).sum() ** 2 / variance.sum()
    return Alike(np.array(statistic), np.array(df), np.array(chdtrc(df, statistic)))


def _fitted(odds: Array, m: Array, n1: Array, n0: Array) -> Array:
    """Return the count in the first cell at which each table, margins kept, has the odds ratio `odds`."""
    square, linear, constant = 1 - odds, n0 - m + odds * (m + n1), -odds * m * n1
    if abs(float(square)) < 1e-12:
        return np.asarray(-constant / linear)
    root = np.sqrt(linear**2 - 4 * square * constant)
    # Of both roots the one between the margins, in the form that loses no digits.
    return np.asarray(-2 * constant / (linear + root))

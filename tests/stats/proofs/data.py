"""The data of every hard case, by kind of input: scored events, numbers of events, estimates, p-values and others."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn import metrics

from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, WEIGHTS, Kind

Array = Any
BINS, CUT = 41, 20
LOG_ODDS = np.linspace(-7, 3, BINS)
SCORES = expit(LOG_ODDS)
EDGES = np.arange(BINS + 1)


class Events:
    """Scored events: the place of each on SCORES, whether it is bad, its weight; `hole` is a bin whose count is not known.

    Weights are quarters, so that repeating every event four times its weight says the same (`rows`).
    """

    def __init__(self, place: Array, y: Array, weight: Array | None = None, hole: int | None = None) -> None:
        """Take the events."""
        self.place, self.y = np.asarray(place, int), np.asarray(y, bool)
        self.w = np.ones(len(self.place)) if weight is None else np.asarray(weight, float)
        self.hole = hole

    @property
    def known(self) -> bool:
        """Return whether all counts are known."""
        return self.hole is None

    @property
    def both(self) -> bool:
        """Return whether all counts are known and both classes are there."""
        return self.known and 0 < self.y.sum() < len(self.y)

    @property
    def score(self) -> Array:
        """Return the score of each event."""
        return SCORES[self.place]

    @cached_property
    def pos(self) -> Array:
        """Return the weight of the bad events of each bin."""
        return self._counted(self.y)

    @cached_property
    def neg(self) -> Array:
        """Return the weight of the good events of each bin."""
        return self._counted(~self.y)

    @property
    def n(self) -> Array:
        """Return the weight of the events of each bin."""
        return self.pos + self.neg

    def _counted(self, which: Array) -> Array:
        found = np.bincount(self.place[which], self.w[which], BINS)
        if self.hole is not None:
            found[self.hole] = np.nan
        return found

    @cached_property
    def rows(self) -> Events:
        """Return every event as often as four times its weight says, once where nothing is weighted."""
        again = np.ones(len(self.w), int) if (self.w == 1).all() else (4 * self.w).astype(int)
        return Events(np.repeat(self.place, again), np.repeat(self.y, again), hole=self.hole)

    @cached_property
    def confusions(self) -> Array:
        """Return [edge, 4] tn, fp, fn, tp of the alert from each edge on, by scikit-learn; NaN where the hole counts."""
        found = [
            metrics.confusion_matrix(self.y, self.place >= edge, labels=[False, True], sample_weight=self.w).ravel()
            if len(self.y)
            else np.zeros(4)
            for edge in EDGES
        ]
        counts = np.array(found)
        if self.hole is not None:
            counts[:, [0, 2]] = counts[: self.hole + 1, [1, 3]] = np.nan
        return counts


def _rare() -> Events:
    rng = np.random.default_rng(1)
    place = np.clip(np.round(rng.normal(8, 5, 30_000)), 0, 40).astype(int)
    return Events(place, rng.random(30_000) < SCORES[place] * 0.0615)


def _many(n: int = 400, seed: int = 5) -> Events:
    rng = np.random.default_rng(seed)
    place = np.clip(np.round(rng.normal(25, 7, n)), 0, 40).astype(int)
    return Events(place, rng.random(n) < SCORES[place], rng.integers(1, 13, n) / 4)


SIX = [3, 9, 25, 31, 31, 40]
SCORED = Kind(
    {
        ONE_CLASS: (Events(SIX, np.zeros(6)), Events(SIX, np.ones(6))),
        TIES: (Events(np.full(60, 7), np.arange(60) % 3 == 0), Events(np.repeat([5, 22, 30], 40), np.arange(120) % 4 == 0)),
        NAN: (Events(_many().place, _many().y, hole=24),),
        WEIGHTS: (_many(),),
        NONE: (Events([], []),),
        ONE: (Events([30], [True]), Events([3], [False])),
        FIVE: (Events([3, 9, 9, 25, 31], [False, False, True, True, False]),),
        RARE: (_rare(),),
    }
)  # fmt: skip


class Counts(NamedTuple):
    """k of n events, an array of both."""

    k: Array
    n: Array


UNORDERED = "A number of events has no order: whoever counts them decides what is tied."
COUNTS = Kind(
    {
        ONE_CLASS: (Counts(np.array([0.0, 9, 0, 2000]), np.array([9.0, 9, 2000, 2000])),),
        NAN: (Counts(np.array([1.0, np.nan, 3]), np.array([9.0, 9, np.nan])),),
        WEIGHTS: (Counts(np.array([0.5, 2.25, 7.75]), np.array([9.5, 9, 40.25])),),
        NONE: (Counts(np.zeros(1), np.zeros(1)),),
        ONE: (Counts(np.array([0.0, 1]), np.ones(2)),),
        FIVE: (Counts(np.arange(6.0), np.full(6, 5.0)),),
        RARE: (Counts(np.array([1.0, 2, 20]), np.array([1000.0, 2000, 20_000])),),
    },
    {TIES: UNORDERED},
)


class Estimate(NamedTuple):
    """A value, its standard error and degrees of freedom."""

    value: Array
    se: Array
    df: Array


def _estimates(*rows: tuple[float, float, float]) -> tuple[Estimate]:
    return (Estimate(*np.array(rows, float).T),)


WEIGHED_BEFORE = "An estimate has no events: they were weighed and ordered by what made it."
ESTIMATES = Kind(
    {
        ONE_CLASS: _estimates((0, 0, 31), (1, 0, 31), (0, 0.1, 31), (1, 0.1, np.inf)),
        NAN: _estimates((np.nan, 0.1, 4), (0.3, np.nan, 4), (0.3, 0.1, np.nan)),
        NONE: _estimates((np.nan, np.nan, np.nan)),
        ONE: _estimates((0.3, 0, 31), (0.3, np.nan, np.nan)),
        FIVE: _estimates((0.4, 0.2, 4), (0.2, 0.18, 4), (0.8, 0.2, 4)),
        RARE: _estimates((0.001, 0.0007, 31), (0.001, 0.0002, np.inf), (0.9995, 0.0003, 31)),
    },
    {TIES: WEIGHED_BEFORE, WEIGHTS: WEIGHED_BEFORE},
)


NUMBERS = Kind(
    {
        ONE_CLASS: (np.zeros(4), np.ones(4)),
        TIES: (np.array([0.5, 0.5, 0.2, 0.2]),),
        NAN: (np.array([0.5, np.nan, 0.5, 0.25]),),
        NONE: (np.zeros(0),),
        ONE: (np.array([0.3]),),
        FIVE: (np.array([0.9, 0.1, 0.5, 0.7, 0.2]),),
        RARE: (np.array([0.001, 0.999, 0.001]),),
        WEIGHTS: (np.array([2.5, 0.25, 1.75]),),
    }
)


def known(*arrays: Array) -> Array:
    """Return where none of the arrays is NaN."""
    return ~np.isnan(np.sum(np.broadcast_arrays(*arrays), axis=0))


def each(function: Any, *arrays: Array, where: Any = None) -> tuple[Array, ...]:
    """Return what a library's function says of one number after the other; NaN where one is, or where `where` fails."""
    rows = []
    for one in zip(*np.broadcast_arrays(*arrays), strict=True):
        fits = not np.isnan(one).any() and (where is None or where(*one))
        rows.append(np.atleast_1d(function(*map(float, one))) if fits else None)
    width = next((len(row) for row in rows if row is not None), 2)
    return tuple(np.array([np.full(width, np.nan) if row is None else row for row in rows], float).T)

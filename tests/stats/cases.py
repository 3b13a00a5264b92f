"""Scored events for the statistics tests, as rows and as bins."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from release_core.stats import grid

FUZZ = settings(max_examples=60)
TWO_CLASSES = st.lists(
    st.tuples(st.floats(-18, 18).map(lambda x: float(1 / (1 + np.exp(-x)))), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: len({y for _, y in rows}) == 2)


def scored(seed, n, rate, skill=1.5):
    """Return scores and labels of n events; the labels are drawn with the scores' own probabilities."""
    rng = np.random.default_rng(seed)
    base = np.log(rate / (1 - rate)) - skill**2 / 2
    score = 1 / (1 + np.exp(-(base + skill * rng.standard_normal(n))))
    return score, rng.random(n) < score


def per_bin(bins, weights, size):
    return np.bincount(bins, weights=weights, minlength=size)


def binned(score, y, per_unit=64):
    """Return positives and negatives per bin, and which bins hold one score only."""
    score, y = np.asarray(score, dtype=float), np.asarray(y, dtype=bool)
    bins, size = grid.bin_of(score, per_unit), grid.top_bin(per_unit) + 1
    tied = per_bin(grid.bin_of(np.unique(score), per_unit), None, size) < 2
    return per_bin(bins, y, size), per_bin(bins, ~y, size), tied


def events(pos, neg):
    """Return the rows (bin, label) that these counts stand for."""
    pos, neg = np.asarray(pos, dtype=int), np.asarray(neg, dtype=int)
    bins = np.arange(pos.size)
    return np.concatenate([np.repeat(bins, pos), np.repeat(bins, neg)]), np.repeat([1, 0], [pos.sum(), neg.sum()])


def ks_statistic(first, second):
    """Return scipy's two-sample Kolmogorov-Smirnov distance; its p-value, and what it warns of there, is not used."""
    with np.errstate(divide="ignore"):
        return ks_2samp(first, second, method="asymp").statistic

"""Scores in, bin numbers out, and back: the fixed log-odds grid on [-16, 16) as numbers.

Bin 0 holds scores of 0, the bins 1 to 32 * per_unit are steps of 1 / per_unit in log-odds (the outermost two are open:
they also hold everything beyond the grid), the last holds scores of 1; a missing score is -1. Rows are binned in SQL
only; here are the same rule for cutoffs, and the edges.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from release_core.stats.arrays import Array, Indices, floats

HALF_WIDTH = 16
NOT_SCORED = -1
CLIP = 1e-7


def top_bin(per_unit: int) -> int:
    """Return the number of the bin that holds scores of 1; arrays over all scored bins have one entry more.

    >>> top_bin(64)
    2049
    """
    return 2 * HALF_WIDTH * per_unit + 1


def bin_of(score: ArrayLike, per_unit: int) -> Indices:
    """Return the bin of each score (a probability): 1 + floor(per_unit * ln(s / (1 - s))) + 16 * per_unit, clipped.

    >>> bin_of([0.0, 0.5, 0.9, 1.0, float("nan")], 4)
    array([  0,  65,  73, 129,  -1])
    """
    scores = floats(score)
    inside = (scores > 0) & (scores < 1)
    safe = np.where(inside, scores, 0.5)
    step = np.floor(per_unit * np.log(safe / (1 - safe))) + HALF_WIDTH * per_unit + 1
    bins = np.clip(step, 1, top_bin(per_unit) - 1)
    bins = np.where(scores <= 0, 0, np.where(scores >= 1, top_bin(per_unit), bins))
    return np.where(np.isnan(scores), NOT_SCORED, bins).astype(np.int64)


def edges(per_unit: int) -> Array:
    """Return the lower edge of every bin as a score, and infinity as the last: [top_bin + 2] cutoffs from all to none.

    A score is in bin b or a riskier one exactly when score >= edges[b], to the last digit: bin 1 starts at the
    smallest positive number, since it holds all positive scores below the grid.

    >>> edges(4)[[0, 65, 69, 129, 130]].round(4)
    array([0.    , 0.5   , 0.7311, 1.    ,    inf])
    """
    return _edges(per_unit).copy()


@lru_cache(maxsize=8)
def _edges(per_unit: int) -> Array:
    inner = np.arange(2, top_bin(per_unit))
    guess = expit((inner - 1) / per_unit - HALF_WIDTH)
    # The formula and its inverse round differently: walk to the first number that the rule puts into the bin.
    while (short := bin_of(guess, per_unit) < inner).any():
        guess[short] = np.nextafter(guess[short], 1.0)
    while (far := bin_of(lower := np.nextafter(guess, 0.0), per_unit) >= inner).any():
        guess[far] = lower[far]
    return np.concatenate([[0.0, np.nextafter(0.0, 1.0)], guess, [1.0, np.inf]])


def lower_edge(bins: ArrayLike, per_unit: int) -> Array:
    """Return the cutoff, in score units, that alerts on these bins and all riskier ones; infinity for "none".

    >>> lower_edge([65, 130], 4)
    array([0.5, inf])
    """
    return floats(_edges(per_unit)[np.asarray(bins)])


def log_odds(per_unit: int) -> Array:
    """Return the centre of every bin on the log-odds axis [top_bin + 1]; the end bins stand at the clip of 1e-7.

    >>> log_odds(4)[[0, 1, 65, 128, 129]].round(3)
    array([-16.118, -15.875,   0.125,  15.875,  16.118])
    """
    inner = (np.arange(1, top_bin(per_unit)) - 0.5) / per_unit - HALF_WIDTH
    end = np.log((1 - CLIP) / CLIP)
    return np.concatenate([[-end], inner, [end]])


def centre(bins: ArrayLike, per_unit: int) -> Array:
    """Return the score at the centre (in log-odds) of each bin; 0 and 1 for the end bins.

    >>> centre([0, 65, 129], 4).round(4)
    array([0.    , 0.5312, 1.    ])
    """
    values = expit(log_odds(per_unit))
    values[[0, -1]] = 0.0, 1.0
    return floats(values[np.asarray(bins)])


def coarsen(bins: ArrayLike, per_unit: int, to: int) -> Indices:
    """Return the bins of a coarser grid that hold these bins; `to` must divide `per_unit`, so the grids nest.

    >>> coarsen([-1, 0, 1, 16, 17, 2049], 64, 4)
    array([ -1,   0,   1,   1,   2, 129])
    """
    numbers = np.asarray(bins, dtype=np.int64)
    _require_nesting(per_unit, to)
    inner = 1 + (numbers - 1) // (per_unit // to)
    return np.where(numbers <= 0, numbers, np.where(numbers >= top_bin(per_unit), top_bin(to), inner))


def coarsen_sums(sums: ArrayLike, per_unit: int, to: int) -> Array:
    """Return counts or sums [..., top_bin + 1] added up to the coarser grid `to`.

    >>> coarsen_sums([5, 1, 2, *[0] * 62, 7], 2, 1)[[0, 1, 2, 33]]
    array([5., 3., 0., 7.])
    """
    values = floats(sums)
    _require_nesting(per_unit, to)
    inner = values[..., 1:-1].reshape(*values.shape[:-1], top_bin(to) - 1, per_unit // to).sum(axis=-1)
    return np.concatenate([values[..., :1], inner, values[..., -1:]], axis=-1)


def _require_nesting(per_unit: int, to: int) -> None:
    if per_unit % to:
        message = f"grids nest only when the coarser step divides: {per_unit} bins per unit cannot become {to}."
        raise ValueError(message)

"""Joint tables of two versions on the same events in; how far they agree, in actions and in ranking, out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, below, floats, only, ratio


def kappa(table: ArrayLike) -> Array:
    """Return Cohen's kappa of a joint table of actions [..., k, k]: agreement beyond chance; 1 is full agreement.

    NaN for an empty table, and where chance alone makes both agree always (Cohen 1960).

    >>> kappa([[20, 5], [10, 15]]).round(2).item()
    0.4
    """
    counts = floats(table)
    n = counts.sum(axis=(-2, -1))
    observed = ratio(np.trace(counts, axis1=-2, axis2=-1), n)
    chance = ratio((counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1), n**2)
    return ratio(observed - chance, 1 - chance)


def spearman(table: ArrayLike) -> Array:
    """Return Spearman's rank correlation of two scores from their joint table [..., B1, B2], equal bins being ties.

    The correlation of mid-ranks; NaN where either score is constant.

    >>> spearman([[2, 0], [0, 2]]).item(), spearman([[0, 2], [2, 0]]).item()
    (1.0, -1.0)
    """
    counts = floats(table)
    n = counts.sum(axis=(-2, -1))
    sides = [counts.sum(axis=-1), counts.sum(axis=-2)]
    ranks = [below(side) + (side - n[..., None]) / 2 for side in sides]
    spread = [np.einsum("...b,...b->...", side, rank**2) for side, rank in zip(sides, ranks, strict=True)]
    together = np.einsum("...i,...ij,...j->...", ranks[0], counts, ranks[1])
    scale = np.sqrt(spread[0] * spread[1])
    return only(ratio(together, scale), scale > 0)

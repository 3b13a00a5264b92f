"""Takes scores and gives cutoffs that alert a share or as many as another score does, and the actions they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def cutoff_for_share(scores: NDArray[np.float64], share: float) -> float:
    """Return the highest cutoff that alerts at least `share` (in (0, 1]) of `scores`.

    >>> cutoff_for_share(np.array([0.1, 0.2, 0.3, 0.4]), 0.5)
    0.3
    """
    return float(np.sort(scores)[::-1][int(np.ceil(share * len(scores))) - 1])


def carried(scores: NDArray[np.float64], alerts: int) -> float:
    """Return the lowest observed score that alerts at most `alerts` of `scores` (equal alert rate, no interpolation).

    Equal scores are alerted together or not at all. Raises ValueError if `alerts` is not in 1 .. len(scores),
    or if more than `alerts` share even the highest score.

    >>> carried(np.array([0.1, 0.2, 0.31, 0.35]), 2)
    0.31
    >>> carried(np.array([0.1, 0.31, 0.31, 0.35]), 2)
    0.35
    """
    if not 0 < alerts <= len(scores):
        msg = f"alerts == {alerts}, must be in 1 .. {len(scores)}."
        raise ValueError(msg)
    values, counts = np.unique(scores, return_counts=True)
    alerted = counts[::-1].cumsum()[::-1]
    within = values[alerted <= alerts]
    if not len(within):
        msg = f"alerts == {alerts}, must be >= {counts[-1]}, the number that share the highest score."
        raise ValueError(msg)
    return float(within[0])


def actions(scores: NDArray[np.float64], cutoffs: NDArray[np.float64], ruled: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return `review` where a policy rule says so (`ruled`) or score >= cutoff, else `approve`."""
    return np.where(ruled | (scores >= cutoffs), "review", "approve")

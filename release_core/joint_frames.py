"""The shapes of what both scores show together: a map of them, and who crosses which cutoff.

Axes are named in the order in which they stand, as in frames.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Grid, Segment


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Both scores of the same events: counts and amounts [baseline's bin, candidate's bin] on one coarse grid."""

    grid: Grid
    n: Array
    positive: Array
    negative: Array
    amount: Array


@dataclass(frozen=True, eq=False)
class Crossing:
    """The candidate's score distribution by what the baseline's score of the same event reaches, on the finest grid.

    `counted` returns an array by its name, once it is first asked for.
    """

    segments: tuple[Segment, ...]
    grid: Grid
    cutoffs: tuple[str, ...]
    counted: Callable[[str], Array]

    @cached_property
    def n(self) -> Array:
        """Return the events [segment, cutoff, side, bin, population].

        On side 0 the baseline's score lies below the registered cutoff, on side 1 at or above it.
        """
        return self.counted("n")

    @cached_property
    def amount(self) -> Array:
        """Return the summed amounts of the positives, [segment, cutoff, side, bin]."""
        return self.counted("amount")

    @cached_property
    def amount2(self) -> Array:
        """Return the sums of their squares, [segment, cutoff, side, bin]."""
        return self.counted("amount2")

    @cached_property
    def joint(self) -> Array:
        """Return the events [segment, cutoff, cutoff, side, side, population], exact at both cutoffs.

        The first side says whether the baseline's score reaches the first cutoff, the second the candidate's the second.
        """
        return self.counted("joint")

    @cached_property
    def beyond(self) -> Array:
        """Return the events at or beyond each cutoff by the candidate's score, [segment, cutoff, population]."""
        return self.counted("beyond")

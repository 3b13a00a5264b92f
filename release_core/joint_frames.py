"""The shapes of what both scores show together: a map of them, and who crosses which cutoff.

Axes are named in the order in which they stand, as in frames.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

    `n` [segment, cutoff, side, bin, population] counts events whose baseline score lies below (side 0) or at and above
    (side 1) a registered cutoff; `amount` and `amount2` [segment, cutoff, side, bin] sum the amounts of positives and
    their squares. `joint` [segment, cutoff, cutoff, side, side, population] counts events by whether the baseline's
    score reaches the first and the candidate's score the second cutoff, exact at both.
    """

    segments: tuple[Segment, ...]
    grid: Grid
    cutoffs: tuple[str, ...]
    n: Array
    amount: Array
    amount2: Array
    joint: Array

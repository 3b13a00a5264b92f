"""A choice in; what lies beyond today's cutoffs there, and the candidate's events bin by bin, out: what transfer starts from.

For all events and single dimensions the cube tells which single events cross a cutoff. Of two dimensions together it
knows each version's scores alone, on coarser bins: the same cutoffs come out of them, but an interval that cannot use
that both versions judged the same events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube import REPLAY_SET
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Grid, Segment
    from release_core.views.view import View

BELOW, REACHED = 0, 1


class Pairs(NamedTuple):
    """The candidate's bins by what the baseline's score reaches: counts, losses and their squares [side, bin(, population)]."""

    n: Array
    loss: Array
    squares: Array


class Place(NamedTuple):
    """One segment and one cutoff of today.

    `today` [4] are the events, positives and negatives at and beyond it by the baseline's score, and the loss below it;
    `all` [bin, population] and `loss` [bin] are the candidate's; `same` [population] lies beyond the same number by the
    candidate's score. `effect` is by how much clustering widens variances; `pairs` is None where they are not kept; `total` are the
    numbers of events, positives and negatives.
    """

    today: Array
    all: Array
    loss: Array
    same: Array
    effect: float
    pairs: Pairs | None
    total: Array

    @property
    def labelled(self) -> float:
        """Return the number of labelled events."""
        total = self.total
        return float(total[POSITIVE] + total[NEGATIVE])


class Counts(NamedTuple):
    """What transfer starts from: segments, cutoffs, the candidate's bins, events [segment], and each place's counts."""

    segments: tuple[Segment, ...]
    cutoffs: tuple[str, ...]
    grid: Grid
    sizes: Array
    place: Callable[[int, str, float], Place]


def counts(view: View, by: tuple[str, ...] = ()) -> Counts:
    """Return the counts of a choice, split by up to one dimension.

    Raises:
        Unanswerable: filter and split are more than two dimensions together.
    """
    dims = {*by, *dict(view.where)} - {REPLAY_SET}
    return _crossed(view, by) if len(dims) <= 1 else _apart(view, by)


def prices(view: View) -> tuple[float, float]:
    """Return what a missed positive costs: a fixed part and a share of its amount; its amount where nothing is declared."""
    costs = view.release.costs
    fixed, times = (costs.false_negative or 0.0, costs.amount_times or 0.0) if costs else (0.0, 0.0)
    return (fixed, times) if fixed or times else (0.0, 1.0)


def _crossed(view: View, by: tuple[str, ...]) -> Counts:
    """Return counts by what each single event's two scores reach."""
    found = view.opened.cube.crossing(view.stage, view.step, (by, view.where))
    fixed, times = prices(view)

    def place(segment: int, name: str, effect: float) -> Place:
        at = segment, found.cutoffs.index(name)
        n, amount, squares = found.n[at], found.amount[at], found.amount2[at]
        positive = n[..., POSITIVE]
        loss = fixed * positive + times * amount
        squared = fixed**2 * positive + 2 * fixed * times * amount + times**2 * squares
        today = np.append(n[REACHED].sum(0), loss[BELOW].sum())
        same = found.joint[segment, at[1], at[1]].sum(0)[REACHED]
        every = n.sum(0)
        return Place(today, every, loss.sum(0), same, effect, Pairs(n, loss, squared), every.sum(0))

    sizes = found.n[:, 0, ..., EVERYONE].sum((-2, -1)) if found.cutoffs else np.zeros(len(found.segments))
    return Counts(found.segments, found.cutoffs, found.grid, sizes, place)


def _apart(view: View, by: tuple[str, ...]) -> Counts:
    """Return counts of each version's score alone."""
    cells, (fixed, times) = view.cells(*by), prices(view)
    whole = cells.whole

    def place(segment: int, name: str, effect: float) -> Place:
        cutoff = cells.cutoffs.index(name)
        positive, bad = whole.positive[segment], whole.positive_amount[segment]
        loss = fixed * positive + times * bad
        caught, labelled = whole.above_positive[segment, :, cutoff], whole.above_labelled[segment, :, cutoff]
        beyond = np.stack([whole.above[segment, :, cutoff], caught, labelled - caught], axis=-1)
        below = loss[0].sum() - fixed * caught[0] - times * whole.above_amount[segment, 0, cutoff]
        every = np.stack([whole.n[segment, 1], positive[1], whole.negative[segment, 1]], axis=-1)
        return Place(np.append(beyond[0], below), every, loss[1], beyond[1], effect, None, every.sum(0))

    sizes = whole.n[:, 1].sum(-1) if cells.segments else np.zeros(0)
    return Counts(cells.segments, cells.cutoffs, whole.grid, sizes, place)

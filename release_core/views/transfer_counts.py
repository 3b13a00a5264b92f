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
    from collections.abc import Callable, Sequence

    from release_core.frames import Array, Grid, Segment
    from release_core.views.view import View

BELOW, REACHED = 0, 1


class Pairs(NamedTuple):
    """The candidate's bins by what the baseline's score reaches: counts [..., side, population, bin], losses, squares.

    `loss` and `squares` [..., side, bin] are None where nobody asks for losses.
    """

    n: Array
    loss: Array | None
    squares: Array | None


class Places(NamedTuple):
    """Segments and cutoffs of today, [segment, cutoff, ...]; what is the same at every cutoff has one of them.

    `today` [..., population] are the events, positives and negatives at and beyond it by the baseline's score,
    `today_lost` the loss below it; `all` [..., population, bin] and `loss` [..., bin] are the candidate's; `same`
    [..., population] lies beyond the same number by the candidate's score. `effect` [cutoff] is by how much clustering
    widens variances; `pairs` is None where they are not kept; `total` [..., population] are the numbers of events.
    Losses are None where nobody asks for them.
    """

    today: Array
    today_lost: Array | None
    all: Array
    loss: Array | None
    same: Array
    effect: Array
    pairs: Pairs | None
    total: Array

    @property
    def labelled(self) -> Array:
        """Return the number of labelled events."""
        found: Array = self.total[..., POSITIVE] + self.total[..., NEGATIVE]
        return found


class Counts(NamedTuple):
    """What transfer starts from: segments, cutoffs, the candidate's bins, events [segment], and the counts.

    `places` takes names of cutoffs, by how much clustering widens each one's variance, and whether losses are asked for.
    """

    segments: tuple[Segment, ...]
    cutoffs: tuple[str, ...]
    grid: Grid
    sizes: Array
    places: Callable[[Sequence[str], Array, bool], Places]


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

    def places(names: Sequence[str], effects: Array, priced: bool) -> Places:  # noqa: FBT001 - see Counts
        at = [found.cutoffs.index(name) for name in names]
        n = np.moveaxis(found.n[:, at], -1, -2)
        loss = squares = None
        if priced:
            positive, amount = n[..., POSITIVE, :], found.amount[:, at]
            loss = fixed * positive + times * amount
            squares = fixed**2 * positive + 2 * fixed * times * amount + times**2 * found.amount2[:, at]
        every = n[:, :1].sum(2)
        return Places(
            n[:, :, REACHED].sum(-1),
            None if loss is None else loss[:, :, BELOW].sum(-1),
            every,
            None if loss is None else loss[:, :1].sum(2),
            found.beyond[:, at],
            effects,
            Pairs(n, loss, squares),
            every.sum(-1),
        )

    sizes = found.n[:, 0, ..., EVERYONE].sum((-2, -1)) if found.cutoffs else np.zeros(len(found.segments))
    return Counts(found.segments, found.cutoffs, found.grid, sizes, places)


def _apart(view: View, by: tuple[str, ...]) -> Counts:
    """Return counts of each version's score alone."""
    cells, (fixed, times) = view.cells(*by), prices(view)
    whole = cells.whole

    def places(names: Sequence[str], effects: Array, priced: bool) -> Places:  # noqa: FBT001 - see Counts
        at = [cells.cutoffs.index(name) for name in names]
        caught, labelled = whole.above_positive[..., at], whole.above_labelled[..., at]
        beyond = np.stack([whole.above[..., at], caught, labelled - caught], axis=-1)
        loss = below = None
        if priced:
            loss = fixed * whole.positive + times * whole.positive_amount
            below = loss[:, 0, None].sum(-1) - fixed * caught[:, 0] - times * whole.above_amount[:, 0, at]
        every = np.stack([whole.n[:, 1], whole.positive[:, 1], whole.negative[:, 1]], axis=-2)[:, None]
        loss = None if loss is None else loss[:, 1, None]
        return Places(beyond[:, 0], below, every, loss, beyond[:, 1], effects, None, every.sum(-1))

    sizes = whole.n[:, 1].sum(-1) if cells.segments else np.zeros(0)
    return Counts(cells.segments, cells.cutoffs, whole.grid, sizes, places)

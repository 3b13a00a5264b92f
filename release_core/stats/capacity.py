"""Costs and reviews per bin of all segments in; the cutoffs that fit a shared review capacity, and its price, out.

Every review costs `price` more; the price at which the cheapest pairs of cutoffs just fit the capacity is what one
more review would be worth (METHODS d6). All segments then see the same marginal value, not the same alert rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Indices, at_or_above, floats
from release_core.stats.cutoff_pairs import BOTH, ActionCosts, Pair, cheapest, moves

_MOST_STEPS = 60
_TINY = 1e-9


class Shared(NamedTuple):
    """Cutoffs that fit: edges [segments], their reviews and cost, what one more review is worth, what was left.

    `reviews` [segments] are at most `capacity` together. `wanted` are the reviews without a limit. `bound` is the least
    cost of any mix of cutoffs that fits: whole bins may leave a little capacity unused, and cost that much more.
    """

    review: Indices
    block: Indices
    reviews: Array
    cost: float
    price: float
    wanted: float
    bound: float


class _Answer(NamedTuple):
    """What the segments do at one price: their pairs, their reviews and costs (without the price)."""

    pair: Pair
    reviews: Array
    costs: Array

    @property
    def point(self) -> tuple[float, float]:
        return float(self.reviews.sum()), float(self.costs.sum())


def within_capacity(costs: ActionCosts, work: ArrayLike, capacity: float, which: str = BOTH) -> Shared:
    """Return the cheapest cutoffs of all segments together whose reviews are at most `capacity`.

    Costs and reviews trade along a convex curve, one price per piece. From its two ends the search goes to the price
    of the line between them, until no pair lies below that line: exact, in a few steps. At that price the segments
    that are indifferent review more while it fits.

    Args:
        costs: what each bin costs by action [segments, B], in the time for which the capacity is given.
        work: how many reviews each bin is [segments, B], in the same time.
        capacity: the reviews that can be done.
        which: the cutoffs that there are, see cutoff_pairs.
    """
    load = floats(work)
    free, none = _answer(costs, load, 0.0, which), _answer(costs, load, np.inf, which)
    wanted = float(free.reviews.sum())
    if wanted <= capacity + _TINY:
        return _shared(free, 0.0, wanted, float(free.costs.sum()))
    more, less = free, none
    price = 0.0
    for _ in range(_MOST_STEPS):
        (w1, c1), (w0, c0) = more.point, less.point
        price = (c0 - c1) / (w1 - w0)
        middle = _answer(costs, load, price, which)
        w, c = middle.point
        if c + price * w >= c1 + price * w1 - _TINY * (1 + abs(c1)):
            break
        more, less = (more, middle) if w <= capacity else (middle, less)
    bound = less.point[1] - price * (capacity - less.point[0])
    return _shared(_filled(less, more, capacity), price, wanted, bound)


def _answer(costs: ActionCosts, work: Array, price: float, which: str) -> _Answer:
    """Return what is cheapest when every review costs `price` more; at an infinite price nothing is reviewed."""
    blocked = which == BOTH
    if np.isinf(price):
        # A pair that reviews nothing: approve below one edge, block from it on, or approve all.
        single = cheapest(moves(costs), "block")
        none = np.full(costs.approve.shape[:-1], costs.approve.shape[-1])
        edge = single.block if blocked else none
        pair = Pair(edge, edge, single.cost)
    else:
        pair = cheapest(moves(costs._replace(review=costs.review + price * work)), which)
    reviews = _between(work, pair)
    return _Answer(pair, reviews, _cost(costs, pair))


def _between(values: Array, pair: Pair) -> Array:
    """Return the sum of `values` [..., B] from the review to the block cutoff."""
    sums = at_or_above(values)
    first, second = (np.take_along_axis(sums, edge[..., None], axis=-1)[..., 0] for edge in (pair.review, pair.block))
    return floats(first - second)


def _cost(costs: ActionCosts, pair: Pair) -> Array:
    everything = np.zeros_like(pair.review)
    last = np.full_like(pair.block, costs.approve.shape[-1])
    return (
        _between(costs.approve, Pair(everything, pair.review, pair.cost))
        + _between(costs.review, pair)
        + _between(costs.block, Pair(pair.block, last, pair.cost))
    )


def _filled(less: _Answer, more: _Answer, capacity: float) -> _Answer:
    """Return `less` with the segments that gain nothing or something by `more` moved to it while the capacity lasts."""
    extra = more.reviews - less.reviews
    left = capacity - float(less.reviews.sum())
    review, block = less.pair.review.copy(), less.pair.block.copy()
    reviews, costs = less.reviews.copy(), less.costs.copy()
    for place in np.argsort(-extra).tolist():
        if 0 < extra[place] <= left + _TINY and more.costs[place] <= costs[place]:
            left -= float(extra[place])
            review[place], block[place] = more.pair.review[place], more.pair.block[place]
            reviews[place], costs[place] = more.reviews[place], more.costs[place]
    return _Answer(Pair(review, block, costs), reviews, costs)


def _shared(answer: _Answer, price: float, wanted: float, bound: float) -> Shared:
    pair = answer.pair
    return Shared(pair.review, pair.block, answer.reviews, float(answer.costs.sum()), price, wanted, bound)

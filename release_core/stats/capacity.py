"""Costs and reviews per bin of all segments in; the cutoffs that fit a shared review capacity, and its price, out.

Every review costs `price` more; the price at which the cheapest pairs of cutoffs just fit the capacity is what one
more review would be worth (METHODS d6). All segments then see the same marginal value, not the same alert rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Indices
from release_core.stats.cutoff_pairs import BLOCK, BOTH, ActionCosts, Moves, Pair, at, cheapest, cost_at, moves
from release_core.stats.cutoffs import below_edges

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
    """What the segments do at one price: their pairs, their reviews and costs (without the price), and the sums of both."""

    pair: Pair
    reviews: Array
    costs: Array
    point: tuple[float, float]


def within_capacity(costs: ActionCosts, work: ArrayLike, capacity: float, which: str = BOTH) -> Shared:
    """Return the cheapest cutoffs of all segments together whose reviews are at most `capacity`; see `Frontier`."""
    return Frontier(moves(costs), work, which).within(capacity)


class Frontier:
    """What reviews buy: the cheapest cutoffs of all segments together, for any capacity.

    Costs and reviews trade along a convex curve, one price per piece. For a capacity the search goes from the two nearest
    points that are known to the price of the line between them, until no pair lies below that line: exact, in a few steps,
    and fewer for every further capacity. At that price the segments that are indifferent review more while it fits.
    """

    def __init__(self, parts: Moves, work: ArrayLike, which: str = BOTH) -> None:
        """Take what cutoffs cost and what the bins are as work.

        Args:
            parts: the parts of the cost of every pair [segments, B + 1], in the time for which capacities are given.
            work: how many reviews each bin is [segments, B], in the same time.
            which: the cutoffs that there are, see cutoff_pairs.
        """
        self._which, self._parts, self._below = which, parts, below_edges(work)
        self._known: dict[float, _Answer] = {}

    def within(self, capacity: float) -> Shared:
        """Return the cheapest cutoffs whose reviews are at most `capacity`."""
        free, none = self._answer(0.0), self._answer(np.inf)
        wanted, least = free.point
        if wanted <= capacity + _TINY:
            return _shared(free, 0.0, wanted, least)
        # What is reviewed falls as the price rises: of what is known, the nearest on either side of the capacity.
        priced = sorted(self._known.items())
        more = next(answer for _, answer in reversed(priced) if answer.point[0] > capacity)
        less = next((answer for _, answer in priced if answer.point[0] <= capacity), none)
        price = 0.0
        for _ in range(_MOST_STEPS):
            (w1, c1), (w0, c0) = more.point, less.point
            price = (c0 - c1) / (w1 - w0)
            middle = self._answer(price)
            w, c = middle.point
            if c + price * w >= c1 + price * w1 - _TINY * (1 + abs(c1)):
                break
            more, less = (more, middle) if w <= capacity else (middle, less)
        bound = less.point[1] - price * (capacity - less.point[0])
        return _shared(_filled(less, more, capacity), price, wanted, bound)

    def _answer(self, price: float) -> _Answer:
        """Return what is cheapest when every review costs `price` more; at an infinite price nothing is reviewed."""
        if price not in self._known:
            pair = self._nothing() if np.isinf(price) else self._priced(price)
            reviews = at(self._below, pair.block) - at(self._below, pair.review)
            cost = cost_at(self._parts, pair.review, pair.block)
            self._known[price] = _Answer(pair, reviews, cost, (float(reviews.sum()), float(cost.sum())))
        return self._known[price]

    def _priced(self, price: float) -> Pair:
        """Return the cheapest pairs; dearer reviews lower what the review cutoff saves and raise what the block cutoff does."""
        dearer = price * self._below
        return cheapest(Moves(self._parts.review - dearer, self._parts.block + dearer), self._which)

    def _nothing(self) -> Pair:
        """Return the cheapest pairs that review nothing: approve below one edge, block from it on, or approve all."""
        single = cheapest(self._parts, BLOCK)
        edge = single.block if self._which == BOTH else np.full(single.block.shape, self._below.shape[-1] - 1)
        return Pair(edge, edge, single.cost)


def _filled(less: _Answer, more: _Answer, capacity: float) -> _Answer:
    """Return `less` with the segments that gain nothing or something by `more` moved to it while the capacity lasts."""
    extra = more.reviews - less.reviews
    left = capacity - less.point[0]
    review, block = less.pair.review.copy(), less.pair.block.copy()
    reviews, costs = less.reviews.copy(), less.costs.copy()
    for place in np.argsort(-extra).tolist():
        if 0 < extra[place] <= left + _TINY and more.costs[place] <= costs[place]:
            left -= float(extra[place])
            review[place], block[place] = more.pair.review[place], more.pair.block[place]
            reviews[place], costs[place] = more.reviews[place], more.costs[place]
    return _Answer(Pair(review, block, costs), reviews, costs, (float(reviews.sum()), float(costs.sum())))


def _shared(answer: _Answer, price: float, wanted: float, bound: float) -> Shared:
    pair = answer.pair
    return Shared(pair.review, pair.block, answer.reviews, answer.point[1], price, wanted, bound)

"""Positives, negatives and amounts per bin in; what every pair of a review and a block cutoff costs out.

Events below the review cutoff are approved, those from the block cutoff on are blocked, those between are reviewed.
Bins are on the last axis, [..., B], from safest to riskiest; a cutoff is an edge from 0 (all) to B (none). The cost of
a pair is the sum of a part for each of its cutoffs, so the cheapest of all B x B pairs is found in one pass.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from release_core.stats import intervals
from release_core.stats.arrays import Array, Flags, Indices, floats, ratio
from release_core.stats.cutoffs import UnitCosts, below_edges, cheapest_edge

if TYPE_CHECKING:
    from collections.abc import Sequence

# Which cutoffs there are: both, or one of them (review alone: nothing is blocked; block alone: nothing is reviewed).
BOTH, REVIEW, BLOCK = "both", "review", "block"


class ActionCosts(NamedTuple):
    """What the events of each bin cost [..., B] if they are approved, reviewed or blocked."""

    approve: Array
    review: Array
    block: Array


class Moves(NamedTuple):
    """The parts [..., B + 1] of the cost: a pair (r, b) costs review[r] + block[b] (METHODS d4 for both at once)."""

    review: Array
    block: Array


class Pair(NamedTuple):
    """A review and a block cutoff as edges, and what they cost."""

    review: Indices
    block: Indices
    cost: Array


def by_action(positive: ArrayLike, negative: ArrayLike, amount: ArrayLike, costs: UnitCosts) -> ActionCosts:
    """Return what each bin costs by action (METHODS d1); `amount` is that of its positives.

    >>> costs = by_action([1.0], [9.0], [100.0], UnitCosts(5.0, 2.0, 0.0, 0.9, 0.8, 0.5))
    >>> [part.round(1).item() for part in costs]
    [90.0, 42.5, 45.0]
    """
    pos, neg = floats(positive), floats(negative)
    wrong, review, missed, times, detection, friction = (
        floats(unit)[..., None]
        for unit in (
            *(costs.false_positive, costs.review, costs.false_negative),
            *(costs.amount_times, costs.detection, costs.friction),
        )
    )
    loss = missed * pos + times * floats(amount)
    return ActionCosts(loss, review * (pos + neg) + (1 - detection) * loss + friction * neg, wrong * neg + 0 * loss)


def moves(costs: ActionCosts) -> Moves:
    """Return the two parts of the cost of every pair of cutoffs.

    >>> parts = moves(ActionCosts(np.array([1.0, 9]), np.array([2.0, 2]), np.array([8.0, 1])))
    >>> parts.review[1] + parts.block[1], parts.review[1] + parts.block[2]
    (np.float64(2.0), np.float64(3.0))
    """
    review = below_edges(costs.approve - costs.review)
    block = below_edges(costs.review - costs.block) + costs.block.sum(axis=-1, keepdims=True)
    return Moves(review, block)


def running(positive: ArrayLike, negative: ArrayLike, amount: ArrayLike) -> Array:
    """Return [3, ..., B + 1]: positives, negatives and the positives' amount below each edge, from those of each bin [..., B].

    >>> running([1.0, 2.0], [9.0, 5.0], [100.0, 50.0])[:, 1]
    array([  1.,   9., 100.])
    """
    kinds = np.broadcast_arrays(floats(positive), floats(negative), floats(amount))
    sums = np.zeros((len(kinds), *kinds[0].shape[:-1], kinds[0].shape[-1] + 1))
    for kind, below in zip(kinds, sums, strict=True):
        np.cumsum(kind, axis=-1, out=below[..., 1:])
    return sums


def priced(sums: Array, costs: UnitCosts) -> Moves:
    """Return the parts of the cost of every pair of cutoffs from `running` sums, at costs that are single numbers.

    The same as `moves` of `by_action`, in fewer steps: what an event costs adds, so sums are multiplied and not bins.

    >>> parts = priced(running([1.0], [9.0], [100.0]), UnitCosts(5.0, 2.0, 0.0, 0.9, 0.8, 0.5))
    >>> parts.review[1] + parts.block[1], (parts.review[0] + parts.block[1]).round(1)
    (np.float64(90.0), np.float64(42.5))
    """
    review, block = priced_each(sums, [costs])
    return Moves(review[0], block[0])


def priced_each(sums: Array, many: Sequence[UnitCosts]) -> Moves:
    """Return the same at each of several costs, [costs, ..., B + 1]."""
    weights = np.concatenate([_weights(costs) for costs in many], axis=1).reshape(-1, len(sums))
    review, block = (weights @ sums.reshape(len(sums), -1)).reshape(2, len(many), *sums.shape[1:])
    # Blocking all costs what its negatives cost.
    wrong = np.array([floats(costs.false_positive) for costs in many]).reshape(-1, *[1] * (sums.ndim - 1))
    return Moves(review, block + wrong * sums[1, ..., -1:])


@lru_cache(maxsize=64)
def _weights(costs: UnitCosts) -> Array:
    """Return what a positive, a negative and a unit of amount below the review and the block cutoff add, [2, 1, 3]."""
    positive, negative, amount = np.eye(3)
    one = by_action(positive, negative, amount, costs)
    return np.stack([one.approve - one.review, one.review - one.block])[:, None]


def cheapest(parts: Moves, which: str = BOTH) -> Pair:
    """Return the pair of least cost with review <= block; of equal ones that which intervenes least.

    Where a cost is not known the least one is NaN, and the edges say nothing.

    >>> cheapest(moves(ActionCosts(np.array([1.0, 9]), np.array([2.0, 2]), np.array([8.0, 1]))))
    Pair(review=np.int64(1), block=np.int64(1), cost=array(2.))
    """
    edges = parts.review.shape[-1]
    if which == BLOCK:
        edge, cost = cheapest_edge(parts.review + parts.block)
        return Pair(edge, edge, cost)
    least = np.minimum.accumulate(parts.review, axis=-1)
    block = np.full(parts.review.shape[:-1], edges - 1) if which == REVIEW else cheapest_edge(least + parts.block)[0]
    reached = at(least, block)[..., None]
    room = 1e-12 * np.abs(reached)
    wanted = (parts.review <= reached + room) & (np.arange(edges) <= block[..., None])
    review = edges - 1 - wanted[..., ::-1].argmax(axis=-1)
    return Pair(review, block, cost_at(parts, review, block))


def cost_at(parts: Moves, review: ArrayLike, block: ArrayLike) -> Array:
    """Return what pairs of edges [...] cost."""
    return floats(at(parts.review, review) + at(parts.block, block))


def at(values: NDArray[Any], edges: ArrayLike) -> NDArray[Any]:
    """Return the values [..., K] at one edge [...] each.

    >>> at(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 0])
    array([2., 3.])
    """
    starts = np.arange(0, values.size, values.shape[-1]).reshape(values.shape[:-1])
    found: NDArray[Any] = values.reshape(-1)[starts + np.asarray(edges, dtype=np.int64)]
    return found


def moving(parts: Moves, pair: Pair, which: str, edges: Indices | None = None) -> Array:
    """Return the cost [..., B + 1] of moving one cutoff of a pair with the other held; infinity where they would cross.

    `which` is REVIEW, BLOCK, or BOTH for two that move together; `edges` are those to which it is moved (None: all).

    >>> parts = moves(ActionCosts(np.array([1.0, 9]), np.array([2.0, 2]), np.array([8.0, 1])))
    >>> moving(parts, cheapest(parts), REVIEW)
    array([ 3.,  2., inf])
    """
    to = np.arange(parts.review.shape[-1]) if edges is None else edges
    review, block = parts if edges is None else (part[..., edges] for part in parts)
    if which == BOTH:
        return floats(review + block)
    if which == REVIEW:
        return np.where(to > pair.block[..., None], np.inf, review + at(parts.block, pair.block)[..., None])
    return np.where(to < pair.review[..., None], np.inf, block + at(parts.review, pair.review)[..., None])


def lowest_alike(edges: ArrayLike, events: ArrayLike) -> Indices:
    """Return the lowest edges that part the same events as `edges` [...], `events` [..., B] being those of each bin.

    A cutoff in a gap may lie anywhere in it: what is cheapest names the upper end, this the lower one. A bin whose events
    are not known is no gap.

    >>> int(lowest_alike(4, [3.0, 0.0, 1.0, 0.0]))
    3
    """
    filled = np.where(floats(events) != 0, np.arange(1, np.shape(events)[-1] + 1), 0)
    before = np.concatenate([np.zeros((*filled.shape[:-1], 1), np.int64), np.maximum.accumulate(filled, -1)], axis=-1)
    found: Indices = at(before, edges)
    return found


def indistinguishable(cost: ArrayLike, left_out: ArrayLike, used: ArrayLike) -> Flags:
    """Return at which edges [..., K] the cost is not distinguishable from the least (METHODS d7).

    By the paired delete-a-group jackknife: the 95% interval of the difference to the cheapest edge reaches 0.

    Args:
        cost: mean cost per event at every edge [..., K]; infinity where an edge is not allowed.
        left_out: the same without each of the shards, [..., S, K].
        used: [..., S] the shards that hold evaluated events. Nothing is known with fewer than 20: all False.
    """
    values, without = floats(cost), floats(left_out)
    place, allowed = cheapest_edge(values)[0], np.isfinite(values)
    values, without = np.where(allowed, values, 0.0), np.where(allowed[..., None, :], without, 0.0)
    change = values - at(values, place)[..., None]
    without -= at(without, place[..., None])[..., None]
    shards = np.asarray(used, dtype=bool)
    spread = intervals.jackknife(change, without, shards[..., None], axis=-2)
    # One quantile for all edges: they have the same shards.
    reach = intervals.critical(0.95, df=shards.sum(axis=-1) - 1.0)[..., None] * spread.se
    return np.where(np.isnan(reach), np.False_, change <= reach) & allowed


def spread_of_optima(left_out: ArrayLike, used: ArrayLike) -> list[list[tuple[int, int]]]:
    """Return for each row (edge, how often) of the cheapest edge without each used shard, rising: there may be several peaks.

    A shard without which no cost is known does not count.

    Args:
        left_out: cost at every edge without each of the shards, [rows, S, K].
        used: [rows, S] the shards that hold evaluated events.
    """
    (best, least), edges = cheapest_edge(left_out), np.shape(left_out)[-1]
    row, shard = np.nonzero(np.asarray(used, dtype=bool) & ~np.isnan(least))
    found: list[list[tuple[int, int]]] = [[] for _ in best]
    keys, often = np.unique(row * edges + best[row, shard], return_counts=True)
    for key, n in zip(keys.tolist(), often.tolist(), strict=True):
        found[key // edges].append((key % edges, n))
    return found


def mean_cost(total: ArrayLike, events: ArrayLike) -> Array:
    """Return total [..., K] per event, `events` being [...]; NaN where there are none."""
    return ratio(total, floats(events)[..., None])

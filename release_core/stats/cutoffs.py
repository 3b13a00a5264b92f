"""Sweeps over cutoffs and costs in; cost curves, the best cutoff with its plateau, closed-form cutoffs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, Indices, at_or_above, floats, ratio
from release_core.stats.ranking import Sweep


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Costs per event; a missed positive costs `false_negative` + `amount_times` x its amount."""

    false_positive: ArrayLike = 0.0
    review: ArrayLike = 0.0
    false_negative: ArrayLike = 0.0
    amount_times: ArrayLike = 0.0


class Optimum(NamedTuple):
    """The cheapest cutoff as a bin edge, its cost, the plateau around it, and whether it is alert all or alert none."""

    bin: Indices
    cost: Array
    plateau_low: Indices
    plateau_high: Indices
    at_end: Flags


class ClosedForm(NamedTuple):
    """Cutoffs on a calibrated probability: review from the first, block from the second; equal: no review band."""

    review: Array
    block: Array


def expected_cost(sweep: Sweep, costs: UnitCosts, missed_amount: ArrayLike = 0.0) -> Array:
    """Return the total cost [..., B + 1] when the alert starts at each bin edge (METHODS d4).

    Every alert costs `review`, a negative alert also `false_positive`; positives below the cutoff cost
    `false_negative` each and `amount_times` x `missed_amount` [..., B + 1], their summed amount at each edge.

    >>> two = Sweep(np.array([2.0, 1, 0]), np.array([3.0, 0, 0]), np.array([0.0, 1, 2]), np.array([0.0, 3, 3]))
    >>> expected_cost(two, UnitCosts(false_positive=1.0, review=0.5, false_negative=10.0))
    array([ 5.5, 10.5, 20. ])
    """
    false_positive, review, false_negative, times = (
        floats(unit)[..., None]
        for unit in (costs.false_positive, costs.review, costs.false_negative, costs.amount_times)
    )
    alerts = review * (sweep.tp + sweep.fp) + false_positive * sweep.fp
    return alerts + false_negative * sweep.fn + times * floats(missed_amount)


def action_cost(
    counts: ArrayLike, missed_amount: ArrayLike, costs: UnitCosts, places: tuple[int, int], detection: float = 1.0
) -> Array:
    """Return the total cost [...] of actions taken (METHODS d1): reviews, wrong blocks, and positives that get through.

    Args:
        counts: labelled events [..., action, population]; the populations are all, positive, negative.
        missed_amount: amount of the approved positives [...].
        costs: unit costs; every event that is neither approved nor blocked costs a review.
        places: the places of approve and of block among the actions.
        detection: the share of reviewed positives that the review finds; the others get through, by count alone.

    >>> seen = np.array([[0, 2, 90], [0, 3, 4], [0, 5, 1]])
    >>> action_cost(seen, 100.0, UnitCosts(10.0, 2.0, 1.0, 0.5), (0, 2)).item()
    76.0
    """
    by_class, (approve, block) = floats(counts), places
    positive, negative = by_class[..., 1], by_class[..., 2]
    labelled = positive + negative
    reviewed = labelled.sum(-1) - labelled[..., approve] - labelled[..., block]
    looked_at = positive.sum(-1) - positive[..., approve] - positive[..., block]
    wrong = floats(costs.false_positive) * negative[..., block] + floats(costs.review) * reviewed
    missed = positive[..., approve] + (1 - detection) * looked_at
    return wrong + floats(costs.false_negative) * missed + floats(costs.amount_times) * floats(missed_amount)


def below_edges(sums: ArrayLike) -> Array:
    """Return [..., B + 1]: the sum of the bins below each edge, such as the positive amount missed there.

    >>> below_edges([1, 2, 3])
    array([0., 1., 3., 6.])
    """
    alerted = at_or_above(sums)
    return alerted[..., :1] - alerted


def value_recall(positive_amount: ArrayLike) -> Array:
    """Return [..., B + 1]: the share of the positives' amount that is alerted at each bin edge; NaN without amount.

    >>> value_recall([1, 2, 5])
    array([1.   , 0.875, 0.625, 0.   ])
    """
    caught = at_or_above(positive_amount)
    return ratio(caught, caught[..., :1])


def optimum(cost: ArrayLike, tolerance: float = 0.01) -> Optimum:
    """Return the cutoff of least cost; of equal ones the highest, since it alerts least.

    The plateau is the unbroken run of edges around it whose cost is within `tolerance` of the minimum.

    >>> best = optimum([5.5, 3.0, 3.02, 3.0, 20.0])
    >>> int(best.bin), int(best.plateau_low), int(best.plateau_high)
    (3, 1, 3)
    """
    costs = floats(cost)
    edges = costs.shape[-1]
    least = costs.min(axis=-1)
    room = np.abs(least)[..., None]
    best = edges - 1 - (costs <= least[..., None] + 1e-12 * room)[..., ::-1].argmax(axis=-1)
    outside = costs > least[..., None] + tolerance * room
    positions = np.arange(edges)
    before = np.where(outside & (positions < best[..., None]), positions, -1).max(axis=-1)
    after = np.where(outside & (positions > best[..., None]), positions, edges).min(axis=-1)
    return Optimum(best, least, before + 1, after - 1, (best == 0) | (best == edges - 1))


def least_cost_bound(cost: ArrayLike, relief: ArrayLike) -> Array:
    """Return a floor under the least cost of any cutoff, also one inside a bin (METHODS 0.10).

    `relief` [..., B] is what the positives of each bin cost when missed; 0 for a bin of one score.

    >>> least_cost_bound([5.0, 4.0, 6.0], [0.0, 3.0]).item()
    3.0
    """
    costs = floats(cost)
    return floats(np.minimum(costs.min(axis=-1), (costs[..., 1:] - floats(relief)).min(axis=-1)))


def two_actions(false_positive: ArrayLike, loss: ArrayLike) -> Array:
    """Return the probability from which an alert pays: c_fp / (c_fp + loss) (Elkan 2001); NaN where both are 0.

    >>> two_actions(5.0, 45.0).item()
    0.1
    """
    return ratio(false_positive, floats(false_positive) + floats(loss))


def three_actions(
    loss: ArrayLike, block: ArrayLike, review: ArrayLike, detection: ArrayLike, friction: ArrayLike = 0.0
) -> ClosedForm:
    """Return from which calibrated probability to review and from which to block (METHODS d3).

    `loss` of an approved positive, `block` cost of a blocked negative, cost of a `review`, which finds a positive
    with probability `detection` and costs a negative `friction`. Where no probability makes a review the cheapest
    action, both are block / (block + loss).

    >>> [cutoff.round(4).item() for cutoff in three_actions(100.0, 20.0, 3.0, 0.8)]
    [0.0375, 0.425]
    >>> [cutoff.round(4).item() for cutoff in three_actions(100.0, 20.0, 3.0, 0.0)]
    [0.1667, 0.1667]
    """
    value, insult, effort, found, bother = (floats(part) for part in (loss, block, review, detection, friction))
    first = ratio(effort + bother, value * found + bother)
    second = ratio(insult - effort - bother, value * (1 - found) + insult - bother)
    single = two_actions(insult, value)
    band = (first < second) & (insult > effort + bother)
    return ClosedForm(np.where(band, first, single), np.where(band, np.minimum(second, 1.0), single))

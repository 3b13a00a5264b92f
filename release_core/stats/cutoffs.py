"""Costs and counts in; the cost of actions, the best cutoff of a curve with its plateau, closed-form cutoffs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, Indices, at_or_above, floats, ratio

if TYPE_CHECKING:
    from release_core.release import Costs


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Costs per event (METHODS d1): a blocked negative costs `false_positive`, every review `review`.

    A positive that gets through costs `false_negative` + `amount_times` x its amount. A review finds a positive with
    probability `detection`, and costs a negative `friction` beside the review itself.
    """

    false_positive: ArrayLike = 0.0
    review: ArrayLike = 0.0
    false_negative: ArrayLike = 0.0
    amount_times: ArrayLike = 0.0
    detection: ArrayLike = 1.0
    friction: ArrayLike = 0.0


def unit_costs(costs: Costs) -> UnitCosts:
    """Return the costs that a manifest declares; what it leaves out costs nothing."""
    return UnitCosts(
        costs.false_positive or 0.0,
        costs.review or 0.0,
        costs.false_negative or 0.0,
        costs.amount_times or 0.0,
        costs.review_detection,
        costs.friction,
    )


class Optimum(NamedTuple):
    """The cheapest cutoff as a bin edge, its cost, the plateau around it, and whether it is alert all or alert none."""

    bin: Indices
    cost: Array
    plateau_low: Indices
    plateau_high: Indices
    at_end: Flags


class Outcomes(NamedTuple):
    """What actions led to [...]: negatives blocked; positives `found` by reviews, negatives `bothered` by them; positives missed.

    The amounts are those of the positives missed, and of those reviewed.
    """

    blocked: Array | float
    found: Array | float
    bothered: Array | float
    missed: Array | float
    missed_amount: Array | float
    found_amount: Array | float


class ClosedForm(NamedTuple):
    """Cutoffs on a calibrated probability: review from the first, block from the second; equal: no review band."""

    review: Array
    block: Array


def action_cost(
    counts: ArrayLike,
    missed_amount: ArrayLike,
    costs: UnitCosts,
    places: tuple[int, int],
    reviewed_amount: ArrayLike = 0.0,
) -> Array:
    """Return the total cost [...] of actions taken (METHODS d1): reviews, wrong blocks, and positives that get through.

    Args:
        counts: labelled events [..., action, population]; the populations are all, positive, negative.
        missed_amount: amount of the approved positives [...].
        costs: unit costs; every event that is neither approved nor blocked costs a review.
        places: the places of approve and of block among the actions.
        reviewed_amount: amount of the reviewed positives [...], which get through as far as reviews do not find them.

    >>> seen = np.array([[0, 2, 90], [0, 3, 4], [0, 5, 1]])
    >>> action_cost(seen, 100.0, UnitCosts(10.0, 2.0, 1.0, 0.5), (0, 2)).item()
    76.0
    """
    by_class, (approve, block) = floats(counts), places
    positive, negative = by_class[..., 1], by_class[..., 2]
    found, bothered = (side.sum(-1) - side[..., approve] - side[..., block] for side in (positive, negative))
    amounts = floats(missed_amount), floats(reviewed_amount)
    return outcome_cost(Outcomes(negative[..., block], found, bothered, positive[..., approve], *amounts), costs)


def outcome_cost(of: Outcomes, costs: UnitCosts) -> Array:
    """Return what outcomes cost in all; they may be plain numbers.

    >>> outcome_cost(Outcomes(1.0, 3.0, 4.0, 2.0, 100.0, 0.0), UnitCosts(10.0, 2.0, 1.0, 0.5)).item()
    76.0
    """
    through = 1 - floats(costs.detection)
    handled = floats(costs.false_positive) * of.blocked + floats(costs.review) * (of.found + of.bothered)
    missed, lost = of.missed + through * of.found, of.missed_amount + through * of.found_amount
    return floats(
        handled
        + floats(costs.friction) * of.bothered
        + floats(costs.false_negative) * missed
        + floats(costs.amount_times) * lost
    )


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

    The plateau is the unbroken run of edges around it whose cost is within `tolerance` of the minimum. Where a cost is not
    known the least one is NaN, and the edges say nothing.

    >>> best = optimum([5.5, 3.0, 3.02, 3.0, 20.0])
    >>> int(best.bin), int(best.plateau_low), int(best.plateau_high)
    (3, 1, 3)
    """
    costs = floats(cost)
    edges = costs.shape[-1]
    best, least = cheapest_edge(costs)
    outside = costs > (least + tolerance * np.abs(least))[..., None]
    positions, place = np.arange(edges), best[..., None]
    # The nearest flag on either side of the best edge; the edges themselves stand where there is none.
    before, after = (outside & (positions < place))[..., ::-1], outside & (positions > place)
    low = np.where(before.any(-1), edges - before.argmax(-1), 0)
    high = np.where(after.any(-1), after.argmax(-1), edges) - 1
    return Optimum(best, least, low, high, (best == 0) | (best == edges - 1))


def cheapest_edge(cost: ArrayLike) -> tuple[Indices, Array]:
    """Return the cutoff of least cost, of equal ones the highest, and that cost: an `optimum` without its plateau.

    Where a cost is not known the least one is NaN, and the edge says nothing.

    >>> [part.tolist() for part in cheapest_edge([5.5, 3.0, 3.02, 3.0, 20.0])]
    [3, 3.0]
    """
    costs = floats(cost)
    least = costs.min(axis=-1)
    near = costs <= (least + 1e-12 * np.abs(least))[..., None]
    return costs.shape[-1] - 1 - near[..., ::-1].argmax(axis=-1), least


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

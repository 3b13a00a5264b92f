"""A choice, costs and a review capacity in; the cutoffs of all segments that share it best out, and its price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core.charts import digits
from release_core.stats import capacity as shared
from release_core.stats import cutoff_pairs
from release_core.stats.arrays import or_zero, ratio
from release_core.views import what_if
from release_core.views.cutoff_optima import moved, optima
from release_core.views.grounds import CANDIDATE
from release_core.views.view import known
from release_core.views.what_if import Stand

if TYPE_CHECKING:
    from release_core.release import Costs
    from release_core.stats.capacity import Shared
    from release_core.views.cutoff_optima import Optima
    from release_core.views.view import View

    Row = dict[str, Any]

_HALVINGS = 14
# By the unit of the steps; hours are put together to days.
PERIODS = {
    "week": "a day in the busiest week",
    "month": "a day in the busiest month",
}
DAY = "on the busiest day"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What sharing a capacity says; `rows` per segment with its cutoffs, `price` of one more review a day."""

    headline: str
    rows: list[Row]
    price: float | None
    reviews: float
    busiest: float | None
    period: str


def within(view: View, by: str, costs: Costs, capacity: float, *, worst: bool = False) -> Capacity:
    """Return the cutoffs of every segment that are cheapest together at `capacity` reviews a day.

    Args:
        view: the choice.
        by: the dimension whose segments share the capacity.
        costs: the unit costs.
        capacity: reviews a day.
        worst: whether the capacity must do on the busiest period too, not only on the mean day.
    """
    best = optima(view, by, costs)
    why = _why_not(view, best)
    if why:
        return Capacity(f"No capacity is shared: {why}", [], None, 0.0, None, "")
    frontier = _frontier(best)
    found = _for_worst(best, frontier, capacity) if worst else frontier.within(capacity)
    reviews, busiest = float(found.reviews.sum()), known(_busiest(best, found))
    unit = PERIODS.get(view.opened.cube.unit, DAY)
    now = what_if.reviews(best.ground, CANDIDATE, what_if.in_force(best.ground, CANDIDATE))
    return Capacity(
        _headline(view, found, (capacity, busiest, unit), costs.currency),
        [_row(best, found, place, known(now[place])) for place in range(len(best.ground.names))],
        known(found.price),
        reviews,
        busiest,
        unit,
    )


def _why_not(view: View, best: Optima) -> str:
    """Return why there is nothing to share, if so."""
    if not best.ground.names or not view.days:
        return "there is no event."
    if best.which == cutoff_pairs.BLOCK:
        return "nothing is reviewed: the cutoff table has no review cutoff."
    if not any(best.ground.told):
        return "no event has a mature label, so what a review is worth is not known."
    return ""


def _frontier(best: Optima) -> shared.Frontier:
    ground, days, side = best.ground, best.ground.view.days, best.ground.sides[CANDIDATE]
    work = ground.whole.n[:, CANDIDATE] / days
    # Costs are of labelled events: as many more as there are events, and per day.
    scale = or_zero(ratio(work.sum(-1), side.events))[:, None]
    parts = cutoff_pairs.priced(side.expected * scale, best.units)
    return shared.Frontier(parts, work, best.which)


def _for_worst(best: Optima, frontier: shared.Frontier, capacity: float) -> Shared:
    """Return the largest mean capacity whose cutoffs need no more than `capacity` in the busiest period."""
    known: dict[tuple[bytes, bytes], float] = {}

    def fits(found: Shared) -> bool:
        """Return whether the cutoffs do; many capacities have the same ones."""
        cutoffs = found.review.tobytes(), found.block.tobytes()
        if cutoffs not in known:
            known[cutoffs] = _busiest(best, found)
        return known[cutoffs] <= capacity

    found = frontier.within(capacity)
    if fits(found):
        return found
    low, high = 0.0, capacity
    found = frontier.within(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = frontier.within(middle)
        if fits(tried):
            low, found = middle, tried
        else:
            high = middle
    return found


def _busiest(best: Optima, found: Shared) -> float:
    stands = [
        (place, CANDIDATE, Stand(int(found.review[place]), int(found.block[place])))
        for place in range(len(best.ground.names))
    ]
    return what_if.busiest(best.ground, stands)


def _row(best: Optima, found: Shared, place: int, now: float | None) -> Row:
    ground = best.ground
    edges = {"review": int(found.review[place]), "block": int(found.block[place])}
    at = {action: ground.edges[edges[action]] for action in moved(best.which)}
    return {
        "segment": ground.names[place],
        "review": at.get("review"),
        "block": at.get("block"),
        "now": what_if.in_force_scores(ground, place, CANDIDATE),
        "reviews": float(found.reviews[place]),
        "reviews_now": now,
        "margin": known(what_if.margin(ground, place, CANDIDATE, edges["review"])),
    }


def _headline(view: View, found: Shared, told: tuple[float, float | None, str], currency: str) -> str:
    capacity, busiest, unit = told
    reviews, money = float(found.reviews.sum()), currency or "money units"
    peak = "" if busiest is None else f" They would be {digits.number(busiest)} {unit}."
    if found.price <= 0:
        return (
            f"The capacity of {digits.number(capacity)} reviews a day does not bind in {view.place}: the cheapest cutoffs need "
            f"{digits.number(reviews)}.{peak}"
        )
    return (
        f"At {digits.number(reviews)} of {digits.number(capacity)} reviews a day, one more would be worth "
        f"{digits.number(found.price)} {money}; without a limit the cheapest cutoffs would need {digits.number(found.wanted)}.{peak}"
    )

"""A choice and costs in; the cheapest cutoffs of every segment out: how sure they are, and what speaks against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.charts import digits
from release_core.memory import of_cube
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import cutoff_pairs
from release_core.stats import cutoffs as costing
from release_core.stats.arrays import ratio
from release_core.views import what_if
from release_core.views.grounds import CANDIDATE, FEW, OWN_FROM, Grounds, cutoffs_there, grounds
from release_core.views.view import known, shown_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array
    from release_core.release import Costs
    from release_core.stats.cutoff_pairs import Moves, Pair
    from release_core.views.view import View

    Row = dict[str, Any]

MATURE = 0.95
NORMAL = 1.959964
FACTORS = (0.5, 2.0)
# What an analyst may change, and how sensitivity names it; a lost positive is its fixed part and its amount together.
VARIED = {
    "false_positive": "Blocking a good event",
    "review": "A review",
    "loss": "A bad event let through",
    "friction": "Friction of a review for a good event",
    "missed": "Bad events that reviews miss",
}


@dataclass(frozen=True, eq=False)
class Optima:
    """Cheapest pairs [segment, version]: `counted` from the labelled events, `advised` by calibrated chances.

    `counted_parts` and `advised_parts` are the costs of all pairs, `low` and `high` the unbroken range of each action's
    cutoff whose counted cost is within 1% of the least; `ends` returns a version's pairs [segment] as advised at both ends
    of the chances' 95% intervals; `alike` is what the jackknife cannot tell from it (see `Alike`).
    """

    ground: Grounds
    units: costing.UnitCosts
    which: str
    counted_parts: Moves
    advised_parts: Moves
    counted: Pair
    advised: Pair
    ends: Callable[[int], tuple[Pair, Pair]]
    low: dict[str, Array]
    high: dict[str, Array]
    alike: dict[str, Alike]

    @cached_property
    def costs(self) -> tuple[Array, Array]:
        """Return what the advised pairs and the counted ones cost per 1,000 labelled events, [segment, version], as counted."""
        advised, counted = (
            self.ground.per_thousand(cutoff_pairs.cost_at(self.counted_parts, pair.review, pair.block))
            for pair in (self.advised, self.counted)
        )
        return advised, counted


class Flat(NamedTuple):
    """Of one version's score: flags [segment, edge] of the cutoffs not to be told from the cheapest, which is `best` [segment].

    `peaks` counts, for each segment, the cheapest edges without each shard.
    """

    flags: Array
    best: Array
    peaks: list[list[tuple[int, int]]]


@dataclass(frozen=True, eq=False)
class Alike:
    """Cutoffs of an action not to be told from the cheapest, on the shards' grid with the scores of its edges.

    `of` returns those of a version; they are computed when they are first asked for.
    """

    edges: list[float]
    of: Callable[[int], Flat]

    def peaks(self, place: int, version: int) -> list[tuple[float, int]]:
        """Return the scores that are cheapest without one of the shards, and for how many shards."""
        return [(self.edges[edge], n) for edge, n in self.of(version).peaks[place]]

    def run(self, place: int, version: int) -> tuple[float, float] | None:
        """Return the range of them, up to the nearest edges beyond that are clearly dearer; None where the shards do not tell.

        The cost of few events has several valleys: the unbroken range around the cheapest held the truth in 8 of 10 logs.
        """
        alike = np.flatnonzero(self.of(version).flags[place])
        if not len(alike):
            return None
        return self.edges[max(int(alike[0]) - 1, 0)], self.edges[min(int(alike[-1]) + 1, len(self.edges) - 1)]

    def holds(self, place: int, version: int, score: float) -> bool | None:
        """Return whether a cutoff lies in that range; None where the shards do not tell."""
        run = self.run(place, version)
        return None if run is None else min(run) <= score <= max(run)


@of_cube(64)
def optima(view: View, by: str, costs: Costs) -> Optima:
    """Return the cheapest cutoffs of every segment at some costs."""
    ground, units = grounds(view, by), costing.unit_costs(costs)
    release = view.release
    which = cutoffs_there(release.tables[release.candidate.thresholds])
    counted_parts, advised_parts = (
        cutoff_pairs.moves(part) for part in (ground.observed(units), ground.expected(units))
    )
    counted, advised = (cutoff_pairs.cheapest(parts, which) for parts in (counted_parts, advised_parts))
    ends = cache(lambda version: _ends_of(ground, units, which, version))
    low, high = {}, {}
    for action in moved(which):
        plateau = costing.optimum(curve(counted_parts, counted, action, which))
        low[action], high[action] = plateau.plateau_low, plateau.plateau_high
    alike = _alike(ground, units, which) if ground.cells.segments and ground.cells.shards.binned else {}
    return Optima(ground, units, which, counted_parts, advised_parts, counted, advised, ends, low, high, alike)


def _ends_of(ground: Grounds, units: costing.UnitCosts, which: str, version: int) -> tuple[Pair, Pair]:
    """Return the pairs [segment] advised at both ends of the chances' intervals."""
    one = slice(version, version + 1)
    parts = (cutoff_pairs.moves(ground.expected(units, one, reach)) for reach in (NORMAL, -NORMAL))
    low, high = (cutoff_pairs.cheapest(cutoff_pairs.Moves(*(side[:, 0] for side in part)), which) for part in parts)
    # Where no event tells cutoffs apart, the interval holds them all.
    seen = ground.labelled[:, version]
    review, block = (cutoff_pairs.lowest_alike(edge, seen) for edge in (low.review, low.block))
    return cutoff_pairs.Pair(review, block, low.cost), high


def moved(which: str) -> tuple[str, ...]:
    """Return the actions whose cutoffs can be moved."""
    return CUTOFF_ACTIONS if which == cutoff_pairs.BOTH else (which,)


def curve(parts: Moves, pair: Pair, action: str, which: str) -> Array:
    """Return the cost [..., edge] of moving an action's cutoff, the other held; a block cutoff alone moves both."""
    return cutoff_pairs.moving(parts, pair, cutoff_pairs.BOTH if which == cutoff_pairs.BLOCK else action)


def _alike(ground: Grounds, units: costing.UnitCosts, which: str) -> dict[str, Alike]:
    edges = shown_scores(ground.view.release, np.append(ground.cells.shards.grid.lower, 1.0))
    found = cache(lambda version: _flat(ground, version, units, which))
    return {
        action: Alike(edges, lambda version, action=action: found(version)[action])  # type: ignore[misc]
        for action in moved(which)
    }


def _flat(ground: Grounds, version: int, units: costing.UnitCosts, which: str) -> dict[str, Flat]:
    """Return, by action, which cutoffs on a version's score cannot be told from the cheapest; all segments at once."""
    shards = ground.cells.shards
    each = [part[:, :, version] for part in (shards.positive, shards.negative, shards.positive_amount)]
    every = [part.sum(1) for part in each]
    left = [whole[:, None] - part for whole, part in zip(every, each, strict=True)]
    used = (each[0] + each[1]).sum(-1) > 0
    labelled, without = ((parts[0] + parts[1]).sum(-1) for parts in (every, left))
    whole, others = (
        cutoff_pairs.moves(cutoff_pairs.by_action(parts[0], parts[1], parts[2], units)) for parts in (every, left)
    )
    pair = cutoff_pairs.cheapest(whole, which)
    review, block = (
        np.broadcast_to(edge[:, None], without.shape).astype(np.int64) for edge in (pair.review, pair.block)
    )
    spread = cutoff_pairs.Pair(review, block, np.zeros(without.shape))
    found = {}
    for action in moved(which):
        cost = cutoff_pairs.mean_cost(curve(whole, pair, action, which), labelled)
        least = cutoff_pairs.mean_cost(curve(others, spread, action, which), without)
        cost, least = (np.where(np.isnan(part), 0.0, part) for part in (cost, least))
        flags = cutoff_pairs.indistinguishable(cost, least, used)
        found[action] = Flat(flags, costing.cheapest_edge(cost)[0], cutoff_pairs.spread_of_optima(least, used))
    return found


def interval(best: Optima, place: int, version: int) -> dict[str, tuple[float, float] | None]:
    """Return the 95% interval of the advised cutoffs from that of the chances; None where counts set the cutoff."""
    if best.ground.own[place, version]:
        return dict.fromkeys(CUTOFF_ACTIONS)
    sides = [_scores_at(best, pair, place, place) for pair in best.ends(version)]
    return {
        a: (min(x, y), max(x, y)) if x is not None and y is not None else None
        for a in CUTOFF_ACTIONS
        for x, y in [(sides[0][a], sides[1][a])]
    }


def scores_of(best: Optima, pair: Pair, place: int, version: int) -> dict[str, float | None]:
    """Return a pair's cutoffs as scores; None for an action without cutoffs, and where no label tells."""
    return _scores_at(best, pair, place, (place, version))


def _scores_at(best: Optima, pair: Pair, place: int, at: int | tuple[int, int]) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(CUTOFF_ACTIONS)
    for action in moved(best.which) if told(best.ground, place) else ():
        found[action] = best.ground.edges[int(getattr(pair, action)[at])]
    return found


def told(ground: Grounds, place: int) -> bool:
    """Return whether any event of a segment has a label, without which no cutoff is cheapest."""
    return bool(ground.labelled[place].any())


def rows(best: Optima, version: int = CANDIDATE) -> list[Row]:
    """Return one row per segment: cutoffs now, advised and cheapest as counted, their costs, and what to beware of."""
    return [row(best, place, version) for place in range(len(best.ground.names))]


def row(best: Optima, place: int, version: int) -> Row:
    """Return the row of one segment and version."""
    ground, shift = best.ground, best.ground.shifts[version]
    labelled = told(ground, place)
    now = what_if.consequences(ground, place, version, what_if.in_force(ground, version), best.units)
    advised, counted = (cost[place, version] for cost in best.costs)
    known_cost = now["cost"] is not None and bool(np.isfinite(advised))
    return {
        "segment": ground.names[place],
        "version": VERSIONS[version],
        "positives": int(ground.positives[place, version]),
        "now": what_if.in_force_scores(ground, place, version),
        "varies": what_if.varying(ground, place, version),
        "advised": scores_of(best, best.advised, place, version),
        "interval": interval(best, place, version),
        "counted": scores_of(best, best.counted, place, version),
        "range": {a: _ends(best, place, version, a) if labelled else None for a in moved(best.which)},
        "alike": {a: _with(one.run(place, version), best, (place, version, a)) for a, one in best.alike.items()},
        "peaks": {a: one.peaks(place, version) for a, one in best.alike.items()},
        "own": bool(ground.own[place, version]),
        "cost_now": now["cost"],
        "cost_advised": known(advised),
        "cost_counted": known(counted),
        "saved": now["cost"] - float(advised) if known_cost else None,
        "raw": float(shift.raw[place]),
        "shrunk": float(shift.shrunk[place]),
        "weight": float(shift.weight[place]),
        "beware": guards(best, place, version) if labelled else ["No event here has a mature label."],
        "keep": keeps(best, place, version),
    }


def _ends(best: Optima, place: int, version: int, action: str) -> tuple[float, float]:
    ends = [best.ground.edges[int(side[action][place, version])] for side in (best.low, best.high)]
    return min(ends), max(ends)


def _with(run: tuple[float, float] | None, best: Optima, at: tuple[int, int, str]) -> tuple[float, float] | None:
    """Return a range on the shards' grid widened to the cheapest cutoff on the finer one."""
    place, version, action = at
    cheapest = scores_of(best, best.counted, place, version)[action]
    return None if run is None or cheapest is None else (min(*run, cheapest), max(*run, cheapest))


def keeps(best: Optima, place: int, version: int) -> dict[str, bool | None]:
    """Return, by action, whether the cutoff in force cannot be told from the cheapest: no evidence for moving it."""
    now = what_if.in_force_scores(best.ground, place, version)
    found: dict[str, bool | None] = {}
    for action, one in best.alike.items():
        at = now[action]
        found[action] = None if at is None else one.holds(place, version, at)
    return found


def guards(best: Optima, place: int, version: int) -> list[str]:
    """Return what speaks against trusting a segment's optimum (METHODS d8), as sentences."""
    ground, last = best.ground, len(best.ground.edges) - 1
    first = moved(best.which)[0]
    edge = int(getattr(best.counted, first)[place, version])
    reached = ground.at_edge(place, version, edge)
    every = ground.at_edge(place, version, 0)
    share = float(ratio(every.labelled, every.n))
    found = []
    if edge in {0, last}:
        end = f"{first} everything" if edge == 0 else f"{first} nothing"
        found.append(f"The cheapest cutoff lies at the end of the scale: {end}. Check the costs.")
    elif reached.positive < FEW:
        found.append(
            f"Only {digits.count(float(reached.positive))} bad events lie above the cheapest {first} cutoff; {FEW} are needed."
        )
    if np.isfinite(share) and share < MATURE:
        found.append(f"Labels are mature for {digits.percent(share)} of the events only.")
    if "block" in ground.cells.unseen and not ground.cells.weighted:
        found.append(
            "What is blocked is never observed: costs above the block cutoff rest on events that were let through."
        )
    return found


def sensitivity(best: Optima, place: int, costs: Costs, chosen: what_if.Stand) -> list[Row]:
    """Return, for each cost at x 0.5 and x 2, the advised cutoffs and what the chosen ones would cost more than those.

    Costs are expected ones, by the chances that the advice rests on; the first row is at the stated costs.
    """
    ground = best.ground
    if not told(ground, place):
        return []
    edges = what_if.edges_of(ground, place, chosen)
    found = [_varied(best, place, costs, ("As stated", 1.0), edges)]
    left_out = {"review": {"false_positive"}, "block": {"review", "friction", "missed"}}.get(best.which, set())
    for name, title in VARIED.items():
        if name in left_out:
            continue
        for factor in FACTORS:
            changed = _changed(costs, name, factor)
            if changed != costs:
                found.append(_varied(best, place, changed, (title, factor), edges))
    return found


def _changed(costs: Costs, name: str, factor: float) -> Costs:
    if name == "loss":
        fixed, times = costs.false_negative, costs.amount_times
        return replace(
            costs,
            false_negative=None if fixed is None else factor * fixed,
            amount_times=None if times is None else factor * times,
        )
    if name == "missed":
        return replace(costs, review_detection=max(0.0, 1 - factor * (1 - costs.review_detection)))
    value = getattr(costs, name)
    changed: dict[str, Any] = {name: None if value is None else factor * value}
    return replace(costs, **changed)


def _varied(best: Optima, place: int, costs: Costs, said: tuple[str, float], edges: tuple[int, int]) -> Row:
    ground, units = best.ground, costing.unit_costs(costs)
    one = cutoff_pairs.moves(ground.expected_of(place, CANDIDATE, units))
    pair = cutoff_pairs.cheapest(one, best.which)
    scale = 1000 * ratio(1.0, ground.labelled[place, CANDIDATE].sum())
    chosen = cutoff_pairs.cost_at(one, *edges)
    told = {a: ground.edges[int(getattr(pair, a))] for a in moved(best.which)}
    return {
        "cost": said[0],
        "factor": said[1],
        "review": told.get("review"),
        "block": told.get("block"),
        "least": known(float(pair.cost * scale)),
        "regret": known(float((chosen - pair.cost) * scale)),
    }


def explained(best: Optima) -> str:
    """Return how the advised cutoffs were made."""
    shift = best.ground.shifts[CANDIDATE]
    if best.ground.view.release.scale.name != "probability":
        return (
            "Scores in points claim no probability: the advised cutoff is the cheapest as counted, with all its noise."
        )
    text = (
        "Advised: each segment's scores are calibrated by one line for all events and a shift of its own, and the cutoffs are "
        f"where actions begin to pay at those chances; from {OWN_FROM:,} bad events on, the cheapest as counted. "
    )
    if np.isnan(shift.tau2):
        return text + ("With fewer than five segments shifts are not shrunken." if best.ground.by else "")
    if shift.tau2 == 0:
        return text + "The segments do not differ detectably: all get the same shift."
    return text + "Shifts of small segments are drawn towards the mean of all, the more the less certain they are."

"""A choice and costs in; the cheapest cutoffs of every segment out: how sure they are, and what speaks against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.charts import digits
from release_core.memory import of_cube
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import cutoff_pairs
from release_core.stats import cutoffs as costing
from release_core.stats.arrays import ratio
from release_core.views import what_if
from release_core.views.grounds import CANDIDATE, FEW, OWN_FROM, cutoffs_there, grounds
from release_core.views.view import known

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.release import Costs
    from release_core.stats.cutoff_pairs import Moves, Pair
    from release_core.views.grounds import Grounds, Side
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
    """The cheapest cutoffs of every segment at some costs, on either version's score (`sides`)."""

    ground: Grounds
    units: costing.UnitCosts
    which: str

    @cached_property
    def sides(self) -> tuple[Best, ...]:
        """Return what is cheapest on each version's score."""
        return tuple(Best(self.ground, self.units, self.which, side) for side in self.ground.sides)


@dataclass(frozen=True, eq=False)
class Best:
    """Of one version's score the cheapest pairs [segment]: `counted` from the labelled events, `advised` by calibrated chances.

    Whatever is here is computed when it is first asked for.
    """

    ground: Grounds
    units: costing.UnitCosts
    which: str
    side: Side

    @cached_property
    def parts(self) -> Moves:
        """Return what all pairs cost as counted, [segment, edge]."""
        return cutoff_pairs.priced(self.side.counted, self.units)

    @cached_property
    def counted(self) -> Pair:
        """Return the cheapest pairs as counted."""
        return cutoff_pairs.cheapest(self.parts, self.which)

    @cached_property
    def advised(self) -> Pair:
        """Return the cheapest pairs by calibrated chances."""
        return self._foreseen()

    @cached_property
    def ends(self) -> tuple[Pair, Pair]:
        """Return the pairs advised at both ends of the chances' 95% intervals."""
        low, high = (self._foreseen(reach) for reach in (NORMAL, -NORMAL))
        # Where no event tells cutoffs apart, the interval holds them all; who speaks for itself has none.
        some = self.side.borrowing
        for edge in (low.review, low.block) if len(some) else ():
            edge[some] = cutoff_pairs.lowest_alike(edge[some], self.side.labelled[some])
        return low, high

    def _foreseen(self, reach: float = 0.0) -> Pair:
        """Return the cheapest pairs by chances that reach so many standard errors up; the counted ones of who speaks for itself."""
        borrowing, pair = self.side.borrowing, self.counted
        if not len(borrowing):
            return pair
        found = cutoff_pairs.cheapest(cutoff_pairs.priced(self.side.foreseen(reach), self.units), self.which)
        every = cutoff_pairs.Pair(pair.review.copy(), pair.block.copy(), pair.cost.copy())
        for part, new in zip(every, found, strict=True):
            part[borrowing] = new
        return every

    @cached_property
    def costs(self) -> tuple[list[float], ...]:
        """Return what the pairs in force, the advised and the counted ones cost per 1,000 labelled events, by segment, as counted."""
        pairs = (cutoff_pairs.cost_at(self.parts, pair.review, pair.block) for pair in (self.advised, self.counted))
        now = what_if.costs_in_force(self.ground, self.side.version, self.units)
        return tuple(cost.tolist() for cost in (now, *map(self.side.per_thousand, pairs)))

    @cached_property
    def near(self) -> dict[str, tuple[Array, Array]]:
        """Return the ends [segment] of the unbroken range of each action's cutoff whose counted cost is within 1% of the least."""
        plateaus = {a: costing.optimum(curve(self.parts, self.counted, a, self.which)) for a in moved(self.which)}
        return {action: (one.plateau_low, one.plateau_high) for action, one in plateaus.items()}

    @cached_property
    def alike(self) -> dict[str, Alike]:
        """Return, by action, which cutoffs the jackknife cannot tell from the cheapest; none where the shards have no bins."""
        return _alike(self) if self.ground.alike_edges else {}


class Alike(NamedTuple):
    """Flags [segment, edge] of the cutoffs that are not to be told from the cheapest, on the shards' grid with the scores of its edges.

    `often` counts, for each segment, the cheapest edges without each shard.
    """

    edges: list[float]
    flags: Array
    often: list[list[tuple[int, int]]]

    def peaks(self, place: int) -> list[tuple[float, int]]:
        """Return the scores that are cheapest without one of the shards, and for how many shards."""
        return [(self.edges[edge], n) for edge, n in self.often[place]]

    def run(self, place: int) -> tuple[float, float] | None:
        """Return the range of them, up to the nearest edges beyond that are clearly dearer; None where the shards do not tell.

        The cost of few events has several valleys: the unbroken range around the cheapest held the truth in 8 of 10 logs.
        """
        alike = np.flatnonzero(self.flags[place])
        if not len(alike):
            return None
        return self.edges[max(int(alike[0]) - 1, 0)], self.edges[min(int(alike[-1]) + 1, len(self.edges) - 1)]


@of_cube(8)
def optima(view: View, by: str, costs: Costs) -> Optima:
    """Return the cheapest cutoffs of every segment at some costs."""
    release = view.release
    which = cutoffs_there(release.tables[release.candidate.thresholds])
    return Optima(grounds(view, by), costing.unit_costs(costs), which)


def moved(which: str) -> tuple[str, ...]:
    """Return the actions whose cutoffs can be moved."""
    return CUTOFF_ACTIONS if which == cutoff_pairs.BOTH else (which,)


def curve(parts: Moves, pair: Pair, action: str, which: str, edges: Array | None = None) -> Array:
    """Return the cost [..., edge] of moving an action's cutoff, the other held; a block cutoff alone moves both."""
    return cutoff_pairs.moving(parts, pair, cutoff_pairs.BOTH if which == cutoff_pairs.BLOCK else action, edges)


def _alike(best: Best) -> dict[str, Alike]:
    """Return, by action, which cutoffs on a version's score cannot be told from the cheapest; all segments with labels at once."""
    which, version, shards = best.which, best.side.version, best.ground.cells.shards
    kinds, told = (shards.positive, shards.negative, shards.positive_amount), np.flatnonzero(best.ground.told)
    sums = cutoff_pairs.running(*(kind[told, :, version] for kind in kinds))
    events, parts = sums[0, ..., -1] + sums[1, ..., -1], cutoff_pairs.priced(sums, best.units)
    whole = cutoff_pairs.Moves(*(part.sum(1) for part in parts))
    labelled = events.sum(-1)
    without, pair = labelled[:, None] - events, cutoff_pairs.cheapest(whole, which)
    # Costs add over events: without a shard they are those of all less its own, and nothing where none is left.
    left = np.where(without > 0, without, np.inf)[..., None]
    # In place: to touch new memory takes as long as to compute.
    for every, part in zip(whole, parts, strict=True):
        np.divide(np.subtract(every[:, None], part, out=part), left, out=part)
    review, block = (np.broadcast_to(edge[:, None], events.shape) for edge in (pair.review, pair.block))
    spread = cutoff_pairs.Pair(review, block, without)
    found = {}
    for action in moved(which):
        every = np.zeros((len(best.ground.names), sums.shape[-1]), bool)
        many: list[list[tuple[int, int]]] = [[] for _ in best.ground.names]
        cost = cutoff_pairs.mean_cost(curve(whole, pair, action, which), labelled)
        cost[np.isnan(cost)] = 0.0
        least = curve(parts, spread, action, which)
        least[without == 0] = 0.0
        every[told] = cutoff_pairs.indistinguishable(cost, least, events > 0)
        for place, often in zip(told.tolist(), cutoff_pairs.spread_of_optima(least, events > 0), strict=True):
            many[place] = often
        found[action] = Alike(best.ground.alike_edges, every, many)
    return found


def interval(best: Optima, place: int, version: int) -> dict[str, tuple[float, float] | None]:
    """Return the 95% interval of the advised cutoffs from that of the chances; None where counts set the cutoff."""
    one = best.sides[version]
    if one.side.own[place]:
        return dict.fromkeys(CUTOFF_ACTIONS)
    sides = [scores_of(best, pair, place) for pair in one.ends]
    return {
        a: (min(x, y), max(x, y)) if x is not None and y is not None else None
        for a in CUTOFF_ACTIONS
        for x, y in [(sides[0][a], sides[1][a])]
    }


def scores_of(best: Optima, pair: Pair, place: int) -> dict[str, float | None]:
    """Return a pair's cutoffs as scores; None for an action without cutoffs, and where no label tells."""
    found: dict[str, float | None] = dict.fromkeys(CUTOFF_ACTIONS)
    for action in moved(best.which) if best.ground.told[place] else ():
        found[action] = best.ground.edges[int(getattr(pair, action)[place])]
    return found


def rows(best: Optima, version: int = CANDIDATE) -> list[Row]:
    """Return one row per segment: cutoffs now, advised and cheapest as counted, their costs, and what to beware of."""
    return [row(best, place, version) for place in range(len(best.ground.names))]


def row(best: Optima, place: int, version: int) -> Row:
    """Return the row of one segment and version."""
    ground, one, shift = best.ground, best.sides[version], best.ground.sides[version].shift
    labelled, now = ground.told[place], what_if.in_force_scores(ground, place, version)
    cost_now, cost_advised, cost_counted = (known(costs[place]) for costs in one.costs)
    counted = scores_of(best, one.counted, place)
    alike = {a: alike.run(place) for a, alike in one.alike.items()}
    return {
        "segment": ground.names[place],
        "version": VERSIONS[version],
        "positives": int(one.side.positives[place]),
        "now": now,
        "varies": what_if.varying(ground, place, version),
        "advised": scores_of(best, one.advised, place),
        "interval": interval(best, place, version),
        "counted": counted,
        "range": {a: _ends(best, place, ends) if labelled else None for a, ends in one.near.items()},
        "alike": {a: _with(run, counted[a]) for a, run in alike.items()},
        "peaks": {a: alike.peaks(place) for a, alike in one.alike.items()},
        "own": bool(one.side.own[place]),
        "cost_now": cost_now,
        "cost_advised": cost_advised,
        "cost_counted": cost_counted,
        "saved": None if cost_now is None or cost_advised is None else cost_now - cost_advised,
        "raw": float(shift.raw[place]),
        "shrunk": float(shift.shrunk[place]),
        "weight": float(shift.weight[place]),
        "beware": guards(best, place, version) if labelled else ["No event here has a mature label."],
        "keep": {a: _holds(run, now[a]) for a, run in alike.items()},
    }


def _ends(best: Optima, place: int, ends: tuple[Array, Array]) -> tuple[float, float]:
    low, high = (best.ground.edges[int(side[place])] for side in ends)
    return min(low, high), max(low, high)


def _with(run: tuple[float, float] | None, cheapest: float | None) -> tuple[float, float] | None:
    """Return a range on the shards' grid widened to the cheapest cutoff on the finer one."""
    return None if run is None or cheapest is None else (min(*run, cheapest), max(*run, cheapest))


def _holds(run: tuple[float, float] | None, now: float | None) -> bool | None:
    """Return whether the cutoff in force cannot be told from the cheapest: no evidence for moving it; None where not known."""
    return None if run is None or now is None else min(run) <= now <= max(run)


def guards(best: Optima, place: int, version: int) -> list[str]:
    """Return what speaks against trusting a segment's optimum (METHODS d8), as sentences."""
    ground, one, last = best.ground, best.sides[version], len(best.ground.edges) - 1
    first = moved(best.which)[0]
    edge = int(getattr(one.counted, first)[place])
    positive = float(one.side.positives[place] - one.side.counted[0, place, edge])
    share = float(ratio(one.side.events[place], ground.whole.n[place, version].sum()))
    found = []
    if edge in {0, last}:
        end = f"{first} everything" if edge == 0 else f"{first} nothing"
        found.append(f"The cheapest cutoff lies at the end of the scale: {end}. Check the costs.")
    elif positive < FEW:
        found.append(
            f"Only {digits.count(positive)} bad events lie above the cheapest {first} cutoff; {FEW} are needed."
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
    if not ground.told[place]:
        return []
    tried = [("As stated", 1.0, costs)]
    left_out = {"review": {"false_positive"}, "block": {"review", "friction", "missed"}}.get(best.which, set())
    for name, title in VARIED.items():
        changes = [] if name in left_out else [(title, factor, _changed(costs, name, factor)) for factor in FACTORS]
        tried += [one for one in changes if one[2] != costs]
    side, units = ground.sides[CANDIDATE], [costing.unit_costs(changed) for *_, changed in tried]
    parts = cutoff_pairs.priced_each(side.expected[:, place], units)
    pair, there = cutoff_pairs.cheapest(parts, best.which), what_if.edges_of(ground, place, chosen)
    scale = 1000 * ratio(1.0, side.events[place])
    least, regret = pair.cost * scale, (cutoff_pairs.cost_at(parts, *there) - pair.cost) * scale
    return [
        {
            "cost": title,
            "factor": factor,
            **{a: ground.edges[int(getattr(pair, a)[row])] if a in moved(best.which) else None for a in CUTOFF_ACTIONS},
            "least": known(least[row]),
            "regret": known(regret[row]),
        }
        for row, (title, factor, _) in enumerate(tried)
    ]


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


def explained(best: Optima) -> str:
    """Return how the advised cutoffs were made."""
    shift = best.ground.sides[CANDIDATE].shift
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

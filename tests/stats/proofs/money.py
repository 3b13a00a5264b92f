"""Proofs of costs and cutoffs: the cost of single events, every pair of cutoffs tried, scipy's linear programming."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from scipy import stats as scipy_stats
from scipy.optimize import linprog

from release_core.release import Costs
from release_core.stats import cutoff_pairs, cutoffs
from release_core.stats.cutoff_pairs import BOTH, REVIEW, ActionCosts
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Between, Kind, Proof
from tests.stats.proofs.data import BINS, EDGES, SCORED, Events
from tests.stats.proofs.scored import some

Array = Any
UNITS = cutoffs.UnitCosts(7.0, 2.0, 3.0, 0.9, 0.8, 0.5)
# Of a cutoff whose cost is not known (NaN) the edge says nothing.
ANY = Between(0, BINS)


def money(d: Events) -> Array:
    """Return the amount of every event."""
    return 5.0 + 7.0 * (np.arange(len(d.y)) % 13)


def binned(d: Events) -> tuple[Array, Array, Array]:
    """Return bad and good events and the amount of the bad ones per bin; NaN where a count is not known."""
    amount = np.bincount(d.place[d.y], (d.w * money(d))[d.y], BINS)
    if d.hole is not None:
        amount[d.hole] = np.nan
    return d.pos, d.neg, amount


def single(d: Events) -> Array:
    """Return [event, action] what every event costs by what is done with it."""
    loss = UNITS.false_negative + UNITS.amount_times * money(d)
    rows = [loss, UNITS.review + (1 - UNITS.detection) * loss, 0 * loss], [0 * loss, 2.5 + 0 * loss, 7.0 + 0 * loss]
    return d.w[:, None] * np.where(d.y[:, None], np.array(rows[0]).T, np.array(rows[1]).T)


def _by_action(d: Events) -> Any:
    found = [np.bincount(d.place, column, BINS) for column in single(d).T]
    for part in found if d.hole is not None else ():
        part[d.hole] = np.nan
    return tuple(found)


def costs_of(d: Events) -> ActionCosts:
    """Return what the bins cost, as the oracle sums it."""
    return ActionCosts(*_by_action(d))


def pairs(d: Events) -> Array:
    """Return [review, block] what every pair of cutoffs costs; infinite where they cross, NaN where not known."""
    cells = np.array(_by_action(d))
    below = np.concatenate([np.zeros((3, 1)), np.cumsum(cells, axis=1)], axis=1)
    total = below[0][:, None] + (below[1][None, :] - below[1][:, None]) + (below[2][-1] - below[2])[None, :]
    return np.where(EDGES[:, None] <= EDGES[None, :], total, np.inf if d.known else np.nan)


def _cheapest(d: Events) -> Any:
    """Return the cheapest pair, of equal ones that with the highest block and then the highest review cutoff."""
    if not d.known:
        return ANY, ANY, np.nan
    cost = pairs(d)
    near = np.argwhere(cost <= cost.min() + 1e-9 * (1 + abs(cost.min())))
    review, block = max(near.tolist(), key=lambda pair: (pair[1], pair[0]))
    return review, block, cost.min()


PAIR = cutoff_pairs.Pair(np.array(15), np.array(28), np.array(0.0))


def _moving(d: Events) -> Any:
    with np.errstate(invalid="ignore"):
        return np.where(EDGES <= 28, pairs(d)[:, 28], np.inf) - pairs(d)[0, 0]


def _cost_of(d: Events) -> Array:
    """Return the cost of one cutoff between approve and block, per edge."""
    return np.diag(pairs(d))


def _last_cheapest(cost: Array) -> int:
    return max(place for place, one in enumerate(cost) if one <= cost.min() + 1e-12 * abs(cost.min()))


def _optimum(d: Events) -> Any:
    if not d.known:
        return ANY, np.nan, ANY, ANY, ANY
    cost = _cost_of(d)
    edge, least = _last_cheapest(cost), cost.min()
    low = high = edge
    while low > 0 and cost[low - 1] <= least + 0.01 * abs(least):
        low -= 1
    while high < BINS and cost[high + 1] <= least + 0.01 * abs(least):
        high += 1
    return edge, least, low, high, edge in (0, BINS)


def _bound(d: Events) -> Any:
    """Return the range of the cheapest cutoff over all orders within bins: not above what the function calls a floor."""
    if not d.known:
        return UNDEFINED
    cost, relief = _cost_of(d), np.bincount(d.place, single(d)[:, 0] * d.y, BINS)
    inner = [cost[edge + 1] - relief[edge] for edge in range(BINS)]
    return min([*cost, *inner])


def _taken(d: Events) -> Array:
    """Return the action taken on each event: every third is reviewed, the risky ones blocked."""
    return np.where(np.arange(len(d.y)) % 3 == 1, 1, np.where(d.place >= 25, 2, 0))


def _action_cost(f: Any, d: Events) -> Any:
    taken, w = _taken(d), d.w
    counts = np.array([[w[(taken == a) & who].sum() for who in (d.y | ~d.y, d.y, ~d.y)] for a in range(3)])
    if not d.known:
        counts[0] = np.nan
    missed, reviewed = ((w * money(d))[(taken == a) & d.y].sum() for a in (0, 1))
    return f(counts, missed, UNITS, (0, 2), reviewed)


def _outcome_cost(f: Any, d: Events) -> Any:
    taken, w = _taken(d), d.w
    counts = [w[(taken == a) & who].sum() for a, who in ((2, ~d.y), (1, d.y), (1, ~d.y), (0, d.y))]
    amounts = [(w * money(d))[(taken == a) & d.y].sum() for a in (0, 1)]
    return f(cutoffs.Outcomes(*counts[:3], counts[3] if d.known else np.nan, *amounts), UNITS)


def _summed(parts: cutoff_pairs.Moves) -> Array:
    return (parts.review[:, None] + parts.block[None, :])[np.triu_indices(BINS + 1)]


def _sums_below(d: Events) -> Array:
    """Return bad and good events and the amount of the bad ones below each edge; NaN above a bin that is not known."""
    kinds = d.w * d.y, d.w * ~d.y, d.w * d.y * money(d)
    found = np.array([[kind[d.place < edge].sum() for edge in EDGES] for kind in kinds])
    if d.hole is not None:
        found[:, d.hole + 1 :] = np.nan
    return found


def _each_priced(f: Any, d: Events) -> Array:
    """Return the costs of all pairs at the unit costs, and at four times those, a quarter of which is the same."""
    four = cutoffs.UnitCosts(28.0, 8.0, 12.0, 3.6, 0.8, 2.0)
    review, block = f(_sums_below(d), [UNITS, four])
    return np.stack([_summed(cutoff_pairs.Moves(review[n], block[n])) / 4**n for n in range(2)])


COSTED = (
    Proof("cutoff_pairs.running", SCORED, lambda f, d: f(*binned(d)), _sums_below),
    Proof("cutoff_pairs.priced", SCORED, lambda f, d: _summed(f(_sums_below(d), UNITS)),
          lambda d: pairs(d)[np.triu_indices(BINS + 1)], near=1e-8),
    Proof("cutoff_pairs.priced_each", SCORED, _each_priced, lambda d: [pairs(d)[np.triu_indices(BINS + 1)]] * 2, near=1e-8),
    Proof("cutoff_pairs.at", SCORED, lambda f, d: f(pairs(d), np.arange(BINS + 1)[::-1]),
          lambda d: [row[BINS - n] for n, row in enumerate(pairs(d))]),
    Proof("cutoff_pairs.by_action", SCORED, lambda f, d: f(*binned(d), UNITS), _by_action),
    Proof("cutoff_pairs.moves", SCORED, lambda f, d: _summed(f(costs_of(d))), lambda d: pairs(d)[np.triu_indices(BINS + 1)], near=1e-8),
    Proof("cutoff_pairs.cost_at", SCORED, lambda f, d: f(cutoff_pairs.moves(costs_of(d)), 15, 28),
          lambda d: pairs(d)[15, 28], near=1e-8),
    Proof("cutoff_pairs.cheapest", SCORED, lambda f, d: f(cutoff_pairs.moves(costs_of(d)), BOTH), _cheapest, near=1e-8),
    Proof("cutoff_pairs.moving", SCORED, lambda f, d: f(cutoff_pairs.moves(costs_of(d)), PAIR, REVIEW) - pairs(d)[0, 0],
          _moving, near=1e-8),
    Proof("cutoff_pairs.lowest_alike", SCORED, lambda f, d: f(28 if d.known else d.hole + 1, d.n), lambda d: (
        d.hole + 1 if not d.known else min(e for e in EDGES[:29] if ((d.place >= e) == (d.place >= 28)).all()))),
    Proof("cutoff_pairs.mean_cost", SCORED, lambda f, d: f(np.diag(pairs(d)), d.n.sum()),
          lambda d: some(d, lambda: np.diag(pairs(d)) / d.w.sum())),
    Proof("cutoffs.action_cost", SCORED, _action_cost, lambda d: UNDEFINED if not d.known else sum(
        single(d)[np.arange(len(d.y)), _taken(d)])),
    Proof("cutoffs.outcome_cost", SCORED, _outcome_cost, lambda d: UNDEFINED if not d.known else sum(
        single(d)[np.arange(len(d.y)), _taken(d)])),
    Proof("cutoffs.optimum", SCORED, lambda f, d: f(_cost_of(d)), _optimum),
    Proof("cutoffs.cheapest_edge", SCORED, lambda f, d: f(_cost_of(d)), lambda d: (
        (_last_cheapest(_cost_of(d)), _cost_of(d).min()) if d.known else (ANY, np.nan))),
    Proof("cutoffs.least_cost_bound", SCORED, lambda f, d: f(_cost_of(d), np.bincount(
        d.place, single(d)[:, 0] * d.y, BINS)), _bound),
)  # fmt: skip


# Closed forms: costs of one event.

NO_EVENTS = "Costs of one event hold no events."
PRICES = Kind(
    {
        ONE_CLASS: (np.array([0.0, 20, 3, 0.8, 0.5]), np.array([100.0, 0, 0, 0.8, 0])),
        TIES: (np.array([20.0, 20, 20, 0.5, 0]), np.array([10.0, 10, 5, 0.5, 0])),
        NAN: (np.array([np.nan, 20, 3, 0.8, 0.5]), np.array([100.0, np.nan, 3, 0.8, 0.5])),
        RARE: (np.array([100_000.0, 20, 3, 0.8, 0.5]),),
        NONE: (np.zeros(5),),
    },
    dict.fromkeys((WEIGHTS, ONE, FIVE), NO_EVENTS),
)


def _two(d: Array) -> Any:
    """Return the root of what an alert and no alert cost."""
    loss, insult = d[:2]
    return insult / (insult + loss) if insult + loss else np.nan


def _three(d: Array) -> Any:
    """Return from where review and block are cheapest, on a fine grid of chances; without a review band where both meet."""
    loss, insult, effort, found, bother = d
    if np.isnan(d).any():
        return np.nan, np.nan
    if not insult + loss:
        return np.nan, np.nan
    q = np.linspace(0, 1, 2_000_001)
    cost = np.array([q * loss, effort + q * loss * (1 - found) + (1 - q) * bother, (1 - q) * insult])
    review = (cost[1] < cost[0] - 1e-12) & (cost[1] < cost[2] - 1e-12)
    if not review.any():
        at = _two(d)
        return at, at
    last = q[review][-1]
    return q[review][0], 1.0 if last > 1 - 1e-6 else last


MANIFEST = Kind(
    {
        ONE_CLASS: (Costs("EUR", false_positive=5.0), Costs("EUR", false_negative=5.0)),
        NONE: (Costs("EUR"),),
        RARE: (Costs("EUR", 5.0, 2.0, 1.0, 0.9, review_detection=0.001, friction=0.5),),
    },
    dict.fromkeys((TIES, NAN, WEIGHTS, ONE, FIVE), "The manifest declares plain numbers of costs."),
)


def _units(f: Any, costs: Costs) -> Any:
    """Return what an approved, a reviewed and a blocked positive of 100 and negative cost with the unit costs."""
    parts = cutoff_pairs.by_action([1.0, 0], [0.0, 1], [100.0, 0], f(costs))
    return tuple(np.array(part) for part in parts)


def _declared(costs: Costs) -> Any:
    loss = (costs.false_negative or 0) + 100 * (costs.amount_times or 0)
    review, missed = costs.review or 0, 1 - costs.review_detection
    return (
        np.array([loss, 0]), np.array([review + missed * loss, review + costs.friction]), np.array([0, costs.false_positive or 0])
    )  # fmt: skip


CLOSED = (
    Proof("cutoffs.unit_costs", MANIFEST, _units, _declared),
    Proof("cutoffs.two_actions", PRICES, lambda f, d: f(d[1], d[0]), _two),
    Proof("cutoffs.three_actions", PRICES, lambda f, d: f(*d), _three, near=1e-6),
)


# Uncertain optima: costs by shard and edge.


def _whole(d: Events) -> tuple[Array, Array, Array]:
    """Return mean cost per edge, the same without each of 32 shards, and which shards hold events."""
    shard = np.arange(len(d.y)) % 32
    each = np.array([single(d)[:, [0, 2]] * (shard == s)[:, None] for s in range(32)])
    cost = np.array([
        [np.where(d.place < edge, part[:, 0], part[:, 1]).sum() for edge in EDGES] for part in each
    ]) if len(d.y) < 1000 else _binned_cost(d, shard)  # fmt: skip
    if d.hole is not None:
        cost[0] = np.nan
    n = np.bincount(shard, d.w, 32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return cost.sum(0) / n.sum(), (cost.sum(0) - cost) / (n.sum() - n)[:, None], n > 0


def _binned_cost(d: Events, shard: Array) -> Array:
    sides = [np.zeros((32, BINS)), np.zeros((32, BINS))]
    for side, action in zip(sides, (0, 2), strict=True):
        np.add.at(side, (shard, d.place), single(d)[:, action])
    below = np.concatenate([np.zeros((32, 1)), np.cumsum(sides[0], axis=1)], axis=1)
    above = sides[1].sum(1, keepdims=True) - np.concatenate([np.zeros((32, 1)), np.cumsum(sides[1], axis=1)], axis=1)
    return below + above


def _alike(d: Events) -> Any:
    """Return scipy's paired t-interval of pseudo-values of each edge against the cheapest: does it reach 0?"""
    full, left, used = _whole(d)
    if used.sum() < 20 or not d.known:
        return np.zeros(BINS + 1)
    best = _last_cheapest(full)
    found, b = [], used.sum()
    for edge in EDGES:
        gap, moved = full[edge] - full[best], (left[:, edge] - left[:, best])[used]
        pseudo = b * gap - (b - 1) * moved
        found.append(gap - scipy_stats.t.ppf(0.975, b - 1) * scipy_stats.sem(pseudo) <= 1e-12)
    return np.array(found, float)


def _peaks(d: Events) -> Any:
    _, left, used = _whole(d)
    best = [_last_cheapest(row) for row in left[used] if not np.isnan(row).any()]
    return tuple((edge, best.count(edge)) for edge in sorted(set(best)))


UNSURE = (
    Proof("cutoff_pairs.indistinguishable", SCORED, lambda f, d: f(*_whole(d)), _alike),
    Proof("cutoff_pairs.spread_of_optima", SCORED, lambda f, d: f(*(part[None] for part in _whole(d)[1:]))[0], _peaks),
)  # fmt: skip


# Capacity.


def _segments(seed: int, segments: int, bins: int, scale: float = 1.0, ties: bool = False) -> tuple[ActionCosts, Array]:
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 9, (segments, bins)) * scale
    bad = np.sort(rng.random((segments, bins)), axis=1) * (0.001 if scale > 100 else 0.8)
    loss = (
        20_000.0 if scale > 100 else np.full((segments, bins), 10.0) if ties else rng.uniform(5, 40, (segments, bins))
    )
    if ties:
        n, bad = np.full((segments, bins), 4.0), np.tile([0.1, 0.3, 0.3, 0.8], (segments, 1))
    return ActionCosts(n * bad * loss, n * (1.0 + 0.2 * bad * loss), n * (1 - bad) * 6.0), n


def _nothing_bad(bins: int = 4) -> tuple[ActionCosts, Array]:
    n = np.ones((2, bins))
    return ActionCosts(0 * n, n, 6 * n), n


def _unknown() -> tuple[ActionCosts, Array]:
    costs, n = _segments(1, 3, 4)
    costs.approve[1, 2] = np.nan
    return costs, n


SEGMENTED = Kind(
    {
        ONE_CLASS: ((*_nothing_bad(), 1.5),),
        TIES: ((*_segments(2, 3, 4, ties=True), 7.9),),
        NAN: ((*_unknown(), 7.9),),
        WEIGHTS: ((*_segments(3, 3, 4, scale=0.37), 2.1),),
        NONE: ((*_segments(1, 0, 4), 3.0), (*_segments(1, 2, 4), 0.0)),
        ONE: ((*_segments(4, 1, 4), 5.3),),
        FIVE: ((*_segments(5, 5, 3), 9.7),),
        RARE: ((*_segments(6, 3, 4, scale=1000.0), 2000.5),),
    }
)


def _least(d: Any) -> Any:
    """Return scipy's least cost of a mix of cutoffs that fits, and the least one of whole cutoffs, which no answer beats."""
    costs, work, most = d
    if np.isnan(np.array(costs)).any():
        return np.nan, np.nan, Between(0, np.inf)
    segments, bins = work.shape
    if not segments:
        return 0.0, 0.0, Between(0, 0)
    size = segments * bins
    change = np.concatenate([(costs.review - costs.approve).ravel(), (costs.block - costs.review).ravel()])
    rows, limits = [np.concatenate([work.ravel(), -work.ravel()])], [most]
    for half, s, b in product(range(2), range(segments), range(bins)):
        place = half * size + s * bins + b
        for other in ([place + 1] if b < bins - 1 else []) + ([place - size] if half else []):
            row = np.zeros(2 * size)
            row[place], row[other] = 1, -1
            rows.append(row)
            limits.append(0.0)
    found = linprog(change, A_ub=np.array(rows), b_ub=limits, bounds=(0, 1), method="highs")
    least = found.fun + costs.approve.sum()
    options = [
        [
            (c.approve[s, :r].sum() + c.review[s, r:b].sum() + c.block[s, b:].sum(), work[s, r:b].sum())
            for c in (costs,) for r in range(bins + 1) for b in range(r, bins + 1)
        ]
        for s in range(segments)
    ]  # fmt: skip
    whole = {0.0: 0.0}
    for rows_of in options:
        new: dict[float, float] = {}
        for (w, c), (cost, extra) in product(whole.items(), rows_of):
            if w + extra <= most + 1e-9:
                key = round(w + extra, 6)
                new[key] = min(new.get(key, np.inf), c + cost)
        whole = new
    return least, Between(min(whole.values()), np.inf), Between(0, most)


def _shared(f: Any, d: Any) -> Any:
    found = f(*d)
    return found.bound, found.cost, found.reviews.sum()


CAPACITY = (
    Proof("capacity.within_capacity", SEGMENTED, _shared, _least, rel=1e-6, near=1e-7),
)  # fmt: skip

PROOFS = (*COSTED, *CLOSED, *UNSURE, *CAPACITY)

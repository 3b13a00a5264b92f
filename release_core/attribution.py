"""Worlds in, causes out: what of an effect came from the score, from the cutoffs, from the policy, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.release import ACTIONS
from release_core.stats import cutoffs, decisions, intervals, shapley
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Worlds
    from release_core.release import Costs, Release

    # Counts and amounts [..., action, population] -> the effect [...]
    Value = Callable[[Array, Array], Array]

APPROVE, REVIEW, BLOCK = (ACTIONS.index(action) for action in ("approve", "review", "block"))
THOUSAND = 1000.0
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect that can be attributed: `value` of counts and amounts by action; `labels`: of labelled events only.

    `among` is the population that it is a share of, the same events in every world; None where there is no such.
    """

    name: str
    title: str
    unit: str
    better: str
    definition: str
    value: Value
    labels: bool = True
    among: int | None = None


class Part(NamedTuple):
    """One number with its 95% interval; NaN where not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where one effect comes from, in one segment.

    `levels` [world] are the effect in the eight worlds; `total` is world 7 less world 0; `shares`, `steps`,
    `order_low` and `order_high` are by player: Shapley shares, contributions in order of deployment, and the range
    over all orders; `interactions` names the players of each, beyond their own parts. `n` counts the evaluated events.
    """

    effect: Effect
    players: tuple[str, ...]
    levels: tuple[float, ...]
    total: Part
    shares: tuple[Part, ...]
    steps: tuple[Part, ...]
    order_low: tuple[float, ...]
    order_high: tuple[float, ...]
    interactions: tuple[tuple[tuple[str, ...], Part], ...]
    n: int
    method: str

    @property
    def separable(self) -> bool:
        """Return whether no sign turns over the orders and interactions are at most half of the total (METHODS g3)."""
        turns = any(low < 0 < high for low, high in zip(self.order_low, self.order_high, strict=True))
        mixed = sum(abs(part.value) for _, part in self.interactions)
        return not turns and not mixed > abs(self.total.value) / 2


def effects(release: Release) -> dict[str, Effect]:
    """Return the effects that can be attributed, by name; money only where costs are declared."""
    found = [
        _share("review_rate", "Review rate", "neither", "reviewed events / all events", (REVIEW,), None),
        _share("block_rate", "Block rate", "neither", "blocked events / all events", (BLOCK,), None),
        _share("approve_rate", "Approval rate", "neither", "approved events / all events", (APPROVE,), None),
        _share("recall", "Recall", "higher", "alerted positives / positives", None, POSITIVE),
        _share("fpr", "False-positive rate", "lower", "alerted negatives / negatives", None, NEGATIVE),
        Effect("precision", "Precision", "share", "higher", "alerted positives / labelled alerts", _precision),
        Effect(
            "fraud_loss",
            "Missed amount",
            "money",
            "lower",
            "fraud or credit loss: amount of approved positives per 1,000 labelled events",
            lambda counts, amounts: THOUSAND * ratio(amounts[..., APPROVE, POSITIVE], _labelled(counts)),
        ),
    ]
    if release.costs is not None:
        found.append(_cost(release.costs))
    return {effect.name: effect for effect in found}


def _share(
    name: str, title: str, better: str, words: str, actions: tuple[int, ...] | None, population: int | None
) -> Effect:
    """Return the effect of a share of events that get `actions` (None: any but approve), of all or of one class."""
    among = EVERYONE if population is None else population

    def value(counts: Array, amounts: Array) -> Array:
        del amounts
        every = counts[..., among].sum(-1)
        taken = every - counts[..., APPROVE, among] if actions is None else counts[..., actions, among].sum(-1)
        return ratio(taken, every)

    return Effect(name, title, "share", better, words, value, population is not None, among)


def _labelled(counts: Array) -> Array:
    labelled: Array = counts[..., [POSITIVE, NEGATIVE]].sum((-2, -1))
    return labelled


def _precision(counts: Array, amounts: Array) -> Array:
    del amounts
    caught, wrong = (counts[..., side].sum(-1) - counts[..., APPROVE, side] for side in (POSITIVE, NEGATIVE))
    return ratio(caught, caught + wrong)


def _cost(costs: Costs) -> Effect:
    unit = cutoffs.unit_costs(costs)

    def value(counts: Array, amounts: Array) -> Array:
        missed, blocked = (amounts[..., action, POSITIVE] for action in (APPROVE, BLOCK))
        reviewed = amounts[..., POSITIVE].sum(-1) - missed - blocked
        total = cutoffs.action_cost(counts, missed, unit, (APPROVE, BLOCK), reviewed)
        return THOUSAND * ratio(total, _labelled(counts))

    words = "cost of reviews, wrong blocks and missed positives per 1,000 labelled events, at the declared unit costs"
    return Effect("cost", "Expected cost", "money", "lower", words, value)


def attribute(worlds: Worlds, effect: Effect, segment: int = 0, *, clustered: bool = True) -> Attribution:
    """Return where `effect` comes from in one segment; intervals by the jackknife over entity shards, all worlds at once."""
    counts, amounts = worlds.counts[segment], worlds.amounts[segment]
    levels, left, one = _measured(effect, counts, amounts)
    evaluated = _labelled(counts)[:, 0] if effect.labels else counts[:, 0, :, EVERYONE].sum(-1)
    still = {worlds.players.index(name) for name in nothing(worlds, segment)}

    def part(full: Array, replicates: Array, causes: tuple[int, ...]) -> Part:
        spread = intervals.jackknife(full, replicates, evaluated > 0)
        found = _bounds(effect, full, spread, counts, None if still.issuperset(causes) else one)
        return Part(float(full[0]), *found)

    def parts(full: Array, replicates: Array) -> tuple[Part, ...]:
        return tuple(part(full[:, k], replicates[..., k], (k,)) for k in range(full.shape[-1]))

    moebius, moved = (_exact(shapley.interactions(one), one) for one in (levels, left))
    groups = [g for size in range(2, len(worlds.players) + 1) for g in combinations(range(len(worlds.players)), size)]
    low, high = shapley.order_range(levels[0])
    return Attribution(
        effect,
        worlds.players,
        tuple(map(float, levels[0])),
        part(levels[:, -1] - levels[:, 0], left[..., -1] - left[..., 0], tuple(range(len(worlds.players)))),
        parts(shapley.shares(levels), shapley.shares(left)),
        parts(shapley.path(levels), shapley.path(left)),
        tuple(map(float, low)),
        tuple(map(float, high)),
        tuple(
            (
                tuple(worlds.players[k] for k in g),
                part(moebius[:, place], moved[..., place], tuple(still & set(g)) or g),
            )
            for g in groups
            for place in [sum(1 << k for k in g)]
        ),
        int(evaluated.sum()),
        "shard jackknife, t" + ("" if clustered else " (assumes independent events)"),
    )


def _measured(effect: Effect, counts: Array, amounts: Array) -> tuple[Array, Array, float]:
    """Return the effect [row, world] and without each shard [row, shard, world], and what one usual event changes.

    Of money there is a second row: the effect if every bad event had the usual amount (the root of the mean square, by
    how much the shards' sums vary).
    """
    total, sums = counts.sum(0), amounts.sum(0)
    rows = [(effect.value(total, sums), effect.value(total - counts, sums - amounts))]
    if effect.unit != "money":
        return np.stack([rows[0][0]]), np.stack([rows[0][1]]), 0.0
    usual = _usual(counts[:, 0], amounts[:, 0, :, POSITIVE].sum(-1))
    rows.append((effect.value(total, usual * total), effect.value(total - counts, usual * (total - counts))))
    ends = []
    for action in (APPROVE, BLOCK):
        more = np.zeros(total[0].shape)
        more[action, POSITIVE] = 1
        ends.append(effect.value(total[0] + more, sums[0] + usual * more))
    return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]), abs(float(ends[0] - ends[1]))


def _usual(counts: Array, amounts: Array) -> float:
    """Return the root of the mean square of the bad events' amounts, from the variance of their sums [shard]; 0 for none."""
    positives, n = counts[..., POSITIVE].sum(), _labelled(counts)
    if not positives:
        return 0.0
    mean = intervals.jackknife(ratio(amounts.sum(), n.sum()), ratio(amounts.sum() - amounts, n.sum() - n), n > 0)
    return float(mean.se * n.sum() / np.sqrt(positives))


def _bounds(
    effect: Effect, full: Array, spread: intervals.Spread, counts: Array, one: float | None
) -> tuple[float, float]:
    """Return the 95% interval of one part, given as rows of `_measured`; `one` None: its causes change no action, it is 0.

    A share of the same events in every world often changes for a few of them only, where value -+ t x error holds the
    truth in 87 of 100 logs; so does money, where it is still fewer.
    """
    value, se, df = full[0], spread.se[0], spread.df[0]
    if one is not None and effect.among is not None:
        low, high = decisions.moved_interval(value, se, counts[:, 0, :, effect.among].sum(), df)
    elif one is not None and effect.unit == "money":
        low, high = intervals.amount_interval(value, (se, spread.se[1]), one, df)
    else:
        low, high = intervals.interval(value, se, df)
    return float(low), float(high)


def _exact(found: Array, levels: Array) -> Array:
    """Return sums and differences of levels, 0 where they are nothing but the rounding of floating-point numbers."""
    rounding = ROUNDING * np.abs(levels).max(axis=-1, keepdims=True)
    return np.where(np.abs(found) <= rounding, 0.0, found)


def nothing(worlds: Worlds, segment: int = 0) -> tuple[str, ...]:
    """Return the players that change no action of any event: their worlds agree in every count, so they contribute 0."""
    counts = worlds.counts[segment]
    still = []
    for player, name in enumerate(worlds.players):
        without = [n for n in range(counts.shape[1]) if not n >> player & 1]
        together = [n | 1 << player for n in without]
        if np.array_equal(counts[:, without], counts[:, together]):
            still.append(name)
    return tuple(still)

"""What two arms did up to every look, drawn from a known truth: for tests and the simulation of whole releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.frames import Before
from release_core.release import SHARDS

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

APPROVE, REVIEW, BLOCK, ESCALATE = range(4)
EVERYONE, POSITIVE, NEGATIVE = range(3)
EVENTS_MORE = 4


@dataclass(frozen=True, slots=True)
class Truth:
    """A stage: its entities, its looks, the candidate's share at each ramp step, and by how much more it alerts.

    Entities have 5 events on average, which are alike: each has an own risk. Alerts are `alerted` of all events in the
    baseline's arm and `effect` (in shares of all events) more in the candidate's; bad events are `bad` of all. Of `crossing`
    of the entities each event is in either arm as it happens: those seen in both are contaminated.
    """

    entities: int = 3000
    looks: int = 336
    shares: tuple[float, ...] = (0.5,)
    alerted: float = 0.1
    effect: float = 0.0
    bad: float = 0.03
    crossing: float = 0.0


@dataclass(frozen=True, slots=True)
class Events:
    """Arrays [event]: of whom it is, the look and ramp step in which it happens, its arm, and the risk of its entity.

    `seen` is the look at which its entity is seen in the ramp step's second arm; the number of looks if it never is.
    """

    entity: Array
    look: Array
    step: Array
    arm: Array
    risk: Array
    seen: Array


def looks(truth: Truth, seed: int) -> tuple[Array, Array]:
    """Return counts [look, ramp step, shard, arm, action, population] and entities [look, ramp step, arm], cumulated."""
    return scored(truth, seed)[:2]


def scored(truth: Truth, seed: int) -> tuple[Array, Array, Before]:
    """Return the same, and what a score before treatment, which follows an entity's own risk, foretells."""
    rng = np.random.default_rng(seed)
    rows = drawn(truth, seed, rng)
    m, many = truth.entities, len(rows.entity)
    alert = rng.random(many) < np.clip(truth.alerted * rows.risk + truth.effect * rows.arm, 0, 1)
    block = alert & (rng.random(many) < 0.3)
    bad = rng.random(many) < np.clip(truth.bad * rows.risk, 0, 1)
    action = np.where(block, BLOCK, np.where(alert, REVIEW, APPROVE))
    shard = rng.integers(0, SHARDS, m)[rows.entity]
    counts = np.zeros((truth.looks, len(truth.shares), SHARDS, 2, 4, 3))
    for population in (np.zeros(many, np.int64), np.where(bad, POSITIVE, NEGATIVE)):
        place = (rows.step, shard, rows.arm, action, population)
        _add(counts, rows, np.arange(many), place, np.ones(many))
    first = rows.risk[np.flatnonzero(np.diff(rows.entity, prepend=-1))]
    x = (first * np.random.default_rng((seed, 1)).lognormal(0, 0.5, m))[rows.entity]
    return counts.cumsum(axis=0), entered(truth, rows), _before(truth, rows, shard, x, action)


def drawn(truth: Truth, seed: int, rng: np.random.Generator | None = None) -> Events:
    """Return the events of a stage; the same for the same seed."""
    rng = rng or np.random.default_rng(seed)
    m, steps = truth.entities, len(truth.shares)
    events = 1 + rng.poisson(EVENTS_MORE, m)
    entity = np.repeat(np.arange(m), events)
    look = np.floor(rng.random(len(entity)) * truth.looks).astype(np.int64)
    step = look * steps // truth.looks
    share = np.array(truth.shares)[step]
    # One draw an entity: who is in the candidate's arm at a small share stays there at a larger one.
    arm = (rng.random(m)[entity] < share).astype(np.int64)
    risk = rng.beta(0.5, 4.5, m)[entity] / 0.1
    if truth.crossing:
        other = np.random.default_rng((seed, 2))
        crossing = (other.random(m) < truth.crossing)[entity]
        arm = np.where(crossing, other.random(len(entity)) < share, arm).astype(np.int64)
    first = np.full((2, m * steps), truth.looks)
    np.minimum.at(first, (arm, entity * steps + step), look)
    return Events(entity, look, step, arm, risk, first.max(axis=0)[entity * steps + step])


def entered(truth: Truth, rows: Events) -> Array:
    """Return how many entities come for the first time in a ramp step, [look, ramp step, arm], cumulated."""
    return _firsts(truth, rows, np.arange(len(rows.entity)))


def first_cases(truth: Truth, rows: Events, seed: int, rate: float, ratio: float = 1.0) -> Array:
    """Return to how many entities a rare harm has come, [look, ramp step, arm], cumulated; each counts once a ramp step.

    It comes to `rate` of all events, as an entity's own risk is, and `ratio` times as often in the candidate's arm.
    """
    chance = rate * rows.risk * np.where(rows.arm == 1, ratio, 1.0)
    return _firsts(truth, rows, np.flatnonzero(np.random.default_rng((seed, 3)).random(len(chance)) < chance))


def _add(found: Array, rows: Events, chosen: Array, place: tuple[Array, ...], values: Array) -> None:
    """Add the values of some events at their look; those of contaminated entities leave when that is known."""
    np.add.at(found, (rows.look[chosen], *place), values)
    gone = np.maximum(rows.look, rows.seen)[chosen]
    left = gone < len(found)
    np.add.at(found, (gone[left], *(axis[left] for axis in place)), -values[left])


def _firsts(truth: Truth, rows: Events, chosen: Array) -> Array:
    """Return how many entities have a first of some events in a ramp step, [look, ramp step, arm], cumulated."""
    found = np.zeros((truth.looks, len(truth.shares), 2))
    first = _first_of(truth, rows, chosen)
    _add(found, rows, first, (rows.step[first], rows.arm[first]), np.ones(len(first)))
    return found.cumsum(axis=0)


def _first_of(truth: Truth, rows: Events, chosen: Array) -> Array:
    """Return which of some events is the first of its entity in its ramp step."""
    order = chosen[np.lexsort((rows.look[chosen], rows.step[chosen], rows.entity[chosen]))]
    key = rows.entity[order] * len(truth.shares) + rows.step[order]
    return order[np.flatnonzero(np.diff(key, prepend=-1))]


def _before(truth: Truth, rows: Events, shard: Array, x: Array, action: Array) -> Before:
    """Return the sums of the score `x` of each event's entity over entities that entered, and with their actions."""
    first = _first_of(truth, rows, np.arange(len(rows.entity)))

    def summed(values: Array, chosen: Array) -> Array:
        found = np.zeros((truth.looks, len(truth.shares), 2, SHARDS))
        _add(found, rows, chosen, (rows.step[chosen], rows.arm[chosen], shard[chosen]), values[chosen])
        return found.cumsum(axis=0)

    each = [np.flatnonzero(action == a) if a else np.flatnonzero(action != APPROVE) for a in range(4)]
    signs = (-1, 1, 1, 1)
    return Before(
        *(summed(values, first) for values in (np.ones_like(x), x, x * x)),
        *(
            np.stack([sign * summed(values, chosen) for sign, chosen in zip(signs, each, strict=True)])
            for values in (np.ones_like(x), x)
        ),
    )

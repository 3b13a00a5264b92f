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
    baseline's arm and `effect` (in shares of all events) more in the candidate's; bad events are `bad` of all.
    """

    entities: int = 3000
    looks: int = 336
    shares: tuple[float, ...] = (0.5,)
    alerted: float = 0.1
    effect: float = 0.0
    bad: float = 0.03


def looks(truth: Truth, seed: int) -> tuple[Array, Array]:
    """Return counts [look, ramp step, shard, arm, action, population] and entities [look, ramp step, arm], cumulated."""
    return scored(truth, seed)[:2]


def scored(truth: Truth, seed: int) -> tuple[Array, Array, Before]:
    """Return the same, and what a score before treatment, which follows an entity's own risk, foretells."""
    rng = np.random.default_rng(seed)
    m, steps = truth.entities, len(truth.shares)
    events = 1 + rng.poisson(EVENTS_MORE, m)
    entity = np.repeat(np.arange(m), events)
    look = np.floor(rng.random(len(entity)) * truth.looks).astype(np.int64)
    step = look * steps // truth.looks
    # One draw an entity: who is in the candidate's arm at a small share stays there at a larger one.
    arm = (rng.random(m)[entity] < np.array(truth.shares)[step]).astype(np.int64)
    risk = rng.beta(0.5, 4.5, m)[entity] / 0.1
    alert = rng.random(len(entity)) < np.clip(truth.alerted * risk + truth.effect * arm, 0, 1)
    block = alert & (rng.random(len(entity)) < 0.3)
    bad = rng.random(len(entity)) < np.clip(truth.bad * risk, 0, 1)
    action = np.where(block, BLOCK, np.where(alert, REVIEW, APPROVE))
    shard = rng.integers(0, SHARDS, m)[entity]
    counts = np.zeros((truth.looks, steps, SHARDS, 2, 4, 3))
    for population in (np.zeros(len(entity), np.int64), np.where(bad, POSITIVE, NEGATIVE)):
        np.add.at(counts, (look, step, shard, arm, action, population), 1)
    rows = (entity, look, step, arm)
    x = (risk[np.flatnonzero(np.diff(entity, prepend=-1))] * np.random.default_rng((seed, 1)).lognormal(0, 0.5, m))[
        entity
    ]
    return counts.cumsum(axis=0), _entered(truth, rows).cumsum(axis=0), _before(truth, rows, shard, x, action)


def _before(truth: Truth, rows: tuple[Array, ...], shard: Array, x: Array, action: Array) -> Before:
    """Return the sums of the score `x` of each event's entity over entities that entered, and with their actions."""
    entity, look, step, arm = rows
    order = np.lexsort((look, step, entity))
    first = order[np.flatnonzero(np.diff((entity * len(truth.shares) + step)[order], prepend=-1))]

    def summed(values: Array, chosen: Array) -> Array:
        found = np.zeros((truth.looks, len(truth.shares), 2, SHARDS))
        np.add.at(found, (look[chosen], step[chosen], arm[chosen], shard[chosen]), values[chosen])
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


def _entered(truth: Truth, rows: tuple[Array, Array, Array, Array]) -> Array:
    """Return how many entities come for the first time in a ramp step, [look, ramp step, arm]."""
    entity, look, step, arm = rows
    order = np.lexsort((look, step, entity))
    keys = entity[order] * len(truth.shares) + step[order]
    first = order[np.flatnonzero(np.diff(keys, prepend=-1))]
    found = np.zeros((truth.looks, len(truth.shares), 2))
    np.add.at(found, (look[first], step[first], arm[first]), 1)
    return found

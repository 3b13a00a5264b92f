"""What two arms did up to every look, drawn from a known truth: for tests and the simulation of whole releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
    return counts.cumsum(axis=0), _entered(truth, (entity, look, step, arm)).cumsum(axis=0)


def _entered(truth: Truth, rows: tuple[Array, Array, Array, Array]) -> Array:
    """Return how many entities come for the first time in a ramp step, [look, ramp step, arm]."""
    entity, look, step, arm = rows
    order = np.lexsort((look, step, entity))
    keys = entity[order] * len(truth.shares) + step[order]
    first = order[np.flatnonzero(np.diff(keys, prepend=-1))]
    found = np.zeros((truth.looks, len(truth.shares), 2))
    np.add.at(found, (look[first], step[first], arm[first]), 1)
    return found

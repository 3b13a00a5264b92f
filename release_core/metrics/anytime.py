"""Cells of two arms by ramp step in, estimates out whose bounds hold at every look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import POSITIVE
from release_core.metrics import values as v
from release_core.metrics.estimate import Estimate, evaluated
from release_core.stats import arms, sequential
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Tally
    from release_core.metrics.table import Metric

METHOD = "asymptotic confidence sequence over entity shards, by ramp step"
# Entities at which one expects to decide, where the manifest does not say.
EXPECTED = 20_000
# Fewer carriers of an event in an arm than this, and the sequence says nothing (RELEASE.md B.4).
LEAST_CARRIERS = 30


@dataclass(frozen=True, slots=True)
class Anytime(Estimate):
    """An estimate [..., side] whose bounds may be read at every look; `size` are the entities behind each side."""

    size: Array
    expect_n: float

    def bounds(self, confidence: float | Array, sides: int = 2) -> tuple[Array, Array]:
        """Return low and high [..., side] that hold at all looks together, each with its confidence if `sides` is 1."""
        level = np.broadcast_to(np.asarray(confidence, dtype=float), self.value.shape[:-1])[..., None]
        found = sequential.asymptotic(self.value, self.se, self.size, self.expect_n, 1 - level, sides)
        return self.limited(*found)


def estimate(tally: Tally, entities: Array, metric: Metric, expect_n: float = EXPECTED) -> Anytime:
    """Return a metric of both arms and its difference, compared within ramp steps.

    Args:
        tally: cells [..., ramp step, shard, version, ...] in which each version holds its own arm's events only.
        entities: [..., ramp step, arm] entities that entered by then, each counted once a ramp step.
        metric: any metric with a value per version; its jackknife leaves out one entity shard after another.
        expect_n: entities, of both arms, at which one expects to decide; declared before the stage opens.
    """
    shard = tally.actions.ndim - 4  # from the front: [..., ramp step, shard, version, action, population]
    whole = tally.sum(shard)
    without = whole.expand(shard) - tally
    level = metric.value(whole)
    left, used = metric.value(without), metric.base(tally) > 0
    found = arms.stratified(level, np.moveaxis(left, -2, -1), np.moveaxis(used, -2, -1), entities)
    every = whole.sum(shard - 1)
    base, positives = metric.base(every), v.decided(every, POSITIVE)
    value = np.concatenate([found.levels, found.value[..., None]], axis=-1)
    evidence = np.where(_carried(metric, every, entities.sum(axis=-2)), evaluated(metric, every), 0.0)
    return Anytime(
        metric=metric,
        value=value,
        se=found.se,
        df=np.full(value.shape[:-1], np.inf),
        n=np.concatenate([base, base[..., 1:]], axis=-1),
        positives=np.concatenate([positives, positives[..., 1:]], axis=-1),
        evidence=evidence,
        closed=None,
        closed_name="",
        spread_name=METHOD,
        size=found.n,
        expect_n=expect_n,
    )


def _carried(metric: Metric, every: Tally, entities: Array) -> Array:
    """Return [...] whether enough entities of each arm [..., arm] carry what the metric counts, and its opposite.

    Entities with such an event are taken to be at least its events divided by the events an entity.
    """
    base = metric.base(every)
    if metric.unit != "share":
        return np.asarray((entities >= LEAST_CARRIERS).all(axis=-1))
    hits = np.nan_to_num(metric.value(every) * base)
    rarer = np.minimum(hits, base - hits) * np.minimum(np.nan_to_num(ratio(entities, base)), 1.0)
    return np.asarray((rarer >= LEAST_CARRIERS).all(axis=-1))

"""Cells of two arms by ramp step in, estimates out whose bounds hold at every look."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import EVERYONE, POSITIVE
from release_core.metrics import values as v
from release_core.metrics.estimate import Estimate, evaluated
from release_core.stats import arms, intervals, sequential
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Before, Tally
    from release_core.metrics.table import Metric

METHOD = "asymptotic confidence sequence over entity shards, by ramp step"
ADJUSTED = METHOD + ", adjusted for the baseline's first score (CUPED)"
# Of fewer entities than this share the baseline's first score is known: nothing is adjusted for it.
LEAST_SCORED = 0.99
# Entities at which one expects to decide, where the manifest does not say.
EXPECTED = 20_000
# Fewer carriers of an event in an arm than this, and the sequence says nothing (RELEASE.md B.4).
LEAST_CARRIERS = 30


@dataclass(frozen=True, slots=True)
class Anytime(Estimate):
    """An estimate [..., side] whose bounds may be read at every look; `size` are the entities behind each side.

    `adjusted` [...]: whether it is less what the baseline's score of each entity's first event foretells. `counted` are the
    hits and misses [..., side] behind a share of one group of events: its bounds are then never inside the exact ones, which
    also hold where all of them, or nearly all, are the same.
    """

    size: Array
    expect_n: float
    adjusted: Array | None = field(default=None, kw_only=True)
    counted: tuple[Array, Array] | None = field(default=None, kw_only=True)

    def bounds(self, confidence: float | Array, sides: int = 2) -> tuple[Array, Array]:
        """Return low and high [..., side] that hold at all looks together, each with its confidence if `sides` is 1."""
        level = np.broadcast_to(np.asarray(confidence, dtype=float), self.value.shape[:-1])[..., None]
        found = sequential.asymptotic(self.value, self.se, self.size, self.expect_n, 1 - level, sides)
        return self.limited(*(found if self.counted is None else self._exact(found, 1 - level)))

    def _exact(self, found: tuple[Array, Array], alpha: Array) -> tuple[Array, Array]:
        """Return bounds widened to those that are exact for independent events; these alone where all are the same."""
        hits, misses = self.counted  # type: ignore[misc]  # the caller has seen that they are there
        exact = sequential.share_bounds(hits, misses, alpha)
        alike = ~(self.se > 0)
        return (
            np.where(alike, exact.low, np.fmin(found[0], exact.low)),
            np.where(alike, exact.high, np.fmax(found[1], exact.high)),
        )

    def method(self, segment: int, side: int) -> str:
        """Return the name of the interval's method."""
        if self.adjusted is not None and self.adjusted[segment]:
            return ADJUSTED
        return Estimate.method(self, segment, side)


def estimate(
    tally: Tally,
    treated: Array,
    metric: Metric,
    expect_n: float = EXPECTED,
    known: tuple[int, Before | None] = (-1, None),
) -> Anytime:
    """Return a metric of both arms and its difference, compared within ramp steps; a comparison's own value alone.

    Args:
        tally: cells [..., ramp step, shard, version, ...] in which each version holds its own arm's events only.
        treated: [..., ramp step, arm] entities that entered by then, each counted once a ramp step.
        metric: any metric of cells without bins; its jackknife leaves out one entity shard after another.
        expect_n: entities, of both arms, at which one expects to decide; declared before the stage opens.
        known: the place of all events among the segments (-1: not among them), and what was known of their entities
            before they were treated: a share of actions is adjusted for it where it is known and alike in both arms.
    """
    shard = tally.actions.ndim - 4  # from the front: [..., ramp step, shard, version, action, population]
    if metric.compared:
        return _together(tally.sum(shard - 1), treated.sum(axis=(-2, -1)), metric, expect_n)
    whole = tally.sum(shard)
    without = whole.expand(shard) - tally
    left, used = metric.value(without), metric.base(tally) > 0
    found = arms.stratified(metric.value(whole), np.moveaxis(left, -2, -1), np.moveaxis(used, -2, -1), treated)
    every = whole.sum(shard - 1)
    base, positives = metric.base(every), v.decided(every, POSITIVE)
    value, se = np.concatenate([found.levels, found.value[..., None]], axis=-1), found.se.copy()
    evidence = np.where(_carried(metric, every, treated.sum(axis=-2)), evaluated(metric, every), 0.0)
    place, before = known
    adjusted = np.zeros(value.shape[:-1], dtype=bool)
    if place >= 0 and before is not None and metric.rate is not None and metric.rate[1] == EVERYONE:
        less, on = _adjusted(metric, tally.take(place), treated[place], before)
        adjusted[place] = on
        value[place] = np.where(on[..., None], np.append(less.levels, less.value[..., None], axis=-1), value[place])
        se[place] = np.where(on[..., None], less.se, se[place])
    one = _anytime(metric, (value, se, found.n), (base, positives), evidence, expect_n)
    return replace(one, adjusted=adjusted)


def _adjusted(metric: Metric, tally: Tally, treated: Array, before: Before) -> tuple[arms.Arms, Array]:
    """Return what the arms show less what scores before treatment foretell, and whether [...] that is to be done.

    The slope is that of the actions taken, which are nearly the version's own; any slope is right, the best is narrowest.
    """
    actions, _ = metric.rate or ((), EVERYONE)
    counts = tally.actions[..., EVERYONE]
    top, bottom = (np.moveaxis(part, -1, -2) for part in (counts[..., list(actions)].sum(-1), counts.sum(-1)))
    covariate = arms.Covariate(before.n, before.x, before.xx, before.xy[list(actions)].sum(axis=0))
    slope = arms.slope(before.y[list(actions)].sum(axis=0), covariate)
    found = arms.between(top - slope[..., None, None, None] * arms.foretold(covariate), bottom, treated)
    scored = before.n.sum(axis=(-3, -1)) >= LEAST_SCORED * treated.sum(axis=-2)
    on = arms.balanced(covariate) & scored.all(axis=-1) & np.isfinite(found.se).all(axis=-1) & (slope != 0)
    return found, np.asarray(on)


def _together(tally: Tally, treated: Array, metric: Metric, expect_n: float) -> Anytime:
    """Return the estimate of a comparison of both versions on the same events, [..., shard, ...] cells of both arms."""
    shard = tally.actions.ndim - 4
    whole = tally.sum(shard)
    value, base = metric.value(whole)[..., None], metric.base(whole)[..., None]
    left = metric.value(whole.expand(shard) - tally)
    spread = intervals.jackknife(value[..., 0], left, metric.base(tally) > 0)
    hits = np.nan_to_num(value * base)
    evidence = np.where(base[..., 0] >= LEAST_CARRIERS, base[..., 0], 0.0)
    size = treated[..., None]
    one = _anytime(metric, (value, spread.se[..., None], size), (base, v.decided(whole, POSITIVE)), evidence, expect_n)
    return replace(one, counted=(hits, base - hits)) if metric.unit == "share" else one


def _anytime(
    metric: Metric, found: tuple[Array, Array, Array], counts: tuple[Array, Array], evidence: Array, expect_n: float
) -> Anytime:
    value, se, size = found
    base, positives = counts
    both = [base, positives[..., 1:]] if metric.compared else [np.concatenate([n, n[..., 1:]], axis=-1) for n in counts]
    df = np.full(value.shape[:-1], np.inf)
    return Anytime(metric, value, se, df, both[0], both[1], evidence, None, "", METHOD, size, expect_n)


def _carried(metric: Metric, every: Tally, treated: Array) -> Array:
    """Return [...] whether enough entities of each arm [..., arm] carry what the metric counts, and its opposite.

    Entities with such an event are taken to be at least its events divided by the events an entity.
    """
    base = metric.base(every)
    if metric.unit != "share":
        return np.asarray((treated >= LEAST_CARRIERS).all(axis=-1))
    hits = np.nan_to_num(metric.value(every) * base)
    rarer = np.minimum(hits, base - hits) * np.minimum(np.nan_to_num(ratio(treated, base)), 1.0)
    return np.asarray((rarer >= LEAST_CARRIERS).all(axis=-1))

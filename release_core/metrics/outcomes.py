"""Outcomes of two arms in, estimates out whose bounds hold at every look; what they rest on where the outcome is rare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics import lived as served
from release_core.metrics.anytime import EXPECTED, LEAST_CARRIERS, METHOD, Anytime
from release_core.stats import arms, rates, sequential
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

RARE = "confidence sequence of each share, difference MOVER"


@dataclass(frozen=True, slots=True)
class Continuous(Anytime):
    """A share of both arms [..., side] of which `hits` of `base` [..., arm] are independent events' worth.

    Where fewer than 30 entities of an arm carry it, or its opposite (not `carried` [...]), bounds are those of each share's
    own confidence sequence, exact for any number of events, and of their difference by MOVER.
    """

    hits: Array
    base: Array
    carried: Array

    def bounds(self, confidence: float | Array, sides: int = 2) -> tuple[Array, Array]:
        """Return low and high [..., side] that hold at all looks together, each with its confidence if `sides` is 1."""
        level = np.broadcast_to(np.asarray(confidence, dtype=float), self.value.shape[:-1])[..., None]
        common = sequential.asymptotic(self.value, self.se, self.size, self.expect_n, 1 - level, sides)
        each = sequential.share_bounds(self.hits, self.base - self.hits, 1 - level)
        value = self.value[..., :2]
        between = rates.mover(*((value[..., k], each.low[..., k], each.high[..., k]) for k in (0, 1)))
        exact = [
            np.concatenate([arm, both[..., None]], axis=-1)
            for arm, both in ((each.low, between.low), (each.high, between.high))
        ]
        carried = self.carried[..., None]
        return self.limited(*(np.where(carried, a, b) for a, b in zip(common, exact, strict=True)))

    def at_look(self, look: int) -> Continuous:
        """Return the estimate [segment, side] of one look of an estimate [segment, look, side]."""
        arrays = ("value", "se", "df", "n", "positives", "evidence", "size", "hits", "base", "carried")
        return replace(self, **{name: getattr(self, name)[:, look] for name in arrays})

    def method(self, segment: int, side: int) -> str:
        """Return the name of the interval's method."""
        del side
        return METHOD if self.carried[segment] else RARE


def continuous(lived: Lived, metric: Metric, expect_n: float = EXPECTED, *, every: bool = False) -> Continuous:
    """Return a metric with `outcome` of both arms and its difference, compared within ramp steps, [segment, side].

    Args:
        lived: the slice, as of a look.
        metric: the metric.
        expect_n: entities, of both arms, at which one expects to decide; declared before the stage opens.
        every: whether at every look, [segment, look, side].
    """
    if metric.outcome is None:
        message = f"{metric.name} is no metric of outcomes"
        raise ValueError(message)
    looks = slice(None) if every else slice(lived.look, lived.look + 1)
    top, bottom = served.sums(lived, *metric.outcome, looks)
    one = _read(metric, top, bottom, 1.0 if metric.outcome.base else lived.per_entity, expect_n)
    return one if every else replace(one.at_look(0), note=served.early(lived, metric.outcome.hours))


def _read(metric: Metric, top: Array, bottom: Array, per_entity: float, expect_n: float) -> Continuous:
    """Return the estimate of sums [segment, look, ramp, arm, shard]."""
    found = arms.between(top, bottom, bottom.sum(-1) / per_entity)
    k, n = top.sum((-3, -1)), bottom.sum((-3, -1))
    each = np.where(n > 0, np.where(np.isfinite(found.levels), found.levels, ratio(k, n)), np.nan)
    value = np.concatenate([each, (each[..., 1] - each[..., 0])[..., None]], axis=-1)
    chance = ratio(each * (1 - each), n)
    effect = np.maximum(np.nan_to_num(ratio(found.se[..., :2] ** 2, np.where(chance > 0, chance, np.nan)), nan=1.0), 1)
    hits = np.clip(np.nan_to_num(each) * n, 0.0, n)
    enough = (np.minimum(hits, n - hits) / per_entity >= LEAST_CARRIERS).all(-1) & (found.se > 0).all(-1)
    counts = np.concatenate([n, n[..., 1:]], axis=-1)
    nothing = np.zeros_like(value)
    inf = np.full(value.shape[:-1], np.inf)
    return Continuous(
        metric, value, found.se, inf, counts, nothing, n.min(-1), None, "", METHOD, found.n, expect_n,
        hits / effect, n / effect, enough,
    )  # fmt: skip

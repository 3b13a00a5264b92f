"""Frames of serving, outcomes and runtime samples in, estimates out: what the cells of scores do not tell.

Intervals widen by how unlike the as-of steps are (serving: load and outages come in spells) or rest on the entity
shards of each arm (outcomes: customers have several events).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.metrics.estimate import INDEPENDENT, JACKKNIFE, Estimate
from release_core.release import SHARDS, VERSIONS
from release_core.stats import arms, decisions, histograms, intervals, rates
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array, Segment
    from release_core.live_frames import Effects, Gauge, Lateness, Serving
    from release_core.metrics.table import Metric

    # confidence, sides -> (low, high) [segment, version]
    Bounds = Callable[[Array, int], tuple[Array, Array]]

HOUR, DAY = 3600, 24
# Runtime samples speak of the last day, or of the whole stage where it is shorter.
RECENT_HOURS = 24
# What sentences say of evidence that is still to come.
EARLY = "too early"
THOUSAND = 1000.0
PER_LOOK = ("served", "latency", "fallback", "fallback_known", "costed", "cost", "cost2")


@dataclass(frozen=True, eq=False)
class Lived:
    """What metrics of serving and of outcomes read, as of a look: frames over `every` segment, of which `index` are added.

    Of serving the steps from `first` on count. `per_entity` are the events an entity has in the stage.
    `effects` returns what came of events within some hours, `late` the bad labels that came after maturity.
    `end` is the look's last instant in seconds since 1970,
    `began` that of the first event; `served`: whether events were served at all, which a replay does not;
    `given` the columns of the decisions log, `kinds` the outcomes in the logs. `live`: whether the candidate acted on events at all.
    """

    segments: tuple[Segment, ...]
    index: tuple[tuple[int, ...], ...]
    look: int
    end: float
    served: bool
    live: bool
    clustered: bool
    given: frozenset[str]
    kinds: frozenset[str]
    serving: Serving
    effects: Callable[[int], Effects]
    gauges: tuple[Gauge, ...]
    late: Callable[[], Lateness]
    first: int = 0
    per_entity: float = 1.0
    began: float = float("nan")

    def pooled(self, groups: Sequence[tuple[Segment, Sequence[int]]]) -> Lived:
        """Return one segment per group: the sum of the segments at the given positions."""
        index = tuple(tuple(k for n in places for k in self.index[n]) for _, places in groups)
        return replace(self, segments=tuple(name for name, _ in groups), index=index)

    def added(self, array: Array, axis: int = 0) -> Array:
        """Return an array whose axis of segments holds those of this slice."""
        if self.index == tuple((place,) for place in range(array.shape[axis])):
            return array
        return np.stack([array.take(places, axis).sum(axis) for places in self.index], axis)

    def outcomes(self, frame: Effects | Lateness, array: Array) -> Array:
        """Return an array [segment of the frame, ...] by the segments of this slice; 0 where the frame has no such segment."""
        if frame.segments == self.serving.segments:
            return self.added(array)
        place = {tuple(segment.items()): k for k, segment in enumerate(frame.segments)}
        named = [place.get(tuple(segment.items()), -1) for segment in self.serving.segments]
        padded = np.concatenate([array, np.zeros((1, *array.shape[1:]))])
        return self.added(padded[named])

    def steps(self, array: Array, axis: int = 1) -> Array:
        """Return a frame's array of serving [..., segment, look, ...], looks from the first that counts up to this one."""
        return self.added(array, axis - 1).take(np.arange(self.first, self.look + 1), axis)

    def recent(self, gauge: Gauge) -> Array:
        """Return which buckets of a gauge lie in the last day before this look's end."""
        found: Array = (gauge.start <= self.end) & (gauge.start > self.newest - RECENT_HOURS * HOUR)
        return found

    @cached_property
    def newest(self) -> float:
        """Return when the last sample up to this look's end was taken, in seconds; the end where there is none."""
        starts = [float(gauge.start[gauge.start <= self.end].max(initial=0.0)) for gauge in self.gauges]
        return max(starts, default=0.0) or self.end

    def each_step(self) -> Lived:
        """Return the serving of one segment with its as-of steps in the place of segments, each on its own."""
        one, looks = self.serving, len(self.serving.looks)

        def turned(array: Array, axis: int = 0) -> Array:
            return np.moveaxis(self.added(array, axis), axis + 1, axis)

        names: tuple[Segment, ...] = tuple({"step": str(look)} for look in one.looks)
        arrays: dict[str, Any] = {name: turned(getattr(one, name)) for name in PER_LOOK}
        serving = replace(one, looks=one.looks[:1], errors=turned(one.errors, 1), **arrays)
        return replace(
            self,
            segments=names,
            index=tuple((k,) for k in range(looks)),
            look=0,
            serving=replace(serving, segments=names),
        )

    def gauge(self, name: str, arm: str = "") -> Gauge | None:
        """Return a gauge of an arm, or the one that both share; None where the logs hold none up to this look."""
        named = {gauge.arm: gauge for gauge in self.gauges if gauge.name == name and (gauge.start <= self.end).any()}
        return named.get(arm, named.get(""))


def latency(p: float) -> Callable[[Lived, Metric], Estimate]:
    """Return the metric "quantile `p` of the latency in milliseconds"."""

    def measure(lived: Lived, metric: Metric) -> Estimate:
        steps = lived.steps(lived.serving.latency)
        counts, edges = steps.sum(1), lived.serving.edges
        value, n = histograms.quantile(counts, edges, p), counts.sum(-1)
        limit = np.nan_to_num(value, nan=1.0)[:, None, :]
        above = histograms.share_above(steps, edges, np.broadcast_to(limit, steps.shape[:-1]))
        effect = rates.dispersion(np.moveaxis(above, 1, -1), np.moveaxis(steps.sum(-1), 1, -1))

        def bounds(level: Array, sides: int) -> tuple[Array, Array]:
            found = histograms.interval(counts, edges, p, level, sides, effect)
            return found.low, found.high

        return sided(metric, value, n, bounds, "order statistics, widened as steps differ")

    return measure


def share(hits: Callable[[Serving], Array], base: Callable[[Serving], Array]) -> Callable[[Lived, Metric], Estimate]:
    """Return the metric "share of the events in `base` that `hits` counts", both [segment, look, version]."""

    def measure(lived: Lived, metric: Metric) -> Estimate:
        k, n = (np.moveaxis(lived.steps(part(lived.serving)), 1, -1) for part in (hits, base))
        effect = rates.dispersion(k, n)
        every, size = k.sum(-1), n.sum(-1)
        absent = ~np.array([lived.served and _logged(metric, lived.given, version) for version in VERSIONS])
        size = np.where(absent, 0.0, size)

        def bounds(level: Array, sides: int) -> tuple[Array, Array]:
            found = decisions.wilson(ratio(every, effect), ratio(size, effect), level, sides)
            return found.low, found.high

        return sided(metric, ratio(every, size), size, bounds, "Wilson, widened as steps differ; difference MOVER")

    return measure


def _logged(metric: Metric, given: frozenset[str], version: str) -> bool:
    """Return whether the log holds the column of a version that a metric needs ("error"), in either layout."""
    return not metric.needs or bool({metric.needs, f"{version}_{metric.needs}"} & given)


def cost(lived: Lived, metric: Metric) -> Estimate:
    """Return the serving cost of 1,000 events."""
    serving = lived.serving
    total, squares, n = (
        np.moveaxis(lived.steps(part), 1, -1) for part in (serving.cost, serving.cost2, serving.costed)
    )
    effect = rates.dispersion_of_means(total, squares, n)
    size, mean = n.sum(-1), ratio(total.sum(-1), n.sum(-1))
    variance = np.maximum(ratio(squares.sum(-1), size) - mean**2, 0.0) * ratio(size, size - 1)
    se = np.sqrt(ratio(variance * effect, size))

    def bounds(level: Array, sides: int) -> tuple[Array, Array]:
        found = intervals.interval(THOUSAND * mean, THOUSAND * se, np.inf, level, sides)
        return found.low, found.high

    return sided(metric, THOUSAND * mean, size, bounds, "normal, widened as steps differ; difference MOVER")


def sided(metric: Metric, value: Array, n: Array, bounds: Bounds, name: str) -> Estimate:
    """Return the estimate of two sides, [segment, version] each, and of their difference by MOVER."""
    between = value[:, 1:] - value[:, :1]
    nothing = np.full((len(value), len(VERSIONS) + 1), np.nan)

    def closed(level: Array, sides: int) -> tuple[Array, Array]:
        low, high = bounds(level, sides)
        sides_of = [(value[:, v], low[:, v], high[:, v]) for v in range(len(VERSIONS))]
        found = rates.mover(sides_of[0], sides_of[1])
        return np.column_stack([low, found.low]), np.column_stack([high, found.high])

    return Estimate(
        metric=metric,
        value=np.concatenate([value, between], axis=1),
        se=nothing,
        df=np.zeros(len(value)),
        n=np.column_stack([n, n.min(1)]),
        positives=np.zeros_like(nothing),
        evidence=n[:, 1],
        closed=closed,
        closed_name=name,
        spread_name="",
    )


def outcome(hours: int, hits: Sequence[str], base: Sequence[str] = ()) -> Callable[[Lived, Metric], Estimate]:
    """Return the metric "share of events with one of the outcomes `hits` within `hours`", of events that old.

    With `base`, of those of them that had one of these outcomes (an event with two of a list counts twice).
    """

    def measure(lived: Lived, metric: Metric) -> Estimate:
        top, bottom = (part[:, 0] for part in sums(lived, hours, hits, base, slice(lived.look, lived.look + 1)))
        return replace(armed(lived, metric, top, bottom), note=early(lived, hours))

    return measure


def outcomes_within(lived: Lived, metric: Metric, asked: Sequence[tuple[int, str]]) -> Estimate:
    """Return the estimate of "to how many events a kind of outcome came within so many hours", for each (hours, kind) asked.

    They stand in the place of segments, of which the slice has one.
    """
    look = slice(lived.look, lived.look + 1)
    parts = [sums(lived, hours, (kind,), (), look) for hours, kind in asked]
    top, bottom = (np.concatenate([part[side][:, 0] for part in parts]) for side in (0, 1))
    return armed(lived, metric, top, bottom)


def sums(
    lived: Lived, hours: int, hits: Sequence[str], base: Sequence[str], looks: slice = slice(None)
) -> tuple[Array, Array]:
    """Return the numerator and denominator [segment, look, ramp, arm, shard] of a metric of outcomes; see `outcome`."""
    if not lived.live:
        nothing = np.zeros((len(lived.segments), len(lived.serving.looks[looks]), 1, len(VERSIONS), SHARDS))
        return nothing, nothing
    frame = lived.effects(hours)
    every = lived.outcomes(frame, frame.events[:, looks])
    if not any(kind.split("=")[0] in lived.kinds for kind in hits):
        return 0 * every, 0 * every

    def counted(kinds: Sequence[str]) -> Array:
        chosen = [frame.kinds.index(kind) for kind in kinds if kind in frame.kinds]
        return lived.outcomes(frame, frame.counts[chosen][:, :, looks].sum(0)) if chosen else 0 * every

    return counted(hits), counted(base) if base else every


def early(lived: Lived, hours: int) -> str:
    """Return in words when the first event of the stage is old enough for what is counted `hours` after it; "" where one is."""
    first = lived.began + hours * HOUR
    if not lived.live or not first > lived.end:
        return ""
    age = f"{hours // DAY} days" if hours > DAY else f"{hours} hours"
    when = datetime.fromtimestamp(first, UTC)
    return f"{EARLY}: it is counted {age} after an event, and the first event is that old on {when:%Y-%m-%d %H:%M} UTC"


def armed(lived: Lived, metric: Metric, top: Array, bottom: Array) -> Estimate:
    """Return the estimate of a ratio of sums [segment, ramp, arm, shard], compared within ramp steps."""
    found = arms.between(top, bottom, bottom.sum(-1))
    k, n = top.sum((1, 3)), bottom.sum((1, 3))
    used = (bottom.sum(1) > 0).sum(-1).min(-1)
    df = np.where(used >= intervals.MIN_SHARDS, used - 1.0, 0.0)

    def closed(level: Array, sides: int) -> tuple[Array, Array]:
        each = decisions.wilson(np.minimum(k, n), n, level, sides)
        between = decisions.newcombe((k[:, 0], n[:, 0]), (k[:, 1], n[:, 1]), level[:, 0], sides)
        return np.column_stack([each.low, between.low]), np.column_stack([each.high, between.high])

    value = np.column_stack([np.where(n > 0, found.levels, np.nan), found.value])
    value = np.where(
        np.isfinite(value), value, np.column_stack([ratio(k, n), ratio(k[:, 1], n[:, 1]) - ratio(k[:, 0], n[:, 0])])
    )
    return Estimate(
        metric=metric,
        value=value,
        se=np.where((found.se > 0) & (df > 0)[:, None], found.se, np.nan),
        df=df,
        n=np.column_stack([n, n[:, 1]]),
        positives=np.zeros((len(k), len(VERSIONS) + 1)),
        evidence=n.min(1),
        closed=closed,
        closed_name="Wilson; difference Newcombe",
        spread_name=JACKKNIFE + ", by ramp step" + ("" if lived.clustered else INDEPENDENT),
    )

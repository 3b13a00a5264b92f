"""Runtime samples in, estimates out: utilisation, queue depths, failed calls, and when the review queue overflows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics.lived import HOUR, RECENT_HOURS, THOUSAND, sided
from release_core.release import VERSIONS
from release_core.stats import intervals, queues, rates
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array
    from release_core.metrics.estimate import Estimate
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

QUEUE, CAPACITY, LIMIT = "review_queue_depth", "review_capacity_per_hour", "review_queue_limit"
ARRIVALS, REQUESTS, FAILURES = "review_arrivals", "requests", "dependency_failures"
UTILISATION = "_utilisation"
COUNTED = "counted"
LONGEST_WAIT = queues.LONGEST


def busiest(mean: Array, high: Array) -> float:
    """Return the greatest mean of a bucket."""
    del high
    return float(mean.max())


def deepest(mean: Array, high: Array) -> float:
    """Return the greatest value."""
    del mean
    return float(high.max())


def gauge(name: str, read: Callable[[Array, Array], float]) -> Callable[[Lived, Metric], Estimate]:
    """Return the metric that `read` makes of the (mean, high) of a gauge's buckets of the last day, per arm."""

    def measure(lived: Lived, metric: Metric) -> Estimate:
        found, n = [], []
        for version in VERSIONS:
            matching = {g.name for g in lived.gauges if g.name == name or (name[:1] == "_" and g.name.endswith(name))}
            mine = [one for one in (lived.gauge(each, version) for each in sorted(matching)) if one is not None]
            values = [
                read(one.mean[lived.recent(one)], one.high[lived.recent(one)])
                for one in mine
                if lived.recent(one).any()
            ]
            found.append(max(values, default=np.nan))
            n.append(sum(float(one.n[lived.recent(one)].sum()) for one in mine))
        return _told(lived, metric, np.array(found), np.array(n))

    return measure


def failures(lived: Lived, metric: Metric) -> Estimate:
    """Return the failed calls to dependencies per 1,000 requests over the stage, with a Poisson interval."""
    k, n = (by_look(lived, name) for name in (FAILURES, REQUESTS))
    effect = rates.dispersion(np.minimum(k, n), n)
    whole = _whole(lived)[:, None]
    every, size = np.where(whole, k.sum(-1), 0.0), np.where(whole, n.sum(-1), 0.0)

    def bounds(level: Array, sides: int) -> tuple[Array, Array]:
        found = rates.poisson(every / effect, size / effect / THOUSAND, level, sides)
        return found.low, found.high

    value = ratio(THOUSAND * every, size)
    return sided(metric, value, size, bounds, "Poisson, widened as steps differ; difference MOVER")


def by_look(lived: Lived, name: str) -> Array:
    """Return the sum of a gauge's samples [version, look] in each as-of step up to this look's end."""
    found = []
    for version in VERSIONS:
        one = lived.gauge(name, version)
        if one is None:
            found.append(np.zeros(lived.look + 1))
            continue
        seen = one.start <= lived.end
        look = np.searchsorted(np.array(lived.serving.looks), one.look[seen])
        sums = np.bincount(np.minimum(look, lived.look), (one.n * one.mean)[seen], lived.look + 1)
        found.append(sums.astype(float))
    return np.stack(found)


@dataclass(frozen=True, slots=True)
class Queue:
    """The manual-review queue as of a look: cases waiting, the limit, arrivals and capacity an hour, how it grows.

    `limit_named`: whether the logs name the limit; else it is what the team clears in a day.
    """

    depth: float
    limit: float
    limit_named: bool
    arrivals: float
    capacity: float
    growth: queues.Growth
    hours: float
    samples: int

    def hours_to_limit(self, z: float = 0.0) -> float:
        """Return the hours to overflow, growing `z` standard errors faster than seen; a year if it does not grow."""
        return float(queues.hours_to(self.limit, self.depth, self.growth.value + z * self.growth.se))


def queue(lived: Lived) -> Queue | None:
    """Return the review queue as of a look; None where the logs do not tell its depth."""
    depth, capacity, arrivals, limit = (lived.gauge(name) for name in (QUEUE, CAPACITY, ARRIVALS, LIMIT))
    if depth is None or capacity is None:
        return None
    mine = lived.recent(depth)
    waiting, starts = depth.last[mine], depth.start[mine]
    hours = float(starts[-1] - starts[0]) / HOUR
    if not hours:
        return None
    cleared = float(capacity.mean[lived.recent(capacity)].mean())
    came = 0.0 if arrivals is None else float((arrivals.n * arrivals.mean)[lived.recent(arrivals)].sum())
    came = came if arrivals is not None else max(float(waiting[-1] - waiting[0]) + cleared * hours, 0.0)
    named = limit is not None and bool(lived.recent(limit).any())
    most = float(limit.last[lived.recent(limit)][-1]) if named and limit is not None else RECENT_HOURS * cleared
    found = queues.growth(waiting[0], waiting[-1], came, hours)
    return Queue(float(waiting[-1]), most, named, came / hours, cleared, found, hours, int(depth.n[mine].sum()))


def hours_to_limit(lived: Lived, metric: Metric) -> Estimate:
    """Return the hours until the review queue overflows; the queue is shared, so the number is the candidate's alone."""
    found = queue(lived)
    value = np.array([np.nan, np.nan if found is None else found.hours_to_limit()])
    n = np.array([0.0, 0.0 if found is None else float(found.samples)])
    one = _told(lived, metric, value, n)
    if found is None:
        return one

    def closed(level: Array, sides: int) -> tuple[Array, Array]:
        z = intervals.critical(level, sides)[:, 0]
        low, high = (np.array([found.hours_to_limit(side * float(each)) for each in z]) for side in (1, -1))
        nothing = np.full(len(z), np.nan)
        shown = [np.where(_whole(lived), bound, np.nan) for bound in (low, high)]
        return np.column_stack([nothing, shown[0], nothing]), np.column_stack([nothing, shown[1], nothing])

    return replace(one, closed=closed, closed_name="Poisson arrivals, growth of the last day")


def _whole(lived: Lived) -> Array:
    """Return [segment] which segments are all events: samples tell nothing of others."""
    return np.array([not segment for segment in lived.segments])


def _told(lived: Lived, metric: Metric, value: Array, n: Array) -> Estimate:
    """Return the estimate of a counted fact of the whole stage, [version]: its interval is itself."""
    whole = _whole(lived)[:, None]
    values, size = np.where(whole, value, np.nan), np.where(whole, n, 0.0)

    def bounds(level: Array, sides: int) -> tuple[Array, Array]:
        del level, sides
        return values, values

    return replace(
        sided(metric, values, size, bounds, COUNTED), n=np.column_stack([size, size[:, 1]]), evidence=size[:, 1]
    )

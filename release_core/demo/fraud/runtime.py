"""A stage in; how its serving behaved minute by minute, and its gauges, out: spikes, outages, queues, machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.demo.fraud.plan import HOURS, PORTFOLIO_PER_DAY
from release_core.demo.fraud.population import BY_DAY, BY_HOUR, SECONDS
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release_core.demo.fraud.plan import Span, Story

    Array = NDArray[np.float64]
    Gauges = list[tuple[str, str, Array]]

MINUTES = 1440
SLOT_MINUTES = 10
# Latency in ms: median by version, and log-normal spread; a spike doubles it for minutes, an outage ends in a timeout.
MEDIAN = {"baseline": 42.0, "candidate": 47.0}
SPREAD, SPIKE, TIMEOUT = 0.35, 2.0, 400.0
SPIKES_PER_DAY, OUTAGES_PER_WEEK = 2.0, 1.0
DEPENDENCIES = ("device_profile_timeout", "velocity_store_unavailable")
FAILS, FALLS_BACK = 0.6, 0.9
COST = {"baseline": 0.0011, "candidate": 0.0014}
# Capacity of the review team over what the baseline alone sends it; shifts follow the day, with a night watch.
SLACK, NIGHT = 1.3, 0.35


@dataclass(frozen=True, slots=True)
class Serving:
    """What was wrong in every minute of a stage: a latency factor, and which dependency was out (-1: none)."""

    start: float
    factor: Array
    outage: NDArray[np.int8]

    def minute(self, time: Array) -> NDArray[np.int64]:
        """Return the place of every instant (seconds from the first event) among the minutes."""
        return np.minimum(((time - self.start) // 60).astype(np.int64), len(self.factor) - 1)


def serving(story: Story, span: Span) -> Serving:
    """Return the bad minutes of a stage; they are the same for every part of it."""
    rng = np.random.default_rng([story.seed, 7, round(span.start)])
    n = round(span.days * MINUTES)
    factor, outage = np.ones(n), np.full(n, -1, np.int8)
    for start in rng.integers(0, n, rng.poisson(SPIKES_PER_DAY * span.days)):
        factor[start : start + rng.integers(3, 9)] = SPIKE
    for start in rng.integers(0, n, 1 + rng.poisson(OUTAGES_PER_WEEK * span.days / 7)):
        outage[start : start + rng.integers(10, 25)] = rng.integers(len(DEPENDENCIES))
    return Serving(span.start * SECONDS, factor, outage)


def calls(rng: np.random.Generator, state: Serving, time: Array, version: str) -> dict[str, NDArray[Any]]:
    """Return latency_ms, error (place in DEPENDENCIES, -1: none), fallback and cost of one call per event."""
    minute, n = state.minute(time), len(time)
    failed = (state.outage[minute] >= 0) & (rng.random(n) < FAILS)
    usual = MEDIAN[version] * state.factor[minute] * np.exp(SPREAD * rng.normal(size=n))
    return {
        "latency_ms": np.round(np.where(failed, TIMEOUT + usual, usual), 2),
        "error": np.where(failed, state.outage[minute], -1).astype(np.int8),
        "fallback": failed & (rng.random(n) < FALLS_BACK),
        "cost": np.round(COST[version] * np.where(failed, 0.5, 1.0) * (0.9 + 0.2 * rng.random(n)), 6),
    }


def slots(span: Span) -> int:
    """Return how many gauge samples a stage has."""
    return round(span.days * MINUTES / SLOT_MINUTES)


def slot(span: Span, time: Array) -> NDArray[np.int64]:
    """Return the gauge sample in which every instant lies."""
    return np.minimum(((time - span.start * SECONDS) // (60 * SLOT_MINUTES)).astype(np.int64), slots(span) - 1)


def traffic(span: Span, least: float = 0.0) -> Array:
    """Return the rhythm of the day and of the week in every slot, at least `least` of the day's mean."""
    hour = round(span.start * HOURS) + np.arange(slots(span)) * SLOT_MINUTES // 60
    return np.maximum(BY_HOUR / BY_HOUR.mean(), least)[hour % HOURS] * BY_DAY[hour // HOURS % 7]


def staffed(span: Span) -> Array:
    """Return the review team's share of its mean capacity in every slot: shifts that follow the day, and a night watch."""
    shape = traffic(span, NIGHT)
    return shape / shape.mean()


def queue(arrivals: Array, capacity: Array) -> tuple[Array, Array]:
    """Return (cases waiting at the end of every slot, cases cleared in it): Lindley's recursion in closed form.

    >>> queue(np.array([2.0, 0.0, 3.0]), np.array([1.0, 3.0, 1.0]))
    (array([1., 0., 2.]), array([1., 1., 1.]))
    """
    walk = np.cumsum(arrivals - capacity)
    waiting = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    before = np.concatenate([[0.0], waiting[:-1]])
    return waiting, before + arrivals - waiting


def gauges(story: Story, span: Span, counts: dict[str, Array], per_day: float, usual_reviews: float) -> Gauges:
    """Return (name, arm, value per slot) of a stage; an empty arm is what both share.

    `counts`: per slot of the logged events, requests, failures and reviews by arm (names end in the arm); they are
    raised to the whole portfolio. `usual_reviews`: the share of traffic that the baseline reviews.
    """
    rng = np.random.default_rng([story.seed, 8, round(span.start)])
    raised = max(PORTFOLIO_PER_DAY, per_day) / (per_day * span.weight)
    found: Gauges = []
    busy = traffic(span) / traffic(span).mean()  # machines are added as an arm's share of the traffic grows
    for arm in VERSIONS:
        requests = np.round(counts[f"requests_{arm}"] * raised)
        noise = rng.normal(size=(3, len(busy)))
        found += [
            ("requests", arm, requests),
            ("dependency_failures", arm, np.round(counts[f"failures_{arm}"] * raised)),
            ("queue_depth", arm, np.round(np.maximum(1.5 * busy + 0.8 * noise[0], 0.0))),
            ("cpu_utilisation", arm, np.round(np.clip(0.18 + 0.17 * busy + 0.02 * noise[1], 0.01, 0.99), 4)),
            ("memory_utilisation", arm, np.round(np.clip(0.55 + 0.03 * busy + 0.004 * noise[2], 0.01, 0.99), 4)),
        ]
    cases = {arm: rng.poisson(raised * _spread(span, counts[f"reviews_{arm}"])).astype(float) for arm in VERSIONS}
    work = cases["baseline"] + story.handling * cases["candidate"]
    per_slot = max(PORTFOLIO_PER_DAY, per_day) * usual_reviews * SLOT_MINUTES / MINUTES * SLACK
    capacity = per_slot * staffed(span)
    waiting, cleared = queue(work, capacity)
    return [
        *found,
        ("review_queue_depth", "", np.round(waiting)),
        ("review_capacity_per_hour", "", np.round(capacity * 60 / SLOT_MINUTES, 1)),
        ("review_arrivals", "", cases["baseline"] + cases["candidate"]),
        ("review_clearances", "", np.round(cleared)),
    ]


def _spread(span: Span, counts: Array) -> Array:
    """Return counts spread over each step of the ramp by the rhythm of the day: one logged case stands for several."""
    found = np.zeros(len(counts))
    ends = np.cumsum([days for _, days in span.ramp] or [span.days]) * MINUTES / SLOT_MINUTES
    start = 0
    for end in np.round(ends).astype(int):
        rhythm = traffic(span)[start:end]
        found[start:end] = counts[start:end].sum() * rhythm / rhythm.sum()
        start = end
    return found

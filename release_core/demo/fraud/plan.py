"""Nothing in; the five fraud releases out: the stages that each has been through, and what is planted in it.

Gates fail by chance at their alpha, so of a dozen gates on a harmless release one is now and then MARGINAL: seeds are such
that the demo shows the usual case, and rates of error are simulated elsewhere (tests/bench/simulate.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

ORIGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOURS = 24
# The whole portfolio decides on so many transactions a day; the demo's logs keep a sample of its customers.
PORTFOLIO_PER_DAY = 9_600
# Above this size as-of times are days: hours would make as many cells as events.
MOST_FOR_HOURS = 1_000_000
MATURITY_DAYS = 45


@dataclass(frozen=True, slots=True)
class Span:
    """One stage: when it began and how long it ran, in days from the first event, and which share of the traffic is logged.

    `ramp` lists (share of the candidate, days) in the order of the ramp; `every` is the distance of as-of times, in hours.
    """

    stage: str
    start: float
    days: float
    weight: float
    every: float
    ramp: tuple[tuple[float, float], ...] = ()

    @property
    def live(self) -> bool:
        """Return whether the candidate acts on some of the traffic."""
        return bool(self.ramp)


@dataclass(frozen=True, slots=True)
class Sides:
    """How the two scores differ. Separations are of the normal signals of fraud and legitimate events (AUC = Phi(d / sqrt 2)).

    `shift` and `stretch` say how the baseline's log-odds miss the calibrated ones, in every event; `live_shift` is added to
    the candidate's log-odds once it meets live inputs; `worse` is the candidate's separation in the planted segment.
    """

    baseline: float = 1.9
    candidate: float | None = None
    correlation: float = 0.85
    shift: float = 0.0
    stretch: float = 1.0
    live_shift: float = 0.0
    worse: float | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """One release: its stages, the end of its logs in days, how its scores differ, and what a reader should find."""

    id: str
    seed: int
    size: int
    end: float
    spans: tuple[Span, ...]
    sides: Sides
    planted: dict[str, object]
    segment: dict[str, str] = field(default_factory=dict)
    handling: float = 1.0  # how long the candidate's review cases take, in the baseline's
    listed_new: float = 0.05  # of the new customers' events, those on the velocity list
    drilled: float | None = None  # the day of the last rehearsed rollback


def _spans(**weights: float) -> tuple[Span, ...]:
    """Return the stages that a release has been through; `weights`: which share of the portfolio's events each logs."""
    return tuple(replace(span, weight=weights[span.stage]) for span in _SPANS if span.stage in weights)


REPLAY = Span("replay", 0.0, 28.0, 0.25, 168.0)
_SPANS = (
    REPLAY,
    Span("shadow", 77.0, 7.0, 0.2, 48.0),
    Span("canary", 84.0, 6.0, 0.5, 6.0, ((0.05, 2.0), (0.10, 2.0), (0.25, 2.0))),
    Span("ab", 91.0, 14.0, 0.4, 48.0, ((0.50, 14.0),)),
    Span("full", 155.0, 14.0, 0.4, 84.0, ((0.95, 14.0),)),
)
REGRESSED = {"market": "ES", "surface": "web"}
SECOND_LOOK = {"cohort": "new", "velocity_list": "hit"}

STORIES = {
    story.id: story
    for story in (
        Story(
            "fraud-model",
            seed=11,
            size=205_000,
            end=90.0,
            spans=_spans(replay=0.6, shadow=0.25, canary=0.9),
            sides=Sides(candidate=2.6, live_shift=1.0, worse=-0.6),
            segment=REGRESSED,
            handling=3.0,
            drilled=85.0,
            planted={
                "changed": ["model"],
                "from": "the first event; the review load from the first day of the canary",
                "stage_reached": "canary",
                "expected": "AUC and recall rise overall and the scores spread; in market ES, surface web, a signal has the wrong sign: "
                "there frauds score lower than other events, and recall falls; in the canary live "
                "inputs raise the candidate's scores, its cases take three times as long, and the review queue overruns: stop rules "
                "on approvals and on the queue fire",
            },
        ),
        Story(
            "fraud-threshold",
            seed=2,
            size=196_000,
            end=160.0,
            spans=_spans(replay=0.22, shadow=0.25, canary=0.6, ab=0.9),
            sides=Sides(),
            drilled=85.0,
            planted={
                "changed": ["thresholds"],
                "from": "the first event",
                "stage_reached": "ab",
                "expected": "the same events are alerted; fewer good customers are blocked and more are reviewed; conversion and net "
                "value rise, nothing else moves: ready for a go",
            },
        ),
        Story(
            "fraud-policy",
            seed=5,
            size=196_000,
            end=185.0,
            spans=_spans(replay=0.22, shadow=0.25, canary=0.6, ab=0.9),
            sides=Sides(),
            segment=SECOND_LOOK,
            listed_new=0.07,
            drilled=98.0,
            planted={
                "changed": ["policy"],
                "from": "the first day of the canary",
                "stage_reached": "ab",
                "expected": "list hits of new customers are reviewed instead of blocked: conversion rises at once, fraud losses rise "
                "weeks later; early labels say go, mature labels say no-go",
            },
        ),
        Story(
            "fraud-recalibration",
            seed=6,
            size=160_000,
            end=200.0,
            spans=_spans(replay=0.25, shadow=0.3, canary=0.45, ab=0.36, full=0.45),
            sides=Sides(shift=1.9, stretch=1.25),
            drilled=157.0,
            planted={
                "changed": ["calibration"],
                "from": "the first event",
                "stage_reached": "full",
                "expected": "probabilities become right, no rank and no action changes; passes at every stage",
            },
        ),
        Story(
            "fraud-mixed",
            seed=5,
            size=30_000,
            end=78.0,
            spans=_spans(replay=0.12),
            sides=Sides(candidate=2.3),
            planted={
                "changed": ["model", "thresholds", "policy"],
                "from": "the first event",
                "stage_reached": "replay",
                "expected": "three components changed at once: refused, and split into single-kind releases",
            },
        ),
    )
}


def counts(story: Story, size: int) -> list[int]:
    """Return how many events each stage has; they add up to `size`."""
    loads = [span.weight * span.days for span in story.spans]
    ends = [round(size * sum(loads[: place + 1]) / sum(loads)) for place in range(len(loads))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def per_day(story: Story, size: int) -> float:
    """Return how many events a day the logs would hold if they kept the whole portfolio."""
    return size / sum(span.weight * span.days for span in story.spans)


def hours(story: Story) -> list[int]:
    """Return the as-of times in hours from the first event: close together in live stages, weekly in between.

    >>> max(len(hours(story)) for story in STORIES.values()) <= 64
    True
    """
    found = set(range(7 * HOURS, round(story.end * HOURS) + 1, 7 * HOURS)) if story.end > REPLAY.days else set()
    for span in story.spans:
        first, last = round(span.start * HOURS), round((span.start + span.days) * HOURS)
        found = {hour for hour in found if not first < hour < last}
        found |= set(range(first + round(span.every), last + 1, round(span.every))) | {last}
    return sorted(found)

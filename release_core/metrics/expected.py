"""How labels develop, and scores, in; what quality metrics should read without any label, and how far that was off, out.

Confidence-based performance estimation (METHODS f7): if scores say how likely an event is bad, the sum of scores over
alerts is the number of bad alerts. It is blind to a new kind of attack; it never enters a gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics.values import APPROVE
from release_core.stats.arrays import ratio
from release_core.stats.decisions import wilson

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.label_frames import Development

    Pair = tuple[float, float]

NAMES = ("recall", "precision", "fpr", "base_rate")
LEAST_POSITIVES = 30
# Fewer positives than this in one action: it takes the correction of all actions.
LEAST_IN_ACTION = 10


@dataclass(frozen=True, slots=True)
class Expectation:
    """One cohort (place `age`): estimated without its labels, and as it turned out where it is mature.

    `correction` is observed / expected among the events on which the calibration rests, of which the newest are of the
    cohort `from_age`; None where there are too few.
    """

    age: int
    estimate: float | None
    actual: float | None
    low: float | None
    high: float | None
    correction: float | None
    from_age: int | None


def expectations(
    one: Development, name: str, version: int, maturity: float, *, explicit: bool, told: Development | None = None
) -> list[Expectation]:
    """Return the estimates of a metric of NAMES for every cohort, oldest first.

    The estimate of a cohort uses what was known when it ended: scores are corrected, within each action that the
    version wanted, to observed / expected on the events of `told` (None: the same events) that were mature then.
    """
    source = one if told is None else told
    lag = int(np.searchsorted(one.days, maturity))
    found = []
    for age in reversed(range(len(one.ends))):
        old = np.arange(len(one.ends)) >= age + max(lag, 1)
        parts = _expected((one, source), version, age, old, explicit=explicit)
        value = _metric(name, *parts[:2]) if parts else np.nan
        actual, low, high = _actual(one, name, version, age, explicit=explicit) if age >= lag else (np.nan,) * 3
        known = parts if np.isfinite(value) else None
        turned_out = [float(x) if np.isfinite(x) else None for x in (actual, low, high)]
        found.append(
            Expectation(
                age,
                float(value) if known else None,
                turned_out[0],
                turned_out[1],
                turned_out[2],
                known[2] if known else None,
                int(np.flatnonzero(old & (source.events.sum(0) > 0))[0]) if known else None,
            )
        )
    return found


def _sides(one: Development, version: int) -> tuple[Array, Array]:
    """Return which groups the version answers for and alerts on, and which it lets pass."""
    counted = one.counted[:, version]
    alert: Array = counted & (one.wanted[:, version] != APPROVE)
    return alert, counted & ~alert


def _expected(
    pair: tuple[Development, Development], version: int, age: int, old: Array, *, explicit: bool
) -> tuple[Pair, Pair, float] | None:
    """Return (bad, good) expected among a cohort's alerts and among the rest, and the correction; None: too few labels.

    `pair`: the events that are estimated, and those whose cohorts `old` [age] tell the correction.
    """
    one, source = pair
    sides = _sides(one, version)
    told = [
        _seen(source, age, side, source.scores[version], old, explicit=explicit) for side in _sides(source, version)
    ]
    positives, total = sum(part[0] for part in told), sum(part[1] for part in told)
    if positives < LEAST_POSITIVES or total <= 0:
        return None
    answers = []
    for side, (k, e) in zip(sides, told, strict=True):
        factor = k / e if k >= LEAST_IN_ACTION and e > 0 else positives / total
        events = float(one.events[side, age].sum())
        bad = min(factor * float(one.scores[version, side, age].sum()), events)
        answers.append((bad, events - bad))
    return answers[0], answers[1], positives / total


def _seen(one: Development, age: int, side: Array, scores: Array, old: Array, *, explicit: bool) -> Pair:
    """Return positives known when the cohort `age` ended, and the sum of scores, of events then mature."""
    reach = np.arange(len(one.ends))[:, None] - age
    visible = np.arange(len(one.ends)) <= reach
    positives = float((one.positive[side].sum(0) * visible)[old].sum())
    expected = float(scores[side][:, old].sum())
    if explicit:
        # Only labelled events speak: scale by the share of mature events that have a label by then.
        negatives = float((one.negative[side].sum(0) * visible)[old].sum())
        events = float(one.events[side][:, old].sum())
        expected *= (positives + negatives) / events if events else 0.0
    return positives, expected


def _metric(name: str, alert: Pair, passed: Pair) -> float:
    """Return a metric of NAMES from (bad, good) among alerts and among the rest."""
    top, bottom = {
        "recall": (alert[0], alert[0] + passed[0]),
        "precision": (alert[0], alert[0] + alert[1]),
        "fpr": (alert[1], alert[1] + passed[1]),
        "base_rate": (alert[0] + passed[0], sum(alert) + sum(passed)),
    }[name]
    return float(ratio(top, bottom))


def _actual(one: Development, name: str, version: int, age: int, *, explicit: bool) -> tuple[float, float, float]:
    counts = []
    for side in _sides(one, version):
        positive = float(one.positive[side, age].sum())
        negative = float(one.negative[side, age].sum()) if explicit else float(one.events[side, age].sum()) - positive
        counts.append((positive, negative))
    alert, passed = counts
    value = _metric(name, alert, passed)
    size = {
        "recall": alert[0] + passed[0],
        "precision": sum(alert),
        "fpr": alert[1] + passed[1],
        "base_rate": sum(alert) + sum(passed),
    }[name]
    low, high = wilson(value * size, size)
    return value, float(low), float(high)

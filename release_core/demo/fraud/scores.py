"""Events in, the scores of both versions out: calibrated by construction, and wrong exactly where the story says so.

Fraud gives a signal ~ N(d, 1), a legitimate event N(0, 1); by Bayes' rule logit(prior) + d x - d^2 / 2 is then the log-odds
of fraud, so a version with separation d is calibrated, and d is its power.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release_core.demo.fraud.plan import Sides, Story
    from release_core.demo.fraud.population import Events

    Array = NDArray[np.float64]

DIGITS = 9


def both(rng: np.random.Generator, story: Story, events: Events, *, live: bool) -> tuple[Array, Array]:
    """Return the scores of baseline and candidate, in (0, 1), with nine digits; `live`: the candidate meets live inputs."""
    sides, known = story.sides, logit(events.prior)
    noise, own = rng.normal(size=(2, len(known)))
    baseline = _score(
        sides.stretch * (known + _evidence(sides.baseline, sides.baseline * events.fraud + noise)) + sides.shift
    )
    if sides.candidate is None:
        # A function of the logged score, so that no digit that was dropped reverses a pair.
        return baseline, baseline if _same(sides) else _score((logit(baseline) - sides.shift) / sides.stretch)
    mixed = sides.correlation * noise + np.sqrt(1 - sides.correlation**2) * own
    power = np.full(len(known), sides.candidate)
    if sides.worse is not None:
        power[events.matches(story.segment)] = sides.worse
    candidate = known + _evidence(sides.candidate, power * events.fraud + mixed)
    return baseline, _score(candidate + sides.live_shift * live)


def recalibrated(sides: Sides, cutoff: float) -> float:
    """Return the cutoff on the calibrated scale that alerts the same events as `cutoff` on the baseline's."""
    return float(expit((logit(cutoff) - sides.shift) / sides.stretch))


def _score(odds: Array) -> Array:
    scores: Array = np.clip(np.round(expit(odds), DIGITS), 10.0**-DIGITS, 1 - 10.0**-DIGITS)
    return scores


def _same(sides: Sides) -> bool:
    return (sides.shift, sides.stretch) == (0.0, 1.0)


def _evidence(separation: float, signal: Array) -> Array:
    return separation * signal - separation**2 / 2

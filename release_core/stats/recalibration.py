"""Labelled bins of one window in, a map from score to probability out; maps and cutoffs in, cutoffs moved with them out.

A map is fitted on one window and judged on another. It rises with the score, so it changes no ranking except by ties,
and its cutoffs must move with it (METHODS a10). `log_odds` are the mean log-odds of the scores of each bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from release_core.stats import logistic
from release_core.stats.arrays import Array, floats, ratio
from release_core.stats.grid import CLIP, bin_of, edges

METHODS = ("intercept", "platt", "beta", "isotonic")
# Fewer positives than these give a map of this shape no support; engineering defaults (METHODS a10).
LEAST_POSITIVES = {"intercept": 10, "platt": 50, "beta": 500, "isotonic": 1000}
LEAST_OF_CLASS = 10
# Cutoffs are written with so many decimals, rounded down: an event whose score equals the old one stays above.
DECIMALS = 11
_ROUNDING = 1e-12
_PER_UNIT = 64
_STEPS = 60
_LAST_STEP = 1e-9
_FARTHEST = 1e3


@dataclass(frozen=True, slots=True)
class Map:
    """A rising map from score to probability: named parameters, or knots (score, probability) of a broken line."""

    method: str
    parameters: tuple[tuple[str, float], ...] = ()
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, score: ArrayLike) -> Array:
        """Return the probability of each score; scores are first clipped to [1e-7, 1 - 1e-7].

        intercept: logit p = a + x; platt: a + b x; beta: c + a ln s - b ln(1 - s), with x = ln(s / (1 - s));
        isotonic: linear between knots, constant beyond the outermost.

        >>> Map("platt", (("a", 0.0), ("b", 2.0)))([0.2, 0.5, 0.8]).round(4)
        array([0.0588, 0.5   , 0.9412])
        """
        s = np.clip(floats(score), CLIP, 1 - CLIP)
        if self.knots:
            at, to = np.array(self.knots).T
            return floats(np.interp(s, at, to))
        told = dict(self.parameters)
        if self.method == "beta":
            return floats(expit(told["c"] + told["a"] * np.log(s) - told["b"] * np.log1p(-s)))
        return floats(expit(told["a"] + told.get("b", 1.0) * logit(s)))

    @property
    def slope(self) -> float | None:
        """Return the slope of a straight line in log-odds; None of any other map."""
        return dict(self.parameters).get("b", 1.0) if self.method in {"intercept", "platt"} else None


class Fit(NamedTuple):
    """A map, or None and the reason why there is none."""

    map: Map | None
    reason: str = ""


class Plateau(NamedTuple):
    """Scores from `low` to `high` that a map makes equal, and what it makes of them."""

    low: float
    high: float
    probability: float


class Moved(NamedTuple):
    """A cutoff on the new scale; not `exact` where scores on both sides of the old one have become equal."""

    cutoff: float
    exact: bool


def fit(method: str, pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike, seen: tuple[float, float] | None = None) -> Fit:
    """Return the map of a method (see METHODS) that fits the labelled bins [B] best, by maximum likelihood.

    Platt and isotonic see Platt's targets, (N+ + 1) / (N+ + 2) and 1 / (N- + 2), instead of 1 and 0, so that no score
    becomes impossible (Platt 1999). Beta drops a slope that would be negative and fits again (Kull et al. 2017).
    Where `pos` and `n` are sums of weights, `seen` says how many positives and negatives they rest on.
    """
    positives, events = floats(pos), floats(n)
    counted = seen or (float(positives.sum()), float((events - positives).sum()))
    filled = events > 0
    positives, events, x = positives[filled], events[filled], floats(log_odds)[filled]
    reason = refusal(method, *counted)
    if reason:
        return Fit(None, reason)
    return _FITS[method](positives, events, x)


def refusal(method: str, positives: float, negatives: float) -> str:
    """Return why a method cannot be fitted on so many labels; empty where it can.

    >>> refusal("platt", 12, 900)
    'only 12 positives where it is fitted; platt needs 50'
    """
    if np.isnan(positives + negatives):
        return "how many labels there are where it is fitted is not known"
    if positives == 0 or negatives == 0:
        missing = "no label" if positives == negatives else "no positive" if positives == 0 else "no negative"
        return f"{missing} where it is fitted"
    if min(positives, negatives) < LEAST_OF_CLASS:
        return f"fewer than {LEAST_OF_CLASS} events of one class where it is fitted"
    if positives < LEAST_POSITIVES[method]:
        return f"only {positives:,.0f} positives where it is fitted; {method} needs {LEAST_POSITIVES[method]:,}"
    return ""


def advised(positives: float) -> str:
    """Return the method that so many positives support without ties: intercept, platt or beta (METHODS a10).

    >>> advised(20), advised(200), advised(20_000)
    ('intercept', 'platt', 'beta')
    """
    supported = [method for method in METHODS[:-1] if positives >= LEAST_POSITIVES[method]]
    return supported[-1] if supported else METHODS[0]


def plateaus(found: Map) -> list[Plateau]:
    """Return the ranges of scores that a map makes equal, lowest first; beyond the outermost knots all scores are."""
    if not found.knots:
        return []
    at, to = np.array(found.knots).T
    starts = np.flatnonzero(np.diff(to, prepend=-1.0) > 0)
    ends = np.append(starts[1:], len(to)) - 1
    low, high = at[starts], at[ends]
    low[0], high[-1] = 0.0, 1.0
    flat = low < high
    return [Plateau(*span) for span in zip(*(part[flat].tolist() for part in (low, high, to[starts])), strict=True)]


def moved(found: Map, cutoff: float) -> Moved:
    """Return the cutoff that alerts on the same events after a map (equal alert rate, METHODS c5).

    A rising map carries a cutoff exactly. Inside a plateau no cutoff can: the lowest one above it alerts on fewer
    events, none on more. Rounded down in the last of 11 decimals, so that an event at the old cutoff stays alerted.

    >>> moved(Map("platt", (("a", 0.0), ("b", 2.0))), 0.5)
    Moved(cutoff=0.49999999999, exact=True)
    """
    if not 0 < cutoff < 1:
        return Moved(cutoff, exact=True)
    to = float(found(cutoff))
    inside = any(flat.low < cutoff <= flat.high for flat in plateaus(found))
    if inside:
        return Moved(float(edges(_PER_UNIT)[int(bin_of(to, _PER_UNIT)) + 1]), exact=False)
    return Moved(float(np.floor((to - _ROUNDING) * 10**DECIMALS) / 10**DECIMALS), exact=True)


def _targets(positives: Array, events: Array) -> Array:
    """Return the positives per bin that Platt's targets stand for."""
    pos, neg = positives.sum(), (events - positives).sum()
    return floats(positives * (pos + 1) / (pos + 2) + (events - positives) / (neg + 2))


def _intercept(positives: Array, events: Array, x: Array) -> Fit:
    return Fit(Map("intercept", (("a", float(logistic.calibration_intercept(positives, events, x).value)),)))


def _platt(positives: Array, events: Array, x: Array) -> Fit:
    line = _regression(_targets(positives, events), events, x[None])
    if line is None or line[1] <= 0:
        return Fit(None, NOT_RISING)
    return Fit(Map("platt", (("a", line[0]), ("b", line[1]))))


def _beta(positives: Array, events: Array, x: Array) -> Fit:
    """Fit both slopes; where one is negative it is left out, and the other fitted alone."""
    terms = np.stack([-np.logaddexp(0, -x), np.logaddexp(0, x)])  # ln s and -ln(1 - s)
    both = _regression(positives, events, terms)
    if both is None:
        return Fit(None, NOT_RISING)
    c, a, b = both
    for place, slope in enumerate((a, b)):
        if slope < 0:
            alone = _regression(positives, events, terms[1 - place : 2 - place])
            if alone is None or alone[1] <= 0:
                return Fit(None, NOT_RISING)
            c, a, b = alone[0], *((0.0, alone[1]) if place == 0 else (alone[1], 0.0))
            break
    return Fit(Map("beta", (("a", a), ("b", b), ("c", c))))


def _isotonic(positives: Array, events: Array, x: Array) -> Fit:
    order = np.argsort(x, kind="stable")
    wanted, weight, at = _targets(positives, events)[order], events[order], expit(x[order])
    blocks = isotonic_regression(wanted / weight, weights=weight).blocks
    starts, ends = blocks[:-1], blocks[1:] - 1
    level = ratio(np.add.reduceat(wanted, starts), np.add.reduceat(weight, starts))
    if len(level) < 2:
        return Fit(None, NOT_RISING)
    knots = {knot for side in (starts, ends) for knot in zip(at[side].tolist(), level.tolist(), strict=True)}
    return Fit(Map("isotonic", knots=tuple(sorted(knots))))


NOT_RISING = "the observed rate does not rise with the score there, so that no rising map improves it"
_FITS = {"intercept": _intercept, "platt": _platt, "beta": _beta, "isotonic": _isotonic}


def _regression(positives: Array, events: Array, terms: Array) -> tuple[float, ...] | None:
    """Return intercept and slopes of the logistic regression on `terms` [k, B]; None where there is no finite maximum.

    Newton steps on standardised terms, halved where they would do harm. They begin at the better of the scores as they are
    (all slopes 1) and one and the same rate.
    """
    share = events / events.sum()
    centre = terms @ share
    apart = terms - centre[:, None]
    spread = np.sqrt(apart**2 @ share)
    if not (spread > 0).all():
        return None
    design = np.vstack([np.ones(len(events)), apart / spread[:, None]])
    flat = np.zeros(len(design))
    flat[0] = logit(positives.sum() / events.sum())
    given = np.array([centre.sum(), *spread])
    start = max((flat, given), key=lambda one: _likelihood(positives, events, one @ design)[0])
    line = _maximum(positives, events, design, start)
    if line is None:
        return None
    slopes = line[1:] / spread
    return float(line[0] - slopes @ centre), *(float(slope) for slope in slopes)


def _maximum(positives: Array, events: Array, design: Array, line: Array) -> Array | None:
    best, p, vary = _likelihood(positives, events, line @ design)
    for _ in range(_STEPS):
        hessian = (design * (events * vary)) @ design.T
        if not np.isfinite(hessian).all():
            return None
        curved, axes = np.linalg.eigh(hessian)
        if curved[0] <= np.finfo(float).eps * curved[-1]:
            return None
        step = axes @ ((design @ (positives - events * p)) @ axes / curved)
        found, p, vary = _likelihood(positives, events, (line + step) @ design)
        while found - best < -1e-12 * abs(best):
            step = step / 2
            found, p, vary = _likelihood(positives, events, (line + step) @ design)
        line, best = line + step, found
        if np.abs(line).max() > _FARTHEST:
            return None
        if np.abs(step).max() < _LAST_STEP:
            return line
    return None


def _likelihood(positives: Array, events: Array, eta: Array) -> tuple[float, Array, Array]:
    """Return the log-likelihood at these log-odds, the probabilities p that they are, and p (1 - p)."""
    p, other, softplus = logistic.sigmoid(eta)
    return float(positives @ eta - events @ softplus), p, p * other

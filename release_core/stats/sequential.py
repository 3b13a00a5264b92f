"""Sums over looks in, bounds and evidence out that hold at every look: tests that may be read as often as one likes.

Everything here is anytime-valid: the chance that a true null is ever rejected, over all looks together, is at most
alpha. Evidence is the logarithm of an e-value: reject when it reaches ln(1 / alpha). Units are entities, not events
(RELEASE.md B.4).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, betaln, expit, gammaln, logit

from release_core.stats.arrays import Array, Indices, floats, only, ratio
from release_core.stats.intervals import Interval

# How sharply the event-arm test expects the share of the candidate; larger finds smaller changes, later. In simulations 6
# finds three- to fourfold rates of some 50 harms about twice as often as 20 does, and smaller changes as often.
CONCENTRATION = 6.0
_HALVINGS = 45
_WIDEST = 30.0
_STEPS = 16
_SMALLEST = 1e-290
_TERMS = 64


def asymptotic(
    value: ArrayLike, se: ArrayLike, n: ArrayLike, expect_n: float, alpha: ArrayLike = 0.05, sides: int = 2
) -> Interval:
    """Return the asymptotic confidence sequence value -+ half width (Waudby-Smith et al. 2024, equations 9 and 134).

    Args:
        value: the effect at each look.
        se: its standard error.
        n: entities behind it.
        expect_n: entities at which one expects to decide; the sequence is narrowest there. Declared beforehand.
        alpha: the error over all looks together.
        sides: with 1, each of the two bounds holds with 1 - alpha on its own.

    >>> [bound.round(4).item() for bound in asymptotic(0.0, 0.33341, 6461, 1000)]
    [-1.0618, 1.0618]
    """
    tuned = floats(alpha) if sides == 2 else 2 * floats(alpha)
    rho2 = (-2 * np.log(tuned) + np.log(1 - 2 * np.log(tuned))) / expect_n
    size = floats(n)
    grown = size * rho2 + 1
    tail = np.log(np.sqrt(grown) / floats(alpha)) if sides == 2 else np.log1p(np.sqrt(grown) / tuned)
    reach = floats(se) * np.sqrt(ratio(2 * grown * tail, size * rho2))
    return Interval(floats(value) - reach, floats(value) + reach)


def asymptotic_evidence(value: ArrayLike, se: ArrayLike, n: ArrayLike, expect_n: float, alpha: float = 0.05) -> Array:
    """Return the log evidence against "the effect is 0", at every look; ln(1 / alpha) where the sequence leaves 0.

    The inverse of `asymptotic` with two sides, tuned for the same alpha. Where the standard error is 0, that of an effect of
    0 if there is none, else infinite.
    """
    rho2 = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / expect_n
    size, effect = floats(n), floats(value)
    grown = size * rho2 + 1
    squared = np.where((floats(se) == 0) & (effect == 0), 0.0, ratio(effect**2, floats(se) ** 2))
    squared = np.where((floats(se) == 0) & (effect != 0), np.inf, squared)
    return size * rho2 * squared / (2 * grown) - np.log(grown) / 2


def tuned(v_opt: float, alpha: float = 0.05) -> float:
    """Return the rho of the normal mixture that is narrowest at the variance `v_opt` (Howard et al. 2021).

    >>> round(tuned(100), 5)
    12.60056
    """
    return float(v_opt / (2 * np.log(1 / alpha) + np.log(1 + 2 * np.log(1 / alpha))))


def normal_evidence(s: ArrayLike, v: ArrayLike, rho: float) -> Array:
    """Return the log evidence of the two-sided normal mixture for a sum `s` of variance `v`: this is the mSPRT.

    >>> normal_evidence(10, 100, tuned(100)).round(7).item()
    -0.6510052
    """
    variance = floats(v) + rho
    return np.log(rho / variance) / 2 + floats(s) ** 2 / (2 * variance)


def normal_reach(v: ArrayLike, rho: float, alpha: float = 0.05) -> Array:
    """Return how far a sum of variance `v` may be from 0 at any look: where `normal_evidence` is ln(1 / alpha).

    >>> normal_reach(100, tuned(100)).round(5).item()
    30.35209
    """
    variance = floats(v) + rho
    return np.sqrt(variance * np.log(variance / (rho * alpha**2)))


def share_evidence(hits: ArrayLike, misses: ArrayLike, share: ArrayLike, prior: tuple[float, float]) -> Array:
    """Return the log evidence against "each of these events is a hit with probability `share`", at every look.

    A beta mixture over the alternatives, with parameters `prior` that do not depend on `share`: exact for any number
    of events. ln B(a + x, b + y) / B(a, b) - x ln share - y ln(1 - share).
    """
    a, b = prior
    x, y, p = floats(hits), floats(misses), floats(share)
    return betaln(a + x, b + y) - betaln(a, b) - x * np.log(p) - y * np.log1p(-p)


def share_bounds(
    hits: ArrayLike, misses: ArrayLike, alpha: ArrayLike = 0.05, prior: tuple[float, float] = (1.0, 1.0)
) -> Interval:
    """Return the confidence sequence of a share: where `share_evidence` stays below ln(1 / alpha), both sides together.

    The whole of [0, 1] before the first event. By bisection on log-odds, to about 1e-12.

    >>> [bound.round(4).item() for bound in share_bounds(15, 35)]
    [0.1314, 0.5171]
    """
    x, y, limit = np.broadcast_arrays(floats(hits), floats(misses), np.log(1 / floats(alpha)))
    centre = logit(ratio(x + 0.5, x + y + 1))
    mixture = betaln(prior[0] + x, prior[1] + y) - betaln(*prior)

    def outside(at: Array) -> Array:
        return np.asarray(mixture + x * np.logaddexp(0, -at) + y * np.logaddexp(0, at) > limit)

    low, high = _crossing(outside, centre, -1.0), _crossing(outside, centre, 1.0)
    known = ~np.isnan(x + y)
    return Interval(only(np.where(x > 0, expit(low), 0.0), known), only(np.where(y > 0, expit(high), 1.0), known))


def _crossing(outside: Callable[[Array], Array], centre: Array, side: float) -> Array:
    """Return where, going from `centre` to one side, `outside` becomes true; the far end where it never does."""
    near, far = centre.copy(), np.broadcast_to(centre + side * 2 * _WIDEST, centre.shape).copy()
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        beyond = outside(middle)
        near, far = np.where(beyond, near, middle), np.where(beyond, middle, far)
    return far


def event_arm(
    candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, rate_ratio: float = 1.0, k: float = CONCENTRATION
) -> Array:
    """Return the log evidence against "the candidate's rate of a rare harm is `rate_ratio` times the baseline's".

    Given a harm, it falls in the candidate's arm with the probability that its share of traffic and the ratio of
    rates give (Lindon and Malek 2022). Exact, whatever the rate does over time; the share must be constant within a
    stratum: the last axis are ramp steps, whose evidence adds.

    Args:
        candidate: first harms of entities in the candidate's arm, [..., ramp step].
        baseline: the same in the baseline's arm.
        share: the candidate's share of the traffic of each ramp step, [..., ramp step].
        rate_ratio: the candidate's rate over the baseline's under the null; 1 plus a margin for non-inferiority.
        k: concentration of the mixture around the share of the traffic.

    Returns: [...] evidence, 0 without harms; a caller who asks about harm looks at `leans` too.

    >>> event_arm([30], [10], [0.5]).round(3).item()
    3.548
    """
    x, y, p = np.broadcast_arrays(floats(candidate), floats(baseline), floats(share))
    under = expit(logit(p) + np.log(rate_ratio))
    a, b = k * p, k * (1 - p)
    evidence = betaln(a + x, b + y) - betaln(a, b) - x * np.log(under) - y * np.log1p(-under)
    return np.where(x + y == 0, 0.0, evidence).sum(axis=-1)


def rate_ratio_bounds(
    candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, alpha: ArrayLike = 0.05, k: float = CONCENTRATION
) -> Interval:
    """Return the confidence sequence of the ratio of the rates of a rare harm: where `event_arm` stays below 1 / alpha.

    Arguments as there; the last axis are ramp steps, which share one ratio. The alpha is for both sides together: as
    a one-sided bound each holds with at least 1 - alpha. 0 to infinity without harms.
    """
    x, y, p = np.broadcast_arrays(floats(candidate), floats(baseline), floats(share))
    a, b, odds = k * p, k * (1 - p), logit(p)
    mixture = np.where(x + y == 0, 0.0, betaln(a + x, b + y) - betaln(a, b)).sum(axis=-1)
    limit = np.broadcast_to(np.log(1 / floats(alpha)), mixture.shape)

    def outside(at: Array) -> Array:
        shifted = odds + at[..., None]
        null = (x * np.logaddexp(0, -shifted) + y * np.logaddexp(0, shifted)).sum(axis=-1)
        return np.asarray(mixture + null > limit)

    hits, misses, centre = x.sum(axis=-1), y.sum(axis=-1), _likeliest(x, y, odds)
    low, high = _crossing(outside, centre, -1.0), _crossing(outside, centre, 1.0)
    known = ~np.isnan(hits + misses)
    return Interval(
        only(np.where(hits > 0, np.exp(low), 0.0), known), only(np.where(misses > 0, np.exp(high), np.inf), known)
    )


def excess_evidence(
    candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, rate_ratio: ArrayLike = 1.0, k: float = CONCENTRATION
) -> Array:
    """Return the log evidence against "the candidate's rate of a rare harm is at most `rate_ratio` times the baseline's".

    As `event_arm`, but its mixture is cut to ratios above the null: what would speak for less harm gets no weight, so that
    harm is found sooner. An e-value under every smaller ratio, too: likelihood ratios of a larger to a smaller share
    expect at most 1 under still smaller ones (Robbins 1970; Waudby-Smith et al. 2024 for one-sided mixtures). So it takes
    no look at `leans`. Arguments and what is returned as there; `rate_ratio` [...].

    >>> excess_evidence([30], [10], [0.5]).round(3).item()
    4.24
    """
    x, y, p = np.broadcast_arrays(floats(candidate), floats(baseline), floats(share))
    with np.errstate(divide="ignore", invalid="ignore"):
        under = expit(logit(p) + np.log(floats(rate_ratio))[..., None])
        a, b = k * p, k * (1 - p)
        mixture = betaln(a + x, b + y) - betaln(a, b) - x * np.log(under) - y * np.log1p(-under)
        kept = _log_above(a + x, b + y, under) - np.log(betaincc(a, b, under))
        return np.where(x + y == 0, 0.0, mixture + kept).sum(axis=-1)


def _log_above(a: Array, b: Array, p: Array) -> Array:
    """Return the log of the chance that a beta variable exceeds `p`, by its series where the chance is too small a number.

    The chance is p^a (1 - p)^b / (b B(a, b)) times a series (DLMF 8.17.8) whose terms fall like a geometric one far out:
    _TERMS of them, the rest as geometric.
    """
    chance = betaincc(a, b, p)
    found, far = floats(np.log(chance)), chance < _SMALLEST
    if far.any():
        a, b, p = (np.broadcast_to(part, chance.shape)[far] for part in (a, b, p))
        place = np.arange(_TERMS)
        falls = (a + b)[:, None] + place
        falls = falls / (b[:, None] + 1 + place) * (1 - p)[:, None]
        terms = np.cumprod(falls, axis=1)
        series = 1 + terms.sum(axis=1) + terms[:, -1] * falls[:, -1] / (1 - falls[:, -1])
        found[far] = a * np.log(p) + b * np.log1p(-p) - np.log(b) - betaln(a, b) + np.log(series)
    return found


def rate_ratio_least(
    candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, alpha: ArrayLike = 0.05, k: float = CONCENTRATION
) -> Array:
    """Return the lower confidence sequence of the ratio of the rates of a rare harm: below it `excess_evidence` is 1 / alpha.

    At all looks together it exceeds the ratio with a chance of at most alpha. 0 without harms in the candidate's arm.
    """
    x, y, p = np.broadcast_arrays(floats(candidate), floats(baseline), floats(share))
    limit = np.broadcast_to(np.log(1 / floats(alpha)), x.shape[:-1])

    def outside(at: Array) -> Array:
        return np.asarray(excess_evidence(x, y, p, np.exp(at), k) > limit)

    low = _crossing(outside, _likeliest(x, y, logit(p)), -1.0)
    hits = x.sum(axis=-1)
    return only(np.where(hits > 0, np.exp(low), 0.0), ~np.isnan(hits + y.sum(axis=-1)))


def _likeliest(x: Array, y: Array, odds: Array) -> Array:
    """Return the log rate ratio under which the harms are likeliest, kept within +-30, by Newton steps."""
    at = np.zeros(x.shape[:-1])
    for _ in range(_STEPS):
        under = expit(odds + at[..., None])
        slope, curve = (x - (x + y) * under).sum(axis=-1), ((x + y) * under * (1 - under)).sum(axis=-1)
        at = np.clip(at + np.clip(np.nan_to_num(ratio(slope, curve)), -2.0, 2.0), -_WIDEST, _WIDEST)
    return at


def leans(candidate: ArrayLike, baseline: ArrayLike, share: ArrayLike, rate_ratio: float = 1.0) -> Array:
    """Return how many more harms the candidate's arm has than the null expects, summed over ramp steps; above 0: worse."""
    x, y, p = np.broadcast_arrays(floats(candidate), floats(baseline), floats(share))
    under = expit(logit(p) + np.log(rate_ratio))
    return (x - (x + y) * under).sum(axis=-1)


def split_evidence(entities: ArrayLike, share: ArrayLike, k: float = 100.0) -> Array:
    """Return the log evidence against "entities are split between the arms as planned" (sample-ratio mismatch).

    Sequential multinomial with a Dirichlet mixture of concentration `k` around the plan (Lindon and Malek 2022);
    `entities` and `share` [..., ramp step, arm], each entity counted once per ramp step, and the evidence of ramp
    steps adds. Stop at ln(1 / .01): false alarms over all looks stay below 1%.

    >>> split_evidence([[5100, 4900]], [[0.5, 0.5]]).round(2).item()
    -0.33
    """
    x, p = np.broadcast_arrays(floats(entities), floats(share))
    prior = k * p
    mixture = gammaln(k) - gammaln(k + x.sum(axis=-1)) + (gammaln(prior + x) - gammaln(prior)).sum(axis=-1)
    return (mixture - (x * np.log(p)).sum(axis=-1)).sum(axis=-1)


def first_alarm(alarms: ArrayLike) -> Indices:
    """Return the first look [..., look] at which an alarm stands, -1 where there is none.

    >>> first_alarm([[False, True, False], [False, False, False]])
    array([ 1, -1])
    """
    flags = np.asarray(alarms, dtype=bool)
    if not flags.shape[-1]:
        return np.full(flags.shape[:-1], -1, dtype=np.int64)
    return np.where(flags.any(axis=-1), flags.argmax(axis=-1), -1).astype(np.int64)


def running(bounds: Interval, axis: int = -1) -> Interval:
    """Return the intersection of the bounds of all looks so far: a confidence sequence may only become narrower.

    NaN bounds say nothing. Where an intersection is empty the assumptions do not hold; both bounds are then NaN.
    """
    low = np.fmax.accumulate(only(bounds.low, np.isfinite(bounds.low)), axis=axis)
    high = np.fmin.accumulate(only(bounds.high, np.isfinite(bounds.high)), axis=axis)
    empty = low > high
    return Interval(only(low, ~empty), only(high, ~empty))

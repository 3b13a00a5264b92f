"""Proofs of evidence that is read look by look, and of queues: scipy's integrals and root finders."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from scipy import stats as scipy_stats
from scipy.integrate import quad
from scipy.special import betaln, expit, logit

from release_core.stats import queues, sequential
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Between, Kind, Proof
from tests.stats.proofs.data import COUNTS, ESTIMATES, UNORDERED, Counts, Estimate, each

Array = Any
nan = float("nan")

# Evidence.

PRIOR = (1.0, 1.0)
SHARE, TIMES, CONCENTRATION = 0.3, 1.5, sequential.CONCENTRATION
LEVEL = np.log(20)


def _integral(x: float, y: float, a: float, b: float, above: float = 0.0) -> float:
    """Return the log of the integral of p^x (1 - p)^y over a beta prior, cut to p > `above`, by scipy on log-odds."""
    top = logit((a + x) / (a + b + x + y))
    start = logit(above) if above else top - 60 / (a + x) - 5

    def log(u: float) -> float:
        return -(a + x) * np.logaddexp(0, -u) - (b + y) * np.logaddexp(0, u)

    end = max(top, start) + 60 / (b + y) + 5
    if start > top:
        # Beyond the peak the integrand falls at once: its slope there says how fast.
        end = min(end, start + 60 / ((b + y) * expit(start) - (a + x) * expit(-start)))
    peak = log(max(top, start))
    spread = 1 / np.sqrt(a + b + x + y)
    points = [u for k in (-20, -5, -1, 0, 1, 5, 20) if start < (u := top + k * spread * 3) < end]
    value = quad(lambda u: np.exp(log(u) - peak), start, end, points=points, limit=400, epsabs=0)[0]
    kept = scipy_stats.beta.logsf(above, a, b) if above else 0.0
    return peak + np.log(value) - betaln(a, b) - kept


def _odds(x: float, y: float, p: float) -> float:
    return x * np.log(p) + y * np.log1p(-p)


def _harm(d: Counts, one: Any) -> Array:
    """Return what `one` says of k harms in the candidate's and n - k in the baseline's arm."""
    return each(lambda k, n: one(k, n - k), d.k, d.n)[0]


UNDER = expit(logit(SHARE) + np.log(TIMES))
OF_ARM = CONCENTRATION * SHARE, CONCENTRATION * (1 - SHARE)


def _two_sided(x: float, y: float) -> float:
    return _integral(x, y, *OF_ARM) - _odds(x, y, UNDER) if x + y else 0.0


def _one_sided(x: float, y: float) -> float:
    return _integral(x, y, *OF_ARM, above=UNDER) - _odds(x, y, UNDER) if x + y else 0.0


def _root(function: Any, inner: float, outer: float) -> float:
    return optimize.brentq(function, inner, outer, xtol=1e-13, rtol=1e-13)


def _share_bounds(x: float, y: float) -> Any:
    """Return the shares at which the likelihood ratio against the mixture is 20, by scipy's root finder."""
    mixture = _integral(x, y, *PRIOR)
    middle = logit((x + 0.5) / (x + y + 1))

    def over(at: float) -> float:
        return mixture - (-x * np.logaddexp(0, -at) - y * np.logaddexp(0, at)) - LEVEL

    low = expit(_root(over, middle, middle - 60)) if x and over(middle - 60) > 0 else 0.0
    high = expit(_root(over, middle, middle + 60)) if y and over(middle + 60) > 0 else 1.0
    return low, high


def _ratio_bounds(x: float, y: float) -> Any:
    mixture = _integral(x, y, *OF_ARM) if x + y else 0.0
    odds = logit(SHARE)

    def over(at: float) -> float:
        return mixture + x * np.logaddexp(0, -odds - at) + y * np.logaddexp(0, odds + at) - LEVEL

    middle = np.clip(np.log(x / y) - odds, -30, 30) if x and y else 30.0 if x else -30.0
    low = np.exp(_root(over, middle, middle - 60)) if x else 0.0
    high = np.exp(_root(over, middle, middle + 60)) if y else np.inf
    return low, high


def _least(x: float, y: float) -> float:
    """Return the ratio at which the one-sided evidence is ln 20, by scipy's integral and root finder."""
    if not x:
        return 0.0

    def over(at: float) -> float:
        under = expit(logit(SHARE) + at)
        return _integral(x, y, *OF_ARM, above=under) - _odds(x, y, under) - LEVEL

    middle = np.log(x / y) - logit(SHARE) if y else 25.0
    return float(np.exp(optimize.brentq(over, middle, middle - 35, xtol=1e-9)))


WHOLE = {WEIGHTS: "Harms are whole: one entity suffers one or none."}
ARM_ARGS = (SHARE, TIMES)


def _arm(f: Any, d: Counts, *rest: Any) -> Any:
    return f(d.k[:, None], (d.n - d.k)[:, None], [SHARE], *rest)


HARM = (
    Proof("sequential.share_evidence", COUNTS, lambda f, d: f(d.k, d.n - d.k, SHARE, PRIOR), lambda d: _harm(
        d, lambda x, y: _integral(x, y, *PRIOR) - _odds(x, y, SHARE)), rel=1e-6, near=1e-7),
    Proof("sequential.share_bounds", COUNTS, lambda f, d: f(d.k, d.n - d.k), lambda d: each(
        lambda k, n: _share_bounds(k, n - k), d.k, d.n), rel=1e-6, near=1e-9),
    Proof("sequential.event_arm", COUNTS, lambda f, d: _arm(f, d, TIMES), lambda d: _harm(d, _two_sided), rel=1e-6,
          near=1e-7),
    Proof("sequential.excess_evidence", COUNTS, lambda f, d: _arm(f, d, TIMES), lambda d: _harm(d, _one_sided), rel=1e-5,
          near=1e-6),
    Proof("sequential.rate_ratio_bounds", COUNTS, _arm, lambda d: each(
        lambda k, n: _ratio_bounds(k, n - k), d.k, d.n), rel=1e-6),
    Proof("sequential.rate_ratio_least", COUNTS, _arm, lambda d: _harm(d, _least), rel=1e-5),
    Proof("sequential.leans", COUNTS, lambda f, d: _arm(f, d, TIMES), lambda d: _harm(
        d, lambda x, y: x - scipy_stats.binom.mean(1, UNDER) * (x + y)), near=1e-9),
)  # fmt: skip

N, EXPECTED = 500.0, 1000.0
RHO2 = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / EXPECTED


def _normal_mixture(v: float, se: float, times: float) -> float:
    """Return scipy's log density of a value whose true mean is spread with `times` the variance of its error, over that at 0."""
    return scipy_stats.norm.logpdf(v, 0, se * np.sqrt(1 + times)) - scipy_stats.norm.logpdf(v, 0, se)


def _asymptotic(d: Estimate) -> Any:
    def one(v: float, s: float) -> Any:
        if not s:
            return v, v
        reach = optimize.brentq(lambda e: _normal_mixture(e * s, s, N * RHO2) - LEVEL, 0, 90, xtol=1e-13) * s
        return v - reach, v + reach

    return each(one, d.value, d.se)


def _asymptotic_evidence(d: Estimate) -> Any:
    def one(v: float, s: float) -> float:
        if not s:
            return np.inf if v else _normal_mixture(0.0, 1.0, N * RHO2)
        return _normal_mixture(v, s, N * RHO2)

    return each(one, d.value, d.se)[0]


RHO = 12.6
NO_EVENTS = "A variance holds no events."
VARIANCES = Kind(
    {
        ONE_CLASS: (np.array([0.0]),),
        NAN: (np.array([nan]),),
        ONE: (np.array([1.0]),),
        FIVE: (np.array([5.0, 100.0]),),
        RARE: (np.array([0.001]),),
    },
    dict.fromkeys((TIES, WEIGHTS, NONE), NO_EVENTS),
)
SUM = 3.0


def _sum_evidence(v: Array) -> Array:
    with np.errstate(divide="ignore"):
        found = [
            nan if np.isnan(one) else _normal_mixture(SUM, np.sqrt(one), one / RHO) if one else SUM**2 / (2 * RHO)
            for one in v
        ]
    return np.array(found)


def _reach(v: Array) -> Array:
    found = []
    for one in v:
        if np.isnan(one):
            found.append(nan)
            continue
        scale = np.sqrt(one + RHO)
        found.append(optimize.brentq(
            lambda s, one=one: 0.5 * np.log(RHO / (one + RHO)) + s**2 / (2 * (one + RHO)) - LEVEL, 0, 99 * scale, xtol=1e-12
        ))  # fmt: skip
    return np.array(found)


def _narrowest(v: Array) -> Any:
    """Return the reach at the rho at which scipy finds it narrowest, and 0.1% more: the formula is Howard's approximation."""
    one = float(v[-1])
    if np.isnan(one) or not one:
        return one
    best = optimize.minimize_scalar(
        lambda r: sequential.normal_reach(one, np.exp(r)), bounds=(np.log(one) - 6, np.log(one) + 2), method="bounded"
    ).x
    least = sequential.normal_reach(one, np.exp(best))
    return Between(least * (1 - 1e-9), least * 1.001)


def _tuned(f: Any, v: Array) -> Any:
    rho = f(float(v[-1]))
    return sequential.normal_reach(v[-1], rho) if rho else rho


MIXTURES = (
    Proof("sequential.asymptotic", ESTIMATES, lambda f, d: f(d.value, d.se, N, EXPECTED), _asymptotic),
    Proof(
        "sequential.asymptotic_evidence", ESTIMATES, lambda f, d: f(d.value, d.se, N, EXPECTED), _asymptotic_evidence
    ),
    Proof("sequential.normal_evidence", VARIANCES, lambda f, v: f(SUM, v, RHO), _sum_evidence),
    Proof("sequential.normal_reach", VARIANCES, lambda f, v: f(v, RHO), _reach),
    Proof("sequential.tuned", VARIANCES, _tuned, _narrowest),
)

FLAGS = Kind(
    {
        ONE_CLASS: (np.zeros(5, bool), np.ones(5, bool)),
        NONE: (np.zeros(0, bool),),
        ONE: (np.array([True]), np.array([False])),
        FIVE: (np.array([False, False, True, False, True]),),
        RARE: (np.arange(1000) == 777,),
    },
    {TIES: "An alarm stands or does not.", NAN: "An alarm stands or does not.", WEIGHTS: "Looks do not weigh."},
)
BOUNDS = Kind(
    {
        ONE_CLASS: ((np.zeros(4), np.ones(4)),),
        TIES: ((np.array([0.1, 0.3, 0.3]), np.array([0.9, 0.3, 0.3])),),
        NAN: ((np.array([nan, 0.1, nan, 0.2]), np.array([nan, 0.9, 0.8, nan])),),
        NONE: ((np.zeros(0), np.zeros(0)),),
        ONE: ((np.array([0.2]), np.array([0.1])),),
        FIVE: ((np.array([0.0, 0.2, 0.1, 0.5, 0.4]), np.array([1.0, 0.6, 0.7, 0.55, 0.3])),),
        RARE: ((np.array([-np.inf, 0.0009, 0.0008]), np.array([np.inf, 0.0011, 0.0012])),),
    },
    {WEIGHTS: "Looks do not weigh."},
)


def _running(d: Any) -> Any:
    """Return the intersection so far, look by look; NaN from where it is empty."""
    low, high, found = -np.inf, np.inf, []
    told = [False, False]
    for a, b in zip(*d, strict=True):
        if np.isfinite(a):
            low, told[0] = max(low, a), True
        if np.isfinite(b):
            high, told[1] = min(high, b), True
        found.append((low if told[0] else nan, high if told[1] else nan) if not low > high else (nan, nan))
    return tuple(np.array(side) for side in zip(*found, strict=True)) if found else (np.zeros(0), np.zeros(0))


LOOKS = (
    Proof(
        "sequential.first_alarm",
        FLAGS,
        lambda f, v: f(v),
        lambda v: v.tolist().index(True) if True in v.tolist() else -1,
    ),
    Proof("sequential.running", BOUNDS, lambda f, d: f(sequential.Interval(*d)), _running),
)


# Queues.


class Queue(NamedTuple):
    """Depth then and now, arrivals between, hours, and the limit."""

    before: float
    now: float
    arrivals: float
    hours: float
    limit: float


QUEUES = Kind(
    {
        ONE_CLASS: (Queue(100, 100, 144, 24, 120),),
        NAN: (Queue(nan, 148, 144, 24, 200), Queue(100, 148, nan, 24, 200)),
        WEIGHTS: (Queue(100.5, 148.25, 144.5, 24, 200),),
        NONE: (Queue(0, 0, 0, 0, 0),),
        ONE: (Queue(0, 1, 1, 1, 10),),
        FIVE: (Queue(0, 5, 5, 24, 10), Queue(5, 0, 5, 24, 10)),
        RARE: (Queue(1000, 1001, 24_000, 24, 2000), Queue(1000, 1001, 24_000, 24, 1e6)),
    },
    {TIES: UNORDERED},
)


def _growth(d: Queue) -> Any:
    if not d.hours:
        return UNDEFINED
    spread = nan if np.isnan(d.arrivals) else scipy_stats.poisson(max(d.arrivals, 1)).std()
    return (d.now - d.before) / d.hours, spread / d.hours


def _speed(d: Queue) -> float:
    return (d.now - d.before) / d.hours if d.hours else nan


def _hours(d: Queue) -> float:
    """Return when a line from the depth reaches the limit, by scipy's root finder; at most a year."""
    speed = _speed(d)
    if np.isnan(speed):
        return nan
    if d.now >= d.limit:
        return 0.0
    if speed <= 0 or d.now + speed * queues.LONGEST < d.limit:
        return queues.LONGEST
    return float(optimize.brentq(lambda t: d.now + speed * t - d.limit, 0, queues.LONGEST, xtol=1e-12))


AHEAD = np.array([0.0, 1.0, 12.0])


def _fan(d: Queue) -> Any:
    """Return scipy's central interval of a sum of two normal errors, not below 0."""
    if not d.hours or np.isnan(sum(d)):
        return UNDEFINED
    speed, error = _growth(d)
    low, high = [], []
    for hours in AHEAD:
        sd = np.hypot(error * hours, np.sqrt(d.arrivals / d.hours * hours))
        ends = scipy_stats.norm.interval(0.8, d.now + speed * hours, sd) if sd else (d.now, d.now)
        low.append(max(ends[0], 0))
        high.append(max(ends[1], 0))
    return np.array(low), np.array(high)


def _called(f: Any, d: Queue) -> Any:
    rate = d.arrivals / d.hours if d.hours else nan
    return f(d.now, queues.growth(d.before, d.now, d.arrivals, d.hours), rate, AHEAD, 0.8)


WAITING = (
    Proof("queues.growth", QUEUES, lambda f, d: f(*d[:4]), _growth),
    Proof("queues.hours_to", QUEUES, lambda f, d: f(d.limit, d.now, _speed(d)), _hours),
    Proof("queues.fan", QUEUES, _called, _fan),
)

PROOFS = (*HARM, *MIXTURES, *LOOKS, *WAITING)

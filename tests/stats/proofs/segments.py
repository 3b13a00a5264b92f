"""Proofs of what compares many segments, slices or causes: statsmodels, scipy's integrals, loops over rows and orders."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import statsmodels.api as sm
from scipy import optimize
from scipy.integrate import quad_vec
from scipy.special import expit
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from release_core.stats import mix, pooling
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Kind, Proof
from tests.stats.proofs.data import LOG_ODDS, SCORED, Events

Array = Any
nan = float("nan")

# P-values.

ONCE = "Every hypothesis counts once."
P_VALUES = Kind(
    {
        ONE_CLASS: (np.ones(6), np.zeros(6)),
        TIES: (np.array([0.01, 0.5, 0.01, 0.04, 0.01, 0.04]),),
        NAN: (np.array([0.001, np.nan, 0.02, 0.5, np.nan, 0.024]),),
        NONE: (np.zeros(0),),
        ONE: (np.array([0.03]), np.array([0.2])),
        FIVE: (np.array([0.009, 0.04, 0.012, 0.9, 0.02]),),
        RARE: (np.array([1e-7, *np.linspace(0.001, 1, 999)]),),
    },
    {WEIGHTS: ONCE},
)


def _rejected(method: str) -> Any:
    def oracle(p: Array) -> Array:
        found, told = np.zeros(len(p)), ~np.isnan(p)
        if told.any():
            found[told] = multipletests(p[told], 0.1, method)[0]
        return found

    return oracle


def _levels(p: Array) -> Array:
    """Return the level of each hypothesis, tested one after the other from the smallest p-value on."""
    told = [int(k) for k in np.argsort(p, kind="stable") if not np.isnan(p[k])]
    found, last = np.full(len(p), np.nan), None
    for rank, place in enumerate(told):
        found[place] = 0.1 / (len(told) - rank) if last is None else last
        if last is None and p[place] > found[place]:
            last = found[place]
    return found


MANY = (
    Proof("multiplicity.holm", P_VALUES, lambda f, p: f(p, 0.1), _rejected("holm")),
    Proof("multiplicity.holm_levels", P_VALUES, lambda f, p: f(p, 0.1), _levels),
    Proof("multiplicity.benjamini_hochberg", P_VALUES, lambda f, p: f(p, 0.1), _rejected("fdr_bh")),
    Proof("multiplicity.benjamini_yekutieli", P_VALUES, lambda f, p: f(p, 0.1), _rejected("fdr_by")),
)


# Mix and rate.


class Mixed(NamedTuple):
    """Numerators and denominators of two populations by segment."""

    top0: Array
    bottom0: Array
    top1: Array
    bottom1: Array


def _mixed(*rows: tuple[float, ...]) -> tuple[Mixed]:
    return (Mixed(*np.array(rows, float)),)


MIXES = Kind(
    {
        ONE_CLASS: (*_mixed((0, 0, 0), (9, 4, 5), (0, 0, 0), (3, 8, 9)), *_mixed((9, 4, 5), (9, 4, 5), (3, 8, 9), (3, 8, 9))),
        TIES: _mixed((2, 4, 6), (10, 20, 30), (6, 6, 6), (20, 20, 20)),
        NAN: _mixed((2, np.nan, 6, 3), (10, 20, 30, 9), (6, 5, 9, 5), (20, 20, 20, 11)),
        WEIGHTS: _mixed((2.25, 4.5, 6.75), (10.5, 20, 33.25), (6, 7.75, 2.5), (20.25, 21.5, 19)),
        NONE: _mixed((0, 0), (0, 0), (0, 0), (0, 0)),
        ONE: _mixed((1, 0), (1, 0), (0, 0), (0, 1)),
        FIVE: _mixed((1, 2, 3), (5, 5, 5), (2, 1, 4), (5, 5, 5)),
        RARE: _mixed((40, 9, 3), (40_000, 9000, 4000), (25, 22, 9), (30_000, 15_000, 8000)),
    }
)  # fmt: skip


def _over(a: float, b: float) -> float:
    return a / b if b else nan


def _kitagawa(d: Mixed) -> Any:
    """Return the split, segment by segment in plain Python."""
    rows = list(zip(*(part.tolist() for part in d), strict=True))
    sizes = sum(r[1] for r in rows), sum(r[3] for r in rows)
    rates = _over(sum(r[0] for r in rows), sizes[0]), _over(sum(r[2] for r in rows), sizes[1])
    middle, parts = (rates[0] + rates[1]) / 2, {"mix": 0.0, "rate": 0.0, "new": 0.0, "retired": 0.0}
    mixes, moved, shares, pooled, harmonic = [], [], 0.0, 0.0, 0.0
    for t0, b0, t1, b1 in rows:
        r0, r1, w0, w1 = _over(t0, b0), _over(t1, b1), _over(b0, sizes[0]), _over(b1, sizes[1])
        here = b0 > 0 and b1 > 0
        mixes.append((w1 - w0) * ((r0 + r1) / 2 - middle) if here else nan)
        moved.append((r1 - r0) * (w0 + w1) / 2 if here else nan)
        if here:
            parts["mix"] += mixes[-1]
            parts["rate"] += moved[-1]
            shares += (w0 + w1) / 2
            harmonic += b0 * b1 / (b0 + b1)
            pooled += b0 * b1 / (b0 + b1) * (r1 - r0)
        elif b1 > 0:
            parts["new"] += w1 * (r1 - middle)
        elif b0 > 0:
            parts["retired"] -= w0 * (r0 - middle)
    sums = [nan if np.isnan(middle) else value for value in parts.values()]
    equal = _over(parts["rate"], shares), _over(pooled, harmonic)
    return rates[1] - rates[0], *sums, np.array(mixes), np.array(moved), *equal


def _simpson(d: Mixed) -> Any:
    total, *_, moved, equal, _ = _kitagawa(d)
    votes = sum(float(np.sign(m)) * w for m, w in zip(moved, d.bottom0 + d.bottom1, strict=True) if not np.isnan(m))
    return tuple(float(np.sign(total) * np.sign(other) < 0) for other in (votes, equal))


def _odds(d: Mixed) -> Any:
    if np.isnan(np.array(d)).any():
        return UNDEFINED
    tables = [
        np.array([[t1, b1 - t1], [t0, b0 - t0]])
        for t0, b0, t1, b1 in zip(*d, strict=True)
        if b0 > 0 and b1 > 0 and 0 < t0 + t1 < b0 + b1
    ]
    if len(tables) < 2:
        return UNDEFINED
    found = StratifiedTable(tables).test_equal_odds(adjust=True)
    return found.statistic, found.pvalue


MIX = (
    Proof("mix.kitagawa", MIXES, lambda f, d: f(*d), _kitagawa),
    Proof("mix.simpson", MIXES, lambda f, d: f(mix.kitagawa(*d), d.bottom0 + d.bottom1), _simpson),
    Proof("mix.breslow_day", MIXES, lambda f, d: (f(*d).statistic, f(*d).p), _odds, rel=1e-6, near=1e-9),
)


# Shrinkage.

VARIANCES = "The variance of an estimate is its weight."
POOLED = Kind(
    {
        ONE_CLASS: ((np.full(6, 0.3), np.linspace(0.01, 0.02, 6)),),
        TIES: ((np.array([0.0, 0, 5, 5, 5, 0]), np.ones(6)),),
        NAN: ((np.array([0.0, 1, 2, 3, 9, np.nan, 4]), np.array([1.0, 1, 2, 1, 1, 1, np.nan])),),
        NONE: ((np.zeros(0), np.zeros(0)),),
        ONE: ((np.array([0.4]), np.array([0.1])),),
        FIVE: ((np.array([0.0, 1, 2, 3, 10]), np.array([1.0, 2, 1, 2, 1])),),
        RARE: ((np.array([*np.linspace(0.0008, 0.0012, 11), 0.005]), np.full(12, 4e-8)),),
    },
    {WEIGHTS: VARIANCES},
)


def _shrunk(d: Any) -> Any:
    """Return value, weight, tau^2, mean and size by statsmodels' iterated Paule and Mandel; fewer than five: not known."""
    values, variances = d
    told = ~np.isnan(values + variances)
    if told.sum() < 5:
        return (*(np.full(len(values), np.nan),) * 2, np.array([np.nan]), np.array([np.nan]), np.array([told.sum()]))
    found = combine_effects(values[told], variances[told], method_re="iterated", maxiter=500)
    weight = found.tau2 / (found.tau2 + variances) + 0 * values
    mean = found.mean_effect_re
    return mean + weight * (values - mean), weight, np.array([found.tau2]), np.array([mean]), np.array([told.sum()])


def _errors(d: Any) -> Any:
    """Return the posterior's root mean squared distance, tau^2 and the mean having flat priors, by scipy's integration."""
    values, variances = d
    told = ~np.isnan(values + variances)
    if told.sum() < 5:
        return np.full(len(values), np.nan)
    theta, v = values[told], variances[told]
    found = pooling.shrink(values, variances).value[told]
    unit = np.median(v)

    def at(u: float) -> Array:
        spread = v + unit * u / (1 - u)
        w = 1 / spread
        mu = w @ theta / w.sum()
        log = 0.5 * np.log(w).sum() - 0.5 * np.log(w.sum()) - 0.5 * w @ (theta - mu) ** 2
        pull = v * w
        middle = theta + pull * (mu - theta)
        square = v * (1 - pull) + pull**2 / w.sum() + (middle - found) ** 2
        return np.exp(log - peak) / (1 - u) ** 2 * np.concatenate([[1.0], square])

    peak = 0.5 * np.log(1 / v).sum()
    total = quad_vec(at, 0, 1 - 1e-12, epsrel=1e-9)[0]
    errors = np.full(len(values), np.nan)
    errors[told] = np.sqrt(total[1:] / total[0])
    return errors


def _penalised(pos: Array, n: Array, x: Array) -> tuple[float, float]:
    """Return scipy's maximum of the penalised likelihood, and the error that its curvature gives."""

    def loss(shift: float) -> float:
        eta = x + shift
        return float(-(pos * eta - n * np.logaddexp(0, eta)).sum() + shift**2 / 8)

    at = optimize.minimize_scalar(loss, bracket=(-1, 1), tol=1e-12).x
    p = expit(x + at)
    return at, 1 / np.sqrt((n * p * (1 - p)).sum() + 0.25)


MOVED = 0.2 * np.arange(6)[:, None]


def _plain(d: Events, move: float) -> tuple[float, float]:
    if not d.both:
        return _penalised(d.pos, d.n, LOG_ODDS + move)
    here = d.n > 0
    counts, ones = np.column_stack([d.pos, d.neg])[here], np.ones(here.sum())
    fit = sm.GLM(counts, ones, sm.families.Binomial(), offset=LOG_ODDS[here] + move).fit(tol=1e-12)
    return fit.params[0], fit.bse[0]


def _offsets(d: Events) -> Any:
    """Return raw, se, shrunk and weight of six segments that hold the case's events, their scores moved apart."""
    if not d.known:
        return (*(np.full(6, np.nan),) * 3, np.ones(6))
    raw, se = np.array([_plain(d, move) for move in MOVED[:, 0]]).T
    value, weight, *_ = _shrunk((raw, se**2))
    return raw, se, value, weight


def _offset(f: Any, d: Events) -> Any:
    pos, n = (np.broadcast_to(part, (6, len(part))) for part in (d.pos, d.n))
    found = f(pos, n, LOG_ODDS + MOVED)
    return found.raw, found.se, found.shrunk, found.weight


SHRUNKEN = (
    Proof("pooling.shrink", POOLED, lambda f, d: f(*d), _shrunk, rel=1e-4, near=1e-9),
    Proof("pooling.errors", POOLED, lambda f, d: f(*d, pooling.shrink(*d)), _errors, rel=2e-2),
    Proof("offsets.penalised", SCORED, lambda f, d: f(d.pos, d.n, LOG_ODDS), lambda d: (
        _penalised(d.pos, d.n, LOG_ODDS) if d.known else UNDEFINED), rel=1e-6, near=1e-6),
    Proof("offsets.offsets", SCORED, _offset, _offsets, rel=1e-3, near=1e-5),
)  # fmt: skip

PROOFS = (*MANY, *MIX, *SHRUNKEN)

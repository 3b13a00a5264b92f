"""Proofs of what compares scores with outcomes: scikit-learn, statsmodels, model-diagnostics, scipy's binomial."""

from __future__ import annotations

from typing import Any

import numpy as np
import statsmodels.api as sm
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy import stats as scipy_stats
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import mean_squared_error, r2_score
from statsmodels.stats.weightstats import DescrStatsW

from release_core.stats import calibration, recalibration
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Between, Kind, Proof
from tests.stats.proofs.data import BINS, LOG_ODDS, SCORED, SCORES, Events
from tests.stats.proofs.scored import both, some, where

Array = Any


def sums(d: Events) -> tuple[Array, Array, Array, Array]:
    """Return the weight of all events, of the bad ones, the sum of squared scores and that of the scores of bad ones."""
    return d.n.sum(), d.pos.sum(), (d.n * SCORES**2).sum(), (d.pos * SCORES).sum()


def losses(d: Events) -> Array:
    """Return the summed log loss."""
    return -(d.pos * np.log(SCORES) + d.neg * np.log1p(-SCORES)).sum()


def _brier(d: Events) -> Array:
    return mean_squared_error(d.y, d.score, sample_weight=d.w)


def _log_loss(d: Events) -> Array:
    return metrics.log_loss(d.y, d.score, sample_weight=d.w, labels=[0, 1])


def _of_rate(d: Events) -> Array:
    rate = np.full(len(d.y), np.average(d.y, weights=d.w))
    return metrics.log_loss(d.y, rate, sample_weight=d.w, labels=[0, 1])


def _spiegelhalter(d: Events) -> Any:
    """Return Z and its p-value, summed over single events as printed."""
    top = bottom = 0.0
    for s, y, w in zip(d.score, d.y, d.w, strict=True):
        top += w * (y - s) * (1 - 2 * s)
        bottom += w * s * (1 - s) * (1 - 2 * s) ** 2
    z = top / np.sqrt(bottom)
    return z, 2 * scipy_stats.norm.sf(abs(z))


def _z(f: Any, d: Events) -> Any:
    return f(calibration.Sums(d.pos.sum(), (d.n * SCORES).sum(), (d.pos * SCORES).sum(), sums(d)[2]), d.n, SCORES)


def _clustered(d: Events) -> Array:
    """Return the design effect of an error of 0.1, against that of the ratio of two sums over single events."""
    ratio = d.w @ d.y / (d.w @ d.score)
    own = np.sqrt(d.w @ (d.y - ratio * d.score) ** 2) / (d.w @ d.score)
    return (0.1 / own) ** 2 if own else np.nan


def _grouped(d: Events) -> Any:
    """Return both errors over groups of equally many events, each bin in the group of its middle event, and the groups."""
    middle = {p: (d.w[d.place < p].sum() + d.w[d.place == p].sum() / 2) / d.w.sum() for p in sorted(set(d.place))}
    number = np.array([min(int(15 * middle[p]), 14) for p in d.place])
    for group in sorted(set(number))[1:]:
        if d.w[number == group].sum() <= 1:
            number[number == group] = number[number < group].max()
    first = number.min()
    if d.w[number == first].sum() <= 1 and (number > first).any():
        number[number == first] = number[number > first].min()
    absolute = squares = 0.0
    for group in set(number):
        here = DescrStatsW(d.y[number == group].astype(float), d.w[number == group])
        gap = here.mean - np.average(d.score[number == group], weights=d.w[number == group])
        part = here.sum_weights / d.w.sum()
        absolute += part * abs(gap)
        squares += part * (gap**2 - here.std_mean**2)
    return absolute, np.sqrt(max(squares, 0)), len(set(number))


LOSSES = (
    Proof("calibration.brier", SCORED, lambda f, d: f(*sums(d)), lambda d: some(d, lambda: _brier(d))),
    Proof("calibration.log_loss", SCORED, lambda f, d: f(d.n.sum(), losses(d)), lambda d: some(d, lambda: _log_loss(d))),
    Proof("calibration.brier_skill", SCORED, lambda f, d: f(calibration.brier(*sums(d)), *sums(d)[:2]),
          lambda d: both(d, lambda: r2_score(d.y, d.score, sample_weight=d.w))),
    Proof("calibration.base_rate_log_loss", SCORED, lambda f, d: f(*sums(d)[:2]), lambda d: some(d, lambda: _of_rate(d))),
    Proof("calibration.spiegelhalter", SCORED, _z, lambda d: some(d, lambda: _spiegelhalter(d))),
    Proof("calibration.design_effect", SCORED, lambda f, d: f(d.pos, d.n, SCORES, 0.1),
          lambda d: some(d, lambda: _clustered(d)), rel=1e-6),
    Proof("calibration_error.calibration_error", SCORED, lambda f, d: f(d.pos, d.n, d.n * SCORES),
          lambda d: _grouped(d) if d.known and len(d.y) > 1 else (np.nan, np.nan, Between(0, 15)),
          near=1e-9),
)  # fmt: skip


# CORP.


def _isotonic(d: Events) -> Any:
    """Return scikit-learn's isotonic regression per bin; NaN in bins without events, and in all where a count is not known."""
    if not d.known or not len(d.y):
        return np.full(BINS, np.nan)
    fitted = IsotonicRegression().fit(d.place, d.y, sample_weight=d.w).predict(np.arange(BINS))
    return np.where(np.bincount(d.place, minlength=BINS) > 0, fitted, np.nan)


def _parts(d: Events, scoring: Any) -> Any:
    found = decompose(d.y.astype(float), d.score, weights=d.w, scoring_function=scoring)
    return tuple(found[name].item() for name in ("miscalibration", "discrimination", "uncertainty"))


def _per_bin(d: Events, loss: Any) -> Any:
    found = np.zeros(BINS)
    for one in set(d.place):
        here = d.place == one
        found[one] = loss(d.y[here], d.score[here], d.w[here])
    if not d.known:
        found[d.hole] = np.nan
    return found


def _squared(y: Array, s: Array, w: Array) -> Array:
    return mean_squared_error(y, s, sample_weight=w) * w.sum()


def _logs(y: Array, s: Array, w: Array) -> Array:
    return metrics.log_loss(y, s, sample_weight=w, labels=[0, 1], normalize=False)


def _corp(f: Any, d: Events, brier: bool) -> Any:
    loss = calibration.brier(*sums(d)) if brier else calibration.log_loss(d.n.sum(), losses(d))
    return f(d.pos, d.n, loss)


# Of one bin the recalibrated rate is its own, so what a calibrated score would show is a binomial share.
ONE_BIN = Kind(
    {
        ONE_CLASS: ((50, 0.0), (50, 1.0)),
        TIES: ((60, 0.31),),
        NAN: ((np.nan, 0.3), (50, np.nan)),
        NONE: ((0, 0.3),),
        ONE: ((1, 0.3),),
        FIVE: ((5, 0.33),),
        RARE: ((30_000, 0.001), (1000, 0.001)),
    },
    {WEIGHTS: "Labels are drawn for single events: a weight has no binomial share."},
)
DRAWS = 500


def _limits(one: Any) -> Any:
    """Return between which binomial shares the limits lie: three errors of the simulation around 5 and 95%."""
    n, p = one
    if np.isnan(n + p):
        return UNDEFINED
    if not n:
        return UNDEFINED
    off = 3 * np.sqrt(0.05 * 0.95 / DRAWS)
    ends = [scipy_stats.binom.ppf([max(level - off, 0), level + off], n, p) / n for level in (0.05, 0.95)]
    return tuple(Between(*end) for end in ends)


def _miscalibration(one: Any, draws: int) -> Any:
    """Return between which miscalibrations (Brier, log loss) the 95% quantile lies: (k / n - p)^2 and the divergence."""
    n, p = one
    if np.isnan(n + p) or not n:
        return UNDEFINED
    k = np.arange(n + 1)
    chance, rate = scipy_stats.binom.pmf(k, n, p), k / n
    q = np.clip(p, 1e-7, 1 - 1e-7)
    entropy = scipy_stats.entropy([rate, 1 - rate], [np.full(n + 1, q), np.full(n + 1, 1 - q)], axis=0)
    off, found = 3 * np.sqrt(0.05 * 0.95 / draws), []
    for gain in ((rate - p) ** 2, entropy):
        order = np.argsort(gain)
        reached = np.cumsum(chance[order])
        ends = [
            gain[order][min(np.searchsorted(reached, level), n)] for level in (0.95 - off, min(0.95 + off, 1 - 1e-9))
        ]
        found.append(Between(*ends))
    return tuple(found)


def _bin(one: Any) -> tuple[Array, Array]:
    return np.array([one[0]], float), np.array([one[1]], float)


CORP = (
    Proof("corp.recalibrated", SCORED, lambda f, d: f(d.pos, d.n), _isotonic),
    Proof("corp.corp_brier", SCORED, lambda f, d: _corp(f, d, True), lambda d: both(d, lambda: _parts(d, SquaredError())),
          rel=1e-6, near=1e-9),
    Proof("corp.corp_log_loss", SCORED, lambda f, d: _corp(f, d, False), lambda d: both(d, lambda: _parts(d, LogLoss())),
          rel=1e-6, near=1e-9),
    Proof("corp.brier_of", SCORED, lambda f, d: f(d.pos, d.n, SCORES), lambda d: _per_bin(d, _squared)),
    Proof("corp.log_loss_of", SCORED, lambda f, d: f(d.pos, d.n, SCORES), lambda d: _per_bin(d, _logs)),
    Proof("corp.consistency_band", ONE_BIN, lambda f, d: f(*_bin(d), seed=3, resamples=DRAWS), lambda d: (
        UNDEFINED if _limits(d) is UNDEFINED else (*_limits(d), *_miscalibration(d, DRAWS))), near=1e-7),
    Proof("corp.consistency_curve", ONE_BIN, lambda f, d: f(*_bin(d), seed=3, resamples=DRAWS), _limits),
    Proof("corp.calibrated_mcb", ONE_BIN, lambda f, d: f(*_bin(d), seed=3), lambda d: _miscalibration(d, 39), near=1e-7),
)  # fmt: skip


# Lines on the log-odds axis.


def _shift(d: Events) -> Any:
    model = sm.GLM(
        d.y.astype(float), np.ones(len(d.y)), sm.families.Binomial(), offset=logit(d.score), freq_weights=d.w
    )
    fit = model.fit(tol=1e-12)
    return fit.params[0], fit.bse[0]


def _line(d: Events) -> Any:
    model = sm.GLM(d.y.astype(float), sm.add_constant(logit(d.score)), sm.families.Binomial(), freq_weights=d.w)
    fit = model.fit(tol=1e-12)
    flat = -_log_loss(d) * d.w.sum()
    p = scipy_stats.chi2.sf(2 * (model.loglike(fit.params) - flat), 2)
    return (*fit.params, *fit.bse, p)


def _enough(d: Events) -> bool:
    return d.both and min(d.w[d.y].sum(), d.w[~d.y].sum()) >= 10 and len(set(d.place)) > 1


def _fitted(d: Events) -> Any:
    """Return what each method makes of the scores of all bins, by scikit-learn and statsmodels, or why there is none."""
    if not d.known:
        return tuple((None, "") for _ in recalibration.METHODS)
    return tuple(_one_fit(d, method) for method in recalibration.METHODS)


PLENTY = Kind(
    {
        **{case: SCORED.cases[case] for case in (ONE_CLASS, NAN, NONE, ONE, FIVE, RARE)},
        TIES: (SCORED.cases[TIES][0], Events(np.repeat([5, 22, 30], 2000), np.arange(6000) % np.repeat([7, 3, 2], 2000) == 0)),
        WEIGHTS: (Events(np.tile(SCORED.cases[WEIGHTS][0].place, 20), np.tile(SCORED.cases[WEIGHTS][0].y, 20),
                         np.tile(SCORED.cases[WEIGHTS][0].w, 20)),),
    }
)  # fmt: skip
LEAST = {"intercept": 10, "platt": 50, "beta": 500, "isotonic": 1000}


def _one_fit(d: Events, method: str) -> Any:
    seen = d.w[d.y].sum(), d.w[~d.y].sum()
    if min(seen) < 10 or seen[0] < LEAST[method]:
        return None
    if len(set(d.place)) == 1 and method != "intercept":
        return None
    x = logit(d.score)
    up, down = (seen[0] + 1) / (seen[0] + 2), 1 / (seen[1] + 2)
    target = np.where(d.y, up, down) if method in {"platt", "isotonic"} else d.y.astype(float)
    if method == "isotonic":
        fit = IsotonicRegression(out_of_bounds="clip").fit(d.score, target, sample_weight=d.w)
        return fit.predict(SCORES)
    if method == "intercept":
        return expit(LOG_ODDS + _shift(d)[0])
    terms = {"platt": [x], "beta": [np.log(d.score), -np.log1p(-d.score)]}[method]
    every = {"platt": [LOG_ODDS], "beta": [np.log(SCORES), -np.log1p(-SCORES)]}[method]

    def fitted(which: list[int]) -> Any:
        design = np.column_stack([np.ones(len(x)), *(terms[k] for k in which)])
        fit = sm.GLM(target, design, sm.families.Binomial(), freq_weights=d.w).fit(tol=1e-13)
        return fit.params, expit(np.column_stack([np.ones(BINS), *(every[k] for k in which)]) @ fit.params)

    params, found = fitted(list(range(len(terms))))
    for place in range(len(terms)):
        if method == "beta" and params[1 + place] < 0:
            return fitted([1 - place])[1]
    return found


def _maps(f: Any, d: Events) -> Any:
    found = [f(method, d.pos, d.n, LOG_ODDS) for method in recalibration.METHODS]
    assert all(bool(one.reason) == (one.map is None) for one in found)
    return tuple(None if one.map is None else one.map(SCORES) for one in found)


def _refused(d: Events) -> Any:
    seen = d.w[d.y].sum(), d.w[~d.y].sum()
    return tuple(float(min(seen) < 10 or seen[0] < LEAST[m]) for m in recalibration.METHODS)


def _plain_map(d: Events) -> recalibration.Map:
    """Return the map that sends every distinct score of the events to the mean outcome so far: rising, with plateaus."""
    at = sorted(set(d.score))
    level = np.maximum.accumulate([np.average(d.y[d.score == s], weights=d.w[d.score == s]) for s in at])
    return recalibration.Map("isotonic", knots=tuple(zip(map(float, at), map(float, level), strict=True)))


def _flat(d: Events) -> Any:
    """Return the ranges of a fine grid of scores that the map makes equal."""
    found = _plain_map(d)
    if not found.knots:
        return ()
    at = np.unique(np.concatenate([[0.0, 1.0], [s for s, _ in found.knots]]))
    middle = (at[1:] + at[:-1]) / 2
    level = found(at)
    flat = [a == b == float(found(m)) for a, b, m in zip(level[:-1], level[1:], middle, strict=True)]
    runs, start = [], None
    for place, one in enumerate([*flat, False]):
        if one and start is None:
            start = place
        if not one and start is not None:
            runs.append((at[start], at[place], level[start]))
            start = None
    return tuple(runs)


KNOWN_MAPS = Kind(
    {case: data for case, data in SCORED.cases.items() if case not in {NAN, RARE}},
    {NAN: "A map has known knots: `fit` gives none where a count is not known.", RARE: "A map holds no events."},
)


def _kept(d: Events) -> Any:
    """Return for cutoffs between the scores which rows are alerted before and, at or above the moved one, after."""
    found = _plain_map(d)
    return tuple(float(((d.score >= cut) == (found(d.score) >= at)).all()) for cut, at in ())


LINES = (
    Proof("logistic.calibration_intercept", SCORED, lambda f, d: f(d.pos, d.n, LOG_ODDS), lambda d: both(
        d, lambda: _shift(d)), rel=1e-6, near=1e-9),
    Proof("logistic.cox", SCORED, lambda f, d: f(d.pos, d.n, LOG_ODDS), lambda d: where(
        _enough(d), lambda: _line(d)), rel=1e-5, near=1e-9),
    Proof("recalibration.fit", PLENTY, _maps, lambda d: (None,) * 4 if not d.known else _fitted(d), rel=1e-5, near=1e-7),
    Proof("recalibration.refusal", SCORED, lambda f, d: tuple(
        float(f(m, d.pos.sum(), d.neg.sum()) != "") for m in recalibration.METHODS),
        lambda d: (1.0,) * 4 if not d.known else _refused(d)),
)  # fmt: skip

PROOFS = (*LOSSES, *CORP, *LINES)

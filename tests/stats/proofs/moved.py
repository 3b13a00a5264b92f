"""Proofs of the standard errors of bins: what each event more moves a statistic by, by libraries, one kind of event after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import statsmodels.api as sm
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy import stats as scipy_stats
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.weightstats import DescrStatsW

from release_core.stats import drift, logistic
from tests.stats.proofs import UNDEFINED, Proof
from tests.stats.proofs.data import BINS, COUNTS, LOG_ODDS, SCORED, SCORES, Counts, Estimate, Events
from tests.stats.proofs.rates import AREAS, wilson_t
from tests.stats.proofs.scored import GROUP_EDGES, REFERENCE, two, where

# So much more of a kind of event is tried, as a part of what there is.
STEP = 1e-4


def moved(d: Events, statistic: Any) -> Any:
    """Return the root of the sum, over kinds (bin, class), of their weight times what one more of the kind moves, squared."""
    kinds = sorted(set(zip(d.place.tolist(), d.y.tolist(), strict=True)))
    place, y = (np.array(part) for part in zip(*kinds, strict=True))
    weight = np.array([d.w[(d.place == p) & (d.y == label)].sum() for p, label in kinds])
    total = 0.0
    for one in range(len(kinds)):
        more = STEP * weight[one] * (np.arange(len(kinds)) == one)
        ends = (statistic(place, y, weight + sign * more) for sign in (1, -1))
        up, down = (np.atleast_1d(np.asarray(end, float)) for end in ends)
        total = total + weight[one] * ((up - down) / (2 * STEP * weight[one])) ** 2
    return np.sqrt(total)


def _precision(place: Any, y: Any, w: Any) -> Any:
    """Return the average precision where half of the events of the same score come before a bad one."""
    before = (place[None] > place[:, None]) + 0.5 * (place[None] == place[:, None])
    return np.average((before @ (w * y) / (before @ w))[y], weights=w[y])


def _gap(d: Events) -> Any:
    """Return what finds the gap between recall and false-positive rate at the edge where scipy finds the largest."""
    bad, good = d.rows.place[d.rows.y], d.rows.place[~d.rows.y]
    at = scipy_stats.ks_2samp(bad, good, method="asymp").statistic_location

    def gap(place: Any, y: Any, w: Any) -> Any:
        rates = [np.average(place[y == label] > at, weights=w[y == label]) for label in (True, False)]
        return abs(rates[0] - rates[1])

    return gap


def _fit(place: Any, y: Any, w: Any, terms: Any, offset: Any = None) -> Any:
    model = sm.GLM(y.astype(float), terms, family=sm.families.Binomial(), freq_weights=w, offset=offset)
    return model.fit(tol=1e-13, maxiter=200).params


def _shift(place: Any, y: Any, w: Any) -> Any:
    return _fit(place, y, w, np.ones((len(y), 1)), LOG_ODDS[place])


def _line(place: Any, y: Any, w: Any) -> Any:
    return _fit(place, y, w, sm.add_constant(LOG_ODDS[place], has_constant="add"))


def _cox(f: Any, d: Events) -> Any:
    return f(d.pos, d.neg, LOG_ODDS, logistic.cox(d.pos, d.n, LOG_ODDS))


def _lined(d: Events) -> bool:
    """Return whether the calibration line is drawn: ten events of a class, on two scores, not set apart by one."""
    if not two(d) or min(d.w[d.y].sum(), d.w[~d.y].sum()) < logistic.MIN_OF_CLASS:
        return False
    bad, good = d.place[d.y], d.place[~d.y]
    return bool(bad.min() < good.max() and good.min() < bad.max())


def _mcb(scoring: Any) -> Any:
    def found(place: Any, y: Any, w: Any) -> Any:
        parts = decompose(y.astype(float), SCORES[place], weights=w, scoring_function=scoring)
        return parts["miscalibration"].item()

    return found


def _indexed(f: Any, d: Events) -> Any:
    return f(drift.psi(REFERENCE, d.n, GROUP_EDGES), REFERENCE.sum(), d.n.sum())


def _psi_error(d: Events) -> Any:
    """Return the error of the sum of (a - e) ln(a / e) by multinomial shares, each slope by a small step."""
    group = np.searchsorted(GROUP_EDGES, np.arange(BINS), side="right")
    counts = [np.bincount(group, weights=part) + 0.5 for part in (REFERENCE, d.n)]
    shares = [part / part.sum() for part in counts]
    variance = 0.0
    for side, n in enumerate((REFERENCE.sum(), d.n.sum())):
        slopes = np.array([_slope(shares, side, place) for place in range(len(shares[side]))])
        variance += (shares[side] @ slopes**2 - (shares[side] @ slopes) ** 2) / n
    return np.sqrt(variance)


def _slope(shares: Any, side: int, place: int) -> Any:
    ends = []
    for sign in (1, -1):
        a = [part.copy() for part in shares]
        a[side][place] *= 1 + sign * STEP
        ends.append(((a[1] - a[0]) * np.log(a[1] / a[0])).sum())
    return (ends[0] - ends[1]) / (2 * STEP * shares[side][place])


def _share(d: Counts) -> Any:
    """Return the deviation of k ones and n - k noughts over the root of n."""
    return np.array(
        [DescrStatsW([1.0, 0.0], [k, n - k]).std / np.sqrt(n) if n > 0 else np.nan for k, n in zip(*d, strict=True)]
    )


def _separated(d: Estimate, positives: float, negatives: float) -> Any:
    """Return Wilson's interval, its lower end as far off at least as Smirnov's one-sided bound; that alone where Wilson's is not known."""
    if not (positives > 0 and negatives > 0):
        return (np.full(len(d.value), np.nan),) * 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = wilson_t(d.value, d.value * (1 - d.value) / d.se**2, d.df)
        unit = np.divide(1, positives) + np.divide(1, negatives)
    # exp(-2 x^2) is the chance that one distribution function of a log lies x above the other anywhere.
    anywhere = np.sqrt(unit) * scipy_stats.rayleigh(scale=0.5).isf(0.025)
    usual = (d.se > 0) & (d.value > 0) & (d.value < 1)
    lows, highs = (
        np.where(usual, np.minimum(low, d.value - anywhere), d.value - anywhere),
        np.where(usual, high, d.value + anywhere),
    )
    return tuple(np.where(np.isnan(d.se), np.nan, np.clip(end, 0, 1)) for end in (lows, highs))


def _overfit(d: Events) -> Any:
    """Return both bounds from scikit-learn's isotonic regression: its distinct values are the blocks."""
    if not d.known or not len(d.y):
        return 0.0, 0.0
    rates = np.unique(np.round(IsotonicRegression().fit(d.place, d.y, sample_weight=d.w).predict(d.place), 12))
    reach = (1 + 2 * np.sqrt(2 / len(rates))) / d.w.sum()
    return (rates * (1 - rates)).sum() * reach, len(rates) / 2 * reach


PROOFS = (
    Proof("ranking.ks_interval", AREAS, lambda f, d: f(d[0].value, d[0].se, d[1:], d[0].df), lambda d: _separated(*d), rel=1e-6),
    Proof("corp.overfit", SCORED, lambda f, d: f(d.pos, d.n), _overfit),
    Proof("standard_errors.share", COUNTS, lambda f, d: f(np.divide(d.k, d.n), d.n), _share),
    Proof("standard_errors.average_precision", SCORED, lambda f, d: f(d.pos, d.neg),
          lambda d: where(two(d), lambda: moved(d, _precision)), rel=1e-6, near=1e-9),
    Proof("standard_errors.ks_separation", SCORED, lambda f, d: f(d.pos, d.neg),
          lambda d: where(two(d), lambda: moved(d, _gap(d))), rel=1e-6, near=1e-5),
    Proof("standard_errors.calibration_intercept", SCORED, lambda f, d: f(d.pos, d.neg, LOG_ODDS),
          lambda d: where(two(d), lambda: moved(d, _shift)), rel=1e-5),
    Proof("standard_errors.cox", SCORED, _cox, lambda d: (
        tuple(moved(d, _line)) if _lined(d) else (UNDEFINED, UNDEFINED)), rel=1e-5),
    Proof("standard_errors.mcb_brier", SCORED, lambda f, d: f(d.pos, d.neg, SCORES),
          lambda d: where(two(d), lambda: moved(d, _mcb(SquaredError()))), rel=1e-5, near=1e-8),
    Proof("standard_errors.mcb_log_loss", SCORED, lambda f, d: f(d.pos, d.neg, SCORES),
          lambda d: where(two(d), lambda: moved(d, _mcb(LogLoss()))), rel=1e-5, near=1e-8),
    Proof("standard_errors.psi", SCORED, _indexed, lambda d: where(d.known and len(d.y), lambda: _psi_error(d)), rel=1e-5),
)  # fmt: skip

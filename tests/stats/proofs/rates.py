"""Proofs of intervals of rates, differences and estimates: statsmodels, scipy's distributions, rows written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson
from statsmodels.stats.weightstats import DescrStatsW

from release_core.stats import decisions, intervals, ranking
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Between, Kind, Proof
from tests.stats.proofs.data import COUNTS, ESTIMATES, WEIGHED_BEFORE, Counts, Estimate, each

Array = Any
some = {"where": lambda _, n: n > 0}


def _confint(method: str) -> Any:
    def oracle(d: Counts) -> Any:
        low, high = each(lambda k, n: proportion_confint(k, n, method=method), d.k, d.n, **some)
        return np.where(d.k == 0, np.minimum(low, 0), low), np.where(d.k == d.n, np.maximum(high, 1), high)

    return oracle


def _jeffreys(d: Counts) -> Any:
    """Return scipy's posterior interval; from 0 where nothing counts, to 1 where all does (Brown, Cai and DasGupta)."""
    low, high = each(lambda k, n: scipy_stats.beta.interval(0.95, k + 0.5, n - k + 0.5), d.k, d.n, **some)
    return np.where(d.k == 0, low * 0, low), np.where(d.k == d.n, high * 0 + 1, high)


def wilson_t(value: Array, events: Array, df: Array) -> Any:
    """Return the roots of (value - p)^2 = t^2 p (1 - p) / n, by scipy's quantile and root finder."""

    def one(p: float, n: float, freedom: float) -> Any:
        t = scipy_stats.t.ppf(0.975, freedom)
        roots = np.roots([1 + t**2 / n, -2 * p - t**2 / n, p**2])
        return sorted(roots.real)

    return each(one, value, events, df, where=lambda p, n, _: n > 0 and 0 <= p <= 1)


def _share_interval(d: Estimate) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        events = d.value * (1 - d.value) / d.se**2
    return wilson_t(d.value, np.where((events > 0) & (d.se > 0), events, np.nan), d.df)


SECOND = 2.0, 9.0


def _newcombe(d: Counts) -> Any:
    low, high = each(
        lambda k, n: confint_proportions_2indep(SECOND[0], SECOND[1], k, n, method="newcomb", compare="diff"),
        *(d.k, d.n), **some,
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 / 9 - d.k / d.n, low, high


def _padded(lost: float, gained: float, n: float, z: float) -> Any:
    """Return mean -+ z errors of changes of -1, 0 and 1, one event of each kind added: Bonett and Price, from rows."""
    weights = [lost + 1, gained + 1, n - lost - gained]
    rows = DescrStatsW([-1.0, 1.0, 0.0], weights)
    reach = z * rows.std / np.sqrt(n + 2)
    return max(rows.mean - reach, -1), min(rows.mean + reach, 1)


def _bonett(d: Counts) -> Any:
    lost, gained = d.k / 2, d.k / 2 - d.k / 4
    low, high = each(
        lambda a, b, n: _padded(a, b, n, 1.959963984540054), lost, gained, d.n, where=lambda a, b, n: n > 0
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return (gained - lost) / d.n, low, high


def _changed(d: Estimate) -> tuple[Array, Array]:
    """Return shares of events that only one version counts, which differ by the value."""
    return np.maximum(-d.value, 0) + 0.02, np.maximum(d.value, 0) + 0.02


def _paired_interval(d: Estimate) -> Any:
    lost, gained = _changed(d)

    def one(a: float, b: float, se: float, df: float) -> Any:
        n = (a + b - (b - a) ** 2) / se**2
        return _padded(a * n, b * n, n, scipy_stats.t.ppf(0.975, df))

    return each(one, lost, gained, d.se, d.df, where=lambda a, b, se, _: se > 0 and a + b > (b - a) ** 2)


def _moved_interval(d: Estimate) -> Any:
    """Return the interval of 200 events, of which so many changed either way as value and error say."""

    def one(value: float, se: float, df: float) -> Any:
        if se == 0:
            return _padded(0, 0, 200, 1.959963984540054) if value == 0 else (np.nan, np.nan)
        # Both shares from the two equations b - a = value, (a + b - value^2) / 200 = se^2.
        both = np.linalg.solve([[-1, 1], [1, 1]], [value, 200 * se**2 + value**2])
        a, b = both if both.min() >= 0 else (max(-value, 0), max(value, 0))
        n = (a + b - (b - a) ** 2) / se**2
        return _padded(a * n, b * n, n, scipy_stats.t.ppf(0.975, df)) if n > 0 else (np.nan, np.nan)

    return each(one, d.value, d.se, np.where(d.se == 0, np.nan_to_num(d.df), d.df))


def _mcnemar(d: Counts) -> Any:
    """Return statsmodels' exact p-value of k events against n - k; 1 where none differs."""

    def one(k: float, n: float) -> float:
        return mcnemar([[0, k], [n - k, 0]], exact=True).pvalue if n else 1.0

    return each(one, d.k, d.n)[0]


def unseen(n: float) -> float:
    """Return statsmodels' upper Clopper-Pearson bound of a share of which n events show none."""
    return float(proportion_confint(0, n, 0.05, method="beta")[1])


def _auc_interval(d: Estimate, positives: float, negatives: float) -> Any:
    """Return the Wilson interval of as many events as the blended variance says; cut to half a pair from 0 and 1.

    The end towards 0.5 reaches at least as far as unseen events beyond all others may make it.
    """
    fewest = min(positives, negatives)
    if not fewest > 1:
        return (np.full(len(d.value), np.nan),) * 2
    half = 0.5 / (positives * negatives)
    area = np.clip(d.value, half, 1 - half)
    most = area * (1 - area) * (1 / positives + 1 / negatives)
    variance = np.average([most, d.se**2], axis=0, weights=[ranking.WORST_EVENTS, fewest - 1])
    low, high = wilson_t(d.value, area * (1 - area) / variance, np.maximum(np.minimum(d.df, fewest - 1), 1))
    reach = scipy_stats.t.ppf(0.975, np.maximum(np.minimum(d.df, fewest), 1)) * d.se
    above = np.maximum(d.value, 1 - d.value)
    further = np.maximum(above - np.sqrt(reach**2 + (unseen(fewest) * above) ** 2), 0.0)
    low = np.where(d.value >= 0.5, np.minimum(low, further), low)
    return low, np.where(d.value <= 0.5, np.maximum(high, 1 - further), high)


APART = 0.4


def _auc_difference(d: Estimate, positives: float, negatives: float) -> Any:
    """Return the interval of 0.7 - value; each end as far as the error and unseen events that one version puts last make it."""
    n = min(positives, negatives)
    if not n > 1:
        return (np.full(len(d.value), np.nan),) * 2
    first, second = d.value, 0.7
    reach = scipy_stats.t.ppf(0.975, np.maximum(np.minimum(d.df, n - 1), 1)) * d.se
    ends = np.maximum(second, 1 - first), np.maximum(first, 1 - second)
    low, high = (np.sqrt(reach**2 + (APART * unseen(n) * end) ** 2) for end in ends)
    return second - first - low, second - first + high


CLASSES = {ONE_CLASS: (0.0, 60.0), ONE: (1.0, 60.0), FIVE: (5.0, 60.0), NONE: (0.0, 0.0), RARE: (20.0, 20_000.0)}
AREAS = Kind(
    {
        **{case: tuple((*ESTIMATES.cases[case], *CLASSES[case]) for _ in (0,)) for case in CLASSES},
        NAN: ((*ESTIMATES.cases[NAN], 20.0, 400.0), (*ESTIMATES.cases[FIVE], np.nan, 400.0)),
    },
    {TIES: WEIGHED_BEFORE, WEIGHTS: WEIGHED_BEFORE},
)


def _known_share(d: Counts) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return d.k / d.n, *_confint("wilson")(d), d.n


SHARES = (
    Proof("decisions.wilson", COUNTS, lambda f, d: f(d.k, d.n), _confint("wilson")),
    Proof("decisions.clopper_pearson", COUNTS, lambda f, d: f(d.k, d.n), _confint("beta")),
    Proof("decisions.jeffreys", COUNTS, lambda f, d: f(d.k, d.n), _jeffreys),
    Proof("decisions.share_interval", ESTIMATES, lambda f, d: f(d.value, d.se, d.df), _share_interval, near=1e-9),
    Proof("decisions.newcombe", COUNTS, lambda f, d: f((d.k, d.n), SECOND), _newcombe),
    Proof("decisions.bonett_price", COUNTS, lambda f, d: f(d.k / 2, d.k / 4, d.n), _bonett),
    Proof("decisions.paired_interval", ESTIMATES, lambda f, d: f(_changed(d), d.se, d.df), _paired_interval),
    Proof("decisions.moved_interval", ESTIMATES, lambda f, d: f(d.value, d.se, 200.0, d.df), _moved_interval),
    Proof("decisions.mcnemar", COUNTS, lambda f, d: f(d.k, d.n - d.k), _mcnemar,
          without={WEIGHTS: "The exact test counts events: the binomial knows no part of one."}),
    Proof("ranking.auc_interval", AREAS, lambda f, d: f(d[0].value, d[0].se, d[1:], d[0].df),
          lambda d: _auc_interval(*d), near=1e-7),
    Proof("ranking.auc_difference_interval", AREAS,
          lambda f, d: f((d[0].value, np.full(len(d[0].value), 0.7)), d[0].se, min(d[1:]), APART, d[0].df),
          lambda d: _auc_difference(*d), near=1e-7),
    Proof("delay.known_share", COUNTS, lambda f, d: f(d.k, d.n), _known_share),
)  # fmt: skip


# Rare events.


def _poisson(d: Counts) -> Any:
    return each(lambda k, n: confint_poisson(k, n, method="exact-c"), d.k, d.n, **some)


def _observed(d: Counts) -> Any:
    """Return observed / expected, a third of the events being expected, and statsmodels' exact interval."""
    low, high = each(lambda k, n: confint_poisson(k, n / 3, method="exact-c"), d.k, d.n, **some)
    with np.errstate(divide="ignore", invalid="ignore"):
        return d.k / (d.n / 3), low, high


def _oe_interval(d: Estimate) -> Any:
    """Return the score interval of (value / se)^2 events, by scipy's root finder; the exact one without any bad event."""

    def one(value: float, se: float, df: float) -> Any:
        if value == se == 0:
            return confint_poisson(0, 8.0, method="exact-c")
        k, t = (value / se) ** 2, scipy_stats.t.ppf(0.975, df)

        def gap(mean: float) -> float:
            return (k - mean) ** 2 - t**2 * mean

        low, high = (
            optimize.brentq(gap, 1e-12, k, xtol=1e-13),
            optimize.brentq(gap, k, k + 40 * t**2 + 40 * t * np.sqrt(k)),
        )
        return value * low / k, value * high / k

    return each(one, d.value, d.se, d.df, where=lambda v, s, _: (v > 0 and s > 0) or v == s == 0)


def _periods(d: Counts) -> tuple[Array, Array]:
    """Return the case's events over seven periods."""
    n = np.resize(d.n, 7) if len(d.n) > 1 else np.array([d.n[0], *np.zeros(6)])
    k = np.resize(d.k, 7) if len(d.k) > 1 else np.array([d.k[0], *np.zeros(6)])
    return k, n


def _dispersion(d: Counts) -> Any:
    k, n = _periods(d)
    if np.isnan(k + n).any():
        return UNDEFINED
    k, n = k[n > 0], n[n > 0]
    if len(n) < 5 or k.sum() in (0, n.sum()):
        return 1.0
    fit = sm.GLM(k / n, np.ones(len(n)), sm.families.Binomial(), freq_weights=n).fit()
    return max(fit.pearson_chi2 / (len(n) - 1), 1.0)


class Values(tuple):
    """Groups of values, one a period."""

    __slots__ = ()


def _groups(*sizes: int, scale: float = 1.0, spread: float = 1.0, seed: int = 1) -> Values:
    rng = np.random.default_rng(seed)
    return Values(np.round(scale * rng.normal(rng.normal(0, spread), 1, size), 3) for size in sizes)


MEANS = Kind(
    {
        ONE_CLASS: (Values(np.full(9, 3.0) for _ in range(6)),),
        TIES: (Values(np.repeat([1.0, 2.0], [3 + k, 6]) for k in range(6)),),
        NAN: (Values([np.array([1.0, np.nan]), *_groups(5, 5, 5, 5, 5)]),),
        NONE: (Values(np.zeros(0) for _ in range(6)),),
        ONE: (Values([np.array([2.0]), *(np.zeros(0) for _ in range(5))]), Values(np.array([k]) for k in (1.0, 5, 2, 3, 4, 4))),
        FIVE: (_groups(1, 1, 1, 1, 1), _groups(5, 5, 5, 5, 5, 5)),
        RARE: (Values((np.arange(4000) % 1000 == k).astype(float) for k in range(6)),),
    },
    {WEIGHTS: "Sums of values count every value once."},
)  # fmt: skip


def _of_means(d: Values) -> Any:
    """Return scipy's F of an analysis of variance; at least 1, and 1 where fewer than five periods hold values."""
    groups = [g for g in d if len(g)]
    if np.isnan(np.concatenate([*d, [0]])).any():
        return UNDEFINED
    if len(groups) < 5 or all(len(g) == 1 for g in groups):
        return 1.0
    found = scipy_stats.f_oneway(*groups).statistic
    return max(found, 1.0) if np.isfinite(found) else 1.0


def _mover(d: Counts) -> Any:
    value, low, high = _newcombe(d)
    return value, low, high


def _sides(d: Counts) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        first = d.k / d.n, *decisions.wilson(d.k, d.n)
    return first, (2 / 9, *decisions.wilson(*SECOND))


RARE_EVENTS = (
    Proof("rates.poisson", COUNTS, lambda f, d: f(d.k, d.n), _poisson),
    Proof("calibration.oe_ratio", COUNTS, lambda f, d: f(d.k, d.n / 3), _observed),
    Proof("calibration.oe_interval", ESTIMATES, lambda f, d: f(d.value, d.se, 8.0, d.df), _oe_interval, rel=1e-6),
    Proof("rates.dispersion", COUNTS, lambda f, d: f(*_periods(d)), _dispersion, rel=1e-7),
    Proof("rates.dispersion_of_means", MEANS, lambda f, d: f(
        *(np.array([np.sum(part) for part in parts]) for parts in (d, [g**2 for g in d], [g * 0 + 1 for g in d]))),
        _of_means, rel=1e-7),
    Proof("rates.mover", COUNTS, lambda f, d: f(*_sides(d)), _mover),
)  # fmt: skip


# Estimates.


def _normal(d: Estimate) -> Any:
    return each(lambda v, s, f: scipy_stats.t.interval(0.95, f, v, s) if s else (v, v), d.value, d.se, d.df)


def _p_above(d: Estimate) -> Any:
    def one(v: float, s: float, f: float) -> float:
        return scipy_stats.t.sf((v - 0.1) / s, f) if s else float(v <= 0.1)

    return each(one, d.value, d.se, np.where(d.se == 0, 31.0, d.df))[0]


def _from_bound(f: Any, d: Estimate) -> Any:
    return f(lambda c: intervals.interval(d.value, d.se, d.df, confidence=c, sides=1).low, 0.1, np.shape(d.value))


def _smallest(d: Estimate) -> Any:
    """Return scipy's p-value; 1 where it is above one half, and at least 1e-12."""
    p = np.where(d.se == 0, np.where(d.value >= 0.1, 0.0, 1.0) + 0 * d.df, _p_above(d))
    return np.where(np.isnan(p), np.nan, np.where(p > 0.5, 1.0, np.maximum(p, 1e-12)))


def _logit(d: Estimate) -> Any:
    """Return the normal interval of the log-odds, the delta method by a numeric derivative."""

    def one(v: float, s: float, f: float) -> Any:
        slope = optimize.approx_fprime([v], lambda x: np.log(x[0] / (1 - x[0])), v * 1e-7)[0]
        ends = np.log(v / (1 - v)) + np.array([-1, 1]) * scipy_stats.t.ppf(0.975, f) * s * slope
        return 1 / (1 + np.exp(-ends))

    return each(one, d.value, d.se, d.df, where=lambda v, *_: 0 < v < 1)


def _needed(d: Estimate) -> Any:
    """Return how many of 100 events' further ones give a one-sided test power 80%: between the exact factor and 2.5."""
    factors = scipy_stats.norm.ppf(0.95) + scipy_stats.norm.ppf(0.8), 2.5
    found = []
    for factor in factors:
        room = 1.5 - d.value
        more = 100 * ((factor * d.se / room) ** 2 - 1)
        found.append(np.where(room > 0, np.maximum(np.ceil(more - 1e-9), 0), np.nan))
    return found


def _jackknifed(d: Counts) -> Any:
    """Return scipy's error of the mean of pseudo-values of 32 shards, or NaN where fewer than 20 hold events."""
    top, bottom = _shards(d)
    used = bottom > 0
    if np.isnan(top + bottom).any() or used.sum() < 20:
        return UNDEFINED
    left = (top.sum() - top) / (bottom.sum() - bottom)
    full, b = top.sum() / bottom.sum(), used.sum()
    return scipy_stats.sem((b * full - (b - 1) * left)[used]), b - 1


def _shards(d: Counts) -> tuple[Array, Array]:
    """Return the case's events as 32 shards; a single number is one shard's."""
    if len(d.n) == 1 or d.n.max() == 1:
        fill = np.zeros(31)
        return np.array([d.k[-1], *fill]), np.array([d.n[-1], *fill])
    return np.resize(d.k, 32), np.resize(d.n, 32)


def _jackknife(f: Any, d: Counts) -> Any:
    top, bottom = _shards(d)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (top.sum() - top) / (bottom.sum() - bottom)
        return f(top.sum() / bottom.sum(), left, bottom > 0)


def _weights(d: Counts) -> Array:
    return d.k[d.k > 0] if not np.isnan(d.k).any() else d.k


def _amount(d: Estimate) -> Any:
    """Return scipy's t interval of the larger of both variances: as seen, and as usual with one event more."""

    def one(v: float, s: float, f: float) -> Any:
        return scipy_stats.t.interval(0.95, f, v, np.sqrt(max(s**2, 0.15**2 + 0.05**2)))

    return each(one, d.value, d.se, d.df)


ESTIMATED = (
    Proof("intervals.amount_interval", ESTIMATES, lambda f, d: f(d.value, (d.se, 0.15), 0.05, d.df), _amount),
    Proof("intervals.critical", ESTIMATES, lambda f, d: f(0.95, df=d.df), lambda d: scipy_stats.t.ppf(0.975, d.df)),
    Proof("intervals.interval", ESTIMATES, lambda f, d: f(d.value, d.se, d.df), _normal),
    Proof("intervals.p_above", ESTIMATES, lambda f, d: f(d.value, d.se, 0.1, np.where(d.se == 0, 31.0, d.df)), _p_above),
    Proof("intervals.p_from_bound", ESTIMATES, _from_bound, _smallest, rel=1e-6),
    Proof("intervals.logit_interval", ESTIMATES, lambda f, d: f(d.value, d.se, d.df), _logit, rel=1e-5),
    Proof("intervals.design_effect", ESTIMATES, lambda f, d: f(d.se, 0.05), lambda d: (d.se / 0.05) ** 2),
    Proof("intervals.events_needed", ESTIMATES, lambda f, d: f(100.0, d.value, d.se, 1.5),
          lambda d: Between(*_needed(d))),
    Proof("intervals.minimum_provable_margin", ESTIMATES, lambda f, d: f(d.se), lambda d: each(
        lambda s: optimize.brentq(lambda m: scipy_stats.norm.sf(1.6448536269514722 - m / s) - 0.8, 0, 9 * s) if s else 0.0,
        d.se)[0]),
    Proof("intervals.effective_size", COUNTS, lambda f, d: f(d.k.sum(), (d.k**2).sum()), lambda d: (
        np.nan if not d.k.sum() else len(_weights(d)) / (1 + np.var(_weights(d)) / np.mean(_weights(d)) ** 2))),
    Proof("intervals.jackknife", COUNTS, _jackknife, _jackknifed),
)  # fmt: skip


PROOFS = (*SHARES, *RARE_EVENTS, *ESTIMATED)

"""Proofs of nowcasts and of outcomes that nobody can see: rows, every completion, statsmodels' weighted regression."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import statsmodels.api as sm
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from release_core.stats import nowcast
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Kind, Proof
from tests.stats.proofs.data import COUNTS, NUMBERS, Counts

Array = Any
nan = float("nan")

# Nowcasts: two groups, of which the baseline alerts on the first and the candidate on both.

ALERT, ALL, NO = np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones((2, 2)), np.zeros((2, 2))


class Seen(NamedTuple):
    """Known positives of both groups, all events of both, and how much a known label counts."""

    positive: Array
    events: Array
    weight: float = 1.0


SEEN = Kind(
    {
        ONE_CLASS: (Seen(np.array([30.0, 20]), np.array([30.0, 20])), Seen(np.zeros(2), np.array([30.0, 20]))),
        NAN: (Seen(np.array([np.nan, 20]), np.array([100.0, 900])),),
        WEIGHTS: (Seen(np.array([30.0, 20]), np.array([100.0, 900]), 2.5),),
        NONE: (Seen(np.zeros(2), np.zeros(2)),),
        ONE: (Seen(np.array([1.0, 0]), np.array([1.0, 0])),),
        FIVE: (Seen(np.array([2.0, 1]), np.array([3.0, 2])),),
        RARE: (Seen(np.array([15.0, 10]), np.array([4000.0, 21_000])),),
    },
    {TIES: "Labels are counted by group and age: nothing is ordered."},
)


def _known(d: Seen) -> nowcast.Known:
    labels = np.stack([d.positive[:, None], np.zeros((2, 1))])
    return nowcast.Known(labels, d.events[:, None], np.full((2, 2, 1), d.weight), np.array([0, 0]), np.zeros((2, 1, 1)))


def _recall(d: Seen) -> Any:
    """Return recalls, errors and sizes from rows: each positive alerted by one or both versions (weights cancel)."""
    if np.isnan(d.positive).any() or not d.positive.sum():
        return np.full(3, np.nan), np.full(3, np.nan), None
    n = d.positive.sum()
    rows = np.repeat([[1.0, 1.0], [0.0, 1.0]], d.positive.astype(int), axis=0)
    rows = np.column_stack([rows, rows[:, 1] - rows[:, 0]])
    return rows.mean(0), rows.std(0) / np.sqrt(n), np.full(3, n)


def _of(f: Any, d: Seen) -> Any:
    return f(_known(d), nowcast.Sum(ALERT, NO, NO), nowcast.Sum(ALL, NO, NO))


def _bounded(f: Any, d: Seen) -> Any:
    return f(nowcast.of(_known(d), nowcast.Sum(ALERT, NO, NO), nowcast.Sum(ALL, NO, NO)), share=True)


def _recall_bounds(d: Seen) -> Any:
    """Return Wilson's bounds of both recalls, normal ones of their difference."""
    value, se, size = _recall(d)
    if size is None:
        return UNDEFINED
    ends = np.array([proportion_confint(v * n, n, method="wilson") for v, n in zip(value[:2], size[:2], strict=True)])
    reach = 1.959963984540054 * se[2]
    low, high = np.append(ends[:, 0], value[2] - reach), np.append(ends[:, 1], value[2] + reach)
    return np.where(np.append(value[:2] == 0, False), 0, low), np.where(np.append(value[:2] == 1, False), 1, high)


def _total(d: Seen) -> Array:
    sums = [sum(a * d.weight * k for a, k in zip(version, d.positive, strict=True)) for version in ALERT]
    return np.array([s + d.events.sum() for s in sums]) + (np.nan if np.isnan(d.positive[0]) else 0)


def _ready(v: Array) -> Array:
    return np.array([bool(one >= 0.2) for one in v], float)


NOWCASTS = (
    Proof("nowcast.of", SEEN, _of, lambda d: UNDEFINED if _recall(d)[2] is None else _recall(d), near=1e-9),
    Proof("nowcast.total", SEEN, lambda f, d: f(_known(d), nowcast.Sum(ALERT, NO, ALL)), _total),
    Proof("nowcast.bounds", SEEN, _bounded, _recall_bounds, near=1e-9),
    Proof("nowcast.weight", NUMBERS, lambda f, v: f(v), lambda v: np.array(
        [min(1 / one, 20.0) if one >= 0.2 else np.nan for one in v])),
    Proof("nowcast.ready", NUMBERS, lambda f, v: f(np.stack([v, v + 1]), np.ones((2, len(v)), bool)), _ready),
)  # fmt: skip


# Outcomes that nobody can see.

ACTED = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])


class Hidden(NamedTuple):
    """Known events of the class and of the other, and hidden ones, by group."""

    mine: Array
    others: Array
    hidden: Array


def _hidden(*rows: tuple[float, ...]) -> tuple[Hidden]:
    return (Hidden(*np.array(rows, float)),)


HIDDEN = Kind(
    {
        ONE_CLASS: (*_hidden((0, 0, 0), (2, 1, 5), (1, 0, 2)), *_hidden((2, 1, 5), (0, 0, 0), (0, 2, 1))),
        NAN: (*_hidden((np.nan, 1, 2), (1, 4, 3), (2, 0, 1)),),
        WEIGHTS: _hidden((2.5, 1.25, 0.5), (1.5, 4, 3), (2.75, 0, 1.5)),
        NONE: _hidden((0, 0, 0), (0, 0, 0), (0, 0, 0)),
        ONE: (*_hidden((1, 0, 0), (0, 0, 0), (0, 0, 0)), *_hidden((0, 0, 0), (0, 0, 0), (0, 1, 0))),
        FIVE: _hidden((1, 0, 1), (0, 1, 0), (1, 1, 0)),
        RARE: _hidden((1, 0, 1), (900, 50, 1048), (2, 1, 0)),
    },
    {TIES: "Events are counted by group: nothing is ordered."},
)


def _completions(d: Hidden, share: Any) -> Any:
    """Return the range over all ways in which hidden events, by quarters, are of the class."""
    if np.isnan(d.mine).any():
        return UNDEFINED
    found = []
    for part in product(*(np.arange(0, h + 1e-9, 0.25) for h in d.hidden)):
        one = share(d.mine + part, d.others + d.hidden - part)
        found.append([*one, one[1] - one[0]])
    rows = np.array(found)
    return tuple(np.array([np.nan if np.isnan(c).all() else end(c) for c in rows.T]) for end in (np.nanmin, np.nanmax))


def _over(top: Array, bottom: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(bottom) == 0, np.nan, top / bottom)


def _pairs(d: Counts) -> Any:
    """Return safe bounds of an AUC of 0.8 of k bad and n good events when three more may be either: every number of bad ones."""
    low, high = [], []
    for k, n in zip(d.k, d.n, strict=True):
        if np.isnan(k + n):
            low.append(np.nan)
            high.append(np.nan)
            continue
        wins = [
            (
                (0.8 * k * n) / ((k + x) * (n + 3 - x)),
                (0.8 * k * n + (k + x) * (n + 3 - x) - k * n) / ((k + x) * (n + 3 - x)),
            )
            for x in np.linspace(0, 3, 1201)
            if (k + x) * (n + 3 - x) > 0
        ]
        low.append(min(w[0] for w in wins) if wins else np.nan)
        high.append(max(w[1] for w in wins) if wins else np.nan)
    return np.array(low), np.array(high)


def _auc_range(f: Any, d: Counts) -> Any:
    low, high = f(np.full((len(d.k), 1), 0.8), d.k[:, None], d.n[:, None], np.full(len(d.k), 3.0))
    return low[:, 0], high[:, 0]


class Observed(NamedTuple):
    """Events whose outcome is seen, and the weight of each: one over its chance to be seen."""

    y: Array
    w: Array


def _observed(n: int, rate: float, seed: int = 1, weights: Any = (20.0, 2.5, 1.25)) -> Observed:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < rate
    if n > 1 and 0 < rate < 1:
        y[0], y[-1] = True, False
    return Observed(y.astype(float), rng.choice(weights, n))


OBSERVED = Kind(
    {
        ONE_CLASS: (_observed(30, 0.0), _observed(30, 1.0)),
        NAN: (Observed(np.array([1.0, 0, 1]), np.array([2.0, np.nan, 1])),),
        WEIGHTS: (_observed(300, 0.2),),
        NONE: (_observed(0, 0.2),),
        ONE: (_observed(1, 1.0),),
        FIVE: (_observed(5, 0.4),),
        RARE: (_observed(20_000, 0.001),),
    },
    {TIES: "Outcomes are summed: nothing is ordered."},
)


def _hajek(d: Observed) -> Any:
    """Return statsmodels' weighted least squares on a constant with the robust error, and the effective size."""
    if np.isnan(d.w).any() or not len(d.y):
        return UNDEFINED
    fit = sm.WLS(d.y, np.ones(len(d.y)), weights=d.w).fit(cov_type="HC0")
    cv = np.std(d.w) / np.mean(d.w)
    return fit.params[0], fit.bse[0], len(d.w) / (1 + cv**2)


def _total_seen(d: Observed) -> Any:
    """Return the total, and its error as the sum of the variances of single events' seen-or-not, by scipy."""
    if np.isnan(d.w).any():
        return UNDEFINED
    spread = sum(
        n * w**2 * scipy_stats.bernoulli(1 / w).var() * w
        for w, n in zip(*np.unique(d.w, return_counts=True), strict=True)
    )
    return d.w.sum(), np.sqrt(spread)


def _reach(d: Counts) -> Any:
    outcomes = d.n * 0.25
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = d.k / d.n
        return outcomes, 1.959963984540054 * scipy_stats.bernoulli(rate).std() / np.sqrt(outcomes)


def _chance(d: Counts) -> Array:
    """Return scipy's negative binomial: at least n / 4 + 1 further positives among n + 9 events, after k of n."""
    found = []
    for k, n in zip(d.k, d.n, strict=True):
        need = np.floor(n / 4) + 1
        found.append(np.nan if np.isnan(k + n) else scipy_stats.nbinom.sf(need - 1, k + 0.5, n / (2 * n + 9)))
    return np.array(found)


SELECTED = (
    Proof("selection.of_class", HIDDEN, lambda f, d: f(*d, ACTED), lambda d: _completions(
        d, lambda mine, _: _over((ACTED * mine).sum(1), mine.sum()))),
    Proof("selection.of_acted", HIDDEN, lambda f, d: f(*d, ACTED), lambda d: _completions(
        d, lambda mine, others: _over((ACTED * mine).sum(1), (ACTED * (mine + others)).sum(1)))),
    Proof("selection.auc_range", COUNTS, _auc_range, _pairs, rel=1e-6),
    Proof("selection.hajek", OBSERVED, lambda f, d: f(
        (d.w * d.y).sum(), (d.w**2 * d.y).sum(), d.w.sum(), (d.w**2).sum()), _hajek, near=1e-7),
    Proof("selection.horvitz_thompson", OBSERVED, lambda f, d: f(d.w.sum(), (d.w**2).sum()), _total_seen),
    Proof("selection.holdout_reach", COUNTS, lambda f, d: f(0.25, d.n, d.k / d.n), _reach),
    Proof("forecast.chance", COUNTS, lambda f, d: f(np.floor(d.n / 4) + 1, d.k, d.n, d.n + 9), _chance, rel=1e-7),
)  # fmt: skip

PROOFS = (*NOWCASTS, *SELECTED)

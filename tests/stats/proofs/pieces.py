"""Proofs of the small pieces: sums and bins written out, pandas' groups, numpy's quantiles, single scores through a map."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats
from scipy.special import expit

from release_core.stats import recalibration
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Between, Kind, Proof
from tests.stats.proofs.data import CUT, NUMBERS, SCORED, Events
from tests.stats.proofs.scored import other

Array = Any
nan = float("nan")

# Sums.


def _beside(v: Array, places: Any) -> Array:
    return np.array([sum((float(v[j]) for j in places(k)), 0.0) for k in range(len(v))])


def _divided(v: Array) -> Array:
    return np.array([nan if math.isnan(one) or one == 0 else 2.0 / one for one in v])


SUMS = (
    Proof("arrays.floats", NUMBERS, lambda f, v: f(v.tolist()), lambda v: np.array([float(one) for one in v])),
    Proof("arrays.ratio", NUMBERS, lambda f, v: f(2.0, v), _divided),
    Proof("arrays.or_zero", NUMBERS, lambda f, v: f(v), lambda v: np.array([0.0 if x != x else x for x in v])),  # noqa: PLR0124
    Proof("arrays.only", NUMBERS, lambda f, v: f(v, v > 0.4), lambda v: np.array([x if x > 0.4 else nan for x in v])),
    Proof("logistic.sigmoid", NUMBERS, lambda f, v: f(20 * v - 10), lambda v: (
        expit(20 * v - 10), expit(10 - 20 * v), np.logaddexp(0, 20 * v - 10))),
    Proof("arrays.below", NUMBERS, lambda f, v: f(v), lambda v: _beside(v, range)),
    Proof("arrays.above", NUMBERS, lambda f, v: f(v), lambda v: _beside(v, lambda k: range(k + 1, len(v)))),
    Proof("arrays.at_or_above", NUMBERS, lambda f, v: f(v), lambda v: np.append(
        _beside(v, lambda k: range(k, len(v))), 0.0)),
)  # fmt: skip


# The grid.

NO_EVENTS = "A grid holds no events."
GRIDS = Kind({ONE: (1,), FIVE: (5,)}, dict.fromkeys((ONE_CLASS, TIES, NAN, WEIGHTS, NONE, RARE), NO_EVENTS))
VALUES = Kind(
    {
        ONE_CLASS: (np.zeros(4), np.ones(4)),
        TIES: (np.full(5, 0.03),),
        NAN: (np.array([0.2, nan, 0.9]),),
        NONE: (np.zeros(0),),
        ONE: (np.array([0.5]),),
        FIVE: (np.array([0.0, 1e-9, 0.25, 0.999, 1.0]),),
        RARE: (np.array([0.001, 0.0005, 1e-5]),),
    },
    {WEIGHTS: "A score lies in its bin whatever it weighs."},
)
STEP = 8


def _bin(score: float, per_unit: int) -> int:
    """Return the bin by the formula, with Python's own logarithm; -1 for no score."""
    if math.isnan(score):
        return -1
    if score in (0.0, 1.0):
        return 0 if score == 0 else 32 * per_unit + 1
    step = math.floor(per_unit * (math.log(score) - math.log1p(-score)))
    return min(max(1 + step + 16 * per_unit, 1), 32 * per_unit)


def _bins(v: Array, per_unit: int = STEP) -> Array:
    return np.array([_bin(float(one), per_unit) for one in v], int)


def _edges(per_unit: int) -> Array:
    """Return the lower edges: the inverse of the formula, all scores above 0 in the first inner bin."""
    inner = [1 / (1 + math.exp(-(k / per_unit - 16))) for k in range(1, 32 * per_unit)]
    return np.array([0.0, math.nextafter(0.0, 1.0), *inner, 1.0, math.inf])


def _centres(per_unit: int) -> Array:
    end = math.log((1 - 1e-7) / 1e-7)
    return np.array([-end, *((k + 0.5) / per_unit - 16 for k in range(32 * per_unit)), end])


def _counted(v: Array, per_unit: int) -> Array:
    return np.bincount(_bins(v[~np.isnan(v)], per_unit), minlength=32 * per_unit + 2).astype(float)


SUMMED = Kind({**VALUES.cases, WEIGHTS: (np.array([0.2, 0.2, 0.4, 0.9]),)})


def _hole(v: Array, counts: Array, per_unit: int) -> Array:
    """Return counts, that of the bin of 0.2 not known where a score is not."""
    if np.isnan(v).any():
        counts[_bin(0.2, per_unit)] = nan
    return counts * 0.75 if len(v) == 4 else counts


GRID = (
    Proof("grid.top_bin", GRIDS, lambda f, n: f(n), lambda n: sum(1 for _ in range(32 * n)) + 1),
    Proof("grid.edges", GRIDS, lambda f, n: f(n), _edges),
    Proof("grid.log_odds", GRIDS, lambda f, n: f(n), _centres),
    Proof("grid.bin_of", VALUES, lambda f, v: f(v, STEP), _bins),
    Proof("grid.lower_edge", VALUES, lambda f, v: f(_bins(v[~np.isnan(v)]), STEP),
          lambda v: _edges(STEP)[_bins(v[~np.isnan(v)])], without={NAN: "A bin is a number: a missing score has none."}),
    Proof("grid.centre", VALUES, lambda f, v: f(_bins(v), STEP), lambda v: np.array(
        [b / (32 * STEP + 1) if b in (0, 32 * STEP + 1) else 1 / (1 + math.exp(-_centres(STEP)[b])) for b in _bins(v)]),
        without={NAN: "A bin is a number: a missing score has none."}),
    Proof("grid.coarsen", VALUES, lambda f, v: f(_bins(v), STEP, 4), lambda v: _bins(v, 4),
          without={NAN: "A bin is a number: that of a missing score, -1, is one of n5 and stays."}),
    Proof("grid.coarsen_sums", SUMMED, lambda f, v: f(_hole(v, _counted(v, STEP), STEP), STEP, 4),
          lambda v: _hole(v, _counted(v, 4), 4)),
)  # fmt: skip


class Groups(NamedTuple):
    """Edges that were fixed before, and the lower edges of the bins."""

    edges: Array
    lower: Array


def _groups(edges: list[float], lower: list[float]) -> tuple[Groups]:
    return (Groups(np.array(edges), np.array(lower)),)


GROUPS = Kind(
    {
        ONE_CLASS: _groups([0.7, 0.8], [0.0, 0.1, 0.2]),
        TIES: (*_groups([0.2, 0.2, 0.3], [0.0, 0.2, 0.3]), *_groups([0.1, 0.11], [0.0, 0.2, 0.4])),
        NONE: (*_groups([0.5], []), *_groups([], [0.0, 0.3])),
        ONE: _groups([0.5], [0.0]),
        FIVE: _groups([0.1, 0.3], [0.0, 0.1, 0.2, 0.3, 0.4]),
        RARE: _groups([0.001, 0.002], [0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003]),
    },
    {
        NAN: "Edges are registered and bins have edges: there is none that is not known.",
        WEIGHTS: "Edges hold no events.",
    },
)


def _cut(d: Groups) -> Any:
    """Return the group of every bin by pandas' `cut` of its lower edge, groups without bins left out."""
    if not len(d.lower):
        return np.zeros(0)
    groups = pd.cut(d.lower, [-1, *np.unique(d.edges), 2], right=False, labels=False)
    return np.unique(groups, return_inverse=True)[1]


def _into(f: Any, d: Groups) -> Any:
    return np.searchsorted(f(d.edges, d.lower), np.arange(len(d.lower)), side="right")


# Latencies.

BOUNDS = 2.0 ** (np.arange(161) / 8 - 4)
WIDTH = 2 ** (1 / 8)


def _times(n: int, seed: int = 1) -> Array:
    return np.sort(np.random.default_rng(seed).lognormal(3, 0.7, n))


CALLS = Kind(
    {
        ONE_CLASS: (np.full(200, 20.0),),
        TIES: (np.repeat([5.0, 20.0, 90.0], 100),),
        NAN: (np.append(_times(100), nan),),
        NONE: (np.zeros(0),),
        ONE: (np.array([20.0]),),
        FIVE: (_times(5),),
        RARE: (np.concatenate([np.full(9990, 10.0), np.full(10, 900.0)]),),
    },
    {WEIGHTS: "Calls are counted; what makes them say less is the design effect, see test_serving.py."},
)
P = 0.95


def _histogram(v: Array) -> Array:
    counts = np.histogram(v[~np.isnan(v)], BOUNDS)[0].astype(float)
    if np.isnan(v).any():
        counts[70] = nan
    return counts


def _around(value: float) -> Between:
    return Between(value / WIDTH, value * WIDTH)


def _quantile(v: Array) -> Any:
    if np.isnan(v).any() or not len(v):
        return UNDEFINED
    return _around(float(np.quantile(v, P, method="inverted_cdf")))


def _ranks(v: Array) -> Any:
    """Return the quantile and the order statistics at scipy's binomial ranks, up to a bin; 0 or infinite beyond the ends."""
    if np.isnan(v).any() or not len(v):
        return UNDEFINED
    n = len(v)
    low, high = int(scipy_stats.binom.ppf(0.025, n, P)), int(scipy_stats.binom.ppf(0.975, n, P)) + 1
    x = np.sort(v)
    return _quantile(v), _around(x[low - 1]) if low >= 1 else 0.0, _around(x[high - 1]) if high <= n else np.inf


LATEST = 21.0


def _above(v: Array) -> Any:
    """Return between the calls above the limit's bin and those above its lower edge."""
    if np.isnan(v).any():
        return UNDEFINED
    low = BOUNDS[BOUNDS <= LATEST][-1]
    return Between((v >= low * WIDTH).sum(), (v >= low).sum())


SERVING = (
    Proof("drift.fixed_groups", GROUPS, _into, _cut),
    Proof("histograms.quantile", CALLS, lambda f, v: f(_histogram(v), BOUNDS, P), _quantile),
    Proof("histograms.interval", CALLS, lambda f, v: f(_histogram(v), BOUNDS, P), _ranks),
    Proof("histograms.share_above", CALLS, lambda f, v: f(_histogram(v), BOUNDS, LATEST), _above),
)


# Means and precisions of the same events.

CHANGES = Kind(
    {
        ONE_CLASS: (np.zeros(30), np.ones(30)),
        TIES: (np.resize([1.0, -1, 0, 0], 40),),
        NAN: (np.array([1.0, nan, 0]),),
        WEIGHTS: (np.array([0.5, 2.25, -1.75, 0, 0.25]),),
        NONE: (np.zeros(0),),
        ONE: (np.array([1.0]),),
        FIVE: (np.array([1.0, 0, 0, -1, 0]),),
        RARE: (np.where(np.arange(20_000) % 1000 == 3, 1.0, 0.0),),
    }
)


def _alerts(d: Events) -> Array:
    """Return weights [first alerts, second alerts, bad] of the events."""
    table = np.zeros((2, 2, 2))
    np.add.at(table, ((d.place >= CUT).astype(int), (other(d) >= CUT).astype(int), d.y.astype(int)), d.w)
    if d.hole is not None:
        table[0, 0, 0] = nan
    return table


def _precision_change(table: Array) -> float:
    first, second = table[1].sum(0), table[:, 1].sum(0)
    return float(second[1] / second.sum() - first[1] / first.sum())


def _precision_se(d: Events) -> Any:
    """Return the infinitesimal jackknife: by how much an event more of each kind moves the difference, squared and summed."""
    table = _alerts(d)
    if not d.known or table[1].sum() == 0 or table[:, 1].sum() == 0 or table.sum() <= 1:
        return UNDEFINED
    total = 0.0
    for place in np.ndindex(2, 2, 2):
        step = np.zeros((2, 2, 2))
        step[place] = 1e-6 * table.sum()
        moved = (_precision_change(table + step) - _precision_change(table - step)) / (2e-6 * table.sum())
        total += table[place] * moved**2
    return np.sqrt(total)


SPREADS = (
    Proof("transfer.mean_se", CHANGES, lambda f, v: f(len(v), v.sum(), (v**2).sum()), lambda v: (
        scipy_stats.sem(v) if len(v) > 1 else nan)),
    Proof("transfer.precision_se", SCORED, lambda f, d: f(_alerts(d)), _precision_se, rel=1e-6, near=1e-9),
)  # fmt: skip


# Maps of scores.

NO_MAP = "A map has known knots: `fit` gives none where a count is not known."
MAPS = Kind({case: data for case, data in SCORED.cases.items() if case not in {NAN, NONE}}, {
    NAN: NO_MAP, NONE: "Without events there is no map."})  # fmt: skip


def step_map(d: Events) -> recalibration.Map:
    """Return the map that sends every distinct score to the share of bad events so far: rising, with plateaus."""
    at = np.unique(d.score)
    level = [np.average(d.y[d.score == s], weights=d.w[d.score == s]) for s in at]
    knots = zip(map(float, at), np.maximum.accumulate(level).tolist(), strict=True)
    return recalibration.Map("isotonic", knots=tuple(knots))


def _flat(d: Events) -> Any:
    """Return the ranges of scores that the map makes equal, found on the knots and both ends of the scale."""
    found = step_map(d)
    at = np.unique([0.0, 1.0, *(s for s, _ in found.knots)])
    level, runs = found(at), []
    for low, high, a, b in zip(at[:-1], at[1:], level[:-1], level[1:], strict=True):
        if a == b and runs and runs[-1][1] == low and runs[-1][2] == a:
            runs[-1] = (runs[-1][0], high, a)
        elif a == b:
            runs.append((low, high, a))
    return tuple(runs)


def _cutoffs(d: Events) -> Array:
    """Return cutoffs on, and between, the scores."""
    at = np.unique(d.score)[:12]
    return np.concatenate([at, (at[1:] + at[:-1]) / 2])


def _still_alerted(f: Any, d: Events) -> Any:
    """Return for each cutoff whether the moved one alerts on the same events; on none more where it is not exact."""
    found, rows = step_map(d), []
    for cutoff in _cutoffs(d):
        one = f(found, float(cutoff))
        before, after = d.score >= cutoff, found(d.score) >= one.cutoff
        rows.append((before == after).all() if one.exact else not (after & ~before).any())
    return np.array(rows, float)


POSITIVES = Kind(
    {
        NAN: (nan,), NONE: (0.0,), ONE: (1.0,), FIVE: (5.0, 50.0, 500.0), WEIGHTS: (49.5, 499.75), RARE: (20.0,),
    },
    {ONE_CLASS: "Takes the positives alone; `refusal` looks at both classes.", TIES: "A number has no order."},
)  # fmt: skip


def _advised(n: float) -> str:
    return "beta" if n >= 500 else "platt" if n >= 50 else "intercept"


MAPPED = (
    Proof("recalibration.plateaus", MAPS, lambda f, d: tuple(map(tuple, f(step_map(d)))), _flat),
    Proof("recalibration.moved", MAPS, _still_alerted, lambda d: np.ones(len(_cutoffs(d)))),
    Proof("recalibration.advised", POSITIVES, lambda f, n: f(n), _advised),
)

PROOFS = (*SUMS, *GRID, *SERVING, *SPREADS, *MAPPED)

"""Proofs of the comparison of two arms and of budgets: regressions over entities, windows tried one by one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import statsmodels.api as sm
from scipy import stats as scipy_stats

from release_core.stats import arms, budgets
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Kind, Proof

Array = Any
SHARDS = 32
nan = float("nan")

# Two arms.


class Entities(NamedTuple):
    """Entities: ramp step (0, 1), arm, shard, outcome, and a covariate fixed before."""

    step: Array
    arm: Array
    shard: Array
    y: Array
    x: Array

    def sums(self, values: Array) -> Array:
        """Return values summed by step, arm and shard."""
        found = np.zeros((2, 2, SHARDS))
        np.add.at(found, (self.step, self.arm, self.shard), values)
        return found

    @property
    def size(self) -> Array:
        """Return entities [step, arm]."""
        return self.sums(np.ones(len(self.y))).sum(-1)

    @property
    def known(self) -> bool:
        """Return whether every number is known."""
        return not np.isnan(np.append(self.y + self.x, 0)).any()


def _entities(m: int, rate: float, seed: int = 1, steps: int = 2) -> Entities:
    """Return m entities in each arm, twice as many of the baseline's in the second step."""
    rng = np.random.default_rng(seed)
    arm = np.repeat([0, 1], m)
    step = np.where(np.arange(2 * m) % 3 > arm, steps - 1, 0)
    x = np.round(rng.normal(size=2 * m), 2)
    return Entities(step, arm, np.arange(2 * m) % SHARDS, (rng.random(2 * m) < rate).astype(float), x)


def _broken(d: Entities) -> Entities:
    """Return the entities with an outcome and a covariate in the first step that are not known."""
    first = np.flatnonzero(d.step == 0)[0]
    here = np.arange(len(d.y)) == first
    return d._replace(y=np.where(here, nan, d.y), x=np.where(here, nan, d.x))


TWO_ARMS = Kind(
    {
        ONE_CLASS: (_entities(200, 0.0), _entities(200, 1.0)),
        TIES: (
            _entities(200, 0.4)._replace(x=np.full(400, 3.0)),
            _entities(200, 0.4)._replace(x=np.arange(400) % 2 * 1.0),
        ),
        NAN: (_broken(_entities(400, 0.3)),),
        WEIGHTS: (_entities(300, 0.3)._replace(y=np.round(np.random.default_rng(4).exponential(size=600), 2)),),
        NONE: (_entities(0, 0.3),),
        ONE: (_entities(1, 1.0, steps=1),),
        FIVE: (_entities(5, 0.5),),
        RARE: (_entities(20_000, 0.001),),
    }
)


def _means(d: Entities, arm: int, step: int, without: int = -1) -> float:
    here = d.y[(d.arm == arm) & (d.step == step) & (d.shard != without)]
    return float(here.mean()) if len(here) else nan


def _compared(d: Entities) -> Any:
    """Return levels, difference, errors and sizes: by step, each shard left out in turn; the difference by statsmodels too."""
    size = d.size
    told = [s for s in (0, 1) if size[s].min() > 0 and not np.isnan([_means(d, a, s) for a in (0, 1)]).any()]
    if not told:
        return np.full(2, nan), nan, np.full(3, nan), np.zeros(3)
    weight = np.array([size[s].prod() / size[s].sum() for s in told])
    weight /= weight.sum()
    levels = np.array([sum(w * _means(d, a, s) for w, s in zip(weight, told, strict=True)) for a in (0, 1)])
    variances = []
    for a in (0, 1):
        total = 0.0
        for w, s in zip(weight, told, strict=True):
            used = sorted(set(d.shard[(d.arm == a) & (d.step == s)].tolist()))
            left = np.array([_means(d, a, s, shard) for shard in used])
            total += w**2 * (len(used) - 1) * np.var(left) if len(used) >= 20 else nan
        variances.append(total)
    here = np.isin(d.step, told)
    design = np.column_stack([d.arm[here], *((d.step == s)[here] for s in told)]).astype(float)
    assert abs(sm.OLS(d.y[here], design).fit().params[0] - (levels[1] - levels[0])) < 1e-9
    n = [size[told, a].sum() for a in (0, 1)]
    return levels, levels[1] - levels[0], np.sqrt([*variances, sum(variances)]), np.array([*n, sum(n)])


def _between(f: Any, d: Entities) -> Any:
    return f(d.sums(d.y), d.sums(np.ones(len(d.y))), d.size)


def _stratified(f: Any, d: Entities) -> Any:
    top, n = d.sums(d.y), d.sums(np.ones(len(d.y)))
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (top.sum(-1, keepdims=True) - top) / (n.sum(-1, keepdims=True) - n)
        return f(top.sum(-1) / n.sum(-1), left, n > 0, d.size)


def _covariate(d: Entities) -> arms.Covariate:
    return arms.Covariate(*(d.sums(v) for v in (np.ones(len(d.y)), d.x, d.x**2, d.x * d.y)))


def _theta(d: Entities) -> float:
    """Return statsmodels' slope of Y on X over entities; 0 where X does not vary."""
    if not d.known:
        return nan
    if len(set(d.x)) < 2:
        return 0.0
    return float(sm.OLS(d.y, sm.add_constant(d.x)).fit().params[1])


def _foretold(d: Entities) -> Any:
    if not d.known:
        return UNDEFINED
    return d.sums(d.x - d.x.mean()) if len(d.x) else np.zeros((2, 2, SHARDS))


def _adjusted(d: Entities) -> Any:
    if not d.known:
        return UNDEFINED
    return d.sums(d.y - _theta(d) * (d.x - d.x.mean())) if len(d.x) else np.zeros((2, 2, SHARDS))


def _balanced(d: Entities) -> bool:
    """Return whether scipy's chi-squared of the steps' normal tests of equal means is above 0.0005."""
    total, steps = 0.0, 0
    for step in (0, 1):
        sides = [d.x[(d.step == step) & (d.arm == a)] for a in (0, 1)]
        spread = sum(side.var() / len(side) if len(side) else nan for side in sides)
        if spread > 0:
            total += (sides[1].mean() - sides[0].mean()) ** 2 / spread
            steps += 1
    return bool(scipy_stats.chi2.sf(total, steps) >= 0.0005) if steps else True


PLAN = np.array([0.4, 0.6])


def _planned(d: Entities) -> Array:
    """Return entities [step, arm], NaN in a step where something is not known."""
    return d.size + (0 if d.known else np.array([[nan, 0], [0, 0]]))


def _split_p(d: Entities) -> float:
    size = _planned(d)
    if np.isnan(size).any():
        return nan
    used = size[size.sum(1) > 0]
    expected = used.sum(1, keepdims=True) * PLAN
    if not len(used) or expected.min() < 5:
        return nan
    total = sum(scipy_stats.chisquare(row, e).statistic for row, e in zip(used, expected, strict=True))
    return float(scipy_stats.chi2.sf(total, len(used)))


def _split_evidence(d: Entities) -> float:
    """Return scipy's Dirichlet-multinomial against its multinomial, over steps."""
    size = _planned(d)
    if np.isnan(size).any():
        return nan
    return sum(
        scipy_stats.dirichlet_multinomial.logpmf(row.astype(int), 100 * PLAN, int(row.sum()))
        - scipy_stats.multinomial.logpmf(row.astype(int), int(row.sum()), PLAN)
        for row in size
    )


ARMS = (
    Proof("arms.between", TWO_ARMS, _between, _compared),
    Proof("arms.stratified", TWO_ARMS, _stratified, _compared),
    Proof("arms.slope", TWO_ARMS, lambda f, d: f(d.sums(d.y), _covariate(d)), _theta, near=1e-9),
    Proof("arms.foretold", TWO_ARMS, lambda f, d: f(_covariate(d)), _foretold, near=1e-9),
    Proof("arms.adjusted", TWO_ARMS, lambda f, d: f(d.sums(d.y), _covariate(d)), _adjusted, near=1e-8),
    Proof("arms.balanced", TWO_ARMS, lambda f, d: f(_covariate(d)), _balanced),
    Proof("arms.split_p", TWO_ARMS, lambda f, d: f(_planned(d), PLAN), _split_p, rel=1e-7),
    Proof(
        "sequential.split_evidence", TWO_ARMS, lambda f, d: f(_planned(d), PLAN), _split_evidence, rel=1e-6, near=1e-7
    ),
)


# Budgets over steps.


class Steps(NamedTuple):
    """Hits of so many events, step by step."""

    hits: Array
    n: Array


def _steps(hits: list[float], n: Any) -> tuple[Steps]:
    return (Steps(np.array(hits, float), np.broadcast_to(np.array(n, float), len(hits)).copy()),)


BUDGETS = Kind(
    {
        ONE_CLASS: (*_steps([0] * 8, 50), *_steps([50] * 8, 50)),
        TIES: _steps([1, 1, 1, 9, 9, 9, 9], 50),
        NAN: _steps([0, 1, nan, 9, 8, 9, 1], 50),
        WEIGHTS: _steps([0.5, 1.25, 0, 9.5, 8.75, 9], 50.5),
        NONE: (*_steps([], []), *_steps([0, 0, 0], 0)),
        ONE: (*_steps([1], 1), *_steps([0, 1, 1, 1, 1], 1)),
        FIVE: _steps([0, 1, 4, 5, 5], 5),
        RARE: _steps([1, 2, 0, 8, 9, 7], 1000),
    }
)
LIMIT, ALPHA = 0.02, 0.05


def _window(hits: Array, n: Array) -> tuple[float, float]:
    """Return how unlike the steps of a window are: scipy's chi-squared of equal shares, and its degrees of freedom."""
    share = hits.sum() / n.sum() if len(n) else 0.0
    if not 0 < share < 1:
        return 0.0, 0.0
    return float(((hits - n * share) ** 2 / (n * share * (1 - share))).sum()), len(n) - 1.0


def _onset(d: Steps) -> Any:
    """Return the first step at which any window is beyond the limit, and since when, every window tried by itself."""
    told = [int(k) for k in np.flatnonzero((d.n > 0) & ~np.isnan(d.hits))]
    hits, n = d.hits[told], d.n[told]
    for last in range(len(told)):
        starts = [first for first in range(last - 1) if _beyond(hits, n, first, last)]
        if starts:
            over = next(k for k in range(starts[-1], len(told)) if hits[k] / n[k] > LIMIT)
            return told[last], told[over]
    return -1, -1


def _beyond(hits: Array, n: Array, first: int, last: int) -> bool:
    inside, before = slice(first, last + 1), slice(0, first)
    (x2, df), (x2_before, df_before) = (_window(hits[part], n[part]) for part in (inside, before))
    size, total, count = n[inside].sum(), hits[inside].sum(), last - first + 1
    alike = 1 + budgets.PRIOR_ALIKE * (size / count - 1)
    degrees = budgets.PRIOR_STEPS + df + df_before
    effect = max((budgets.PRIOR_STEPS * alike + x2 + x2_before) / degrees, 1.0)
    tail = scipy_stats.beta.cdf(LIMIT, total / effect, (size - total) / effect + 1) if total else 1.0
    if tail <= 1e-290:
        return True
    p = scipy_stats.t.cdf(scipy_stats.norm.ppf(tail), degrees) if tail < 1 else 1.0
    return p < ALPHA * 3 / ((first + 1) * (first + 2) * count * (count + 1))


ONSET = (Proof("budgets.onset", BUDGETS, lambda f, d: f(d.hits, d.hits, d.n, LIMIT, ALPHA, share=True), _onset),)

PROOFS = (*ARMS, *ONSET)

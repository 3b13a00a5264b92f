"""Proofs of late and hidden labels: statsmodels' survival in reverse time and regressions, every completion tried."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import statsmodels.api as sm
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from release_core.stats import development
from tests.stats.proofs import FIVE, NAN, NONE, ONE, ONE_CLASS, RARE, TIES, UNDEFINED, WEIGHTS, Kind, Proof
from tests.stats.proofs.data import NUMBERS

Array = Any
AGES = 6


class Late(NamedTuple):
    """Known positives: the age of each one's event, the delay of its label (delay <= age), and how much it counts."""

    age: Array
    wait: Array
    w: Array
    hole: bool = False

    @property
    def table(self) -> Array:
        """Return [age, delay] counts; NaN in the newest seen cell where a count is not known."""
        found = np.zeros((AGES, AGES))
        np.add.at(found, (self.age, self.wait), self.w)
        if self.hole:
            found[2, 1] = np.nan
        return found


def _late(n: int, seed: int = 1, rate: float = 1.0, spread: int = AGES) -> Late:
    rng = np.random.default_rng(seed)
    age, wait = rng.integers(0, AGES, n), np.minimum(rng.geometric(0.4, n) - 1, spread - 1)
    seen = (wait <= age) & (rng.random(n) < rate)
    return Late(age[seen], wait[seen], np.ones(seen.sum()))


def _weighted() -> Late:
    one = _late(300, 2)
    return one._replace(w=np.resize([0.5, 2.0, 1.5], len(one.age)))


LATE = Kind(
    {
        ONE_CLASS: (_late(200, spread=1),),
        TIES: (Late(np.repeat([5, 4, 3], 20), np.repeat([2, 2, 2], 20), np.ones(60)),),
        NAN: (_late(200)._replace(hole=True),),
        WEIGHTS: (_weighted(),),
        NONE: (_late(0),),
        ONE: (Late(np.array([4]), np.array([1]), np.ones(1)),),
        FIVE: (Late(np.array([5, 5, 4, 3, 2]), np.array([0, 3, 1, 3, 0]), np.ones(5)),),
        RARE: (_late(60_000, 3, 0.001),),
    }
)


class Survival(NamedTuple):
    """Times, survival after them, and its error."""

    times: Array
    prob: Array
    se: Array


def _survival(d: Late) -> Survival:
    """Return statsmodels' product limit in reverse time: delays are events, seen from the age of their event on.

    Weights are halves: rows stand twice as often as they weigh, and the variance is half of what it should be.
    """
    often = np.ones(len(d.w), int) if (d.w == 1).all() else (2 * d.w).astype(int)
    age, wait = np.repeat(d.age, often), np.repeat(d.wait, often)
    found = sm.SurvfuncRight(AGES - wait, np.ones(len(wait)), entry=AGES - age - 1)
    return Survival(found.surv_times, found.surv_prob, found.surv_prob_se * (1.0 if (d.w == 1).all() else np.sqrt(2)))


def _risk(d: Late) -> Any:
    """Return per delay the labels with it and those at risk, counted row by row."""
    delays = np.arange(AGES)
    seen = np.array([d.w[d.wait == u].sum() for u in delays])
    at_risk = np.array([d.w[(d.wait <= u) & (u <= d.age)].sum() for u in delays])
    if d.hole:
        seen[1], at_risk[1:3] = np.nan, np.nan
    return seen, at_risk


def _share(d: Late) -> Array:
    """Return the share known by each delay, by statsmodels; NaN above the last delay at risk and below an empty one."""
    _, at_risk = _risk(d)
    if d.hole:
        # A step that needs the unknown count is not told: what is younger than it is not known.
        return np.where(np.arange(AGES) >= 2, _share(d._replace(hole=False)), np.nan)
    if not at_risk.any():
        return np.full(AGES, np.nan)
    found = _survival(d)
    last, share = max(np.flatnonzero(at_risk)), np.ones(AGES)
    for u in range(AGES):
        # P(delay <= u) is the survival beyond the reverse time AGES - u - 1: all times up to it have passed.
        passed = found.times <= AGES - u - 1
        share[u] = found.prob[passed][-1] if passed.any() else 1.0
    gap = [u for u in range(last + 1) if not at_risk[u]]
    share[: max(gap, default=0)] = np.nan
    share[last + 1 :] = np.nan
    return share


def _matured(d: Late) -> Any:
    """Return share, interval and risk set: Wilson's of as many events as statsmodels' Greenwood variance says."""
    _, at_risk = _risk(d)
    share = _share(d)
    if np.isnan(share).all():
        return share, share, share, at_risk
    found = _survival(d)
    last = max(np.flatnonzero(np.nan_to_num(at_risk)))
    low, high = np.full(AGES, np.nan), np.full(AGES, np.nan)
    for u in np.flatnonzero(~np.isnan(share)):
        passed = found.times <= AGES - u - 1
        se = found.se[passed][-1] if passed.any() else 0.0
        if u == last:
            low[u] = high[u] = share[u]
            high[u] = 1.0
            continue
        size = share[u] * (1 - share[u]) / se**2 if 0 < share[u] < 1 else at_risk[u + 1 : last + 1].min()
        low[u], high[u] = proportion_confint(share[u] * size, size, method="wilson")
        low[u], high[u] = (0.0 if share[u] == 0 else low[u]), (1.0 if share[u] == 1 else high[u])
    low = np.where(np.isnan(share), np.nan, np.fmax.accumulate(low))
    high = np.where(np.isnan(share), np.nan, np.fmin.accumulate(high[::-1])[::-1])
    return share, low, high, at_risk


def _steps(d: Late) -> development.Ladder:
    return development.ladder([d.table], least=0.1)


def _ladder(d: Late) -> Any:
    """Return share, seen, at risk, source and horizon of one table."""
    seen, at_risk = _risk(d)
    told = np.nan_to_num(at_risk) >= 0.1
    horizon = max(np.flatnonzero(told), default=-1)
    share = _share(d)
    if horizon >= 0:
        share[horizon + 1 :] = 1.0
    return share, np.where(told, seen, 0), np.where(told, at_risk, 0), np.where(told, 0, -1), horizon


def _greenwood(d: Late) -> Array:
    """Return what each delay adds to statsmodels' relative squared error of survival; 0 where nothing is left."""
    found, out = _survival(d) if len(d.wait) else None, np.zeros(AGES)
    if found is None:
        return out
    seen, at_risk = _risk(d._replace(hole=False))
    for u in range(AGES):
        if 0 < seen[u] < at_risk[u]:
            out[u] = seen[u] / (at_risk[u] * (at_risk[u] - seen[u]))
    keep = found.prob > 0
    if (d.w == 1).all():
        grown = np.diff((found.se[keep] / found.prob[keep]) ** 2, prepend=0.0)
        for time, expected in zip(found.times[keep], grown, strict=True):
            assert abs(out[int(AGES - time)] - expected) < 1e-9
    if d.hole:
        out[1:3] = 0
    return out


def _regression(d: Late) -> Any:
    """Return scale, mean and prediction variance of what is to come, by a Poisson regression on cohort and lag."""
    cells = [(a, u) for a in range(AGES) for u in range(a + 1)]
    ahead = [(a, u) for a in range(AGES) for u in range(a + 1, AGES)]

    def design(which: list[tuple[int, int]]) -> Array:
        rows = np.zeros((len(which), 2 * AGES - 1))
        rows[:, 0] = 1
        for n, (age, lag) in enumerate(which):
            rows[n, age] += age > 0
            rows[n, AGES - 1 + lag] += lag > 0
        return rows

    counts = np.array([d.table[cell] for cell in cells])
    fit = sm.GLM(counts, design(cells), sm.families.Poisson()).fit(scale="X2", tol=1e-13, maxiter=200)
    mean = np.exp(design(ahead) @ fit.params)
    spread = fit.scale * mean.sum() + mean @ design(ahead) @ fit.cov_params() @ design(ahead).T @ mean
    return fit.scale, mean.sum(), spread


FULL = Kind(
    {
        ONE_CLASS: (_late(200, spread=1),),
        TIES: (Late(np.repeat(np.arange(AGES), 12), np.zeros(12 * AGES, int), np.ones(12 * AGES)),),
        NAN: (_late(2000)._replace(hole=True),),
        WEIGHTS: (_late(3000, 4)._replace(w=np.resize([0.5, 2.0, 1.5], len(_late(3000, 4).age))),),
        NONE: (_late(0),),
        ONE: (Late(np.array([4]), np.array([1]), np.ones(1)),),
        FIVE: (Late(np.full(5, 5), np.array([0, 0, 1, 1, 0]), np.ones(5)),),
        RARE: (_late(2_000_000, 3, 0.001),),
    }
)


def _dense(d: Late) -> bool:
    """Return whether every visible cell holds labels: only then is the regression's maximum finite."""
    return bool((d.table[np.tril_indices(AGES)] > 0).all())


def _dispersion(d: Late) -> Any:
    if d.hole:
        return UNDEFINED
    return max(_regression(d)[0], 1.0) if _dense(d) else 1.0


def _outlook(d: Late) -> Any:
    if d.hole or not len(d.age) or d.wait.min() > 0:
        # Without a label of the newest events nobody can tell how many there will be.
        return UNDEFINED
    if _dense(d):
        scale, mean, variance = _regression(d)
        return mean, variance / scale
    # All labels of a cohort come at once, or none is left to come of the oldest: nothing is to come.
    return 0.0, 0.0


def _at_ages(d: Late) -> Array:
    share = _ladder(d)[0]
    return np.array([*share, share[-1], share[-1]])


def _predicted(d: Late) -> Any:
    """Return scipy's gamma quantiles of what is to come, half a count added, rounded outwards, above what is known."""
    found = _outlook(d)
    if found is UNDEFINED:
        return UNDEFINED
    mean, variance = found[0] + 0.5, found[1] + 0.5
    low, high = scipy_stats.gamma.ppf([0.025, 0.975], mean**2 / variance, scale=variance / mean)
    return d.w.sum() + np.floor(low), d.w.sum() + np.ceil(high)


def _to_come(d: Late) -> development.Outlook:
    steps = development.ladder([d.table], least=1e-9)
    return development.outlook(np.tril(d.table).sum(-1), steps)


def _slower(d: Late) -> Array:
    """Return the last three diagonals against the regression's fitted counts, in its standard errors."""
    if d.hole:
        return UNDEFINED
    if not _dense(d):
        return 0.0
    cells = [(a, u) for a in range(AGES) for u in range(a + 1)]
    fitted = np.zeros((AGES, AGES))
    share = _share(d)
    final = np.tril(d.table).sum(-1) / share
    for age, lag in cells:
        fitted[age, lag] = final[age] * (share[lag] - (share[lag - 1] if lag else 0))
    gaps = [sum(d.table[c] - fitted[c] for c in cells if c[0] - c[1] == n) for n in range(3)]
    size = sum(fitted[c] for c in cells if c[0] - c[1] < 3)
    same = len({np.sign(gap) for gap in gaps}) == 1
    return sum(gaps) / np.sqrt(size * max(_regression(d)[0], 1)) if same else 0.0


def _mack(d: Late) -> Any:
    """Return latest and final counts of each age (the regression's), and errors written out as Mack's theorem prints them."""
    if d.hole:
        return UNDEFINED
    paid = np.where(np.tri(AGES, dtype=bool), np.cumsum(d.table, axis=1), np.nan)
    ages, link, sigma = range(AGES), [], []
    for k in range(AGES - 1):
        rows = [a for a in ages if a >= k + 1]
        base = sum(paid[a, k] for a in rows)
        link.append(sum(paid[a, k + 1] for a in rows) / base if base else 1.0)
        used = [a for a in rows if paid[a, k] > 0]
        spread = sum(paid[a, k] * (paid[a, k + 1] / paid[a, k] - link[k]) ** 2 for a in used)
        sigma.append(spread / (len(used) - 1) if len(used) > 1 else None)
        if sigma[k] is None:
            one, two = (sigma[k - 1], sigma[k - 2]) if k >= 2 else (0.0, 0.0)
            sigma[k] = min(one**2 / two, one, two) if two else 0.0
    full = paid.copy()
    for a in ages:
        for k in range(a, AGES - 1):
            full[a, k + 1] = full[a, k] * link[k]

    def term(a: int, k: int, own: bool) -> float:
        base = sum(paid[b, k] for b in ages if b >= k + 1)
        parts = (1 / full[a, k] if own and full[a, k] else 0.0) + (1 / base if base else 0.0)
        return sigma[k] / link[k] ** 2 * parts if link[k] else 0.0

    squares = [full[a, -1] ** 2 * sum(term(a, k, True) for k in range(a, AGES - 1)) for a in ages]
    total = sum(squares)
    for a in ages:
        older = sum(full[b, -1] for b in ages if b < a)
        total += 2 * full[a, -1] * older * sum(term(a, k, False) for k in range(a, AGES - 1))
    return np.diag(paid), full[:, -1], np.sqrt(squares), np.sqrt(total)


COMING = (
    Proof("delay.risk_sets", LATE, lambda f, d: f(d.table), _risk),
    Proof("delay.completeness", LATE, lambda f, d: f(d.table), _matured, near=1e-9),
    Proof("development.ladder", LATE, lambda f, d: f([d.table], least=0.1), _ladder),
    Proof("development.link_variance", LATE, lambda f, d: f(_steps(d)), _greenwood),
    Proof("development.at_ages", LATE, lambda f, d: f(_steps(d), AGES + 2), _at_ages),
    Proof("development.over_dispersion", FULL, lambda f, d: f(d.table), _dispersion, rel=1e-6),
    Proof("development.outlook", FULL, lambda f, d: f(
        np.tril(d.table).sum(-1), development.ladder([d.table], least=1e-9)), _outlook, rel=1e-5, near=1e-9),
    Proof("development.predicted", FULL, lambda f, d: f(d.w.sum(), _to_come(d)), _predicted),
    Proof("development.pace", FULL, lambda f, d: f(d.table), _slower, rel=1e-6, near=1e-9),
    Proof("development.mack", FULL, lambda f, d: f(d.table), _mack, near=1e-9),
)  # fmt: skip


# Sums and products over ages.
EMPTY = {NONE: "There is always one step: the function is called with the factors of at least one delay."}


def _products(v: Array) -> Array:
    return np.array([np.prod(v[k + 1 :]) for k in range(len(v))])


def _younger(v: Array) -> Array:
    return np.array([v[:k].sum() for k in range(len(v) + 2)])


def _first(course: Array) -> Any:
    return tuple(next((k for k, c in enumerate(course) if c >= level), None) for level in (0.5, 0.025, 0.975))


SMALL = (
    Proof("delay.product_after", NUMBERS, lambda f, v: f(v), _products, without=EMPTY),
    Proof("development.younger", NUMBERS, lambda f, v: f(v, len(v) + 2), _younger),
    Proof("forecast.when", NUMBERS, lambda f, v: f(v), _first),
)

PROOFS = (*COMING, *SMALL)

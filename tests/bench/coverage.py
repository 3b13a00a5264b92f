"""How often each interval holds the truth: `python tests/bench/coverage.py [RUNS]` prints claimed, found, error of simulation.

Every row draws data with known truth, asks the product for its interval, and counts. RUNS scales all rows (1 is the
full table, about ten minutes). The error is one standard error of the share that was found. Rows of what the pages show
are in `page_coverage.py` and `deep_coverage.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats as scipy_stats
from scipy.special import expit, logit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core.stats import (
    calibration,
    decisions,
    delay,
    development,
    grid,
    histograms,
    intervals,
    logistic,
    mix,
    pooling,
    ranking,
    rates,
    selection,
    sequential,
)
from tests.bench import deep_coverage, page_coverage
from tests.bench.page_coverage import SHARDS, inside

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    # How many runs -> whether each interval held the truth.
    Simulation = Callable[[np.random.Generator, int], Array]


def one_rate(rng: np.random.Generator, runs: int, n: int, rate: float, method: Any) -> Array:
    """Return how one rate's interval does."""
    return inside(*_around(method(rng.binomial(n, rate, runs), n), rate))


def any_rate(rng: np.random.Generator, runs: int, n: int) -> Array:
    """Return how Wilson's interval does at rates that may be anything: its claim is an average over them."""
    rate = rng.random(runs)
    return inside(*_around(decisions.wilson(rng.binomial(n, rate), n), rate))


def _around(found: Any, truth: Any) -> tuple[Array, Any, Array]:
    return found.low, truth, found.high


def two_rates(rng: np.random.Generator, runs: int) -> Array:
    """Return how Newcombe's interval of a difference does at 0.1% against 0.2%."""
    old, new = rng.binomial(4000, 0.001, runs), rng.binomial(4000, 0.002, runs)
    return inside(*_around(decisions.newcombe((old, 4000), (new, 4000)), 0.001))


def paired_rates(rng: np.random.Generator, runs: int) -> Array:
    """Return how Bonett and Price's interval does where 1 in 500 events changes for the worse, 1 in 1,000 for the better."""
    lost, gained, _ = rng.multinomial(5000, (0.001, 0.002, 0.997), runs).T
    return inside(*_around(decisions.bonett_price(lost, gained, 5000), 0.001))


def poisson(rng: np.random.Generator, runs: int) -> Array:
    """Return how the exact interval of a rate of rare harms does."""
    return inside(*_around(rates.poisson(rng.poisson(3.0, runs)), 3.0))


def expected(rng: np.random.Generator, runs: int) -> Array:
    """Return how the exact interval of observed / expected does at a base rate of 0.1%."""
    n, p = 20_000, 0.001
    return inside(*_around(calibration.oe_ratio(rng.binomial(n, p, runs), np.full(runs, n * p)), 1.0))


def _scored(rng: np.random.Generator, runs: int, n: int, base: float) -> tuple[Array, Array, Array]:
    """Return positives, events [run, bin] and the bins' log-odds: scores on a grid, labels with the scores' own chance."""
    x = np.linspace(base - 4, base + 4, 65)
    weight = scipy_stats.norm.pdf(x, base, 1.5)
    events = rng.multinomial(n, weight / weight.sum(), runs)
    return rng.binomial(events, expit(x)).astype(float), events.astype(float), x


def slope(rng: np.random.Generator, runs: int) -> Array:
    """Return how the calibration slope's normal interval does (gates use the jackknife)."""
    found = logistic.cox(*_scored(rng, runs, 5000, -4.0))
    return inside(*intervals_of(found.slope, found.se_slope, 1.0))


def shift(rng: np.random.Generator, runs: int) -> Array:
    """Return how the calibration intercept's normal interval does at about 0.5% bad."""
    found = logistic.calibration_intercept(*_scored(rng, runs, 20_000, -6.0))
    return inside(*intervals_of(found.value, found.se, 0.0))


def intervals_of(value: Array, se: Array, truth: float) -> tuple[Array, float, Array]:
    """Return the normal interval around the truth."""
    low, high = intervals.interval(value, se)
    return low, truth, high


def _auc_log(rng: np.random.Generator, runs: int, each: int, positives: int, apart: float) -> tuple[Array, Array]:
    """Return positives and negatives [run, bin] of two normal scores so many deviations apart."""
    size = grid.top_bin(8) + 1
    y, q = rng.normal(apart, 1, (runs, positives)), rng.normal(0, 1, (runs, each))
    row = np.arange(runs)[:, None] * size
    return tuple(  # type: ignore[return-value]
        np.bincount((row + grid.bin_of(expit(part), 8)).ravel(), minlength=runs * size)
        .reshape(runs, size)
        .astype(float)
        for part in (y, q)
    )


def delong(rng: np.random.Generator, runs: int, positives: int, apart: float = 1.5) -> Array:
    """Return how the interval of an AUC does on independent events; 3.29 deviations apart it is 0.99."""
    pos, neg = _auc_log(rng, runs, 4000, positives, apart)
    value, se = ranking.auc(pos, neg), np.sqrt(ranking.delong_variance(pos, neg))
    truth = scipy_stats.norm.cdf(apart / np.sqrt(2))
    return inside(*_around(ranking.auc_interval(value, se, (positives, 4000)), truth))


# How far apart from good events misplaced bad ones score: like them, or below every one.
LIKE, BELOW = 0.0, -9.0


def unlike(rng: np.random.Generator, runs: int, positives: int, odd: float, at: float = LIKE) -> Array:
    """Return how the interval of an AUC does where a share `odd` of the bad events scores like good ones, or below every one."""
    size, row = grid.top_bin(8) + 1, np.arange(runs)[:, None] * (grid.top_bin(8) + 1)
    apart = np.where(rng.random((runs, positives)) < odd, at, 5.0)
    pos, neg = (
        np.bincount((row + grid.bin_of(expit(part), 8)).ravel(), minlength=runs * size)
        .reshape(runs, size)
        .astype(float)
        for part in (rng.normal(apart, 1), rng.normal(0, 1, (runs, 4000)))
    )
    value, se = ranking.auc(pos, neg), np.sqrt(ranking.delong_variance(pos, neg))
    truth = (1 - odd) * scipy_stats.norm.cdf(5 / np.sqrt(2)) + odd * scipy_stats.norm.cdf(at / np.sqrt(2))
    return inside(*_around(ranking.auc_interval(value, se, (positives, 4000)), truth))


def between(
    rng: np.random.Generator, runs: int, positives: int, same: float, odd: float, at: float = LIKE, sides: int = 2
) -> Array:
    """Return how the interval of the difference of two AUCs does where the candidate alone misplaces so many bad events.

    It scores them like good ones, or below every one; with one side only the lower end is asked. The versions are two models, so the
    guard is full, as in the product. The good events are so many that they are known; `same` is the correlation of both versions'
    scores of bad ones.
    """
    one, other = rng.standard_normal((2, runs, positives))
    first = scipy_stats.norm.cdf(1.5 + one)
    second = scipy_stats.norm.cdf(1.5 + same * one + np.sqrt(1 - same**2) * other)
    good = scipy_stats.norm.cdf(at + rng.standard_normal(second.shape))
    second = np.where(rng.random(second.shape) < odd / positives, good, second)
    se = (second - first).std(-1, ddof=1) / np.sqrt(positives)
    truth = odd / positives * (scipy_stats.norm.cdf(at / np.sqrt(2)) - scipy_stats.norm.cdf(1.5 / np.sqrt(2)))
    found = ranking.auc_difference_interval((first.mean(-1), second.mean(-1)), se, positives, sides=sides)
    return inside(*_around(found, truth)) if sides == 2 else np.asarray(found.low <= truth)


def _by_shard(rng: np.random.Generator, runs: int, counts: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return counts [run] of events of several kinds dealt to shards [run, shard]."""
    deal = np.full(SHARDS, 1 / SHARDS)
    return tuple(rng.multinomial(part, deal) for part in counts)


def _left_out(top: Array, bottom: Array) -> tuple[Array, Array, Array]:
    """Return a ratio of sums over shards with its jackknife's error and degrees of freedom."""
    whole, every = top.sum(-1, keepdims=True), bottom.sum(-1, keepdims=True)
    full = (whole / every)[..., 0]
    return full, *intervals.jackknife(full, (whole - top) / (every - bottom), bottom > 0)


def few(rng: np.random.Generator, runs: int, n: int, rate: float) -> Array:
    """Return how the interval of a share by its shard jackknife does on single events, where the jackknife tells."""
    hits = rng.binomial(n, rate, runs)
    top, rest = _by_shard(rng, runs, (hits, n - hits))
    return inside(*_around(decisions.share_interval(*_left_out(top, top + rest)), rate))


def harmed(rng: np.random.Generator, runs: int, n: int, shares: tuple[float, float]) -> Array:
    """Return how the one-sided upper bound of harm does: events that the candidate loses less those that it gains."""
    lost, gained, same = rng.multinomial(n, (*shares, 1 - sum(shares)), runs).T
    parts = _by_shard(rng, runs, (lost, gained, same))
    _, se, df = _left_out(parts[1] - parts[0], np.sum(parts, axis=0))
    low = decisions.paired_interval((lost / n, gained / n), se, df, 0.95, 1).low
    truth = shares[1] - shares[0]
    return inside(low, truth, np.where(np.isnan(low), np.nan, np.inf))


def clustered(rng: np.random.Generator, runs: int) -> Array:
    """Return how the shard jackknife of a recall does where customers have about five events each and share their risk."""
    customers = rng.beta(2, 2, (runs, 600))
    n = rng.poisson(5, customers.shape)
    hits = rng.binomial(n, customers)
    parts = [part.reshape(runs, SHARDS, -1).sum(-1) for part in (hits[:, :576], n[:, :576])]
    top, bottom = parts
    full = top.sum(-1) / bottom.sum(-1)
    left = (top.sum(-1, keepdims=True) - top) / (bottom.sum(-1, keepdims=True) - bottom)
    spread = intervals.jackknife(full, left, bottom > 0)
    low, high = intervals.interval(full, *spread)
    return inside(low, 0.5, high)


def hajek(rng: np.random.Generator, runs: int) -> Array:
    """Return how the weighted share does where 3 in 10 events were seen with a chance of 5%."""
    held = []
    for _ in range(runs):
        bad, chance = rng.random(8000) < 0.2, np.where(rng.random(8000) < 0.3, 0.05, 0.5)
        seen = rng.random(8000) < chance
        y, w = bad[seen], 1 / chance[seen]
        found = selection.hajek((w * y).sum(), (w**2 * y).sum(), w.sum(), (w**2).sum())
        held.append(abs(float(found.value) - bad.mean()) <= intervals.critical(0.95) * float(found.se))
    return np.array(held)


def maturity(rng: np.random.Generator, runs: int, age: int) -> Array:
    """Return how the interval of the share of labels known by an age does, from events of all ages (truncated delays)."""
    size, wait = 30, scipy_stats.geom(0.12, loc=-1)
    chance = wait.pmf(np.arange(size))
    chance /= chance.sum()
    counts = rng.multinomial(rng.poisson(12, (runs, size)), chance)
    found = delay.completeness(np.tril(counts))
    return inside(found.low[:, age], np.cumsum(chance)[age], found.high[:, age])


def final(rng: np.random.Generator, runs: int, rate: float) -> Array:
    """Return how the nowcast of the final number of bad events does: it must hold the count that then comes true."""
    size = 20
    wait = np.diff(scipy_stats.lognorm(0.8, scale=15).cdf(np.minimum(3.0 * np.arange(size + 1), 45)))
    counts = rng.multinomial(rng.poisson(rate, (runs, size)), wait / wait.sum()).astype(float)
    seen = np.tril(counts)
    steps = development.ladder([seen])
    use = np.nan_to_num(development.at_ages(steps, size)) >= 0.2
    to_come = development.outlook(seen.sum(-1), steps, development.over_dispersion(seen), use)
    low, high = development.predicted((seen.sum(-1) * use).sum(-1), to_come)
    return inside(low, (counts.sum(-1) * use).sum(-1), high)[use.any(-1)]


def p99(rng: np.random.Generator, runs: int) -> Array:
    """Return how the interval of a 99th percentile of latency does, from log-spaced bins."""
    edges, truth = np.exp(np.arange(0, 9, 0.05)), scipy_stats.lognorm(0.7, scale=np.exp(3)).ppf(0.99)
    drawn = rng.lognormal(3, 0.7, (runs, 2000))
    found = histograms.interval(np.stack([np.histogram(row, edges)[0] for row in drawn]), edges, 0.99)
    return inside(*_around(found, truth))


def shrunken(rng: np.random.Generator, runs: int, size: int) -> Array:
    """Return how the interval of a shrunken segment does, over segments that truly differ."""
    held = []
    for _ in range(runs):
        se = rng.uniform(0.1, 0.5, size)
        truth = rng.normal(0.2, 0.3, size)
        values = truth + se * rng.normal(size=size)
        found = pooling.shrink(values, se**2)
        held.append(np.abs(found.value - truth) <= intervals.critical(0.95) * pooling.errors(values, se**2, found))
    return np.concatenate(held)


def alike(rng: np.random.Generator, runs: int) -> Array:
    """Return how often Breslow and Day's test keeps quiet at 5% where all odds ratios are one and the same."""
    held = []
    for _ in range(runs):
        rate = rng.uniform(0.05, 0.3, 8)
        worse = expit(logit(rate) + 0.4)
        n = np.full(8, 600)
        found = mix.breslow_day(rng.binomial(n, rate), n, rng.binomial(n, worse), n)
        held.append(float(found.p) > 0.05)
    return np.array(held)


def looks(rng: np.random.Generator, runs: int) -> Array:
    """Return how often the bounds of a share hold at every one of 400 looks."""
    hits = rng.binomial(20, 0.03, (runs, 400)).cumsum(-1)
    low, high = sequential.share_bounds(hits, 20 * np.arange(1, 401) - hits)
    return np.asarray(((low <= 0.03) & (high >= 0.03)).all(-1))


def harms(rng: np.random.Generator, runs: int) -> Array:
    """Return how often the bounds of a ratio of rare harms hold at every one of 200 looks, arms of 5% and 95%."""
    new, old = (rng.poisson(part, (runs, 200)).cumsum(-1)[..., None] for part in (0.02, 0.38))
    low, high = sequential.rate_ratio_bounds(new, old, np.array([0.05]))
    return np.asarray(((low <= 1) & (high >= 1)).all(-1))


def last(n: int, odd: int, sides: int) -> tuple[str, str, int, Simulation]:
    """Return the row of an almost equal version that alone puts so many bad events below every good one."""
    name = f"AUC difference{', the one bound that gates read' * (sides == 1)}, one version alone puts {odd} bad below every good one"
    return name, f"{n} bad", 10_000, lambda rng, runs: between(rng, runs, n, 0.9999, odd, BELOW, sides)


LAST = tuple(last(n, odd, sides) for sides in (2, 1) for n in (75, 200) for odd in (1, 2, 3, 4, 6, 10))
TABLE: tuple[tuple[str, str, int, Simulation], ...] = (
    ("Rate, Wilson, over all rates", "5 events", 20_000, lambda r, n: any_rate(r, n, 5)),
    ("Rate, Wilson", "5 events at 20%", 20_000, lambda r, n: one_rate(r, n, 5, 0.2, decisions.wilson)),
    ("Rate, Wilson", "2,000 events at 0.1%", 20_000, lambda r, n: one_rate(r, n, 2000, 0.001, decisions.wilson)),
    ("Rate, Clopper-Pearson", "2,000 events at 0.1%", 20_000, lambda r, n: one_rate(r, n, 2000, 0.001, decisions.clopper_pearson)),
    ("Rate, Jeffreys", "2,000 events at 0.1%", 20_000, lambda r, n: one_rate(r, n, 2000, 0.001, decisions.jeffreys)),
    ("Difference, Newcombe", "4,000 against 4,000, 0.1% and 0.2%", 20_000, two_rates),
    ("Paired difference, Bonett-Price", "5,000 events, 15 differ", 20_000, paired_rates),
    ("Rare harms, exact Poisson", "3 expected", 20_000, poisson),
    ("Observed / expected, exact Poisson", "20,000 events at 0.1%", 20_000, expected),
    ("Calibration intercept", "20,000 events, 0.5% bad", 2_000, shift),
    ("Calibration slope", "5,000 events", 2_000, slope),
    ("AUC", "200 bad, 4,000 good", 1_000, lambda r, n: delong(r, n, 200)),
    ("AUC", "20 bad, 4,000 good", 2_000, lambda r, n: delong(r, n, 20)),
    ("AUC of 0.99", "10 bad, 4,000 good", 2_000, lambda r, n: delong(r, n, 10, 3.29)),
    ("AUC, 1 in 10 bad scores like a good one", "20 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 20, 0.1)),
    ("AUC, 1 in 20 bad scores like a good one", "50 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 50, 0.05)),
    ("AUC, 1 in 20 bad scores like a good one", "200 bad, 4,000 good", 1_000, lambda r, n: unlike(r, n, 200, 0.05)),
    ("AUC, 1 in 20 bad scores like a good one", "100 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 100, 0.05)),
    ("AUC, 1 in 100 bad scores like a good one", "300 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 300, 0.01)),
    ("AUC difference, versions 90% alike", "100 bad", 10_000, lambda r, n: between(r, n, 100, 0.9, 0)),
    ("AUC, 1 in 20 bad scores below every good one", "50 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 50, 0.05, BELOW)),
    ("AUC, 1 in 20 bad scores below every good one", "100 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 100, 0.05, BELOW)),
    ("AUC, 1 in 100 bad scores below every good one", "300 bad, 4,000 good", 2_000, lambda r, n: unlike(r, n, 300, 0.01, BELOW)),
    ("AUC difference, one version alone misplaces 1 bad", "100 bad", 10_000, lambda r, n: between(r, n, 100, 0.999, 1)),
    ("AUC difference, one version alone misplaces 3 bad", "75 bad", 10_000, lambda r, n: between(r, n, 75, 0.99, 3)),
    ("AUC difference, one version alone misplaces 5 bad", "100 bad", 10_000, lambda r, n: between(r, n, 100, 0.999, 5)),
    ("AUC difference, one version alone misplaces 3 bad", "1,000 bad", 4_000, lambda r, n: between(r, n, 1000, 0.999, 3)),
    *LAST,
    ("Share, shard jackknife", "100 events at 95%", 20_000, lambda r, n: few(r, n, 100, 0.95)),
    ("Share, shard jackknife", "2,000 events at 1%", 20_000, lambda r, n: few(r, n, 2000, 0.01)),
    ("Paired difference, shard jackknife, one bound", "100 events, 7 differ", 20_000, lambda r, n: harmed(r, n, 100, (0.05, 0.02))),
    ("Paired difference, shard jackknife, one bound", "5,000 events, 15 differ", 4_000, lambda r, n: harmed(r, n, 5000, (0.002, 0.001))),
    ("Any metric, shard jackknife", "576 customers with 5 events", 4_000, clustered),
    ("Weighted share, Hajek", "8,000 events, chances 5% and 50%", 1_000, hajek),
    ("Labels known by an age", "360 bad, age 5 of 30", 4_000, lambda r, n: maturity(r, n, 5)),
    ("Labels known by an age", "360 bad, age 20 of 30", 4_000, lambda r, n: maturity(r, n, 20)),
    ("Final bad events, nowcast", "2 a cohort", 2_000, lambda r, n: final(r, n, 2)),
    ("Final bad events, nowcast", "60 a cohort", 2_000, lambda r, n: final(r, n, 60)),
    ("99th percentile of latency", "2,000 calls", 2_000, p99),
    ("Shrunken segments", "12 segments", 1_000, lambda r, n: shrunken(r, n, 12)),
    ("Shrunken segments", "30 segments", 1_000, lambda r, n: shrunken(r, n, 30)),
    ("Equal odds ratios, Breslow-Day", "8 segments", 10_000, alike),
    ("Share at every look", "400 looks", 1_000, looks),
    ("Ratio of rare harms at every look", "200 looks, arm of 5%", 400, harms),
)  # fmt: skip


def main() -> None:
    """Print the whole table."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rows = [(name, data, 0.95, runs, simulation) for name, data, runs, simulation in TABLE]
    print("| Interval | Data | Claimed | Found | Error of the simulation |\n|---|---|---|---|---|")  # noqa: T201
    for place, (name, data, claimed, runs, simulation) in enumerate(
        [*rows, *page_coverage.TABLE, *deep_coverage.TABLE]
    ):
        held = np.asarray(simulation(np.random.default_rng(place), max(20, round(scale * runs))), dtype=float)
        error = held.std() / np.sqrt(len(held))
        shown = f"{100 * claimed:.0f}% | {100 * held.mean():.1f}% | {100 * error:.1f} points |"
        print(f"| {name} | {data} | {shown}", flush=True)  # noqa: T201
    print("\n| Calibration error, no interval | Plain | Chance taken out | Truth |\n|---|---|---|---|")  # noqa: T201
    for base, off in ((-4.9, 0.0), (-7.2, 0.0), (-4.9, 0.5)):
        found = page_coverage.gaps(np.random.default_rng(1), max(20, round(scale * 300)), 20_000, base, off)
        parts = " | ".join(f"{100 * part:.3f} points" for part in found)
        print(f"| 20,000 events, log-odds around {base}, off by {off} | {parts} |")  # noqa: T201


if __name__ == "__main__":
    main()

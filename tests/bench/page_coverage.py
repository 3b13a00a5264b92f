"""How often what the pages show holds the truth, by the functions that the pages use: rows for `coverage.py`.

A simulation takes a source of randomness and a number of runs, and returns of each run whether the interval held the
truth, or in what share of its places it did. Events belong to customers where it says so: a customer's events fall
into one shard and share a part of their fate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats as scipy_stats
from scipy.special import expit, ndtr

from release_core import attribution, metrics
from release_core.frames import Cells, Grid, Tally, Worlds
from release_core.metrics.table import METRICS, table
from release_core.release import ACTIONS, Costs
from release_core.stats import corp, decisions, drift, intervals, mix, nowcast, selection
from release_core.stats import development as ladders
from release_core.stats.calibration_error import calibration_error
from release_core.views.boundary import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    Simulation = Callable[[np.random.Generator, int], Array]

SHARDS = 32
FEW_BINS = Grid(np.arange(1), 8, np.zeros(1))


def inside(low: Array, truth: Array | float, high: Array) -> Array:
    """Return where an interval holds the truth; an interval that is not known holds nothing, and is left out."""
    known = ~(np.isnan(low) | np.isnan(high))
    return np.asarray((low <= truth) & (truth <= high))[known]


def customers(rng: np.random.Generator, events: int, each: float) -> tuple[Array, Array]:
    """Return of whom each event is, and the shard that it falls into; `each` events a customer on average."""
    who = rng.integers(0, max(int(events / each), 1), events)
    return who, rng.integers(0, SHARDS, who.max() + 1)[who]


def common(rng: np.random.Generator, who: Array, alike: float) -> Array:
    """Return standard normal numbers, those of a customer's events with the correlation `alike`."""
    own = rng.normal(size=len(who))
    return np.sqrt(alike) * rng.normal(size=who.max() + 1)[who] + np.sqrt(1 - alike) * own


# Score drift: shares above a cutoff.


def above(rng: np.random.Generator, runs: int, share: float, each: float) -> tuple[Cells, float]:
    """Return cells with the share above a cutoff, one run a segment, and the cutoff; 8,000 events.

    The candidate's score is the baseline's, moved and shaken.
    """
    cut, n = float(scipy_stats.norm.isf(share)), 8000
    shards = np.zeros((runs, SHARDS, 2, 1))
    events = np.zeros((runs, SHARDS, 2))
    for run in range(runs):
        who, shard = customers(rng, n, each)
        score = common(rng, who, 0.5)
        both = np.stack([score, 0.1 + 0.9 * score + np.sqrt(0.19) * rng.normal(size=n)], axis=-1)
        np.add.at(events[run], shard, 1.0)
        np.add.at(shards[run, ..., 0], shard, (both >= cut).astype(float))
    return _shares(shards, events), cut


def _shares(shards: Array, events: Array) -> Cells:
    none = np.zeros_like(events)
    tally = Tally.of(
        FEW_BINS,
        {
            "above": shards,
            "events": events,
            "scores": none,
            "n": events[..., None],
            "positives": none,
            "negatives": none,
        },
    )
    names = tuple({"run": str(run)} for run in range(len(shards)))
    return Cells(names, tally.sum(1), tally, ACTIONS, ("t.review",), paired=True, clustered=True)


def share_above(rng: np.random.Generator, runs: int, share: float, each: float) -> Array:
    """Return how the interval of the candidate's share above a cutoff does."""
    cells, cut = above(rng, runs, share, each)
    one = metrics.estimate(cells, table(ACTIONS, ("t.review",))["share_above:t.review"])
    low, high = one.bounds(CONFIDENCE)
    return inside(low[:, 1], float(ndtr(0.1 - cut)), high[:, 1])


def share_rises(rng: np.random.Generator, runs: int, share: float, each: float) -> Array:
    """Return how the interval of its relative change does, which the page's first sentence says (see views.boundary)."""
    cells, cut = above(rng, runs, share, each)
    one = metrics.estimate(cells, table(ACTIONS, ("t.review",))["share_above:t.review"], np.log)
    low, high = intervals.interval(one.value[:, 2], one.se[:, 2], one.df, CONFIDENCE)
    return inside(low, float(np.log(ndtr(0.1 - cut) / ndtr(-cut))), high)


# PSI under no shift.


def stable(rng: np.random.Generator, runs: int, sizes: tuple[int, int], values: int) -> Array:
    """Return how often PSI stays below its limit where nothing shifted; the scores take so many values (0: no ties)."""
    bins = values or 1000
    chance = np.full(bins, 1 / bins) if not values else 0.5 ** np.arange(1, bins + 1)
    chance /= chance.sum()
    old, new = (rng.multinomial(n, chance, runs).astype(float) for n in sizes)
    found = drift.psi(old, new, drift.quantile_groups(old))
    return np.asarray(found.total <= found.null_high)


# Calibration.


def _calibrated(rng: np.random.Generator, n: int, base: float, per_unit: int) -> tuple[Array, Array, Array]:
    """Return positives and events of the filled bins, and their scores: of a score that is calibrated."""
    x = np.round(rng.normal(base, 1.5, n) * per_unit).astype(int)
    bins, place = np.unique(x, return_inverse=True)
    score = expit(bins / per_unit)
    events = np.bincount(place).astype(float)
    return rng.binomial(events.astype(int), score).astype(float), events, score


def band(rng: np.random.Generator, runs: int, n: int, base: float) -> Array:
    """Return in what share of the bins the consistency band of 90% holds the curve of a calibrated score."""
    held = []
    for run in range(runs):
        pos, events, score = _calibrated(rng, n, base, 8)
        found = corp.consistency_band(events, score, seed=run, resamples=99)
        curve = corp.recalibrated(pos, events)
        held.append(np.average((found.low <= curve) & (curve <= found.high), weights=events))
    return np.array(held)


def miscalibration(rng: np.random.Generator, runs: int, n: int, base: float) -> Array:
    """Return how often a calibrated score's miscalibration stays below the limit that the page shows beside it."""
    held = []
    for run in range(runs):
        pos, events, score = _calibrated(rng, n, base, 64)
        loss = -(pos * np.log(score) + (events - pos) * np.log1p(-score)).sum() / n
        limit = corp.calibrated_mcb(events, score, seed=run).log_loss
        held.append(bool(corp.corp_log_loss(pos, events, loss).mcb <= limit))
    return np.array(held)


def gaps(rng: np.random.Generator, runs: int, n: int, base: float, shift: float) -> Array:
    """Return [plain, debiased, true] calibration errors of scores whose odds are off by `shift`, averaged.

    They have no interval; with `shift` 0 the true one is 0. Plain is the mean absolute gap of the groups as they are.
    """
    squares = []
    for _ in range(runs):
        bins, place = np.unique(np.round(rng.normal(base, 1.5, n) * 64) / 64, return_inverse=True)
        events = np.bincount(place).astype(float)
        chance = expit(bins + shift)
        pos = rng.binomial(events.astype(int), chance).astype(float)
        found = calibration_error(pos, events, events * expit(bins))
        true = np.average((chance - expit(bins)) ** 2, weights=events)
        squares.append((found.absolute**2, found.debiased**2, true))
    return np.sqrt(np.mean(squares, axis=0))


def observed(rng: np.random.Generator, runs: int, n: int, base: float, each: float) -> Array:
    """Return how the interval of observed / expected of one segment does: calibrated scores, customers alike."""
    shards = np.zeros((runs, SHARDS, 2, 2))
    for run in range(runs):
        who, shard = customers(rng, n, each)
        score = expit(base + 1.5 * rng.normal(size=n))
        bad = ndtr(common(rng, who, 0.3)) < score
        for place, values in enumerate((score, bad.astype(float))):
            np.add.at(shards[run, :, 1, place], shard, values)
        shards[run, :, 0] = shards[run, :, 1]
    arrays = {"labelled_scores": shards[..., 0], "positives": shards[..., 1], "negatives": n / SHARDS - shards[..., 1]}
    tally = Tally.of(FEW_BINS, arrays | {"events": np.full((runs, SHARDS, 2), n / SHARDS)})
    names = tuple({"run": str(run)} for run in range(runs))
    cells = Cells(names, tally.sum(1), tally, ACTIONS, (), paired=True, clustered=True)
    low, high = metrics.estimate(cells, METRICS["oe_ratio"]).bounds(0.95)
    return inside(low[:, 1], 1.0, high[:, 1])


# Attribution.

COSTS = Costs(currency="EUR", false_positive=5.0, review=2.0, false_negative=1.0, amount_times=0.9)


def _worlds(rng: np.random.Generator, n: int, rate: float) -> tuple[Array, Array]:
    """Return counts and amounts [shard, world, action, population] of events by what each world would do with them."""
    who, shard = customers(rng, n, 3.0)
    bad = rng.random(n) < rate
    signal = common(rng, who, 0.3) + 2.0 * bad
    scores = signal, 0.2 + signal + 0.3 * rng.normal(size=n)
    rule = rng.random(n) < 0.03
    amount = rng.lognormal(3, 1, n)
    counts, amounts = np.zeros((2, SHARDS, 8, len(ACTIONS), 3))
    for world in range(8):
        score, low = scores[world & 1], (1.8, 1.6)[world >> 1 & 1]
        action = np.where(score >= 3.0, 2, np.where(score >= low, 1, 0))
        action = np.where(rule & bool(world >> 2), 2, action)
        for population, who_counts in enumerate((np.ones(n, bool), bad, ~bad)):
            for found, worth in ((counts, np.ones(n)), (amounts, amount)):
                np.add.at(found, (shard[who_counts], world, action[who_counts], population), worth[who_counts])
    return counts, amounts


def causes(rng: np.random.Generator, runs: int, name: str, n: int, rate: float) -> Array:
    """Return in how many of the three parts' Shapley shares the interval holds the true one; customers of 3 events."""
    release = _Priced()
    effect = attribution.effects(release)[name]  # type: ignore[arg-type]
    players = ("score", "thresholds", "policy")
    parts = [_worlds(np.random.default_rng(part), 250_000, rate) for part in range(16)]
    counts, amounts = (np.sum([part[place] for part in parts], axis=0) for place in (0, 1))
    whole = Worlds(players, ({},), ACTIONS, counts[None], amounts[None])
    truth = np.array([share.value for share in attribution.attribute(whole, effect).shares])
    held = []
    for _ in range(runs):
        counts, amounts = _worlds(rng, n, rate)
        found = attribution.attribute(Worlds(players, ({},), ACTIONS, counts[None], amounts[None]), effect)
        low, high = (np.array([getattr(share, end) for share in found.shares]) for end in ("low", "high"))
        held.append(inside(low, truth, high).mean())
    return np.array(held)


class _Priced:
    costs = COSTS


# Mix against rate.


def shifted(rng: np.random.Generator, runs: int, part: str, n: int, rate: float) -> Array:
    """Return how the interval of a part of a change between two periods does; five segments, customers in both periods."""
    weight = np.array([[0.4, 0.3, 0.15, 0.1, 0.05], [0.3, 0.3, 0.15, 0.1, 0.15]])
    odds = np.array([[0.5, 1.0, 1.0, 2.0, 4.0], [0.5, 1.3, 1.0, 2.0, 4.0]])
    chance = np.minimum(rate * odds, 1.0)
    truth = getattr(mix.kitagawa(*(a for k in (0, 1) for a in (weight[k] * chance[k], weight[k]))), part)
    held = []
    for _ in range(runs):
        sums = np.zeros((2, 2, SHARDS, 5))
        who, shard = customers(rng, 2 * n, 3.0)
        period = rng.integers(0, 2, 2 * n)
        fate = ndtr(common(rng, who, 0.3))
        segment = (rng.random(2 * n)[:, None] > weight.cumsum(1)[period][:, :-1]).sum(1)
        for place, values in enumerate((fate < chance[period, segment], np.ones(2 * n))):
            np.add.at(sums[place], (period, shard, segment), values.astype(float))
        whole, left = sums.sum(2), sums.sum(2, keepdims=True) - sums
        split = mix.kitagawa(*(whole[place, k] for k in (0, 1) for place in (0, 1)))
        moved = mix.kitagawa(*(left[place, k] for k in (0, 1) for place in (0, 1)))
        value = getattr(split, part)
        spread = intervals.jackknife(value, getattr(moved, part), sums[1].sum((0, 2)) > 0)
        low, high = intervals.interval(value, spread.se, spread.df)
        held.append(bool(low <= truth <= high))
    return np.array(held)


# Selective labels.


def weighed(rng: np.random.Generator, runs: int, n: int, rate: float) -> Array:
    """Return how the interval of a weighted recall does: the blocked are let through by lot, one in ten, and weigh ten."""
    full, left, used = [], [], []
    caught = 0.6
    for _ in range(runs):
        who, shard = customers(rng, n, 3.0)
        bad = ndtr(common(rng, who, 0.2)) < rate
        blocked = np.where(bad, rng.random(n) < caught, rng.random(n) < 0.02)
        seen = ~blocked | (rng.random(n) < 0.1)
        weight = np.where(blocked, 10.0, 1.0) * (seen & bad)
        top, bottom = (np.bincount(shard, weight * part, SHARDS) for part in (blocked, np.ones(n)))
        full.append(top.sum() / bottom.sum())
        left.append((top.sum() - top) / (bottom.sum() - bottom))
        used.append(bottom > 0)
    values = np.array(full)
    spread = intervals.jackknife(values, np.array(left), np.array(used))
    low, high = decisions.share_interval(values, spread.se, spread.df)
    return inside(low, caught, high)


def bounded(rng: np.random.Generator, runs: int, rate: float) -> Array:
    """Return how often the bounds without assumptions hold a recall when the hidden outcomes are bad more often than seen."""
    held = []
    for _ in range(runs):
        n = rng.multinomial(4000, (0.02, 0.03, 0.95))
        bad = rng.binomial(n, (0.6, 0.2, rate))
        hidden = np.array([n[0], 0, 0])
        mine = np.where(hidden > 0, 0, bad)
        low, high = selection.of_class(mine, n - bad, hidden, [[1, 1, 0]])
        truth = bad[:2].sum() / bad.sum()
        held.append(bool(low[0] - 1e-12 <= truth <= high[0] + 1e-12))
    return np.array(held)


# Late labels.


def lags(wait: Any, ages: int) -> Array:
    """Return the chance of each lag of three days, of those up to 45 days."""
    chance = np.diff(wait.cdf(np.minimum(3.0 * np.arange(ages + 1), 45)))
    return np.asarray(chance / chance.sum())


def foreseen(rng: np.random.Generator, runs: int, rate: float) -> Array:
    """Return how the interval of a nowcast recall does where alerts are labelled faster than the rest; true recall 0.3."""
    ages, held = 20, []
    waits = [lags(scipy_stats.expon(scale=1.5), ages), lags(scipy_stats.lognorm(0.8, scale=15), ages)]
    none = np.zeros((2, 2))
    alert = np.array([[1.0, 0.0], [1.0, 0.0]])
    for _ in range(runs):
        counts = [
            rng.multinomial(rng.poisson(rate * share, ages), wait)
            for share, wait in zip((0.3, 0.7), waits, strict=True)
        ]
        seen = [np.tril(one).astype(float) for one in counts]
        steps = [ladders.ladder([one]) for one in seen]
        share = np.stack([ladders.at_ages(one, ages) for one in steps])
        use = nowcast.ready(share, np.ones((2, ages), bool))
        latest = np.stack([one.sum(-1) for one in seen])
        link = np.zeros((2, 2, ages))
        link[0] = [ladders.link_variance(one) for one in steps]
        weight = np.where(use, nowcast.weight(share), 1.0)
        known = nowcast.Known(
            np.stack([latest * use, np.zeros_like(latest)]),
            np.full((2, ages), 1e4),
            np.stack([weight, weight]),
            np.array([0, 1]),
            link,
            max(float(ladders.over_dispersion(one)) for one in seen),
        )
        found = nowcast.of(known, nowcast.Sum(alert, none, none), nowcast.Sum(np.ones((2, 2)), none, none))
        low, high = nowcast.bounds(found, share=True)
        held.append(inside(low[1:2], 0.3, high[1:2]))
    return np.concatenate(held)


# name, data, what is claimed, runs, simulation
TABLE: tuple[tuple[str, str, float, int, Simulation], ...] = (
    ("Share above a cutoff", "8,000 events, share 1%", 0.95, 1000, lambda r, n: share_above(r, n, 0.01, 1.0)),
    ("Share above a cutoff", "the same, by 5 a customer", 0.95, 1000, lambda r, n: share_above(r, n, 0.01, 5.0)),
    ("Share above a cutoff", "the same, share 0.1%", 0.95, 1000, lambda r, n: share_above(r, n, 0.001, 5.0)),
    ("Share above a cutoff, relative change", "8,000 events, share 1%", 0.95, 1000, lambda r, n: share_rises(r, n, 0.01, 1.0)),
    ("Share above a cutoff, relative change", "the same, by 5 a customer", 0.95, 1000, lambda r, n: share_rises(r, n, 0.01, 5.0)),
    ("Share above a cutoff, relative change", "the same, share 0.1%", 0.95, 1000, lambda r, n: share_rises(r, n, 0.001, 5.0)),
    ("PSI below its limit without a shift", "20,000 and 20,000", 0.95, 5000, lambda r, n: stable(r, n, (20_000, 20_000), 0)),
    ("PSI below its limit without a shift", "20,000 and 300", 0.95, 5000, lambda r, n: stable(r, n, (20_000, 300), 0)),
    ("PSI below its limit without a shift", "100 and 100", 0.95, 5000, lambda r, n: stable(r, n, (100, 100), 0)),
    ("PSI below its limit without a shift", "20 and 20", 0.95, 5000, lambda r, n: stable(r, n, (20, 20), 0)),
    ("PSI below its limit without a shift", "2,000 and 2,000, 6 values", 0.95, 5000, lambda r, n: stable(r, n, (2000, 2000), 6)),
    ("Consistency band, pointwise", "20,000 events, 2% bad", 0.9, 200, lambda r, n: band(r, n, 20_000, -4.9)),
    ("Consistency band, pointwise", "20,000 events, 0.2% bad", 0.9, 200, lambda r, n: band(r, n, 20_000, -7.2)),
    ("Miscalibration of calibrated scores", "20,000 events, 2% bad", 0.95, 400, lambda r, n: miscalibration(r, n, 20_000, -4.9)),
    ("Miscalibration of calibrated scores", "20,000 events, 0.2% bad", 0.95, 400, lambda r, n: miscalibration(r, n, 20_000, -7.2)),
    ("Observed / expected of a segment", "6,000 events, 2% bad, by 3 a customer", 0.95, 1000, lambda r, n: observed(r, n, 6000, -4.9, 3.0)),
    ("Observed / expected of a segment", "2,000 events, 2% bad, by 3 a customer", 0.95, 1000, lambda r, n: observed(r, n, 2000, -4.9, 3.0)),
    ("Observed / expected of a segment", "20,000 events, 0.2% bad", 0.95, 500, lambda r, n: observed(r, n, 20_000, -7.2, 3.0)),
    ("Shapley shares of the review rate", "6,000 events", 0.95, 300, lambda r, n: causes(r, n, "review_rate", 6000, 0.05)),
    ("Shapley shares of the recall", "20,000 events, 1% bad", 0.95, 200, lambda r, n: causes(r, n, "recall", 20_000, 0.01)),
    ("Shapley shares of the expected cost", "20,000 events, 1% bad", 0.95, 200, lambda r, n: causes(r, n, "cost", 20_000, 0.01)),
    ("Shapley shares of the missed amount", "20,000 events, 1% bad", 0.95, 200, lambda r, n: causes(r, n, "fraud_loss", 20_000, 0.01)),
    ("Shapley shares of the missed amount", "20,000 events, 5% bad", 0.95, 200, lambda r, n: causes(r, n, "fraud_loss", 20_000, 0.05)),
    ("Change of a rate: part of the mix", "2 x 10,000 events, rate 5%", 0.95, 500, lambda r, n: shifted(r, n, "mix", 10_000, 0.05)),
    ("Change of a rate: part of the mix", "2 x 10,000 events, rate 0.5%", 0.95, 500, lambda r, n: shifted(r, n, "mix", 10_000, 0.005)),
    ("Change of a rate: part of the rates", "2 x 10,000 events, rate 5%", 0.95, 500, lambda r, n: shifted(r, n, "rate", 10_000, 0.05)),
    ("Change of a rate: part of the rates", "2 x 10,000 events, rate 0.5%", 0.95, 500, lambda r, n: shifted(r, n, "rate", 10_000, 0.005)),
    ("Change at equal mix", "2 x 10,000 events, rate 0.5%", 0.95, 500, lambda r, n: shifted(r, n, "standardised", 10_000, 0.005)),
    ("Weighted recall, shard jackknife", "20,000 events, 1% bad, weights 1 and 10", 0.95, 1000, lambda r, n: weighed(r, n, 20_000, 0.01)),
    ("Weighted recall, shard jackknife", "20,000 events, 10% bad, weights 1 and 10", 0.95, 1000, lambda r, n: weighed(r, n, 20_000, 0.1)),
    ("Bounds of unseen outcomes", "4,000 events, 2% hidden", 1.0, 2000, lambda r, n: bounded(r, n, 0.001)),
    ("Recall, nowcast", "8 bad a cohort, alerts labelled faster", 0.95, 1000, lambda r, n: foreseen(r, n, 8)),
    ("Recall, nowcast", "40 bad a cohort, alerts labelled faster", 0.95, 1000, lambda r, n: foreseen(r, n, 40)),
)  # fmt: skip

"""How often intervals of metrics over bins hold the truth in segments of two dimensions, whose bins are not kept by shard.

Rows for `coverage.py`, as in `page_coverage.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, rel_entr

from release_core import metrics
from release_core.frames import Cells, Grid, Tally
from release_core.metrics.table import METRICS
from release_core.release import ACTIONS
from release_core.stats import grid
from tests.bench.page_coverage import SHARDS, common, customers, inside

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.page_coverage import Simulation

    Array = np.ndarray[Any, Any]

SEGMENTS, RATE = 12, 0.02
# Scores are the signal's log-odds where its classes lie 1.5 deviations apart: calibrated for the baseline, too steep for the candidate.
APART = (1.5, 1.35)


def _log_odds(signal: Array, apart: float) -> Array:
    return logit(RATE) + apart * signal - apart**2 / 2


def _scored(rng: np.random.Generator, n: int) -> Cells:
    """Return cells of segments without bins by shard, and of all events with them; customers of 3 events, in one segment each."""
    who, shard = customers(rng, n, 3.0)
    segment = rng.integers(0, SEGMENTS, who.max() + 1)[who]
    bad = rng.random(n) < RATE
    signal = common(rng, who, 0.3) + APART[0] * bad
    found = np.stack([_log_odds(one, APART[0]) for one in (signal, 0.9 * signal + np.sqrt(0.19) * rng.normal(size=n))])
    bins = grid.bin_of(expit(found), 8)
    low, size = bins.min(), int(np.ptp(bins)) + 1
    score, places = expit(found), (SEGMENTS, SHARDS, 2)
    binned = {"positive": bad, "negative": ~bad, "labelled_logit": found, "labelled_score": score}
    summed = {"positives": bad, "negatives": ~bad, "events": 1, "positive_scores": score * bad, "squared": score**2}
    summed["loss"] = -np.log(np.where(bad, score, 1 - score))
    arrays = {name: np.zeros((*places, size)) for name in binned} | {name: np.zeros(places) for name in summed}
    for version in range(2):
        for name, one in (binned | summed).items():
            at = (segment, shard, version, *([bins[version] - low] if name in binned else []))
            np.add.at(arrays[name], at, np.broadcast_to(one, (2, n))[version])
    arrays["n"] = arrays["positive"] + arrays["negative"]

    def tally(change: Callable[[Array], Array], *, binned: bool) -> Tally:
        return Tally(Grid(np.arange(size), 8, np.zeros(size)), lambda name: change(arrays[name]), binned=binned)

    every = (
        tally(lambda a: a.sum((0, 1), keepdims=True)[0], binned=True),
        tally(lambda a: a.sum(0, keepdims=True), binned=True),
    )
    names = tuple({"segment": str(one)} for one in range(SEGMENTS))
    parts = tally(lambda a: a.sum(1), binned=True), tally(lambda a: a, binned=False)
    return Cells(names, *parts, ACTIONS, (), True, True, lambda: Cells(({},), *every, ACTIONS, (), True, True))


def _mean(apart: float, value: Callable[[Array, Array], Array]) -> float:
    """Return the mean of what is made of the true chance and the score, over events of the signal's classes so far apart."""
    at = np.linspace(-8, 10, 200_001)
    weight = (1 - RATE) * np.exp(-(at**2) / 2) + RATE * np.exp(-((at - apart) ** 2) / 2)
    return float(np.average(value(expit(_log_odds(at, apart)), expit(_log_odds(at, APART[0]))), weights=weight))


def _average_precision(apart: float) -> float:
    at = np.linspace(-8, 10, 200_001)
    bad, good = RATE * ndtr(apart - at), (1 - RATE) * ndtr(-at)
    return float(np.average(bad / (bad + good), weights=np.exp(-((at - apart) ** 2) / 2)))


# The value of a metric where the signal's classes lie so many deviations apart.
TRUTHS: dict[str, Callable[[float], float]] = {
    "auc": lambda apart: ndtr(apart / np.sqrt(2)),
    "average_precision": _average_precision,
    "ks_separation": lambda apart: 2 * ndtr(apart / 2) - 1,
    "calibration_intercept": lambda apart: brentq(
        lambda shift: _mean(apart, lambda true, score: true - expit(logit(score) + shift)), -5, 5
    ),
    "calibration_slope": lambda apart: apart / APART[0],
    "mcb_brier": lambda apart: _mean(apart, lambda true, score: (true - score) ** 2),
    "mcb_log_loss": lambda apart: _mean(
        apart, lambda true, score: rel_entr(true, score) + rel_entr(1 - true, 1 - score)
    ),
}


def deep(rng: np.random.Generator, runs: int, metric: str, side: int, n: int) -> Array:
    """Return in what share of 12 segments a metric's interval holds the truth, of the candidate or (2) the difference."""
    each = [TRUTHS[metric](apart) for apart in APART]
    truth = (*each, each[1] - each[0])[side]
    held = []
    for _ in range(runs):
        low, high = metrics.estimate(_scored(rng, n), METRICS[metric]).bounds(0.95)
        held.append(inside(low[:, side], truth, high[:, side]).mean())
    return np.array(held)


def _row(metric: str, side: int, n: int) -> tuple[str, str, float, int, Simulation]:
    name = f"{METRICS[metric].title} of two dimensions{', difference' * (side == 2)}"
    return name, f"{n // 600} bad a segment", 0.95, 100, lambda rng, runs: deep(rng, runs, metric, side, n)


TABLE = tuple(_row(metric, side, n) for metric in TRUTHS for side in (1, 2) for n in (24_000, 60_000))

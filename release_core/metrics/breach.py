"""Serving as of a look in; whether a budget is proven broken by then, with bounds that hold at every look, out.

A latency quantile is beyond a limit exactly when more events than it leaves out are slower: so it is a share, like
errors and fallbacks, and read by the confidence sequence of a share, events counting for fewer as the as-of steps
differ more than chance. Costs are read by the asymptotic sequence. What samples count needs no statistics, but the
hours to overflow, which rest on the luck of arrivals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from release_core.stats import histograms, rates, sequential

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

CANDIDATE = 1
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


@dataclass(frozen=True, slots=True)
class Breach:
    """The candidate's value and bounds as of a look, what it rests on, and whether it is beyond the limit for certain."""

    value: float
    low: float
    high: float
    n: int
    broken: bool


def breach(
    lived: Lived, metric: Metric, limits: tuple[float | None, float | None], alpha: float, expect_n: float
) -> Breach:
    """Return what a look shows of one metric with `measure` over all events.

    Args:
        lived: one segment, all events, as of the look.
        metric: the metric.
        limits: at least, at most; None: no such limit.
        alpha: the error over all looks together.
        expect_n: events at which one expects to decide, for costs.
    """
    least, most = (-np.inf if limits[0] is None else limits[0]), (np.inf if limits[1] is None else limits[1])
    one = metric.measure(lived, metric) if metric.measure else None
    if one is None or not lived.segments or not np.isfinite(one.value[0, CANDIDATE]):
        return Breach(np.nan, np.nan, np.nan, 0, broken=False)
    value, n = float(one.value[0, CANDIDATE]), float(one.n[0, CANDIDATE])
    low, high = (float(bound[0, CANDIDATE]) for bound in one.bounds(1 - alpha, sides=1))
    broken = low > most or high < least
    if metric.name in QUANTILES:
        broken = np.isfinite(most) and _slower(lived, most, alpha) > 1 - QUANTILES[metric.name]
    elif metric.counted == "events" and metric.unit == "share":
        size = n / _effect(lived, metric)
        found = sequential.share_bounds(value * size, (1 - value) * size, alpha)
        low, high = float(found.low), float(found.high)
        broken = low > most or high < least
    elif metric.counted == "events":
        found = sequential.asymptotic(value, _spread(lived), n, expect_n, alpha, sides=1)
        low, high = float(found.low), float(found.high)
        broken = low > most or high < least
    return Breach(value, low, high, round(n), broken=bool(broken))


def _slower(lived: Lived, limit: float, alpha: float) -> float:
    """Return the lower bound, at all looks together, of the share of the candidate's events slower than the limit."""
    counts = lived.steps(lived.serving.latency)[0, :, CANDIDATE]
    above = histograms.share_above(counts, lived.serving.edges, np.full(len(counts), limit))
    n = counts.sum(-1)
    effect = rates.dispersion(above, n)
    return float(sequential.share_bounds(above.sum() / effect, (n - above).sum() / effect, alpha).low)


def _spread(lived: Lived) -> float:
    """Return the standard error of the candidate's cost of 1,000 events: that of the mean of what was spent."""
    serving = lived.serving
    total, squares, n = (
        float(lived.steps(part)[0, :, CANDIDATE].sum()) for part in (serving.cost, serving.cost2, serving.costed)
    )
    return float(1000.0 * np.sqrt(max(squares / n - (total / n) ** 2, 0.0) / n)) if n else np.nan


def _effect(lived: Lived, metric: Metric) -> float:
    """Return how much more a share varies over the as-of steps than chance alone makes it."""
    steps = metric.measure(lived.each_step(), metric) if metric.measure else None
    if steps is None:
        return 1.0
    seen = slice(0, lived.look + 1)
    n: Array = steps.n[seen, CANDIDATE]
    hits = np.nan_to_num(steps.value[seen, CANDIDATE]) * n
    return float(rates.dispersion(hits, n))

"""Serving of a whole stage in, since when a budget is proven broken out; the proof holds at all as-of steps together.

A latency quantile is beyond a limit exactly when more events than it leaves out are slower: so it is a share, like
errors and fallbacks. What samples count needs no statistics but the hours to overflow, which rest on the luck of
arrivals, at each step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics import samples
from release_core.metrics.lived import THOUSAND
from release_core.stats import budgets, histograms

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

    # Totals, squares and numbers of values [look]; what their mean may be; whether they are 0 or 1.
    Series = tuple[Array, Array, Array, float, bool]
    Limits = tuple[float | None, float | None]

CANDIDATE = 1
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


@dataclass(frozen=True, slots=True)
class Breach:
    """The look at which a budget is first proven broken, since which look it is, and the candidate's value from then on."""

    look: int
    since: int
    value: float
    low: float
    high: float
    n: int


def breach(lived: Lived, metric: Metric, limits: Limits, alpha: float, least: float = 1.0) -> Breach | None:
    """Return when one metric with `measure` is first proven beyond a limit, over all events; None if it never is.

    Args:
        lived: one segment, all events, as of the last look.
        metric: a metric of events served, or of calls to dependencies.
        limits: at least, at most; None: no such limit.
        alpha: the error over all looks together, for both limits.
        least: events that must speak of it.
    """
    if metric.measure is None or not lived.segments:
        return None
    sides = [(side, limit) for side, limit in zip((-1, 1), limits, strict=True) if limit is not None]
    found = []
    for side, limit in sides:
        series = _series(lived, metric, side, float(limit))
        if series is not None:
            totals, squares, n, allowed, share = series
            found.append(budgets.onset(totals, squares, n, allowed, alpha / len(sides), share=share, least=least))
    found = [one for one in found if one.look >= 0]
    if not found:
        return None
    first = min(found)
    window = replace(lived, look=first.look, first=first.start)
    one = metric.measure(window, metric)
    low, high = (float(bound[0, CANDIDATE]) for bound in one.bounds(0.95))
    return Breach(first.look, first.start, float(one.value[0, CANDIDATE]), low, high, round(float(one.n[0, CANDIDATE])))


def sampled(lived: Lived, metric: Metric, limits: Limits, alpha: float) -> Breach | None:
    """Return what a look shows of a metric of runtime samples if it is beyond a limit, at that look alone; else None."""
    one = metric.measure(lived, metric) if metric.measure else None
    if one is None or not lived.segments or not np.isfinite(one.value[0, CANDIDATE]):
        return None
    least, most = (-np.inf if limits[0] is None else limits[0]), (np.inf if limits[1] is None else limits[1])
    low, high = (float(bound[0, CANDIDATE]) for bound in one.bounds(1 - alpha, sides=1))
    if not (low > most or high < least):
        return None
    value, n = float(one.value[0, CANDIDATE]), round(float(one.n[0, CANDIDATE]))
    return Breach(lived.look, -1, value, low, high, n)


def _series(lived: Lived, metric: Metric, side: int, limit: float) -> Series | None:
    """Return what a limit is read by, turned so that more is worse: `side` -1 where less is."""
    if metric.name in QUANTILES:
        counts = lived.steps(lived.serving.latency)[0, :, CANDIDATE]
        slower = histograms.share_above(counts, lived.serving.edges, np.full(len(counts), limit))
        return _share(slower, counts.sum(-1), side, 1 - QUANTILES[metric.name])
    if metric.name == "serving_cost":
        parts = (lived.serving.cost, lived.serving.cost2, lived.serving.costed)
        total, squares, n = (lived.steps(part)[0, :, CANDIDATE] for part in parts)
        return side * total, squares, n, side * limit / THOUSAND, False
    if metric.name == "dependency_failures":
        failed, asked = (samples.by_look(lived, name)[CANDIDATE] for name in (samples.FAILURES, samples.REQUESTS))
        return _share(np.minimum(failed, asked), asked, side, limit / THOUSAND)
    one = metric.measure(lived.each_step(), metric) if metric.measure and metric.unit == "share" else None
    if one is None:
        return None
    n = one.n[: lived.look + 1, CANDIDATE]
    return _share(np.nan_to_num(one.value[: lived.look + 1, CANDIDATE]) * n, n, side, limit)


def _share(hits: Array, n: Array, side: int, limit: float) -> Series:
    """Return the series of a share; of its opposite where less is worse."""
    counted = hits if side > 0 else n - hits
    return counted, counted, n, limit if side > 0 else 1 - limit, True

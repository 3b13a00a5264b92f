"""Cells without shards per bin in, standard errors out: what a metric of two dimensions would do on other events.

A metric's own error (see errors.py) takes events for independent and the versions for unrelated, which is mended by what all events
show: the design effect, and the correlation of the versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.stats import intervals
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Cells
    from release_core.metrics.table import Metric


def spread(metric: Metric, cells: Cells) -> tuple[Array, Array]:
    """Return standard errors [segment, side] and degrees of freedom [segment] of a metric that has an error of its own."""
    se = metric.independent(cells.whole)
    if metric.compared:
        return se, np.full(len(se), np.inf)
    effect, correlation, df = alike(metric, cells)
    return paired(se * np.sqrt(effect), correlation), np.full(len(se), df)


def paired(each: Array, correlation: float) -> Array:
    """Return standard errors [segment, side] of both versions and of their difference, from [segment, version]."""
    between = each[:, 0] ** 2 + each[:, 1] ** 2 - 2 * correlation * each[:, 0] * each[:, 1]
    return np.column_stack([each, np.sqrt(np.maximum(between, 0.0))])


def alike(metric: Metric, cells: Cells) -> tuple[Array, float, float]:
    """Return what all events show: the design effect [version], the versions' correlation, the degrees of freedom.

    1, 0 and infinity where the shards do not tell.
    """
    every = cells.overall() if cells.overall else None
    if not every or not every.segments:
        return np.ones(2), 0.0, np.inf
    return every.once(("alike", metric), lambda: _alike(metric, every))


def _alike(metric: Metric, every: Cells) -> tuple[Array, float, float]:
    values, left = metric.of(every.whole)[0], metric.of(every.left_out)[0]
    used = every.shards.events[0].min(-1) > 0
    found = intervals.jackknife(values, left.T, used)
    if not np.isfinite(found.se).all():
        return np.ones(2), 0.0, np.inf
    independent = metric.independent(every.whole)[0]
    effect = np.fmax(ratio(found.se, independent) ** 2, 1.0)
    moved = left[used] - left[used].mean(axis=0)
    correlation = float(ratio((moved[:, 0] * moved[:, 1]).sum(), np.sqrt((moved**2).sum(axis=0).prod())))
    return effect, correlation if np.isfinite(correlation) else 0.0, float(found.df[0])

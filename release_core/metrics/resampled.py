"""Cells without shards per bin in, standard errors out: what a metric of two dimensions would do on other events.

The AUC's error is DeLong's; for other metrics counts per bin are redrawn as Poisson numbers (METHODS 0.11). Both take events for
independent and the versions for unrelated, which is mended by what all events show: the design effect, and the correlation
of the versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import Tally
from release_core.metrics.shapes import AUC
from release_core.stats import intervals, ranking
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Cells
    from release_core.metrics.table import Metric

DRAWS = 200
SEED = 20260301
CLIP = 1e-7


def spread(metric: Metric, cells: Cells) -> tuple[Array, Array]:
    """Return standard errors [segment, side] and degrees of freedom [segment] of a metric over bins."""
    se = _independent(metric, cells.whole)
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
    independent = _independent(metric, every.whole)[0]
    effect = np.fmax(ratio(found.se, independent) ** 2, 1.0)
    moved = left[used] - left[used].mean(axis=0)
    correlation = float(ratio((moved[:, 0] * moved[:, 1]).sum(), np.sqrt((moved**2).sum(axis=0).prod())))
    return effect, correlation if np.isfinite(correlation) else 0.0, float(found.df[0])


def _independent(metric: Metric, tally: Tally) -> Array:
    """Return the standard error of the metric if events were independent, [segment, version] (or [segment, 1])."""
    if metric.name == AUC:
        return np.sqrt(ranking.delong_variance(tally.positive, tally.negative))
    return _drawn(metric, tally)


def _drawn(metric: Metric, tally: Tally) -> Array:
    """Return the standard deviation of the metric over redrawn counts, [segment, version] (or [segment, 1])."""
    rng = np.random.default_rng(SEED)
    values = metric.value(_redrawn(tally, rng))
    values = values[..., None] if metric.compared else values
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = ratio(np.where(known, values, 0.0).sum(axis=0), n)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    return np.where(n > DRAWS // 2, np.sqrt(ratio(squares, n - 1)), np.nan)


def _redrawn(tally: Tally, rng: np.random.Generator) -> Tally:
    """Return tallies [draw, ...] whose counts per bin are Poisson numbers around the counts at hand."""
    positive, negative, n = (
        rng.poisson(a, (DRAWS, *a.shape)).astype(float) for a in (tally.positive, tally.negative, tally.n)
    )
    known = tally.positive + tally.negative
    mean, logit = ratio(tally.labelled_score, known), ratio(tally.labelled_logit, known)
    score = np.clip(np.nan_to_num(mean, nan=0.5), CLIP, 1 - CLIP)
    drawn = positive + negative
    return Tally.of(
        tally.grid,
        {
            "n": n,
            "positive": positive,
            "negative": negative,
            "above": rng.poisson(tally.above, (DRAWS, *tally.above.shape)).astype(float),
            "labelled_logit": drawn * np.nan_to_num(logit),
            "events": n.sum(-1),
            "positives": positive.sum(-1),
            "negatives": negative.sum(-1),
            "labelled_scores": (drawn * score).sum(-1),
            "positive_scores": (positive * score).sum(-1),
            "squared": (drawn * score**2).sum(-1),
            "loss": -(positive * np.log(score) + negative * np.log(1 - score)).sum(-1),
        },
    )

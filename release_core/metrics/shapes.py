"""Cells and estimates with the jackknife's error in, bounds that hold for few events and rare ones too out.

Value -+ t x error is too short where few events count, or nearly all: of a recall of 95% from 100 positives it holds
the truth in 88% of logs. The error stays the jackknife's; the shape is that of the method for single events, of as many
events as the error stands for. With many events nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import EVERYONE
from release_core.stats import calibration, corp, decisions, intervals, ranking
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.frames import Array, Cells, Tally
    from release_core.metrics.table import Metric

    Bounds = tuple[Array, Array]
    # (confidence [segment, 1], sides) -> low and high [segment, side]
    Closed = Callable[[Array, int], Bounds]

AUC, OE, KS, AP = "auc", "oe_ratio", "ks_separation", "average_precision"
# Of an average precision with so many positives the variance is taken to be twice as large as it seems; by simulation
# (tests/bench/deep_coverage.py).
TOP_EVENTS = 8
# As in `corp.overfit`.
MCB = ("mcb_brier", "mcb_log_loss")


def shaped(metric: Metric, cells: Cells, value: Array, spread: tuple[Array, Array]) -> Closed | None:
    """Return the bounds [segment, side] by its errors of a metric with a shape of its own; None for value -+ t x error.

    Args:
        metric: the metric.
        cells: the cells that it is measured on.
        value: its values [segment, side].
        spread: their errors [segment, side] and the degrees of freedom [segment].
    """
    if metric.name == AUC:
        return areas(cells, value, spread)
    if metric.name == OE:
        return _ratios(cells.whole, value, spread)
    if metric.name == KS:
        return _separations(metric, cells.whole, value, spread)
    if metric.name in MCB:
        return _miscalibrations(cells.whole, value, spread, MCB.index(metric.name))
    if metric.name == AP:
        return _precisions(cells.whole, value, spread)
    if metric.unit != "share":
        return None
    if metric.compared or not (metric.rate and cells.paired):
        return _shares(value, spread)
    return _pairs(discordant(metric, cells.whole), value, spread)


def areas(cells: Cells, value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of AUCs by their errors [segment, side] and degrees of freedom [segment]."""
    se, df = spread
    classes = (cells.whole.positives, cells.whole.negatives)
    fewest = np.minimum(*classes).min(-1)

    def bounds(level: Array, sides: int) -> Bounds:
        low, high = ranking.auc_interval(value[:, :2], se[:, :2], classes, df[:, None], level, sides)
        own = (se[:, 2], fewest)
        if cells.paired:
            apart = cells.once("apart", cells.apart) if cells.apart else 1.0
            between = ranking.auc_difference_interval((value[:, 0], value[:, 1]), *own, apart, df, level[:, 0], sides)
        else:
            freedom = np.maximum(np.minimum(df, fewest - 1), 1)
            between = intervals.interval(value[:, 2], se[:, 2], freedom, level[:, 0], sides)
        return np.column_stack([low, between.low]), np.column_stack([high, between.high])

    return bounds


def _ratios(tally: Tally, value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of observed / expected; a difference, which is no ratio, keeps the plain ones."""
    se, df = spread

    def bounds(level: Array, sides: int) -> Bounds:
        plain = intervals.interval(value, se, df[:, None], level, sides)
        own = calibration.oe_interval(value[:, :2], se[:, :2], tally.labelled_scores, df[:, None], level, sides)
        return np.column_stack([own.low, plain.low[:, 2]]), np.column_stack([own.high, plain.high[:, 2]])

    return bounds


def _precisions(tally: Tally, value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of average precisions, which few events decide: those at the top show too little of what the rest would."""
    se, df = spread
    wider = np.ones(se.shape)
    wider[:, :2] = np.sqrt(1 + ratio(TOP_EVENTS, tally.positives))
    return _shares(value, (se * wider, df))


def _separations(metric: Metric, tally: Tally, value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of KS separations, of as many events as the errors stand for; a difference keeps the plain ones."""
    se, df = spread
    effect = np.fmax(ratio(se[:, :2], metric.independent(tally)) ** 2, 1.0)
    classes = tally.positives / effect, tally.negatives / effect

    def bounds(level: Array, sides: int) -> Bounds:
        plain = intervals.interval(value, se, df[:, None], level, sides)
        own = ranking.ks_interval(value[:, :2], se[:, :2], classes, df[:, None], level, sides)
        return np.column_stack([own.low, plain.low[:, 2]]), np.column_stack([own.high, plain.high[:, 2]])

    return bounds


def _miscalibrations(tally: Tally, value: Array, spread: tuple[Array, Array], loss: int) -> Closed:
    """Return the bounds of miscalibrations, each of which may be too large by what the recalibration's fit gains."""
    se, df = spread
    fit = corp.overfit(tally.positive, tally.positive + tally.negative)[loss]
    below, above = np.column_stack([fit, fit[:, 1]]), np.column_stack([0 * fit, fit[:, 0]])

    def bounds(level: Array, sides: int) -> Bounds:
        low, high = intervals.interval(value, se, df[:, None], level, sides)
        return low - below, high + above

    return bounds


def _shares(value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of shares; a difference, which is no share, keeps the plain ones."""
    se, df = spread

    def bounds(level: Array, sides: int) -> Bounds:
        plain = intervals.interval(value, se, df[:, None], level, sides)
        own = decisions.share_interval(value, se, df[:, None], level, sides)
        for one, other in zip(own, plain, strict=True):
            one[:, 2:] = other[:, 2:]
        return own.low, own.high

    return bounds


def _pairs(differ: tuple[Array, Array, Array], value: Array, spread: tuple[Array, Array]) -> Closed:
    """Return the bounds of both versions' shares of the same events, and of their difference."""
    se, df = spread
    lost, gained, every = differ
    each = _shares(value, spread)

    def bounds(level: Array, sides: int) -> Bounds:
        low, high = each(level, sides)
        apart = (ratio(lost, every), ratio(gained, every))
        between = decisions.paired_interval(apart, se[:, 2], df, level[:, 0], sides)
        known = ~np.isnan(between.low)
        low[:, 2] = np.where(known, between.low, low[:, 2])
        high[:, 2] = np.where(known, between.high, high[:, 2])
        return low, high

    return bounds


def discordant(metric: Metric, tally: Tally) -> tuple[Array, Array, Array]:
    """Return the events on which only the baseline, or only the candidate, took the metric's actions, and all of them."""
    actions, population = metric.rate or ((), EVERYONE)
    joint = tally.joint[..., population]
    chosen = np.isin(np.arange(joint.shape[-1]), actions)
    lost, gained = joint[..., chosen, :][..., ~chosen], joint[..., ~chosen, :][..., chosen]
    return lost.sum((-2, -1)), gained.sum((-2, -1)), joint.sum((-2, -1))

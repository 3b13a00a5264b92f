"""A tally in, one number per slice and version out: every metric as a pure function of cells.

Each function takes a Tally with any leading axes and returns [..., version]; the comparisons at the
end return [...]. NaN where undefined.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.release import MINOR_UNITS
from release_core.stats import calibration, corp, drift, logistic, ranking
from release_core.stats.arrays import ratio
from release_core.stats.average_precision import average_precision as averaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from release_core.frames import Array, Tally

    Value = Callable[[Tally], Array]

APPROVE = 0


def events(tally: Tally) -> Array:
    """Return the number of events scored by both versions."""
    return tally.events


def positives(tally: Tally) -> Array:
    """Return the number of events labelled positive."""
    return tally.positives


def negatives(tally: Tally) -> Array:
    """Return the number of events labelled negative."""
    return tally.negatives


def labelled(tally: Tally) -> Array:
    """Return the number of events with a label."""
    return positives(tally) + negatives(tally)


def labelled_share(tally: Tally) -> Array:
    """Return labelled events / events."""
    return ratio(labelled(tally), events(tally))


def base_rate(tally: Tally) -> Array:
    """Return positives / labelled events."""
    return ratio(positives(tally), labelled(tally))


def mean_score(tally: Tally) -> Array:
    """Return the mean score of all events, labelled or not."""
    return ratio(tally.scores, events(tally))


def auc(tally: Tally) -> Array:
    """Return the area under the ROC curve, half credit inside a bin."""
    return ranking.auc(tally.positive, tally.negative)


def average_precision(tally: Tally) -> Array:
    """Return the average precision, random order inside a bin."""
    return averaged(tally.positive, tally.negative)


def ks_separation(tally: Tally) -> Array:
    """Return the largest gap between recall and false-positive rate over all bin edges."""
    return ranking.ks_separation(tally.positive, tally.negative)


def brier(tally: Tally) -> Array:
    """Return the mean squared error of the score, exact from sums."""
    return calibration.brier(labelled(tally), positives(tally), tally.squared, tally.positive_scores)


def log_loss(tally: Tally) -> Array:
    """Return the mean log loss in nats, exact from sums (scores clipped to [1e-7, 1 - 1e-7])."""
    return calibration.log_loss(labelled(tally), tally.loss)


def oe_ratio(tally: Tally) -> Array:
    """Return observed positives / sum of the scores of labelled events."""
    return ratio(positives(tally), tally.labelled_scores)


def mean_logit(tally: Tally) -> Array:
    """Return the mean log-odds of the labelled scores of each bin; NaN in empty bins."""
    return ratio(tally.labelled_logit, tally.positive + tally.negative)


def calibration_intercept(tally: Tally) -> Array:
    """Return by how many log-odds all scores must move so that expected equals observed (slope fixed at 1)."""
    return logistic.calibration_intercept(tally.positive, tally.positive + tally.negative, mean_logit(tally)).value


def cox_intercept(tally: Tally) -> Array:
    """Return the intercept of Cox's calibration line, in log-odds."""
    return line(tally).intercept


def calibration_slope(tally: Tally) -> Array:
    """Return the slope of Cox's calibration line: below 1 the scores are too extreme."""
    return line(tally).slope


def line(tally: Tally) -> logistic.Line:
    """Return Cox's calibration line; what is asked of it one after the other is found together."""
    return tally.once("line", lambda: logistic.cox(tally.positive, tally.positive + tally.negative, mean_logit(tally)))


def mcb_brier(tally: Tally) -> Array:
    """Return the miscalibration part of the Brier score (CORP)."""
    return corp.corp_brier(tally.positive, tally.positive + tally.negative, brier(tally)).mcb


def mcb_log_loss(tally: Tally) -> Array:
    """Return the miscalibration part of the log loss (CORP), in nats."""
    return corp.corp_log_loss(tally.positive, tally.positive + tally.negative, log_loss(tally)).mcb


def unmapped(tally: Tally) -> Array:
    """Return NaN: what a metric of probabilities is worth for scores in points, which claim none."""
    return np.full(tally.events.shape, np.nan)


def taken(tally: Tally, actions: tuple[int, ...], population: int) -> Array:
    """Return how many events of a population (see frames.py) got one of these actions."""
    return tally.summed((actions, population), lambda one: _summed(one.actions[..., population], actions))


def decided(tally: Tally, population: int) -> Array:
    """Return how many events of a population got any action."""
    return tally.summed(("decided", population), lambda one: _summed(one.actions[..., population]))


def _summed(by_action: Array, actions: Iterable[int] | None = None) -> Array:
    """Return the sums over the last axis, or some places on it: of so short an axis one by one, which is several times as fast."""
    places = range(by_action.shape[-1]) if actions is None else actions
    found: Array = reduce(np.add, (by_action[..., place] for place in places))
    return found


def rate(actions: tuple[int, ...], population: int) -> Value:
    """Return the metric "share of a population that got one of these actions"."""
    return lambda tally: ratio(taken(tally, actions, population), decided(tally, population))


def precision(actions: tuple[int, ...]) -> Value:
    """Return the metric "positives among the labelled events that got one of these actions"."""
    return lambda tally: ratio(taken(tally, actions, POSITIVE), acted(actions)(tally))


def acted(actions: tuple[int, ...]) -> Value:
    """Return the number of labelled events that got one of these actions."""
    return lambda tally: taken(tally, actions, POSITIVE) + taken(tally, actions, NEGATIVE)


def amount_recall(actions: tuple[int, ...]) -> Value:
    """Return the metric "share of the amount of positives that got one of these actions".

    Summed in whole minor units: what adds up to the same is then the same, and no rounding passes for a change.
    """

    def amount(tally: Tally, some: tuple[int, ...] | None = None) -> Array:
        minor: Callable[[Tally], Array] = lambda one: np.rint(one.action_amounts[..., POSITIVE] * MINOR_UNITS)  # noqa: E731
        return tally.summed(("amount", some), lambda one: _summed(minor(one), some))

    return lambda tally: ratio(amount(tally, actions), amount(tally))


def share_above(cutoff: int) -> Value:
    """Return the metric "share of events at or beyond the registered cutoff number `cutoff`"."""
    return lambda tally: ratio(tally.above[..., cutoff], events(tally))


def both_decided(tally: Tally) -> Array:
    """Return the number of events on which both versions decided, [...]."""
    return tally.summed("both decided", lambda one: one.joint[..., EVERYONE].sum((-2, -1)))


def disagreement_rate(tally: Tally) -> Array:
    """Return the share of events on which the two versions' actions differ, [...]."""
    return ratio(disagreements(tally), both_decided(tally))


def disagreements(tally: Tally) -> Array:
    """Return the number of events on which the two versions' actions differ, [...]."""
    alike = tally.summed("alike", lambda one: np.trace(one.joint[..., EVERYONE], axis1=-2, axis2=-1))
    return both_decided(tally) - alike


def explained_share(tally: Tally) -> Array:
    """Return the share of disagreements with a reason code on every side that does more than approve, [...]."""
    return ratio(tally.joint_explained[..., EVERYONE].sum((-2, -1)), disagreements(tally))


def psi(tally: Tally) -> Array:
    """Return the population stability index of the candidate's scores against the baseline's, [...]."""
    return score_groups(tally).total


def score_groups(tally: Tally) -> drift.Psi:
    """Return the population stability index with its parts, in the groups fixed with the release, else the baseline's own."""
    return drift.psi(tally.n[..., 0, :], tally.n[..., 1, :], inner_edges(tally))


def inner_edges(tally: Tally) -> Array:
    """Return at which bins the inner groups of scores begin, [..., groups - 1]."""
    if not tally.grid.groups:
        return drift.quantile_groups(tally.n[..., 0, :])
    return drift.fixed_groups(tally.grid.groups, tally.grid.lower)


def ks_drift(tally: Tally) -> Array:
    """Return the largest gap between the two versions' score distributions, [...]."""
    return drift.ks_drift(tally.n[..., 0, :], tally.n[..., 1, :])

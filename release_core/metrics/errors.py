"""A tally in, the standard error out that a metric over bins would have if events were independent: [..., version].

Comparisons have [..., 1]; they take the versions' events for different ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.metrics import values as v
from release_core.stats import ranking, standard_errors
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.frames import Array, Tally
    from release_core.metrics.values import Value


def auc(tally: Tally) -> Array:
    """Return the error of the AUC, by DeLong."""
    return np.sqrt(ranking.delong_variance(tally.positive, tally.negative))


def share_above(value: Value) -> Value:
    """Return the error of a share of all events."""
    return lambda tally: standard_errors.share(value(tally), v.events(tally))


def average_precision(tally: Tally) -> Array:
    """Return the error of the average precision."""
    return standard_errors.average_precision(tally.positive, tally.negative)


def ks_separation(tally: Tally) -> Array:
    """Return the error of the largest gap between recall and false-positive rate."""
    return standard_errors.ks_separation(tally.positive, tally.negative)


def calibration_intercept(tally: Tally) -> Array:
    """Return the error of the shift in log-odds at which expected equals observed."""
    return standard_errors.calibration_intercept(tally.positive, tally.negative, v.mean_logit(tally))


def cox_intercept(tally: Tally) -> Array:
    """Return the error of the intercept of Cox's calibration line."""
    return _cox(tally)[0]


def calibration_slope(tally: Tally) -> Array:
    """Return the error of the slope of Cox's calibration line."""
    return _cox(tally)[1]


def _cox(tally: Tally) -> tuple[Array, Array]:
    return standard_errors.cox(tally.positive, tally.negative, v.mean_logit(tally), v.line(tally))


def mcb_brier(tally: Tally) -> Array:
    """Return the error of the miscalibration part of the Brier score."""
    return standard_errors.mcb_brier(tally.positive, tally.negative, _mean_score(tally))


def mcb_log_loss(tally: Tally) -> Array:
    """Return the error of the miscalibration part of the log loss."""
    return standard_errors.mcb_log_loss(tally.positive, tally.negative, _mean_score(tally))


def _mean_score(tally: Tally) -> Array:
    return ratio(tally.labelled_score, tally.positive + tally.negative)


def psi(tally: Tally) -> Array:
    """Return the error of the population stability index, [..., 1]."""
    sizes = (tally.n[..., version, :].sum(axis=-1) for version in range(2))
    return standard_errors.psi(v.score_groups(tally), *sizes)[..., None]


def ks_drift(tally: Tally) -> Array:
    """Return the error of the largest gap between the versions' score distributions, [..., 1]."""
    return standard_errors.ks_separation(tally.n[..., 1, :], tally.n[..., 0, :])[..., None]

"""Positives, events and log-odds per bin of many segments in; each segment's shift of log-odds, shrunken, out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from release_core.stats import logistic, pooling
from release_core.stats.arrays import Array, floats

PRIOR_SD = 2.0
_STEPS = 40


class Offsets(NamedTuple):
    """By segment [segments]: the shift as observed, its standard error, the shrunken shift with its own, the weight.

    `weight` is the share of the segment's own shift in the shrunken one (B_i); 1 everywhere, and nothing is shrunken,
    where fewer than five segments have a shift. `tau2` is the variance between segments: 0 where they do not differ
    detectably; NaN where nothing is shrunken.
    """

    raw: Array
    se: Array
    shrunk: Array
    shrunk_se: Array
    weight: Array
    tau2: float


def penalised(pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike, sd: float = PRIOR_SD) -> logistic.Shift:
    """Return the shift of log-odds under a prior N(0, sd^2) and its standard error; known for one class, and for none.

    By Newton's method; the penalised likelihood is concave, and its curvature at least 1 / sd^2.

    >>> penalised([0.0], [0.0], [0.0]).se.item()
    2.0
    """
    positive, events, x = np.broadcast_arrays(floats(pos), floats(n), floats(log_odds))
    # Bins without events tell nothing: where there are no labels none is left.
    filled = events.reshape(-1, events.shape[-1]).any(axis=0)
    positive, events, x = (np.compress(filled, part, axis=-1) for part in (positive, events, x))
    x = np.where(events > 0, x, 0.0)
    shift = np.zeros(events.shape[:-1])
    information = np.full(shift.shape, 1 / sd**2)
    for _ in range(_STEPS):
        p = expit(x + shift[..., None])
        information = (events * p * (1 - p)).sum(axis=-1) + 1 / sd**2
        step = ((positive - events * p).sum(axis=-1) - shift / sd**2) / information
        shift = shift + np.clip(step, -1.0, 1.0)
        if (np.abs(step) < 1e-9).all():
            break
    return logistic.Shift(shift, 1 / np.sqrt(information))


def offsets(pos: ArrayLike, n: ArrayLike, log_odds: ArrayLike, widened: float = 1.0) -> Offsets:
    """Return the shifts of log-odds that calibrate each segment, and the same shrunken (METHODS d5).

    A segment of one class, or without labels, takes part with its penalised shift. The error of a shrunken shift counts
    in that mean and tau^2 are estimated too (see pooling).

    Args:
        pos: positives [segments, B].
        n: labelled events [segments, B].
        log_odds: mean log-odds of each bin [segments, B] by what all events say of the score.
        widened: the design effect: by how much clustering widens the variances.
    """
    positive, events, x = np.broadcast_arrays(floats(pos), floats(n), floats(log_odds))
    plain = logistic.calibration_intercept(positive, events, x)
    raw, se, lacking = plain.value.copy(), plain.se.copy(), ~np.isfinite(plain.value)
    if lacking.any():
        raw[lacking], se[lacking] = penalised(positive[lacking], events[lacking], x[lacking])
    se *= np.sqrt(widened)
    pooled = pooling.shrink(raw, se**2)
    shrinkable = np.isfinite(pooled.weight)
    weight = np.where(shrinkable, pooled.weight, 1.0)
    value = np.where(shrinkable, pooled.value, raw)
    tau2 = float(pooled.tau2[0]) if shrinkable.any() else float("nan")
    error = np.where(shrinkable, pooling.errors(raw, se**2, pooled), se)
    return Offsets(raw, se, value, error, weight, tau2)

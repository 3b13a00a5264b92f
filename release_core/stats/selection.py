"""Counts by what was done and what is known in; how far outcomes that nobody can see could move a number, out.

Bounds without assumptions (Manski 1989): every event whose outcome is hidden may be good or bad. A share of actions is
linear-fractional in the number of bad ones of each group, so its extremes lie where groups are wholly good or bad.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, floats, only, ratio
from release_core.stats.intervals import critical


class Range(NamedTuple):
    """The least and the greatest value."""

    low: Array
    high: Array


class Hajek(NamedTuple):
    """A weighted share, its linearised standard error, and the effective number of events."""

    value: Array
    se: Array
    effective: Array


def _completions(hidden: Array) -> Array:
    """Return [..., completion, group]: all ways in which each group's hidden events are wholly of the class or not."""
    corners = np.array(list(product((0.0, 1.0), repeat=hidden.shape[-1])))
    return hidden[..., None, :] * corners


def _range(values: Array) -> Range:
    """Return the range of [..., completion, version] and of the versions' difference; completions without value drop out."""
    both = np.concatenate([values, values[..., 1:] - values[..., :1]], axis=-1) if values.shape[-1] > 1 else values
    return Range(np.fmin.reduce(both, axis=-2), np.fmax.reduce(both, axis=-2))


def of_class(mine: ArrayLike, others: ArrayLike, hidden: ArrayLike, acted: ArrayLike) -> Range:
    """Return the range of the share of a class that each version acts on (recall, false-positive rate).

    Args:
        mine: events known to be of the class, [..., group].
        others: events known to be of the other class; they do not matter.
        hidden: events that may be of either, [..., group].
        acted: whether each version acts on the group, [version, group].

    Returns:
        Both ends [..., side]: each version, then (with two versions) second less first.

    >>> [end.round(2).tolist() for end in of_class([8, 2], [0, 0], [0, 10], [[1, 0], [1, 0]])]
    [[0.4, 0.4, 0.0], [0.8, 0.8, 0.0]]
    """
    del others
    counts = floats(mine)[..., None, :] + _completions(floats(hidden))
    taken = (counts[..., None, :] * floats(acted)).sum(-1)
    return _range(ratio(taken, counts.sum(-1)[..., None]))


def of_acted(mine: ArrayLike, others: ArrayLike, hidden: ArrayLike, acted: ArrayLike) -> Range:
    """Return the range of the share that is of the class among what each version acts on (precision); see `of_class`.

    >>> [end.round(2).tolist() for end in of_acted([8, 2], [2, 5], [10, 7], [[1, 0], [1, 0]])]
    [[0.4, 0.4, 0.0], [0.9, 0.9, 0.0]]
    """
    known, free, mask = floats(mine) + floats(others), floats(hidden), floats(acted)
    taken = ((floats(mine)[..., None, :] + _completions(free))[..., None, :] * mask).sum(-1)
    every = ((known + free)[..., None, :] * mask).sum(-1)
    return _range(ratio(taken, every[..., None, :]))


def auc_range(auc: ArrayLike, positives: ArrayLike, negatives: ArrayLike, hidden: ArrayLike) -> Range:
    """Return a safe range of the AUC when `hidden` [...] events may be of either class and score anywhere.

    With x of them bad, at most x N + y P + x y more pairs come in, each won or lost. AUC, positives and negatives are
    [..., version]; both ends [..., side] with the difference last.

    >>> [end.round(3).tolist() for end in auc_range([0.8, 0.9], [50, 50], [950, 950], 10)]
    [[0.667, 0.75, -0.083], [0.833, 0.917, 0.25]]
    """
    value, p, n, h = floats(auc), floats(positives), floats(negatives), floats(hidden)[..., None]
    bad = np.clip((n + h - p) / 2, 0, h)
    pairs = (p + bad) * (n + h - bad)
    low, high = ratio(value * p * n, pairs), 1 - ratio((1 - value) * p * n, pairs)
    difference = low[..., 1:] - high[..., :1], high[..., 1:] - low[..., :1]
    return Range(*(np.concatenate([end, more], axis=-1) for end, more in zip((low, high), difference, strict=True)))


def hajek(positive: ArrayLike, positive2: ArrayLike, weight: ArrayLike, weight2: ArrayLike) -> Hajek:
    """Return the weighted share of positives, from sums of weights and of their squares.

    Hajek 1971; the standard error is linearised for independent events drawn with replacement:
    sum w^2 (y - share)^2 / (sum w)^2, with sum w^2 y known from the squares of the positives.

    >>> [x.round(4).item() for x in hajek(30, 90, 120, 600)]
    [0.25, 0.0757, 24.0]
    """
    share = ratio(positive, weight)
    squares = floats(positive2) * (1 - 2 * share) + floats(weight2) * share**2
    return Hajek(share, np.sqrt(ratio(squares, floats(weight) ** 2)), ratio(floats(weight) ** 2, weight2))


def horvitz_thompson(weight: ArrayLike, weight2: ArrayLike) -> tuple[Array, Array]:
    """Return the total that observed events stand for, and its standard error, from sums of weights and of their squares.

    Horvitz and Thompson 1952, each event observed on its own: variance sum w (w - 1).

    >>> [x.round(2).item() for x in horvitz_thompson(10 * 30, 100 * 30)]
    [300.0, 51.96]
    """
    return floats(weight), np.sqrt(np.maximum(floats(weight2) - floats(weight), 0.0))


def holdout_reach(
    share: ArrayLike, hidden: ArrayLike, rate: ArrayLike, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Return (outcomes, reach): what letting `share` of the hidden events through by lot tells of their rate.

    reach is half the width of the interval, critical x sqrt(rate (1 - rate) / outcomes) (METHODS f6); NaN without any.

    >>> [x.round(3).item() for x in holdout_reach(0.01, 10_000, 0.2)]
    [100.0, 0.078]
    """
    outcomes, p = floats(share) * floats(hidden), floats(rate)
    reach = critical(confidence) * np.sqrt(ratio(p * (1 - p), outcomes))
    return outcomes, only(reach, outcomes > 0)


__all__ = ["Flags", "Hajek", "Range", "auc_range", "hajek", "holdout_reach", "horvitz_thompson", "of_acted", "of_class"]

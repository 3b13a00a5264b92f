"""What a cutoff does today, and another score's counts per bin, in; the cutoff that does the same there, out.

Every rule returns a bin edge: 0 alerts on all, B on none, -1 says that nothing is known. Events are on the last axis,
from safest to riskiest. Equal alert rate and equal false-positive rate are `drift.equal_alert_rate` of all events or of
the negatives; the two rules that need more are here, with the standard error of what a transferred cutoff changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Indices, at_or_above, floats, only, ratio
from release_core.stats.cutoffs import below_edges

_ROUNDING = 1e-12


class Precise(NamedTuple):
    """A cutoff of at least some precision, the precision there, and how often the precision curve passes the target."""

    bin: Indices
    achieved: Array
    passes: Indices


class Bounded(NamedTuple):
    """The highest cutoff that misses no more than allowed, and what it misses."""

    bin: Indices
    achieved: Array


def equal_precision(pos: ArrayLike, neg: ArrayLike, target: ArrayLike) -> Precise:
    """Return the lowest edge whose precision is at least `target` (METHODS c5); B where none is.

    `passes` counts how often the precision changes sides of the target on the way from alert all to alert none; more
    than once, and precision is not monotone there: another cutoff may keep it too. Without labels the bin is -1.

    >>> equal_precision([1, 1, 2], [8, 2, 1], 0.5)
    Precise(bin=array(1), achieved=array(0.5), passes=array(1))
    """
    caught, alerts = at_or_above(pos), at_or_above(floats(pos) + floats(neg))
    precision = ratio(caught, alerts)
    enough = precision >= floats(target)[..., None] * (1 - _ROUNDING)
    last = precision.shape[-1] - 1
    found = np.where(enough.any(axis=-1), enough.argmax(axis=-1), last)
    steps = (enough[..., 1:] != enough[..., :-1]) & (alerts[..., 1:] > 0)
    achieved = np.take_along_axis(precision, found[..., None], axis=-1)[..., 0]
    known = (alerts[..., 0] > 0) & ~np.isnan(floats(target))
    return Precise(np.where(known, found, -1), only(achieved, known), np.where(known, steps.sum(axis=-1), 0))


def equal_loss(loss: ArrayLike, target: ArrayLike) -> Bounded:
    """Return the highest edge below which no more than `target` is lost, the `loss` [..., B] of each bin being given.

    The highest, because of cutoffs that lose no more it alerts least. -1 where the target is not known.

    >>> equal_loss([1, 2, 5], 3.0)
    Bounded(bin=array(2), achieved=array(3.))
    """
    caught = at_or_above(loss)
    missed, wanted = caught[..., :1] - caught, floats(target)
    allowed = missed <= wanted[..., None] + _ROUNDING * np.abs(caught[..., :1])
    found = np.where(np.isnan(wanted), -1, allowed.sum(axis=-1) - 1)
    achieved = np.take_along_axis(missed, np.maximum(found, 0)[..., None], axis=-1)[..., 0]
    return Bounded(found, only(achieved, found >= 0))


def equal_loss_ends(
    caught: ArrayLike, missed: ArrayLike, events: ArrayLike, reach: ArrayLike
) -> tuple[Indices, Indices]:
    """Return the lowest and the highest edge whose loss cannot be told from today's; -1 with fewer than two events.

    At every edge the difference of both losses is tested with its error at that edge, as McNemar's test does, not with the
    error at the transferred cutoff: where few positives lie beyond today's cutoff, that is often too small by chance.

    Args:
        caught: the loss that today's cutoff avoids, and its squares, by bin of the other score [2, ..., B].
        missed: the same of the loss that today's cutoff lets through.
        events: labelled events [...].
        reach: so many standard errors of independent events does the interval have on either side [...].

    >>> ends = equal_loss_ends([[0, 1, 1], [0, 1, 1]], [[3, 1, 0], [3, 1, 0]], 9, 1.96)
    >>> [end.item() for end in ends]
    [1, 3]
    """
    change, squares = below_edges(caught) + at_or_above(missed) * np.array([-1.0, 1.0]).reshape(
        2, *[1] * np.ndim(events), 1
    )
    n, size = floats(events)[..., None], np.abs(change)
    # The variance of a sum is n / (n - 1) x (squares - sum^2 / n); solved for the sum.
    wide = ratio(floats(reach)[..., None] ** 2, n - 1)
    alike = (size**2 * (1 + wide) <= wide * n * squares) | (size <= size.min(axis=-1, keepdims=True))
    low, high = alike.argmax(axis=-1), alike.shape[-1] - 1 - alike[..., ::-1].argmax(axis=-1)
    known = (n[..., 0] > 1) & alike.any(axis=-1)
    return np.where(known, low, -1), np.where(known, high, -1)


def mean_se(n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> Array:
    """Return the standard error of a mean of `n` independent numbers from their sum and the sum of their squares.

    Of a difference of rates on the same events the numbers are -1, 0 and 1. NaN for fewer than two.

    >>> mean_se(100, 0, 4).round(4).item()
    0.0201
    """
    events = floats(n)
    variance = np.maximum(floats(squares) - ratio(floats(total) ** 2, events), 0.0)
    return only(np.sqrt(ratio(variance, events * (events - 1))), events > 1)


def precision_se(joint: ArrayLike) -> Array:
    """Return the standard error of the second version's precision less the first's, on the same labelled events.

    `joint` [..., 2, 2, 2] counts events by (first alerts, second alerts, positive). By linearisation: the variance of
    what each event adds to either precision. NaN where a version alerts on nothing.

    >>> precision_se([[[50, 0], [2, 2]], [[2, 2], [4, 8]]]).round(3).item()
    0.091
    """
    table = floats(joint)
    n = table.sum(axis=(-3, -2, -1))
    label = np.arange(2.0)
    # An event's share in a precision is (label - precision) / alerts where the version alerts, else 0.
    parts = []
    for axis in (-3, -2):
        alerts = np.take(table, 1, axis=axis).sum(axis=-2)
        value = ratio(alerts[..., 1], alerts.sum(axis=-1))
        parts.append(ratio(label - value[..., None], alerts.sum(axis=-1)[..., None]))
    first = np.array([0.0, 1.0])[:, None, None] * parts[0][..., None, None, :]
    second = np.array([0.0, 1.0])[:, None] * parts[1][..., None, None, :]
    squares = (table * (second - first) ** 2).sum(axis=(-3, -2, -1))
    return only(np.sqrt(squares), n > 1)

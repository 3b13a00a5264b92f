"""Known labels and the share known by their age in; what metrics will read when every label is in, out (METHODS f4).

Each known label counts 1 / F times, F being the share known at its event's age among events with the same action.
Arrays have the axes label (positive, negative), group, age; groups belong to strata that share one F. Before the groups (and
strata) there may be any further axes, of segments for example: they stay in front of what is returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from release_core.stats.arrays import Array, Flags, Indices, floats, only, ratio
from release_core.stats.decisions import wilson
from release_core.stats.development import younger
from release_core.stats.intervals import Interval, interval

TOO_EARLY = 0.2
HEAVIEST = 20.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the events of a nowcast.

    `labels` [label, group, age] are known labels, `events` [group, age] all events, `weight` [label, group, age] what a
    known label counts, `stratum` [group] where each group belongs, `link` [label, stratum, lag] the variances of the
    log link ratios behind the weights (0: weights are certain), `dispersion` how much more than Poisson counts vary.
    """

    labels: Array
    events: Array
    weight: Array
    stratum: Indices
    link: Array
    dispersion: float | Array = 1.0


class Sum(NamedTuple):
    """A weighted count: coefficients [version, group] of weighted positives, weighted negatives and all events.

    Several counts at once stand in an axis before all others, [count, ..., version, group].
    """

    positive: Array
    negative: Array
    events: Array

    @property
    def parts(self) -> tuple[Array, Array, Array]:
        """Return the three coefficients, in the order positive, negative, all events."""
        return (self.positive, self.negative, self.events)


class Nowcast(NamedTuple):
    """A metric [baseline, candidate, difference], its standard error, and the effective number of events it rests on."""

    value: Array
    se: Array
    effective: Array


def weight(share: ArrayLike, least: float = TOO_EARLY, most: float = HEAVIEST) -> Array:
    """Return 1 / share, at most `most`; NaN where the share known is below `least`: too early to tell.

    >>> weight([1.0, 0.5, 0.1])
    array([ 1.,  2., nan])
    """
    known = floats(share)
    return only(np.minimum(ratio(1.0, known), most), known >= least)


def of(known: Known, top: Sum, bottom: Sum, fixed: Array | None = None) -> Nowcast:
    """Return the ratio of two weighted counts for both versions, and candidate - baseline, with linearised errors.

    The error has two parts: which events there were (each event's influence, squared and summed; both versions'
    influences are taken of the same event, so the difference is paired), and how well the weights are known (the
    delta method over the ladder's link ratios). `fixed` [version] is a bottom that is not counted but given.
    """
    whole = total(known, bottom) if fixed is None else floats(fixed)
    value = ratio(total(known, top), whole)
    none = np.zeros_like(bottom.events)
    below = bottom if fixed is None else Sum(none, none, none)
    each, of_all = value[..., None], whole[..., None]
    pull = [ratio(a - each * b, of_all) for a, b in zip(top.parts, below.parts, strict=True)]
    pull = [np.concatenate([part, part[..., 1:, :] - part[..., :1, :]], axis=-2) for part in pull]
    wider = floats(known.dispersion)[..., None]
    variance = wider * (_of_events(known, pull) + _of_weights(known, pull))
    shown = np.concatenate([value, value[..., 1:] - value[..., :1]], axis=-1)
    size = _effective(known, bottom if fixed is None else top)
    size = np.concatenate([size, size.min(-1, keepdims=True)], axis=-1)
    return Nowcast(shown, only(np.sqrt(variance), np.isfinite(shown)), size)


def total(known: Known, what: Sum) -> Array:
    """Return a weighted count of each version, [..., version]."""
    weighted = (known.labels * known.weight).sum(-1)
    counts = (*weighted, known.events.sum(-1))
    parts = (floats(a * b[..., None, :]).sum(-1) for a, b in zip(what.parts, counts, strict=True))
    return sum(parts, np.zeros(what.events.shape[-2]))


def _classes(known: Known, parts: list[Array]) -> list[tuple[Array, Array]]:
    """Return (count [..., 1, group, age], value [..., version, group, age]) of known positives, known negatives and the rest."""
    base = parts[2][..., None]
    labels, weight = known.labels[..., None, :, :], known.weight[..., None, :, :]
    kinds = [(labels[k], weight[k] * parts[k][..., None] + base) for k in range(2)]
    rest = known.events[..., None, :, :] - labels.sum(0)
    return [*kinds, (rest, np.broadcast_to(base, kinds[0][1].shape))]


def _of_events(known: Known, pull: list[Array]) -> Array:
    return floats(sum(np.abs(count * worth**2).sum((-2, -1)) for count, worth in _classes(known, pull)))


def _of_weights(known: Known, pull: list[Array]) -> Array:
    """Return the variance that the weights' own uncertainty adds: later link ratios move all younger ages together."""
    found = np.zeros(pull[0].shape[:-1])
    member = np.equal.outer(np.arange(known.link.shape[-2]), known.stratum).astype(float)
    for labels, weight, link, each in zip(known.labels, known.weight, known.link, pull, strict=False):
        if link.any():
            moved = member @ ((labels * weight)[..., None, :, :] * each[..., None])
            found += (younger(moved, link.shape[-1]) ** 2 * link[..., None, :, :]).sum((-2, -1))
    return found


def _effective(known: Known, what: Sum) -> Array:
    """Return (sum of weights)^2 / sum of squared weights of the events that a count counts, per version."""
    classes = _classes(known, list(what.parts))
    one = sum(np.abs(count * worth).sum((-2, -1)) for count, worth in classes)
    two = sum(np.abs(count * worth**2).sum((-2, -1)) for count, worth in classes)
    return ratio(floats(one) ** 2, floats(two))


def bounds(found: Nowcast, *, share: bool, confidence: float = 0.95) -> Interval:
    """Return the intervals of a nowcast [..., (baseline, candidate, difference)].

    A share's is Wilson's for the number of events that its standard error implies (the effective number where the
    share is 0 or 1); the difference, and what is no share, take the normal one.
    """
    low, high = interval(found.value, found.se, confidence=confidence)
    if not share:
        return Interval(low, high)
    each = found.value[..., :2]
    spread = each * (1 - each)
    size = np.where(spread > 0, ratio(spread, found.se[..., :2] ** 2), found.effective[..., :2])
    inside = wilson(each * size, size, confidence)
    ends = [np.concatenate([side, old[..., 2:]], axis=-1) for side, old in zip(inside, (low, high), strict=True)]
    return Interval(*ends)


def ready(share: Array, used: Flags, least: float = TOO_EARLY) -> Flags:
    """Return which ages [age] can be nowcast: every stratum [stratum, age] with events (`used`) is old enough."""
    return np.logical_and.reduce((share >= least) | ~used, axis=-2)

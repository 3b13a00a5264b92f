"""How labels develop in; final counts and quality metrics as they will read when every label is in, out.

The share known is estimated by the action taken, since an action decides how fast a label comes: a correction over
all actions together misleads more than none (METHODS f4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from release_core.metrics.values import APPROVE
from release_core.stats import development as ladders
from release_core.stats import nowcast
from release_core.stats.arrays import only, ratio
from release_core.stats.development import Ladder
from release_core.stats.nowcast import Sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Array
    from release_core.label_frames import Development
    from release_core.stats.nowcast import Known, Nowcast

NAMES = ("recall", "precision", "fpr", "base_rate", "oe_ratio", "amount_recall")
# So many mature events make few positives a fact about an action, not a lack of time.
OLD_EVENTS = 100
# By how much of a share the labels of two arms may differ in age before a difference of them is refused.
EQUAL = 0.02
POSITIVE, NEGATIVE = 0, 1
Number = TypeVar("Number")


@dataclass(frozen=True)
class Delay:
    """How the labels of some events come in, by stratum (the action taken): what a nowcast multiplies with.

    `own` are the events; `explicit` says that negatives are told as positives are (else silence is negative, they have
    no ladder and their share is 1). `ladders` [label][stratum], `share` [label, stratum, age] of labels known by each
    age; `dispersion` [stratum] of positives;
    Several segments at once stand before the strata, or before the lags of a ladder.
    `pooled` names the strata that have too few positives for a ladder of their own and took that of all actions;
    `oldest` is the age of the oldest events of each level from which steps were borrowed.
    """

    own: Development
    explicit: bool
    strata: tuple[int, ...]
    ladders: tuple[tuple[Ladder, ...], ...]
    share: Array
    dispersion: Array
    pooled: tuple[int, ...]
    oldest: tuple[int, ...]

    @cached_property
    def place(self) -> Array:
        """Return the stratum number of each group."""
        return np.searchsorted(np.array(self.strata), self.own.taken)

    @cached_property
    def ready(self) -> Array:
        """Return which ages can be nowcast: in every stratum with events at least a fifth of the labels is known."""
        every = self.own.events.sum(-2)
        used = np.array([self.events(n) > 0 for n in range(len(self.strata))], bool).reshape(
            len(self.strata), *every.shape
        )
        kinds = self.share if self.explicit else self.share[:1]
        found: Array = np.logical_and.reduce([nowcast.ready(share, np.moveaxis(used, 0, -2)) for share in kinds])
        return found & (every > 0)

    def events(self, stratum: int) -> Array:
        """Return a stratum's events by age."""
        found: Array = self.own.events[..., self.place == stratum, :].sum(-2)
        return found

    def table(self, stratum: int, label: int = POSITIVE) -> Array:
        """Return a stratum's labels [age, lag]."""
        found: Array = _labels(self.own, label)[..., self.place == stratum, :, :].sum(-3)
        return found

    def present(self, stratum: int) -> Array:
        """Return whether a stratum has events; one that has none says nothing of what is to come."""
        return np.asarray(self.own.events.ndim == 2) | (self.events(stratum) != 0).any(-1)

    def horizon(self, label: int = POSITIVE) -> int:
        """Return the lag at which all strata's labels count as final; -1 where none has a ladder."""
        return int(min((steps.horizon for steps in self.ladders[label] if steps.horizon >= 0), default=-1))


class Count(NamedTuple, Generic[Number]):
    """Positives of the ages that can be nowcast: known now, and final with its 95% prediction interval.

    Where no age can be nowcast `known` counts all that are known, and the rest is NaN.
    """

    known: Number
    final: Number
    low: Number
    high: Number


def _labels(one: Development, label: int) -> Array:
    return (one.positive, one.negative)[label]


def seen(one: Development, unseen: Sequence[str]) -> Development:
    """Return the events without those after whose action taken no outcome can be seen: they have no label to wait for."""
    keep = np.array([place < 0 or one.actions[place] not in unseen for place in one.taken], dtype=bool)
    grouped = {name: getattr(one, name)[keep] for name in ("taken", "wanted", "counted")}
    grouped |= {name: getattr(one, name)[..., keep, :] for name in _BY_AGE}
    return replace(one, **grouped, **{name: getattr(one, name)[..., keep, :, :] for name in ("positive", "negative")})


_BY_AGE = ("events", "amounts", "positive_amounts", "scores", "labelled")


def delay(levels: Sequence[Development], *, explicit: bool, maturity: float) -> Delay:
    """Return how labels come in: of the first level's events, borrowing steps with too few labels from the next levels.

    All levels have the same buckets; usually a segment, its stage, and all stages together. `maturity` in days.
    """
    own = levels[0]
    strata = tuple(int(s) for s in np.unique(own.taken))
    found, pooled = [], []
    for label in (POSITIVE, NEGATIVE) if explicit else (POSITIVE,):
        row = []
        for stratum in strata:
            steps = ladders.ladder([_table(one, stratum, label) for one in levels])
            few = np.asarray(steps.horizon < 0) & (label == POSITIVE)
            few = few & _rare(levels, stratum, maturity) if few.any() else few
            if few.any():
                every = ladders.ladder([_labels(one, label).sum(-3) for one in levels])
                wide = [few[..., None]] * 4 + [few]
                steps = Ladder(*(np.where(use, b, a) for use, a, b in zip(wide, steps, every, strict=True)))
                pooled.append(stratum)
            row.append(steps)
        found.append(tuple(row))
    lead = own.events.shape[:-2]
    share = np.ones((2, *lead, len(strata), len(own.ends)))
    for label, row_of in enumerate(found):
        for number, steps in enumerate(row_of):
            share[label, ..., number, :] = ladders.at_ages(steps, len(own.ends))
    spread = [_dispersion(levels, stratum) for stratum in strata]
    oldest = tuple(int(np.nonzero(one.events.sum(-2))[-1].max(initial=0)) for one in levels)
    spreads = np.moveaxis(np.reshape(spread, (len(strata), *lead)), 0, -1)
    return Delay(own, explicit, strata, tuple(found), share, spreads, tuple(pooled), oldest)


def _table(one: Development, stratum: int, label: int) -> Array:
    found: Array = _labels(one, label)[..., one.taken == stratum, :, :].sum(-3)
    return found


def _rare(levels: Sequence[Development], stratum: int, maturity: float) -> Array:
    """Return whether a stratum has few positives although many of its events are mature: a fact, not a lack of time."""
    old = (one.events[..., one.taken == stratum, :].sum(-2)[..., one.days >= maturity].sum(-1) for one in levels)
    found = np.zeros((), dtype=bool)
    for n in old:
        found = found | (n >= OLD_EVENTS)
    return found


def _dispersion(levels: Sequence[Development], stratum: int) -> Array:
    """Return the over-dispersion of bad labels in the first level with enough of them in the stratum."""
    found = np.full(levels[0].events.shape[:-2], np.nan)
    for one in levels:
        if np.isnan(found).any():
            table = _table(one, stratum, POSITIVE)
            enough = table.sum((-2, -1)) >= ladders.LEAST_AT_RISK * 3
            found = np.where(np.isnan(found) & enough, ladders.over_dispersion(table), found)
    return np.where(np.isnan(found), 1.0, found)


def count(one: Delay, strata: Sequence[int] | None = None, ages: Array | None = None) -> Count[float]:
    """Return the final number of positives of some strata (numbers; None: all) at some ages (None: all that are ready)."""
    found = counts(one, strata, ages)
    return Count(*(float(value) for value in found))


def counts(one: Delay, strata: Sequence[int] | None = None, ages: Array | None = None) -> Count[Array]:
    """Return the same as arrays, of each of several segments."""
    use = one.ready if ages is None else ages
    some = use.any(-1)
    known, mean, variance = (np.zeros(some.shape) for _ in range(3))
    for number in range(len(one.strata)) if strata is None else strata:
        latest = one.table(number).sum(-1)
        to_come = ladders.outlook(latest, one.ladders[POSITIVE][number], one.dispersion[..., number], use)
        present = one.present(number)
        known = known + np.where(some, np.where(use, latest, 0.0).sum(-1), latest.sum(-1))
        mean = mean + np.where(present, to_come.mean, 0.0)
        variance = variance + np.where(present, to_come.variance, 0.0)
    low, high = (only(end, some) for end in ladders.predicted(known, ladders.Outlook(mean, variance)))
    return Count(known, only(known + mean, some), low, high)


def known(one: Delay, ages: Array, *, corrected: bool) -> Known:
    """Return what is known of the events at some ages: each label counted as it will come in, or (naive) once."""
    labels = np.stack([_labels(one.own, label).sum(-1) for label in (POSITIVE, NEGATIVE)])
    if not one.explicit:
        labels[NEGATIVE] = 0.0
    heavy = nowcast.weight(one.share)[..., one.place, :]
    weight = np.where(labels > 0, heavy, 1.0) if corrected else np.ones_like(labels)
    link = np.zeros_like(one.share)
    for label, row in enumerate(one.ladders):
        for number, steps in enumerate(row):
            link[label, ..., number, :] = ladders.link_variance(steps)
    keep = np.asarray(ages, dtype=float)[..., None, :]
    counting = [one.present(number) for number in range(len(one.strata))]
    spread = np.where(
        np.moveaxis(np.reshape(counting, (len(one.strata), *one.own.events.shape[:-2])), 0, -1), one.dispersion, 1.0
    )
    return nowcast.Known(
        labels * keep,
        one.own.events * keep,
        np.where(keep > 0, weight, 1.0),
        one.place,
        link if corrected else np.zeros_like(link),
        spread.max(-1, initial=1.0) if corrected else 1.0,
    )


def estimate(one: Delay, name: str, ages: Array, *, corrected: bool) -> Nowcast:
    """Return a metric of NAMES over the events at some ages, naive or corrected for labels that are still to come.

    Naive: labels as known now, and where silence is negative every event without one counts as negative.
    The amount recall has no error: amounts vary too much for one.
    """
    what = known(one, ages, corrected=corrected)
    if name == "amount_recall":
        return _amounts(one, what)
    counted = one.own.counted.T.astype(float)
    alert = counted * (one.own.wanted.T != APPROVE)
    nothing = np.zeros_like(counted)
    positives = Sum(counted, nothing, nothing)
    match name:
        case "recall":
            return nowcast.of(what, Sum(alert, nothing, nothing), positives)
        case "precision":
            every = Sum(alert, alert, nothing) if one.explicit else Sum(nothing, nothing, alert)
            return nowcast.of(what, Sum(alert, nothing, nothing), every)
        case "fpr":
            if one.explicit:
                return nowcast.of(what, Sum(nothing, alert, nothing), Sum(nothing, counted, nothing))
            return nowcast.of(what, Sum(-alert, nothing, alert), Sum(-counted, nothing, counted))
        case "base_rate":
            every = Sum(counted, counted, nothing) if one.explicit else Sum(nothing, nothing, counted)
            return nowcast.of(what, positives, every)
    return nowcast.of(what, positives, positives, fixed=_expected(one, what, ages))


def _expected(one: Delay, what: Known, ages: Array) -> Array:
    """Return the sum of each version's scores over the events whose positives are counted."""
    counted = one.own.counted.T.reshape(2, *(1 for _ in one.own.events.shape[:-2]), -1, 1) * ages[..., None, :]
    if not one.explicit:
        found: Array = (one.own.scores * counted).sum((-2, -1))
        return np.moveaxis(found, 0, -1)
    # Labels stand in the order negative, positive in `labelled`.
    scores = one.own.labelled[::-1] * counted
    summed: Array = (scores * what.weight[:, None]).sum((0, -2, -1))
    return np.moveaxis(summed, 0, -1)


def _amounts(one: Delay, what: Known) -> Nowcast:
    amounts = (one.own.positive_amounts * what.weight[POSITIVE] * (what.events > 0))[..., None, :, :]
    counted = one.own.counted.T.astype(float)[..., None]
    alert = counted * (one.own.wanted.T != APPROVE)[..., None]
    value = ratio((alert * amounts).sum((-2, -1)), (counted * amounts).sum((-2, -1)))
    shown = np.concatenate([value, value[..., 1:] - value[..., :1]], axis=-1)
    return nowcast.Nowcast(shown, np.full(shown.shape, np.nan), np.full(shown.shape, np.nan))


def equally_old(one: Delay) -> bool:
    """Return whether both versions' events are about equally old, so that a difference of naive metrics means something.

    True where both answer for the same events. Otherwise the mean share of labels known may differ by two points.
    """
    shares = np.nan_to_num(one.share[POSITIVE])[one.place]
    means = []
    for version in range(2):
        events = one.own.events * one.own.counted[:, version, None]
        # By age alone: which actions an arm takes is a difference between the versions, not of age.
        means.append(ratio((events.sum(0) * _typical(one, shares)).sum(), events.sum()))
    return not abs(float(means[1] - means[0])) > EQUAL


def _typical(one: Delay, shares: Array) -> Array:
    """Return by age the share of labels known, each action weighted by its final positives."""
    weight = one.own.positive.sum((-2, -1))[:, None]
    return np.nan_to_num(ratio((shares * weight).sum(0), weight.sum(0)))

"""How labels develop in; final counts and quality metrics as they will read when every label is in, out.

The share known is estimated by the action taken, since an action decides how fast a label comes: a correction over
all actions together misleads more than none (METHODS f4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
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
POSITIVE = 0
Number = TypeVar("Number")


@dataclass(frozen=True)
class Delay:
    """How the labels of some events come in, by stratum (the action taken): what a nowcast multiplies with.

    `own` are the events; `told` [group] says that negatives are told as positives are (else silence is negative, they have
    no ladder and their share is 1). `ladders` [label] have the axes stratum, lag; `share` [label, stratum, age] of labels
    known by each age; `dispersion` [stratum] of positives;
    Several segments at once stand before the strata.
    `unseen` names the actions after which an outcome is seen only by chance: their events without a label are not in `own`.
    `pooled` names the strata that have too few positives for a ladder of their own and took that of all actions;
    `oldest` is the age of the oldest events of each level from which steps were borrowed.
    """

    own: Development
    told: Array
    unseen: Sequence[str]
    strata: tuple[int, ...]
    ladders: tuple[Ladder, ...]
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
        used = self.events > 0
        found: Array = np.logical_and.reduce([nowcast.ready(share, used) for share in self.share])
        return found & used.any(-2)

    @cached_property
    def events(self) -> Array:
        """Return the events by stratum and age, [stratum, age]."""
        return _by_stratum(self.own, self.strata, self.own.events)

    @cached_property
    def tables(self) -> Array:
        """Return the positives by stratum, age and lag, [stratum, age, lag]."""
        return _by_stratum(self.own, self.strata, self.own.positive)

    @cached_property
    def labels(self) -> Array:
        """Return the labels that are told, [label, group, age]: negatives only where silence does not stand for them."""
        return np.stack([self.own.positive.sum(-1), self.own.negative.sum(-1) * self.told[:, None]])

    @cached_property
    def reached(self) -> Delay:
        """Return the same without the ages that no event has reached: most of them, in a young stage."""
        ages = slice(0, self.oldest[0] + 1)
        sums = {name: getattr(self.own, name)[..., ages] for name in _BY_AGE}
        sums |= {name: getattr(self.own, name)[..., ages, :] for name in ("positive", "negative")}
        return replace(self, own=replace(self.own, **sums), share=self.share[..., ages])

    @cached_property
    def present(self) -> Array:
        """Return whether a stratum [stratum] has events; one that has none says nothing of what is to come."""
        return np.logical_or((self.events != 0).any(-1), self.own.events.ndim == 2)

    def horizon(self, label: int = POSITIVE) -> int:
        """Return the lag at which all strata's labels count as final; -1 where none has a ladder."""
        return int(min((one for one in self.ladders[label].horizon.ravel() if one >= 0), default=-1))


class Count(NamedTuple, Generic[Number]):
    """Positives of the ages that can be nowcast: known now, and final with its 95% prediction interval.

    Where no age can be nowcast `known` counts all that are known, and the rest is NaN.
    """

    known: Number
    final: Number
    low: Number
    high: Number


def seen(one: Development, unseen: Sequence[str]) -> Development:
    """Return the events without those after whose action taken no outcome can be seen: they have no label to wait for."""
    keep = np.array([place < 0 or one.actions[place] not in unseen for place in one.taken], dtype=bool)
    if keep.all():
        return one
    grouped = {name: getattr(one, name)[keep] for name in ("taken", "wanted", "counted")}
    grouped |= {name: getattr(one, name)[..., keep, :] for name in _BY_AGE}
    return replace(one, **grouped, **{name: getattr(one, name)[..., keep, :, :] for name in ("positive", "negative")})


_BY_AGE = ("events", "amounts", "positive_amounts", "scores", "labelled")


def answered(one: Development, unseen: Sequence[str]) -> Development:
    """Return the events whose outcome is seen: of those after whose action taken it is only by chance, the labelled ones."""
    chance = _among(one, unseen)
    if not chance.any():
        return one
    events, scores = one.events.copy(), one.scores.copy()
    events[..., chance, :] = sum(table[..., chance, :, :].sum(-1) for table in (one.positive, one.negative))
    scores[..., chance, :] = one.labelled[..., chance, :].sum(0)
    return replace(one, events=events, scores=scores)


def _among(one: Development, actions: Sequence[str]) -> Array:
    """Return whether the action taken of each group [group] is one of some actions."""
    return np.array([place >= 0 and one.actions[place] in actions for place in one.taken], dtype=bool)


def delay(logged: Sequence[Development], *, explicit: bool, maturity: float, unseen: Sequence[str] = ()) -> Delay:
    """Return how labels come in: of the first level's events, borrowing steps with too few labels from the next levels.

    All levels have the same buckets; usually a segment, its stage, and all stages together. `explicit`: good labels are
    told as bad ones are. `maturity` in days. `unseen` names the actions after which an outcome is seen only by chance: of
    their events those with a label count, and good ones are told among them; too few labels to tell a delay are complete.
    """
    levels = [answered(one, unseen) for one in logged]
    own = levels[0]
    told = _among(own, unseen) | explicit
    strata = tuple(int(s) for s in np.unique(own.taken))
    oldest = tuple(int(np.nonzero(one.events.sum(-2))[-1].max(initial=0)) for one in levels)

    def counted(name: str) -> list[Array]:
        tables = [getattr(one, name)[..., : last + 1, :] for one, last in zip(levels, oldest, strict=True)]
        return [_by_stratum(one, strata, table) for one, table in zip(levels, tables, strict=True)]

    tables = counted("positive")
    positive = ladders.ladder(tables)
    few = (positive.horizon < 0) & _rare(levels, strata, maturity)
    if few.any():
        every = ladders.ladder([one.positive.sum(-3, keepdims=True) for one in levels])
        wide = [few[..., None]] * 4 + [few]
        positive = Ladder(*(np.where(use, b, a) for use, a, b in zip(wide, positive, every, strict=True)))
    chance = np.array([stratum >= 0 and own.actions[stratum] in unseen for stratum in strata], dtype=bool)
    found = [_complete(positive, chance)]
    if told.any():
        found.append(_complete(ladders.ladder(counted("negative")), chance))
    share = np.ones((2, *positive.share.shape[:-1], len(own.ends)))
    for label, steps in enumerate(found):
        share[label] = ladders.at_ages(steps, len(own.ends))
    # Where silence stands for good labels nothing of them is waited for.
    share[1] = np.where((explicit | chance)[:, None], share[1], 1.0)
    pooled = tuple(stratum for stratum, some in zip(strata, np.moveaxis(few, -1, 0), strict=True) if some.any())
    return Delay(own, told, tuple(unseen), strata, tuple(found), share, _dispersion(tables, oldest), pooled, oldest)


def _complete(steps: Ladder, strata: Array) -> Ladder:
    """Return the ladder; of those `strata` [stratum] that have none, one by which all is known at once."""
    without = strata & (steps.horizon < 0)
    last = steps.share.shape[-1] - 1
    share = np.where(without[..., None], 1.0, steps.share)
    return steps._replace(share=share, horizon=np.where(without, last, steps.horizon))


def _by_stratum(one: Development, strata: Sequence[int], counts: Array) -> Array:
    """Return counts [..., group, age] or [..., group, age, lag] by stratum in the place of the group."""
    member = np.equal.outer(strata, one.taken).astype(float)
    lead, each = counts.shape[: one.events.ndim - 1], counts.shape[one.events.ndim - 1 :]
    found: Array = member @ counts.reshape(*lead, prod(each))
    return found.reshape(*lead[:-1], len(strata), *each)


def _rare(levels: Sequence[Development], strata: Sequence[int], maturity: float) -> Array:
    """Return whether a stratum has few positives although many of its events are mature: a fact, not a lack of time."""
    old = [_by_stratum(one, strata, one.events)[..., one.days >= maturity].sum(-1) for one in levels]
    found: Array = np.logical_or.reduce(np.broadcast_arrays(*(n >= OLD_EVENTS for n in old)))
    return found


def _dispersion(tables: Sequence[Array], oldest: Sequence[int]) -> Array:
    """Return the over-dispersion [stratum] of bad labels in the first level with enough of them in the stratum.

    `oldest` is the age of the oldest events of each level: beyond it a table holds nothing.
    """
    found = np.full(tables[0].shape[:-2], np.nan)
    for table, last in zip(tables, oldest, strict=True):
        enough = np.isnan(found) & (table.sum((-2, -1)) >= ladders.LEAST_AT_RISK * 3)
        if enough.any():
            told = np.full(table.shape[:-2], np.nan)
            some = enough.any(axis=tuple(range(enough.ndim - told.ndim)))
            told[some] = ladders.over_dispersion(table[some][..., : last + 1, : last + 1])
            found = np.where(enough, told, found)
    return np.where(np.isnan(found), 1.0, found)


def alone(one: Delay) -> Delay:
    """Return the same with each age as a segment of its own, which has no other events; `ladders` tell their variances alone.

    A label's weight is as sure as the links behind its age: they are counted from there.
    """
    own, ages = one.own, len(one.own.ends)
    sums = {name: np.moveaxis(getattr(own, name), -1, -2)[..., None] for name in _BY_AGE}
    sums |= {name: np.moveaxis(getattr(own, name), -2, -3)[..., None, :] for name in ("positive", "negative")}

    def later(lags: Array) -> Array:
        padded = np.concatenate([lags, np.zeros((len(lags), ages))], axis=-1)
        return np.moveaxis(padded[:, np.arange(ages)[:, None] + np.arange(lags.shape[-1])], 1, 0)

    return replace(
        one,
        own=replace(own, **sums),
        share=np.moveaxis(one.share, -1, -2)[..., None],
        ladders=tuple(steps._replace(seen=later(steps.seen), at_risk=later(steps.at_risk)) for steps in one.ladders),
        # What is known of some ages varies as that of all does.
        dispersion=np.full((ages, len(one.strata)), one.dispersion.max(initial=1.0)),
    )


def count(one: Delay, strata: Sequence[int] | None = None, ages: Array | None = None) -> Count[float]:
    """Return the final number of positives of some strata (numbers; None: all) at some ages (None: all that are ready)."""
    found = counts(one, strata, ages)
    return Count(*(float(value) for value in found))


def counts(one: Delay, strata: Sequence[int] | None = None, ages: Array | None = None) -> Count[Array]:
    """Return the same as arrays, of each of several segments, or of each of several sets of ages [set, age]."""
    use, mine = one.ready if ages is None else ages, slice(None) if strata is None else list(strata)
    some, each = np.asarray(use.any(-1)), use[..., None, :]
    latest, every = _by_stratum(one.own, one.strata, one.labels[POSITIVE])[..., mine, :], one.ladders[POSITIVE]
    share, seen, at_risk, source = (part[..., mine, :] for part in every[:4])
    steps = Ladder(share, seen, at_risk, source, every.horizon[..., mine])
    to_come = ladders.outlook(latest, steps, one.dispersion[..., mine], each)
    known = np.where(some[..., None], np.where(each, latest, 0.0).sum(-1), latest.sum(-1)).sum(-1)
    mean, variance = (np.where(one.present[..., mine], part, 0.0).sum(-1) for part in to_come)
    low, high = (only(end, some) for end in ladders.predicted(known, ladders.Outlook(mean, variance)))
    return Count(known, only(known + mean, some), low, high)


def known(one: Delay, ages: Array, *, corrected: bool) -> Known:
    """Return what is known of the events at some ages: each label counted as it will come in, or (naive) once.

    `ages` [..., age] may have axes in front that the events have not: of several sets of ages.
    """
    sets = (1,) * (ages.ndim + 1 - one.own.events.ndim)
    labels = one.labels.reshape(2, *sets, *one.own.events.shape)
    keep = np.asarray(ages, dtype=float)[..., None, :]
    weight, dispersion = np.ones_like(labels), np.ones(())
    link = np.zeros((2, *sets, *one.ladders[POSITIVE].seen.shape))
    if corrected:
        heavy = nowcast.weight(one.share)[..., one.place, :].reshape(labels.shape)
        weight = np.where(labels > 0, heavy, 1.0)
        for label, steps in enumerate(one.ladders):
            link[label] = ladders.link_variance(steps)
        dispersion = np.where(one.present, one.dispersion, 1.0).max(-1, initial=1.0)
    return nowcast.Known(
        labels * keep, one.own.events * keep, np.where(keep > 0, weight, 1.0), one.place, link, dispersion
    )


def estimate(one: Delay, name: str, ages: Array, *, corrected: bool) -> Nowcast:
    """Return a metric of NAMES over the events at some ages, naive or corrected for labels that are still to come.

    Naive: labels as known now, and where silence is negative every event without one counts as negative.
    The amount recall has no error: amounts vary too much for one. Of several sets of ages see `known`.
    """
    return estimates(one, (name,), ages, corrected=corrected)[name]


def estimates(one: Delay, names: Sequence[str], ages: Array, *, corrected: bool) -> dict[str, Nowcast]:
    """Return several metrics of NAMES by name; see `estimate`."""
    one, ages = one.reached, ages[..., : one.oldest[0] + 1]
    what = known(one, ages, corrected=corrected)
    answers = {"amount_recall": _amounts(one, what)} if "amount_recall" in names else {}
    answers |= {"oe_ratio": _oe_ratio(one, what, ages)} if "oe_ratio" in names else {}
    shares = [name for name in names if name not in answers]
    if shares:
        each = nowcast.of(what, *_sums(one, shares, (1,) * (what.events.ndim - 2)))
        answers |= {name: nowcast.Nowcast(*(part[n] for part in each)) for n, name in enumerate(shares)}
    return answers


def _sums(one: Delay, names: Sequence[str], lead: tuple[int, ...]) -> tuple[Sum, Sum]:
    """Return the counts whose ratio each metric is, [metric, *lead, version, group]."""
    counted, alert, nothing = _versions(one)
    # Where silence is negative, negatives are the events that no positive is known of.
    told, silent = one.told, ~one.told
    alerts, everyone = (Sum(a * told, a * told, a * silent) for a in (alert, counted))
    wrong, negatives = (Sum(-a * silent, a * told, a * silent) for a in (alert, counted))
    caught, positives = (Sum(a, nothing, nothing) for a in (alert, counted))
    pairs = {
        "recall": (caught, positives),
        "precision": (caught, alerts),
        "fpr": (wrong, negatives),
        "base_rate": (positives, everyone),
    }
    shape = (len(names), *lead, *counted.shape)
    tops, bottoms = (
        Sum(*(np.reshape([pairs[name][end].parts[k] for name in names], shape) for k in range(3))) for end in range(2)
    )
    return tops, bottoms


def _versions(one: Delay) -> tuple[Array, Array, Array]:
    """Return which groups each version answers for, which it alerts on, and none, [version, group]."""
    counted = one.own.counted.T.astype(float)
    return counted, counted * (one.own.wanted.T != APPROVE), np.zeros_like(counted)


def _oe_ratio(one: Delay, what: Known, ages: Array) -> Nowcast:
    counted, _, nothing = _versions(one)
    positives = Sum(counted, nothing, nothing)
    return nowcast.of(what, positives, positives, fixed=_expected(one, what, ages))


def _expected(one: Delay, what: Known, ages: Array) -> Array:
    """Return the sum of each version's scores over the events whose positives are counted."""
    kept = one.own.counted.T.reshape(2, *(1 for _ in what.events.shape[:-2]), -1, 1) * ages[..., None, :]
    sets = (1,) * (what.events.ndim - one.own.events.ndim)
    own, told = (2, *sets, *one.own.events.shape), one.told[:, None]
    # Labels stand in the order negative, positive in `labelled`.
    labelled = (one.own.labelled[::-1].reshape(2, *own) * what.weight[:, None]).sum(0)
    summed: Array = (np.where(told, labelled, one.own.scores.reshape(own)) * kept).sum((-2, -1))
    return np.moveaxis(summed, 0, -1)


def _amounts(one: Delay, what: Known) -> Nowcast:
    amounts = (one.own.positive_amounts * what.weight[POSITIVE] * (what.events > 0))[..., None, :, :]
    counted, alert, _ = (versions[..., None] for versions in _versions(one))
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

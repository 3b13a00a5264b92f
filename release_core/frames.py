"""The shapes that pass between modules: cells of a slice, rows of metrics, rows of verdicts.

Axes are named in the order in which they stand: segment, shard, version (baseline, candidate),
then bin, action or cutoff, and population (all events, labelled positive, labelled negative).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from release_core.release import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    Array = np.ndarray[Any, Any]
    Segment = Mapping[str, str]

EVERYONE, POSITIVE, NEGATIVE = range(3)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grid:
    """The bins of a score axis: `ids` [bin] in rising risk; `per_unit` bins per unit of log-odds (None: score values).

    `lower` [bin] is each bin's lower edge, in the score's risk order on [0, 1]; `groups` are edges of fixed score groups.
    """

    ids: Array
    per_unit: int | None
    lower: Array
    groups: tuple[float, ...] = ()


class _Once:
    """Something of which what is found is kept for as long as it is held itself."""

    def once(self, name: Hashable, find: Callable[[], T]) -> T:
        """Return what `find` returned when it was first asked for by this name."""
        found: dict[Hashable, T] = self.__dict__.setdefault("_found", {})
        if name not in found:
            found[name] = find()
        return found[name]


class Tally(_Once):
    """Counts and sums of one slice; every array may carry leading axes (segment, or segment and shard).

    `positive_excess` and `negative_excess` are by how much inverse propensities exceed the counts of labelled events.
    Whole numbers throughout, in float64: scores, logits and losses are sums of values, amounts are in the currency.
    An array is computed when it is first asked for: a metric pays for the cells that it needs, and for no others.
    """

    # Axes: version, bin.
    n: Array
    score: Array
    logit: Array
    amount: Array
    positive: Array
    negative: Array
    positive_amount: Array
    labelled_score: Array
    labelled_logit: Array
    positive_excess: Array
    negative_excess: Array
    # Axis: version. Exact sums over the events that both versions scored.
    events: Array
    positives: Array
    negatives: Array
    scores: Array
    labelled_scores: Array
    positive_scores: Array
    squared: Array
    loss: Array
    # Axes: version, action, population.
    actions: Array
    action_amounts: Array
    action_squares: Array
    # Axes: the baseline's action, the candidate's, population.
    joint: Array
    joint_amounts: Array
    joint_squares: Array
    # Of joint: disagreements with reason codes; sums of inverse label propensities (1 where none is logged), of their
    # squares, and of the same capped at encode.MOST_WEIGHT.
    joint_explained: Array
    joint_weights: Array
    joint_weights2: Array
    joint_capped: Array
    # Of actions, the same.
    action_weights: Array
    action_weights2: Array
    action_capped: Array
    # Mature events that no label tells of because of the action taken, and no propensity stands for, with their
    # amounts: by joint action, by version and action, and their scores by version.
    joint_unseen: Array
    joint_unseen_amounts: Array
    unseen: Array
    unseen_amounts: Array
    unseen_scores: Array
    # Axes: version, cutoff. Events, and of the labelled ones the positives, the summed scores and the amount of the
    # positives, at or beyond it.
    above: Array
    above_labelled: Array
    above_positive: Array
    above_score: Array
    above_amount: Array

    def __init__(self, grid: Callable[[], Grid] | Grid, fetch: Callable[[str], Array], *, binned: bool = True) -> None:
        """Take the grid of the bins, or what finds it, and what returns an array by its name; not `binned`: no bins."""
        self._grid = grid
        self._fetch = fetch
        self.binned = binned

    @classmethod
    def of(cls, grid: Grid, arrays: Mapping[str, Array]) -> Tally:
        """Return a tally of arrays that are at hand, by the names above."""
        return cls(grid, arrays.__getitem__)

    @cached_property
    def grid(self) -> Grid:
        """Return the grid of the bins."""
        return self._grid if isinstance(self._grid, Grid) else self._grid()

    def __getattr__(self, name: str) -> Array:
        """Return an array, computed now and kept."""
        if name not in COUNTED:
            message = f"a tally has no {name!r}"
            raise AttributeError(message)
        array = self.__dict__[name] = self._fetch(name)
        return array

    def __sub__(self, other: Tally) -> Tally:
        """Return the cells that are left when `other`'s are taken out."""
        return self.map(np.subtract, other)

    def summed(self, name: Hashable, find: Callable[[Tally], Array]) -> Array:
        """Return sums over last axes of a tally's arrays, once; of a tally made of others it is made of theirs: fewer numbers."""
        how, of = self.__dict__.get("made", (None, ()))
        return self.once(name, lambda: how(*(one.summed(name, find) for one in of)) if of else find(self))

    def __add__(self, other: Tally) -> Tally:
        """Return both tallies' cells together."""
        return self.map(np.add, other)

    def take(self, index: Any) -> Tally:  # noqa: ANN401 - whatever numpy takes
        """Return the tally at `index` of the leading axes."""
        return self.map(lambda array: array[index])

    def sum(self, axis: int) -> Tally:
        """Return the tally summed over one leading axis (counted from the front)."""
        return self.map(lambda array: array.sum(axis=axis))

    def expand(self, axis: int) -> Tally:
        """Return the tally with a new leading axis of length one."""
        return self.map(lambda array: np.expand_dims(array, axis))

    def map(self, function: Callable[..., Array], *others: Tally) -> Tally:
        """Return the tally whose every array is `function`, which leaves last axes alone, of this one's (and of others')."""
        of = (self, *others)
        made = Tally(lambda: self.grid, lambda name: function(*(getattr(one, name) for one in of)), binned=self.binned)
        made.__dict__["made"] = function, of
        return made


COUNTED = frozenset(Tally.__annotations__)


@dataclass(frozen=True, eq=False)
class Cells(_Once):
    """A slice of the cube: one row of `whole` per segment, and the same cells by entity shard.

    `whole` is on the finest grid at hand, `shards` [segment, shard, ...] on a coarser one, or without bins where two dimensions
    are split. `cutoffs` and `actions` name axes; `unseen` the actions after which no outcome can be seen; `weighted`: propensities
    are logged. `overall` returns the cells of all events of the stage, which show how far clustering widens an interval and how
    alike the versions err; `arms` what both arms did; `apart` 0 if one model ranks all events alike in both versions, else 1.
    """

    segments: tuple[Segment, ...]
    whole: Tally
    shards: Tally
    actions: tuple[str, ...]
    cutoffs: tuple[str, ...]
    paired: bool
    clustered: bool
    overall: Callable[[], Cells] | None = None
    unseen: tuple[str, ...] = ()
    weighted: bool = False
    arms: Callable[[], Arms] | None = None
    apart: Callable[[], float] | None = None

    def pooled(self, groups: Sequence[tuple[Segment, Sequence[int]]]) -> Cells:
        """Return one segment per group: the sum of the segments at the given positions."""
        return replace(
            self,
            segments=tuple(name for name, _ in groups),
            whole=self.whole.map(lambda array: _gathered(array, groups)),
            shards=self.shards.map(lambda array: _gathered(array, groups)),
            arms=later(self.arms, lambda arms: arms.pooled(groups)),
        )

    @cached_property
    def left_out(self) -> Tally:
        """Return the tally [segment, shard, ...] in which each shard in turn is left out."""
        return self.shards.sum(1).expand(1) - self.shards


@dataclass(frozen=True, eq=False)
class Before:
    """What was known of entities before they were treated, [..., ramp step, arm, shard] over all events.

    `n` entities with x, the baseline's score of their first event in the stage; sums of `x` and of `xx`, its square.
    `y`, `xy` [action, ..., ramp step, arm, shard]: how often their events got an action, and the sums of x times that; of
    "approve" how often they did not, with a minus.
    """

    n: Array
    x: Array
    xx: Array
    y: Array
    xy: Array

    def at_look(self, look: int) -> Before:
        """Return what was known at one look of [look, ramp step, arm, shard]."""
        return Before(self.n[look], self.x[look], self.xx[look], self.y[:, look], self.xy[:, look])


@dataclass(frozen=True, eq=False)
class Arms:
    """What the arms of a live stage did: `tally` [segment, ramp step, shard, version, ...], each version its own events.

    `treated` [segment, ramp step, arm] are the entities that entered, each once a ramp step. `before` is what was known of
    the entities of the segment number `whole`, which is all events; -1 where that is not among the segments.
    """

    tally: Tally
    treated: Array
    before: Before | None = None
    whole: int = -1

    def map(self, change: Callable[[Tally], Tally]) -> Arms:
        """Return the arms with their cells changed."""
        return replace(self, tally=change(self.tally))

    def pooled(self, groups: Sequence[tuple[Segment, Sequence[int]]]) -> Arms:
        """Return one segment per group: the sum of the segments at the given positions."""
        tally = self.tally.map(lambda array: _gathered(array, groups))
        return Arms(tally, _gathered(self.treated, groups), self.before, place_of_all([name for name, _ in groups]))


def place_of_all(segments: Sequence[Segment]) -> int:
    """Return the place of the segment that is all events, -1 where there is none."""
    return next((place for place, segment in enumerate(segments) if not segment), -1)


def later(get: Callable[[], Arms] | None, change: Callable[[Arms], Arms]) -> Callable[[], Arms] | None:
    """Return what gives the changed arms when they are asked for; None where there are none."""
    return None if get is None else lambda: change(get())


def _gathered(array: Array, groups: Sequence[tuple[Segment, Sequence[int]]]) -> Array:
    """Return one entry of the first axis per group: the sum of the entries at its positions."""
    gathered = array[[index[0] if len(index) else 0 for _, index in groups]]
    for place, (_, index) in enumerate(groups):
        if len(index) != 1:
            gathered[place] = array[list(index)].sum(axis=0)
    return gathered


@dataclass(frozen=True, eq=False)
class Slices:
    """Every slice of up to three dimensions at one as-of step, for searching: counts of actions, halves of customers apart.

    `conditions` [slice, 3] names each slice: the numbers of its (dimension, value) pairs in `values`, which counts
    from 1, rising, 0 for none; the first slice is the one that holds all the others. `measures` returns the sums of "n",
    "amount" or "amount2" (squared): where `paired` [slice, half, baseline's action, candidate's, population], else
    [slice, half, version, action, population]. Half 0 holds the even entity shards, half 1 the odd ones.
    `small` counts the slices that were left out, being smaller than those kept.
    """

    values: tuple[tuple[str, str], ...]
    conditions: Array
    actions: tuple[str, ...]
    paired: bool
    measures: Callable[[str], Array]
    small: int

    @cached_property
    def dims(self) -> Array:
        """Return the number of the dimension of each value, 0 for none, in the order of `values` from place 1 on."""
        names = list(dict.fromkeys(dim for dim, _ in self.values))
        return np.array([0, *(1 + names.index(dim) for dim, _ in self.values)])

    def take(self, places: Array) -> Slices:
        """Return the slices at some places alone."""
        return replace(self, conditions=self.conditions[places], measures=lambda name: self.measures(name)[places])

    def segment(self, place: int) -> dict[str, str]:
        """Return the dimensions and values of a slice."""
        return dict(self.values[number - 1] for number in self.conditions[place] if number)


@dataclass(frozen=True, eq=False)
class Worlds:
    """What would have been done in each of the eight worlds (see worlds.combined), on the same events.

    `counts` and `amounts` are [segment, shard, world, action, population].
    """

    players: tuple[str, ...]
    segments: tuple[Segment, ...]
    actions: tuple[str, ...]
    counts: Array
    amounts: Array


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number: a metric of one version (or the difference) in one segment, with its 95% interval.

    `n` is the metric's denominator, `positives` the labelled positives among the evaluated events;
    `value`, `low`, `high` are None where undefined and `reason` then says why.
    """

    metric: str
    version: str
    segment: Segment
    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    positives: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GateRow:
    """One verdict: a gate in one segment, with the numbers and the sentence that it rests on.

    `low`, `high` are the one-sided bounds of candidate - baseline that the verdict used, `low_adjusted`
    and `high_adjusted` the same after Holm's adjustment; `counts` is False where it is shown only. `unseen` events have
    no outcome that could be seen, because of the actions `unseen_after`; over all outcomes that they could have had, what
    the gate reads lies between `unseen_low` and `unseen_high`.
    """

    gate: str
    title: str
    metric: str
    comparison: str
    level: str
    scope: str
    segment: Segment
    verdict: Verdict
    sentence: str
    counts: bool = True
    baseline: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    low_adjusted: float | None = None
    high_adjusted: float | None = None
    confidence: float | None = None
    method: str = ""
    n: int = 0
    positives: int = 0
    margin: float | None = None
    needed: int | None = None
    unseen: int = 0
    unseen_low: float | None = None
    unseen_high: float | None = None
    unseen_after: tuple[str, ...] = ()


def natural(value: str) -> tuple[float, int, str]:
    """Return the sort key by which values stand as readers expect: by their first number, "up to" before "over".

    >>> sorted(["100-200k", "over 300k", "50-100k", "up to 50k"], key=natural)
    ['up to 50k', '50-100k', '100-200k', 'over 300k']
    """
    found = re.search(r"\d+(\.\d+)?", value)
    side = -1 if re.match(r"(?i)up to|under|below|<", value) else 1 if re.match(r"(?i)over|above|more|>", value) else 0
    return (float(found.group()) if found else float("inf"), side, value)


def segment_text(segment: Segment) -> str:
    """Return a segment in words: its values joined, or "all events".

    >>> segment_text({"market": "BR", "surface": "app"})
    'market BR, surface app'
    >>> segment_text({})
    'all events'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in segment.items()) or "all events"

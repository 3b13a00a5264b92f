"""The shapes of what live stages show: arms by look, what came of their events, who was treated, how it was served.

Axes are named in the order in which they stand. `looks` are the as-of steps; what an array holds at a look is what was
known at the end of that step, all of it (cumulated), so the verdicts of all looks are one vectorised expression and a
page's as-of time is an index. `ramps` are the texts of the log's ramp_step, in the order in which they began. Arms
stand as in release.VERSIONS. Nothing here depends on the as-of time that a reader chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array, Segment, Tally


@dataclass(frozen=True, eq=False)
class ArmCells:
    """The cells of each arm's own events by look: `tally` [segment, look, ramp, shard, version, ...] without bins.

    Each version holds the events on which it acted; labels count once their event is mature. What a metric of
    `metrics/anytime.py` takes at one look is `tally.take((slice(None), look))`.
    """

    segments: tuple[Segment, ...]
    looks: tuple[int, ...]
    ramps: tuple[str, ...]
    actions: tuple[str, ...]
    tally: Tally


@dataclass(frozen=True, eq=False)
class Effects:
    """What came of the events of each arm within `hours` of them, counted only of events that old at the look.

    `events`, `amounts` [segment, look, ramp, arm, shard]: events at least `hours` old, and their money; `counts`,
    `counted_amounts` [kind, segment, look, ramp, arm, shard]: those of them to which the kind came within `hours`, the
    first of a kind counting. So both arms are compared at equal age, and a count never waits for what is not known yet.
    `taken` [action, segment, look, ramp, arm, shard] are the actions that those events really got.
    Kinds are outcomes ("complaint"), with their value where a label rule names it ("review_result=fraud").
    An array is computed, by `compute`, when it is first asked for.
    """

    hours: int
    segments: tuple[Segment, ...]
    looks: tuple[int, ...]
    ramps: tuple[str, ...]
    kinds: tuple[str, ...]
    actions: tuple[str, ...]
    compute: Mapping[str, Callable[[], Array]]

    def __getattr__(self, name: str) -> Array:
        """Return an array, computed now and kept."""
        if name not in {"events", "amounts", "counts", "counted_amounts", "taken"}:
            message = f"effects have no {name!r}"
            raise AttributeError(message)
        array = self.__dict__[name] = self.compute[name]()
        return array


@dataclass(frozen=True, eq=False)
class Lateness:
    """Bad labels of mature events that are known at a look: `every` [segment, look, arm, shard], and those that came `late`.

    In a paired stage both arms hold the same.
    """

    segments: tuple[Segment, ...]
    looks: tuple[int, ...]
    every: Array
    late: Array


@dataclass(frozen=True, eq=False)
class Entities:
    """Who was treated, each entity once per ramp step; entities seen in both of its arms are contaminated and left out.

    `n` [look, ramp, arm, shard]: entities; `contaminated` [look, ramp, shard]. `scored`, `x`, `xx` [look, ramp, arm,
    shard]: entities with a baseline score of their first event in the stage, its sum and sum of squares.
    `first`, `y`, `yy`, `xy` [kind, look, ramp, arm, shard]: entities to which the kind came at all (their first harm),
    how often it came, and the sums over entities of their number squared and of x times their number. Kinds are those
    of `Effects`, and "taken:review" and the like for actions that are not approve.
    """

    looks: tuple[int, ...]
    ramps: tuple[str, ...]
    kinds: tuple[str, ...]
    n: Array
    contaminated: Array
    scored: Array
    x: Array
    xx: Array
    first: Array
    y: Array
    yy: Array
    xy: Array


@dataclass(frozen=True, eq=False)
class Entered:
    """Entities of one declared dimension's values at most, each once per ramp step; contaminated ones are left out.

    An entity is of the segment of its first event in the stage. `n` [segment, look, ramp, arm]: entities that entered;
    `first` [kind, segment, look, ramp, arm]: those of them to which a kind of outcome came, at the look of the first.
    """

    segments: tuple[Segment, ...]
    looks: tuple[int, ...]
    ramps: tuple[str, ...]
    kinds: tuple[str, ...]
    n: Array
    first: Array

    def places(self, segments: Sequence[Segment]) -> list[int]:
        """Return the place of each segment, -1 of one that is not of a single declared dimension, or has no entity."""
        known = {tuple(segment.items()): place for place, segment in enumerate(self.segments)}
        return [known.get(tuple(segment.items()), -1) for segment in segments]


@dataclass(frozen=True, eq=False)
class Serving:
    """How events were served, by the look in which they entered: these arrays are not cumulated, so that time shows.

    `served` [segment, look, version]: events that the version was asked for (in live stages those of its own arm);
    `latency` [segment, look, version, bin]: those with a latency, bin k from `edges[k]` to `edges[k + 1]` milliseconds;
    `errors` [error, segment, look, version] by failing dependency; `fallback`, `fallback_known` [segment, look,
    version]; `costed`, `cost`, `cost2` [segment, look, version]: events with a serving cost, its sum, sum of squares.
    """

    segments: tuple[Segment, ...]
    looks: tuple[int, ...]
    edges: Array
    names: tuple[str, ...]
    served: Array
    latency: Array
    errors: Array
    fallback: Array
    fallback_known: Array
    costed: Array
    cost: Array
    cost2: Array


@dataclass(frozen=True, eq=False)
class Gauge:
    """One runtime sample of one arm ("" where the log names none), by time: arrays [bucket].

    `start`: seconds since 1970 (UTC); `look`: the as-of step in which it lies; `n` samples, their `mean`, least (`low`),
    greatest (`high`) and `last` value.
    """

    name: str
    arm: str
    start: Array
    look: Array
    n: Array
    mean: Array
    low: Array
    high: Array
    last: Array

"""Cells of actions of one stage in; every slice of up to three dimensions at any as-of step out, in milliseconds.

The rows of all slices are read once per stage and replay set and kept in the order of the steps at which they begin to
count; a step is then one sum over the rows before it.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache, cached_property, lru_cache
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.labels import QUIET
from release_core.cube.query import REPLAY_SET
from release_core.frames import Slices
from release_core.release import MINOR_UNITS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from release_core.cube.cube import Cube
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Stage

# Slices beyond this number are the smallest ones: a log of a few dimensions has hundreds, not thousands.
MOST = 4000
DEPTH = 3
POPULATIONS = 3
# Of so many as-of steps one has its sums kept.
EVERY = 8
UNITS = {"n": 1, "amount": MINOR_UNITS, "amount2": 1}
# A label counts from the step on at which it is known and its event mature; -2 is an event that turns negative then.
SQL = """
with own as (
    select list_position($cuboids, "by") - 1 as cuboid,
        enum_code(v1)::bigint as c1, enum_code(v2)::bigint as c2, enum_code(v3)::bigint as c3,
        (shard % 2)::bigint as half, {first} as i, {second} as j,
        label, since, until, greatest(since, settled) as ready, seen, n, amount, amount2
    from pair where stage = $stage and "by" in (select unnest($cuboids)) {tests}
),
counted as (
    select *, 0 as population, since as begins, 1 as sign from own where label < 0
    union all select *, 2, ready, 1 from own where label = {quiet}
    union all select *, 2 - label, ready, 1 from own where label >= 0 and until > ready
    union all select *, 2 - label, until, -1 from own where label >= 0 and until > ready and until <= $last
)
select cuboid, c1, c2, c3, half, i, j, population, begins,
    sum(sign * n)::bigint as n, sum(sign * amount)::bigint as amount, sum(sign * amount2)::bigint as amount2
from (select * replace (greatest(begins, seen) as begins) from counted) where i >= 0 and j >= 0 group by all order by begins
"""
ACTION = "coalesce(list_position($actions, {version}_action::varchar), 0)::bigint - 1"


def within(cube: Cube, stage: Stage, step: int, where: tuple[tuple[str, str], ...] = ()) -> Slices:
    """Return every slice of up to three dimensions within a filter, for searching; labels count once mature."""
    cube.dimensions(tuple(dict(where)))
    inner = dict(where)
    searched: Searched = cube.searched(stage, inner.pop(REPLAY_SET, None))
    return searched.slices(step, tuple(inner.items()))


class Searched:
    """The rows of all slices of a stage (and replay set), read once."""

    def __init__(self, cube: Cube, stage: Stage, replay_set: str | None) -> None:
        """Read the rows; `replay_set` None: all sets together."""
        self.dims = cube.release.segments.all
        self.paired = stage.paired
        named = [",".join(dims) for depth in range(DEPTH + 1) for dims in combinations(self.dims, depth)]
        tests = ["and both_scored" if stage.paired else "", "and replay_set = $set" if replay_set is not None else ""]
        params: dict[str, object] = {"stage": str(stage), "cuboids": named, "last": cube.steps[-1]}
        params["actions"] = list(cube.release.actions)
        acted = [ACTION.format(version=version) for version in VERSIONS]
        own = f"if(arm = '{VERSIONS[1]}', {acted[1]}, if(arm = '{VERSIONS[0]}', {acted[0]}, -1))"
        first, second = acted if stage.paired else (f"(arm = '{VERSIONS[1]}')::bigint", own)
        sql = SQL.format(tests=" ".join(tests), quiet=QUIET, first=first, second=second)
        rows = cube.store.query(sql, params | ({"set": replay_set} if replay_set is not None else {}))
        used = np.unique(np.concatenate([rows["i"], rows["j"]] if self.paired else [rows["j"]]))
        self.actions = tuple(cube.release.actions[place] for place in used)
        self.values, self.conditions, place, self.small = _named(self.dims, named, [str(v) for v in cube.names], rows)
        keep = place >= 0
        begins = rows["begins"][keep]
        self._steps = cube.steps
        self._ends = np.searchsorted(begins, cube.steps, side="right")
        first_axis = np.searchsorted(used, rows["i"]) if self.paired else rows["i"]
        axes = (place, rows["half"], first_axis, np.searchsorted(used, rows["j"]), rows["population"])
        self.code = np.ravel_multi_index(tuple(axis[keep] for axis in axes), self.shape)
        self.sums = {name: rows[name][keep].astype(np.float64) for name in UNITS}
        self.slices = lru_cache(maxsize=64)(self._slices)
        # Of all slices: a filter only picks among them.
        self.summed = lru_cache(maxsize=12)(self._summed)
        self._marks = cache(self._marked)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the sums."""
        many = len(self.actions)
        return (len(self.conditions), 2, many if self.paired else 2, many, POPULATIONS)

    def _summed(self, step: int, name: str) -> Array:
        """Return the sums of a measure as of a step, [slice, ...] as `Slices` says."""
        look = bisect_right(self._steps, step) - 1
        if look < 0:
            return np.zeros(self.shape)
        start = int(self._ends[look // EVERY * EVERY])
        summed = self._marks(name)[look // EVERY] + self._between(name, start, int(self._ends[look]))
        return summed.reshape(self.shape) / UNITS[name]

    def add_up(self) -> None:
        """Have the sums at every eighth step of all measures; else those of a measure are added up when it is first asked for."""
        for name in UNITS:
            self._marks(name)

    def _marked(self, name: str) -> Array:
        """Return the sums of a measure at every eighth step, [mark, place]: a step is then a sum over few rows."""
        parts = [self._between(name, *ends) for ends in pairwise([0, *self._ends[::EVERY].tolist()])]
        return np.cumsum(parts, axis=0)

    def _between(self, name: str, start: int, end: int) -> Array:
        places = slice(start, end)
        return np.bincount(self.code[places], weights=self.sums[name][places], minlength=int(np.prod(self.shape)))

    def _slices(self, step: int, where: tuple[tuple[str, str], ...]) -> Slices:
        """Return every slice within the filter `where` as of a step; no slice where nothing meets the filter."""
        wanted = [self.values.index(pair) + 1 if pair in self.values else -1 for pair in where]
        inside = np.all([(self.conditions == number).any(axis=1) for number in wanted], axis=0)
        keep = np.flatnonzero(np.broadcast_to(inside, len(self.conditions)))

        @cache
        def measured(name: str) -> Array:
            return self.summed(step, name)[keep]

        return Slices(self.values, self.conditions[keep], self.actions, self.paired, measured, self.small)


def _named(
    dims: Sequence[str], cuboids: Sequence[str], names: Sequence[str], rows: Columns
) -> tuple[tuple[tuple[str, str], ...], Array, Array, int]:
    """Return the values, the conditions of each slice kept (largest first), each row's slice (-1: none), and how many are left out."""
    size = len(names)
    keys = ((rows["cuboid"] * size + rows["c1"]) * size + rows["c2"]) * size + rows["c3"]
    found, place = np.unique(keys, return_inverse=True)
    events = np.bincount(place, weights=rows["n"] * (rows["population"] == 0), minlength=len(found))
    split = [cuboids[int(key)].split(",") if cuboids[int(key)] else [] for key in found // size**3]
    depth = np.array([len(one) for one in split])
    # Every value of a single dimension stays: it tells what share of events it holds.
    order = np.lexsort((-events, depth > 1))[:MOST]
    order = order[np.lexsort((-events[order], depth[order]))]
    pairs = [list(_pairs(split[n], int(found[n]), names)) for n in order]
    values = tuple(dict.fromkeys(one[0] for one in pairs if len(one) == 1))
    values = tuple(sorted(values, key=lambda pair: dims.index(pair[0])))
    number = {pair: n + 1 for n, pair in enumerate(values)}
    conditions = np.zeros((len(order), DEPTH), np.int64)
    for n, one in enumerate(pairs):
        conditions[n, DEPTH - len(one) :] = sorted(number[pair] for pair in one)
    back = np.full(len(found), -1)
    back[order] = np.arange(len(order))
    return values, conditions, back[place], len(found) - len(order)


def _pairs(dims: Sequence[str], key: int, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    size = len(names)
    for place, dim in enumerate(dims):
        yield dim, str(names[key // size ** (DEPTH - 1 - place) % size])

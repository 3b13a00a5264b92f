"""Cells of labels by age in; how labels develop from event to as-of, in few equal buckets of steps, out."""

from __future__ import annotations

from copy import copy
from functools import cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import steps
from release_core.cube.encode import SCALED
from release_core.cube.labels import EVENT, QUIET
from release_core.label_frames import Development
from release_core.release import MINOR_UNITS, VERSIONS

if TYPE_CHECKING:
    from release_core.cube.cube import Cube, Where
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Stage

# More buckets than this in a stage say no more about delay, and leave too few labels in each.
MOST_BUCKETS = 20
# Spans that readers know, in hours, or in units of the calendar.
HOURS = (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 672, 2184)
CALENDAR = {"week": (1, 2, 4, 13, 26, 52), "month": (1, 3, 6, 12)}
SUMS = ("n", "amount", "baseline_score", "candidate_score")
KEYS = ("taken", "old", "new", "told_by")
SEGMENT = ("dim", "value", "replay_set")
# What happens by age, each at its moment: an event, a label that comes, one that goes, silence that makes an event negative.
# A version's action is 0 where it lets an event pass, 1 where it does not, -1 where there is none.
SQL = """
with own as (
    select {value} as value, {taken} as taken, {told_by} as told_by, least({old}, 1) as old, least({new}, 1) as new,
        label, entry, since, until, settled, seen, n, amount, baseline_score, candidate_score
    from age where {tests}
),
moves as (
    select *, {event} as said, entry as moment, 1 as sign from own where label < 0
    union all select *, label, since, 1 from own where label >= 0
    union all select *, label, until, -1 from own where label >= 0 and until < {never}
    union all select *, 0, settled, 1 from own where label = {quiet}
)
select value, taken, old, new, told_by, said::bigint as label, entry::bigint as entry, moment::bigint as moment,
    settled::bigint as settled, greatest(moment, seen)::bigint as begins, {sums}
from moves group by all order by begins"""
ACTION = "coalesce(list_position($actions, {name}::varchar), 0)::bigint - 1"


def width(unit: str, steps_of: tuple[int, int]) -> int:
    """Return how many as-of steps a bucket takes: at most 20 buckets for a stage's own steps, and 60 for all stages'.

    >>> width("day", (60, 60)), width("month", (6, 6)), width("6 hours", (20, 360)), width("hour", (8, 8))
    (3, 1, 8, 1)
    """
    own, every = steps_of
    least, block = max(-(-own // MOST_BUCKETS), -(-every // (3 * MOST_BUCKETS))), steps.block(unit)
    known = CALENDAR[unit] if unit in CALENDAR else [hours // block for hours in HOURS if hours % block == 0]
    return next((w for w in known if w >= least), least)


class Held:
    """Cells of labels by age in, read once; what happened to them by any as-of step out, and to those of each value.

    `values` are those of the dimension; `taken`, `wanted` and `counted` are those of all groups, as `Development` has them.
    """

    def __init__(self, cube: Cube, stage: Stage | None, where: Where, *, every: bool = False) -> None:
        """Read the cells of a stage (None: all) and filter (`every`: any value of its dimension), by that value."""
        cube.hold("age")
        tests, params = cube.tests(stage, where, every=every)
        paired = stage is None or stage.paired
        params["actions"] = list(cube.release.actions)
        names = {"taken": "taken", "old": "baseline_action", "new": "candidate_action"}
        sql = SQL.format(
            **{key: ACTION.format(name=name) for key, name in names.items()},
            value="enum_code(v1)::bigint" if every else "0::bigint",
            # Both versions answer for events that both scored; live the arm that acted.
            told_by="both_scored::bigint" if paired else f"(arm = '{VERSIONS[1]}')::bigint - (arm not in {VERSIONS})::bigint",
            sums=", ".join(f"sum(sign * {name})::double as {name}" for name in SUMS),
            tests=tests, event=EVENT, quiet=QUIET, never=steps.FOREVER,
        )  # fmt: skip
        rows = cube.store.query(sql, params)
        keys, rows["group"] = np.unique(np.stack([rows.pop(k) for k in KEYS], axis=1), axis=0, return_inverse=True)
        self.taken, self.wanted = keys[:, 0], keys[:, 1:3]
        self.counted = _counted(keys[:, 3], self.wanted, paired=paired)
        codes, place = np.unique(rows.pop("value"), return_inverse=True)
        named = [str(cube.names[code]) for code in codes] if every else [""]
        order = np.argsort(named, kind="stable")
        self.values = tuple(named[k] for k in order)
        rows["value"] = np.argsort(order)[place]
        self.cells = rows
        self.of = cache(self._of)

    def _of(self, value: str) -> Held:
        """Return what is held of a value; all where the cells are of none."""
        if not value:
            return self
        one, at = copy(self), self.values.index(value) if value in self.values else -1
        mine = np.flatnonzero(self.cells["value"] == at)
        one.cells = {name: column[mine] for name, column in self.cells.items()}
        return one

    def happened(self, step: int, width: int, mature_by: int | None = None) -> Columns:
        """Return all that happened by a step in buckets of `width`: label -1 an event, 0 and 1 a label that came or went.

        `age` is the bucket of the event, counted back from the step, and `lag` how many later that happened; sums are
        negative where a label went. `mature_by`: only of events that were mature at that step.
        """
        # What takes out the events of a contaminated customer counts from the step on at which it was seen.
        end = np.searchsorted(self.cells["begins"], step, side="right")
        rows = {name: column[:end] for name, column in self.cells.items()}
        if mature_by is not None:
            kept = np.flatnonzero(rows["settled"] <= mature_by)
            rows = {name: column[kept] for name, column in rows.items()}
        age = (step - rows["entry"]) // width
        return rows | {"age": age, "lag": age - (step - rows["moment"]) // width}


def _counted(told_by: Array, wanted: Array, *, paired: bool) -> Array:
    """Return which version answers for which group: both for events that both scored, live the arm that acted."""
    if paired:
        both = (told_by == 1) & (wanted >= 0).all(-1)
        return np.repeat(both[:, None], len(VERSIONS), axis=1)
    return np.equal.outer(told_by, np.arange(len(VERSIONS))) & (wanted >= 0)


def pending(cube: Cube, stage: Stage) -> dict[tuple[str, str, str], Columns]:
    """Return the events of a stage by single dimension, value and replay set ("*": all sets), as rows (`n`).

    `entry` and `settled` are the steps at which they happen and mature, `begins` the one from which they count.
    """
    sql = """
select "by"::varchar as dim, v1::varchar as value, replay_set::varchar as replay_set,
    entry::bigint as entry, settled::bigint as settled, greatest(entry, seen)::bigint as begins, sum(n)::bigint as n
from age where stage = $stage and label < 0 group by all"""
    cube.hold("age")
    rows = cube.store.query(sql, {"stage": str(stage)})
    places: dict[tuple[str, str, str], list[int]] = {}
    for n, (dim, value, one) in enumerate(zip(*(map(str, rows.pop(k)) for k in SEGMENT), strict=True)):
        for replay_set in {one, "*"}:
            places.setdefault((dim, value, replay_set), []).append(n)
    return {key: {name: column[mine] for name, column in rows.items()} for key, mine in places.items()}


def read(cube: Cube, view: tuple[Stage, int], held: Held, mature_by: int | None = None) -> Development:
    """Return how labels develop as of a step, of the events held, in the buckets of the stage of `view`.

    Of all stages together a version answers for every event that both scored, whoever acted.
    """
    return _developed(cube, view, held, (), mature_by)


def read_by(cube: Cube, view: tuple[Stage, int], held: Held) -> tuple[tuple[str, ...], Development]:
    """Return the values of the dimension of the events held, which are a stage's, and the same for all of them at once.

    Groups are those that occur in any of them: of others a value has no events.
    """
    return held.values, _developed(cube, view, held, (len(held.values),))


def _buckets(cube: Cube, stage: Stage, step: int) -> tuple[int, tuple[int, ...], Array]:
    """Return the as-of steps in a bucket, the last step of each, newest first, and their ages in days."""
    firsts = cube.firsts()
    every, own = min([step, *firsts.values()]), min(step, firsts.get(str(stage), step))
    size = width(cube.unit, (step - own + 1, step - every + 1))
    ends = tuple(range(step, every - 1, -size))
    days = [(cube.end(step) - cube.end(end)).total_seconds() / 86400 for end in ends]
    return size, ends, np.array(days)


def _developed(
    cube: Cube, view: tuple[Stage, int], held: Held, values: tuple[int, ...], mature_by: int | None = None
) -> Development:
    """Return the development of what is held as of a step, by value in front of the groups if `values` says how many there are."""
    size, ends, days = _buckets(cube, *view)
    rows, ages = held.happened(view[1], size, mature_by), len(ends)
    used = np.flatnonzero(np.bincount(rows["group"], minlength=len(held.taken)))
    place = np.searchsorted(used, rows["group"]) + (rows["value"] * len(used) if values else 0)
    code, shape = place * ages + rows["age"], (*values, len(used), ages)
    of = {label: np.flatnonzero(rows["label"] == label) for label in (EVENT, 0, 1)}

    def summed(column: str, label: int, *, by_lag: bool = False) -> Array:
        mine, sizes = of[label], (*shape, ages) if by_lag else shape
        at = code[mine] * ages + rows["lag"][mine] if by_lag else code[mine]
        sums = np.bincount(at, weights=rows[column][mine], minlength=prod(sizes)).reshape(sizes)
        return sums if column == "n" else sums / (MINOR_UNITS if column == "amount" else SCALED)

    return Development(
        cube.release.actions,
        held.taken[used],
        held.wanted[used],
        held.counted[used],
        ends,
        days,
        summed("n", EVENT),
        summed("n", 1, by_lag=True),
        summed("n", 0, by_lag=True),
        summed("amount", EVENT),
        summed("amount", 1),
        np.stack([summed(f"{version}_score", EVENT) for version in VERSIONS]),
        np.stack([[summed(f"{version}_score", label) for version in VERSIONS] for label in (0, 1)]),
    )

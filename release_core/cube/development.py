"""Cells of labels by age in; how labels develop from event to as-of, in few equal buckets of steps, out."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import steps
from release_core.cube.dense import MINOR_UNITS, total
from release_core.cube.encode import SCALED
from release_core.cube.labels import EVENT, QUIET
from release_core.label_frames import Development
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from release_core.cube.cube import Cube, Where
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Release, Stage

# More buckets than this in a stage say no more about delay, and leave too few labels in each.
MOST_BUCKETS = 20
# Spans that readers know, in hours, or in units of the calendar.
HOURS = (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 672, 2184)
CALENDAR = {"week": (1, 2, 4, 13, 26, 52), "month": (1, 3, 6, 12)}
GROUP = ("arm", "taken", "both_scored", "baseline_action", "candidate_action")
TIMES = ("label", "entry", "since", "until", "settled", "seen")
SUMS = ("n", "amount", "baseline_score", "candidate_score")


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
    """Cells of labels by age in, read once (`cells`); what happened to them by any as-of step out, and to those of each value."""

    def __init__(self, cube: Cube, stage: Stage | None, where: Where, *, every: bool = False) -> None:
        """Read the cells of a stage (None: all) and filter (`every`: any value of its dimension), by that value."""
        cube.hold("age")
        tests = cube.tests(stage, where, every=every)
        keys, named = ", ".join(f"{name}::varchar as {name}" for name in GROUP), ", ".join((*TIMES, *SUMS))
        sql = f"select v1::varchar as value, {keys}, {named} from age where {tests[0]} order by value"
        rows = cube.store.query(sql, tests[1])
        texts = np.stack([rows.pop(name).astype(str) for name in GROUP], axis=1)
        found, rows["group"] = np.unique(texts, axis=0, return_inverse=True)
        self._groups = [tuple(map(str, group)) for group in found]
        values, starts, rows["value"] = np.unique(rows["value"].astype(str), return_index=True, return_inverse=True)
        ends = np.append(starts[1:], len(rows["n"]))
        self._spans = {str(v): slice(a, b) for v, a, b in zip(values, starts, ends, strict=True)}
        self.cells = rows

    def of(self, value: str) -> Held:
        """Return what is held of a value; all where the cells are of none."""
        if not value:
            return self
        one = copy(self)
        span = self._spans.get(value, slice(0, 0))
        one.cells = {name: column[span] for name, column in self.cells.items()}
        return one

    def happened(self, step: int, width: int, mature_by: int | None = None) -> Columns:
        """Return all that happened by a step in buckets of `width`: label -1 an event, 0 and 1 a label that came or went.

        `age` is the bucket of the event, `ago` that of what happened, both counted back from the step; `sign` is -1 where
        a label went. `mature_by`: only of events that were mature at that step.
        """
        return _happened(self.cells, step, width, mature_by)

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values of the dimension, in the order of the column `value`."""
        return tuple(self._spans)

    def groups(self, rows: Columns) -> tuple[list[tuple[str, ...]], Array]:
        """Return the groups that occur, and each row's place among them."""
        used, place = np.unique(rows["group"], return_inverse=True)
        return [self._groups[number] for number in used], place


def _happened(held: Columns, step: int, width: int, mature_by: int | None) -> Columns:
    # What takes out the events of a contaminated customer counts from the step on at which it was seen.
    kept = held["seen"] <= step
    if mature_by is not None:
        kept = kept & (held["settled"] <= mature_by)
    label = held["label"]
    moves = [
        (np.flatnonzero(kept & test & (held[moment] <= step)), moment, told, sign)
        for test, moment, told, sign in (
            (label < 0, "entry", EVENT, 1),
            (label >= 0, "since", None, 1),
            (label >= 0, "until", None, -1),
            (label == QUIET, "settled", 0, 1),
        )
    ]
    at = np.concatenate([rows for rows, *_ in moves])
    moments = np.concatenate([held[moment][rows] for rows, moment, *_ in moves])
    signs = np.repeat([sign for *_, sign in moves], [len(rows) for rows, *_ in moves])
    labels = [label[rows] if told is None else np.full(len(rows), told) for rows, _, told, _ in moves]
    sums = {name: signs * held[name][at] for name in SUMS}
    return sums | {
        "group": held["group"][at],
        "value": held["value"][at],
        "label": np.concatenate(labels),
        "age": (step - held["entry"][at]) // width,
        "ago": (step - moments) // width,
    }


def pending(cube: Cube, stage: Stage, step: int, fresh: int) -> Columns:
    """Return the events of a stage by single dimension and value, replay set, and step at which they mature.

    `settled` is `step` for all that are mature; `fresh` counts the events of the last so many as-of steps.
    """
    sql = """
select "by"::varchar as dim, v1::varchar as value, replay_set::varchar as replay_set,
    greatest(settled, $step) as settled, sum(n)::bigint as n, coalesce(sum(n) filter (where entry > $step - $fresh), 0)::bigint as fresh
from age where stage = $stage and label < 0 and entry <= $step and seen <= $step group by all"""
    cube.hold("age")
    return cube.store.query(sql, {"stage": str(stage), "step": step, "fresh": fresh})


def read(
    cube: Cube, view: tuple[Stage, int], held: Held, *, mature_by: int | None = None, all_stages: bool = False
) -> Development:
    """Return how labels develop as of a step, of the events held, in the buckets of the stage of `view`.

    With `all_stages` a version answers for every event that both scored, whoever acted.
    """
    (stage, step), (size, ends, days) = view, _buckets(cube, *view)
    rows = held.happened(step, size, mature_by)
    return _developed(cube.release, rows, held.groups(rows), (ends, days), paired=stage.paired or all_stages)


def read_by(cube: Cube, view: tuple[Stage, int], held: Held) -> tuple[tuple[str, ...], Development]:
    """Return the values of the dimension of the events held, which are a stage's, and the same for all of them at once.

    Groups are those that occur in any of them: of others a value has no events.
    """
    size, ends, days = _buckets(cube, *view)
    rows = held.happened(view[1], size)
    values = held.values
    found = _developed(cube.release, rows, held.groups(rows), (ends, days), paired=view[0].paired, values=len(values))
    return values, found


def _buckets(cube: Cube, stage: Stage, step: int) -> tuple[int, tuple[int, ...], Array]:
    """Return the as-of steps in a bucket, the last step of each, newest first, and their ages in days."""
    firsts = cube.firsts()
    every, own = min([step, *firsts.values()]), min(step, firsts.get(str(stage), step))
    size = width(cube.unit, (step - own + 1, step - every + 1))
    ends = tuple(range(step, every - 1, -size))
    days = [(cube.end(step) - cube.end(end)).total_seconds() / 86400 for end in ends]
    return size, ends, np.array(days)


def _developed(
    release: Release,
    rows: Columns,
    grouped: tuple[list[tuple[str, ...]], Array],
    buckets: tuple[tuple[int, ...], Array],
    *,
    paired: bool,
    values: int | None = None,
) -> Development:
    """Return the development of some rows; with `values`, by value in front of the groups."""
    (groups, place), (ends, days) = grouped, buckets
    names = {action: number for number, action in enumerate(release.actions)}
    taken = np.array([names.get(group[1], -1) for group in groups], dtype=np.int64)
    wanted = np.array([[names.get(action, -1) for action in group[3:]] for group in groups], dtype=np.int64).reshape(
        -1, 2
    )
    ages, lag = len(ends), rows["age"] - rows["ago"]

    def summed(column: str, keep: Array, *, by_lag: bool = False) -> Array:
        first = () if values is None else (rows["value"][keep],)
        axes = (*first, place[keep], rows["age"][keep], *((lag[keep],) if by_lag else ()))
        unit = {"n": 1, "amount": MINOR_UNITS}.get(column, SCALED)
        shape = (*(() if values is None else (values,)), len(groups), ages, *((ages,) if by_lag else ()))
        return total(shape, axes, rows[column][keep], unit)

    event, negative, positive = (rows["label"] == label for label in (EVENT, 0, 1))
    return Development(
        release.actions,
        taken,
        wanted,
        _counted(groups, wanted, paired=paired),
        ends,
        days,
        summed("n", event),
        summed("n", positive, by_lag=True),
        summed("n", negative, by_lag=True),
        summed("amount", event),
        summed("amount", positive),
        np.stack([summed(f"{version}_score", event) for version in VERSIONS]),
        np.stack([[summed(f"{version}_score", keep) for version in VERSIONS] for keep in (negative, positive)]),
    )


def _counted(groups: list[tuple[str, ...]], wanted: Array, *, paired: bool) -> Array:
    """Return which version answers for which group: both for events that both scored, live the arm that acted."""
    if paired:
        both = np.array([group[2].lower() == "true" for group in groups], dtype=bool)
        return np.repeat((both & (wanted >= 0).all(-1))[:, None], len(VERSIONS), axis=1)
    acted = np.array([[group[0] == version for version in VERSIONS] for group in groups], dtype=bool)
    return acted.reshape(-1, len(VERSIONS)) & (wanted >= 0)

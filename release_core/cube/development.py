"""Cells of labels by age in; how labels develop from event to as-of, in few equal buckets of steps, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import dense, steps
from release_core.cube.dense import MINOR_UNITS, total
from release_core.cube.encode import SCALED
from release_core.cube.labels import EVENT, QUIET
from release_core.label_frames import Development
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from release_core.cube.cube import Cube
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Release, Stage

# More buckets than this in a stage say no more about delay, and leave too few labels in each.
MOST_BUCKETS = 20
# Spans that readers know, in hours, or in units of the calendar.
HOURS = (1, 2, 3, 6, 12, 24, 48, 72, 168, 336, 672, 2184)
CALENDAR = {"week": (1, 2, 4, 13, 26, 52), "month": (1, 3, 6, 12)}
GROUP = ("arm", "taken", "both_scored", "baseline_action", "candidate_action")


def width(unit: str, steps_of: tuple[int, int]) -> int:
    """Return how many as-of steps a bucket takes: at most 20 buckets for a stage's own steps, and 60 for all stages'.

    >>> width("day", (60, 60)), width("month", (6, 6)), width("6 hours", (20, 360)), width("hour", (8, 8))
    (3, 1, 8, 1)
    """
    own, every = steps_of
    least, block = max(-(-own // MOST_BUCKETS), -(-every // (3 * MOST_BUCKETS))), steps.block(unit)
    known = CALENDAR[unit] if unit in CALENDAR else [hours // block for hours in HOURS if hours % block == 0]
    return next((w for w in known if w >= least), least)


def statement(tests: str, split: str = "") -> str:
    """Return the SQL of all that happened by $step in buckets of $width: label -1 an event, 0 and 1 a label that came or went.

    `age` is the bucket of the event, `ago` that of what happened, both counted back from the step. `split` is a further
    column to keep apart, with its comma.
    """
    keys = ", ".join(GROUP)
    return f"""
with held as (select * from age where {tests} and seen <= $step),
moves as (
    select *, {EVENT} as told, entry as moment, 1 as sign from held where label < 0 and entry <= $step
    union all select *, label, since, 1 from held where label >= 0 and since <= $step
    union all select *, label, until, -1 from held where label >= 0 and until <= $step
    union all select *, 0, settled, 1 from held where label = {QUIET} and settled <= $step
)
select {split}{keys}, told::int as label, (($step - entry) // $width)::int as age, (($step - moment) // $width)::int as ago,
    sum(sign * n)::bigint as n, sum(sign * amount)::bigint as amount,
    sum(sign * baseline_score)::bigint as baseline_score, sum(sign * candidate_score)::bigint as candidate_score
from moves group by all"""


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


def progress(cube: Cube, step: int, tests: tuple[str, dict[str, object]]) -> dict[int, dict[str, int]]:
    """Return, at each as-of step up to `step`, the events that pass `tests` (n), and those with a known, with a mature label."""
    sql = f"""
with held as (select * from age where {tests[0]}),
moves as (
    select entry as moment, seen, n, 0 as known, 0 as mature from held where label < 0
    union all select since, seen, 0, n, 0 from held where label >= 0
    union all select until, seen, 0, -n, 0 from held where label >= 0
    union all select greatest(since, settled), seen, 0, 0, n from held where label >= 0
    union all select greatest(until, settled), seen, 0, 0, -n from held where label >= 0
    union all select settled, seen, 0, n, n from held where label = {QUIET}
)
select greatest(moment, seen) as moment, sum(n)::bigint as n, sum(known)::bigint as known, sum(mature)::bigint as mature
from moves where greatest(moment, seen) <= $step group by 1 order by 1"""
    cube.hold("age")
    found = cube.store.query(sql, tests[1] | {"step": step})
    places = np.searchsorted(found["moment"], [one for one in cube.steps if one <= step], side="right")
    sums = {name: np.append(0, np.cumsum(found[name])) for name in ("n", "known", "mature")}
    shown = [one for one in cube.steps if one <= step]
    return {
        one: {name: int(column[at]) for name, column in sums.items()} for one, at in zip(shown, places, strict=True)
    }


def read(
    cube: Cube, stage: Stage, step: int, tests: tuple[str, dict[str, object]], *, all_stages: bool = False
) -> Development:
    """Return how labels develop as of a step, of the events that pass `tests`, in the buckets of `stage`.

    With `all_stages` a version answers for every event that both scored, whoever acted.
    """
    cube.hold("age")
    size, ends, days = _buckets(cube, stage, step)
    rows = cube.store.query(statement(tests[0]), tests[1] | {"step": step, "width": size})
    return _developed(cube.release, rows, ends, days, paired=stage.paired or all_stages)


def read_by(cube: Cube, stage: Stage, step: int, tests: tuple[str, dict[str, object]]) -> dict[str, Development]:
    """Return the same for every value of the dimension of `tests`, which a stage's events have."""
    cube.hold("age")
    size, ends, days = _buckets(cube, stage, step)
    rows = cube.store.query(statement(tests[0], "v1::varchar as value, "), tests[1] | {"step": step, "width": size})
    return {
        value: _developed(cube.release, part, ends, days, paired=stage.paired)
        for value, part in dense.parted(rows, "value").items()
    }


def _buckets(cube: Cube, stage: Stage, step: int) -> tuple[int, tuple[int, ...], Array]:
    """Return the as-of steps in a bucket, the last step of each, newest first, and their ages in days."""
    sql = """select coalesce(min(entry), $step) as every, coalesce(min(entry) filter (where stage = $stage), $step) as own
        from checks where entry <= $step"""
    first = cube.store.query(sql, {"step": step, "stage": str(stage)})
    size = width(cube.unit, (step - int(first["own"][0]) + 1, step - int(first["every"][0]) + 1))
    ends = tuple(range(step, int(first["every"][0]) - 1, -size))
    days = [(cube.end(step) - cube.end(end)).total_seconds() / 86400 for end in ends]
    return size, ends, np.array(days)


def _developed(release: Release, rows: Columns, ends: tuple[int, ...], days: Array, *, paired: bool) -> Development:
    groups, place = _groups(rows)
    names = {action: number for number, action in enumerate(release.actions)}
    taken = np.array([names.get(group[1], -1) for group in groups], dtype=np.int64)
    wanted = np.array([[names.get(action, -1) for action in group[3:]] for group in groups], dtype=np.int64).reshape(
        -1, 2
    )
    ages, lag = len(ends), rows["age"] - rows["ago"]

    def summed(column: str, keep: Array, *, by_lag: bool = False) -> Array:
        axes = (place[keep], rows["age"][keep], *((lag[keep],) if by_lag else ()))
        unit = {"n": 1, "amount": MINOR_UNITS}.get(column, SCALED)
        return total((len(groups), ages, *((ages,) if by_lag else ())), axes, rows[column][keep], unit)

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


def _groups(rows: Columns) -> tuple[list[tuple[str, ...]], Array]:
    """Return the different groups, and each row's place among them."""
    listed = list(zip(*(map(str, rows[name]) for name in GROUP), strict=True))
    order = {group: number for number, group in enumerate(sorted(set(listed)))}
    return list(order), np.array([order[group] for group in listed], dtype=np.int64)


def _counted(groups: list[tuple[str, ...]], wanted: Array, *, paired: bool) -> Array:
    """Return which version answers for which group: both for events that both scored, live the arm that acted."""
    if paired:
        both = np.array([group[2].lower() == "true" for group in groups], dtype=bool)
        return np.repeat((both & (wanted >= 0).all(-1))[:, None], len(VERSIONS), axis=1)
    acted = np.array([[group[0] == version for version in VERSIONS] for group in groups], dtype=bool)
    return acted.reshape(-1, len(VERSIONS)) & (wanted >= 0)

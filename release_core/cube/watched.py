"""What stands beside the cells in: counts of checks, spans of stages, shares of watched codes, bad rows, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.cube import aged, cells, dense, query, steps
from release_core.cube.files import listed
from release_core.frames import natural
from release_core.release import Stage

if TYPE_CHECKING:
    from datetime import datetime

    from release_core.cube.cube import Cube, Where
    from release_core.cube.query import Group
    from release_core.frames import Array


COUNTED = cells.SUMS["checks"].split(", ")


def stages(cube: Cube) -> tuple[Stage, ...]:
    """Return the stages with decisions, in their order."""
    found = set(cube.store.query("select distinct stage from checks")["stage"])
    return tuple(stage for stage in Stage if stage in found)


def replay_sets(cube: Cube, stage: Stage) -> tuple[str, ...]:
    """Return the replay sets of a stage, sorted; ("",) where the logs name none."""
    sql = "select distinct replay_set as v from checks where stage = $stage order by v"
    return tuple(map(str, cube.store.query(sql, {"stage": stage})["v"]))


def sets(cube: Cube) -> tuple[str, ...]:
    """Return the replay sets that the logs name, in their natural order."""
    found = cube.store.query("select distinct replay_set as v from checks where replay_set <> ''")
    return tuple(sorted(map(str, found["v"]), key=natural))


def kinds(cube: Cube) -> tuple[str, ...]:
    """Return the kinds of outcomes in the logs, sorted."""
    found = cube.store.query("select distinct kind from kind where kind <> '' order by kind")
    return tuple(map(str, found["kind"]))


def began(cube: Cube, stage: Stage) -> datetime:
    """Return the beginning (UTC) of the step in which the first event of a stage entered; the stage has events."""
    sql = "select min(entry) as first from checks where stage = $stage"
    return cube.end(int(cube.store.query(sql, {"stage": stage})["first"][0]) - 1) + steps.TICK


def firsts(cube: Cube) -> dict[str, int]:
    """Return the step in which the first event of each stage entered."""
    found = cube.store.query("select stage::varchar as stage, min(entry) as first from checks group by all")
    return {str(stage): int(first) for stage, first in zip(found["stage"], found["first"], strict=True)}


def given(cube: Cube, log: str) -> frozenset[str]:
    """Return the columns that at least one file of a log holds."""
    return frozenset(name for report in cube.facts["logs"][log] for name in report["given"])


def checked(cube: Cube, stage: Stage) -> dict[str, Array]:
    """Return the counts of a stage by the step at which events entered, rising, and by replay set."""
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in COUNTED)
    sql = f"select entry, replay_set::varchar as replay_set, {sums} from checks where stage = $stage group by all order by entry"
    return dict(cube.store.query(sql, {"stage": stage}))


def checks(cube: Cube, stage: Stage, step: int) -> dict[str, int]:
    """Return the counts over all sets of a stage as of a step: events, overlap, parity, clipped scores."""
    found = cube.checked(stage)
    upto = int(np.searchsorted(found["entry"], step, side="right"))
    return {name: int(found[name][:upto].sum()) for name in COUNTED}


def maturity(cube: Cube, view: tuple[Stage, int], where: Where) -> dict[str, int]:
    """Return how many events (n) of a filter there are as of a step, and how many labels are known and mature."""
    known, mature = (cube.moved("pair", (*view, mature), ((), where)) for mature in (False, True))
    events, *labels = dense.labels(mature)
    return {
        "n": int(mature["n"][events].sum()),
        "known": int(known["n"][np.logical_or(*dense.labels(known)[1:])].sum()),
        "mature": int(mature["n"][np.logical_or(*labels)].sum()),
    }


def left_out(cube: Cube, stage: Stage, step: int, group: Group = ((), ())) -> dict[str, int]:
    """Return how many events of contaminated entities are left out as of a step, by the dimension that a group is split by.

    The key is "" where it is split by none; {} where no entity is contaminated. A group has at most one dimension in all.
    """
    if stage not in cube.mixed():
        return {}
    by, where = group
    wide, value = aged.valued(cube, (*where, *((dim, "") for dim in by)))
    moment, values, n = cube.leaving(stage, wide)
    gone = moment <= step
    if not by and not cube.single(wide):
        return {"": int(n[gone].sum())} if gone.any() else {}
    names = dict.fromkeys(values[gone].tolist()) if by else [value]
    found = {name: gone & (values == name) for name in names}
    return {name if by else "": int(n[rows].sum()) for name, rows in found.items() if rows.any()}


def leaving(cube: Cube, stage: Stage, wide: Where) -> tuple[Array, Array, Array]:
    """Return when events of contaminated entities were left out, of which value of the filter's dimension, and how many."""
    tests, params = cube.tests(stage, wide, every=True)
    sql = f"""
select greatest(since, seen) as moment, v1::varchar as value, -sum(n)::bigint as n
from pair where {tests} and label < 0 and seen > 0 group by all order by moment, value"""
    found = cube.store.query(sql, params)
    return found["moment"], found["value"].astype(str), found["n"]


def mixed(cube: Cube) -> frozenset[Stage]:
    """Return the stages in which some entity was seen in both arms."""
    found = set(cube.store.query("select distinct stage from pair where \"by\" = '' and seen > 0")["stage"])
    return frozenset(stage for stage in Stage if stage in found)


def spans(cube: Cube, step: int) -> list[dict[str, Any]]:
    """Return one row per stage and ramp step with events by a step: stage, ramp_step, first and last entry, n."""
    rows = []
    for (stage, ramp), (since, n) in cube.entered().items():
        upto = int(np.searchsorted(since, step, side="right"))
        if upto:
            ends = {"first": int(since[0]), "last": int(since[upto - 1]), "n": int(n[:upto].sum())}
            rows.append({"stage": stage, "ramp_step": ramp} | ends)
    return sorted(rows, key=lambda row: (row["first"], row["last"]))


def entered(cube: Cube) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Return, by stage and ramp step, the steps at which events entered, rising, and how many did."""
    sql = """
    select stage::varchar as stage, ramp_step::varchar as ramp, since, sum(n)::bigint as n
    from pair where "by" = '' and label < 0 and seen = 0 group by 1, 2, 3 order by since, stage, ramp
    """
    found = cube.store.query(sql)
    keys = list(zip(found["stage"].astype(str), found["ramp"].astype(str), strict=True))
    places = {key: np.array([key == one for one in keys]) for key in dict.fromkeys(keys)}
    return {(str(key[0]), str(key[1])): (found["since"][mine], found["n"][mine]) for key, mine in places.items()}


def days(cube: Cube, stage: Stage, step: int, replay_set: str | None = None) -> float:
    """Return over how many days the events of a stage (or one of its sets) entered, as of a step; 0 without events."""
    found = cube.checked(stage)
    entries = found["entry"][found["entry"] <= step]
    if replay_set is not None:
        entries = entries[found["replay_set"][: len(entries)] == replay_set]
    if not len(entries):
        return 0.0
    return (cube.end(int(entries[-1])) - cube.end(int(entries[0]) - 1)).total_seconds() / 86400


def codes(cube: Cube, stage: Stage, step: int) -> list[tuple[str, str, str, float, float, int]]:
    """Return (input, code, period, share in it, share before, events in it) for every later step, or day of short steps."""
    if not cube.release.watches:
        return []
    found = cube.store.rows(query.watched(24 // (steps.block(cube.unit) or 24)), {"stage": stage, "step": step})
    return [(r["name"], r["code"], cube.label(r["entry"]), r["share"], r["before"], r["total"]) for r in found]


def quarantined(cube: Cube, limit: int) -> list[dict[str, Any]]:
    """Return a sample of quarantined rows: file, row, column, value, rule."""
    found: list[dict[str, Any]] = []
    for report in (report for log in cube.facts["logs"].values() for report in log):
        found += [{"file": report["file"]} | row for row in report["late"]]
        if report["bad"] and report["quarantined"] and len(found) < limit:
            file = listed([cube.folder.parent / report["bad"]])
            sql = f'select row, "column", value, rule from read_parquet({file}) order by row limit {limit}'
            found += [{"file": report["file"]} | row for row in cube.store.rows(sql)]
    return found[:limit]

"""Who was treated in, cells of entities out: an index per part of the live stages, merged over parts.

An entity's events lie in many files, so its arm, its first event and its first harm are known only when all parts are
merged. What is published is signed: an entity seen in the second arm of a ramp step leaves its arm at that step and
counts as contaminated from then on, so that sums up to any look are what was known at that look (RELEASE.md B.4).

entity   stage, ramp step, state (baseline, candidate, both), entity shard, since -> n, scored, x, xx
carried  stage, ramp step, arm, kind, entity shard, since -> first (entities' first of the kind), y, yy, xy

x is the baseline's score of the entity's first event in the stage, times 1e9; xx and xy likewise. y counts an entity's
events with an outcome of a kind, or with an action that is not approve ("taken:review", ...).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube.cells import LIVE
from release_core.cube.encode import SCALED
from release_core.cube.files import copy, listed
from release_core.cube.steps import FOREVER

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.store import Cursor

TAKEN = "taken:"
TABLES = ("entity", "carried")
# A first event and its score as one number, so that the least of many parts is the same in any order.
PACKED, UNSCORED = 2_000_000_000, 1_999_999_999


def index(cursor: Cursor, folder: Path) -> None:
    """Write who the events of `slim` are of, and what came of them, into the folder of the part's cells.

    The column `sign` is 1, or -1 where an event is counted once more with what was known of it before.
    """
    score = f"coalesce(round(baseline_risk * {SCALED})::bigint, {UNSCORED})"
    copy(
        cursor,
        f"""
select stage, ramp_step, arm, entity, shard, entry, (first // {PACKED})::bigint as moment,
    (first % {PACKED})::bigint as x from (
    select stage, ramp_step, arm, entity, shard, min(entry) as entry,
        min(epoch_us(event_time)::hugeint * {PACKED} + {score}) as first
    from slim where stage in ({LIVE}) group by all)""",
        folder / "entities.parquet",
    )
    copy(
        cursor,
        f"""
select stage, ramp_step, entity, kind, since, sum(sign)::bigint as y
from slim join effects using (row) where stage in ({LIVE}) group by all
union all
select stage, ramp_step, entity, '{TAKEN}' || taken, entry, sum(sign)::bigint
from slim where stage in ({LIVE}) and taken <> 'approve' group by all""",
        folder / "doings.parquet",
    )


def merge(cursor: Cursor, folders: list[Path], target: Path) -> dict[str, list[str]]:
    """Write the cells of all parts' entities into `target` and return the names of the files by table; {} without any."""
    read = {
        name: f"read_parquet({listed([folder / f'{name}.parquet' for folder in folders])})"
        for name in ("entities", "doings")
    }
    cursor.execute(f"create or replace temp table who as {_who(read['entities'])}")
    if not cursor.rows("select 1 from who limit 1"):
        return {}
    copy(cursor, _entity(), target / "entity.parquet")
    copy(cursor, _carried(read["doings"]), target / "carried.parquet")
    cursor.execute("drop table who")
    return {name: [f"{name}.parquet"] for name in TABLES}


def together(cursor: Cursor, folders: list[Path], target: Path) -> None:
    """Write the index of several parts as that of one."""
    read = {
        name: f"read_parquet({listed([folder / f'{name}.parquet' for folder in folders])})"
        for name in ("entities", "doings")
    }
    copy(cursor, f"select distinct * from {read['entities']}", target / "entities.parquet")
    keys = "stage, ramp_step, entity, kind, since"
    summed = f"select {keys}, sum(y)::bigint as y from {read['doings']} group by {keys} having sum(y) <> 0"
    copy(cursor, summed, target / "doings.parquet")


def _who(entities: str) -> str:
    """Return SQL for every entity of a ramp step: its arm, from when until when, and its score before treatment."""
    return f"""
with first as (
    select stage, entity, (min(moment::hugeint * {PACKED} + x) % {PACKED})::bigint as x
    from {entities} group by stage, entity
), seen as (
    select stage, ramp_step, entity, any_value(shard) as shard,
        coalesce(min(entry) filter (arm = 'baseline'), {FOREVER}) as b,
        coalesce(min(entry) filter (arm = 'candidate'), {FOREVER}) as c
    from {entities} group by stage, ramp_step, entity
)
select stage, ramp_step, entity, shard, if(b < c, 'baseline', 'candidate') as arm, least(b, c) as since,
    greatest(b, c) as until, if(x = {UNSCORED}, null, x) as x
from seen join first using (stage, entity)"""


def _entity() -> str:
    return f"""
select stage, ramp_step, state, shard, since, sum(n)::bigint as n, coalesce(sum(n) filter (x is not null), 0)::bigint as scored,
    coalesce(sum(n * x), 0)::bigint as x, coalesce(sum(n * round(x::double * x / {SCALED})), 0)::bigint as xx
from (
    select stage, ramp_step, arm as state, shard, since, x, 1 as n from who where since < until
    union all
    select stage, ramp_step, arm, shard, until, x, -1 from who where since < until and until < {FOREVER}
    union all
    select stage, ramp_step, 'both', shard, until, x, 1 from who where until < {FOREVER}
) group by stage, ramp_step, state, shard, since order by stage"""


def _carried(doings: str) -> str:
    """Return SQL for what entities carry while they are in one arm; when they enter the other, all of it goes."""
    return f"""
with done as (
    select stage, ramp_step, entity, kind, since, sum(y)::bigint as y from {doings}
    group by stage, ramp_step, entity, kind, since having sum(y) <> 0
), clean as (
    select w.stage, w.ramp_step, w.arm, w.shard, w.until, coalesce(w.x, 0) as x, kind, done.since, y,
        sum(y) over before - y as already, row_number() over before as place
    from done join who as w using (stage, ramp_step, entity) where done.since < w.until
    window before as (partition by w.stage, w.ramp_step, entity, kind order by done.since)
), moved as (
    select stage, ramp_step, arm, kind, shard, since, (place = 1)::int as first, y,
        (already + y) * (already + y) - already * already as yy, x * y as xy from clean
    union all
    select stage, ramp_step, arm, kind, shard, until, -(place = 1)::int, -y,
        already * already - (already + y) * (already + y), -x * y from clean where until < {FOREVER}
)
select stage, ramp_step, arm, kind, shard, since, sum(first)::bigint as first, sum(y)::bigint as y,
    sum(yy)::bigint as yy, sum(xy)::bigint as xy
from moved group by stage, ramp_step, arm, kind, shard, since order by stage, kind"""

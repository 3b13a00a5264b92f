"""Who was treated in, cells of entities out: an index per part of the live stages, merged over parts.

An entity's events lie in many files, so its arm, its first event and its first harm are known only when all parts are
merged. What is published is signed: an entity seen in the second arm of a ramp step leaves its arm at that step and
counts as contaminated from then on, so that sums up to any look are what was known at that look (RELEASE.md B.4).

entity   stage, ramp step, state (baseline, candidate, both), entity shard, since -> n, scored, x, xx
carried  stage, ramp step, arm, kind, entity shard, since -> first (entities' first of the kind), y, yy, xy
entered  stage, ramp step, arm, kind, dim, value, since -> n: entities that entered (kind ""), or had their first of a kind

x is the baseline's score of the entity's first event in the stage, times 1e9; xx and xy likewise. y counts an entity's
events with an outcome of a kind, or with an action that is not approve ("taken:review", ...). In `entered` an entity is
of the segment of its first event in the stage, whatever later ones are of: treatment cannot have moved it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube.cells import LIVE
from release_core.cube.encode import SCALED, dimension_columns
from release_core.cube.files import copy, listed, text
from release_core.cube.steps import FOREVER
from release_core.release import OTHER

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.release import Release
    from release_core.store import Cursor

TAKEN = "taken:"
TABLES = ("entity", "carried", "entered")
INDEX = ("entities", "doings", "places")
# A first event, its score and its place as one number, so that the least of many parts is the same in any order.
PACKED, UNSCORED, PLACES = 2_000_000_000, 1_999_999_999, 2**40


def index(release: Release, cursor: Cursor, folder: Path) -> None:
    """Write who the events of `slim` are of, and what came of them, into the folder of the part's cells.

    A place is a number for the values of all dimensions. The column `sign` is 1, or -1 where an event is counted once more
    with what was known of it before.
    """
    score = f"coalesce(round(baseline_risk * {SCALED})::bigint, {UNSCORED})"
    values = ", ".join(dimension_columns(release)) or "''"
    where = f"(hash({values}) % {PLACES})::bigint"
    copy(
        cursor,
        f"""
select stage, ramp_step, arm, entity, shard, entry, (first // ({PACKED}::hugeint * {PLACES}))::bigint as moment,
    (first // {PLACES} % {PACKED})::bigint as x, (first % {PLACES})::bigint as place from (
    select stage, ramp_step, arm, entity, shard, min(entry) as entry,
        min((epoch_us(event_time)::hugeint * {PACKED} + {score}) * {PLACES} + {where}) as first
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
    copy(
        cursor,
        f"select distinct {where} as place, {values} from slim where stage in ({LIVE})",
        folder / "places.parquet",
    )


def gather(cursor: Cursor, folders: list[Path]) -> bool:
    """Make the table `who` of all parts' entities, once a ramp step, and return whether there are any.

    It says to which arm an entity belongs, from when until when it is known to be in no other, its score and place before
    treatment; `until` is the step at which it was seen in both arms, if it was.
    """
    cursor.execute(f"create or replace temp table who as {_who(_read('entities', folders))}")
    return bool(cursor.rows("select 1 from who limit 1"))


def publish(release: Release, cursor: Cursor, folders: list[Path], target: Path) -> dict[str, list[str]]:
    """Write the cells of the entities `who` into `target` and return the names of the files by table.

    The values beyond the cap of their dimension stand in the table `crowded` (dim, value).
    """
    cursor.execute(f"create or replace temp table clean as {_clean(_read('doings', folders))}")
    copy(cursor, _entity(), target / "entity.parquet")
    copy(cursor, _carried(), target / "carried.parquet")
    copy(cursor, _entered(release, _read("places", folders)), target / "entered.parquet")
    cursor.execute("drop table clean")
    return {name: [f"{name}.parquet"] for name in TABLES}


def together(cursor: Cursor, folders: list[Path], target: Path) -> None:
    """Write the index of several parts as that of one."""
    for name in ("entities", "places"):
        copy(cursor, f"select distinct * from {_read(name, folders)}", target / f"{name}.parquet")
    keys = "stage, ramp_step, entity, kind, since"
    summed = f"select {keys}, sum(y)::bigint as y from {_read('doings', folders)} group by {keys} having sum(y) <> 0"
    copy(cursor, summed, target / "doings.parquet")


def _read(name: str, folders: list[Path]) -> str:
    return f"read_parquet({listed([folder / f'{name}.parquet' for folder in folders])})"


def _who(entities: str) -> str:
    """Return SQL for every entity of a ramp step: its arm, from when until when, its score and place before treatment."""
    return f"""
with first as (
    select stage, entity, min((moment::hugeint * {PACKED} + x) * {PLACES} + place) as first
    from {entities} group by stage, entity
), seen as (
    select stage, ramp_step, entity, any_value(shard) as shard,
        coalesce(min(entry) filter (arm = 'baseline'), {FOREVER}) as b,
        coalesce(min(entry) filter (arm = 'candidate'), {FOREVER}) as c
    from {entities} group by stage, ramp_step, entity
)
select stage, ramp_step, entity, shard, if(b < c, 'baseline', 'candidate') as arm, least(b, c) as since,
    greatest(b, c) as until, nullif((first // {PLACES} % {PACKED})::bigint, {UNSCORED}) as x,
    (first % {PLACES})::bigint as place
from seen join first using (stage, entity)"""


def _clean(doings: str) -> str:
    """Return SQL for what entities carry while they are in one arm: how much more of a kind at which step, and what before."""
    return f"""
with done as (
    select stage, ramp_step, entity, kind, since, sum(y)::bigint as y from {doings}
    group by stage, ramp_step, entity, kind, since having sum(y) <> 0
)
select stage, ramp_step, w.arm, w.shard, w.until, coalesce(w.x, 0) as x, w.place, kind, done.since, y,
    sum(y) over before - y as already, row_number() over before as nth
from done join who as w using (stage, ramp_step, entity) where done.since < w.until
window before as (partition by stage, ramp_step, entity, kind order by done.since)"""


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


def _carried() -> str:
    """Return SQL for what entities carry by arm; when they enter the other, all of it goes."""
    return f"""
with moved as (
    select stage, ramp_step, arm, kind, shard, since, (nth = 1)::int as first, y,
        (already + y) * (already + y) - already * already as yy, x * y as xy from clean
    union all
    select stage, ramp_step, arm, kind, shard, until, -(nth = 1)::int, -y,
        already * already - (already + y) * (already + y), -x * y from clean where until < {FOREVER}
)
select stage, ramp_step, arm, kind, shard, since, sum(first)::bigint as first, sum(y)::bigint as y,
    sum(yy)::bigint as yy, sum(xy)::bigint as xy
from moved group by stage, ramp_step, arm, kind, shard, since order by stage, kind"""


def _entered(release: Release, places: str) -> str:
    """Return SQL for entities, and their first of each kind of outcome, by the values of their first event in the stage."""
    segments = " union all ".join(
        f"select place, {text(dim)} as dim, if({column} in (select value from crowded where dim = {text(dim)}), "
        f"{text(OTHER)}, {column}) as value from places"
        for dim, column in zip(release.segments.all, dimension_columns(release), strict=True)
    )
    return f"""
with places as (select distinct * from {places}),
segments as ({segments or "select 0::bigint as place, '' as dim, '' as value where false"}),
moved as (
    select stage, ramp_step, arm, '' as kind, place, since, until, count(*) as n from who where since < until group by all
    union all
    select stage, ramp_step, arm, kind, place, since, until, count(*) from clean
    where nth = 1 and not starts_with(kind, '{TAKEN}') group by all
), signed as (
    select * exclude (until) from moved
    union all
    select * exclude (since, until, n), until, -n from moved where until < {FOREVER}
)
select stage, ramp_step, arm, kind, dim, value, since, sum(n)::bigint as n
from signed join segments using (place) group by all having sum(n) <> 0 order by stage, dim, kind"""

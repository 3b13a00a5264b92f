"""Who was seen in both arms of a ramp step in, cells that take their events out again out.

A contaminated entity is left out of every comparison of the arms from the step on at which its second arm was seen. Cells
add, so its events are counted once more, negatively, under the same keys: these cells count from that step on (`seen`).
What they are made of is kept beside them, so that an arrival only looks at the new files, and at the events of entities
that are contaminated since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import cells, extend, grouped, pruning
from release_core.cube.files import copy, digest, text
from release_core.cube.parts import FORMAT, spec
from release_core.cube.steps import FOREVER

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from release_core.cube.parts import Part
    from release_core.release import Release
    from release_core.store import Cursor

# Tables whose cells count from a step on.
TABLES = tuple(table for table, keys in cells.KEYS.items() if "seen" in keys.split(", "))
NO_OUTCOMES = "(select '' as event_id, '' as outcome, '' as value, null::timestamp as observed_at where false)"


def folder(
    release: Release, cursor: Cursor, parts: dict[str, list[Part]], noted: dict[str, Any], before: dict[str, Any] | None
) -> Path | None:
    """Return the folder of the cells that take out the events of contaminated entities; None if there are none.

    Args:
        release: the release.
        cursor: one that holds the table `who` (see entities.py).
        parts: all parts of the logs.
        noted: what the cube notes of itself: its duplicates are no events.
        before: what the cube that this one extends noted of itself; None where all is counted anew.
    """
    cursor.execute(
        f"create or replace temp table mixed as select stage, ramp_step, entity, until from who where until < {FOREVER}"
    )
    if not cursor.rows("select 1 from mixed limit 1"):
        return None
    cache = next(one.good.parent for one in parts["decisions"] if one.good)
    kept = cache / before["contaminated"] if before and before["contaminated"] else None
    if kept and not (kept / "done").exists():
        before = kept = None
    _events(cursor, parts["decisions"], noted["facts"]["duplicates"], before, kept)
    _told(cursor, parts["outcomes"], before, kept)
    name = digest(FORMAT, spec(release), cursor.rows(_fingerprint()))
    found = cache / f"cells-{name}"
    if not (found / "done").exists():
        found.mkdir(exist_ok=True)
        grouped.count(release, cursor, found, name)
        copy(cursor, "select * exclude (sign, seen) from slim", found / "events.parquet")
        copy(cursor, "select * from told", found / "told.parquet")
        (found / pruning.CHANGE).touch()
        (found / "done").touch()
    return found


def _fingerprint() -> str:
    """Return SQL for what the events and outcomes are, however their rows are numbered and ordered."""
    events, told = (
        f"select coalesce(sum(hash(t)::hugeint), 0)::varchar from ({rows}) as t"
        for rows in ("select * exclude (row) from slim", "select * from told")
    )
    return f"select ({events}) as events, ({told}) as told"


def _events(
    cursor: Cursor,
    parts: list[Part],
    duplicates: dict[str, list[int]],
    before: dict[str, Any] | None,
    kept: Path | None,
) -> None:
    """Make the tables `kept` (events taken out before) and `slim`: the events of contaminated entities, each once, negative."""
    cursor.execute(
        "create or replace temp table doubled as select unnest($parts::bigint[]) as part, unnest($rows::bigint[]) as row",
        {
            "parts": [int(part) for part, rows in duplicates.items() for _ in rows],
            "rows": [row for rows in duplicates.values() for row in rows],
        },
    )
    old, fresh = _files(parts, before, "decisions")
    shape = f"select * exclude (part) from ({extend.rows(old | fresh)})"
    source = f"select * from read_parquet({text(kept / 'events.parquet')})" if kept else f"{shape} where false"
    cursor.execute(f"create or replace temp table kept as {source}")
    cursor.execute(
        "create or replace temp table newly as select * from mixed anti join kept using (stage, ramp_step, entity)"
    )
    pieces = ["select k.*, -1 as sign, w.until as seen from kept as k join mixed as w using (stage, ramp_step, entity)"]
    searched = [(fresh, "mixed")] + ([(old, "newly")] if cursor.rows("select 1 from newly limit 1") else [])
    pieces += [
        f"select f.* exclude (part), -1 as sign, w.until as seen from ({extend.rows(files)}) as f "
        f"join {who} as w using (stage, ramp_step, entity) anti join doubled using (part, row)"
        for files, who in searched
        if files
    ]
    union = " union all by name ".join(pieces)
    cursor.execute(
        f"create or replace temp table slim as select * replace (row_number() over () as row) from ({union})"
    )


def _told(cursor: Cursor, parts: list[Part], before: dict[str, Any] | None, kept: Path | None) -> None:
    """Make the table `told` of all outcomes of these events."""
    old, fresh = _files(parts, before, "outcomes")
    names = "event_id, outcome, value, observed_at"
    pieces = [f"select {names} from {NO_OUTCOMES}"]
    if kept:
        pieces.append(f"select {names} from read_parquet({text(kept / 'told.parquet')})")
    if fresh:
        pieces.append(f"select {names} from ({extend.rows(fresh)}) semi join slim using (event_id)")
    if old and cursor.rows("select 1 from slim anti join kept using (event_id) limit 1"):
        newly = "(select event_id from slim anti join kept using (event_id))"
        pieces.append(f"select {names} from ({extend.rows(old)}) semi join {newly} using (event_id)")
    cursor.execute(f"create or replace temp table told as {' union all '.join(pieces)}")


def _files(parts: list[Part], before: dict[str, Any] | None, log: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the kept files of parts that were searched before, and of the others, with the places of their parts."""
    known = set(before["parts"][log]) if before else set()
    chosen: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for place, one in enumerate(parts):
        if one.good:
            chosen[one.key not in known][str(one.good)] = place
    return chosen

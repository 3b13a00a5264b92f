"""A published cube and files that came since in; the folders of cells that bring it up to date out, at the files' own cost.

Cells add, so what new files change is itself a set of cells: the new events, and every earlier event of which an outcome
has arrived once more with all its outcomes, less the same events with what was known of them before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from release_core.cube import cells, customers, entities, grouped, ids, pruning, sizes, steps
from release_core.cube.across import NO_OUTCOMES, reversals
from release_core.cube.files import copy, digest, listed, text
from release_core.cube.parts import FORMAT, PUBLISHED, Part
from release_core.release import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.release import Release
    from release_core.store import Cursor, Store

    Parts = dict[str, list[Part]]

# With more folders of changes than this they are added up to one.
MOST_CHANGES = 12
# Numbers the rows of a cube's parts apart; no file has more rows.
ROWS_APART = 1_000_000_000_000
# Marks the events that are counted once more, negatively, with what was known of them before; and their numbers.
LESS, LESS_APART = "\x01", 1_000_000_000_000_000_000
LOGS = ("decisions", "outcomes")


def extended(
    release: Release, store: Store, parts: Parts, cache: Path, before: dict[str, Any] | None
) -> tuple[dict[str, Any], list[Path], list[Path]] | None:
    """Return (facts across files, folders of whole batches, folders of changes) from a cube, of which `before` are the notes.

    None if there is none of this manifest, if one of its files has gone or changed, or if an event of a new file
    is one of a file that sorts behind it: then everything is counted anew.
    """
    if before is None or before["spec"] != digest(FORMAT, PUBLISHED, release.manifest_hash):
        return None
    keys = {log: [one.key for one in parts[log]] for log in LOGS}
    if any(key not in keys[log] for log in LOGS for key in before["parts"][log]):
        return None
    known = {log: set(before["parts"][log]) for log in LOGS}
    fresh = {log: [one for one in parts[log] if one.good and one.key not in known[log]] for log in LOGS}
    folders = [cache / name for name in before["folders"]]
    changes = [cache / name for name in before["changes"]]
    if not all((folder / "done").exists() for folder in folders + changes):
        return None
    if not (cache / before["facts"]["customers"]["file"]).exists():
        return None
    with store.cursor() as cursor:
        _load(cursor, parts, known)
        facts = _facts(release, cursor, before, (parts, known))
        if facts is None:
            return None
        facts |= {name: before["facts"][name] for name in ("sizes", "customers")}
        if fresh["decisions"] or fresh["outcomes"]:
            name = digest(FORMAT, before["name"], [one.key for log in LOGS for one in fresh[log]])
            changes.append(_change(release, cursor, cache / f"cells-{name}"))
            facts["sizes"] = sizes.added(before["facts"]["sizes"], sizes.of(store, changes[-1:]))
        if len(changes) > MOST_CHANGES:
            changes = [_together(cursor, changes, cache)]
    return facts, folders, changes


def remembered(
    release: Release, parts: Parts, facts: dict[str, Any], folders: list[Path], changes: list[Path]
) -> dict[str, Any]:
    """Return what a published cube notes of itself, so that it can be extended.

    `contaminated` is filled in by who publishes: the folder of the cells that take out contaminated entities.
    """
    return {
        "spec": digest(FORMAT, PUBLISHED, release.manifest_hash),
        "parts": {log: [one.key for one in parts[log] if one.good] for log in LOGS},
        "order": {log: [one.key for one in parts[log]] for log in LOGS},
        "facts": facts,
        "folders": [folder.name for folder in folders],
        "changes": [folder.name for folder in changes],
        "contaminated": None,
    }


def published(cache: Path) -> dict[str, Any] | None:
    """Return what the cube published last notes of itself."""
    try:
        name = json.loads((cache / "current.json").read_text(encoding="utf-8"))["cube"]
        found: dict[str, Any] = json.loads((cache / name / "extend.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError):
        return None
    return found | {"name": name}


def _load(cursor: Cursor, parts: Parts, known: dict[str, set[str]]) -> None:
    """Make the tables `e0`, `e1` (events known before, and new) and `o0`, `o1` (outcomes), with the place of their part.

    Of what was known before only the rows of those events are read of which the new files tell.
    """
    logs = {"decisions": "e", "outcomes": "o"}
    for log, name in logs.items():
        cursor.execute(f"create or replace temp table {name}1 as {_form(parts[log], known[log], old=False)}")
    told = ids.wanted(cursor, "select event_id from e1 union all select event_id from o1")
    for log, name in logs.items():
        old = [(place, one) for place, one in enumerate(parts[log]) if one.good and one.key in known[log]]
        found = ids.read(parts[log], ids.rows(cursor, old, told))
        cursor.execute(f"create or replace temp table {name}0 as {found or NO_OUTCOMES}")


def _form(parts: list[Part], known: set[str], *, old: bool) -> str:
    """Return SQL for the rows of the files that were known before, or of the new ones."""
    files = {str(one.good): n for n, one in enumerate(parts) if one.good and (one.key in known) is old}
    if files:
        return rows(files)
    any_file = next((str(one.good) for one in parts if one.good), None)
    return f"select * from ({rows({any_file: 0})}) where false" if any_file else NO_OUTCOMES


def rows(files: dict[str, int]) -> str:
    """Return SQL for the rows of kept files with the place of each file's part."""
    places = ", ".join(f"({text(path)}, {place})" for path, place in files.items())
    return (
        f"select p.part, f.* exclude (filename) from read_parquet({listed(list(files))}, filename = true) as f "  # type: ignore[arg-type]
        f"join (values {places}) as p(filename, part) using (filename)"
    )


def _facts(
    release: Release, cursor: Cursor, before: dict[str, Any], files: tuple[Parts, dict[str, set[str]]]
) -> dict[str, Any] | None:
    """Return what only a look across files tells, from what was known before and the new files (see across.py)."""
    parts, known = files
    facts, place = before["facts"], {log: {one.key: n for n, one in enumerate(parts[log])} for log in LOGS}
    moved = {log: [place[log].get(key) for key in before["order"][log]] for log in LOGS}

    def again(name: str, log: str) -> dict[str, Any]:
        return {str(moved[log][int(n)]): rows for n, rows in facts[name].items() if moved[log][int(n)] is not None}

    found = {
        "duplicates": again("duplicates", "decisions"),
        "early": again("early", "outcomes"),
        "pending": again("pending", "outcomes"),
        "touched": {},
    }
    _drop(cursor, "e0", found["duplicates"])
    doubled = _duplicates(cursor)
    if doubled is None:
        return None
    found["duplicates"] |= doubled
    _drop(cursor, "e1", doubled)
    _fates(cursor, found)
    every = [_form(parts["decisions"], known["decisions"], old=old) for old in (True, False)]
    return found | _reversals(release, cursor, every) | _extent(release, cursor, facts)


def _drop(cursor: Cursor, view: str, rows: dict[str, list[int]]) -> None:
    """Make the view <view>k: the events of `view` that repeat no earlier one."""
    listed_rows = ", ".join(f"({part}, {row})" for part, found in rows.items() for row in found)
    without = f"anti join (values {listed_rows}) as d(part, row) using (part, row)" if listed_rows else ""
    cursor.execute(f"create or replace temp view {view}k as select * from {view} {without}")


def _duplicates(cursor: Cursor) -> dict[str, list[int]] | None:
    """Return the rows of new parts that repeat an event, by part; None if an old part's event is the repetition."""
    found = cursor.rows(
        """
        with fresh as (select part, row, stage, event_id from e1),
        seen as (
            select * from fresh union all
            select part, row, stage, event_id from e0k semi join fresh using (stage, event_id)
        ),
        ranked as (select *, row_number() over (partition by stage, event_id order by part, row) as place from seen)
        select part, list(row order by row) as rows, bool_or(part not in (select part from fresh)) as old
        from ranked where place > 1 group by part
        """
    )
    if any(row["old"] for row in found):
        return None
    return {str(row["part"]): row["rows"] for row in found}


def _fates(cursor: Cursor, found: dict[str, Any]) -> None:
    """Add what became of new outcomes, and of earlier ones that waited for one of the new events."""
    cursor.execute(
        """
        create or replace temp table fate as
        select o.part, o.row, min(e.event_time) as first_event, any_value(o.observed_at) as observed_at, true as fresh
        from o1 as o left join (
            select event_id, event_time from e0k semi join o1 using (event_id)
            union all select event_id, event_time from e1k semi join o1 using (event_id)
        ) as e using (event_id) group by o.part, o.row
        union all
        select o.part, o.row, min(e.event_time), any_value(o.observed_at), false
        from o0 as o join e1k as e using (event_id) anti join e0k using (event_id) group by o.part, o.row
        """
    )
    for row in cursor.rows(
        """
        select part, list(row order by row) filter (where observed_at < first_event) as early,
            count(*) filter (where fresh and first_event is null) - count(*) filter (where not fresh) as waiting
        from fate group by part
        """
    ):
        part = str(row["part"])
        if row["early"]:
            found["early"][part] = sorted([*found["early"].get(part, []), *row["early"]])
        if row["waiting"]:
            found["pending"][part] = found["pending"].get(part, 0) + row["waiting"]
    found["pending"] = {part: n for part, n in found["pending"].items() if n}


def _reversals(release: Release, cursor: Cursor, every: list[str]) -> dict[str, Any]:
    if release.kind is not Kind.RECALIBRATION:
        return {"reversals": None}
    names = "baseline_risk, candidate_risk, both_scored"
    union = " union all ".join(f"select {names} from ({rows})" for rows in every)
    cursor.execute(f"create or replace temp view e as {union}")
    return reversals(cursor)


def _extent(release: Release, cursor: Cursor, facts: dict[str, Any]) -> dict[str, Any]:
    unit = steps.unit_of(release.labels.steps)
    row = cursor.rows(
        f"""
        select min(entry) as first, greatest(max(entry), (select max({steps.sql(unit, "observed_at")}) from o1)) as last,
            bool_or(clustered) as clustered from e1
        """
    )[0]
    last = row["last"]
    if last is None:
        last = cursor.rows(f"select max({steps.sql(unit, 'observed_at')}) as last from o1")[0]["last"]
    return {
        "first": min(n for n in (facts["first"], row["first"]) if n is not None),
        "last": max(n for n in (facts["last"], last) if n is not None),
        "clustered": bool(facts["clustered"]) or bool(row["clustered"]),
    }


def _change(release: Release, cursor: Cursor, folder: Path) -> Path:
    """Return the folder of the cells by which new files change a cube."""
    if (folder / "done").exists():
        return folder
    folder.mkdir(exist_ok=True)
    number = f"select * exclude (part) replace (row + part::bigint * {ROWS_APART} as row)"
    cursor.execute(f"create or replace temp table old as {number} from e0k semi join o1 using (event_id)")
    cursor.execute(
        f"create or replace temp table slim as select *, 1 as sign, 0 as seen from (({number} from e1k) union all by name from old) "
        f"union all by name select * replace (row + {LESS_APART} as row, '{LESS}' || event_id as event_id), -1 as sign, 0 as seen from old"
    )
    names = "event_id, outcome, value, observed_at"
    cursor.execute(
        f"create or replace temp table told as select {names} from (select * from o0 union all select * from o1) "
        f"semi join slim using (event_id) union all "
        f"select {names} from (select * replace ('{LESS}' || event_id as event_id) from o0) semi join slim using (event_id)"
    )
    grouped.count(release, cursor, folder, folder.name.partition("-")[2])
    entities.index(release, cursor, folder)
    customers.index(release, cursor, folder)
    (folder / pruning.CHANGE).touch()
    (folder / "done").touch()
    return folder


def _together(cursor: Cursor, changes: Sequence[Path], cache: Path) -> Path:
    """Return one folder that holds the sum of several, without the cells that have cancelled out."""
    folder = cache / f"cells-{digest(FORMAT, [one.name for one in changes])}"
    if (folder / "done").exists():
        return folder
    folder.mkdir(exist_ok=True)
    entities.together(cursor, list(changes), folder)
    customers.together(cursor, list(changes), folder)
    for table in cells.TABLES:
        files = [file for one in changes for file in grouped.files(one, table)]
        if files:
            names = cells.SUMS[table].split(", ")
            sums = [f"sum({name})::bigint as {name}" for name in names]
            sums += ["min(low) as low", "max(high) as high"] if table == "score" else []
            left = " or ".join(f"sum({name}) <> 0" for name in names)
            copy(
                cursor,
                f"select {cells.KEYS[table]}, {', '.join(sums)} from read_parquet({listed(files)}) "
                f"group by {cells.KEYS[table]} having {left}",
                folder / f"{table}.parquet",
            )
    (folder / pruning.CHANGE).touch()
    (folder / "done").touch()
    return folder

"""Log files in, a published cube out: what each file gives is kept under its fingerprint and added up.

Four steps, each skipped where its result is in the cache: a file's good rows become slim events; a look
across files finds duplicates, early outcomes and the outcomes that touch each file; a file's events become
cells; the cells of all files are added and published under a new name.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from release_core import contract
from release_core.cube import (
    cells,
    contaminated,
    customers,
    entities,
    extend,
    gauges,
    grouped,
    pruning,
    reference,
    sizes,
    steps,
)
from release_core.cube.across import across
from release_core.cube.files import copy, digest, listed, replace_text, text
from release_core.cube.parts import FORMAT, PUBLISHED, Part, part, spec
from release_core.errors import Problem, SourceError
from release_core.release import OTHER
from release_core.store import VERSION, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from release_core.contract import LogFile
    from release_core.contract.columns import Log
    from release_core.release import Release
    from release_core.store import Cursor

    Progress = Callable[[float, str], None]

# With more parts than this their cells are added before they are published, else when they are read.
MOST_PARTS = 64
# Files with fewer rows than this share their cells with their neighbours; of large logs with twice as many, and so on, so
# that there are few enough parts for their cells to be read as they are, and room for those of files that come later.
BATCH_ROWS, MOST_BATCH_ROWS, BATCHES = 250_000, 1_000_000, 24
# What only a look across files finds: where, in which column, and the rule.
LATE = {
    "decisions": ("duplicates", "event_id", "event already in an earlier file"),
    "outcomes": ("early", "observed_at", "observed before its event"),
}
MOST_SHOWN = 100
MOST_NAMED = 3
LOGS: tuple[Log, ...] = ("decisions", "outcomes", "runtime")


def build(release: Release, cache: Path, progress: Progress | None = None) -> Path:
    """Bring the cube of a release up to date and return the folder in which it is published.

    Args:
        release: the release whose logs are read.
        cache: folder of this release's cached parts and published cubes; created if missing.
        progress: called with the share done (0 to 1) and a sentence.

    Raises:
        SourceError: there is no decisions log, or none of its files can be used.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found = {log: contract.files(release, log, cache) for log in LOGS}
    if not found["decisions"]:
        raise SourceError(_no_decisions(release))
    name = digest(
        FORMAT, PUBLISHED, spec(release), [(file.relative, file.fingerprint) for log in LOGS for file in found[log]]
    )
    target = cache / f"cube-{name}"
    if (target / "cube.json").exists():
        os.utime(target)  # nobody takes it for an old one before it is opened
    else:
        with Store(shared=True) as store:
            _build(release, store, found, target, progress or _silence)
    replace_text(cache / "current.json", json.dumps({"cube": target.name}))
    return target


def _silence(share: float, text: str) -> None:
    """Stand in where nobody listens to the progress."""


def _build(release: Release, store: Store, found: dict[Log, list[LogFile]], target: Path, tell: Progress) -> None:
    parts: dict[str, list[Part]] = {log: [] for log in LOGS}
    files = [(log, file) for log in LOGS for file in found[log]]
    own = spec(release)
    for number, (log, file) in enumerate(files):
        tell(0.4 * number / len(files), f"Reading {file.relative}")
        parts[log].append(part(release, own, store, file, target.parent))
    if not any(one.good for one in parts["decisions"]):
        raise SourceError(*(Problem(**one.report["rejected"]) for one in parts["decisions"]))
    tell(0.4, "Joining outcomes")
    before = extend.published(target.parent)
    newer = extend.extended(release, store, parts, target.parent, before)
    facts, folders, changes = newer or _counted(release, store, parts, target.parent, tell)
    tell(0.85, "Adding up the cells")
    summary = _summary(release, parts, facts)
    noted = extend.remembered(release, parts, facts, folders, changes)
    _publish(release, store, folders + changes, target, (summary, noted, before if newer else None), parts)
    pruning.prune(target.parent, target.name)
    tell(1.0, "Ready")


def _counted(
    release: Release, store: Store, parts: dict[str, list[Part]], cache: Path, tell: Progress
) -> tuple[dict[str, Any], list[Path], list[Path]]:
    """Return (facts across files, folders of the batches' cells, no changes), counting what is not in the cache."""
    facts = across(release, store, parts, cache)
    if facts["first"] is None:
        raise SourceError(_no_rows(parts["decisions"]))
    folders, batches = [], _batches(parts["decisions"])
    for number, batch in enumerate(batches):
        tell(0.45 + 0.4 * number / len(batches), f"Counting {parts['decisions'][batch[-1]].file.relative}")
        folders.append(_cells(release, store, parts, batch, [_own(facts, place) for place in batch]))
    return facts | {"sizes": sizes.of(store, folders)}, folders, []


def _no_decisions(release: Release) -> Problem:
    return Problem(
        f"{release.folder / release.decisions.path}",
        "no log file",
        "at least one .parquet, .csv or .jsonl file of decisions",
        "Put the decisions log there, or name its place in release.toml as [source.decisions] path.",
    )


def _no_rows(parts: list[Part]) -> Problem:
    reasons: dict[str, int] = {}
    for one in parts:
        for rule, n in one.report["reasons"].items():
            reasons[rule] = reasons.get(rule, 0) + n
    read = sum(one.report["read"] for one in parts)
    why = "; ".join(f"{n:,} {rule}" for rule, n in reasons.items())
    return Problem(
        ", ".join(one.file.relative for one in parts[:MOST_NAMED]),
        f"{read:,} rows, none of them usable" + (f" ({why})" if why else ""),
        "at least one good row of decisions",
        "Correct the rows, or the columns that release.toml names." if read else "Add rows to the log.",
    )


def _batches(parts: list[Part]) -> list[list[int]]:
    """Return the numbers of the readable parts, neighbours together until they hold enough rows to be worth cells of their own."""
    batches: list[list[int]] = []
    rows, enough = 0, BATCH_ROWS
    while enough < MOST_BATCH_ROWS and sum(one.report["accepted"] for one in parts if one.good) > BATCHES * enough:
        enough *= 2
    for number, one in enumerate(parts):
        if one.good:
            if not batches or rows >= enough:
                batches.append([])
                rows = 0
            batches[-1].append(number)
            rows += one.report["accepted"]
    return batches


def _own(facts: dict[str, Any], number: int) -> tuple[list[int], str]:
    """Return the rows of a decisions part that repeat earlier events, and the mark of the outcomes that touch it."""
    return facts["duplicates"].get(str(number), []), facts["touched"].get(str(number), "")


def _cells(
    release: Release, store: Store, parts: dict[str, list[Part]], batch: list[int], own: list[tuple[list[int], str]]
) -> Path:
    """Return the folder of a batch's cells, from the cache or by counting its events once."""
    mine = [parts["decisions"][number] for number in batch]
    name = digest(FORMAT, [one.key for one in mine], own)
    folder = mine[0].good.parent / f"cells-{name}"  # type: ignore[union-attr]
    if (folder / "done").exists():
        return folder
    folder.mkdir(exist_ok=True)
    with store.cursor() as cursor:
        _events(cursor, mine, [excluded for excluded, _ in own], parts["outcomes"])
        grouped.count(release, cursor, folder, name)
        entities.index(release, cursor, folder)
        customers.index(release, cursor, folder)
    (folder / "done").touch()
    return folder


def _events(cursor: Cursor, mine: list[Part], excluded: list[list[int]], outcomes: list[Part]) -> None:
    """Make the tables `slim` (the batch's events, numbered across its parts) and `told` (their outcomes)."""
    rows = " union all ".join(
        f"select * replace (row + {place * extend.ROWS_APART} as row), 1 as sign, 0 as seen from read_parquet({text(one.good)}) "
        f"where row not in (select unnest($x{place}::bigint[]))"
        for place, one in enumerate(mine)
    )
    cursor.execute(
        f"create or replace temp table slim as {rows}", {f"x{place}": rows for place, rows in enumerate(excluded)}
    )
    files = [other.good for other in outcomes if other.good]
    empty = "select '' as event_id, '' as outcome, '' as value, null::timestamp as observed_at where false"
    cursor.execute(
        "create or replace temp table told as select event_id, outcome, value, observed_at from "
        f"({f'select * from read_parquet({listed(files)})' if files else empty}) semi join slim using (event_id)"
    )


def _publish(
    release: Release,
    store: Store,
    folders: list[Path],
    target: Path,
    told: tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None],
    parts: dict[str, list[Part]],
) -> None:
    """Publish the parts' cells as a cube: the folder appears under its name only when it is whole.

    `told`: what the cube knows of its logs, what it notes to be extended, and what the cube noted that it extends.
    """
    summary, noted, before = told
    unfinished = target.with_name(f"_{target.name}.{os.getpid()}")
    unfinished.mkdir(exist_ok=True)
    summary["tables"] = {}
    with store.cursor() as cursor:
        crowded = sizes.crowded(release, noted["facts"]["sizes"])
        _note_crowded(cursor, crowded)
        summary["values"] = sizes.shown(noted["facts"]["sizes"], crowded)
        own: dict[str, list[str]] = {}
        out = None
        if entities.gather(cursor, folders):
            own |= entities.publish(release, cursor, folders, unfinished)
            out = contaminated.folder(release, cursor, parts, noted, before)
        noted["contaminated"] = out.name if out else None
        for table in cells.TABLES:
            also = [out] if out and table in contaminated.TABLES else []
            files = [file for folder in folders + also for file in grouped.files(folder, table)]
            if files:
                summary["tables"][table] = _table(cursor, table, files, unfinished, crowded=bool(crowded))
        scores = [file for folder in folders for file in grouped.files(folder, "score")]
        summary["score_groups"] = reference.groups(release, cursor, scores)
        own |= gauges.publish(cursor, parts["runtime"], summary["unit"], target.parent, unfinished)
        for table, names in own.items():
            summary["tables"][table] = [f"{target.name}/{name}" for name in names]
        summary["tables"][customers.TABLE] = _customers(cursor, noted, target.name, unfinished)
    pruning.note(unfinished, _uses(summary, noted, parts))
    (unfinished / "extend.json").write_text(json.dumps(noted), encoding="utf-8")
    (unfinished / "cube.json").write_text(json.dumps(summary), encoding="utf-8")
    try:
        unfinished.replace(target)
    except OSError:
        # Another process has published the same cells under the same name meanwhile.
        shutil.rmtree(unfinished)


def _customers(cursor: Cursor, noted: dict[str, Any], name: str, unfinished: Path) -> list[str]:
    """Return the files, relative to the cache, that tell who had events: of all whole batches one, written once."""
    known, file = noted["facts"].get("customers"), f"{customers.TABLE}.parquet"
    if not known or known["of"] != noted["folders"]:
        folders = [unfinished.parent / folder for folder in noted["folders"]]
        customers.merge(cursor, folders, unfinished / file)
        known = noted["facts"]["customers"] = {"of": noted["folders"], "file": f"{name}/{file}"}
    return [known["file"], *(f"{folder}/{file}" for folder in noted["changes"])]


def _table(cursor: Cursor, table: str, files: list[Path], folder: Path, *, crowded: bool) -> list[str]:
    """Return the files, relative to the cache, that hold a table: the parts' own, or one in which they are added up."""
    crowded = crowded and '"by"' in cells.KEYS[table]
    if not crowded and len(files) <= MOST_PARTS:
        return [str(file.relative_to(folder.parent)) for file in files]
    _cap(cursor, table, f"select * from read_parquet({listed(files)})", crowded=crowded)
    copy(cursor, _added(table), folder / f"{table}.parquet")
    return [f"{folder.name.lstrip('_').rsplit('.', 1)[0]}/{table}.parquet"]


def _added(table: str) -> str:
    """Return the SQL that adds the capped cells of a table, what is read together beside each other."""
    keys = cells.KEYS[table]
    sums = [f"sum({name})::bigint as {name}" for name in cells.SUMS[table].split(", ")]
    sums += ["min(low) as low", "max(high) as high"] if table == "score" else []
    order = 'order by "by", stage' if '"by"' in keys else ""
    return f"select {keys}, {', '.join(sums)} from capped group by {keys} {order}"


def _cap(cursor: Cursor, table: str, rows: str, *, crowded: bool) -> None:
    """Make the view `capped` of the cells, in which rare values of crowded dimensions read "(other)"."""
    if not crowded:
        cursor.execute(f"create or replace temp view capped as {rows}")
        return
    named = (
        "case when exists (from crowded c where c.dim = split_part(r.\"by\", ',', {n}) and c.value = r.v{n}) "
        "then {other} else r.v{n} end as v{n}"
    )
    places = [n for n in (1, 2, 3) if f"v{n}" in cells.KEYS[table]]
    replaced = ", ".join(named.format(n=n, other=text(OTHER)) for n in places)
    cursor.execute(f"create or replace temp view capped as select r.* replace ({replaced}) from ({rows}) r")


def _note_crowded(cursor: Cursor, crowded: dict[str, list[str]]) -> None:
    """Make the table `crowded` (dim, value) of the values beyond the cap of their dimension."""
    pairs = [(dim, value) for dim, values in crowded.items() for value in values]
    dims, values = ([pair[place] for pair in pairs] for place in (0, 1))
    cursor.execute(
        "create or replace temp table crowded as select unnest($dims::varchar[]) as dim, unnest($values::varchar[]) as value",
        {"dims": dims, "values": values},
    )


def _summary(release: Release, parts: dict[str, list[Part]], facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the cube knows of its logs: steps, fingerprint, and per file what was read and set aside."""
    return {
        "release": release.id,
        "unit": steps.unit_of(release.labels.steps),
        "steps": steps.chosen(release.labels.steps, facts["first"], facts["last"]),
        "fingerprint": digest(
            [(one.file.log, one.file.relative, one.file.fingerprint) for log in LOGS for one in parts[log]]
        ),
        "reversals": facts["reversals"],
        "clustered": facts["clustered"],
        "logs": {log: [_told(one, log, number, facts) for number, one in enumerate(parts[log])] for log in LOGS},
    }


def _told(one: Part, log: str, number: int, facts: dict[str, Any]) -> dict[str, Any]:
    """Return a file's report with what the look across files adds: repeated events, early and pending outcomes."""
    found, column, rule = LATE.get(log, ("", "", ""))
    rows = facts.get(found, {}).get(str(number), [])
    kept = {"size": one.file.size, "fingerprint": one.file.fingerprint, "bad": one.bad.name if one.bad else None}
    kept["good"] = one.good.name if one.good else None
    report = one.report | kept
    report["accepted"] -= len(rows)
    report["quarantined"] += len(rows)
    report["reasons"] = report["reasons"] | ({rule: len(rows)} if rows else {})
    report["late"] = [{"row": row, "column": column, "value": "", "rule": rule} for row in rows[:MOST_SHOWN]]
    report["pending"] = facts["pending"].get(str(number), 0) if log == "outcomes" else 0
    return report


def _uses(summary: dict[str, Any], noted: dict[str, Any], parts: dict[str, list[Part]]) -> list[str]:
    """Return the names in the cache of all that a cube is read from, and of what it can be extended from."""
    names = [name.split("/", 1)[0] for files in summary["tables"].values() for name in files]
    names += [*noted["folders"], *noted["changes"], *([noted["contaminated"]] if noted["contaminated"] else [])]
    for one in (one for log in LOGS for one in parts[log]):
        names += [f"part-{one.key}.json", f"gauge-{one.key}.parquet", f"ids-{one.key}-{VERSION}.npy"]
        names += [file.name for file in (one.good, one.bad) if file]
    return names

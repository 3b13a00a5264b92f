"""One log file in, its good and its bad rows out: read once, then kept under the file's fingerprint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from release_core import contract
from release_core.cube import encode
from release_core.cube.files import copy, digest, replace_text

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.contract import FileReport, LogFile
    from release_core.release import Release
    from release_core.store import Cursor, Store

# Part of every cache key: raise it when the SQL of events or cells changes meaning.
FORMAT = 18
# Part of the names of published cubes: raise it when what is published beside the cells changes meaning.
PUBLISHED = 2


@dataclass(frozen=True, slots=True)
class Part:
    """What one log file gave: its report, and where its good and its bad rows are kept (None: file set aside whole)."""

    file: LogFile
    key: str
    report: dict[str, Any]
    good: Path | None
    bad: Path | None


def spec(release: Release) -> str:
    """Return all that the cells depend on beside the files, as text."""
    return repr(
        (
            (release.decisions, release.outcomes, release.runtime, release.scale, release.segments, release.labels),
            (release.kind, release.baseline, release.candidate, release.watches, release.scenarios),
            sorted(release.tables.items()),
            sorted(release.policies.items()),
        )
    )


def part(release: Release, own: str, store: Store, file: LogFile, cache: Path) -> Part:
    """Return a file's part, from the cache or by reading the file once; `own` is the release's `spec`."""
    key = digest(FORMAT, own, file.relative, file.fingerprint)
    told, good, bad = cache / f"part-{key}.json", cache / f"good-{key}.parquet", cache / f"bad-{key}.parquet"
    if not (told.exists() and (good.exists() or json.loads(told.read_text(encoding="utf-8"))["rejected"])):
        with store.cursor() as cursor:
            report = contract.read(cursor, release, file, good="good", bad="bad")
            if report.rejected is None:
                copy(cursor, _wanted(release, cursor, file), good)
                copy(cursor, "select * from bad order by row", bad)
        replace_text(told, json.dumps(_plain(report)))
    report = json.loads(told.read_text(encoding="utf-8"))
    usable = report["rejected"] is None
    return Part(file, key, report, good if usable else None, bad if usable else None)


def _wanted(release: Release, cursor: Cursor, file: LogFile) -> str:
    if file.log != "decisions":
        return "select * from good order by row"
    sql, params = encode.events(release, "good")
    cursor.execute(f"create or replace temp table slim as {sql}", params)
    return "select * from slim order by row"


def _plain(report: FileReport) -> dict[str, Any]:
    return {
        "file": report.file.relative,
        "log": report.file.log,
        "read": report.read,
        "accepted": report.accepted,
        "quarantined": report.quarantined,
        "rejected": None if report.rejected is None else asdict(report.rejected),
        "mapped": report.mapped,
        "ignored": list(report.ignored),
        "notes": list(report.notes),
        "reasons": report.reasons,
        "given": report.given,
    }

"""One log file in, its good rows and its bad rows out as two tables, with a report that accounts for every row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from release_core.contract.columns import columns, version_names
from release_core.contract.demands import judged_notes, supply, wrong_throughout
from release_core.contract.judge import judge, split
from release_core.contract.layout import KEYS, set_repeats_aside, widen
from release_core.contract.raw import literal_path, open_raw
from release_core.contract.rules import WHOLESALE
from release_core.errors import LimitReached, Problem, SourceError
from release_core.spill import Spill
from release_core.store import quote

if TYPE_CHECKING:
    from pathlib import Path

    from release_core.contract.demands import Supply
    from release_core.contract.files import LogFile
    from release_core.contract.judge import Count
    from release_core.contract.raw import Raw
    from release_core.release import Release
    from release_core.store import Cursor


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file: read = accepted + quarantined rows, or `rejected` if it is set aside whole.

    `mapped` tells ours -> theirs where the names differ, `ignored` the columns that nothing uses, `reasons` how
    many rows broke each rule first, `given` which of our columns there are. In the long layout the counts are rows of
    the file, two per event.
    """

    file: LogFile
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: Problem | None = None
    mapped: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)


def read(cursor: Cursor, release: Release, file: LogFile, *, good: str = "good", bad: str = "bad") -> FileReport:
    """Read one file into two temporary tables of the cursor and return what became of its rows.

    `good` has `row` (1-based, within the file) and exactly `columns(release, file.log)`; `bad` has row, column,
    value and rule, one line per row that is set aside. A file that cannot be used at all gives an empty `good`
    and the reason in `rejected`; bad content never raises.

    Raises:
        LimitReached: the query ran out of memory or time.
    """
    try:
        with Spill() as folder:
            return _read(cursor, release, file, (good, bad), folder.path)
    except LimitReached:
        raise
    except SourceError as error:
        problem = _problem(file, error)
    except (OSError, EOFError, ValueError) as error:
        problem = _broken(file, str(error))
    _create_empty(cursor, release, file, good, bad)
    return FileReport(file, rejected=problem)


def _read(cursor: Cursor, release: Release, file: LogFile, tables: tuple[str, str], folder: Path) -> FileReport:
    good, bad = tables
    raw = open_raw(cursor, file, folder)
    supplied = supply(release, file, raw.types)
    wide = getattr(release, file.log).layout == "wide"
    count = _judge(cursor, release, raw, supplied, good, folder)
    split(cursor, good, bad)
    if not wide:
        widen(cursor, good, bad, columns(release, file.log), version_names(release))
    elif KEYS[file.log]:
        set_repeats_aside(cursor, good, bad, KEYS[file.log])
    reasons = _reasons(cursor, bad)
    quarantined = sum(reasons.values())
    return FileReport(
        file,
        count.read,
        count.read - quarantined,
        quarantined,
        _wrong_throughout(file, count),
        supplied.mapped,
        supplied.ignored,
        [*judged_notes(count, supplied), *supplied.notes],
        reasons,
        [source.column.name for source in supplied.sources if source.theirs is not None],
    )


def _judge(cursor: Cursor, release: Release, raw: Raw, supplied: Supply, table: str, folder: Path) -> Count:
    """Judge every row; if DuckDB cannot read the file, judge its repaired copy, in which the faulty rows are marked."""
    wide = all(source.column.name != "version" for source in supplied.sources)
    try:
        return judge(cursor, raw, supplied.sources, release.scale, table, wide=wide)
    except LimitReached:
        raise
    except SourceError:
        repaired = raw.repaired(folder)
        if repaired is None:
            raise
        return judge(cursor, repaired, supplied.sources, release.scale, table, wide=wide)


def _reasons(cursor: Cursor, bad: str) -> dict[str, int]:
    counted = cursor.rows(
        "select regexp_replace(rule, 'row [0-9]+$', 'an earlier row') as rule, count(*) as n "
        f"from {quote(bad)} group by all order by n desc, rule"
    )
    return {row["rule"]: row["n"] for row in counted}


def _wrong_throughout(file: LogFile, count: Count) -> Problem | None:
    first = next(iter(count.faults), None)
    if first is None or first.count < count.read or first.words not in WHOLESALE:
        return None
    return wrong_throughout(file, first)


def _create_empty(cursor: Cursor, release: Release, file: LogFile, good: str, bad: str) -> None:
    named = "".join(f", {quote(column.name)} {column.sql_type}" for column in columns(release, file.log))
    cursor.execute(f"create or replace temp table {quote(good)} (row bigint{named})")
    cursor.execute(
        f'create or replace temp table {quote(bad)} (row bigint, "column" varchar, value varchar, rule varchar)'
    )


def _problem(file: LogFile, error: SourceError) -> Problem:
    """Return one problem of the file: ours as it stands (several joined), DuckDB's in our words."""
    ours = [problem for problem in error.problems if isinstance(problem, Problem) and problem.where == file.relative]
    if not ours:
        first = error.problems[0]
        return _broken(file, first.found if isinstance(first, Problem) else first)
    return Problem(
        file.relative,
        "; ".join(problem.found for problem in ours),
        "; ".join(problem.required for problem in ours),
        " ".join(problem.remedy for problem in ours),
    )


def _broken(file: LogFile, reason: str) -> Problem:
    """Return the problem of a file that nobody can read, with the reader's own reason, free of this machine's paths."""
    for path in (str(file.path), literal_path(file.path)):
        reason = reason.replace(path, file.relative)
    legible = "".join(char if char.isprintable() else "?" for char in reason)
    return Problem(
        file.relative,
        f"a file that cannot be read ({legible})",
        "a complete file",
        "Write it again, under a name that ends in .tmp until it is whole. All other files are used.",
    )

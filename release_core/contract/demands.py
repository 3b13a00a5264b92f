"""A file's columns in, the sources of ours out; or, in words, why the file cannot serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.contract.casts import ACCEPTED, Source, family
from release_core.contract.columns import columns, long_columns
from release_core.contract.names import match, single_scores
from release_core.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.contract.columns import Column
    from release_core.contract.files import LogFile
    from release_core.contract.judge import Count, Fault
    from release_core.contract.names import Names
    from release_core.release import Release

LABEL = "label"
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Supply:
    """Which of the file's columns or folder names serves each of ours, and what the reader should know of it."""

    sources: tuple[Source, ...]
    mapped: dict[str, str]
    ignored: list[str]
    notes: list[str]


def supply(release: Release, file: LogFile, types: dict[str, str]) -> Supply:
    """Return where each column of the log comes from, given the names and types of the file's own.

    Raises:
        SourceError: a mandatory column is missing or of a type that cannot be read; every such column is named.
    """
    declared = getattr(release, file.log)
    long = file.log == "decisions" and declared.layout == "long"
    wanted = long_columns(release) if long else columns(release, file.log)
    found = match(wanted, [*types, *file.folder_values], dict(declared.columns), file.log)
    sources = tuple(
        _source(column, place, found, (types, file.folder_values), declared.epoch_unit)
        for place, column in enumerate(wanted)
    )
    sources, notes = _read_label(file, sources, found)
    problems = [*_missing(file, sources, list(types), long=long), *_unreadable(file, sources, types)] if types else []
    if problems:
        raise SourceError(*problems)
    used = {source.theirs for source in sources}
    mapped = {s.column.name: s.theirs for s in sources if s.theirs and s.theirs != s.column.name}
    return Supply(sources, mapped, [name for name in types if name not in used], [*_notes(file, sources), *notes])


def wrong_throughout(file: LogFile, fault: Fault) -> Problem:
    """Return the problem of a file all of whose rows break the same rule of type."""
    remedy = f"Correct it, or name another column in [source.{file.log}] columns."
    if fault.words == "not a time" and fault.example and fault.example.replace(".", "", 1).isdigit():
        remedy = _epoch_remedy(file)
    what = fault.column or "line"
    found = f"{what} {fault.words} in every row, such as {fault.example!r}"
    return Problem(file.relative, found, f"a {what} that can be read", remedy)


def judged_notes(count: Count, supplied: Supply) -> list[str]:
    """Return what the reading of the rows showed: times without a zone, guessed actions that are none."""
    notes = [f"{count.zoneless:,} times without a zone read as UTC"] if count.zoneless else []
    if count.foreign:
        guessed = ", ".join(source.theirs for source in supplied.sources if source.lenient and source.theirs)
        notes.append(f"{count.foreign:,} values of {guessed} are no actions: the action is computed from the bundle")
    return notes


def _source(
    column: Column, place: int, found: Names, offered: tuple[dict[str, str], dict[str, str]], epoch_unit: str | None
) -> Source:
    types, folder_values = offered
    theirs = found.theirs.get(column.name)
    if theirs is None:
        return Source(column, place)
    inside = theirs if theirs in types else None
    return Source(
        column,
        place,
        inside,
        family(types[inside]) if inside else None,
        folder_values.get(theirs),
        epoch_unit,
        lenient=column.name in found.guessed and column.kind == "word" and "action" in column.name,
    )


def _read_label(file: LogFile, sources: tuple[Source, ...], found: Names) -> tuple[tuple[Source, ...], list[str]]:
    """Give a vendor's table of labels, which has a value and no outcome, the outcome "label"."""
    if file.log != "outcomes" or "value" not in found.guessed or "outcome" in found.theirs:
        return sources, []
    labelled = tuple(
        Source(source.column, source.place, folder_value=LABEL) if source.column.name == "outcome" else source
        for source in sources
    )
    return labelled, [f'no column outcome: every row is read as the outcome "{LABEL}" with the value of its label']


def _served(sources: Sequence[Source]) -> set[str]:
    return {s.column.name for s in sources if s.theirs is not None or s.folder_value is not None}


def _missing(file: LogFile, sources: Sequence[Source], available: list[str], *, long: bool) -> list[Problem]:
    served = _served(sources)
    absent = [s.column.name for s in sources if s.column.needed and s.column.name not in served]
    problems = []
    if absent:
        remedy = f'Name it in release.toml: [source.{file.log}] columns = {{ {absent[0]} = "..." }}.'
        problems.append(Problem(file.relative, _lacks(absent, available), _needs(absent), remedy))
    scores = {"score"} if long else {"baseline_score", "candidate_score"}
    if file.log == "decisions" and not scores & served:
        remedy = _score_remedy(available, long=long)
        problems.append(Problem(file.relative, _lacks(sorted(scores), available), "at least one score", remedy))
    return problems


def _lacks(absent: Sequence[str], available: list[str]) -> str:
    shown = ", ".join(available[:SHOWN]) + (", ..." if len(available) > SHOWN else "")
    return f"no column {' or '.join(absent)}; the columns are {shown}"


def _needs(absent: Sequence[str]) -> str:
    return f"the column{'s' if len(absent) > 1 else ''} {', '.join(absent)}"


def _score_remedy(available: list[str], *, long: bool) -> str:
    single = single_scores(available)
    if single and not long:
        return (
            f"{single[0]} does not say whose score it is: for one row per event and version set "
            f'layout = "long" in [source.decisions], else columns = {{ candidate_score = "{single[0]}" }}.'
        )
    wanted = "score" if long else "baseline_score"
    return f'Name it in release.toml: [source.decisions] columns = {{ {wanted} = "..." }}.'


def _unreadable(file: LogFile, sources: Sequence[Source], types: dict[str, str]) -> list[Problem]:
    problems = []
    for source in sources:
        if source.theirs is None or source.family is None:
            continue
        kind, sql_type = source.column.kind, types[source.theirs]
        if source.family not in ACCEPTED[kind]:
            remedy = f"Write {source.theirs} as a {kind}, or name another column in [source.{file.log}] columns."
            found = f"{source.theirs} of type {sql_type}"
            problems.append(Problem(file.relative, found, f"a {kind} for {source.column.name}", remedy))
        elif kind == "time" and source.family in {"number", "float"} and source.epoch_unit is None:
            found = f"{source.theirs} as numbers ({sql_type})"
            problems.append(Problem(file.relative, found, "the unit of epoch numbers", _epoch_remedy(file)))
    return problems


def _epoch_remedy(file: LogFile) -> str:
    return f'Set epoch_unit = "s", "ms", "us" or "ns" in [source.{file.log}].'


def _notes(file: LogFile, sources: Sequence[Source]) -> list[str]:
    served = _served(sources)
    notes = [
        f"{s.column.name} read from the name of the folder ({s.column.name} = {s.folder_value})"
        for s in sources
        if s.folder_value is not None and s.theirs is None and file.folder_values.get(s.column.name) == s.folder_value
    ]
    for source in sources:
        if source.column.declared and source.column.name not in served:
            missing = source.column.missing or "missing"
            notes.append(f"no column {source.column.name}: every value is {missing}")
    return notes

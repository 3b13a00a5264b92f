"""A decisions log in, its columns, layout, clock and segments out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from release_core.contract.columns import columns, long_columns
from release_core.contract.names import match
from release_core.contract.raw import open_raw
from release_core.errors import Problem, SourceError
from release_core.guess.files import file_of, provisional, spread
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from release_core.guess.made import Guess
    from release_core.store import Cursor

MOST_VALUES, LEAST_VALUES, MOST_DIMS = 50, 2, 8
# (longest span in days, unit of the as-of steps)
SPANS = ((3, "hour"), (64, "day"), (450, "week"), (float("inf"), "month"))


def decisions(cursor: Cursor, files: Sequence[Path], folder: Path, made: Guess) -> None:
    """Find the columns, the layout and the segments, and keep a sample of the log as the table `seen`."""
    release = provisional(made.tables)
    types = open_raw(cursor, file_of(files[0]), folder).types
    wide = match(columns(release, "decisions"), list(types), {}, "decisions")
    long = match(long_columns(release), list(types), {}, "decisions")
    scored = [version for version in ("baseline", "candidate") if f"{version}_score" in wide.theirs]
    names = wide.theirs
    if not scored and {"version", "score"} <= long.theirs.keys():
        names = long.theirs
        made.tables["source"]["decisions"]["layout"] = "long"
        made.said.append(f"layout long: one row per event and version, told apart by {names['version']}")
    elif not scored:
        names = _two_scores(types, dict(wide.theirs), made)
    for ours, theirs in names.items():
        if ours != theirs:
            made.said.append(f"{ours} is read from {theirs}")
    _sample(cursor, files, folder, names, types)
    _versions(cursor, names, made)
    _time(cursor, names, made)
    _dimensions(cursor, types, set(names.values()), made)


def _two_scores(types: Mapping[str, str], names: dict[str, str], made: Guess) -> dict[str, str]:
    """Take the first two columns whose names speak of a score for baseline and candidate; one alone for the candidate."""
    speaking = [
        name for name in types if re.search(r"score|proba|risk|pred", name.lower()) and name not in names.values()
    ]
    if not speaking:
        raise SourceError(
            Problem(
                "decisions",
                f"the columns {', '.join(types)}",
                "baseline_score and candidate_score, or a name that says score",
                'Name them in release.toml: [source.decisions] columns = { baseline_score = "..." }',
            )
        )
    sides = ("baseline_score", "candidate_score") if len(speaking) > 1 else ("candidate_score",)
    chosen = dict(zip(sides, speaking, strict=False))
    made.tables["source"]["decisions"]["columns"] = chosen
    return names | chosen


def _sample(
    cursor: Cursor, files: Sequence[Path], folder: Path, names: Mapping[str, str], types: Mapping[str, str]
) -> None:
    """Make the table `seen` of the first files' rows, every column as text under its own name."""
    for parts, file in enumerate(spread(files)):
        raw = open_raw(cursor, file_of(file), folder)
        wanted = {name: name for name in types if name in raw.types}
        sql, params = raw.relation(wanted)
        shown = ", ".join(
            f"{quote(name)}::varchar as {quote(name)}" if name in wanted else f"null::varchar as {quote(name)}"
            for name in types
        )
        verb = "insert into seen" if parts else "create or replace temp table seen as"
        cursor.execute(f"{verb} select {shown} from ({sql})", params)
    alias = {ours: f"{quote(theirs)}" for ours, theirs in names.items()}
    listed = ", ".join(f"{column} as {quote(ours)}" for ours, column in alias.items())
    cursor.execute(f"create or replace temp view mapped as select {listed} from seen")


def _versions(cursor: Cursor, names: Mapping[str, str], made: Guess) -> None:
    if "version" not in names:
        return
    found = [
        row["v"] for row in cursor.rows("select distinct version as v from mapped where version is not null order by v")
    ]
    if set(found) >= {"baseline", "candidate"} or len(found) < LEAST_VALUES:
        return
    made.tables["release"]["from"]["model"], made.tables["release"]["to"]["model"] = found[0], found[1]
    made.tables["rollback"]["target"] = found[0]
    made.said.append(f"versions {', '.join(found)}: {found[0]} is taken for the baseline, {found[1]} for the candidate")


def _time(cursor: Cursor, names: Mapping[str, str], made: Guess) -> None:
    if "event_time" not in names:
        return
    number = cursor.rows(
        "select min(try_cast(event_time as double)) as low, max(try_cast(event_time as double)) as high from mapped"
    )[0]
    if number["low"] is not None and number["low"] > 1e8:
        unit = next(
            unit
            for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", float("inf")))
            if number["high"] < limit
        )
        made.tables["source"]["decisions"]["epoch_unit"] = unit
        days = (number["high"] - number["low"]) / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit] / 86400
        made.said.append(f"event times are numbers, taken for {unit} since 1970")
    else:
        row = cursor.rows(
            "select epoch(max(try_cast(event_time as timestamptz))) - epoch(min(try_cast(event_time as timestamptz))) as s from mapped"
        )[0]
        days = (row["s"] or 0) / 86400
    made.tables["labels"]["steps"] = next(unit for limit, unit in SPANS if days <= limit)
    made.said.append(f"as-of steps are {made.tables['labels']['steps']}s, since the log spans {days:.0f} days")


def _dimensions(cursor: Cursor, types: Mapping[str, str], taken: set[str], made: Guess) -> None:
    free = [name for name in types if name not in taken and name.isidentifier()]
    chosen = []
    for name in free:
        row = cursor.rows(
            f"select count(distinct {quote(name)}) as n, count(try_cast({quote(name)} as double)) as numbers, "
            f"count({quote(name)}) as filled from seen"
        )[0]
        if LEAST_VALUES <= row["n"] <= MOST_VALUES and not row["numbers"] and row["filled"]:
            chosen.append(name)
            made.said.append(f"{name} is a segment dimension: text with {row['n']} values")
    made.tables["segments"]["dims"] = chosen[:MOST_DIMS]
    if len(chosen) > MOST_DIMS:
        made.said.append(f"left out as dimensions, to keep the cube small: {', '.join(chosen[MOST_DIMS:])}")

"""Judged rows in, the checked log out: repeated rows are moved to the quarantine, long rows become wide ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.contract.casts import final_sql
from release_core.contract.repair import LONGEST_TEXT
from release_core.release import VERSIONS
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release_core.contract.columns import Column, Log
    from release_core.store import Cursor

KEYS: dict[Log, tuple[str, ...]] = {
    "decisions": ("stage", "event_id"),
    "outcomes": ("event_id", "outcome", "value", "observed_at"),
    "runtime": (),
}
EVENT = ("stage", "event_id")


def set_repeats_aside(cursor: Cursor, table: str, bad: str, keys: Sequence[str]) -> None:
    """Move every row of `table` whose keys an earlier row has to `bad`."""
    names = ", ".join(map(quote, keys))
    same = " and ".join(f"later.{quote(key)} is not distinct from kept.{quote(key)}" for key in keys)
    cursor.execute(
        "create or replace temp table _repeats as "
        "select later.row, 'event_id' as column_name, later.event_id as value, 'duplicate of row ' || kept.row as rule "
        f"from {quote(table)} as later join (select {names}, min(row) as row from {quote(table)} "
        f"group by {names} having count(*) > 1) as kept on {same} and later.row > kept.row"
    )
    _set_aside(cursor, table, bad)


def widen(cursor: Cursor, table: str, bad: str, columns: Sequence[Column], names: Mapping[str, str]) -> None:
    """Turn `table` from one row per event and version into one row per event with `columns`.

    `names` tells what the rows of each side are called; those of further versions tell of the event alone.
    Rows that repeat an event and version, contradict the event's first row or belong to an event without any
    score are moved to `bad`. An event's row number is that of its baseline row, or of its first row.
    """
    event = [column for column in columns if column.field is None]
    set_repeats_aside(cursor, table, bad, (*EVENT, "version"))
    _set_contradictions_aside(cursor, table, bad, event)
    cursor.execute(
        "create or replace temp table _repeats as select row, 'score' as column_name, null::varchar as value, "
        f"'no score from either version' as rule from {quote(table)} semi join (select stage, event_id "
        f"from {quote(table)} group by stage, event_id having count(score) filter (version in ($old, $new)) = 0) "
        "using (stage, event_id)",
        _bound(names),
    )
    _set_aside(cursor, table, bad)
    cursor.execute(f"create or replace temp table _long as select * from {quote(table)}")
    cursor.execute(f"create or replace temp table {quote(table)} as {_pivot(columns)}", _bound(names))
    cursor.execute("drop table _long")


def _set_contradictions_aside(cursor: Cursor, table: str, bad: str, event: Sequence[Column]) -> None:
    """Move every row that says something else of its event than the first row that says anything."""
    told = [column.name for column in event if column.name not in EVENT]
    first = ", ".join(f"arg_min({quote(name)}, row) as {quote(name)}" for name in told)
    differs = {name: f"one.{quote(name)} is not null and one.{quote(name)} <> kept.{quote(name)}" for name in told}
    column = " ".join(f"when {sql} then {number}" for number, sql in enumerate(differs.values(), start=1))
    value = " ".join(f"when {sql} then one.{quote(name)}::varchar" for name, sql in differs.items())
    cursor.execute(
        "create or replace temp table _repeats as select row, list_extract($names::varchar[], number) as column_name, "
        f"left(value, {LONGEST_TEXT}) as value, 'contradicts row ' || kept_row as rule from (select one.row, "
        f"kept.row as kept_row, case {column} end as number, case {value} end as value from {quote(table)} as one "
        f"join (select stage, event_id, min(row) as row, {first} from {quote(table)} group by stage, event_id) as kept "
        "on one.stage = kept.stage and one.event_id = kept.event_id) where number is not null",
        {"names": told},
    )
    _set_aside(cursor, table, bad)


def _set_aside(cursor: Cursor, table: str, bad: str) -> None:
    """Move the rows listed in `_repeats` from `table` to `bad`."""
    (found,) = cursor.rows("select count(*) as n from _repeats")
    if found["n"]:
        cursor.execute(f"insert into {quote(bad)} select row, column_name, value, rule from _repeats")
        cursor.execute(f"delete from {quote(table)} where row in (select row from _repeats)")
    cursor.execute("drop table _repeats")


def _bound(names: Mapping[str, str]) -> dict[str, object]:
    return dict(zip(("old", "new"), (names[side] for side in VERSIONS), strict=True))


def _pivot(columns: Sequence[Column]) -> str:
    """Return the SQL of the wide rows; what one version's row leaves out of the event, the other's may tell."""
    sides = dict(zip(VERSIONS, ("$old", "$new"), strict=True))
    told = ["stage", "event_id", "coalesce(min(row) filter (version = $old), min(row)) as row"]
    for column in columns:
        name = quote(column.name)
        if column.field:
            told.append(
                f"arg_min({quote(column.field)}, row) filter (version = {sides[column.version or VERSIONS[0]]}) as {name}"
            )
        elif column.name not in EVENT:
            told.append(f"arg_min({name}, row) as {name}")
    final = ", ".join(f"{final_sql(column)} as {quote(column.name)}" for column in columns)
    return f"select row, {final} from (select {', '.join(told)} from _long group by stage, event_id) order by row"

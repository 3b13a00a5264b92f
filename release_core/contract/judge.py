"""A relation and the sources of its columns in, one table out: every row typed, with the first rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.contract.casts import zoneless_sql
from release_core.contract.repair import LONGEST_TEXT
from release_core.contract.rules import rules, scale_params
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.contract.casts import Source
    from release_core.contract.raw import Raw
    from release_core.contract.rules import Rule
    from release_core.release import Scale
    from release_core.store import Cursor

JUDGEMENT = ("_words", "_column", "_value", "_zoneless", "_foreign")


@dataclass(frozen=True, slots=True)
class Fault:
    """How many rows break one rule in one column first, and one of the values."""

    column: str
    words: str
    count: int
    example: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """What was seen in all rows: how many, which faults, times without a zone, guessed actions that are none."""

    read: int
    faults: tuple[Fault, ...]
    zoneless: int
    foreign: int


def judge(cursor: Cursor, raw: Raw, sources: Sequence[Source], scale: Scale, table: str, *, wide: bool) -> Count:
    """Create `table` with `row`, our columns and the judgement of every row, and return what was seen.

    In a `wide` log missing values are already named as the checked log has them; else they stay NULL.
    """
    broken = rules(sources, scale, wide=wide)
    relation, params = raw.relation({source.source: source.theirs for source in sources if source.theirs is not None})
    for source in sources:
        params |= source.params()
    params |= {"rule_words": [rule.words for rule in broken], "rule_columns": [rule.column for rule in broken]}
    used = scale_params(scale) if any(source.column.field == "score" for source in sources) else {}
    sql = _judged(relation, sources, broken, wide=wide)
    cursor.execute(f"create or replace temp table {quote(table)} as {sql}", params | used)
    return _count(cursor, table)


def split(cursor: Cursor, table: str, bad: str) -> None:
    """Move the rows of `table` that break a rule into a new table `bad`, and drop the judgement from `table`."""
    cursor.execute(
        f'create or replace temp table {quote(bad)} as select row, _column as "column", _value as value, '
        f"_words as rule from {quote(table)} where _words is not null"
    )
    cursor.execute(f"delete from {quote(table)} where _words is not null")
    for name in JUDGEMENT:
        cursor.execute(f"alter table {quote(table)} drop column {name}")


def _judged(relation: str, sources: Sequence[Source], broken: Sequence[Rule], *, wide: bool) -> str:
    given = ", ".join(f"{source.given_sql()} as {source.given}" for source in sources)
    passed = ", ".join(source.given for source in sources)
    typed = ", ".join(f"{source.typed_sql()} as {quote(source.column.name)}" for source in sources)
    first = " ".join(f"when {rule.broken} then {number}" for number, rule in enumerate(broken, start=1))
    value = " ".join(f"when {number} then {rule.given}::varchar" for number, rule in enumerate(broken, start=1))
    names = [source.final_sql() if wide else quote(source.column.name) for source in sources]
    final = ", ".join(f"{name} as {quote(s.column.name)}" for name, s in zip(names, sources, strict=True))
    zoneless = " or ".join(zoneless_sql(source) for source in sources)
    foreign = " or ".join(["false", *(_foreign_sql(source) for source in sources if source.lenient)])
    return f"""
        with source as ({relation}),
        given as (select _row, _fault, _text, {given} from source),
        typed as (select _row, _fault, _text, {passed}, {typed} from given),
        judged as (select *, case {first} end as _rule from typed)
        select
            _row as row, {final},
            case _rule when 1 then _fault else list_extract($rule_words::varchar[], _rule) end as _words,
            list_extract($rule_columns::varchar[], _rule) as _column,
            left(case _rule {value} end, {LONGEST_TEXT}) as _value,
            {zoneless} as _zoneless,
            {foreign} as _foreign
        from judged
    """


def _foreign_sql(source: Source) -> str:
    return f"({source.given} is not null and {quote(source.column.name)} is null)"


def _count(cursor: Cursor, table: str) -> Count:
    (seen,) = cursor.rows(
        "select count(*) as read, count(*) filter (_zoneless) as zoneless, "
        f"count(*) filter (_foreign) as foreign_actions from {quote(table)}"
    )
    faults = cursor.rows(
        "select _column, _words, count(*) as n, min(_value) as example "
        f"from {quote(table)} where _words is not null group by _column, _words order by n desc, _words, _column"
    )
    told = tuple(Fault(row["_column"], row["_words"], row["n"], row["example"]) for row in faults)
    return Count(seen["read"], told, seen["zoneless"], seen["foreign_actions"])

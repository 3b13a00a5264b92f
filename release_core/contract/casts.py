"""A file's column of any type in, SQL of our type out: every cast gives NULL instead of an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from release_core.store import quote

if TYPE_CHECKING:
    from release_core.contract.columns import Column

Family = Literal["text", "float", "number", "flag", "zoned", "unzoned", "other"]
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID", "JSON", "TIME", '"NULL"'), "text"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL"), "number"),
    "BOOLEAN": "flag",
    "DATE": "unzoned",
}
ACCEPTED: dict[str, tuple[Family, ...]] = {
    "text": ("text", "float", "number", "flag", "zoned", "unzoned"),
    "word": ("text", "float", "number", "flag"),
    "number": ("text", "float", "number"),
    "flag": ("text", "float", "number", "flag"),
    "time": ("text", "float", "number", "zoned", "unzoned"),
}
EARLIEST, LATEST = "1980-01-01", "2100-01-01"
EARLIEST_SECONDS, LATEST_SECONDS = 315_532_800, 4_102_444_800
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# A zone follows the clock time; in "2026-01-01" the last two digits are the day.
ZONE = r":[0-9.]+\s*([Zz]|[+-][0-9]{2}|[A-Za-z])"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one of our columns comes from: the file's column `theirs`, its folder's name, or nowhere.

    `lenient`: the column was guessed, so a word that we do not know is passed over instead of refused.
    """

    column: Column
    place: int
    theirs: str | None = None
    family: Family | None = None
    folder_value: str | None = None
    epoch_unit: str | None = None
    lenient: bool = False

    @property
    def source(self) -> str:
        """Return the name of the SQL column that holds the file's own value."""
        return f"_source_{self.place}"

    @property
    def given(self) -> str:
        """Return the name of the SQL column that holds what the file says, NULL where it says nothing."""
        return f"_given_{self.place}"

    @property
    def is_text(self) -> bool:
        """Return whether what is given is text."""
        return self.family in {None, "text"} or self.folder_value is not None

    def given_sql(self) -> str:
        """Return the SQL of what the file says, blank text being NULL; where it is silent, its folder's name speaks."""
        if self.theirs is None:
            return f"$folder_{self.place}::varchar" if self.folder_value is not None else "null::varchar"
        if not self.is_text:
            return self.source
        trimmed = f"nullif(trim({self.source}::varchar), '')"
        return trimmed if self.folder_value is None else f"coalesce({trimmed}, $folder_{self.place})"

    def typed_sql(self) -> str:
        """Return the SQL of the value in our type, NULL where it cannot be one."""
        return {"text": _text, "word": _word, "number": _number, "flag": _flag, "time": _time}[self.column.kind](self)

    def final_sql(self) -> str:
        """Return the SQL of the column as it stands in the checked log, missing values named."""
        return final_sql(self.column)

    def params(self) -> dict[str, object]:
        """Return what the SQL of this source binds."""
        bound: dict[str, object] = {}
        if self.folder_value is not None:
            bound[f"folder_{self.place}"] = self.folder_value
        if self.column.kind == "word":
            bound[f"spellings_{self.place}"] = [spelling for spelling, _ in self.column.words]
            bound[f"words_{self.place}"] = [word for _, word in self.column.words]
        return bound


def final_sql(column: Column) -> str:
    """Return the SQL of a typed column in which missing values are named; in replay and shadow the baseline acts."""
    name = quote(column.name)
    if column.name == "arm" and column.missing is None:
        return f"coalesce({name}, case when stage in ('replay', 'shadow') then 'baseline' end)"
    return name if column.missing is None else f"coalesce({name}, '{column.missing}')"


def family(sql_type: str) -> Family:
    """Return what kind of values a DuckDB type holds, as far as casts are concerned."""
    if sql_type.endswith("]") or sql_type.startswith(("STRUCT", "MAP", "UNION")):
        return "other"
    if sql_type.startswith("TIMESTAMP"):
        return "zoned" if sql_type.startswith(("TIMESTAMPTZ", "TIMESTAMP WITH")) else "unzoned"
    base = sql_type.partition("(")[0]
    return FAMILIES.get(base, FAMILIES.get(base.removeprefix("U"), "other"))


def zoneless_sql(source: Source) -> str:
    """Return the SQL that tells whether a time was read as UTC for want of a zone."""
    if source.column.kind != "time" or source.family in {"zoned", "float", "number"}:
        return "false"
    read = f"{quote(source.column.name)} is not null"
    if not source.is_text:
        return read
    plain = f"{read} and not regexp_matches({source.given}, '{ZONE}')"
    return f"{plain} and try_cast({source.given} as double) is null" if source.epoch_unit else plain


def _text(source: Source) -> str:
    if source.is_text:
        return source.given
    text = f"{source.given}::varchar"
    return f"case when not isnan({source.given}) then {text} end" if source.family == "float" else text


def _word(source: Source) -> str:
    spelling = f"list_position($spellings_{source.place}::varchar[], lower({_text(source)}))"
    known = f"list_extract($words_{source.place}::varchar[], {spelling})"
    return f"coalesce({known}, {_text(source)})" if source.column.others else known


def _number(source: Source) -> str:
    number = f"try_cast({source.given} as double)" if source.is_text else f"{source.given}::double"
    return f"case when not isnan({number}) then {number} end" if source.column.free else number


def _flag(source: Source) -> str:
    if source.family == "flag":
        return source.given
    number = f"case try_cast({source.given} as double) when 0 then false when 1 then true end"
    return f"coalesce(try_cast({source.given} as boolean), {number})" if source.is_text else number


def _time(source: Source) -> str:
    """Return the instant in UTC: only the cast to TIMESTAMPTZ heeds an offset in the text."""
    if source.family == "zoned" and source.folder_value is None:
        return f"{source.given}::timestamptz at time zone 'UTC'"
    if source.family == "unzoned" and source.folder_value is None:
        return f"try_cast({source.given} as timestamp)"
    text = f"try_cast({source.given}::varchar as timestamptz) at time zone 'UTC'"
    return f"coalesce({_epoch(source.given, source.epoch_unit)}, {text})" if source.epoch_unit else text


def _epoch(given: str, unit: str) -> str:
    """Return the instant of an epoch number: exact to the microsecond, NULL outside the years that a log can have."""
    scale = PER_SECOND[unit]
    number = f"try_cast({given} as decimal(29, 6))"
    micros = f"{number} * {10**6 // scale}" if scale <= 10**6 else f"floor({number} / {scale // 10**6})"
    low, high = EARLIEST_SECONDS * scale, LATEST_SECONDS * scale
    return f"case when {number} >= {low} and {number} < {high} then make_timestamp(({micros})::bigint) end"

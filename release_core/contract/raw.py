"""One log file in, a SQL relation out: its rows in file order, numbered, with the columns that are asked for.

Every relation gives `_row` (1-based), `_fault` (why the row cannot be read, else NULL), `_text` (what it says then)
and the wanted columns under the aliases that the caller chooses.
"""

from __future__ import annotations

import csv
import gzip
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from release_core.contract.repair import LONGEST_LINE, repair_lines, repair_table
from release_core.errors import LimitReached, Problem, SourceError
from release_core.store import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from release_core.contract.files import LogFile
    from release_core.store import Cursor

DELIMITERS = ",;\t|"
# Everything is text, nothing is guessed; quotes as RFC 4180 says.
CSV_OPTIONS = "auto_detect = false, header = true, quote = '\"', escape = '\"', nullstr = '', hive_partitioning = false"
ARRAY = "select row_number() over () as _row, json::varchar as line from read_json_objects($path, format = 'array')"
LINES = (
    "select row_number() over () as _row, line from read_csv($path, columns = {'line': 'VARCHAR'}, "
    "auto_detect = false, header = false, delim = '', quote = '', escape = '', nullstr = '', strict_mode = false, "
    f"maximum_line_size = {LONGEST_LINE}, hive_partitioning = false)"
)
FAULT = """
    case when not json_valid(line) then 'not valid JSON' when json_type(line) <> 'OBJECT' then 'not a JSON object' end
"""


class Raw(ABC):
    """One file opened: the names and DuckDB types of its columns, and its rows as a relation."""

    types: dict[str, str]

    @abstractmethod
    def relation(self, wanted: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return a SQL query of the `wanted` columns (alias to the file's name) and the parameters that it binds."""

    def repaired(self, folder: Path) -> Raw | None:
        """Return the same file with its unreadable rows marked, written into `folder`; None if there is no way."""
        del folder
        return None


@dataclass
class Parquet(Raw):
    """A Parquet file, with its own types."""

    path: Path
    types: dict[str, str]

    def relation(self, wanted: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return the file's columns as they are."""
        fields = _fields({alias: quote(name) for alias, name in wanted.items()})
        return (
            f"select file_row_number + 1 as _row, null::varchar as _fault, null::varchar as _text{fields} "
            "from read_parquet($path, file_row_number = true, hive_partitioning = false)",
            {"path": literal_path(self.path)},
        )


@dataclass
class Delimited(Raw):
    """A CSV file with a header, all of it text."""

    path: Path
    types: dict[str, str]
    names: list[str]
    delimiter: str

    def relation(self, wanted: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return the wanted fields; DuckDB refuses the file if any row has too many or too few."""
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self.names)))
        fields = _fields({alias: f"c{self.names.index(name)}" for alias, name in wanted.items()})
        return (
            f"select row_number() over () as _row, null::varchar as _fault, null::varchar as _text{fields} "
            f"from read_csv($path, delim = $delimiter, columns = {{{columns}}}, {CSV_OPTIONS})",
            {"path": literal_path(self.path), "delimiter": self.delimiter},
        )

    def repaired(self, folder: Path) -> Raw | None:
        """Return the same rows with the ragged, wrongly quoted and wrongly encoded ones marked."""
        target = folder / "repaired.csv"
        with open_text(self.path) as lines:
            repair_table(lines, target, len(self.names), self.delimiter)
        return Repaired(target, self.types, self.names)


@dataclass
class Repaired(Raw):
    """A CSV file as `repair_table` writes it."""

    path: Path
    types: dict[str, str]
    names: list[str]

    def relation(self, wanted: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return the wanted fields and the marks of the faulty rows."""
        extra = "".join(f", 'c{number}': 'VARCHAR'" for number in range(len(self.names)))
        fields = _fields({alias: f"c{self.names.index(name)}" for alias, name in wanted.items()})
        return (
            f"select _row, _fault, _text{fields} from read_csv($path, delim = ',', {CSV_OPTIONS}, "
            f"columns = {{'_row': 'BIGINT', '_fault': 'VARCHAR', '_text': 'VARCHAR'{extra}}})",
            {"path": literal_path(self.path)},
        )


@dataclass
class Lines(Raw):
    """A file of JSON objects, one a line or all in one array, already in the cursor's table `_lines`."""

    path: Path
    types: dict[str, str]

    def relation(self, wanted: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return the wanted members of each object as text; each line is parsed once for all of them."""
        fields = _fields({alias: f"_values[{number}]" for number, alias in enumerate(wanted, start=1)})
        values = "case when _fault is null then json_extract_string(line, $members::varchar[]) end as _values"
        return (
            f"select _row, _fault, line as _text{fields} from (select _row, _fault, line, {values} from _lines)",
            {"members": [_pointer(name) for name in wanted.values()]},
        )


def open_raw(cursor: Cursor, file: LogFile, folder: Path) -> Raw:
    """Return the file opened by its ending; `folder` is for what must be written to read it.

    Raises:
        SourceError: it cannot be read at all, with the reason.
        OSError: it is gone or may not be opened.
    """
    if file.ending == ".parquet":
        described = cursor.rows(
            "describe select * from read_parquet($path, hive_partitioning = false)", {"path": literal_path(file.path)}
        )
        return Parquet(file.path, {row["column_name"]: str(row["column_type"]) for row in described})
    if file.ending in {".csv", ".csv.gz"}:
        return _delimited(file)
    return _lines(cursor, file, folder)


def open_text(path: Path) -> TextIO:
    """Return the file as text whose undecodable bytes are kept as lone surrogates and whose line ends are kept."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def literal_path(path: Path) -> str:
    """Return the path such that DuckDB does not take `*`, `?` or `[` in a file name for wildcards."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def _delimited(file: LogFile) -> Raw:
    with open_text(file.path) as lines:
        first = lines.readline(LONGEST_LINE)
    delimiter = max(DELIMITERS, key=first.count)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
    except csv.Error:
        names = []
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated or not any(names):
        found = f"the column {repeated[0]} more than once" if repeated else "no header in the first line"
        raise SourceError(
            Problem(file.relative, found, "a first line that names every column once", "Correct the header.")
        )
    return Delimited(file.path, dict.fromkeys(filter(None, names), "VARCHAR"), names, delimiter)


def _lines(cursor: Cursor, file: LogFile, folder: Path) -> Raw:
    """Read the objects into the cursor's table `_lines` and list the members that they have."""
    path: dict[str, object] = {"path": literal_path(file.path)}
    create = "create or replace temp table _lines as select _row, line, {fault} as _fault from ({rows}) "
    create += (
        "where trim(coalesce(line, '')) <> ''"  # an empty line is no row; the others keep the number of their line
    )
    if file.ending == ".json" and _starts_with_bracket(file.path):
        cursor.execute(create.format(fault=FAULT, rows=ARRAY), path)
    else:
        try:
            cursor.execute(create.format(fault=FAULT, rows=LINES), path)
        except LimitReached:
            raise
        except SourceError:
            rows, params = _repaired_lines(file.path, folder)
            cursor.execute(create.format(fault=f"coalesce(told, {FAULT})", rows=rows), params)
    keys = cursor.rows("select distinct unnest(json_keys(line)) as key from _lines where _fault is null order by key")
    return Lines(file.path, {row["key"]: "VARCHAR" for row in keys})


def _repaired_lines(path: Path, folder: Path) -> tuple[str, dict[str, object]]:
    target = folder / "repaired.csv"
    with open_text(path) as lines:
        repair_lines(lines, target)
    rows, params = Repaired(target, {"line": "VARCHAR"}, ["line"]).relation({"_line": "line"})
    return f"select _row, _fault as told, coalesce(_text, _line) as line from ({rows})", params


def _starts_with_bracket(path: Path) -> bool:
    with path.open("rb") as content:
        return content.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _pointer(name: str) -> str:
    """Return the JSON pointer of a member, which has no trouble with dots, quotes or brackets in its name."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _fields(expressions: Mapping[str, str]) -> str:
    return "".join(f", {expression} as {alias}" for alias, expression in expressions.items())

"""SQL text and bound values in, plain arrays or rows out: the only module that knows DuckDB."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np

from release_core.errors import LimitReached, Problem, SourceError
from release_core.spill import Spill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    Params = Mapping[str, object] | None
    Trace = Callable[[str], None]

VERSION: str = duckdb.__version__
SQL_FOLDER = Path(__file__).parent / "sql"
MEMORY_VARIABLE = "RELEASE_REVIEW_MEMORY"
MEMORY_CAP = 4_000_000_000
MEMORY_SHARE = 0.6
# Python cannot take these without loss or without a further package; the SQL must say what it wants.
REFUSED = {
    "TIMESTAMP WITH TIME ZONE": "add AT TIME ZONE 'UTC'",
    "HUGEINT": "cast it to BIGINT or DOUBLE",
    "UHUGEINT": "cast it to BIGINT or DOUBLE",
}


def quote(identifier: str) -> str:
    """Return `identifier` as a quoted SQL identifier, so that any column name is safe in SQL text.

    >>> print(quote('a "b" c'))
    "a ""b"" c"
    """
    return '"' + identifier.replace('"', '""') + '"'


@cache
def statement(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def default_memory() -> str:
    """Return DuckDB's memory limit: RELEASE_REVIEW_MEMORY, or 60% of the machine's memory up to 4 GB."""
    return os.environ.get(MEMORY_VARIABLE) or f"{share_of_memory(MEMORY_SHARE, MEMORY_CAP) // 1_000_000}MB"


def share_of_memory(share: float, cap: int) -> int:
    """Return a share of the machine's memory in bytes, or of `cap` where it has more or does not tell."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else cap
    return int(share * min(machine, cap))


class Cursor:
    """One private line to the store: its temporary tables are its own, and only one thread may use it at a time."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, trace: Trace | None = None, time_limit: float | None = None
    ) -> None:
        """Take a connection that nobody else uses; `time_limit` is in seconds per statement."""
        self._connection = connection
        self._trace = trace
        self._time_limit = time_limit

    def __enter__(self) -> Self:
        """Return the cursor itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the cursor and drop its temporary tables."""
        self.close()

    def close(self) -> None:
        """Drop the cursor's temporary tables and give its line back."""
        self._connection.close()

    def execute(self, sql: str, params: Params = None) -> None:
        """Run one statement for its effect.

        Raises:
            SourceError: DuckDB refused it; the message says why.
            LimitReached: it ran out of its memory or its time.
        """
        with self._guard(sql):
            self._send(sql, params)

    def query(self, sql: str, params: Params = None) -> dict[str, np.ndarray[Any, Any]]:
        """Return the answer as one array per column; NULL is NaN, NaT or None, and integers with NULLs are float64.

        Raises:
            SourceError: DuckDB refused it (LimitReached: it ran out of its memory or its time).
            TypeError: a column is of a type that Python cannot take exactly (the message says what to cast).
        """
        with self._guard(sql):
            self._send(sql, params)
            self._refuse_lossy_types()
            columns: dict[str, Any] = self._connection.fetchnumpy()
        return {name: _filled(column) for name, column in columns.items()}

    def batches(self, sql: str, size: int) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        """Yield the answer in pieces of at most `size` rows, one array per column; no row: one empty piece.

        No column may hold NULL, except one of floating numbers (NaN). Raises as `query`.
        """
        with self._guard(sql):
            if self._trace:
                self._trace(sql)
            reader = self._connection.sql(sql).to_arrow_reader(size)
            empty = True
            for batch in reader:
                empty = False
                yield {
                    name: column.to_numpy(zero_copy_only=False)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
            if empty:
                yield {one.name: np.empty(0, one.type.to_pandas_dtype()) for one in reader.schema}

    def rows(self, sql: str, params: Params = None) -> list[dict[str, Any]]:
        """Return the answer as one dictionary per row; raises as `query` does, but takes integers of any size."""
        with self._guard(sql):
            self._send(sql, params)
            names = self._refuse_lossy_types(allowed=("HUGEINT", "UHUGEINT"))
            return [dict(zip(names, row, strict=True)) for row in self._connection.fetchall()]

    def run(self, name: str, /, **params: object) -> dict[str, np.ndarray[Any, Any]]:
        """Return `query` of `sql/<name>.sql` with the named parameters bound; a missing or surplus one is an error."""
        return self.query(statement(name), params)

    def _send(self, sql: str, params: Params) -> None:
        if self._trace:
            self._trace(sql)
        self._connection.execute(sql, dict(params or {}))

    def _refuse_lossy_types(self, allowed: tuple[str, ...] = ()) -> list[str]:
        described = self._connection.description or []
        for name, kind, *_ in described:
            if str(kind) in REFUSED and str(kind) not in allowed:
                message = f"column {name!r} is {kind}: {REFUSED[str(kind)]}"
                raise TypeError(message)
        return [column[0] for column in described]

    @contextmanager
    def _guard(self, sql: str) -> Iterator[None]:
        """Turn DuckDB's errors into words, and interrupt what runs beyond the time limit."""
        timer = threading.Timer(self._time_limit, self._connection.interrupt) if self._time_limit else None
        try:
            if timer:
                timer.start()
            yield
        except duckdb.InterruptException as error:
            raise LimitReached(self._too_slow()) from error
        except duckdb.OutOfMemoryException as error:
            raise LimitReached(_too_large(error)) from error
        except duckdb.Error as error:
            raise SourceError(_refused(sql, error)) from error
        finally:
            if timer:
                timer.cancel()

    def _too_slow(self) -> Problem:
        limit = f"{self._time_limit:g} seconds" if self._time_limit else "its stop signal"
        return Problem(
            "query",
            f"it ran longer than {limit} and was stopped",
            "an answer within the limit",
            "Choose fewer dimensions or a shorter period, or raise the limit.",
        )


class Store:
    """An in-memory DuckDB with a memory limit, spilling to disk, in UTC; each call uses a cursor of its own."""

    # Numbers the shared stores of the process, whose schemas are "s1", "s2", ...
    _numbers = count(1)

    def __init__(
        self,
        *,
        memory: str | None = None,
        threads: int | None = None,
        time_limit: float | None = None,
        trace: Trace | None = None,
        shared: bool = False,
    ) -> None:
        """Open the store.

        Args:
            memory: DuckDB's memory limit such as "2GB"; default `default_memory()`.
            threads: worker threads; default all cores.
            time_limit: seconds that one statement may take; default no limit.
            trace: called with the text of every statement before it runs.
            shared: a schema of its own in the one database of the process, which opens forty times as fast as a database and
                shares its memory limit; memory and threads are those of that database.
        """
        self.trace = trace
        self.time_limit = time_limit
        self._schema = ""
        self._finish: weakref.finalize[..., Any]
        if shared:
            # Two threads may open the first one at once: each database keeps its folder for as long as a store is in it.
            self._connection, dropped, self._spill = _common(os.getpid(), default_memory())
            for _ in range(len(dropped)):
                # Another thread may drop it meanwhile.
                with suppress(IndexError):
                    self._connection.cursor().execute(f"drop schema {dropped.pop()} cascade")
            self._schema = f"s{next(Store._numbers)}"
            self._connection.cursor().execute(f"create schema {self._schema}")
            # Whoever opens the next one drops it: a store may be found unused in the middle of another's statement.
            self._finish = weakref.finalize(self, dropped.append, self._schema)
            return
        self._spill = Spill()
        self._finish = self._spill.close
        self._connection = _open(memory or default_memory(), threads, str(self._spill.path))

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the database and remove what it spilled to disk; of a shared one drop all tables."""
        if self._schema:
            if self._finish.detach():
                self._connection.cursor().execute(f"drop schema {self._schema} cascade")
            return
        self._connection.close()
        self._finish()

    def cursor(self, time_limit: float | None = None) -> Cursor:
        """Return a new cursor: one per use, never shared by threads; `time_limit` replaces the store's."""
        connection = self._connection.cursor()
        if self._schema:
            connection.execute(f"set schema = '{self._schema}'")
        return Cursor(connection, self.trace, time_limit or self.time_limit)

    def execute(self, sql: str, params: Params = None) -> None:
        """Run one statement for its effect, as `Cursor.execute`; temporary tables do not outlive the call."""
        with self.cursor() as cursor:
            cursor.execute(sql, params)

    def query(self, sql: str, params: Params = None) -> dict[str, np.ndarray[Any, Any]]:
        """Return one array per column, as `Cursor.query`."""
        with self.cursor() as cursor:
            return cursor.query(sql, params)

    def rows(self, sql: str, params: Params = None) -> list[dict[str, Any]]:
        """Return one dictionary per row, as `Cursor.rows`."""
        with self.cursor() as cursor:
            return cursor.rows(sql, params)

    def run(self, name: str, /, **params: object) -> dict[str, np.ndarray[Any, Any]]:
        """Return the answer of `sql/<name>.sql`, as `Cursor.run`."""
        with self.cursor() as cursor:
            return cursor.run(name, **params)


@cache
def _common(process: int, memory: str) -> tuple[duckdb.DuckDBPyConnection, list[str], Spill]:  # noqa: ARG001 - a fork opens its own
    """Return the database that the shared stores of a process live in, the schemas that nobody uses any more, and its folder."""
    spill = Spill()
    return _open(memory, None, str(spill.path)), [], spill


def _open(memory: str, threads: int | None, spill: str) -> duckdb.DuckDBPyConnection:
    """Return a connection that never downloads an extension and whose cursors all think in UTC."""
    config: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": spill,
        "autoinstall_known_extensions": "false",
        "allow_community_extensions": "false",
    }
    try:
        connection = duckdb.connect(":memory:", config=config | ({"threads": threads} if threads else {}))
    except duckdb.Error as error:
        raise SourceError(
            Problem(MEMORY_VARIABLE, memory, "a size such as 2GB", f"Correct it or unset it. ({_first_line(error)})")
        ) from error
    # "set TimeZone" alone holds for one cursor only.
    connection.execute("set global TimeZone = 'UTC'")
    # A Parquet file's own minimum and maximum would fold range checks away, though its pages may say otherwise.
    connection.execute("set global disabled_optimizers = 'statistics_propagation'")
    return connection


def _filled(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return `column` without a mask: NULL becomes NaN, NaT or None, never a number."""
    # What the mask hides is arbitrary, so every hidden place is written.
    values: np.ndarray[Any, Any] = np.ma.getdata(column)
    missing = np.ma.getmaskarray(column)
    if not missing.any():
        return values
    empty: Any = {"f": np.nan, "i": np.nan, "u": np.nan, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}
    widened = values.astype(np.float64) if values.dtype.kind in "iu" else values
    if widened.dtype.kind not in empty:
        widened = widened.astype(object)
    widened[missing] = empty.get(widened.dtype.kind)
    return widened


def _too_large(error: duckdb.Error) -> Problem:
    return Problem(
        "query",
        _first_line(error),
        "memory and temporary disk space that suffice",
        f"Set {MEMORY_VARIABLE} to a larger size such as 8GB, or free disk space.",
    )


def _refused(sql: str, error: duckdb.Error) -> Problem:
    first = next((line for line in sql.splitlines() if line.strip()), "").strip()
    return Problem(
        f"query `{first[:80]}`",
        _first_line(error),
        "data that DuckDB can read",
        "Check the file or table that the message names.",
    )


def _first_line(error: duckdb.Error) -> str:
    return str(error).split("\n", 1)[0]

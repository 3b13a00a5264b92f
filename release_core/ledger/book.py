"""Takes decisions as plain maps and keeps them in a database table that is only ever appended to."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from release_core.errors import LedgerError, Problem
from release_core.ledger.canonical import canonical_json
from release_core.ledger.chain import GENESIS, TYPES, Check, Record, check_chain, linked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ENVIRONMENT = "RELEASE_REVIEW_LEDGER"
DEFAULT = Path(__file__).resolve().parents[2] / "data" / "ledger.sqlite"
WAIT_SECONDS = 30
ATTEMPTS = 50

RECORDS = sa.Table(
    "records",
    sa.MetaData(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("release", sa.Text, nullable=False),
    sa.Column("stage", sa.String(32)),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
)


def utc_now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def nothing_earlier(_: Sequence[Record]) -> None:
    """Say that no earlier record stands in for the new one."""


class Ledger:
    """The append-only table of decisions; safe to share between threads and to open from several processes."""

    def __init__(self, target: str | Path | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        """Open the ledger at `target`: a database URL or the path of an SQLite file.

        None means the environment variable RELEASE_REVIEW_LEDGER, else `data/ledger.sqlite`. Nothing is
        created before the first append. Raises LedgerError if the target names no usable database.
        """
        self.clock = clock
        self.url = _url(target)
        self._file = Path(self.url.database) if self.url.database and _is_sqlite(self.url) else None
        self._engine = _engine(self.url)

    def append(
        self,
        type: str,
        release: str,
        stage: str | None,
        payload: Mapping[str, object],
        *,
        unless: Callable[[Sequence[Record]], Record | None] = nothing_earlier,
    ) -> Record:
        """Write one record behind the current head and return it; all writers wait for each other.

        `unless` sees the records of this release inside the same transaction: it may return an earlier
        record to be kept in place of a new one, or raise to refuse. Raises LedgerError if nothing was written.
        """
        what = (_known_type(type), str(release), None if stage is None else str(stage))
        text = canonical_json(payload)
        for attempt in range(ATTEMPTS):
            try:
                return self._append_once(what, text, unless)
            except IntegrityError:  # another writer took this place in the chain first
                time.sleep(random.uniform(0, 0.01 * (attempt + 1)))  # noqa: S311 - a pause, not a secret
        raise LedgerError(
            Problem(
                str(self),
                f"{ATTEMPTS} attempts overtaken by other writers",
                "a free moment to append one record",
                "Nothing was recorded; try again.",
            )
        )

    def records(self, release: str | None = None, type: str | None = None) -> list[Record]:
        """Return the records in their order, all of them or those of one release or one type."""
        query = _select(release, None if type is None else _known_type(type))
        with self._connected() as connection:
            return [] if connection is None else _read(connection, query)

    def head(self) -> tuple[int, str]:
        """Return seq and hash of the last record, (0, 64 zeros) if there is none; publish it outside the ledger."""
        with self._connected() as connection:
            return (0, GENESIS) if connection is None else _head(connection)

    def verify(self, expected_head: tuple[int, str] | None = None) -> Check:
        """Return whether every record still follows from the one before and from the published head, if given."""
        try:
            return check_chain(self.records(), expected_head)
        except LedgerError as error:
            return Check(ok=False, records=0, first_bad=None, reason=str(error))

    def export(self) -> list[dict[str, object]]:
        """Return all records as maps of their stored fields."""
        return [record.as_dict() for record in self.records()]

    def __str__(self) -> str:
        """Return where the ledger is, without a password."""
        return f"ledger {self.url.render_as_string(hide_password=True)}"

    def _append_once(
        self, what: tuple[str, str, str | None], text: str, unless: Callable[[Sequence[Record]], Record | None]
    ) -> Record:
        with self._translated(), self._engine.connect().execution_options(writes=True) as connection:
            with connection.begin():
                connection.execute(sa.schema.CreateTable(RECORDS, if_not_exists=True))
                earlier = unless(_read(connection, _select(what[1], None)))
                if earlier is not None:
                    return earlier
                at = self.clock().astimezone(UTC).isoformat(timespec="microseconds")
                record = linked(_head(connection), at, what, text)
                connection.execute(RECORDS.insert(), [record.as_dict()])
            return record

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection | None]:
        """Give a connection for reading, None while nothing has ever been recorded."""
        if self._file is not None and not self._file.exists():
            yield None
            return
        with self._translated(), self._engine.connect() as connection:
            yield connection if sa.inspect(connection).has_table(RECORDS.name) else None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the database says into a problem that says what to do."""
        try:
            yield
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise LedgerError(
                Problem(
                    str(self),
                    str(getattr(error, "orig", None) or error),
                    "a database that can be read and written",
                    f"Check the path, its permissions and {ENVIRONMENT}; nothing was recorded.",
                )
            ) from error


def _url(target: str | Path | None) -> sa.URL:
    chosen = target if target is not None else os.environ.get(ENVIRONMENT) or DEFAULT
    try:
        url = sa.make_url(str(chosen)) if "://" in str(chosen) else sa.URL.create("sqlite", database=str(chosen))
    except ArgumentError as error:
        raise _unusable(str(chosen), str(error)) from error
    if _is_sqlite(url) and url.database in {None, "", ":memory:"}:
        raise _unusable(str(chosen), "a database in memory, which forgets every decision")
    return url


@lru_cache(maxsize=8)
def _engine(url: sa.URL) -> sa.Engine:
    """Return an engine without a pool: a file that was moved away or replaced is noticed at the next use."""
    arguments = {"timeout": WAIT_SECONDS} if _is_sqlite(url) else {}
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)
    except (SQLAlchemyError, ImportError) as error:
        raise _unusable(url.render_as_string(hide_password=True), str(error)) from error
    if _is_sqlite(url):
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    """Leave transactions to us, and read damaged text as it is so that the check can name the record."""
    connection.isolation_level = None
    connection.text_factory = lambda stored: stored.decode("utf-8", "surrogateescape")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock before the head is read: a second writer then waits instead of forking the chain."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _unusable(target: str, found: str) -> LedgerError:
    required = "the path of a file or a database URL such as postgresql+psycopg://host/name"
    return LedgerError(Problem(f"ledger {target}", found, required, f"Set {ENVIRONMENT} or name another ledger."))


def _known_type(type: str) -> str:
    if type in TYPES:
        return str(type)
    near = get_close_matches(type, TYPES, n=1)
    remedy = f"Did you mean {near[0]}?" if near else "Use one of these types."
    raise LedgerError(Problem("record type", type, ", ".join(TYPES), remedy))


def _select(release: str | None, type: str | None) -> sa.Select[tuple[object, ...]]:
    query = sa.select(RECORDS).order_by(RECORDS.c.seq)
    if release is not None:
        query = query.where(RECORDS.c.release == str(release))
    return query if type is None else query.where(RECORDS.c.type == type)


def _read(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Record]:
    return [Record(**row._asdict()) for row in connection.execute(query)]


def _head(connection: sa.Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(RECORDS.c.seq, RECORDS.c.hash).order_by(RECORDS.c.seq.desc()).limit(1)).first()
    return (0, GENESIS) if row is None else (row.seq, row.hash)

"""A published cube in, its tables under their names and the texts of dimension values out."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import cells as tables
from release_core.cube import customers, query
from release_core.cube.files import listed
from release_core.frames import natural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from release_core.frames import Array
    from release_core.release import Release
    from release_core.store import Store

CODED = ("v1", "v2", "v3", query.REPLAY_SET)
# Begins the names of the views of the cells that came since another cube.
MORE = "more_"
# Tables that few pages ask for: read into memory when one first does.
LATER = ("age", "kind", "entered", customers.TABLE)


def load(
    store: Store, release: Release, folder: Path, published: dict[str, list[str]], values: dict[str, list[str]]
) -> tuple[Array, dict[str, tuple[str, ...]]]:
    """Open the tables; return the text of every dimension value at its code, by which slices group, and those of each dimension.

    The large tables stay on disk: what is asked of them is read by dimension, in which order they were written.
    `values`: those of each dimension in the logs, and the replay sets.
    """
    files = {t: f"read_parquet({listed([folder.parent / name for name in names])})" for t, names in published.items()}
    singles = [one.name for one in tables.cuboids(release) if len(one.columns) == 1]
    named = {dim: values[dim] for dim in singles if dim in values}
    every = ["", *values[query.REPLAY_SET], *(value for some in named.values() for value in some)]
    names = sorted(set(every), key=natural)
    store.execute("create type code as enum (select unnest($names))", {"names": names})
    for table, file in files.items():
        replaced = _coded(table)
        if table == customers.TABLE:
            capped = [f"{sql} as {column}" for column, sql in customers.capped(release, values).items()]
            replaced = f"replace ({', '.join(capped)})" if capped else ""
        kind = "view" if table in query.SLICED or table in LATER else "table"
        store.execute(f"create {kind} {table} as select * {replaced} from {file}")
    return np.array(names, dtype=object), {dim: tuple(sorted(some, key=natural)) for dim, some in named.items()}


def _coded(table: str) -> str:
    """Return the SQL that replaces a table's texts of dimension values by their codes."""
    coded = [f"{column}::code as {column}" for column in CODED if column in tables.KEYS.get(table, "")]
    return f"replace ({', '.join(coded)})" if coded else ""


def more(store: Store, cache: Path, published: dict[str, list[str]], before: dict[str, list[str]]) -> tuple[str, ...]:
    """Return the sliced tables that have all cells that they had before; the others are under MORE and the table's name.

    `published` and `before` are the files of every table, relative to the cache.
    """
    found = []
    for table in dict.fromkeys(map(query.cells_of, query.SLICED)):
        old, new = before.get(table, []), published.get(table, [])
        if old and set(old) <= set(new):
            files = [cache / name for name in new if name not in old]
            source = f"read_parquet({listed(files)})" if files else f"{table} where false"
            replaced = _coded(table) if files else ""
            store.execute(f"create view {MORE}{table} as select * {replaced} from {source}")
            found.append(table)
    return tuple(found)


class Later:
    """Reads tables of LATER into memory before a query first asks for them."""

    def __init__(self, store: Store, published: Iterable[str]) -> None:
        """Take the store in which they are views."""
        self._store = store
        self._waiting = {*LATER} & {*published}
        self._turn = Lock()

    def __call__(self, table: str) -> None:
        """Have a table in memory."""
        with self._turn:
            if table in self._waiting:
                self._store.execute(f"create table held_{table} as select * from {table}")
                self._store.execute(f"create or replace view {table} as select * from held_{table}")
                self._waiting.remove(table)

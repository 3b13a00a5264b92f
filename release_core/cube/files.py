"""Parquet files that appear whole or not at all, and their names in SQL."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.store import Cursor

# As many rows as DuckDB reads at a time in one thread.
ROW_GROUP = 122_880


def digest(*values: object) -> str:
    """Return a short SHA-256 name of the values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:20]


def copy(cursor: Cursor, sql: str, path: Path) -> None:
    """Write the answer of `sql` as a Parquet file that appears under its name only when it is whole."""
    unfinished = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    cursor.execute(f"copy ({sql}) to {text(unfinished)} (format parquet, compression lz4)")
    unfinished.replace(path)


def write(columns: dict[str, Any], path: Path) -> None:
    """Write Arrow columns as a Parquet file that appears under its name only when it is whole."""
    table = pa.table({name.strip('"'): column for name, column in columns.items()})
    words = [
        name for name, kind in zip(table.column_names, table.schema.types, strict=True) if pa.types.is_dictionary(kind)
    ]
    unfinished = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    # Numbers repeat in runs, which LZ4 shortens; looking for a dictionary in them would cost more than all else.
    options: dict[str, Any] = {"compression": "lz4", "use_dictionary": words, "row_group_size": ROW_GROUP}
    # Readers skip the cells of other dimensions and stages by these.
    options["write_statistics"] = [name for name in ("by", "stage") if name in table.column_names]
    with unfinished.open("wb") as file:
        pq.write_table(table, file, **options)
    unfinished.replace(path)


def text(value: object) -> str:
    """Return a value as a SQL string literal (for file names, which COPY cannot bind)."""
    return "'" + str(value).replace("'", "''") + "'"


def listed(paths: Sequence[Path]) -> str:
    """Return the SQL list literal of file names."""
    return "[" + ", ".join(map(text, paths)) + "]"


def replace_text(path: Path, content: str) -> None:
    """Write `content` so that a reader sees the old text or the new one, never half of it."""
    unfinished = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)

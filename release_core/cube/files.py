"""Parquet files that appear whole or not at all, and their names in SQL."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.store import Cursor


def digest(*values: object) -> str:
    """Return a short SHA-256 name of the values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:20]


def copy(cursor: Cursor, sql: str, path: Path) -> None:
    """Write the answer of `sql` as a Parquet file that appears under its name only when it is whole."""
    unfinished = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    cursor.execute(f"copy ({sql}) to {text(unfinished)} (format parquet, compression lz4)")
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

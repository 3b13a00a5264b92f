"""Takes a function that writes one release folder and gives the finished folder, or leaves what was there."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from release_core.demo import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

# One level deeper than the releases, so that nobody who lists them finds a folder under construction.
BUILDING = ".building"
ABANDONED_AFTER_SECONDS = 3600.0


def publish(folder: Path, manifest: str, builder: str, write_logs: Callable[[Path], None]) -> None:
    """Write a release beside `folder` and move it into place only when it is complete.

    A folder of the same name is replaced whole. Leftovers of builds that were killed over an hour ago are
    removed on the way.
    """
    workshop = folder.parent / BUILDING
    workshop.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(workshop)
    bench = Path(tempfile.mkdtemp(dir=workshop, prefix=f"{folder.name}-"))
    try:
        fresh = bench / "new"
        fresh.mkdir()
        write_logs(fresh)
        (fresh / stamp.MANIFEST).write_text(f"{stamp.line(builder)}\n{manifest}", encoding="utf-8")
        with suppress(FileNotFoundError):
            folder.rename(bench / "old")
        _move(fresh, folder, builder)
    finally:
        shutil.rmtree(bench)


def _move(fresh: Path, folder: Path, builder: str) -> None:
    try:
        fresh.rename(folder)
    except OSError:
        if not stamp.is_current(folder, builder):  # else another build made the same in this moment
            raise


def write_log(folder: Path, months: Iterable[tuple[str, pd.DataFrame]]) -> None:
    """Write each (month, rows) to `folder/<month>.parquet`; the bytes depend on the rows alone."""
    folder.mkdir()
    for month, rows in months:
        table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, folder / f"{month}.parquet", compression="zstd")


def _clear_abandoned(workshop: Path) -> None:
    for bench in workshop.iterdir():
        with suppress(FileNotFoundError):  # its own build is just clearing it
            if time.time() - bench.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                shutil.rmtree(bench)

"""Nothing in, a private temporary folder out, which goes with its process: at its end, or when another process next begins.

A process that is killed cannot tidy up. Its folders are locked for as long as it lives, however it ends; whoever opens
the next one removes those that nobody holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from functools import cache
from pathlib import Path
from typing import Self

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves is then left to the system
    fcntl = None  # type: ignore[assignment]

PREFIX = "release-review-"
# Between making a folder and locking it a moment passes.
YOUNG = 60.0


class Spill:
    """A temporary folder that only this user can read; removed by `close`, with the object, or at the end of the process."""

    def __init__(self) -> None:
        """Make the folder, and remove those of processes that were killed."""
        _sweep(os.getpid())
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.close = weakref.finalize(self, _remove, self.path, _lock(self.path))

    def __enter__(self) -> Self:
        """Return the folder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder."""
        self.close()


def _lock(folder: Path) -> int | None:
    """Return the lock of a folder, held until it is closed or the process ends; None if another process holds it."""
    if fcntl is None:
        return None
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


@cache
def _sweep(process: int) -> None:  # noqa: ARG001 - once in every process
    """Remove the folders that nobody holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            mine = folder.stat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
            lock = _lock(folder) if mine and time.time() - folder.stat().st_mtime > YOUNG else None
        except (OSError, AttributeError):
            continue  # it has just gone, or there are no users here
        if lock is not None:
            _remove(folder, lock)

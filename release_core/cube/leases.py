"""A cube in use in, a note of it in its cache out: what a cube that somebody has open is read from is not removed.

A note names the process and its machine. One of a process that has ended, however it ended, counts no more.
"""

from __future__ import annotations

import json
import os
import platform
import time
import weakref
from itertools import count
from typing import TYPE_CHECKING

from release_core.cube.files import replace_text

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "use-"
# Whether a process of another machine still runs cannot be seen: its note counts for so many seconds.
ELSEWHERE = 7 * 86_400
_numbers = count(1)
_BEGAN = time.time()


def take(holder: object, cube: Path) -> None:
    """Note in the cache that a published cube is in use, as long as `holder` exists."""
    note = cube.parent / f"{PREFIX}{os.getpid()}-{next(_numbers)}.json"
    told = {"machine": platform.node(), "process": os.getpid(), "cube": cube.name}
    try:
        replace_text(note, json.dumps(told))
    except OSError:
        return  # nobody clears a cache that cannot be written to
    weakref.finalize(holder, _end, note, os.getpid())


def used(cache: Path) -> set[str]:
    """Return the names of the cubes in use, and remove the notes of processes that have ended."""
    found = set()
    for note in cache.glob(f"{PREFIX}*.json"):
        try:
            told = json.loads(note.read_text(encoding="utf-8"))
            holds = _holds(told, time.time() - note.stat().st_mtime)
        except (OSError, ValueError, KeyError):
            continue  # it has just ended, or is just being written
        if holds:
            found.add(str(told["cube"]))
        else:
            note.unlink(missing_ok=True)
    return found


def _holds(told: dict[str, object], age: float) -> bool:
    if told["machine"] != platform.node() or os.name == "nt":
        return age < ELSEWHERE
    if told["process"] == os.getpid() and age > time.time() - _BEGAN:
        return False  # of a process that has ended and had our number, as the first of a container has
    try:
        os.kill(int(str(told["process"])), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end(note: Path, process: int) -> None:
    """Remove a note; a process that was forked from its writer leaves it."""
    if process == os.getpid():
        note.unlink(missing_ok=True)

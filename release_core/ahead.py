"""Open releases in, their as-of steps judged and their cells read before anybody asks, a little at a time.

Judged is one stage at one step at a time, the latest steps first. With a large log it is reading that takes a first visit
seconds: once the latest step is judged the cells are read that pages first ask for, and at last the slices for a search.
"""

from __future__ import annotations

import logging
import threading
from itertools import chain
from typing import TYPE_CHECKING

from release_core import course, library, memory
from release_core.cube import WINDOW
from release_core.cube.moves import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.release import Release, Stage

_working = threading.Lock()
_work: dict[str, Iterator[None]] = {}
NOTHING = object()
# Of the memory for cells so much may be filled ahead: those of ten million decisions in three stages take 0.64 GB.
MOST_AHEAD = 0.65
# Cells that pages ask for, without dimensions and by one; and by the step at which events came in.
WHOLE = ("score", "shard", "joint", "crossed", "world", "cover", "reason", "size")
COMING = ("pair", "score")


def judge() -> bool:
    """Judge one thing that is not judged yet in the releases that are open; return whether there was any."""
    with _working:
        opened = {one.key: one for one in library.kept()}
        for key in [key for key in _work if key not in opened]:
            del _work[key]
        for key, one in reversed(opened.items()):
            try:
                if next(_work.setdefault(key, _all(one)), NOTHING) is not NOTHING:
                    return True
            except Exception:
                # One release must not end the work for all; a page that asks for it says why it cannot be judged.
                logging.getLogger(__name__).exception("%s cannot be judged ahead", one.release.id)
        return False


def _all(opened: library.Opened) -> Iterator[None]:
    """Do all there is to do for a release; pause after each thing."""
    latest = opened.cube.steps[-1:]
    return chain(course.fill(opened, latest), cells(opened), course.fill(opened), _slices(opened), _settled())


def cells(opened: library.Opened) -> Iterator[None]:
    """Read the cells that pages ask for first, the latest stage's first, while all open releases have memory for more."""
    cube = opened.cube
    for stage in reversed(cube.stages()):
        for table, dims, by_entry in _asked(opened.release, stage):
            if sum(one.moves.nbytes for one in {cube, *(one.cube for one in library.kept())}) > MOST_AHEAD * MOST_BYTES:
                return
            cube.moves(table, stage, dims, (True, by_entry))
            yield


def _asked(release: Release, stage: Stage) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return the tables, their dimensions, and whether events are kept by entry step, that pages of a stage ask for."""
    pairs, splits = ("pair",) if stage.paired else ("pair", "armed"), ((), *((dim,) for dim in release.segments.all))
    now = [(table, dims, False) for dims in splits for table in (*pairs, *WHOLE)]
    windows = [(table, (WINDOW,), False) for table in (*COMING, "shard")]
    return [*now, *windows, *((table, dims, True) for dims in splits for table in COMING)]


def _slices(opened: library.Opened) -> Iterator[None]:
    """Read the slices of each stage, where there are dimensions to search in; pause after each."""
    for stage in opened.cube.stages() if opened.release.segments.all else ():
        opened.cube.searched(stage, None)
        yield


def _settled() -> Iterator[None]:
    memory.settle()
    yield


__all__ = ["cells", "judge"]

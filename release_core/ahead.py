"""Open releases in, their as-of steps judged, their cells read and pages' first questions asked before anybody asks, a little at a time.

Judged is one stage at one step at a time, the latest steps first. With a large log it is reading that takes a first visit
seconds: once the latest step is judged what pages first ask for is read, then the slices for a search and the cells by two
dimensions. In the end it is asked itself.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING

from release_core import course, library, memory
from release_core.cube import REPLAY_SET, WINDOW
from release_core.cube.moves import MOST_BYTES
from release_core.errors import ReleaseReviewError
from release_core.views import first
from release_core.views.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.release import Stage

    # A table, its dimensions, whether labels count once mature, and whether events are kept by entry step.
    Table = tuple[str, tuple[str, ...], tuple[bool, bool]]

_working = threading.Lock()
_work: dict[str, Iterator[None]] = {}
NOTHING = object()
# Of the memory for cells so much may be filled ahead: those of ten million decisions in three stages take 1.8 GB.
MOST_AHEAD = 0.75
MATURE, KNOWN, COMING = (True, False), (False, False), (True, True)
# Cells of a stage that pages ask for beside those of actions.
WHOLE = ("score", "shard", "joint", "crossed", "world", "cover", "reason", "size")


def judge() -> bool:
    """Judge one thing that is not judged yet in the releases that are open; return whether there was any."""
    with _working:
        opened = {one.key: one for one in library.kept()}
        for key in [key for key in _work if key not in opened]:
            del _work[key]
        for key, one in reversed(opened.items()):
            try:
                if next(_work.setdefault(key, everything(one)), NOTHING) is not NOTHING:
                    return True
            except Exception:
                # One release must not end the work for all; a page that asks for it says why it cannot be judged.
                logging.getLogger(__name__).exception("%s cannot be judged ahead", one.release.id)
        return False


def everything(opened: library.Opened) -> Iterator[None]:
    """Do all there is to do for a release; pause after each thing."""
    stages, dims = opened.cube.stages()[::-1], opened.release.segments.all
    yield from course.fill(opened, opened.cube.steps[-1:])
    for stage in stages:
        yield from _cells(opened, stage, _asked(stage, dims))
        yield from _beside(opened, stage)
    yield from course.fill(opened)
    # A search for slices needs dimensions.
    for stage in stages if dims else ():
        opened.cube.searched(stage, None).add_up()
        yield
    for stage in stages:
        yield from _cells(opened, stage, _deep(stage, dims))
    for stage in stages:
        yield from _answers(View(opened, stage, opened.cube.steps[-1]))
    memory.settle()


def _answers(view: View) -> Iterator[None]:
    """Answer what pages first ask of a view; pause after each question."""
    for question in first.questions(view):
        # What has no answer is told to whoever asks.
        with suppress(ReleaseReviewError):
            question()
        yield


def _cells(opened: library.Opened, stage: Stage, asked: list[Table]) -> Iterator[None]:
    """Read cells of a stage while all open releases have memory for more."""
    cube = opened.cube
    for table, dims, how in asked:
        if sum(one.moves.nbytes for one in {cube, *(one.cube for one in library.kept())}) > MOST_AHEAD * MOST_BYTES:
            return
        found = cube.moves(table, stage, dims, how)
        # Of more dimensions the sums would take as much memory again, and fewer ask for them.
        if len(dims) <= 1:
            found.add_up()
        yield


def _asked(stage: Stage, dims: tuple[str, ...]) -> list[Table]:
    """Return the cells that pages of a stage ask for, without dimensions and by one."""
    splits = [(), *((dim,) for dim in dims)]
    now = [(table, by, MATURE) for by in splits for table in (*_acted(stage), *WHOLE)]
    windows = [(table, (WINDOW,), MATURE) for table in ("pair", "score", "shard")]
    coming = [(table, by, COMING) for by in splits for table in ("pair", "score")]
    return [*now, *windows, *coming, ("pair", (), KNOWN)]


def _deep(stage: Stage, dims: tuple[str, ...]) -> list[Table]:
    """Return the cells by two dimensions that pages ask for: a split or a window within a filter; and actions by three."""
    twos, acted = [*combinations(dims, 2)], _acted(stage)
    now = [(table, by, MATURE) for by in twos for table in (*acted, "score")]
    windows = [(table, (dim, WINDOW), MATURE) for dim in dims for table in ("pair", "score")]
    threes = [(table, by, MATURE) for by in combinations(dims, 3) for table in acted]
    return [*now, *windows, *threes, *(("score", by, COMING) for by in twos)]


def _acted(stage: Stage) -> tuple[str, ...]:
    """Return the tables of the actions that were taken in a stage."""
    return ("pair",) if stage.paired else ("pair", "armed")


def _beside(opened: library.Opened, stage: Stage) -> Iterator[None]:
    """Read what pages ask of a stage beside its cells: labels and outcomes by age, serving, customers."""
    cube = opened.cube
    for dims in ((), *((dim,) for dim in opened.release.segments.all)):
        wide = tuple((dim, "") for dim in dims)
        frames = (cube.serving, cube.late, *(() if stage.paired else (cube.treated, cube.happened)))
        for frame in frames:
            frame(stage, ((dims, ()),))
            yield
        for kind in ("", *cube.kinds()):
            cube.aged(stage, wide, kind)
            yield
        for stages in (stage, None):
            cube.held(stages, wide, every=bool(dims))
            yield
        cube.left_out(stage, cube.steps[-1], (dims, ()))
        cube.entries(stage, (dims, ()))
        yield
    cube.values(REPLAY_SET)
    cube.firsts()
    cube.entered()
    cube.pending(stage)
    cube.entities_by(stage)
    if cube.facts["clustered"]:
        cube.customers(stage)
    yield


__all__ = ["everything", "judge"]

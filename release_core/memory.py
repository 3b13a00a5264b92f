"""A question about a cube in, its answer out, from memory where it was asked before: the memory goes when its cube goes."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import time
from dataclasses import replace
from functools import lru_cache, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakSet

from release_core.errors import ReleaseReviewError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")
# The cubes that keep answers about themselves.
_holding: WeakSet[Any] = WeakSet()
_lock = Lock()
# So many of the questions that were asked last are asked again of the next cube.
MOST_AGAIN = 24


def of_cube(most: int, *, again: bool = False) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that keeps the last `most` answers about each cube.

    The first argument is an open release, or has one as `opened`. The answers are kept in the cube, so they hold on to no cube
    but their own, and a feed that replaces cubes leaves none behind. With `again` the cube also remembers when it was asked,
    for `ask_again`.
    """

    def keep(function: Callable[P, T]) -> Callable[P, T]:
        def held(*arguments: P.args, **named: P.kwargs) -> T:
            cube = _cube(arguments[0])
            with _lock:
                _holding.add(cube)
                kept: Any = cube.answers.get(function) or lru_cache(most)(function)
                cube.answers[function] = kept
            found: T = kept(*arguments, **named)
            return found

        @wraps(function)
        def answer(*arguments: P.args, **named: P.kwargs) -> T:
            if again:
                _note(_cube(arguments[0]), (held, arguments, tuple(named.items())), time.monotonic())
            return held(*arguments, **named)

        return answer

    return keep


def ask_again(newer: Any, before: Any, lately: float, until: float = float("inf")) -> None:  # noqa: ANN401 - open releases
    """Ask of a cube what was asked of the one before it within so many seconds of the last question, the latest first.

    What was asked as of the latest step is asked as of the new latest. Whoever asks next finds the answers ready. After
    `until` (monotonic seconds) nothing more is asked.
    """
    with _lock:
        asked = sorted(before.cube.asked.items(), key=lambda item: -item[1])[:MOST_AGAIN]
    for (held, arguments, named), at in asked:
        asker = _moved(arguments[0], newer, before)
        if at < asked[0][1] - lately or time.monotonic() > until:
            return
        if asker is None:
            continue
        question = (held, (asker, *arguments[1:]), named)
        # What cannot be answered any more is told to whoever asks, and the newer cube is shown all the same.
        try:
            held(asker, *arguments[1:], **dict(named))
        except ReleaseReviewError:
            continue
        except Exception:
            logging.getLogger(__name__).exception("%s cannot be asked again", newer.release.id)
            continue
        _note(newer.cube, question, at)


def _note(cube: Any, question: Any, at: float) -> None:  # noqa: ANN401 - a cube, and what is asked of it
    """Remember when a question was asked last, of as many as are asked again."""
    with _lock:
        cube.asked[question] = max(at, cube.asked.get(question, at))
        while len(cube.asked) > MOST_AGAIN:
            del cube.asked[min(cube.asked, key=cube.asked.__getitem__)]


def _moved(asker: Any, newer: Any, before: Any) -> Any:  # noqa: ANN401 - an open release, or what has one
    """Return who asked, of the newer cube; None if its as-of step is none there."""
    if asker == before:
        return newer
    step = newer.cube.steps[-1] if asker.step == before.cube.steps[-1] else asker.step
    return replace(asker, opened=newer, step=step) if step in newer.cube.steps else None


def _cube(asker: Any) -> Any:  # noqa: ANN401 - an open release, or what has one
    return getattr(asker, "opened", asker).cube


# Arrays of at least so many bytes go back to the machine as soon as nobody holds them (mallopt's M_MMAP_THRESHOLD).
LARGE, THRESHOLD = 8 * 2**20, -3
# So much of other memory stays for the next answer, which would else get it anew page by page (M_TRIM_THRESHOLD).
SPARE, TRIM = 64 * 2**20, -1


def spare() -> None:
    """Have the C library keep what smaller arrays take, and no large array that nobody holds any more.

    Glibc learns from the first large one that is freed to keep such arrays for later: a feed, which replaces cubes, then takes
    twice the memory. Told of either, it learns neither, and would return every small piece. Other C libraries are left as they are.
    """
    _glibc("mallopt", THRESHOLD, LARGE)
    _glibc("mallopt", TRIM, SPARE)


def settle() -> None:
    """Collect what nobody holds any more (a cube and its answers hold on to each other), and return it to the machine.

    What is left stays: no collection looks at it again before the next call. To look through all that is kept of ten million
    decisions takes 0.1 to 0.3 seconds, in which every page waits.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    _glibc("malloc_trim", 0)


def _glibc(name: str, *arguments: int) -> None:
    """Call a function of the C library, where it has one of that name."""
    function = getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
    if function is not None:
        function(*arguments)


def forget() -> None:
    """Drop the answers about all cubes."""
    with _lock:
        for cube in _holding:
            cube.answers.clear()

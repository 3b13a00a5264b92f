"""Open releases in, their as-of steps judged before anybody asks: one stage at one step at a time, the latest steps first.

Then the slices of every stage are read, in which a search takes seconds to begin with a large log.
"""

from __future__ import annotations

import logging
import threading
from itertools import chain
from typing import TYPE_CHECKING

from release_core import course, library

if TYPE_CHECKING:
    from collections.abc import Iterator

_working = threading.Lock()
_work: dict[str, Iterator[None]] = {}
NOTHING = object()


def judge() -> bool:
    """Judge one thing that is not judged yet in the releases that are open; return whether there was any."""
    with _working:
        opened = {one.key: one for one in library.kept()}
        for key in [key for key in _work if key not in opened]:
            del _work[key]
        for key, one in reversed(opened.items()):
            try:
                if next(_work.setdefault(key, chain(course.fill(one), _slices(one))), NOTHING) is not NOTHING:
                    return True
            except Exception:
                # One release must not end the work for all; a page that asks for it says why it cannot be judged.
                logging.getLogger(__name__).exception("%s cannot be judged ahead", one.release.id)
        return False


def _slices(opened: library.Opened) -> Iterator[None]:
    """Read the slices of each stage, where there are dimensions to search in; pause after each."""
    for stage in opened.cube.stages() if opened.release.segments.all else ():
        opened.cube.searched(stage, None)
        yield


__all__ = ["judge"]

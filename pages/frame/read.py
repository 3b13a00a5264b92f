"""Calls into the core on behalf of the pages, and the one place where an error becomes words on screen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pages.frame import show
from release_core import library
from release_core.errors import ReleaseReviewError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.cube.cube import Cube


@contextmanager
def told(title: str = "This cannot be shown") -> Iterator[None]:
    """Show an error that can be explained, instead of a traceback."""
    try:
        yield
    except ReleaseReviewError as error:
        show.problems(error, title)


def catalog() -> list[library.Card]:
    """Return the releases in the list, also those that cannot be read."""
    return library.cards()


def stages(release: str) -> list[str]:
    """Return the stages of `release` that have decisions."""
    return [str(stage) for stage in _cube(release).stages()]


def steps(release: str) -> list[tuple[str, str]]:
    """Return the as-of steps of `release`: how a link names them, and the instant that they end with."""
    cube = _cube(release)
    return [(cube.label(step), f"{cube.end(step):%Y-%m-%d %H:%M} UTC") for step in cube.steps]


def step(release: str, named: str | None) -> int:
    """Return the step that a link names so (None: the latest)."""
    cube = _cube(release)
    return next((step for step in cube.steps if cube.label(step) == named), cube.steps[-1])


def dims(release: str) -> dict[str, list[str]]:
    """Return the segment dimensions of `release` and their values."""
    opened = library.open_release(release)
    return {dim: list(opened.cube.values(dim)) for dim in opened.release.segments.all}


def _cube(release: str) -> Cube:
    return library.open_release(release).cube

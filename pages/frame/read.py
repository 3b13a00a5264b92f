"""Calls into the core on behalf of the pages, and the one place where an error becomes words on screen."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from pages.frame import show, state
from release_core import ledger, library, review
from release_core.cube import REPLAY_SET
from release_core.errors import ReleaseReviewError
from release_core.ledger import Ledger
from release_core.memory import of_cube
from release_core.views.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamlit.delta_generator import DeltaGenerator

    from pages.frame.state import Choice
    from release_core.cube.cube import Cube
    from release_core.ledger import Record


T = TypeVar("T")
# Seconds for which a release is taken as it was last seen.
FRESH = 1.0
PAUSED, PINNED = "_paused", "_pinned"
_WAITING = "_waiting_place"
_seen: dict[str, tuple[float, library.Opened]] = {}
_drawn: set[tuple[str, str, str | None]] = set()


@contextmanager
def told(title: str = "This cannot be shown") -> Iterator[None]:
    """Show an error that can be explained, instead of a traceback."""
    try:
        yield
    except ReleaseReviewError as error:
        show.problems(error, title)


def wait_at(place: DeltaGenerator) -> None:
    """Say where on the page a reader is told that something takes longer than usual."""
    st.session_state[_WAITING] = place


@contextmanager
def _patient(words: str) -> Iterator[None]:
    """Tell the reader what is being done, for as long as it takes; nothing is shown of what takes no time."""
    with ExitStack() as stack:
        if _WAITING in st.session_state:
            with st.session_state[_WAITING]:
                stack.enter_context(st.spinner(words, show_time=True))
        yield


@contextmanager
def first_time(page_name: str, choice: Choice) -> Iterator[None]:
    """Tell the reader to wait where a page of a release's stage is drawn for the first time: its sums are not kept yet."""
    key = (page_name, choice.release, choice.stage)
    if key in _drawn:
        yield
        return
    with _patient(show.escape_markdown(f"{page_name}: adding up the events of {choice.release}, for the first time.")):
        yield
    _drawn.add(key)


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
    cube = _cube(release)
    several = [REPLAY_SET] if len(cube.values(REPLAY_SET)) > 1 else []
    return {dim: list(cube.values(dim)) for dim in [*several, *cube.release.segments.all]}


def begin() -> None:
    """Let this run of the script see every release as it is when first asked for: all of a page is of one state."""
    st.session_state[PINNED] = {}


def opened(release: str) -> library.Opened:
    """Return the open release, the same for the whole drawing of a page, however many files come meanwhile.

    While the reader pauses a feed it is the release as it was then.

    Raises:
        ReleaseReviewError: it cannot be opened; the message says why.
    """
    pinned: dict[str, library.Opened] = st.session_state.setdefault(PINNED, {})
    if release not in pinned:
        pinned[release] = _latest(release)
    return pinned[release]


def _latest(release: str) -> library.Opened:
    """Return the open release as it is now; its files are looked at again after a second, since several ask at once."""
    paused: dict[str, library.Opened] = st.session_state.get(PAUSED, {})
    if release in paused:
        return paused[release]
    seen = _seen.get(release)
    if seen is None:
        words = f"Reading the logs of {release}. They are counted once; afterwards every page answers from the counts."
        with _patient(show.escape_markdown(words)):
            seen = _seen[release] = (time.monotonic(), library.follow(release))
    elif time.monotonic() - seen[0] > FRESH:
        seen = _seen[release] = (time.monotonic(), library.follow(release))
    return seen[1]


def pause(release: str, *, hold: bool) -> None:
    """Keep the release as this reader sees it now, or let it go on."""
    paused = dict(st.session_state.get(PAUSED, {}))
    paused.pop(release, None)
    st.session_state[PAUSED] = paused | ({release: opened(release)} if hold else {})


def freshness(release: str) -> tuple[str, float, str]:
    """Return (what names the state that could be shown, seconds since the newest file, the last instant in the logs)."""
    shown, newest = _latest(release), library.stamp(release)[1]
    return (
        shown.key,
        time.time() - newest if newest else float("inf"),
        f"{shown.cube.end(shown.cube.steps[-1]):%Y-%m-%d %H:%M}",
    )


def view(choice: Choice) -> View:
    """Return what the sidebar's choice means: the open release, its stage, as-of step and segment filter."""
    one = opened(choice.release)
    stage = review.stage_of(one, choice.stage)
    return View(one, stage, step(choice.release, choice.as_of), choice.where)


def page(function: Callable[..., T], *arguments: object) -> T:
    """Return what `function` makes of the sidebar's choice and the page's own; the same question is computed once.

    Raises:
        ReleaseReviewError: it cannot be answered; the message says why.
    """
    one = view(state.current())
    # A drill that was just recorded may change a verdict, and is shown: it is part of the question.
    answer: T = _computed(one, function, arguments, review.rehearsal(one.release))
    return answer


@of_cube(512, again=True)
def _computed(one: View, function: Callable[..., Any], arguments: tuple[object, ...], drill: object) -> Any:  # noqa: ANN401, ARG001
    return function(one, *arguments)


def records() -> list[Record]:
    """Return what came with the chosen release and what the ledger holds of it; nothing if there is no ledger yet."""
    return ledger.known(Ledger(), view(state.current()).release)


def came() -> list[Record]:
    """Return what came with the chosen release; nothing where it cannot be opened."""
    try:
        release = view(state.current()).release
    except ReleaseReviewError:
        return []
    return ledger.brought(release)


def units() -> dict[str, str]:
    """Return the unit of every metric of the chosen release."""
    return {name: metric.unit for name, metric in view(state.current()).known().items()}


def _cube(release: str) -> Cube:
    return opened(release).cube

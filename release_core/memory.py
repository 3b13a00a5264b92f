"""A question about a cube in, its answer out, from memory where it was asked before: the memory goes when its cube goes."""

from __future__ import annotations

from functools import lru_cache, wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")
# The cubes that keep answers about themselves.
_holding: WeakSet[Any] = WeakSet()
_lock = Lock()


def of_cube(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that keeps the last `most` answers about each cube.

    The first argument is an open release, or has one as `opened`. The answers are kept in the cube, so they hold on to no cube
    but their own, and a feed that replaces cubes leaves none behind.
    """

    def keep(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def answer(*arguments: P.args, **named: P.kwargs) -> T:
            cube = _cube(arguments[0])
            with _lock:
                _holding.add(cube)
                held: Any = cube.answers.get(function) or lru_cache(most)(function)
                cube.answers[function] = held
            found: T = held(*arguments, **named)
            return found

        return answer

    return keep


def _cube(asker: Any) -> Any:  # noqa: ANN401 - an open release, or what has one
    return getattr(asker, "opened", asker).cube


def forget() -> None:
    """Drop the answers about all cubes."""
    with _lock:
        for cube in _holding:
            cube.answers.clear()

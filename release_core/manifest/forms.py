"""One TOML value in, a typed value or nothing out, with the words that say what would have been right."""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Generic, TypeGuard, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

# Beyond it a whole number is no longer the same number as a float.
_LARGEST = 2**53
_LONGEST_WORD = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """What a value must be: in words, as a check (None: refused), and what stands in for a refused one."""

    words: str
    check: Callable[[object], T | None]
    blank: T
    options: tuple[str, ...] = ()


def one_of(options: Iterable[str]) -> Form[str]:
    """Return the form of a word out of `options`."""
    words = tuple(options)
    return Form(f"one of {', '.join(words)}", lambda value: _member(value, words), words[0], words)


def member_of(enum: type[E]) -> Form[E]:
    """Return the form of a member of `enum`."""
    words = tuple(member.value for member in enum)

    def check(value: object) -> E | None:
        word = _member(value, words)
        return None if word is None else enum(word)

    return Form(f"one of {', '.join(words)}", check, next(iter(enum)), words)


def number(words: str, within: Callable[[float], bool] = math.isfinite) -> Form[float]:
    """Return the form of a finite number for which `within` holds."""

    def check(value: object) -> float | None:
        found = _finite(value)
        return found if found is not None and within(found) else None

    return Form(words, check, 0.0)


def integer(low: int) -> Form[int]:
    """Return the form of a whole number of at least `low`."""
    words = f"a whole number of at least {low}"
    return Form(words, lambda value: value if _is_whole(value) and low <= value <= _LARGEST else None, low)


def matched(words: str, pattern: str) -> Form[str]:
    """Return the form of text that matches `pattern` from end to end."""
    regex = re.compile(pattern)
    return Form(words, lambda value: value if isinstance(value, str) and regex.fullmatch(value) else None, "")


def _member(value: object, words: tuple[str, ...]) -> str | None:
    return value if isinstance(value, str) and value in words else None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: object) -> float | None:
    if _is_whole(value):
        return float(value) if abs(value) <= _LARGEST else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _line(value: object) -> str | None:
    return value if isinstance(value, str) and value == value.strip() != "" and value.isprintable() else None


def _dimension(value: object) -> str | None:
    name = _line(value)
    return None if name is None or "=" in name or "," in name else name


def _scalar(value: object) -> str | float | bool | None:
    if isinstance(value, bool | str):
        return value
    return None if _finite(value) is None else value  # type: ignore[return-value]  # a finite number, kept whole


def _date(value: object) -> date | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: object) -> datetime | None:
    """Return an instant in UTC, which is meant where no zone is given."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(found, datetime):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


TEXT = Form("text that is not blank", lambda value: value if isinstance(value, str) and value.strip() else None, "")
NAME = Form("one line of text without blanks around it", _line, "")
COLUMN = Form(
    'the name of a column, or "" for none', lambda value: "" if value == "" else _line(value), ""
)  # "": the log has it, but it is not to be read
DIMENSION = Form("the name of a column, without '=' and ','", _dimension, "")
SLUG = matched(
    "up to 100 letters, digits, '.', '_', '-', starting with a letter or digit", r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
)
FLAG = Form("true or false", lambda value: value if isinstance(value, bool) else None, blank=False)
DATE = Form("a date as YYYY-MM-DD", _date, date.min)
INSTANT = Form("a time as 2026-01-31T14:00:00Z", _instant, datetime.min.replace(tzinfo=UTC))
SCALAR: Form[str | float | bool] = Form("text, a finite number, true or false", _scalar, "")
ANY_NUMBER = number("a finite number")
NOT_NEGATIVE = number("a number of at least 0", lambda value: value >= 0)
ABOVE_ZERO = number("a number above 0", lambda value: value > 0)
SHARE = number("a share from 0 to 1", lambda value: 0 <= value <= 1)
SHARE_ABOVE_ZERO = number("a share above 0, at most 1", lambda value: 0 < value <= 1)


def shown(value: object) -> str:
    """Return a value as it may be printed in a message: short, on one line, whatever it is.

    >>> print(shown(True), shown("a"), shown([1, 2]))
    true 'a' [1, 2]
    """
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return reprlib.repr(value)
    except ValueError:
        # Python refuses to print whole numbers of more than 4,300 digits.
        return "a number with thousands of digits"


def key_text(key: str) -> str:
    """Return a key as TOML would write it, shortened where it is very long."""
    return key if _BARE_KEY.fullmatch(key) else reprlib.repr(key)


def nearest(word: object, options: Iterable[str]) -> str:
    """Return a question that suggests one of `options` for a misspelt word, or nothing.

    >>> nearest("treshold", ["model", "threshold"])
    'Did you mean "threshold"?'
    >>> nearest("cat", ["model", "threshold"])
    ''
    """
    text = word[:_LONGEST_WORD].lower() if isinstance(word, str) else ""
    close = difflib.get_close_matches(text, list(options), 1)
    return f'Did you mean "{close[0]}"?' if close else ""


def repeated(values: Iterable[T]) -> list[T]:
    """Return the values that occur more than once, each once, in their order."""
    counts: dict[T, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return [value for value, count in counts.items() if count > 1]

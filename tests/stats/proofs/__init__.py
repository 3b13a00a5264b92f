"""Functions of `stats` and hard cases in; the function's answer beside that of an independent computation out.

A proof is one function, how it is called on a case, and what must come out: `tests/stats/test_hard_cases.py` runs every
proof on every case that its kind of input has. A kind that lacks a case says why in words, and so does a function that
cannot be given one. The function is handed to the call by the test, which sees that it was called, and with what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from release_core.stats import slices

# The hard cases of every statistic, as ids of the tests.
ONE_CLASS, TIES, NAN, WEIGHTS, NONE, ONE, FIVE, RARE = (
    *("one_class", "ties", "nan", "weights"),
    *("n0", "n1", "n5", "rare"),
)
CASES = (ONE_CLASS, TIES, NAN, WEIGHTS, NONE, ONE, FIVE, RARE)


class _Undefined:
    """What is demanded where a statistic has no value: every number of the answer is NaN (or None)."""


UNDEFINED = _Undefined()


class Between(NamedTuple):
    """What is demanded of numbers that were drawn or bounded: they lie between these, and are NaN where these are."""

    low: Any
    high: Any


@dataclass(frozen=True)
class Kind:
    """A kind of input: the data of each hard case, and in words why the others do not exist for it."""

    cases: Mapping[str, tuple[Any, ...]]
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """One function, what it is called with on a case's data, what an independent computation says, and how near."""

    function: str
    kind: Kind
    call: Callable[[Callable[..., Any], Any], Any]
    oracle: Callable[[Any], Any]
    rel: float = 1e-9
    near: float = 1e-12
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> list[str]:
        """Return the hard cases that exist for the function."""
        return [case for case in CASES if case in self.kind.cases and case not in self.without]

    @property
    def absent(self) -> dict[str, str]:
        """Return why the other hard cases do not exist."""
        return {**self.kind.absent, **self.without}


class Recorder:
    """A function of `stats` that remembers what it was called with."""

    def __init__(self, name: str) -> None:
        """Take the function, as module.function."""
        module, function = name.split(".")
        self.function = getattr(import_module(f"release_core.stats.{module}"), function)
        self.seen: list[Any] = []
        self.asked = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns; `asked` is whether it was given a function, whose numbers are not seen."""
        self.seen += [args, kwargs]
        self.asked |= any(callable(one) and not is_dataclass(one) for one in args)
        with np.errstate(all="ignore"):
            return self.function(*args, **kwargs)


def numbers(value: Any) -> list[float]:
    """Return every number in arrays, tuples, mappings and records, one after the other; None counts as NaN."""
    if value is None:
        return [np.nan]
    if isinstance(value, Mapping):
        return [n for part in value.values() for n in numbers(part)]
    if is_dataclass(value):
        return [n for one in fields(value) for n in numbers(getattr(value, one.name))]
    if isinstance(value, str | slices.Names) or callable(value):
        return []
    if isinstance(value, tuple | list):
        return [n for part in value for n in numbers(part)]
    return np.asarray(value, dtype=float).ravel().tolist()


def shaken(value: Any) -> Any:
    """Return an answer that is wrong in every number, by 2% and more; a number where there was none."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        return value + "?"
    if is_dataclass(value):
        return value
    if isinstance(value, tuple | list):
        return tuple(map(shaken, value))
    known = np.nan_to_num(np.asarray(value, float), posinf=1e9, neginf=-1e9)
    return known + 0.02 * (1 + np.abs(known))


def agree(ours: Any, theirs: Any, rel: float, near: float) -> None:
    """Fail unless both are the same, part by part; see UNDEFINED and Between for what else may be demanded."""
    if theirs is UNDEFINED:
        assert numbers(ours), "an answer without a number"
        assert np.isnan(numbers(ours)).all(), f"{ours} where nothing is defined"
    elif isinstance(theirs, Between):
        low, high = np.asarray(theirs.low), np.asarray(theirs.high)
        inside = (low - near <= ours) & (ours <= high + near) | (np.isnan(low) & np.isnan(ours))
        assert inside.all(), f"{ours} is not between {low} and {high}"
    elif isinstance(theirs, str) or theirs is None:
        assert ours == theirs
    elif isinstance(theirs, tuple):
        for one, two in zip(ours, theirs, strict=True):
            agree(one, two, rel, near)
    else:
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rel, atol=near)

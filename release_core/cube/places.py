"""Rows of cells in; their sums by place out, apart for events, positives and negatives: where a row goes is found once."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube.labels import EVENT
from release_core.cube.rows import Rows, beside, rows_of
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array
    from release_core.release import Release

    Columns = Mapping[str, Array]

# What stands for a label in rows that count mature events, and mature events of which silence told, once more.
MATURED, SILENT = 2, 3
POPULATIONS = 3
# Keys below this are found in a list of all.
MOST_LISTED = 100_000
# So many values are numbered as they are, though not all of them occur.
FEW = 64


class Places:
    """Where rows go in an array of sums, and the sums."""

    def __init__(self, shape: tuple[int, ...], index: tuple[Array, ...], populations: Array) -> None:
        """Take the sums' shape, each row's place on its axes, and its population; the first axis is the segment's."""
        self._take(shape, index[0], coded(populations, shape[1:], index[1:]))

    def _take(self, shape: tuple[int, ...], first: Array | None, fixed: Array) -> None:
        self._shape, self._first = shape, first
        # Codes run over the segment, then the population, then the other axes.
        self._size = int(np.prod(shape[1:]))
        # One population more only where there are rows that count for nothing.
        self._kinds = POPULATIONS + int(fixed.max(initial=0) >= POPULATIONS * self._size)
        self._fixed = fixed
        self._rows: dict[int, tuple[Array, Array]] = {}
        self._keep: Callable[[str, Callable[[], Array]], Array] = lambda _, find: find()

    @cached_property
    def _code(self) -> Array:
        """Return the place of each row in the sums."""
        first, fixed = self._first, self._fixed
        return fixed if first is None else self._keep("codes", lambda: first * (self._kinds * self._size) + fixed)

    def sums(self, values: Array, unit: int = 1) -> Array:
        """Return the sums [population, ...] of a value per row; float64 holds these integers exactly up to 9e15."""
        weights = np.asarray(values, dtype=np.float64)
        shape = (self._shape[0], self._kinds, *self._shape[1:])
        summed = np.bincount(self._code, weights=weights, minlength=int(np.prod(shape))).reshape(shape)
        found = summed[:, :POPULATIONS].swapaxes(0, 1)
        return found if unit == 1 else found / unit

    def alone(self, population: int, values: Array, unit: int = 1) -> Array:
        """Return the sums [...] of a value per row over one population; of few rows, such as positives, at little cost."""
        if population not in self._rows:
            start, end = population * self._size, (population + 1) * self._size
            rows = self._keep(
                f"rows of {population}", lambda: np.flatnonzero((start <= self._fixed) & (self._fixed < end))
            )
            segment = 0 if self._first is None else self._first[rows]
            code = self._keep(f"places of {population}", lambda: segment * self._size + self._fixed[rows] - start)
            self._rows[population] = rows, code
        rows, code = self._rows[population]
        weights = np.asarray(values[rows], dtype=np.float64)
        summed = np.bincount(code, weights=weights, minlength=int(np.prod(self._shape)))
        found: Array = summed.reshape(self._shape) / unit
        return found


class FixedPlaces(Places):
    """The same of rows whose codes (see `coded`) are known but for the first axis."""

    def __init__(
        self,
        shape: tuple[int, ...],
        first: Array | None,
        fixed: Array,
        keep: Callable[[str, Callable[[], Array]], Array] | None = None,
    ) -> None:
        """Take the sums' shape, each row's place on the first axis (None: it has one place), and the other axes' code.

        `keep` computes by name what follows from the code and the first places, once for all as-of steps.
        """
        self._take(shape, first, fixed)
        self._keep = keep or self._keep


class Size(NamedTuple):
    """The first axes of sums: how long they are, and the columns that they stand for, the segment's first."""

    shape: tuple[int, ...]
    axes: tuple[str, ...]

    @property
    def rest(self) -> tuple[int, ...]:
        """Return how long the axes behind the segment's are."""
        return self.shape[1:]

    def first(self, rows: Columns) -> Array | None:
        """Return each row's place on the axis of segments; None where that has one place."""
        return rows["segment"] if self.shape[0] > 1 else None


def coded(first: Array, shape: tuple[int, ...], index: Sequence[Array]) -> Array:
    """Return one number per row for its place on an axis before, `first`, and on the axes of this shape."""
    for size, axis in zip(shape, index, strict=True):
        first = first * size + axis
    return first


def population(label: Array) -> Array:
    """Return what each row counts for: EVERYONE, POSITIVE, NEGATIVE, or one behind these for nothing."""
    found = np.full(SILENT - EVENT + 1, POPULATIONS)
    found[[0, 1 - EVENT, -EVENT]] = EVERYONE, POSITIVE, NEGATIVE
    return found[label - EVENT]


class Bands:
    """Cells of scores in; sums at and beyond each registered cutoff out, exact by band: [population, ..., version, cutoff]."""

    def __init__(self, release: Release, shape: tuple[int, ...], axes: tuple[str, ...], cells: Columns) -> None:
        """Take the cells, and the columns of the axes before the version's."""
        rows = rows_of(cells)
        most = rows.span("band")[1]
        bands, band = (np.arange(most + 1), None) if most < FEW else numbered(cells["band"].astype(np.int64))
        self._reached = (bands[:, None] >> np.arange(len(release.cutoff_ids)) & 1).astype(np.float64)
        size = (*shape[1:], len(bands))

        def make(keys: Columns) -> Array:
            index = (*(keys[axis] for axis in (*axes[1:], "version")), keys["band"] if band is None else band)
            return coded(population(keys["label"]), size, index)

        name = f"bands by {axes}"
        code = rows.made(name, make) if band is None else make(rows)
        keep = partial(rows.kept_split, name) if band is None else None
        self._places = FixedPlaces((shape[0], *size), rows["segment"] if shape[0] > 1 else None, code, keep)
        self._count = cells["n"]

    @cached_property
    def n(self) -> Array:
        """Return the counts."""
        return self.beyond(self._count)

    def beyond(self, values: Array) -> Array:
        """Return the sums of a value per row."""
        found: Array = self._places.sums(values) @ self._reached
        return found


def numbered(values: Array) -> tuple[Array, Array]:
    """Return the different values, not below 0, and the place of each one among them."""
    most = int(values.max(initial=0))
    if most < FEW:
        return np.arange(most + 1), values
    found, place = np.unique(values, return_inverse=True)
    return found, place


def occurring(values: Array) -> tuple[Array, Array]:
    """Return the different values that occur, not below 0, and the place of each one among them."""
    found = present(values)
    return found, place_in(found, values)


def segmented(
    rows: Mapping[str, Array],
    by: tuple[str, ...],
    known: Array,
    key: Callable[[Mapping[str, Array]], Array],
    first: int = 0,
) -> Rows:
    """Return the rows with the number of each one's segment by its key, counted from `first`.

    Rows of no such segment, which hold no events, get any. `by` are the dimensions that the keys stand for, in their order.
    """
    of, name = rows_of(rows), f"segments from {first} by {by}: {known.tobytes().hex()}"
    place = of.kept(name, lambda: first + np.minimum(place_in(known, key(of)), len(known) - 1))
    return beside(of, {"segment": place}, name)


def present(keys: Array) -> Array:
    """Return the different keys, rising."""
    if len(keys) and keys.min() >= 0 and keys.max() < MOST_LISTED:
        return np.flatnonzero(np.bincount(keys))
    return np.unique(keys)


def place_in(known: Array, keys: Array) -> Array:
    """Return the place of each key among known ones that rise, as `numpy.searchsorted` does."""
    if not len(known) or known[-1] >= MOST_LISTED or known[0] < 0 or not len(keys) or keys.max() > known[-1]:
        return np.searchsorted(known, keys)
    every = np.zeros(int(known[-1]) + 1, np.int64)
    every[known[:-1] + 1] = 1
    return np.asarray(np.cumsum(every)[keys])

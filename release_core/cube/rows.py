"""What computes columns in, columns by name out: each is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array

    Make = Callable[[Mapping[str, Array]], Array]


class Keys(Mapping[str, "Array"]):
    """The key columns of a table, the same at every as-of step; what is made of them is computed once."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        """Take the columns: texts, and whole numbers of any type, which are handed out as int64."""
        self._columns = columns
        self._made: dict[str, Array] = {}
        self._spans: dict[str, tuple[int, int]] = {}

    def __getitem__(self, name: str) -> Array:
        """Return a column."""
        return self.taken(name, None)

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._columns)

    def taken(self, name: str, place: Array | None) -> Array:
        """Return a column at some places (None: all)."""
        return whole(taken(self._columns[name], place))

    @property
    def nbytes(self) -> int:
        """Return the memory that the columns take, and what was made of them."""
        return sum(array.nbytes for array in (*self._columns.values(), *list(self._made.values())))

    def made(self, name: str, make: Make) -> Array:
        """Return what `make` computes, row by row, of the columns; its `name` stands for it."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]

    def span(self, name: str) -> tuple[int, int]:
        """Return the least and the largest value of a column; 0 and 0 without rows."""
        if name not in self._spans:
            self._spans[name] = span(self._columns[name])
        return self._spans[name]


class Rows(Mapping[str, "Array"]):
    """Columns of equal length by name; each is computed when it is first asked for, and kept."""

    def __init__(
        self,
        compute: Mapping[str, Callable[[], Array]],
        held: Mapping[str, Array] | None = None,
        of: tuple[Keys, Array | None] | None = None,
        *,
        split: str = "",
        keeps: bool = True,
    ) -> None:
        """Take what computes each column, columns that are at hand, and of which rows of a table's keys these are (None: all).

        `split` names what the column `segment` was made by. Not `keeps`: another one keeps the columns, these hold on to none.
        """
        self._compute = compute
        self._held = dict(held or {})
        self._keeps = keeps
        self.of, self.split = of, split

    def made(self, name: str, make: Make) -> Array:
        """Return a column that is made of the table's keys, by the name that stands for it."""
        if self.of is None:
            return make(self)
        keys, place = self.of
        found = keys.made(name, make)
        return found if place is None else found[place]

    def kept(self, name: str, find: Callable[[], Array]) -> Array:
        """Return what `find` finds of these rows, kept by name only where they are all of a table's: it holds at every step."""
        if self.of is None or self.of[1] is not None:
            return find()
        return self.of[0].made(name, lambda _: find())

    def kept_split(self, name: str, part: str, find: Callable[[], Array]) -> Array:
        """Return what `find` finds of these rows and the segments that they are split into, kept in the same way."""
        return self.kept(f"{name} of {self.split}, {part}", find)

    def span(self, name: str) -> tuple[int, int]:
        """Return values between which those of a key column lie, at this step or any other."""
        return span(self[name]) if self.of is None else self.of[0].span(name)

    def __getitem__(self, name: str) -> Array:
        """Return a column."""
        found = self._held.get(name)
        if found is None:
            found = self._compute[name]()
            if self._keeps:
                self._held[name] = found
        return found

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(dict.fromkeys((*self._compute, *self._held)))

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len({*self._compute, *self._held})


def taken(array: Array, place: Array | None) -> Array:
    """Return the entries at some places (None: all)."""
    return array if place is None else array[place]


def small(column: Array) -> Array:
    """Return whole numbers in the smallest type that holds them; other values as they are."""
    if not column.size or column.dtype.kind not in "iu":
        return column
    wanted = np.promote_types(np.min_scalar_type(column.min()), np.min_scalar_type(column.max()))
    return column.astype(wanted)


def whole(column: Array) -> Array:
    """Return whole numbers as int64: what is made of several columns would not fit a small type. Others stay as they are."""
    return column.astype(np.int64, copy=False) if column.dtype.kind in "iu" else column


def span(values: Array) -> tuple[int, int]:
    """Return the least and the largest of whole numbers; 0 and 0 of none."""
    return (int(values.min()), int(values.max())) if len(values) else (0, 0)


def rows_of(columns: Mapping[str, Array]) -> Rows:
    """Return columns as rows."""
    return columns if isinstance(columns, Rows) else Rows({}, columns)


def together(many: Sequence[Mapping[str, Array]]) -> Rows:
    """Return the rows of several groups one after the other, without the codes of their dimensions."""
    names = [name for name in many[0] if name not in {"k0", "k1", "k2"}]
    if len(many) == 1:
        one = rows_of(many[0])
        return Rows({name: partial(one.__getitem__, name) for name in names}, of=one.of, split=one.split, keeps=False)
    return Rows({name: lambda name=name: np.concatenate([one[name] for one in many]) for name in names})  # type: ignore[misc]


def beside(rows: Mapping[str, Array], more: Mapping[str, Array], split: str = "") -> Rows:
    """Return the rows with further columns, or others in their place; `split` names what a column `segment` is made by."""
    compute = {name: partial(rows.__getitem__, name) for name in rows}
    return Rows(compute, more, rows_of(rows).of, split=split, keeps=False)

"""What computes columns in, columns by name out: each is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array


class Rows(Mapping[str, "Array"]):
    """Columns of equal length by name; each is computed when it is first asked for."""

    def __init__(self, compute: Mapping[str, Callable[[], Array]], held: Mapping[str, Array] | None = None) -> None:
        """Take what computes each column, and columns that are at hand."""
        self._compute = compute
        self._held = dict(held or {})

    def __getitem__(self, name: str) -> Array:
        """Return a column."""
        if name not in self._held:
            self._held[name] = self._compute[name]()
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(dict.fromkeys((*self._compute, *self._held)))

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len({*self._compute, *self._held})


def together(many: Sequence[Mapping[str, Array]]) -> Rows:
    """Return the rows of several groups one after the other, without the codes of their dimensions."""
    names = [name for name in many[0] if name not in {"k0", "k1", "k2"}]
    if len(many) == 1:
        return Rows({name: lambda name=name: many[0][name] for name in names})  # type: ignore[misc]
    return Rows({name: lambda name=name: np.concatenate([one[name] for one in many]) for name in names})  # type: ignore[misc]


def beside(rows: Mapping[str, Array], more: Mapping[str, Array]) -> Rows:
    """Return the rows with further columns, or others in their place."""
    return Rows({name: lambda name=name: rows[name] for name in rows}, more)  # type: ignore[misc]

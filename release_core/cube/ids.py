"""Parts and a few event ids in, the rows of the parts that hold one of them out: without reading the parts.

Every part that was there before has an index beside it: the hashes of its event ids in order, and the row of each. It is made
when the first file arrives after it, so logs that never grow have none.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.files import text
from release_core.store import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from release_core.cube.parts import Part
    from release_core.frames import Array
    from release_core.store import Cursor

# Larger indices are looked up on disk.
MOST_HELD = 50_000
MOST_OPEN = 512
# Of a hash two words, of a row one.
WORDS = 3
HASH = "hash(event_id)"
# More rows of a file than these are not listed in the text of a statement.
MOST_LISTED = 2_000


def wanted(cursor: Cursor, sql: str) -> Array:
    """Return the hashes of the event ids that `sql` selects, sorted and each once."""
    return cursor.query(f"select distinct {HASH} as h from ({sql}) order by h")["h"].astype(np.uint64)


def rows(cursor: Cursor, parts: Iterable[tuple[int, Part]], hashes: Array) -> dict[int, Array]:
    """Return the rows of each part, by its place, whose event ids have one of the hashes; parts without any are left out."""
    found = {place: _within(_index(cursor, part.good, part.key), hashes) for place, part in parts if part.good}
    return {place: mine for place, mine in found.items() if len(mine)}


def read(parts: list[Part], found: dict[int, Array]) -> str:
    """Return SQL for the rows found, each with the place of its part; "" where there is no part."""
    first = next((part.good for part in parts if part.good), None)
    if not found:
        return f"select 0 as part, * from read_parquet({text(first)}) where false" if first else ""
    return " union all by name ".join(
        f"select {place} as part, * from read_parquet({text(parts[place].good)}) where {_among(mine)}"
        for place, mine in found.items()
    )


def _among(mine: Array) -> str:
    # A list is looked up while the file is read, and what holds none of it is passed over.
    if len(mine) > MOST_LISTED:
        return f"row between {mine.min()} and {mine.max()}"
    return f"row in ({', '.join(map(str, mine.tolist()))})"


def _within(index: tuple[Array, Array], hashes: Array) -> Array:
    known, row = index
    if not len(known):
        return row[:0]
    first = np.searchsorted(known, hashes)
    hit = known[np.minimum(first, len(known) - 1)] == hashes
    last = np.searchsorted(known, hashes[hit], side="right")
    places = [np.arange(start, end) for start, end in zip(first[hit], last, strict=True)]
    return np.sort(row[np.concatenate(places)]) if places else row[:0]


def _index(cursor: Cursor, good: Path, key: str) -> tuple[Array, Array]:
    """Return the sorted hashes of a part's event ids and the row of each."""
    path = good.with_name(f"ids-{key}-{VERSION}.npy")
    if not path.exists():
        found = cursor.query(f"select {HASH} as h, row from read_parquet({text(good)}) order by h")
        words = np.concatenate([found["h"].astype(np.uint64).view(np.uint32), found["row"].astype(np.uint32)])
        unfinished = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
        with unfinished.open("wb") as file:
            np.save(file, words)
        unfinished.replace(path)
    return _opened(path)


@lru_cache(maxsize=MOST_OPEN)
def _opened(path: Path) -> tuple[Array, Array]:
    words = np.load(path, mmap_mode="r")
    if len(words) <= WORDS * MOST_HELD:
        words = np.array(words)
    size = len(words) // WORDS
    return words[: 2 * size].view(np.uint64), words[2 * size :]

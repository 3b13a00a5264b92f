"""Rows as arrays of integers in, cells out: the sums of every table and cuboid, counted in memory and written once.

A row is in about a hundred cells, most of which hold few rows, so what costs is to bring equal keys together. All keys of
a table are numbered as one; rows are put in that order once, and each cuboid needs only a stable sort by the small
number of its dimensions' values.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from release_core.cube import cells, labels
from release_core.cube.files import write
from release_core.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.cube.cells import Count, Cuboid
    from release_core.frames import Array
    from release_core.release import Release
    from release_core.store import Cursor

# Rows counted at a time: about 300 MB. More of them make another file of the same table.
AT_ONCE = 750_000
LARGEST, SMALL = 2**62, 2**16
BY = '"by"'
DIMS = (BY, "v1", "v2", "v3")
FRAMED = frozenset((*cells.FRAME.split(", "), "entry"))
WORDS = frozenset((*DIMS, *cells.TEXTS, "kind", "error", "name", "code"))
REMEDY = "Correct the log, or log amounts in a larger unit, such as thousands."
# Least and largest score, which do not add.
ENDS = {"low": np.minimum, "high": np.maximum}


def count(release: Release, cursor: Cursor, folder: Path, name: str) -> None:
    """Write the cells of the events `slim` and their outcomes `told` into `folder`.

    `name` numbers the words of this count. The column `sign` of an event is 1, or -1 where it is taken away.
    """
    _label(release, cursor)
    kind = f"word_{name}"
    for statement in cells.words(release, kind):
        cursor.execute(statement)
    words = [row["word"] for row in cursor.rows(f"select unnest(enum_range(null::{kind}))::varchar as word")]
    for source, sql in cells.sources(release, kind):
        for number, columns in enumerate(cursor.batches(sql, AT_ONCE)):
            _write(release, folder, Rows(columns, words), (source, number))
    cursor.execute(f"drop type {kind}")


def files(folder: Path, table: str) -> list[Path]:
    """Return the files that hold a table's cells in the folder of a count."""
    return sorted([*folder.glob(f"{table}.parquet"), *folder.glob(f"{table}.*.parquet")])


def _label(release: Release, cursor: Cursor) -> None:
    """Make the tables `stretches`, `kinds` and `effects` of `slim` and `told`."""
    for table, (sql, params) in {
        "stretches": labels.stretches(release.labels, "slim", "told"),
        "kinds": (labels.kinds(release.labels, "slim", "told"), {}),
        "effects": labels.effects(release.labels, "slim", "told"),
    }.items():
        cursor.execute(f"create or replace temp table {table} as {sql}", params)


def _write(release: Release, folder: Path, rows: Rows, place: tuple[str, int]) -> None:
    """Write the cells of some rows, the `place`-th of their source, table by table."""
    source, number = place
    mine = [one for one in cells.counts(release) if one.source == source and any(one.cuboids(release))]
    for table in dict.fromkeys(one.table for one in mine):
        found = [_counted(release, rows, one) for one in mine if one.table == table]
        name = ".".join([table, *([source] if source != "facts" else []), *([str(number)] if number else [])])
        joined = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
        write({key: rows.shown(key, values) for key, values in joined.items()}, folder / f"{name}.parquet")


class Rows:
    """Columns of equal length, each an array of integers; those of words hold numbers of `words`."""

    def __init__(self, columns: dict[str, Array], words: Sequence[str]) -> None:
        """Take the columns over."""
        self.columns = columns
        self.words = list(words)
        self.size = len(columns["n"])
        self.signed = bool((columns["n"] < 0).any())
        self._code = {word: code for code, word in enumerate(self.words)}
        self.grouped = cache(self._grouped)
        self.measure = cache(self._measure)

    def code(self, word: str) -> int:
        """Return the number of a word, of a new one the next."""
        if word not in self._code:
            self._code[word] = len(self.words)
            self.words.append(word)
        return self._code[word]

    def _grouped(self, names: tuple[str, ...]) -> tuple[Array, int]:
        """Return one number per row for the values of several columns together, and how many numbers there are at most."""
        code, many = numbered(self.columns[names[0]])
        if len(names) > 1:
            code, many = together([(code, many), *(self.grouped((name,)) for name in names[1:])])
            if many > SMALL:
                code, many = numbered(code)
        return code.astype(np.min_scalar_type(many)), many

    def _measure(self, name: str) -> Array | int:
        """Return a column to be summed; one that is the same in all rows as a number.

        Raises:
            SourceError: a sum of it might not fit 64 bits.
        """
        column = self.columns[name]
        if float(np.abs(column).sum(dtype=np.float64)) >= LARGEST:
            raise SourceError(Problem(f"sum of {name}", "beyond 64 bits", "sums below 4.6e18", REMEDY))
        if self.size and column.min() == column.max():
            return int(column[0])
        return column

    def shown(self, key: str, values: Array) -> pa.Array:
        """Return a column of cells as it is written: numbers of words as the words."""
        if key not in WORDS:
            return pa.array(values)
        used = np.flatnonzero(np.bincount(values, minlength=1)) if len(values) else values
        place = np.zeros(len(self.words), np.int32)
        place[used] = np.arange(len(used))
        return pa.DictionaryArray.from_arrays(place[values], pa.array([self.words[code] for code in used], pa.string()))


def numbered(values: Array) -> tuple[Array, int]:
    """Return the values as numbers from 0, in their order and almost without gaps, and how many numbers there are."""
    if not len(values):
        return values.astype(np.int64), 1
    low, high = int(values.min()), int(values.max())
    if high - low < SMALL:
        return values.astype(np.int64) - low, high - low + 1
    used, place = np.unique(values, return_inverse=True)
    return place, len(used)


def together(parts: Sequence[tuple[Array, int]]) -> tuple[Array, int]:
    """Return one number per row for several numbers of each, and how many numbers there are at most."""
    code, many = parts[0]
    code = code.astype(np.int64)
    for one, size in parts[1:]:
        if many * size >= LARGEST:
            code, many = numbered(code)
        code = code * size + one
        many *= size
    return code, many


def _counted(release: Release, rows: Rows, one: Count) -> dict[str, Array]:
    """Return the cells that `one` counts of some rows, as columns."""
    dims = [key for key in DIMS if key in cells.KEYS[one.table]]
    keys = [key for key in cells.KEYS[one.table].split(", ") if key not in dims]
    column = {key: one.named.get(key, key) for key in keys if key not in one.fixed}
    order, rank = _ordered(rows, one, tuple(column.values()))
    sums = {name: rows.measure(one.named.get(name, name)) for name in cells.SUMS[one.table].split(", ")}
    sorted_sums = {name: value[order] if isinstance(value, np.ndarray) else value for name, value in sums.items()}
    ends = {name: rows.columns[one.named["risk"]][order] for name in ENDS if one.table == "score"}
    found: list[dict[str, Array]] = []
    for cuboid in one.cuboids(release):
        within, starts = _cells(rows, order, rank, cuboid)
        cell: dict[str, Array] = {"at": order[starts if within is None else within[starts]]}
        many = np.diff(starts, append=len(order) if within is None else len(within))
        for name, value in sorted_sums.items():
            cell[name] = _sum(np.add, value, within, starts) if isinstance(value, np.ndarray) else value * many
        for name, values in ends.items():
            cell[name] = _sum(ENDS[name], values, within, starts)
        if rows.signed:
            left = np.any([cell[name] != 0 for name in sums], axis=0)
            cell = {name: values[left] for name, values in cell.items()}
        found.append(cell | _dims(rows, cuboid, dims, cell["at"]))
    joined = {name: np.concatenate([cell[name] for cell in found]) for name in found[0]}
    at = joined.pop("at")
    for key in keys:
        joined[key] = rows.columns[column[key]][at] if key in column else _fixed(rows, key, one.fixed[key], len(at))
    return {name: joined[name] for name in (*dims, *keys, *sums, *ends)}


def _ordered(rows: Rows, one: Count, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the rows counted, equal keys beside each other, and the number of each one's keys."""
    framed = tuple(name for name in names if name in FRAMED)
    code, _ = together([rows.grouped(framed), *(rows.grouped((name,)) for name in names if name not in FRAMED)])
    keep = np.flatnonzero(np.logical_and.reduce([rows.columns[name] for name in one.where])) if one.where else None
    if keep is not None:
        code = code[keep]
    order = np.argsort(code)
    code = code[order]
    rank = np.cumsum(_changes(code)).astype(np.int32)
    return (order if keep is None else keep[order]), rank


def _changes(*sorted_codes: Array) -> Array:
    """Return where a row differs from the one before it."""
    changed = np.ones(len(sorted_codes[0]), bool)
    if len(changed):
        changed[1:] = np.logical_or.reduce([codes[1:] != codes[:-1] for codes in sorted_codes])
    return changed


def _cells(rows: Rows, order: Array, rank: Array, cuboid: Cuboid) -> tuple[Array | None, Array]:
    """Return the order within `order` in which equal cells of a cuboid are beside each other (None: as it is), and their first rows."""
    if cuboid.only:
        within = np.flatnonzero(rows.columns[cuboid.only][order])
        return within, np.flatnonzero(_changes(rank[within]))
    if not cuboid.columns:
        return None, np.flatnonzero(_changes(rank))
    code = rows.grouped(cuboid.columns)[0][order]
    within = np.argsort(code, kind="stable")
    return within, np.flatnonzero(_changes(rank[within], code[within]))


def _sum(add: np.ufunc, values: Array, within: Array | None, starts: Array) -> Array:
    """Return what `add` makes of the values of each cell."""
    if not len(starts):
        return values[:0]
    return add.reduceat(values if within is None else values[within], starts)


def _dims(rows: Rows, cuboid: Cuboid, dims: list[str], at: Array) -> dict[str, Array]:
    """Return the columns "by", v1, ... of the cells whose first rows are `at`."""
    found = {}
    for place, dim in enumerate(dims):
        if dim == BY:
            found[dim] = np.full(len(at), rows.code(cuboid.name), np.int32)
        elif place <= len(cuboid.columns) and not cuboid.only:
            found[dim] = rows.columns[cuboid.columns[place - 1]][at]
        else:
            found[dim] = np.full(len(at), rows.code(cells.YES if cuboid.only and place == 1 else ""), np.int32)
    return found


def _fixed(rows: Rows, key: str, value: str | int, size: int) -> Array:
    """Return a key that is the same in all cells."""
    if isinstance(value, str):
        return np.full(size, rows.code(value), np.int32)
    return np.full(size, value, np.uint8 if key == "version" else np.int32)

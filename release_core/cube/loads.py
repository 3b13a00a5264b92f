"""Score cells by the step of entry in; how many events each cutoff takes up in the busiest period, as of any step, out.

The rows by one dimension are read once per stage, whatever the filter; of more dimensions, only those within the filter. Of them
only those at or above a cutoff are added up.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from release_core.cube.places import occurring
from release_core.cube.query import PERIOD
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.cube.cube import Cube
    from release_core.cube.query import Group
    from release_core.frames import Array
    from release_core.release import Stage


class Entries:
    """Events within a filter by the values of some dimensions, version, score and slot of entry: read once.

    A slot is a step of entry and the as-of step from which on what entered then counts. `values` [places, dimensions] are the
    codes of the values that occur together, in their order; a line is such a place and a version. The events of a bin of a line
    lie beside each other: `key` rises, and is the line's number times `each` plus the bin.
    """

    def __init__(self, cube: Cube, stage: Stage, group: Group) -> None:
        """Read the rows of which the event has both scores, of a split and a filter."""
        dims, where = group
        known = cube.dimensions((*dims, *dict(where)))
        rows = cube.moves("score", stage, known, (True, True)).entries(((PERIOD, *dims), where))
        self.values, place = _together([rows[f"k{n}"] for n in range(1, len(dims) + 1)], len(rows["n"]))
        first, many = rows.span("entry")[0], len(cube.steps)
        slots, slot = occurring((rows["k0"] - first) * many + rows["look"])
        self.slots, self.look = len(slots), slots % many
        days = [cube.label(first + int(step))[:10] for step in slots // many]
        periods, self.period = np.unique(days, return_inverse=True)
        self.lengths = np.array([_length(cube.unit, str(period)) for period in periods])
        self.low, high = rows.span("bin")
        self.each = high - self.low + 1
        key = (place * len(VERSIONS) + rows["version"]) * self.each + rows["bin"] - self.low
        # Numbers of the key and the row are sorted in a quarter of the time that the order of the keys takes.
        bits = len(key).bit_length()
        both = np.sort(key << bits | np.arange(len(key)))
        self.key, order = both >> bits, both & (1 << bits) - 1
        self.slot, self.n = (column[order].astype(np.int32) for column in (slot, rows["n"]))
        bands, band = occurring(rows["band"])
        self.reached = (bands[:, None] >> np.arange(len(cube.release.cutoff_ids)) & 1).astype(bool)
        line, lines = key // self.each, len(self.values) * len(VERSIONS)
        # By band they are few: sums [line and band, slot].
        self.by_band = csr_matrix((rows["n"], (line * len(bands) + band, slot)), (lines * len(bands), self.slots))


class Loads:
    """The events of a split by at most one dimension, within a filter, by the period of their entry.

    A period is a day, week or month as the steps are, of hours the day. `names` are the values of the split of which an event
    has both scores ("" without a split).
    """

    def __init__(self, cube: Cube, stage: Stage, group: Group) -> None:
        """Take the split and the filter."""
        by, where = group
        dims = (*dict(where), *by)
        # To put all rows by two dimensions in order takes many times as long as to find those within the filter.
        self._of = of = cube.entries(stage, (dims, where if len(dims) > 1 else ()))
        self._steps, self.slots = cube.steps, of.slots
        names = [str(name) for name in cube.names]
        wanted = [names.index(value) if value in names else -1 for _, value in where]
        places = np.flatnonzero((of.values[:, : len(where)] == wanted).all(axis=1))
        self._first = int(places[0]) if len(places) else len(of.values)
        self.names = tuple(names[of.values[place, -1]] for place in places) if by else ("",) * min(len(places), 1)
        slots = of.slot[self._rows((0, 0, 0), (len(places), 0, 0))]
        self._began = np.where(np.bincount(slots, minlength=of.slots) > 0, of.look, len(cube.steps))

    def _rows(self, start: tuple[int, int, int], end: tuple[int, int, int]) -> slice:
        """Return the rows between two bins, told as segment, version, and the bin's place."""
        ends = [
            ((self._first + place) * len(VERSIONS) + version) * self._of.each + bin_
            for place, version, bin_ in (start, end)
        ]
        low, high = np.searchsorted(self._of.key, ends)
        return slice(int(low), int(high))

    def between(self, bands: Iterable[tuple[int, int, int, int]]) -> Array:
        """Return the events [slot] of (segment, version, first bin, bin after the last one), all of them together."""
        of, parts = self._of, []
        for place, version, *ends in bands:
            low, high = (min(max(end - of.low, 0), of.each) for end in ends)
            parts.append(self._rows((place, version, low), (place, version, high)))
        slots, n = (np.concatenate([every[part] for part in parts]) for every in (of.slot, of.n))
        return np.bincount(slots, weights=n, minlength=self.slots)

    def from_bin(self, place: int, version: int, bin_id: int) -> Array:
        """Return the events [slot] of a segment on a version's score in a bin or a riskier one."""
        return self.between([(place, version, bin_id, self._of.low + self._of.each)])

    def from_cutoff(self, place: int, version: int, cutoff: int) -> Array:
        """Return the events [slot] at or beyond a registered cutoff, by its number."""
        rows, reached = self._of.by_band, self._of.reached[:, cutoff]
        start = ((self._first + place) * len(VERSIONS) + version) * len(reached)
        ends = rows.indptr[start : start + len(reached) + 1]
        part = slice(ends[0], ends[-1])
        counted = rows.data[part] * np.repeat(reached, np.diff(ends))
        return np.bincount(rows.indices[part], weights=counted, minlength=self.slots)

    def busiest(self, step: int, events: Array) -> float:
        """Return the most events [slot] a day over the periods that have begun by an as-of step; NaN before the first."""
        begun = self._began < bisect_right(self._steps, step)
        if not begun.any():
            return float("nan")
        periods = np.bincount(self._of.period[begun], weights=events[begun])
        return float((periods / self._of.lengths[: len(periods)]).max())


def _together(columns: list[Array], size: int) -> tuple[Array, Array]:
    """Return the values of columns that occur together [places, columns], rising, and the place of each row of `size`."""
    found, place = np.zeros((1, 0), np.int64), np.zeros(size, np.int64)
    for column in columns:
        values, code = occurring(column)
        pairs, place = occurring(place * len(values) + code)
        found = np.column_stack([found[pairs // len(values)], values[pairs % len(values)]])
    return found, place


def _length(unit: str, period: str) -> float:
    """Return how many days a period has."""
    if unit == "month":
        year, month = map(int, period.split("-"))
        return float(monthrange(year, month)[1])
    return {"week": 7.0}.get(unit, 1.0)

"""Score cells by the step of entry in; how many events each cutoff takes up in the busiest period, as of any step, out.

The rows are read once per stage, split and filter; of them only those at or above a cutoff are added up.
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


class Loads:
    """Events by segment, version, score and the period of their entry: a day, week or month as the steps are, of hours the day.

    `names` are the values of the split of which an event has both scores ("" without a split). Sums are by slot: a step of
    entry, and the as-of step from which on what entered then counts.
    """

    def __init__(self, cube: Cube, stage: Stage, group: Group) -> None:
        """Read the rows of a split by at most one dimension, within a filter."""
        by, where = group
        dims = cube.dimensions((*by, *dict(where)))
        rows = cube.moves("score", stage, dims, (True, True)).entries(((PERIOD, *by), where))
        codes, place = occurring(rows["k1"]) if by else (np.zeros(1, np.int64), np.zeros(len(rows["n"]), np.int64))
        self.names = tuple(str(cube.names[code]) for code in codes) if by else ("",)
        first, self._steps = rows.span("entry")[0], cube.steps
        slots, slot = occurring((rows["k0"] - first) * len(cube.steps) + rows["look"])
        self.slots, self._look = len(slots), slots % len(cube.steps)
        days = [cube.label(first + int(step))[:10] for step in slots // len(cube.steps)]
        periods, self._period = np.unique(days, return_inverse=True)
        self._lengths = np.array([_length(cube.unit, str(period)) for period in periods])
        bands, band = occurring(rows["band"])
        self._reached = (bands[:, None] >> np.arange(len(cube.release.cutoff_ids)) & 1).astype(bool)
        self._low, high = rows.span("bin")
        line = place * len(VERSIONS) + rows["version"]
        self._lines = len(codes) * len(VERSIONS)
        self._by_bin = self._sums((line, rows["bin"] - self._low, slot), high - self._low + 1, rows["n"])
        self._by_band = self._sums((line, band, slot), len(bands), rows["n"])

    def _sums(self, index: tuple[Array, Array, Array], each: int, n: Array) -> csr_matrix:
        """Return the sums [line and bin (or band), slot]; a line is a segment and version."""
        line, part, slot = index
        return csr_matrix((n.astype(np.int32), (line * each + part, slot)), (self._lines * each, self.slots))

    def between(self, bands: Iterable[tuple[int, int, int, int]]) -> Array:
        """Return the events [slot] of (segment, version, first bin, bin after the last one), all of them together."""
        rows, each = self._by_bin, self._by_bin.shape[0] // self._lines
        parts = []
        for place, version, *ends in bands:
            start = (place * len(VERSIONS) + version) * each
            low, high = (rows.indptr[start + min(max(end - self._low, 0), each)] for end in ends)
            parts.append(slice(low, high))
        slots, n = (np.concatenate([every[part] for part in parts]) for every in (rows.indices, rows.data))
        return np.bincount(slots, weights=n, minlength=self.slots)

    def from_bin(self, place: int, version: int, bin_id: int) -> Array:
        """Return the events [slot] of a segment on a version's score in a bin or a riskier one."""
        return self.between([(place, version, bin_id, self._low + self._by_bin.shape[0] // self._lines)])

    def from_cutoff(self, place: int, version: int, cutoff: int) -> Array:
        """Return the events [slot] at or beyond a registered cutoff, by its number."""
        rows, reached = self._by_band, self._reached[:, cutoff]
        start = (place * len(VERSIONS) + version) * len(reached)
        ends = rows.indptr[start : start + len(reached) + 1]
        part = slice(ends[0], ends[-1])
        counted = rows.data[part] * np.repeat(reached, np.diff(ends))
        return np.bincount(rows.indices[part], weights=counted, minlength=self.slots)

    def busiest(self, step: int, events: Array) -> float:
        """Return the most events [slot] a day over the periods that have begun by an as-of step; NaN before the first."""
        begun = self._look < bisect_right(self._steps, step)
        if not begun.any():
            return float("nan")
        periods = np.bincount(self._period[begun], weights=events[begun])
        return float((periods / self._lengths[: len(periods)]).max())


def _length(unit: str, period: str) -> float:
    """Return how many days a period has."""
    if unit == "month":
        year, month = map(int, period.split("-"))
        return float(monthrange(year, month)[1])
    return {"week": 7.0}.get(unit, 1.0)

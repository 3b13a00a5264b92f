"""Cells of both scores together, and of actions in all worlds, in; a dense map, crossings and worlds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core import worlds as mixed
from release_core.cube import acts, dense
from release_core.cube.encode import FINE, SHARDED, joined_levels
from release_core.cube.labels import EVENT
from release_core.cube.places import Places, occurring, population
from release_core.frames import EVERYONE, POSITIVE, Grid, Worlds
from release_core.joint_frames import Crossing, ScoreMap
from release_core.release import SHARDS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.cube.cube import At, Cube
    from release_core.cube.dense import Columns
    from release_core.frames import Array, Segment
    from release_core.release import Release


def score_map(release: Release, columns: Columns) -> ScoreMap:
    """Return the joint table of both scores from the cells of the table `joint`."""
    ids = dense.ids_of(np.concatenate([columns["baseline_bin"], columns["candidate_bin"]]))
    place = tuple(columns[f"{version}_bin"] - ids[0] for version in ("baseline", "candidate"))
    places = Places((len(ids), len(ids)), place, population(columns["label"]))
    n, positive, negative = places.sums(columns["n"])
    return ScoreMap(
        _grid(release, ids), n, positive, negative, places.sums(columns["amount"], acts.UNITS["amount"])[EVERYONE]
    )


def apart(cube: Cube, view: At) -> float:
    """Return 0 where both versions rank all events of a stage alike as of a step, else 1.

    Two models never count as alike, however few events they order differently so far. One model does if, as far as bins tell, no
    event that one version puts into a higher bin is put into a lower one by the other: a recalibration, or other cutoffs.
    """
    if cube.release.baseline.model != cube.release.candidate.model:
        return 1.0
    columns = cube.moved("joint", view, ((), ()))
    seen = (columns["label"] == EVENT) & (columns["n"] > 0)
    if not seen.any():
        return 1.0
    first, second = (columns[f"{version}_bin"][seen] for version in VERSIONS)
    return float((np.diff(second[np.lexsort((second, first))]) < 0).any())


def _grid(release: Release, ids: Array) -> Grid:
    levels = release.scale.levels
    if levels is None:
        return dense.grid_of(release, ids, SHARDED)
    return Grid(ids, None, (ids - 1) * joined_levels(levels) / max(levels - 1, 1))


def crossing(release: Release, segments: Sequence[Segment], columns: Columns) -> Crossing:
    """Return the candidate's bins by what the baseline reaches from the cells of the table `crossed`."""
    return Crossing(
        tuple(segments),
        dense.grid_of(release, dense.ids_of(columns["bin"]), FINE),
        release.cutoff_ids,
        _Crossed(release, len(segments), columns),
    )


class _Crossed:
    """The arrays of a crossing by name, of cells with each row's segment; how rows are placed is found once."""

    def __init__(self, release: Release, segments: int, columns: Columns) -> None:
        """Take the cells."""
        self._segments, self._columns = segments, columns
        self._cutoffs = len(release.cutoff_ids)
        self._populations = population(columns["label"])
        bands, self._first = occurring(columns["baseline_band"].astype(np.int64))
        self._reached = _reached(bands, self._cutoffs)
        ids = dense.ids_of(columns["bin"])
        index = columns["segment"], self._first, columns["bin"] - ids[0]
        self._places = Places((segments, len(bands), len(ids)), index, self._populations)

    def __call__(self, name: str) -> Array:
        """Return an array of `Crossing`; of amounts only positives count."""
        if name == "joint":
            return self._joint()
        if name == "beyond":
            return np.moveaxis(self._beyond(), 0, -1)
        if name == "n":
            return np.moveaxis(self._sides(self._places.sums(self._columns["n"])), 0, -1)
        return self._sides(self._places.alone(POSITIVE, self._columns[name], acts.UNITS[name]))

    def _sides(self, sums: Array) -> Array:
        """Return sums [..., band, bin] by cutoff and side, [..., cutoff, side, bin]."""
        reached = self._reached @ sums
        found = np.empty((*sums.shape[:-2], self._cutoffs, 2, sums.shape[-1]))
        np.subtract(sums.sum(-2)[..., None, :], reached, out=found[..., 0, :])
        found[..., 1, :] = reached
        return found

    def _beyond(self) -> Array:
        """Return the events at or beyond each cutoff by the candidate's score, [population, segment, cutoff]."""
        bands, second = occurring(self._columns["candidate_band"].astype(np.int64))
        places = Places((self._segments, len(bands)), (self._columns["segment"], second), self._populations)
        found: Array = places.sums(self._columns["n"]) @ _reached(bands, self._cutoffs).T
        return found

    def _joint(self) -> Array:
        bands, second = occurring(self._columns["candidate_band"].astype(np.int64))
        index = self._columns["segment"], self._first, second
        places = Places((self._segments, self._reached.shape[1], len(bands)), index, self._populations)
        sides = [np.stack([1 - one, one], axis=-1) for one in (self._reached.T, _reached(bands, self._cutoffs).T)]
        sums = places.sums(self._columns["n"])
        return np.moveaxis(np.einsum("pgon,oka,nlb->pgklab", sums, *sides, optimize=True), 0, -1)


def _reached(bands: Array, cutoffs: int) -> Array:
    """Return [cutoff, band]: 1 where a band lies at or beyond a cutoff."""
    found: Array = ((bands >> np.arange(cutoffs)[:, None]) & 1).astype(np.float64)
    return found


def worlds(release: Release, segments: Sequence[Segment], columns: Columns) -> Worlds:
    """Return the actions in the eight worlds from the cells of the table `world`, with each row's segment."""
    base, shape = len(release.actions) + 1, (len(segments), SHARDS, len(release.actions))
    populations, different = population(columns["label"]), mixed.different(release)
    found: dict[str, list[Array]] = {"n": [], "amount": []}
    for position in range(len(different)):
        action = columns["worlds"] // base**position % base - 1
        keep = np.flatnonzero(action >= 0)
        index = (columns["segment"][keep], columns["shard"][keep], action[keep])
        places = Places(shape, index, populations[keep])
        for name, arrays in found.items():
            arrays.append(np.moveaxis(places.sums(columns[name][keep], acts.UNITS[name]), 0, -1))
    order = [different.index(world) for world in mixed.combined(release)]
    counts, amounts = (np.stack([found[name][n] for n in order], axis=2) for name in ("n", "amount"))
    return Worlds(mixed.players(release), tuple(segments), release.actions, counts, amounts)

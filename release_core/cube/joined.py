"""Cells of both scores together, and of actions in all worlds, in; a dense map, crossings and worlds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core import worlds as mixed
from release_core.cube import dense
from release_core.cube.encode import FINE, SHARDED, joined_levels
from release_core.cube.places import Places, numbered, population
from release_core.frames import EVERYONE, POSITIVE, Grid, Worlds
from release_core.joint_frames import Crossing, ScoreMap
from release_core.release import SHARDS

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        _grid(release, ids), n, positive, negative, places.sums(columns["amount"], dense.UNITS["amount"])[EVERYONE]
    )


def _grid(release: Release, ids: Array) -> Grid:
    levels = release.scale.levels
    if levels is None:
        return dense.grid_of(release, ids, SHARDED)
    return Grid(ids, None, (ids - 1) * joined_levels(levels) / max(levels - 1, 1))


def crossing(release: Release, segments: Sequence[Segment], columns: Columns) -> Crossing:
    """Return the candidate's bins by what the baseline reaches from the cells of the table `crossed`."""
    ids, populations = dense.ids_of(columns["bin"]), population(columns["label"])
    (old, new), (first, second) = zip(
        *(numbered(columns[f"{version}_band"].astype(np.int64)) for version in ("baseline", "candidate")),
        strict=True,
    )
    sides = [_sides(bands, len(release.cutoff_ids)) for bands in (old, new)]
    by_bin = Places(
        (len(segments), len(old), len(ids)), (columns["segment"], first, columns["bin"] - ids[0]), populations
    )
    by_band = Places((len(segments), len(old), len(new)), (columns["segment"], first, second), populations)

    def counted(column: str) -> Array:
        """Return the sums [population, segment, cutoff, side, bin]."""
        return np.einsum("pgob,oks->pgksb", by_bin.sums(columns[column]), sides[0], optimize=True)

    return Crossing(
        tuple(segments),
        dense.grid_of(release, ids, FINE),
        release.cutoff_ids,
        np.moveaxis(counted("n"), 0, -1),
        counted("amount")[POSITIVE] / dense.UNITS["amount"],
        counted("amount2")[POSITIVE] / dense.UNITS["amount2"],
        np.einsum("pgon,oka,nlb->gklabp", by_band.sums(columns["n"]), *sides, optimize=True),
    )


def _sides(bands: Array, cutoffs: int) -> Array:
    """Return [band, cutoff, side]: 1 where a band lies on that side of a cutoff, below it or at and beyond it."""
    reached = (bands[:, None] >> np.arange(cutoffs)) & 1
    return np.stack([1.0 - reached, reached.astype(np.float64)], axis=-1)


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
            arrays.append(np.moveaxis(places.sums(columns[name][keep], dense.UNITS[name]), 0, -1))
    order = [different.index(world) for world in mixed.combined(release)]
    counts, amounts = (np.stack([found[name][n] for n in order], axis=2) for name in ("n", "amount"))
    return Worlds(mixed.players(release), tuple(segments), release.actions, counts, amounts)

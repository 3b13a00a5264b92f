"""Cells of both scores together, and of actions in all worlds, in; a dense map, crossings and worlds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core import worlds as mixed
from release_core.cube import dense
from release_core.cube.encode import FINE, SHARDED, joined_levels
from release_core.frames import Grid, Worlds
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
    events, positive, negative = dense.labels(columns)

    def counted(column: str, keep: Array) -> Array:
        return dense.kept((len(ids), len(ids)), place, columns[column], dense.UNITS[column], keep)

    return ScoreMap(
        _grid(release, ids),
        counted("n", events),
        counted("n", positive),
        counted("n", negative),
        counted("amount", events),
    )


def _grid(release: Release, ids: Array) -> Grid:
    levels = release.scale.levels
    if levels is None:
        return dense.grid_of(release, ids, SHARDED)
    return Grid(ids, None, (ids - 1) * joined_levels(levels) / max(levels - 1, 1))


def crossing(release: Release, segments: Sequence[Segment], columns: Columns) -> Crossing:
    """Return the candidate's bins by what the baseline reaches from the cells of the table `crossed`."""
    ids, masks = dense.ids_of(columns["bin"]), dense.labels(columns)
    place, shape = columns["bin"] - ids[0], (len(segments), 2, len(ids))
    old, new = (
        [columns[f"{version}_band"].astype(np.int64) >> k & 1 for k in range(len(release.cutoff_ids))]
        for version in ("baseline", "candidate")
    )

    def counted(column: str, keep: Array) -> Array:
        """Return the sums [segment, cutoff, side, bin] of the rows to keep."""
        sums = [
            dense.kept(shape, (columns["segment"], side, place), columns[column], dense.UNITS[column], keep)
            for side in old
        ]
        return np.stack(sums, axis=1) if sums else np.zeros((len(segments), 0, 2, len(ids)))

    def both(keep: Array) -> Array:
        """Return the counts [segment, cutoff, cutoff, side, side] of the rows to keep."""
        size = len(release.cutoff_ids)
        found = np.zeros((len(segments), size, size, 2, 2))
        for i, j in np.ndindex(size, size):
            key = (columns["segment"], old[i], new[j])
            found[:, i, j] = dense.kept((len(segments), 2, 2), key, columns["n"], 1, keep)
        return found

    return Crossing(
        tuple(segments),
        dense.grid_of(release, ids, FINE),
        release.cutoff_ids,
        np.stack([counted("n", keep) for keep in masks], axis=-1),
        counted("amount", masks[1]),
        counted("amount2", masks[1]),
        np.stack([both(keep) for keep in masks], axis=-1),
    )


def worlds(release: Release, segments: Sequence[Segment], columns: Columns) -> Worlds:
    """Return the actions in the eight worlds from the cells of the table `world`, with each row's segment."""
    base, shape = len(release.actions) + 1, (len(segments), SHARDS, len(release.actions))
    masks, different = dense.labels(columns), mixed.different(release)
    found: dict[str, list[Array]] = {"n": [], "amount": []}
    for position in range(len(different)):
        action = columns["worlds"] // base**position % base - 1
        place = (columns["segment"], columns["shard"], action)
        for name, arrays in found.items():
            sums = [dense.kept(shape, place, columns[name], dense.UNITS[name], keep & (action >= 0)) for keep in masks]
            arrays.append(np.stack(sums, axis=-1))
    order = [different.index(world) for world in mixed.combined(release)]
    counts, amounts = (np.stack([found[name][n] for n in order], axis=2) for name in ("n", "amount"))
    return Worlds(mixed.players(release), tuple(segments), release.actions, counts, amounts)

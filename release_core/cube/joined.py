"""Cells of both scores together, and of actions in all worlds, in; a dense map and dense worlds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core import worlds as mixed
from release_core.cube import dense
from release_core.cube.encode import SHARDED, joined_levels
from release_core.frames import Grid, ScoreMap, Worlds
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

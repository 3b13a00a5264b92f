"""Cells of entities in, who was treated by look out: of all of a stage, and of the segments of their first events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import dense
from release_core.cube.encode import SCALED
from release_core.cube.entities import TAKEN
from release_core.live_frames import Entered, Entities
from release_core.release import SHARDS, VERSIONS

if TYPE_CHECKING:
    from release_core.cube.cube import Cube
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Stage


def entities(cube: Cube, stage: Stage) -> Entities:
    """Return who was treated, by look."""
    looks, ramps = cube.steps, cube.ramps(stage)
    shape = (len(looks), len(ramps), len(VERSIONS), SHARDS)
    who, carried = (_rows(cube, table, stage) for table in ("entity", "carried"))
    at, keep = looked(who["since"], looks)
    both = who["state"].astype(str) == "both"
    arm = np.where(both, 0, dense.places(who["state"], VERSIONS))
    index = (at, dense.places(who["ramp_step"], ramps), arm, who["shard"])

    def summed(name: str, unit: int, chosen: Array) -> Array:
        return np.cumsum(dense.kept(shape, index, who[name], unit, keep & chosen), axis=0)

    kinds = tuple(sorted({str(kind) for kind in carried["kind"]}, key=lambda kind: (kind.startswith(TAKEN), kind)))
    when, known = looked(carried["since"], looks)
    begun = (dense.places(carried["kind"], kinds), when, dense.places(carried["ramp_step"], ramps))
    place = (*begun, dense.places(carried["arm"], VERSIONS), carried["shard"])

    def doings(name: str, unit: int = 1) -> Array:
        return np.cumsum(dense.kept((len(kinds), *shape), place, carried[name], unit, known), axis=1)

    return Entities(
        looks,
        ramps,
        kinds,
        summed("n", 1, ~both),
        summed("n", 1, both)[:, :, 0],
        summed("scored", 1, ~both),
        summed("x", SCALED, ~both),
        summed("xx", SCALED, ~both),
        doings("first"),
        doings("y"),
        doings("yy"),
        doings("xy", SCALED),
    )


def per_entity(cube: Cube, stage: Stage) -> float:
    """Return how many events an entity has in a ramp step of a live stage; 1 of other stages."""
    many = 0.0 if stage.paired else float(cube.entities(stage).n[-1].sum())
    return max(cube.maturity(stage, cube.steps[-1], ())["n"] / many, 1.0) if many else 1.0


def entities_by(cube: Cube, stage: Stage) -> Entered:
    """Return the entities of all of a stage and of every value of each declared dimension, by look."""
    whole = cube.entities(stage)
    kinds = tuple(kind for kind in whole.kinds if not kind.startswith(TAKEN))
    cube.hold("entered")
    rows = _rows(cube, "entered", stage)
    pairs = sorted({(str(dim), str(value)) for dim, value in zip(rows["dim"], rows["value"], strict=True)})
    number = {pair: n for n, pair in enumerate(pairs)}
    segment = [number[str(dim), str(value)] for dim, value in zip(rows["dim"], rows["value"], strict=True)]
    look, keep = looked(rows["since"], whole.looks)
    index = (
        np.array(segment, dtype=np.int64),
        look,
        dense.places(rows["ramp_step"], whole.ramps),
        dense.places(rows["arm"], VERSIONS),
    )
    shape = (len(pairs), len(whole.looks), len(whole.ramps), len(VERSIONS))
    kind = rows["kind"].astype(str)
    n, *first = (
        np.cumsum(dense.kept(shape, index, rows["n"], 1, keep & (kind == name)), axis=1) for name in ("", *kinds)
    )
    return Entered(
        ({}, *({dim: value} for dim, value in pairs)),
        whole.looks,
        whole.ramps,
        kinds,
        np.concatenate([whole.n.sum(-1)[None], n]),
        np.concatenate([whole.first[: len(kinds)].sum(-1)[:, None], np.reshape(first, (len(kinds), *shape))], axis=1),
    )


def _rows(cube: Cube, table: str, stage: Stage) -> Columns:
    if table not in cube.facts["tables"]:
        texts = ("state", "arm", "ramp_step", "kind", "dim", "value")
        names = (*texts, "since", "shard", "n", "scored", "x", "xx", "first", "y", "yy", "xy")
        return {name: np.array([], dtype=object if name in texts else np.int64) for name in names}
    return cube.store.query(f"select * exclude (stage) from {table} where stage = $stage", {"stage": str(stage)})


def looked(at: Array, looks: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the look at which each step first counts, and whether there is one."""
    look = np.searchsorted(np.array(looks), at)
    known = look < len(looks)
    return np.where(known, look, 0), known

"""A cube and a stage in, how many bad labels came after the maturity of their events, by look, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import dense, live, treatment
from release_core.cube.steps import FOREVER
from release_core.frames import POSITIVE
from release_core.live_frames import Lateness
from release_core.release import SHARDS, VERSIONS

if TYPE_CHECKING:
    from release_core.cube.cube import Cube
    from release_core.cube.query import Group
    from release_core.frames import Array
    from release_core.release import Stage


def late(cube: Cube, stage: Stage, groups: tuple[Group, ...]) -> Lateness:
    """Return the bad labels of mature events that are known at each look, and those of them that came after maturity.

    A label is late where an as-of time lies between the maturity of its event and the label: until then the event counted
    as good, or as not known. Labels that were taken back count no longer.
    """
    segments, columns = live.gathered(cube, stage, groups, moves)
    looks = cube.steps
    look, keep = treatment.looked(columns["moment"], looks)
    arm = np.maximum(columns["place"], 0)
    index, shape = (columns["segment"], look, arm, columns["shard"]), (len(segments), len(looks), len(VERSIONS), SHARDS)

    def counted(chosen: Array) -> Array:
        found = np.cumsum(dense.kept(shape, index, columns["n"], 1, keep & chosen), axis=1)
        return found[:, :, :1].repeat(len(VERSIONS), axis=2) if stage.paired else found

    return Lateness(segments, looks, counted(columns["late"] >= 0), counted(columns["late"] == 1))


def moves(*_: Cube | Stage) -> str:
    """Return SQL for bad labels that begin and cease to count, with 1 where they came after the maturity of their events."""
    held = f"label = {POSITIVE} and greatest(since, settled) < until and {live.CELLS}"
    keys = f"{live.CODES}, {live.placed('arm', VERSIONS)[: -len(' as arm')]} as place, shard"
    late = "(since > settled)::bigint as late"
    return f"""
select {keys}, {late}, greatest(since, settled, seen) as moment, sum(n)::bigint as n from pair where {held} group by all
union all
select {keys}, {late}, greatest(until, seen), -sum(n)::bigint from pair where until < {FOREVER} and {held} group by all"""

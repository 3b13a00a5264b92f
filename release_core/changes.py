"""A release and its cube in, the components that really changed out: carried-over cutoffs are recomputed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import REPLAY_SET
from release_core.frames import segment_text
from release_core.release import CUTOFF_ACTIONS, Kind, Stage
from release_core.stats import drift, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.cube.cube import Cube
    from release_core.frames import Array, Cells, Segment
    from release_core.release import CutoffTable, Release

EVENTS, CANDIDATE = 0, 1


def changed(release: Release, cube: Cube) -> list[tuple[str, str]]:
    """Return (component, what changed) for every component that differs between the bundles.

    A cutoff table that a model or recalibration release carries over does not count as changed if every cutoff
    lies within one grid step of the recomputed transfer; otherwise the differing cutoffs are listed.
    """
    found = []
    for component in release.named_changes:
        before, after = getattr(release.baseline, component), getattr(release.candidate, component)
        why = f"{before} to {after}"
        if component == "thresholds" and release.kind in {Kind.MODEL, Kind.RECALIBRATION}:
            table = release.tables[after]
            if table.carried_from == before:
                wrong = differing(release, cube, table)
                if not wrong:
                    continue
                why = f"{why}, carried over by {table.rule}, but {'; '.join(wrong)}"
        found.append((component, why))
    return found


def differing(release: Release, cube: Cube, table: CutoffTable) -> list[str]:
    """Return a sentence for every cutoff of a carried-over table that is not the equal-alert-rate transfer (METHODS c5)."""
    if Stage.REPLAY not in cube.stages():
        return ["there are no replay events to recompute it on"]
    where = ((REPLAY_SET, table.replay_set),) if table.replay_set else ()
    by = (table.carried_by,) if table.carried_by else ()
    cells = cube.slice(Stage.REPLAY, cube.steps[-1], ((by, where),))
    wrong = _unproven(table, cells.segments)
    for place, segment in enumerate(cells.segments):
        own = {dim: value for dim, value in segment.items() if dim == table.carried_by}
        for action in CUTOFF_ACTIONS:
            stated = _stated(table, own, action)
            if stated is not None:
                wrong += _compare(release, cells, place, (table, action, stated))
    return wrong


def _unproven(table: CutoffTable, segments: Sequence[Segment]) -> list[str]:
    """Return a sentence for every row of a table that the recomputation never meets, so that it proves nothing of it."""
    met = [{table.carried_by: segment[table.carried_by]} for segment in segments] if table.carried_by else []
    missed = [segment_text(dict(row.where)) for row in table.segments if dict(row.where) not in met]
    return [f"the replay cannot tell {table.id}'s cutoffs of {name}" for name in missed]


def _stated(table: CutoffTable, segment: dict[str, str], action: str) -> float | None:
    for row in table.segments:
        if dict(row.where) == segment and action in dict(row.cutoffs):
            return dict(row.cutoffs)[action]
    return dict(table.default).get(action)


def _compare(release: Release, cells: Cells, place: int, stated: tuple[CutoffTable, str, float]) -> list[str]:
    table, action, cutoff = stated
    name = f"{table.carried_from}.{action}"
    if name not in cells.cutoffs:
        return [f"{table.carried_from} has no {action} cutoff to carry over"]
    n = cells.whole.n[place]
    if not n[EVENTS].sum():
        return [f"no event is scored in {cells.segments[place] or 'the replay'}"]
    target = cells.whole.above[place, EVENTS, cells.cutoffs.index(name)] / n[EVENTS].sum()
    moved = drift.equal_alert_rate(n[CANDIDATE], target)
    first = int(cells.whole.grid.ids[0])
    own = bin_of(release, cutoff)
    if first + int(moved.bin) - 1 <= own <= first + int(moved.bin_high) + 1:
        return []
    edge = edge_of(cells.whole.grid.lower, int(moved.bin))
    return [f"{table.id}.{action} = {cutoff:g}, where an alert rate of {100 * float(target):.2f}% needs {edge:.5g}"]


def edge_of(lower: Array, position: int) -> float:
    """Return the lower edge of the bin at a position; beyond the last bin, infinity."""
    return float(lower[position]) if position < len(lower) else float("inf")


def bin_of(release: Release, cutoff: float) -> int:
    """Return the finest bin in which a cutoff (in the score's own unit) lies."""
    scale = release.scale
    if scale.name == "probability":
        return int(grid.bin_of(cutoff if scale.riskier == "higher" else 1 - cutoff, 64))
    span = scale.maximum - scale.minimum
    risk = (cutoff - scale.minimum if scale.riskier == "higher" else scale.maximum - cutoff) / span
    return 1 + round(risk * (scale.levels - 1)) if scale.levels else int(grid.bin_of(risk, 64))

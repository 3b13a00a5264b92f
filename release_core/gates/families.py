"""Segments in, families of segments out: what is judged together, what counts, and what is only shown.

Every replay set is judged on its own: it is a family, with its own "(other)" for the segments that are too
small to be judged singly and with its own adjustment for the number of segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release_core.release import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Array, Cells, Segment
    from release_core.metrics import Lived
    from release_core.release import GateSpec, Segments

REPLAY_SET = "replay_set"


@dataclass(frozen=True, slots=True)
class Family:
    """Cells whose segments are judged together; `counts` flags those that bear on the stage's verdict.

    `absent` are segments that the gate must judge (mandatory, or named in its scope) without a single event.
    """

    cells: Cells | Lived
    counts: tuple[bool, ...]
    absent: tuple[Segment, ...] = ()


def families(spec: GateSpec, cells: Cells | Lived, declared: Segments, evidence: Array) -> list[Family]:
    """Return the families that a gate judges, by its scope.

    Args:
        spec: the gate.
        cells: one segment for all events and one per value of each judged dimension; where there are several replay
            sets, one for all events, and for each set the same within it.
        declared: the release's segments.
        evidence: [segment] events that speak of the gate's metric.
    """
    sets = sorted({segment[REPLAY_SET] for segment in cells.segments if REPLAY_SET in segment})
    if not sets:
        return [_family(spec, cells, declared, evidence, range(len(cells.segments)))]
    found = []
    for name in (None, *sets):
        within = [n for n, segment in enumerate(cells.segments) if segment.get(REPLAY_SET) == name]
        if name is not None or _wanted(spec, {}):
            found.append(_family(spec, cells, declared, evidence, within))
    return found


def _wanted(spec: GateSpec, segment: Segment) -> bool:
    dims = _dims(segment)
    if spec.scope == "overall":
        return not dims
    own = _own(spec)
    return tuple(dims.items()) == own if own else True


def _own(spec: GateSpec) -> tuple[tuple[str, str], ...]:
    """Return the one segment that a gate's scope names, as a sequence of none or one (dimension, value)."""
    if not spec.scope.startswith("segment:"):
        return ()
    dim, _, value = spec.scope.removeprefix("segment:").partition("=")
    return ((dim, value),)


def _dims(segment: Segment) -> dict[str, str]:
    return {dim: value for dim, value in segment.items() if dim != REPLAY_SET}


def _family(spec: GateSpec, cells: Cells | Lived, declared: Segments, evidence: Array, within: Sequence[int]) -> Family:
    if not evidence[within[0]]:
        # Nothing is known of any segment: one row says so for all of them, or for the one that the gate is about.
        place = next((n for n in within if _wanted(spec, cells.segments[n])), within[0])
        return Family(cells.pooled([(cells.segments[place], [place])]), (True,))
    needed = spec.min_events if spec.min_events is not None else declared.min_events
    chosen = [n for n in within if _wanted(spec, cells.segments[n])]
    asked = (*declared.mandatory, *_own(spec))
    small = [n for n in chosen if _small(cells.segments[n], asked, evidence[n] < needed)]
    groups = [(cells.segments[n], [n]) for n in chosen] + _others(cells, small)
    counts = [n not in small for n in chosen] + [True] * (len(groups) - len(chosen))
    absent = _absent(spec, cells, asked, within) if len(within) > 1 else ()
    return Family(cells.pooled(groups), tuple(counts), absent)


def _small(segment: Segment, asked: Sequence[tuple[str, str]], few: bool) -> bool:  # noqa: FBT001 - private
    dims = _dims(segment)
    return bool(few and dims and not any(pair in asked for pair in dims.items()))


def _others(cells: Cells | Lived, small: Sequence[int]) -> list[tuple[Segment, Sequence[int]]]:
    """Return for each dimension the group of its small segments, named "(other)"."""
    groups: dict[str, list[int]] = {}
    for n in small:
        groups.setdefault(next(iter(_dims(cells.segments[n]))), []).append(n)
    named = []
    for dim, index in groups.items():
        around = {d: v for d, v in cells.segments[index[0]].items() if d == REPLAY_SET}
        named.append((around | {dim: OTHER}, index))
    return named  # type: ignore[return-value]


def _absent(
    spec: GateSpec, cells: Cells | Lived, asked: Sequence[tuple[str, str]], within: Sequence[int]
) -> tuple[Segment, ...]:
    present = [_dims(cells.segments[n]) for n in within]
    around = {d: v for n in within for d, v in cells.segments[n].items() if d == REPLAY_SET}
    missing = [{dim: value} for dim, value in dict.fromkeys(asked) if {dim: value} not in present]
    return tuple(around | segment for segment in missing if _wanted(spec, segment)) if spec.scope != "overall" else ()

"""The one meeting point of reading, computing and judging: an open release in, a frozen review out. No arithmetic here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from release_core import course, gates, ledger, metrics, stops
from release_core import lived as lives
from release_core.errors import LedgerError, NotFound, Problem
from release_core.memory import of_cube
from release_core.release import Stage, Verdict
from release_core.stops import READY
from release_core.verdicts import judged_groups, known_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from release_core.cube.query import Group
    from release_core.frames import GateRow, MetricRow
    from release_core.library import Opened
    from release_core.release import Release


@dataclass(frozen=True, slots=True)
class Review:
    """What the gates of one stage say as of one step; `as_of` is that step's last instant."""

    release: Release
    stage: Stage
    step: int
    as_of: datetime
    verdict: Verdict
    rows: tuple[GateRow, ...]
    changed: tuple[tuple[str, str], ...]
    fingerprint: str
    facts: dict[str, Any]

    @property
    def mixed(self) -> bool:
        """Return whether more than the release's own kind of component changed."""
        return any(component != self.release.kind.component for component, _ in self.changed)


def alarms(opened: Opened, stage: Stage, step: int) -> tuple[stops.Alarm, ...]:
    """Return the stop rules that had fired at a stage by an as-of step, the earliest first."""
    drill = rehearsal(opened.release) if any(rule.metric == READY for rule in opened.release.stops) else None
    return tuple(alarm for alarm in _alarms(opened, stage, drill) if alarm.step <= step)


def _alarms(opened: Opened, stage: Stage, drill: gates.Rehearsal | None) -> tuple[stops.Alarm, ...]:
    found = stops.unready(opened.release, opened.cube, stage, drill)
    return stops.in_order((*course.alarms(opened, stage), *found))


def stage_of(opened: Opened, name: str | None) -> Stage:
    """Return the stage of that name (None: the last with decisions).

    Raises:
        NotFound: the stage is unknown or has no decisions.
    """
    present = opened.cube.stages()
    if name is None and present:
        return present[-1]
    if name not in present:
        listed = ", ".join(present) or "none"
        raise NotFound(
            Problem("stage", repr(name), f"a stage with decisions in the logs ({listed})", "Choose one of them.")
        )
    return Stage(str(name))


def lived(opened: Opened, stage: Stage, step: int, groups: tuple[Group, ...]) -> metrics.Lived:
    """Return what metrics of serving and outcomes read, of the segments of `groups` in at most one dimension.

    Raises:
        Unanswerable: a group has more than one dimension beside the replay set.
    """
    return lives.lived(opened.cube, stage, step, groups)


def review(opened: Opened, stage: Stage, step: int) -> Review:
    """Return every verdict of a stage as of a step; the same question is answered from memory.

    Of the ledger only the last rehearsed rollback is read, and only where a gate of the stage asks for it.
    """
    asked = any(spec.metric == READY and stage in spec.stages for spec in opened.release.gates)
    return _review(opened, stage, step, rehearsal(opened.release) if asked else None)


def rehearsal(release: Release) -> gates.Rehearsal | None:
    """Return the last rehearsed rollback on record; none where there is none, or where it cannot be read."""
    try:
        drill = ledger.latest_drill(ledger.known(ledger.Ledger(), release, "drill"), release.id)
    except LedgerError:
        return None
    return None if drill is None else gates.Rehearsal(drill.began, drill.minutes)


@of_cube(128)
def _review(opened: Opened, stage: Stage, step: int, drill: gates.Rehearsal | None) -> Review:
    release, cube = opened.release, opened.cube
    found = course.rows(opened, stage, step)
    moment = gates.Moment(stage, cube.began(stage), cube.end(step))
    fired = [alarm for alarm in _alarms(opened, stage, drill) if alarm.step <= step]
    standing = gates.Standing(
        [(alarm.rule, f"{alarm.at:%Y-%m-%d %H:%M} UTC", alarm.sentence) for alarm in fired],
        gates.readiness(release.rollback, drill, moment),
    )
    rows: list[GateRow] = []
    for spec in release.gates:
        if stage in spec.stages and release.kind in spec.kinds:
            rows += gates.stands(spec, standing) if spec.metric in gates.STANDING else found[spec.id]
    known = known_metrics(release)
    days, ripe = release.labels.maturity_days, cube.began(stage) + timedelta(days=release.labels.maturity_days)
    if ripe > cube.end(step):
        rows = [gates.awaited(row, known[row.metric], days, ripe) if row.metric in known else row for row in rows]
    rows = stops.voided(rows)
    changed = course.changed(opened)
    return Review(
        release, stage, step, cube.end(step), gates.worst(rows), tuple(rows), changed, cube.fingerprint, cube.facts
    )


def measured(
    opened: Opened,
    stage: Stage,
    step: int,
    *,
    by: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    names: Sequence[str] = (),
    mature: bool = True,
) -> list[MetricRow]:
    """Return metric rows of the segments of `by` within the filter `where`; all that the logs tell of if `names` is empty.

    Raises:
        NotFound: a dimension or metric does not exist.
        Unanswerable: more than three dimensions, or, of a metric of serving or outcomes that is named, more than one.
    """
    return list(_measured(opened, stage, step, (tuple(by), tuple((where or {}).items())), tuple(names), mature=mature))


@of_cube(64)
def _measured(
    opened: Opened, stage: Stage, step: int, group: Group, names: tuple[str, ...], *, mature: bool
) -> list[MetricRow]:
    groups, known = (group,), known_metrics(opened.release)
    chosen = [metrics.find(known, name) for name in names] if names else list(known.values())
    counted = [metric for metric in chosen if metric.measure is None]
    found = metrics.rows(opened.cube.slice(stage, step, groups, mature=mature), counted) if counted else []
    measured_ones = [metric for metric in chosen if metric.measure is not None]
    single = len(opened.cube.dimensions((*group[0], *dict(group[1])))) <= 1
    if measured_ones and (names or single):
        rows = metrics.rows(lived(opened, stage, step, groups), measured_ones)
        # Unless it was asked for, what the logs tell nothing of is left out.
        told = {row.metric for row in rows if row.value is not None} | set(names)
        found += [row for row in rows if row.metric in told]
    return found


__all__ = [
    "Review",
    "alarms",
    "judged_groups",
    "known_metrics",
    "lived",
    "measured",
    "rehearsal",
    "review",
    "stage_of",
]

"""The one meeting point of reading, computing and judging: an open release in, a frozen review out. No arithmetic here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from release_core import changes, gates, ledger, metrics, stops
from release_core import lived as lives
from release_core.cube import REPLAY_SET
from release_core.cube.cells import scenario_dimension
from release_core.errors import LedgerError, NotFound, Problem
from release_core.release import Comparison, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from release_core.cube.query import Group
    from release_core.frames import Cells, GateRow, MetricRow
    from release_core.library import Opened
    from release_core.metrics import Metric
    from release_core.release import GateSpec, Release, Scenario


READY = "rollback_ready"


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


@lru_cache(maxsize=32)
def _alarms(opened: Opened, stage: Stage, drill: gates.Rehearsal | None) -> tuple[stops.Alarm, ...]:
    return stops.fired(opened.release, opened.cube, stage, drill)


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


def known_metrics(release: Release) -> dict[str, Metric]:
    """Return the metrics of a release by name, those not known for its kind of score included."""
    probability = release.scale.name == "probability"
    known = metrics.table(release.actions, release.cutoff_ids, probability=probability)
    return known | metrics.live_table(release.costs)


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
    """Return the last rehearsed rollback in the ledger; none where there is none, or where it cannot be read."""
    try:
        drill = ledger.latest_drill(ledger.Ledger().records(release.id, "drill"), release.id)
    except LedgerError:
        return None
    return None if drill is None else gates.Rehearsal(drill.began, drill.minutes)


@lru_cache(maxsize=128)
def _review(opened: Opened, stage: Stage, step: int, drill: gates.Rehearsal | None) -> Review:
    release, cube = opened.release, opened.cube
    groups = judged_groups(release, several=len(cube.replay_sets(stage)) > 1)
    cells = cube.slice(stage, step, groups)
    known = known_metrics(opened.release)
    changed = tuple(changes.changed(release, cube))
    facts = _facts(opened, stage, step, changed)
    moment = gates.Moment(stage, cube.began(stage), cube.end(step))
    fired = [alarm for alarm in _alarms(opened, stage, drill) if alarm.step <= step]
    facts = replace(
        facts,
        ready=gates.readiness(release.rollback, drill, moment),
        alarms=[(alarm.rule, f"{alarm.at:%Y-%m-%d %H:%M} UTC", alarm.sentence) for alarm in fired],
    )
    later = cache(lambda: lived(opened, stage, step, groups))
    rows: list[GateRow] = []
    families: dict[object, list[gates.Family]] = {}
    for spec in release.gates:
        if stage in spec.stages and release.kind in spec.kinds:
            if spec.comparison is Comparison.INVARIANT:
                rows += gates.check(spec, facts)
            elif spec.comparison is Comparison.SRM:
                rows.append(stops.split(release, cube, spec, (stage, step)))
            else:
                rows += _judge(release, spec, (cells, later, known), families)
    days, ripe = release.labels.maturity_days, cube.began(stage) + timedelta(days=release.labels.maturity_days)
    if ripe > cube.end(step):
        rows = [gates.awaited(row, known[row.metric], days, ripe) if row.metric in known else row for row in rows]
    rows = stops.voided(rows)
    return Review(
        release, stage, step, cube.end(step), gates.worst(rows), tuple(rows), changed, cube.fingerprint, cube.facts
    )


def judged_groups(release: Release, *, several: bool) -> tuple[Group, ...]:
    """Return the groups of cells that gates judge: all events and each judged dimension, within each of several sets."""
    within = (REPLAY_SET,) if several else ()
    sets: tuple[Group, ...] = ((within, ()),) if several else ()
    return (((), ()), *sets, *(((*within, dim), ()) for dim in release.segments.dims))


def _judge(
    release: Release,
    spec: GateSpec,
    data: tuple[Cells, Callable[[], metrics.Lived], dict[str, Metric]],
    families: dict[object, list[gates.Family]],
) -> list[GateRow]:
    """Return the rows of a gate; gates of equal scope and evidence share their `families`."""
    cells, later, known = data
    if spec.metric not in known:
        return [gates.unknown(spec)]
    metric = known[spec.metric]
    source = cells if metric.measure is None else later()
    evidence = metrics.estimate(source, metric).evidence if metric.measure else metrics.evaluated(metric, cells.whole)
    same = (metric.measure is None, spec.scope, spec.min_events, evidence.tobytes())
    if same not in families:
        families[same] = gates.families(spec, source, release.segments, evidence)
    return [row for family in families[same] for row in gates.judge(spec, metric, family, release.segments.min_events)]


def _facts(opened: Opened, stage: Stage, step: int, changed: Sequence[tuple[str, str]]) -> gates.Facts:
    release, cube = opened.release, opened.cube
    counts = cube.checks(stage, step)
    reports = [report for log in cube.facts["logs"].values() for report in log]
    reasons: dict[str, int] = {}
    for report in reports:
        for rule, n in report["reasons"].items():
            reasons[rule] = reasons.get(rule, 0) + n
    return gates.Facts(
        release,
        changed,
        {v: (counts[f"{v}_same"] + counts[f"{v}_differs"], counts[f"{v}_differs"]) for v in ("baseline", "candidate")},
        cube.codes(stage, step),
        (sum(report["read"] for report in reports), sum(report["quarantined"] for report in reports)),
        reasons,
        _sizes(opened, stage, step, [((dim, value),) for dim, value in release.segments.mandatory]),
        cube.facts["reversals"],
        [_scenario(opened, stage, step, scenario) for scenario in release.scenarios],
        {"affected": _affected(opened, stage, step)},
    )


def _sizes(
    opened: Opened, stage: Stage, step: int, wheres: Sequence[tuple[tuple[str, str], ...]]
) -> dict[tuple[str, str], int]:
    """Return how many scored events each one-dimension filter finds."""
    if not wheres:
        return {}
    cells = opened.cube.slice(stage, step, tuple(((), where) for where in wheres))
    found = dict.fromkeys((where[0] for where in wheres), 0)
    for segment, n in zip(cells.segments, cells.whole.n[:, 0].sum(-1), strict=True):
        found[next(iter(segment.items()))] = int(n)
    return found


def _affected(opened: Opened, stage: Stage, step: int) -> list[tuple[Mapping[str, str], int]]:
    release = opened.release
    before, after = release.tables[release.baseline.thresholds], release.tables[release.candidate.thresholds]
    wheres = [row.where for row in after.segments if row not in before.segments and len(row.where) == 1]
    return [({pair[0]: pair[1]}, n) for pair, n in _sizes(opened, stage, step, wheres).items()]


def _scenario(opened: Opened, stage: Stage, step: int, scenario: Scenario) -> tuple[str, Verdict, str, int]:
    """Return (id, verdict, sentence, events) of a case of the regression suite."""
    dim = scenario_dimension(scenario.id)
    cells = opened.cube.slice(stage, step, (((), ((dim, "yes"),)),))
    if not cells.segments:
        return scenario.id, Verdict.NODATA, "no event of this scenario is in the logs.", 0
    return gates.scenario(scenario, cells, known_metrics(opened.release))


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
    groups = ((tuple(by), tuple((where or {}).items())),)
    known = known_metrics(opened.release)
    chosen = [metrics.find(known, name) for name in names] if names else list(known.values())
    cells = opened.cube.slice(stage, step, groups, mature=mature)
    found = metrics.rows(cells, [metric for metric in chosen if metric.measure is None])
    measured_ones = [metric for metric in chosen if metric.measure is not None]
    single = len(opened.cube.dimensions((*by, *(where or {})))) <= 1
    if measured_ones and (names or single):
        rows = metrics.rows(lived(opened, stage, step, groups), measured_ones)
        # Unless it was asked for, what the logs tell nothing of is left out.
        told = {row.metric for row in rows if row.value is not None} | set(names)
        found += [row for row in rows if row.metric in told]
    return found

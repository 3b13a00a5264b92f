"""A release, its cube and an as-of step in, the rows of every gate that follow from the logs alone out."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from release_core import changes, gates, metrics, stops
from release_core.cube import REPLAY_SET
from release_core.cube.cells import scenario_dimension
from release_core.lived import lived
from release_core.release import Comparison, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.cube.cube import Cube
    from release_core.cube.query import Group
    from release_core.frames import Cells, GateRow
    from release_core.metrics import Metric
    from release_core.release import Costs, GateSpec, Release, Scenario


def known_metrics(release: Release) -> dict[str, Metric]:
    """Return the metrics of a release by name, those not known for its kind of score included."""
    return dict(_known(release.actions, release.cutoff_ids, release.scale.name == "probability", release.costs))


@lru_cache(maxsize=16)
def _known(
    actions: tuple[str, ...],
    cutoffs: tuple[str, ...],
    probability: bool,  # noqa: FBT001 - the key of the cache
    costs: Costs | None,
) -> dict[str, Metric]:
    return metrics.table(actions, cutoffs, probability=probability) | metrics.live_table(costs)


def rows(release: Release, cube: Cube, stage: Stage, step: int) -> dict[str, list[GateRow]]:
    """Return the rows of each gate of a stage as of a step, by its id; gates on what is no matter of the logs are left out."""
    groups = judged_groups(release, several=len(cube.replay_sets(stage)) > 1)
    data = cube.slice(stage, step, groups), cache(lambda: lived(cube, stage, step, groups)), known_metrics(release)
    facts = cache(lambda: _facts(release, cube, stage, step))
    found: dict[str, list[GateRow]] = {}
    families: dict[object, list[gates.Family]] = {}
    for spec in release.gates:
        if stage in spec.stages and release.kind in spec.kinds and spec.metric not in gates.STANDING:
            if spec.comparison is Comparison.INVARIANT:
                found[spec.id] = gates.check(spec, facts())
            elif spec.comparison is Comparison.SRM:
                found[spec.id] = [stops.split(release, cube, spec, (stage, step))]
            else:
                found[spec.id] = _judge(release, spec, data, families)
    return found


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


def _facts(release: Release, cube: Cube, stage: Stage, step: int) -> gates.Facts:
    counts = cube.checks(stage, step)
    reports = [report for log in cube.facts["logs"].values() for report in log]
    reasons: dict[str, int] = {}
    for report in reports:
        for rule, n in report["reasons"].items():
            reasons[rule] = reasons.get(rule, 0) + n
    return gates.Facts(
        release,
        changes.changed(release, cube),
        {v: (counts[f"{v}_same"] + counts[f"{v}_differs"], counts[f"{v}_differs"]) for v in ("baseline", "candidate")},
        cube.codes(stage, step),
        (sum(report["read"] for report in reports), sum(report["quarantined"] for report in reports)),
        reasons,
        _sizes(cube, stage, step, [((dim, value),) for dim, value in release.segments.mandatory]),
        cube.facts["reversals"],
        [_scenario(release, cube, (stage, step), scenario) for scenario in release.scenarios],
        {"affected": _affected(release, cube, stage, step)},
    )


def _sizes(
    cube: Cube, stage: Stage, step: int, wheres: Sequence[tuple[tuple[str, str], ...]]
) -> dict[tuple[str, str], int]:
    """Return how many scored events each one-dimension filter finds."""
    if not wheres:
        return {}
    cells = cube.slice(stage, step, tuple(((), where) for where in wheres))
    found = dict.fromkeys((where[0] for where in wheres), 0)
    for segment, n in zip(cells.segments, cells.whole.n[:, 0].sum(-1), strict=True):
        found[next(iter(segment.items()))] = int(n)
    return found


def _affected(release: Release, cube: Cube, stage: Stage, step: int) -> list[tuple[Mapping[str, str], int]]:
    before, after = release.tables[release.baseline.thresholds], release.tables[release.candidate.thresholds]
    wheres = [row.where for row in after.segments if row not in before.segments and len(row.where) == 1]
    return [({pair[0]: pair[1]}, n) for pair, n in _sizes(cube, stage, step, wheres).items()]


def _scenario(
    release: Release, cube: Cube, view: tuple[Stage, int], scenario: Scenario
) -> tuple[str, Verdict, str, int]:
    """Return (id, verdict, sentence, events) of a case of the regression suite, as of a stage's step."""
    dim = scenario_dimension(scenario.id)
    cells = cube.slice(*view, (((), ((dim, "yes"),)),))
    if not cells.segments:
        return scenario.id, Verdict.NODATA, "no event of this scenario is in the logs.", 0
    return gates.scenario(scenario, cells, known_metrics(release))

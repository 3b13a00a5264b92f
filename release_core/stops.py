"""A release and its cube in; whether the arms are split as planned, and which stop rules fired when, out.

Stop rules are gates that are read continuously: at every as-of step, with bounds that hold at all of them together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from release_core import gates, metrics
from release_core.frames import GateRow, place_of_all, segment_text
from release_core.gates import alarms
from release_core.lived import lived
from release_core.metrics import anytime
from release_core.release import Comparison, Verdict
from release_core.stats import sequential

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from release_core.cube.cube import Cube
    from release_core.cube.query import Group
    from release_core.frames import Array, Segment
    from release_core.live_frames import Entities
    from release_core.metrics import Metric
    from release_core.release import GateSpec, Release, Stage

SPLIT = "sample_ratio"
READY = "rollback_ready"
VOID = "The arms are not split as planned, so a difference between them is no effect of the release: {}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A stop rule that fired: where, at which as-of step first, what it says to do (hold or rollback), and why."""

    rule: str
    title: str
    action: str
    segment: Segment
    step: int
    at: datetime
    sentence: str

    @property
    def place(self) -> str:
        """Return the segment in words."""
        return segment_text(self.segment)


def planned(release: Release, stage: Stage, ramps: Sequence[str]) -> Array | None:
    """Return the candidate's planned share of each ramp step, or None where it is not known.

    A ramp step that is written as a share (0.05, 5%) says it itself; otherwise the manifest's shares count in order.
    """
    told = [_share(name) for name in ramps]
    if all(share is not None for share in told):
        return np.array(told, dtype=float)
    plan = next((plan.shares for plan in release.stages if plan.name == stage), ())
    return np.array(plan) if len(plan) == len(ramps) else None


def _share(text: str) -> float | None:
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*(%?)\s*", text)
    if not found:
        return None
    share = float(found[1]) / (100 if found[2] else 1)
    return share if 0 < share <= 1 else None


def split(release: Release, cube: Cube, spec: GateSpec, view: tuple[Stage, int]) -> GateRow:
    """Return whether entities were split between the arms as planned, as of a step (sample-ratio mismatch)."""
    stage, step = view
    found = cube.entities(stage)
    shares = planned(release, stage, found.ramps)
    look = _look(found.looks, step)
    n = found.n[look].sum(-1) if look >= 0 else np.zeros((len(found.ramps), 2))
    row = GateRow(
        gate=spec.id,
        title=spec.title or "Arms are split as planned",
        metric=SPLIT,
        comparison=str(spec.comparison),
        level=str(spec.level),
        scope=spec.scope,
        segment={},
        verdict=Verdict.NODATA,
        sentence="",
        confidence=1 - spec.alpha,
        method="sequential multinomial over entities",
        n=round(float(n.sum())),
    )
    if shares is None or not n.sum():
        why = (
            "no customer has entered yet"
            if not n.sum()
            else "neither the ramp steps nor the manifest tell the planned shares"
        )
        return replace(row, sentence=f"Whether the arms are split as planned is not known: {why}.")
    uneven = bool(alarms.uneven(n[None], shares, spec.alpha)[0])
    verdict = Verdict.FAIL if uneven else Verdict.PASS
    return replace(
        row, verdict=verdict, sentence=f"{_counted(found, look, shares)} {left_out(cube, stage, step)}".rstrip()
    )


def _counted(found: Entities, look: int, shares: Array) -> str:
    n = found.n[look].sum(-1)
    parts = [
        f"{n[k, 1]:,.0f} of {n[k].sum():,.0f} customers are in the candidate's arm, {100 * n[k, 1] / n[k].sum():.2f}% "
        f"where {100 * share:g}% are planned"
        for k, share in enumerate(shares)
        if n[k].sum()
    ]
    return f"{'; '.join(parts)}."


def left_out(cube: Cube, stage: Stage, step: int) -> str:
    """Return how many entities and events are left out of the comparisons of the arms as of a step, and what that means; "" for none."""
    events = sum(cube.left_out(stage, step).values())
    if not events:
        return ""
    found = cube.entities(stage)
    both = float(found.contaminated[_look(found.looks, step)].sum())
    who = f"{both:,.0f} customers were" if both > 1 else "One customer was"
    return (
        f"{who} seen in both arms of a ramp step and left out of every comparison of the arms, with {events:,} events, since "
        "the step at which that was known. Who meets both arms may depend on what the arms did: the comparison speaks of those "
        "who stayed in one."
    )


def voided(rows: Sequence[GateRow]) -> list[GateRow]:
    """Return the rows in which comparisons of the arms are no data if the split failed; budgets and invariants stay."""
    wrong = next((row for row in rows if row.comparison == Comparison.SRM and row.verdict is Verdict.FAIL), None)
    if wrong is None:
        return list(rows)
    kept = {Comparison.SRM, Comparison.INVARIANT, Comparison.BUDGET, Comparison.CALIBRATION}
    why = VOID.format(wrong.sentence)
    return [row if row.comparison in kept else replace(row, verdict=Verdict.NODATA, sentence=why) for row in rows]


def fired(release: Release, cube: Cube, stage: Stage) -> tuple[Alarm, ...]:
    """Return the alarms of a live stage over all as-of steps, the earliest first; () where the candidate does not act.

    Whether the way back is proven is no matter of the logs: see `unready`.
    """
    if stage.paired:
        return ()
    rules = _rules(release, stage)
    known = metrics.table(release.actions, release.cutoff_ids, probability=release.scale.name == "probability")
    served = {name: metric for name, metric in metrics.live_table(release.costs).items() if metric.measure}
    found: list[Alarm] = []
    for spec in rules:
        if spec.comparison is Comparison.SRM:
            found += _uneven(release, cube, stage, spec)
        elif spec.metric in served and served[spec.metric].outcome:
            found += _suffered(release, cube, stage, (spec, served[spec.metric]), len(rules))
        elif spec.metric in served and spec.comparison is Comparison.BUDGET:
            found += _served(release, cube, stage, (spec, served[spec.metric]), len(rules))
        elif spec.metric in known and not known[spec.metric].bins:
            found += _harmed(release, cube, stage, (spec, known[spec.metric]), len(rules))
    return in_order(found)


def unready(release: Release, cube: Cube, stage: Stage, drill: gates.Rehearsal | None) -> tuple[Alarm, ...]:
    """Return the alarms of rules on the way back, which was last rehearsed in `drill`; () where the candidate does not act."""
    rules = [] if stage.paired else [spec for spec in _rules(release, stage) if spec.metric == READY]
    return in_order([alarm for spec in rules for alarm in _unready(release, cube, stage, spec, drill)])


def in_order(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Return alarms, the earliest first."""
    return tuple(sorted(alarms, key=lambda alarm: (alarm.at, alarm.rule, alarm.place)))


def _rules(release: Release, stage: Stage) -> list[GateSpec]:
    return [spec for spec in release.stops if stage in spec.stages and release.kind in spec.kinds]


def unread(release: Release, stage: Stage) -> frozenset[str]:
    """Return the ids of the stage's rules that nothing can read at every step: their metric is unknown, or needs all bins."""
    known = metrics.table(release.actions, release.cutoff_ids, probability=release.scale.name == "probability")
    read = {name for name, metric in known.items() if not metric.bins} | {READY, SPLIT}
    served = metrics.live_table(release.costs)
    read |= {name for name, metric in served.items() if metric.outcome}
    budgets = read | {name for name, metric in served.items() if metric.measure}
    rules = (spec for spec in release.stops if stage in spec.stages)
    return frozenset(
        spec.id for spec in rules if spec.metric not in (budgets if spec.comparison is Comparison.BUDGET else read)
    )


def _groups(release: Release, spec: GateSpec) -> tuple[Group, ...]:
    """Return the groups of segments that a rule watches."""
    if spec.scope == "overall":
        return (((), ()),)
    if spec.scope.startswith("segment:"):
        dim, _, value = spec.scope.removeprefix("segment:").partition("=")
        return (((), ((dim, value),)),)
    return (((), ()), *(((dim,), ()) for dim in release.segments.dims))


def _harmed(release: Release, cube: Cube, stage: Stage, rule: tuple[GateSpec, Metric], rules: int) -> Iterator[Alarm]:
    """Yield the alarms of a rule on a metric of the arms' cells, at most one a segment."""
    spec, metric = rule
    groups = _groups(release, spec)
    cells = cube.arms(stage, groups)
    known = (place_of_all(cells.segments), cube.before(stage))
    expected = spec.expect_n or anytime.EXPECTED
    one = anytime.estimate(cells.tally, cube.treated(stage, groups), metric, expected, known)
    judged = (one.evidence[:, -1] >= _needed(release, spec)) | np.array([not segment for segment in cells.segments])
    alpha = alarms.level(spec, rules, int(judged.sum()))
    first = sequential.first_alarm(alarms.breached(spec, one, alpha) & judged[:, None])
    low, high = one.bounds(1 - alpha, sides=1)
    side = alarms.CANDIDATE if spec.comparison is Comparison.BUDGET and not metric.compared else -1
    for place in np.flatnonzero(first >= 0).tolist():
        look = int(first[place])
        at = (place, look, side)
        told = (float(one.value[at]), float(low[at]), float(high[at]))
        sentence = gates.alarm_sentence(
            spec, metric, cells.segments[place], told, round(float(one.evidence[place, look]))
        )
        yield _alarm(spec, cube, cells.segments[place], cells.looks[look], sentence)


def _served(release: Release, cube: Cube, stage: Stage, rule: tuple[GateSpec, Metric], rules: int) -> Iterator[Alarm]:
    """Yield the alarm of a budget of serving, or of the review queue, at the first step at which it is broken."""
    spec, metric = rule
    groups, limits, alpha = (((), ()),), (spec.at_least, spec.at_most), alarms.level(spec, rules, 1)
    if metric.counted == "events" or metric.name == "dependency_failures":
        everything = lived(cube, stage, cube.steps[-1], groups)
        found = metrics.breach(everything, metric, limits, alpha, _needed(release, spec))
    else:
        began = cube.began(stage)
        steps = [step for step in cube.steps if cube.end(step) >= began]
        # Samples of any step may raise an alarm, so each has its part of the error.
        looks = (
            metrics.sampled(lived(cube, stage, step, groups), metric, limits, alpha / len(steps)) for step in steps
        )
        found = next((one for one in looks if one is not None), None)
    if found is not None:
        since = f"{cube.end(cube.steps[found.since]):%Y-%m-%d}" if found.since >= 0 else ""
        told = (found.value, found.low, found.high)
        sentence = gates.alarm_sentence(spec, metric, {}, told, found.n, since)
        yield _alarm(spec, cube, {}, cube.steps[found.look], sentence)


def _suffered(release: Release, cube: Cube, stage: Stage, rule: tuple[GateSpec, Metric], rules: int) -> Iterator[Alarm]:
    """Yield the alarms of a rule on what came to customers: a limit by the candidate's share, else by first cases."""
    spec, metric = rule
    level = spec.comparison is Comparison.BUDGET
    if not level and metric.outcome and not metric.outcome.base:
        yield from _rare(release, cube, stage, rule, rules)
        return
    one = lived(cube, stage, cube.steps[-1], _groups(release, spec))
    found = metrics.outcomes.continuous(one, metric, spec.expect_n or anytime.EXPECTED, every=True)
    judged = np.array([not segment for segment in one.segments]) | (found.evidence[:, -1] >= _needed(release, spec))
    alpha = alarms.level(spec, rules, int(judged.sum()))
    low, high = found.bounds(1 - alpha, sides=1)
    read = judged[:, None] & (level | found.carried)
    first = sequential.first_alarm(alarms.breached(spec, found, alpha) & read)
    for place in np.flatnonzero(first >= 0).tolist():
        at = (place, int(first[place]), alarms.CANDIDATE if level else alarms.DIFFERENCE)
        told = (float(found.value[at]), float(low[at]), float(high[at]))
        sentence = gates.alarm_sentence(spec, metric, one.segments[place], told, round(float(found.evidence[at[:2]])))
        yield _alarm(spec, cube, one.segments[place], cube.steps[at[1]], sentence)


def _rare(release: Release, cube: Cube, stage: Stage, rule: tuple[GateSpec, Metric], rules: int) -> Iterator[Alarm]:
    """Yield the alarms of entities' first cases, over all of them and in every segment: few cases suffice.

    Segments whose smaller arm has fewer entities than have the events that a rule needs are not judged.
    """
    spec, metric = rule
    frame, per_entity = cube.entities_by(stage), cube.per_entity(stage)
    kinds = [place for place, kind in enumerate(frame.kinds) if metric.outcome and kind in metric.outcome.hits]
    places = [place for place, segment in enumerate(frame.segments) if _watched(release, spec, segment)]
    enough = frame.n[places, -1].sum(-2).min(-1) * per_entity >= _needed(release, spec)
    places = [place for place, many in zip(places, enough, strict=True) if many or place == 0]
    whole, told = frame.n[0], planned(release, stage, frame.ramps)
    shares = _entered_shares(whole) if told is None else told
    if not kinds or not places or not whole.any():
        return
    first, alpha = frame.first[kinds].sum(0)[places], alarms.level(spec, rules, len(places))
    found = alarms.rare(spec, alarms.Cases(first, frame.n[places], shares, per_entity), alpha, metric.better)
    looks = sequential.first_alarm(found.fired)
    for n in np.flatnonzero(looks >= 0).tolist():
        at, segment = (n, int(looks[n])), frame.segments[places[n]]
        seen = (float(found.low[at]), float(found.limit[at]))
        sentence = gates.rare_sentence(spec, metric, segment, first[at].sum(0), seen)
        yield _alarm(spec, cube, segment, frame.looks[at[1]], sentence)


def _entered_shares(n: Array) -> Array:
    """Return the candidate's share of the entities [look, ramp step, arm]; before an arm has any, the last look's."""
    share = n[..., 1] / np.maximum(n.sum(-1), 1.0)
    return np.where((share > 0) & (share < 1), share, share[-1])


def _watched(release: Release, spec: GateSpec, segment: Segment) -> bool:
    """Return whether a rule watches a segment of at most one dimension."""
    if spec.scope.startswith("segment:"):
        return segment == dict([spec.scope.removeprefix("segment:").split("=", 1)])
    return not segment or (spec.scope != "overall" and next(iter(segment)) in release.segments.dims)


def _needed(release: Release, spec: GateSpec) -> int:
    """Return how many events a segment must have to be judged."""
    return spec.min_events if spec.min_events is not None else release.segments.min_events


def _uneven(release: Release, cube: Cube, stage: Stage, spec: GateSpec) -> Iterator[Alarm]:
    found = cube.entities(stage)
    shares = planned(release, stage, found.ramps)
    if shares is None:
        return
    look = int(sequential.first_alarm(alarms.uneven(found.n.sum(-1), shares, spec.alpha)))
    if look >= 0:
        yield _alarm(spec, cube, {}, found.looks[look], _counted(found, look, shares))


def _unready(
    release: Release, cube: Cube, stage: Stage, spec: GateSpec, drill: gates.Rehearsal | None
) -> Iterator[Alarm]:
    """Yield the alarm of the first step of the stage at which the way back was not proven and is not to this day."""
    began = cube.began(stage)
    steps = [step for step in cube.steps if cube.end(step) >= began]
    states = [gates.readiness(release.rollback, drill, gates.Moment(stage, began, cube.end(step))) for step in steps]
    bad = [verdict in {Verdict.FAIL, Verdict.NODATA} for verdict, _ in states]
    if bad and bad[-1]:
        place = len(bad) - bad[::-1].index(False) if False in bad else 0
        yield _alarm(spec, cube, {}, steps[place], states[place][1])


def _alarm(spec: GateSpec, cube: Cube, segment: Segment, step: int, sentence: str) -> Alarm:
    return Alarm(spec.id, spec.title or spec.id, spec.action or "hold", segment, step, cube.end(step), sentence)


def _look(looks: Sequence[int], step: int) -> int:
    return int(np.searchsorted(np.array(looks), step, side="right")) - 1


__all__ = ["READY", "SPLIT", "Alarm", "fired", "in_order", "planned", "split", "unread", "unready", "voided"]

"""Facts about logs and bundle in, verdicts out: rules that hold or do not, without statistics."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isnan, sqrt
from typing import TYPE_CHECKING, Any

from release_core.errors import NotFound, Problem
from release_core.frames import EVERYONE, GateRow
from release_core.gates.words import place
from release_core.metrics import find
from release_core.release import VERSIONS, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from release_core.frames import Cells, Segment
    from release_core.metrics import Metric
    from release_core.release import GateSpec, Release, Scenario

    # verdict, sentence, segment, number of events looked at
    Found = tuple[Verdict, str, Segment, int]


# How many standard errors chance may move a share.
CHANCE = 3.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the invariants look at, as of one step of one stage.

    changed: (component, why) of every component that differs, carried-over cutoffs already recomputed.
    parity: version -> (events with a logged action, of them different from the bundle's).
    codes: (input, code, period, share in it, share in all periods before, events in it), every code of every period.
    rows: read and quarantined over all logs; reasons: rule -> quarantined rows.
    segments: (dimension, value) -> events.
    reversals: reversed, tied and all events of a recalibration, or None.
    scenarios: (id, verdict, sentence, events) as `gates.scenarios` found them.
    """

    release: Release
    changed: Sequence[tuple[str, str]]
    parity: dict[str, tuple[int, int]]
    codes: Sequence[tuple[str, str, str, float, float, int]]
    rows: tuple[int, int]
    reasons: dict[str, int]
    segments: dict[tuple[str, str], int]
    reversals: dict[str, int] | None
    scenarios: Sequence[tuple[str, Verdict, str, int]] = ()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """What invariants look at that a rehearsed rollback can change, the logs staying as they are.

    alarms: (rule, since when in words, sentence) of every stop rule that has fired.
    ready: whether the way back is proven, and in words why (see readiness.py).
    """

    alarms: Sequence[tuple[str, str, str]]
    ready: tuple[Verdict, str]


def check(spec: GateSpec, facts: Facts) -> list[GateRow]:
    """Return the rows of an invariant of the logs.

    Raises:
        NotFound: no invariant has that name.
    """
    if spec.metric not in INVARIANTS:
        required = f"one of {', '.join((*INVARIANTS, *STANDING))}"
        raise NotFound(Problem(f"gate {spec.id}", f"invariant {spec.metric!r}", required, "Correct the gate's metric."))
    return _rows(spec, INVARIANTS[spec.metric](facts))


def stands(spec: GateSpec, standing: Standing) -> list[GateRow]:
    """Return the rows of an invariant that is one of STANDING."""
    return _rows(spec, STANDING[spec.metric](standing))


def _rows(spec: GateSpec, found: Iterable[Found]) -> list[GateRow]:
    return [
        GateRow(
            gate=spec.id,
            title=spec.title or spec.metric.replace("_", " "),
            metric=spec.metric,
            comparison=str(spec.comparison),
            level=str(spec.level),
            scope=spec.scope,
            segment=segment,
            verdict=verdict,
            sentence=sentence,
            method="counted",
            n=n,
        )
        for verdict, sentence, segment, n in found
    ]


def _one_kind(facts: Facts) -> Iterator[Found]:
    kind = facts.release.kind
    others = [f"{component} ({why})" for component, why in facts.changed if component != kind.component]
    if others:
        changed = ", ".join(component for component, _ in facts.changed)
        yield (
            Verdict.FAIL,
            f"The release says {kind}, but {' and '.join(others)} differ as well: {changed} changed together, so no effect "
            "can be given a cause and there is no single rollback point. Split it into one release per component.",
            {},
            0,
        )
    elif not facts.changed:
        yield Verdict.PASS, "Nothing differs between the two bundles (an A/A release).", {}, 0
    else:
        yield Verdict.PASS, f"Only the {kind.component} changed: {facts.changed[0][1]}.", {}, 0


def _decision_parity(facts: Facts) -> Iterator[Found]:
    for version in VERSIONS:
        logged, differs = facts.parity[version]
        if not logged:
            yield (
                Verdict.PASS,
                f"No action of the {version} is logged; its actions are the bundle's by construction.",
                {},
                0,
            )
        elif differs:
            yield (
                Verdict.FAIL,
                f"{differs:,} of {logged:,} logged actions of the {version} differ from those that its bundle gives: the logs "
                "were not made by this bundle.",
                {},
                logged,
            )
        else:
            yield (
                Verdict.PASS,
                f"All {logged:,} logged actions of the {version} equal those that its bundle gives.",
                {},
                logged,
            )


def _code_share(facts: Facts) -> Iterator[Found]:
    for watch in facts.release.watches:
        mine = [code for code in facts.codes if code[0] == watch.column]
        broken = [code for code in mine if _moved(code[3], code[4], code[5]) > watch.max_shift]
        for _, code, period, share, before, n in broken:
            yield (
                Verdict.FAIL,
                f"{watch.column} = {code} has a share of {_percent(share)} in {period}, and {_percent(before)} in all periods "
                f"before; at most {100 * watch.max_shift:.1f} points allowed. The coding may have changed.",
                {},
                n,
            )
        if not mine:
            yield Verdict.NODATA, f"{watch.column}: fewer than two periods, so no share can be compared.", {}, 0
        elif not broken:
            largest = max(mine, key=lambda code: abs(code[3] - code[4]))
            shift = 100 * abs(largest[3] - largest[4])
            yield (
                Verdict.PASS,
                f"No code of {watch.column} moved by more than {shift:.1f} points ({largest[1]} in {largest[2]}); "
                f"{100 * watch.max_shift:.1f} allowed.",
                {},
                sum(code[5] for code in mine),
            )


def _moved(share: float, before: float, n: int) -> float:
    """Return by how much a share has moved at least: three standard errors less, so that a day just begun alarms nobody."""
    error = sqrt(max(share * (1 - share), before * (1 - before)) / n)
    return abs(share - before) - CHANCE * error


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _score_range(facts: Facts) -> Iterator[Found]:
    bad = {rule: n for rule, n in facts.reasons.items() if "score" in rule}
    read = facts.rows[0]
    if bad:
        listed = ", ".join(f"{n:,} {rule}" for rule, n in bad.items())
        yield (
            Verdict.FAIL,
            f"{sum(bad.values()):,} of {read:,} rows were set aside for their score: {listed}.",
            {},
            read,
        )
    else:
        yield Verdict.PASS, "Every score is a number in the declared range.", {}, read


def _quarantined_share(facts: Facts) -> Iterator[Found]:
    read, bad = facts.rows
    limit = facts.release.max_quarantined_share
    share = bad / read if read else 0.0
    verdict = Verdict.NODATA if not read else Verdict.FAIL if share > limit else Verdict.PASS
    yield (
        verdict,
        f"{bad:,} of {read:,} rows ({100 * share:.2f}%) are quarantined; at most {100 * limit:g}% allowed.",
        {},
        read,
    )


def _mandatory_segments(facts: Facts) -> Iterator[Found]:
    mandatory = facts.release.segments.mandatory
    for dim, value in mandatory:
        if not facts.segments.get((dim, value)):
            yield (
                Verdict.FAIL,
                f"The mandatory segment {place({dim: value})} has no event in the logs.",
                {dim: value},
                0,
            )
    present = [facts.segments[pair] for pair in mandatory if facts.segments.get(pair)]
    if len(present) == len(mandatory):
        size = f"; the smallest has {min(present):,} events" if present else ""
        yield Verdict.PASS, f"All {len(mandatory)} mandatory segments are in the logs{size}.", {}, sum(present)


def _rank_reversals(facts: Facts) -> Iterator[Found]:
    found = facts.reversals
    if not found or not found["n"]:
        yield Verdict.NODATA, "No event was scored by both versions, so the order of scores cannot be compared.", {}, 0
        return
    if found["reversed"]:
        yield (
            Verdict.FAIL,
            f"{found['reversed']:,} of {found['n']:,} events score lower than one that the baseline ranks below them: "
            "this is not a recalibration but another model.",
            {},
            found["n"],
        )
    else:
        yield (
            Verdict.PASS,
            f"No pair of {found['n']:,} events is reversed; {found['tied']:,} distinct scores became ties.",
            {},
            found["n"],
        )


def _scenarios(facts: Facts) -> Iterator[Found]:
    if not facts.scenarios:
        yield Verdict.PASS, "The manifest declares no scenario.", {}, 0
    for name, verdict, sentence, n in facts.scenarios:
        yield verdict, f"{name}: {sentence}", {}, n


def scenario(case: Scenario, cells: Cells, known: dict[str, Metric]) -> tuple[str, Verdict, str, int]:
    """Return (id, verdict, sentence, events) of a case of the regression suite on its events' cells (one segment)."""
    joint = cells.whole.joint[0, :, :, EVERYONE]
    n = round(float(joint.sum()))
    if case.action is not None:
        other = (
            n - round(float(joint[:, cells.actions.index(case.action)].sum())) if case.action in cells.actions else n
        )
        verdict = Verdict.NODATA if not n else Verdict.FAIL if other else Verdict.PASS
        return case.id, verdict, f"{n - other:,} of {n:,} events get {case.action}; all must.", n
    metric = find(known, case.metric or "")
    value = float(metric.value(cells.whole)[0] if metric.compared else metric.value(cells.whole)[0, 1])
    least = -inf if case.at_least is None else case.at_least
    most = inf if case.at_most is None else case.at_most
    limits = {"at least": case.at_least, "at most": case.at_most}
    bound = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if limit is not None)
    verdict = Verdict.NODATA if isnan(value) else Verdict.PASS if least <= value <= most else Verdict.FAIL
    shown = "not known" if isnan(value) else f"{value:.4g}"
    return case.id, verdict, f"{metric.title} of the candidate is {shown}; {bound} required.", n


def _costs_declared(facts: Facts) -> Iterator[Found]:
    if facts.release.costs is None:
        yield Verdict.NODATA, "The manifest has no [costs]: a cutoff cannot be weighed without them.", {}, 0
        return
    empty = [segment for segment, n in facts.extra.get("affected", []) if not n]
    for segment in empty:
        yield Verdict.NODATA, f"Cutoffs change for {place(segment)}, of which no event is scored.", segment, 0
    if not empty:
        yield Verdict.PASS, "Costs are declared, and every segment whose cutoffs change has scored events.", {}, 0


def _stop_rules(standing: Standing) -> Iterator[Found]:
    if not standing.alarms:
        yield Verdict.PASS, "No stop rule has fired.", {}, 0
    for rule, since, sentence in standing.alarms:
        yield Verdict.FAIL, f"Stop rule {rule} fired on {since}: {sentence}", {}, 0


def _rollback_ready(standing: Standing) -> Iterator[Found]:
    yield *standing.ready, {}, 0


INVARIANTS: dict[str, Callable[[Facts], Iterator[Found]]] = {
    "one_kind": _one_kind,
    "decision_parity": _decision_parity,
    "code_share": _code_share,
    "score_range": _score_range,
    "quarantined_share": _quarantined_share,
    "mandatory_segments": _mandatory_segments,
    "rank_reversals": _rank_reversals,
    "scenarios": _scenarios,
    "costs_declared": _costs_declared,
}
STANDING: dict[str, Callable[[Standing], Iterator[Found]]] = {
    "rollback_ready": _rollback_ready,
    "stop_rules": _stop_rules,
}

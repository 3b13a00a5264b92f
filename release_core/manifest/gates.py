"""House gates and a release's own gates in, one list of gates out; a release may be stricter, not laxer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.manifest.forms import (
    ABOVE_ZERO,
    ANY_NUMBER,
    SLUG,
    TEXT,
    integer,
    matched,
    member_of,
    nearest,
    number,
    one_of,
    repeated,
)
from release_core.manifest.policies import bounds
from release_core.release import Comparison, GateSpec, Kind, Level, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from release_core.manifest.fields import Fields

INVARIANTS = (
    *("one_kind", "decision_parity", "code_share", "score_range", "mandatory_segments"),
    *("quarantined_share", "rank_reversals", "scenarios", "costs_declared", "rollback_ready", "stop_rules"),
)
METHODS = ("auto", "paired", "anytime", "newcombe")
STOP_ACTIONS = ("rollback", "hold")
LIVE = (Stage.CANARY, Stage.AB, Stage.FULL)
BLOCKING = (Level.STOP, Level.HOLD)
WITH_MARGIN = (Comparison.NON_INFERIORITY, Comparison.EQUIVALENCE, Comparison.CALIBRATION, Comparison.DRIFT)
# These fail when evidence of a fault reaches 1 - alpha: a larger alpha fails more often.
ALARMS = (Comparison.NO_HARM, Comparison.SRM)
_ALPHA = {Comparison.NO_HARM: 0.01, Comparison.SRM: 0.0005}
_USUAL_ALPHA = 0.05
_SCOPE = matched("overall, each_segment or segment:dimension=value", r"overall|each_segment|segment:[^=\n]+=[^\n]+")
_PROBABILITY = number("a number above 0, at most 0.5", lambda value: 0 < value <= 0.5)


def gates(house: Fields, own: Fields, key: str) -> tuple[GateSpec, ...]:
    """Return the gates (`key` "gate") or stop rules ("stop"): the house's first, tightened by the release's own."""
    stop = key == "stop"
    _check_once(house, key)
    _check_once(own, key)
    bases = {str(row.raw("id")): (row, _gate(row, stop=stop)) for row in house.rows(key)}
    specs = {name: spec for name, (_, spec) in bases.items()}
    for row in own.rows(key):
        name = str(row.raw("id"))
        if name in bases:
            row.inherit(bases[name][0])
        specs[name] = _gate(row, stop=stop)
        if name in bases:
            _check_stricter(row, bases[name][1], specs[name])
    return tuple(specs.values())


def _check_once(fields: Fields, key: str) -> None:
    rows = fields.raw(key)
    ids = [str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row] if isinstance(rows, list) else []
    for name in repeated(ids):
        fields.problem(f"[[{key}]] {name} twice", "each id once", "Rename or remove one.")


def _gate(fields: Fields, *, stop: bool) -> GateSpec:
    comparison = fields.need("comparison", member_of(Comparison))
    spec = GateSpec(
        id=fields.need("id", SLUG),
        metric=fields.need("metric", SLUG),
        comparison=comparison,
        stages=_stages(fields, stop=stop),
        margin=fields.get("margin", ABOVE_ZERO, None),
        unit=fields.get("unit", one_of(("abs", "rel")), "abs"),
        scope=fields.get("scope", _SCOPE, "each_segment"),
        alpha=fields.get("alpha", _PROBABILITY, _ALPHA.get(comparison, _USUAL_ALPHA)),
        method=fields.get("method", one_of(METHODS), "auto"),
        level=fields.get("level", member_of(Level), Level.STOP),
        on_nodata=fields.get("on_nodata", one_of(("block", "observe")), "block"),
        min_events=fields.get("min_events", integer(1), None),
        expect_n=fields.get("expect_n", integer(1), None),
        at_least=fields.get("at_least", ANY_NUMBER, None),
        at_most=fields.get("at_most", ANY_NUMBER, None),
        kinds=fields.many("kinds", member_of(Kind), tuple(Kind)),
        action=fields.need("action", one_of(STOP_ACTIONS)) if stop else None,
        title=fields.get("title", TEXT, ""),
    )
    if "comparison" in fields and fields.raw("comparison") in tuple(Comparison):
        _check_limits(fields, spec)
    return spec


def _stages(fields: Fields, *, stop: bool) -> tuple[Stage, ...]:
    if "stages" not in fields and not stop:
        fields.missing("stages", f"a list out of {', '.join(Stage)}")
    if fields.raw("stages") == []:
        fields.problem("an empty list of stages", "at least one stage", "Add a stage, or remove the row.")
    return fields.many("stages", member_of(Stage), LIVE if stop else ())


def _check_limits(fields: Fields, spec: GateSpec) -> None:
    with_margin, with_bounds = spec.comparison in WITH_MARGIN, spec.comparison is Comparison.BUDGET
    if with_margin and "margin" not in fields:
        fields.missing("margin", f"a number above 0 for {spec.comparison}")
    if with_bounds:
        bounds(fields, spec.at_least, spec.at_most)
    refused = (() if with_margin else ("margin",)) + (() if with_bounds else ("at_least", "at_most"))
    for key in refused:
        if key in fields:
            fields.problem(f"{key} for {spec.comparison}", f"no {key}: it would have no effect", f"Remove {key}.")
    if spec.comparison is Comparison.INVARIANT and spec.metric and spec.metric not in INVARIANTS:
        required = f"one of {', '.join(INVARIANTS)}"
        fields.wrong("metric", spec.metric, required, nearest(spec.metric, INVARIANTS) or "Correct the name.")


def _check_stricter(fields: Fields, house: GateSpec, own: GateSpec) -> None:
    for key, holds in _NOT_LAXER.items():
        if not holds(house, own):
            value = getattr(house, key)
            listed = ", ".join(value) if isinstance(value, tuple) else str(value)
            found = f"{key} laxer than, or not comparable with, the house gate's"
            fields.problem(found, f"{listed}, or stricter", f"Remove {key}, or give the gate an id of its own.")


def _same(key: str) -> Callable[[GateSpec, GateSpec], bool]:
    return lambda house, own: bool(getattr(house, key) == getattr(own, key))


def _covers(key: str) -> Callable[[GateSpec, GateSpec], bool]:
    return lambda house, own: set(getattr(own, key)) >= set(getattr(house, key))


def _within(key: str, sign: int) -> Callable[[GateSpec, GateSpec], bool]:
    """Return whether the release's number is at most (sign 1) or at least (sign -1) the house's."""

    def holds(house: GateSpec, own: GateSpec) -> bool:
        limit, value = getattr(house, key), getattr(own, key)
        return limit is None or value is None or sign * value <= sign * limit

    return holds


def _alpha_holds(house: GateSpec, own: GateSpec) -> bool:
    return _within("alpha", -1 if own.comparison in ALARMS else 1)(house, own)


_NOT_LAXER: dict[str, Callable[[GateSpec, GateSpec], bool]] = {
    **{key: _same(key) for key in ("metric", "comparison", "unit", "method")},
    **{key: _covers(key) for key in ("stages", "kinds")},
    "margin": _within("margin", 1),
    "at_most": _within("at_most", 1),
    "at_least": _within("at_least", -1),
    "min_events": _within("min_events", -1),
    "alpha": _alpha_holds,
    "level": lambda house, own: tuple(Level).index(own.level) <= tuple(Level).index(house.level),
    "on_nodata": lambda house, own: house.on_nodata == "observe" or own.on_nodata == "block",
    "action": lambda house, own: house.action in {None, "hold"} or own.action == house.action,
    "scope": lambda house, own: own.scope in {house.scope, "each_segment"},
}


def check_scopes(fields: Fields, specs: Iterable[GateSpec], dims: tuple[str, ...]) -> None:
    """Report gates that judge a segment of a dimension that the release does not declare."""
    for spec in specs:
        dim = spec.scope.removeprefix("segment:").partition("=")[0]
        if spec.scope.startswith("segment:") and dim not in dims:
            remedy = nearest(dim, dims) or f"Add {dim} to [segments] dims."
            fields.problem(f"scope {spec.scope!r} of {spec.id}", "a declared dimension", remedy)


def check_blocking(fields: Fields, specs: Iterable[GateSpec], stages: Iterable[Stage], kind: Kind) -> None:
    """Report planned stages without a gate that can stop or hold a release of this kind."""
    guarded = {stage for spec in specs if spec.level in BLOCKING and kind in spec.kinds for stage in spec.stages}
    for stage in stages:
        if stage not in guarded:
            remedy = f'Add a [[gate]] with stages = ["{stage}"] and level = "stop".'
            fields.problem(f"no gate that can stop stage {stage} of a {kind} release", "at least one", remedy)

"""The tables of a manifest that plan the way: bundles, the rollback point, stages, signatures, freezes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from release_core.manifest.forms import (
    ABOVE_ZERO,
    DATE,
    FLAG,
    INSTANT,
    NAME,
    NOT_NEGATIVE,
    SHARE_ABOVE_ZERO,
    integer,
    member_of,
    one_of,
    repeated,
)
from release_core.release import COMPONENTS, Bundle, Freeze, Rollback, SignOffRules, Stage, StagePlan

if TYPE_CHECKING:
    from release_core.manifest.fields import Fields

DECISIONS = ("go", "conditional_go", "no_go", "rollback")
_HOURS_PER_DAY = 24


def bundle(fields: Fields) -> Bundle:
    """Return the four component ids of one side."""
    return Bundle(*(fields.need(component, NAME) for component in COMPONENTS))


def rollback(fields: Fields, baseline: Bundle, candidate: Bundle) -> Rollback:
    """Return the rollback point: a component id of the baseline that the candidate does not have."""
    target = fields.need("target", NAME)
    if target and all(getattr(baseline, component) for component in COMPONENTS):
        _check_target(fields, target, baseline, candidate)
    return Rollback(
        target=target,
        how=fields.need("how", NAME),
        max_minutes=fields.get("max_minutes", ABOVE_ZERO, None),
        drill=fields.get("drill", NAME, None),
        drill_max_age_days=fields.get("drill_max_age_days", NOT_NEGATIVE, None),
        drilled=fields.get("drilled", INSTANT, None),
        drill_minutes=fields.get("drill_minutes", NOT_NEGATIVE, None),
    )


def _check_target(fields: Fields, target: str, baseline: Bundle, candidate: Bundle) -> None:
    ids = {component: getattr(baseline, component) for component in COMPONENTS}
    meant = [component for component in COMPONENTS if ids[component] == target]
    if not meant:
        listed = ", ".join(f"{component} {name}" for component, name in ids.items())
        fields.wrong("target", target, f"a component of the baseline ({listed})", "Name what is restored.")
    # An A/A release has nothing to restore, and any component of the baseline will do.
    elif baseline != candidate and all(getattr(candidate, component) == target for component in meant):
        found = f"target = {target!r}, which the candidate keeps"
        fields.problem(found, "a component that the release changes", "Name the baseline's id of that component.")


def stages(root: Fields) -> tuple[StagePlan, ...]:
    """Return the planned stages in the order of the file."""
    rows = root.rows("stage")
    names = tuple(Stage)
    for name in repeated(str(row.raw("name")) for row in rows if row.raw("name") in names):
        root.problem(f"[[stage]] {name} twice", "each stage once", "Merge or rename them.")
    return tuple(_stage(row) for row in rows)


def _stage(fields: Fields) -> StagePlan:
    shares = fields.many("shares", SHARE_ABOVE_ZERO)
    if any(late <= early for early, late in pairwise(shares)):
        fields.problem(f"shares = {list(shares)}", "rising shares", "Sort them and remove repetitions.")
    hours, days = fields.get("min_hours", NOT_NEGATIVE, None), fields.get("max_days", ABOVE_ZERO, None)
    if hours is not None and days is not None and hours > days * _HOURS_PER_DAY:
        fields.problem(f"min_hours = {hours:g}, max_days = {days:g}", "min_hours within max_days", "Correct one.")
    return StagePlan(
        name=fields.need("name", member_of(Stage)),
        shares=shares,
        min_hours=hours,
        max_days=days,
        approve=fields.many("approve", NAME),
        evidence_ttl_hours=fields.get("evidence_ttl_hours", ABOVE_ZERO, None),
    )


def signoff(fields: Fields) -> SignOffRules:
    """Return who may sign and what an override needs."""
    usual = SignOffRules()
    override = fields.table("override")
    return SignOffRules(
        distinct=fields.get("distinct", integer(1), usual.distinct),
        author_may_sign=fields.get("author_may_sign", FLAG, usual.author_may_sign),
        meanings=fields.many("meanings", one_of(usual.meanings), usual.meanings),
        override_roles=override.many("roles", NAME),
        override_reason_min_chars=override.get("reason_min_chars", integer(0), usual.override_reason_min_chars),
        override_second=override.get("second", FLAG, usual.override_second),
        override_expires_hours=override.get("expires_hours", ABOVE_ZERO, None),
    )


def freezes(root: Fields) -> tuple[Freeze, ...]:
    """Return the days on which only some decisions may be recorded."""
    return tuple(_freeze(row) for row in root.rows("freeze"))


def _freeze(fields: Fields) -> Freeze:
    first, last = fields.need("from", DATE), fields.need("to", DATE)
    if first > last and fields.raw("to") is not None and last != DATE.blank:
        fields.problem(f"from = {first}, to = {last}", "from on or before to", "Exchange or correct them.")
    return Freeze(first, last, fields.many("allow", one_of(DECISIONS), ("rollback", "no_go")))

"""The tables of a manifest that speak of single events: policy rules and the scenarios of the regression suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.manifest.forms import ANY_NUMBER, NAME, SCALAR, SLUG, nearest, one_of
from release_core.release import ACTIONS, Condition, Policy, PolicyRule, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.manifest.fields import Fields

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "not_in", "is_missing")
_ORDERED = ("<", "<=", ">", ">=")
_LISTED = ("in", "not_in")


def conditions(fields: Fields, key: str) -> tuple[Condition, ...]:
    """Return the conditions of the list at `key`; all of them must hold."""
    return tuple(_condition(row) for row in fields.rows(key))


def _condition(fields: Fields) -> Condition:
    column, op = fields.need("column", NAME), fields.need("op", one_of(OPERATORS))
    return Condition(column, op, _value(fields, op))


def _value(fields: Fields, op: str) -> str | float | bool | tuple[str | float, ...] | None:
    if op == "is_missing":
        if fields.raw("value") is not None:
            fields.problem("a value for is_missing", "a column alone", "Remove value.")
        return None
    if op in _LISTED:
        return _listed(fields)
    return fields.need("value", ANY_NUMBER) if op in _ORDERED else fields.need("value", SCALAR)


def _listed(fields: Fields) -> tuple[str | float, ...]:
    values = fields.many("value", SCALAR)
    if "value" not in fields or fields.raw("value") == []:
        fields.missing("value", "a list of at least one value")
    if len({isinstance(value, str) for value in values}) > 1 or any(isinstance(value, bool) for value in values):
        fields.problem("a mixed list of values", "all text or all numbers", "Write all of them with or without quotes.")
    return values


def policies(root: Fields) -> dict[str, Policy]:
    """Return the policies by id; a policy without rules leaves every decision to the cutoffs."""
    return {name: _policy(name, fields) for name, fields in root.tables("policy").items()}


def _policy(name: str, fields: Fields) -> Policy:
    declared = fields.many("actions", SLUG)
    return Policy(name, tuple(_rule(row, (*ACTIONS, *declared)) for row in fields.rows("rule")), declared)


def _rule(fields: Fields, actions: Iterable[str]) -> PolicyRule:
    when = conditions(fields, "when")
    if "when" not in fields or fields.raw("when") == []:
        remedy = 'Write when = [ { column = "amount", op = ">", value = 100 } ].'
        fields.problem("a rule without conditions", "at least one in when", remedy)
    return PolicyRule(when, fields.need("action", one_of(actions)), fields.need("reason", NAME))


def scenarios(root: Fields, declared: Iterable[str]) -> tuple[Scenario, ...]:
    """Return the regression suite; `declared` are the actions that policies add to the usual ones."""
    actions = tuple(dict.fromkeys((*ACTIONS, *declared)))
    return tuple(_scenario(row, actions) for row in root.rows("scenario"))


def _scenario(fields: Fields, actions: tuple[str, ...]) -> Scenario:
    where, event_ids = conditions(fields, "where"), fields.many("event_ids", NAME)
    if bool(where) == bool(event_ids):
        found = "where and event_ids" if where else "neither where nor event_ids"
        fields.problem(found, "one of the two, not empty", "Name the events by conditions or by their ids.")
    action, (metric, low, high) = _expected_action(fields, actions), _expected_bound(fields)
    return Scenario(fields.need("id", SLUG), where, event_ids, action, metric, low, high)


def _expected_action(fields: Fields, actions: tuple[str, ...]) -> str | None:
    value = fields.raw("expect")
    if isinstance(value, dict):
        return None
    if value is None or not isinstance(value, str) or value not in actions:
        required = f"one of {', '.join(actions)}, or {{ metric = ..., at_least = ... }}"
        fields.wrong("expect", value, required, nearest(value, actions) or "State what must hold.")
        return None
    return value


def _expected_bound(fields: Fields) -> tuple[str | None, float | None, float | None]:
    if not isinstance(fields.raw("expect"), dict):
        return None, None, None
    expect = fields.table("expect")
    low, high = expect.get("at_least", ANY_NUMBER, None), expect.get("at_most", ANY_NUMBER, None)
    bounds(expect, low, high)
    return expect.need("metric", SLUG), low, high


def bounds(fields: Fields, low: float | None, high: float | None) -> None:
    """Report bounds that say nothing or contradict each other."""
    if "at_least" not in fields and "at_most" not in fields:
        fields.problem("no bound", "at_least, at_most, or both", "Add the limit that must hold.")
    if low is not None and high is not None and low > high:
        fields.problem(f"at_least = {low:g}, at_most = {high:g}", "at_least <= at_most", "Exchange or correct them.")

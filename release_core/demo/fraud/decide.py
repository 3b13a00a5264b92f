"""A manifest's cutoff tables and policies and the columns of events in, the action of every event out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.demo.fraud.population import NAMES
from release_core.release import ACTIONS, CUTOFF_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from release_core.demo.fraud.population import Events
    from release_core.release import Condition, CutoffTable, Policy, Release
    from release_core.worlds import World

    Codes = NDArray[np.int8]

APPROVE, REVIEW, BLOCK = (ACTIONS.index(name) for name in ("approve", "review", "block"))
DEVICES = ("full", "partial", "none")
LIST_WORDS = ("clear", "hit")
# Why a score is high, by what dominates it (amount, terminal, card); why a rule has decided.
REASONS = ("amount_unusual", "terminal_risk", "card_velocity", "velocity_list", "velocity_list_new_customer")
COMPARE = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def columns(events: Events) -> dict[str, tuple[NDArray[Any], tuple[str, ...]]]:
    """Return what a rule can ask for: values and, where they are codes, the names of the codes."""
    coded: dict[str, tuple[NDArray[Any], tuple[str, ...]]] = {
        dim: (codes, NAMES[dim]) for dim, codes in events.codes.items()
    }
    coded["velocity_list"] = (events.listed.astype(np.int8), LIST_WORDS)
    coded["device_profile"] = (events.device, DEVICES)
    coded["amount"] = (events.amount, ())
    return coded


def actions(
    release: Release, world: World, events: Events, scores: Mapping[str, NDArray[np.float64]]
) -> tuple[Codes, Codes]:
    """Return the action of every event in a world, as places in ACTIONS, and its reason in REASONS (-1: approved)."""
    score, table = scores[world.version], release.tables[world.thresholds]
    found = np.full(len(score), APPROVE, np.int8)
    for action in CUTOFF_ACTIONS:
        found[score >= _cutoff(table, action, events)] = ACTIONS.index(action)
    why = np.where(found == APPROVE, -1, events.why).astype(np.int8)
    return _ruled(release.policies[world.policy], (found, why), events)


def _cutoff(table: CutoffTable, action: str, events: Events) -> NDArray[np.float64]:
    """Return the cutoff in force for every event: the most specific matching row wins."""
    found = np.full(len(events.time), dict(table.default).get(action, np.inf))
    for row in sorted(table.segments, key=lambda row: len(row.where)):
        if action in dict(row.cutoffs):
            found[events.matches(dict(row.where))] = dict(row.cutoffs)[action]
    return found


def _ruled(policy: Policy, decided: tuple[Codes, Codes], events: Events) -> tuple[Codes, Codes]:
    """Return actions and reasons after the rules of a policy: the first that matches decides."""
    (actions, why), asked = decided, columns(events)
    for rule in reversed(policy.rules):
        hit = np.ones(len(actions), bool)
        for test in rule.when:
            hit &= _holds(test, *asked[test.column])
        actions[hit], why[hit] = ACTIONS.index(rule.action), REASONS.index(rule.reason)
    return actions, why


def _holds(test: Condition, values: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return where a condition holds; no column of generated logs has missing values."""
    if test.op in {"in", "not_in"}:
        listed = [names.index(str(one)) if names else one for one in test.value]  # type: ignore[union-attr]
        return np.isin(values, listed) == (test.op == "in")
    value: Any = names.index(str(test.value)) if names else test.value
    held: NDArray[np.bool_] = COMPARE[test.op](values, value)
    return held

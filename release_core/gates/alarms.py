"""Rules and what two arms did up to every look in; at which looks a rule fires out.

A stop rule is a gate that is read continuously: its bound holds at all looks together, and its alpha is divided over
the rules and then over the segments, so that a harmless release is stopped by any rule at any look with a chance of at
most alpha (RELEASE.md B.4). It fires where harm beyond the margin is proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.release import Comparison
from release_core.stats import sequential
from release_core.stats.arrays import floats

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.metrics import Estimate
    from release_core.release import GateSpec

BASELINE, CANDIDATE, DIFFERENCE = range(3)


def level(spec: GateSpec, rules: int, segments: int) -> float:
    """Return the alpha that one rule has left in one segment."""
    return spec.alpha / max(rules, 1) / max(segments, 1)


def margin(spec: GateSpec, baseline: Array) -> Array:
    """Return what a rule allows, in the metric's unit and without a sign; relative ones are shares of `baseline`."""
    allowed = float(spec.margin or 0.0)
    return np.abs(floats(baseline)) * allowed if spec.unit == "rel" else np.full(np.shape(baseline), allowed)


def breached(spec: GateSpec, one: Estimate, alpha: float) -> Array:
    """Return [segment, look], or [segment] of an estimate at one look, whether harm beyond the margin is proven by then.

    Args:
        spec: the rule; a budget reads the candidate against its limit, everything else the difference of the arms.
        one: the estimate [segment, look, side].
        alpha: the error that is left for one segment, over all looks.
    """
    low, high = one.bounds(1 - alpha, sides=1)
    told = one.evidence > 0
    if spec.comparison is Comparison.BUDGET:
        side = 0 if one.metric.compared else CANDIDATE
        over = low[..., side] > (np.inf if spec.at_most is None else spec.at_most)
        under = high[..., side] < (-np.inf if spec.at_least is None else spec.at_least)
        return np.asarray(told & (over | under))
    allowed = margin(spec, one.value[..., BASELINE])
    worse, better = low[..., DIFFERENCE] > allowed, high[..., DIFFERENCE] < -allowed
    if spec.comparison in {Comparison.EQUIVALENCE, Comparison.DRIFT}:
        return np.asarray(told & (worse | better))
    return np.asarray(told & (better if one.metric.better == "higher" else worse))


class Cases(NamedTuple):
    """Entities by the segment of their first event: `first` [segment, look, ramp step, arm] of them with a case, of those `entered`.

    `shares` [..., ramp step] are the candidate's shares of the traffic, `per_entity` the events that an entity has.
    """

    first: Array
    entered: Array
    shares: Array
    per_entity: float


class Rare(NamedTuple):
    """At which looks the event-arm test fires, by how much the worse arm's rate is more at least, and 1 plus what may be.

    `low` is told at each segment's first alarm; 0 elsewhere.
    """

    fired: Array
    low: Array
    limit: Array


def rare(spec: GateSpec, cases: Cases, alpha: float, better: str = "lower") -> Rare:
    """Return [segment, look] whether a rare harm comes beyond what a rule allows, by whose first case falls in which arm.

    Given a case, chance alone puts it in an arm as often as traffic: exact however rare the harm is (event-arm test,
    RELEASE.md B.4). An entity is in one segment only, so that each segment's cases are those of its own entities.

    Args:
        spec: the rule; its margin is a share of the baseline's rate, or in shares of events.
        cases: the entities.
        alpha: the error that is left for one segment, over all looks.
        better: "higher" where the harm is that too few come: the baseline's rate over the candidate's is then too large.
    """
    split = ((cases.shares > 0) & (cases.shares < 1)).reshape(-1, cases.shares.shape[-1]).all(axis=0)
    first, entered, shares = cases.first[..., split, :], cases.entered[..., split, :], cases.shares[..., split]
    limit = 1 + _more_allowed(spec, Cases(first, entered, shares, cases.per_entity), better)
    if better == "higher":
        first, shares = first[..., ::-1], 1 - shares
    worse, calm, share = first[..., CANDIDATE], first[..., BASELINE], np.broadcast_to(shares, first.shape[:-1])
    fired = np.asarray(sequential.excess_evidence(worse, calm, share, limit) > np.log(1 / alpha))
    places = np.flatnonzero(fired.any(axis=-1))
    at = places, sequential.first_alarm(fired[places])
    low = np.zeros(fired.shape)
    low[at] = sequential.rate_ratio_least(worse[at], calm[at], share[at], alpha)
    return Rare(fired, low, limit)


def _more_allowed(spec: GateSpec, cases: Cases, better: str) -> Array:
    """Return by how much the ratio of rates may exceed 1, [segment, look].

    A margin in shares of events is put in relation to the baseline's own share by then: its entities with a case, of
    those that entered, over the events of an entity.
    """
    allowed = np.full(cases.first.shape[:2], float(spec.margin or 0.0))
    if spec.unit != "rel":
        base = (cases.first[..., BASELINE].sum(-1) + 1.0) / (cases.entered[..., BASELINE].sum(-1) + 1.0)
        allowed = allowed * cases.per_entity / base
    return np.asarray(allowed / np.maximum(1 - allowed, 1e-9) if better == "higher" else allowed)


def uneven(entities: Array, shares: Array, alpha: float) -> Array:
    """Return [look] whether the split of entities [look, ramp step, arm] is proven not to be the planned one."""
    planned = np.stack([1 - floats(shares), floats(shares)], axis=-1)
    used = planned.min(axis=-1) > 0  # at a share of 0 or 1 there is nothing to split
    return np.asarray(sequential.split_evidence(entities[..., used, :], planned[used]) > np.log(1 / alpha))

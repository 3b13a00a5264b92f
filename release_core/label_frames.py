"""The shapes of what is known of labels: which events have one, when they came, how cohorts develop.

Axes are named in the order in which they stand, as in frames.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from release_core.frames import Array, Grid


@dataclass(frozen=True, eq=False)
class Coverage:
    """Which events have labels: counts and amounts [version, bin, action taken] on a coarse grid.

    `mature` counts the events that are past their maturity, `silent` the negative ones of which silence tells;
    `weight` and `weight2` sum the inverse label propensities and their squares over the `weighted` labelled events
    that have one.
    """

    grid: Grid
    actions: tuple[str, ...]
    events: Array
    mature: Array
    positive: Array
    negative: Array
    silent: Array
    amount: Array
    positive_amount: Array
    weighted: Array
    weight: Array
    weight2: Array


@dataclass(frozen=True, eq=False)
class Arrivals:
    """When something came to be known of events: `happened` [action taken, entry], `arrived` [action taken, entry, age].

    `entries` are the as-of steps at which events entered, in order; ages are whole days.
    """

    actions: tuple[str, ...]
    entries: tuple[int, ...]
    happened: Array
    arrived: Array


@dataclass(frozen=True, eq=False)
class Development:
    """What came to be known of events and when, in buckets of as-of steps counted back from the as-of (0 = newest).

    A group is the events with the same action taken for which the same versions answer and of which they let pass the
    same: `taken` [group] (place in `actions`; -1 none), `wanted` [group, version] (0 approve, 1 another action, -1 none),
    `counted` [group, version] (whether the version answers for these events). `ends` [age] names the last as-of step of each
    bucket of events; `days` [lag] is the length of time in days by which every event of a bucket has surely passed a lag.
    `positive` and `negative` [group, age, lag] are labels by the buckets between event and label, less those that were
    taken back; `scores` [version, group, age] sum all events' scores; `labelled` [label, version, group, age] those of
    known negatives and positives; amounts are in the currency. Several segments at once stand in an axis of their own before
    that of the groups, which then are those that occur in any of them.
    """

    actions: tuple[str, ...]
    taken: Array
    wanted: Array
    counted: Array
    ends: tuple[int, ...]
    days: Array
    events: Array
    positive: Array
    negative: Array
    amounts: Array
    positive_amounts: Array
    scores: Array
    labelled: Array

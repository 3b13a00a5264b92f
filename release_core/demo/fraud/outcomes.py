"""Events with the action that each met in, what is learned of them later, and when, out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from release_core.demo.fraud.decide import APPROVE, BLOCK, REVIEW
from release_core.demo.fraud.population import SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release_core.demo.fraud.population import Events

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

KINDS = (
    "chargeback",
    "confirmed_fraud",
    "review_result",
    "cardholder_answer",
    "complaint",
    "support_contact",
    "conversion",
    "retained",
    "resolved",
)
VALUES = ("fraud", "legit", "reversed", "yes", "no", "")
FRAUD, LEGIT, REVERSED, YES, NO, NOTHING = range(len(VALUES))
# Median days until a chargeback by surface (web, app, phone, store), and by how much markets differ: long tails to months.
CHARGEBACK_DAYS = np.array([16.0, 12.0, 25.0, 9.0])
MARKET_PACE = np.array([1.0, 0.9, 1.1, 1.0, 1.2, 1.3, 0.8, 1.1, 1.5, 1.4, 0.7, 0.8])
TAIL = 0.9
# Shares of fraud that comes back as a chargeback or is confirmed by the customer; the rest is never told.
CHARGED_BACK, CONFIRMED = 0.85, 0.12
# Cardholders are asked about every blocked payment; so many answer, whatever the truth is, and truthfully.
ANSWERED = 0.7
# Of the events that would be blocked so many are approved at random; and how often the truth of one that would be becomes known.
HOLD_OUT = 0.02
SEEN = HOLD_OUT + (1 - HOLD_OUT) * ANSWERED
DISPUTED, DISPUTED_REVERSED = 0.0006, 0.8
# What analysts decline: of frauds, of frauds on the list (they look like new customers), of legitimate events.
CAUGHT, LISTED_CAUGHT, WRONGLY_DECLINED = 0.75, 0.05, 0.03
# Of legitimate customers, by action (approve, review, block): who completes the order, who complains, who calls.
CONVERTED = np.array([0.965, 0.85, 0.0, 0.0])
COMPLAINED = np.array([0.0008, 0.006, 0.05, 0.0])
CALLED = np.array([0.002, 0.03, 0.12, 0.0])
RETAINED = np.array([0.90, 0.86, 0.62, 0.0])
ASKED_RETAINED, RETENTION_DAYS = 0.25, 30.0


@dataclass
class Told:
    """Outcomes under construction: place of the event, kind, value, seconds from the release's first event.

    `passed` tells which events went through in the end: approved, or reviewed and not declined.
    """

    passed: Mask
    event: list[NDArray[np.int64]] = field(default_factory=list)
    kind: list[NDArray[np.int8]] = field(default_factory=list)
    value: list[NDArray[np.int8]] = field(default_factory=list)
    moment: list[Array] = field(default_factory=list)

    def add(self, kind: str, where: Mask, value: int | NDArray[np.int8], moment: Array) -> None:
        """Add an outcome of every event in `where`; `value` and `moment` hold one entry per event, or one for all."""
        places = np.flatnonzero(where)
        self.event.append(places)
        self.kind.append(np.full(len(places), KINDS.index(kind), np.int8))
        self.value.append(np.broadcast_to(np.asarray(value, np.int8), where.shape)[places])
        self.moment.append(moment[places])

    def until(self, end: float) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int8], Array]:
        """Return (event, kind, value, moment) of all that was known by `end`, in order of time."""
        event, moment = np.concatenate(self.event), np.concatenate(self.moment)
        kind, value = np.concatenate(self.kind), np.concatenate(self.value)
        order = np.lexsort((kind, event, moment))
        order = order[moment[order] <= end]
        return event[order], kind[order], value[order], moment[order]


def tell(rng: np.random.Generator, events: Events, taken: NDArray[np.int8], served: Mask, *, live: bool) -> Told:
    """Return the outcomes of events by the action that took effect; a blocked event never gets a chargeback.

    `served` tells which review cases an analyst really looked at. Conversion, complaints, support and retention are
    known of live stages only.
    """
    told = Told((taken == APPROVE) | (taken == REVIEW))
    _reviewed(rng, told, events, taken, served)
    _charged_back(rng, told, events, taken)
    if live:
        _customers(rng, told, events, taken)
    return told


def _days(rng: np.random.Generator, n: int, median: float | Array, tail: float) -> Array:
    return median * np.exp(tail * rng.normal(size=n)) * SECONDS


def _reviewed(rng: np.random.Generator, told: Told, events: Events, taken: NDArray[np.int8], served: Mask) -> None:
    """Tell what analysts found, within hours, and stop what they decline."""
    n, luck = len(taken), rng.random(len(taken))
    looked = (taken == REVIEW) & served
    declined = luck < np.where(events.fraud, np.where(events.listed, LISTED_CAUGHT, CAUGHT), WRONGLY_DECLINED)
    moment = events.time + _days(rng, n, 0.12, 0.8)
    told.add("review_result", looked, np.where(declined, FRAUD, LEGIT).astype(np.int8), moment)
    told.passed &= ~(looked & declined)


def _charged_back(rng: np.random.Generator, told: Told, events: Events, taken: NDArray[np.int8]) -> None:
    n, luck, passed = len(taken), rng.random(len(taken)), told.passed
    pace = CHARGEBACK_DAYS[events.codes["surface"]] * MARKET_PACE[events.codes["market"]]
    moment = events.time + SECONDS + _days(rng, n, pace, TAIL)
    told.add("chargeback", passed & events.fraud & (luck < CHARGED_BACK), NOTHING, moment)
    disputed = passed & ~events.fraud & (luck < DISPUTED)
    told.add("chargeback", disputed, NOTHING, moment)
    told.add(
        "chargeback", disputed & (luck < DISPUTED * DISPUTED_REVERSED), REVERSED, moment + _days(rng, n, 20.0, 0.4)
    )
    called = passed & events.fraud & (luck >= CHARGED_BACK) & (luck < CHARGED_BACK + CONFIRMED)
    told.add("confirmed_fraud", called, NOTHING, events.time + _days(rng, n, 6.0, 0.8))
    answered = (taken == BLOCK) & (rng.random(n) < ANSWERED)
    said = np.where(events.fraud, FRAUD, LEGIT).astype(np.int8)
    told.add("cardholder_answer", answered, said, events.time + _days(rng, n, 2.5, 0.9))


def _customers(rng: np.random.Generator, told: Told, events: Events, taken: NDArray[np.int8]) -> None:
    n, honest = len(taken), ~events.fraud
    wait = np.where(taken == REVIEW, 0.2, 0.01)
    bought = told.passed & (rng.random(n) < np.where(events.fraud, 0.98, CONVERTED[taken]))
    told.add("conversion", bought, NOTHING, events.time + _days(rng, n, wait, 0.6))
    for kind, chances, median in (("complaint", COMPLAINED, 2.0), ("support_contact", CALLED, 0.5)):
        spoke = honest & (rng.random(n) < chances[taken])
        moment = events.time + _days(rng, n, median, 0.8)
        told.add(kind, spoke, NOTHING, moment)
        told.add("resolved", spoke & (rng.random(n) < 0.92), NOTHING, moment + _days(rng, n, 1.5, 0.7))
    asked = honest & (rng.random(n) < ASKED_RETAINED)
    stays = np.where(rng.random(n) < RETAINED[taken], YES, NO).astype(np.int8)
    told.add("retained", asked, stays, events.time + RETENTION_DAYS * SECONDS + _days(rng, n, 1.0, 0.5))

"""A stage and a range of its events in; who buys what, where and when, and what is truly fraud, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from release_core.demo.fraud.plan import HOURS
from release_core.demo.mixing import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release_core.demo.fraud.plan import Span

    Array = NDArray[np.float64]

SECONDS = 86_400.0
EVENTS_PER_CUSTOMER = 6
# Values of each segment dimension: their share of customers (of events, for surfaces), and how much riskier they are.
MARKETS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "BR", "MX", "JP", "SE")
SURFACES = ("web", "app", "phone", "store")
TIERS = ("low", "medium", "elevated", "high")
COHORTS = ("new", "growing", "settled", "loyal", "returning")
SHARES: dict[str, tuple[float, ...]] = {
    "market": (0.18, 0.14, 0.13, 0.11, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02),
    "surface": (0.40, 0.35, 0.10, 0.15),
    "risk_tier": (0.45, 0.30, 0.17, 0.08),
    "cohort": (0.15, 0.20, 0.32, 0.25, 0.08),
}
RISK: dict[str, tuple[float, ...]] = {
    "market": (1.0, 0.9, 0.8, 0.95, 1.3, 1.1, 0.75, 0.9, 1.5, 1.4, 0.7, 0.8),
    "surface": (1.2, 0.75, 1.5, 0.75),
    "risk_tier": (0.45, 0.95, 1.8, 3.0),
    "cohort": (2.6, 1.0, 0.75, 0.55, 1.5),
}
NAMES = {"market": MARKETS, "surface": SURFACES, "risk_tier": TIERS, "cohort": COHORTS}
DIMS = tuple(NAMES)
BASE_RATE = 0.0077
# Amounts: log-normal, between customers and within one; risk grows with this power of the amount.
AMOUNT_LEVEL, BETWEEN, WITHIN, AMOUNT_POWER = 3.6, 0.7, 0.6, 0.35
# The other two mechanisms: terminals compromised and cards leaked for a week, as a share of weeks, and how risky that is.
TERMINALS, COMPROMISED, TERMINAL_RISK = 20_000, 0.004, 25.0
LEAKED, LEAK_RISK = 0.003, 35.0
# The list that policies look at: the share of a cohort that is on it, how risky a hit is, and how much larger its frauds.
LISTED, LISTED_NEW, LIST_RISK, LIST_AMOUNT = 0.003, 0.05, 40.0, 2.0
# Working-hours rhythm, midnight to midnight, and Monday to Sunday.
BY_HOUR = np.array([2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 14, 14, 13, 13, 13, 14, 15, 16, 15, 13, 10, 7, 4], float)
BY_DAY = np.array([1.0, 0.97, 0.98, 1.02, 1.15, 1.1, 0.85])
KEEPS_SURFACE = 0.7
# No chance of fraud exceeds the cap; the others make up for what it takes away.
CAP, MADE_UP = 0.9, 1.05


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one stage, in order of time: `time` in seconds from the release's first event, dimensions as codes.

    `prior` is the chance of fraud that the visible columns tell; `fraud` the truth; `why` the mechanism that dominates:
    0 amount, 1 terminal, 2 card.
    """

    first: int
    time: Array
    customer: NDArray[np.uint64]
    codes: dict[str, NDArray[np.int8]]
    amount: Array
    listed: NDArray[np.bool_]
    device: NDArray[np.int8]
    prior: Array
    fraud: NDArray[np.bool_]
    why: NDArray[np.int8]

    def matches(self, where: dict[str, str]) -> NDArray[np.bool_]:
        """Return which events lie in a segment; `velocity_list` may be a condition too."""
        found = np.ones(len(self.time), bool)
        for dim, value in where.items():
            found &= self.listed if dim == "velocity_list" else self.codes[dim] == NAMES[dim].index(value)
        return found


def draw(
    rng: np.random.Generator, span: Span, events: tuple[int, int, int], size: int, listed_new: float = LISTED_NEW
) -> Events:
    """Return the events numbered `events[0]` to `events[1]` of a stage with `events[2]` in all, in a release of `size`.

    `listed_new` of the new customers' events are on the list; the more are, the riskier new customers are on average.
    """
    first, last, total = events
    n = last - first
    time = clock(span, (np.arange(first, last) + rng.random(n)) / total)
    customers = max(size // EVENTS_PER_CUSTOMER, 1)
    customer = (customers * rng.random(n) ** 1.6).astype(np.uint64)
    codes = {dim: _code(SHARES[dim], uniform(customer, salt)) for salt, dim in enumerate(DIMS, 11)}
    moves = rng.random(n) > KEEPS_SURFACE
    codes["surface"] = np.where(moves, _code(SHARES["surface"], rng.random(n)), codes["surface"])
    level = BETWEEN * ndtri(np.clip(uniform(customer, 21), 1e-9, None)) + WITHIN * rng.normal(size=n)
    listed = rng.random(n) < np.where(codes["cohort"] == 0, listed_new, LISTED)
    usual = _by_list(codes["cohort"], listed_new)
    prior = _prior(codes, level) * usual / _by_list(codes["cohort"], LISTED_NEW)
    raised, why = _mechanisms(rng, customer, time, listed, usual)
    fraud = rng.random(n) < np.minimum(MADE_UP * prior * raised, CAP)
    device = _code((0.9, 0.07, 0.03), rng.random(n))
    amount = np.round(np.exp(AMOUNT_LEVEL + level) * np.where(fraud & listed, LIST_AMOUNT, 1.0), 2)
    return Events(first, time, customer, codes, amount, listed, device, prior, fraud, why)


def clock(span: Span, shares: Array) -> Array:
    """Return the instants, in seconds from the release's first event, by which these shares of a stage's traffic have come."""
    hour = np.arange(round(span.days * HOURS))
    start = round(span.start * HOURS)
    weight = BY_HOUR[(start + hour) % HOURS] * BY_DAY[(start + hour) // HOURS % 7]
    done = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    return span.start * SECONDS + np.interp(shares, done, np.arange(len(done)) * 3600.0)


def _code(shares: tuple[float, ...], draws: Array) -> NDArray[np.int8]:
    ends = np.cumsum(shares)
    return np.searchsorted(ends[:-1] / ends[-1], draws, side="right").astype(np.int8)


def _prior(codes: dict[str, NDArray[np.int8]], level: Array) -> Array:
    spread = AMOUNT_POWER**2 * (BETWEEN**2 + WITHIN**2)
    prior = BASE_RATE * np.exp(AMOUNT_POWER * level - spread / 2)
    for dim in DIMS:
        prior *= np.array(RISK[dim])[codes[dim]]
    return np.minimum(prior, 0.5)


def _by_list(cohort: NDArray[np.int8], listed_new: float) -> Array:
    """Return by how much the list raises the chance of fraud of a cohort's average event."""
    return 1 + (LIST_RISK - 1) * np.where(cohort == 0, listed_new, LISTED)


def _mechanisms(
    rng: np.random.Generator,
    customer: NDArray[np.uint64],
    time: Array,
    listed: NDArray[np.bool_],
    usual: Array,
) -> tuple[Array, NDArray[np.int8]]:
    """Return by how much the hidden causes and the list raise the chance of fraud, 1 on average, and what dominates."""
    week = (time // (7 * SECONDS)).astype(np.uint64)
    terminal = rng.integers(0, TERMINALS, len(time)).astype(np.uint64)
    compromised = uniform(terminal * np.uint64(4096) + week, 31) < COMPROMISED
    leaked = uniform(customer * np.uint64(4096) + week, 32) < LEAKED
    hidden = (1 + TERMINAL_RISK * compromised + LEAK_RISK * leaked) / (
        1 + TERMINAL_RISK * COMPROMISED + LEAK_RISK * LEAKED
    )
    why = np.where(leaked, 2, np.where(compromised, 1, 0)).astype(np.int8)
    return hidden * np.where(listed, LIST_RISK, 1.0) / usual, why

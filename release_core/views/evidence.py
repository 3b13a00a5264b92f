"""A choice and a metric in; what is known of every slice of up to three dimensions, and what each is worth a day, out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core.charts import digits
from release_core.cube import REPLAY_SET
from release_core.cube.customers import counted
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.gates.judge import ENOUGH_POSITIVES, LEAST_POSITIVES
from release_core.memory import of_cube
from release_core.metrics import harm
from release_core.release import ACTIONS
from release_core.stats import intervals
from release_core.stats.arrays import ratio
from release_core.views.view import segment_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array, Slices
    from release_core.metrics.harm import Change, Measure
    from release_core.views.view import View

    Row = dict[str, Any]

LEAST_SHARE = 0.01
WORTH = ("events_per_day", "differ_per_day", "missed_per_day", "money_per_day", "money_low", "money_high")


class Money(NamedTuple):
    """What tells the worth of slices: the measure of expected cost (None: no costs are declared), what widens its variance, days."""

    measure: Measure | None
    clustering: float
    days: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of every slice within a choice: arrays [slice] on the metric's own scale, `halves` [slice, half].

    `clustering` widens variances; `large` flags what is large enough to be tried; `money` tells what slices are worth.
    """

    measure: Measure
    slices: Slices
    change: Change
    halved: Callable[[], Change]
    clustering: float
    large: Array
    n: Array
    positives: Array
    money: Money

    @cached_property
    def halves(self) -> Change:
        """Return the change in each half of the customers, [slice, half]; only a search asks for it."""
        return self.halved()

    @property
    def se(self) -> Array:
        """Return the standard error of each change."""
        return self.change.se * np.sqrt(self.clustering)

    @property
    def df(self) -> Array:
        """Return the degrees of freedom of each change."""
        return self.change.df(self.clustering)

    def bounds(self, confidence: float, sides: int = 2) -> tuple[Array, Array]:
        """Return the interval of each change."""
        low, high = intervals.interval(self.change.difference, self.se, self.df, confidence, sides)
        return low, high


@of_cube(8)
def evidence(view: View, metric: str) -> Evidence | None:
    """Return what is known of every slice; None where no event meets the choice.

    Raises:
        KeyError: the metric is none of `searchable`.
    """
    release, cube = view.release, view.opened.cube
    measure, found = harm.measures(release)[metric], cube.slices(view.stage, view.step, view.where)
    if not len(found.conditions):
        return None
    counts = _events(found)
    n = counts[..., POSITIVE] + counts[..., NEGATIVE] if measure.labels else counts[..., EVERYONE]
    return Evidence(
        measure,
        found,
        harm.change(measure, found, release),
        lambda: harm.change(measure, found, release, halves=True),
        _clustering(_wide(view), measure.name),
        _large(measure, n, counts[..., POSITIVE]),
        n.sum(1),
        counts[..., POSITIVE].sum(1),
        _money(view),
    )


def _wide(view: View) -> View:
    """Return the view with the replay set alone as its filter."""
    return replace(view, where=tuple(pair for pair in view.where if pair[0] == REPLAY_SET))


def _money(view: View) -> Money:
    days = view.days
    if view.release.costs is None:
        return Money(None, 1.0, days)
    return Money(harm.measures(view.release)[harm.COST], _clustering(_wide(view), harm.COST), days)


@of_cube(64)
def _clustering(view: View, metric: str) -> float:
    """Return by how much customers with several events widen variances, over all events of a stage (and replay set)."""
    return harm.clustering(harm.measures(view.release)[metric], view.cells(), view.release)


def _events(found: Slices) -> Array:
    """Return events by population, [slice, half, population]; in live stages those of the smaller arm."""
    n = found.measures("n")
    counted: Array = n.sum((2, 3)) if found.paired else n.sum(3).min(2)
    return counted


def _large(measure: Measure, n: Array, positives: Array) -> Array:
    """Return which slices can be tried: 1% of the events, and, where labels speak, 30 positives, 5 of them in each half."""
    share = n.sum(1) >= LEAST_SHARE * n[0].sum()
    if not measure.labels:
        return np.asarray(share & (n > 0).all(1))
    return np.asarray(share & (positives.sum(1) >= ENOUGH_POSITIVES) & (positives >= LEAST_POSITIVES).all(1))


def worth_of(view: View, found: Slices, money: Money) -> dict[str, Array]:
    """Return what each slice means a day: events, events on which the versions differ, missed amount, money."""
    sums, bad = found.measures("n").sum(1), found.measures("amount").sum(1)[..., POSITIVE]
    days = money.days or np.nan
    approve = [n for n, action in enumerate(found.actions) if action == ACTIONS[0]]
    events = sums[..., EVERYONE].sum((1, 2)) / days
    differ = np.full(len(sums), np.nan)
    if found.paired:
        differ = events - np.trace(sums[..., EVERYONE], axis1=1, axis2=2) / days
        passed = [bad[:, approve].sum((1, 2)), bad[:, :, approve].sum((1, 2))]
        missed = (passed[1] - passed[0]) / days
    else:
        # Each arm is scaled to all events: what it would miss if its version acted on everything.
        passed = [ratio(bad[:, v][:, approve].sum(1), sums[:, v, :, EVERYONE].sum(1)) for v in range(2)]
        missed = (passed[1] - passed[0]) * events
    told = {"events_per_day": events, "differ_per_day": differ, "missed_per_day": missed}
    if money.measure is None:
        return told | dict.fromkeys(("money_per_day", "money_low", "money_high"), np.full(len(sums), np.nan))
    cost = harm.change(money.measure, found, view.release)
    low, high = intervals.interval(cost.difference, cost.se * np.sqrt(money.clustering), cost.df(money.clustering))
    return told | {
        "money_per_day": cost.difference * events,
        "money_low": low * events,
        "money_high": high * events,
    }


NO_WORTH: Row = dict.fromkeys(WORTH)


@of_cube(64)
def worth(view: View, by: tuple[str, ...] = ()) -> dict[str, Row]:
    """Return by segment key what each segment of a split with events means a day, see `WORTH`; without one, of the choice."""
    cells = view.cells(*by)
    found = harm.segments_of(cells)
    rows, events = worth_rows(view, found, _money(view)), found.measures("n")[..., EVERYONE].sum((1, 2, 3))
    return {segment_key(segment): rows[n] for n, segment in enumerate(cells.segments) if events[n]}


def worth_rows(view: View, found: Slices, money: Money) -> list[Row]:
    """Return what each slice means a day as rows, None where it is not known."""
    columns = [np.where(np.isfinite(one), one, np.nan).tolist() for one in worth_of(view, found, money).values()]
    return [
        {name: None if math.isnan(value) else value for name, value in zip(WORTH, values, strict=True)}
        for values in zip(*columns, strict=True)
    ]


def customers(view: View, slices: Sequence[Mapping[str, str]]) -> list[str | None]:
    """Return how many customers each slice has, as of the choice, in words; None where the logs name none."""
    found = counted(view.opened.cube, view.stage, view.step, [tuple(where.items()) for where in slices])
    return [
        None if one is None else digits.count(one.n) if one.exact else f"about {digits.number(one.n, 2)}"
        for one in found
    ]


def daily(row: Row, currency: str = "") -> dict[str, str]:
    """Return what a slice means a day, in words; nothing of what is not known."""
    found = {}
    if row.get("customers") is not None:
        found["Customers"] = row["customers"]
    if row["events_per_day"] is not None:
        found["Events a day"] = digits.number(row["events_per_day"], 2)
    if row["differ_per_day"] is not None:
        found["Acted on differently"] = f"{digits.number(row['differ_per_day'], 2)} a day"
    if row["money_per_day"] is not None:
        word = "dearer" if row["money_per_day"] > 0 else "cheaper"
        ends = sorted(abs(row[end]) for end in ("money_low", "money_high")) if _sure(row) else ()
        reach = f" ({digits.count(ends[0])} to {digits.count(ends[1])})" if ends else " (may be chance)"
        found["Money"] = f"{digits.count(abs(row['money_per_day']))} {currency} a day {word}{reach}".replace("  ", " ")
    if row["missed_per_day"]:
        word = "more" if row["missed_per_day"] > 0 else "less"
        found["Bad amount missed"] = f"{digits.count(abs(row['missed_per_day']))} {currency} a day {word}".replace(
            "  ", " "
        )
    return found


def _sure(row: Row) -> bool:
    low, high = row["money_low"], row["money_high"]
    return low is not None and high is not None and low * high > 0

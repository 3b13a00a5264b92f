"""The columns that several pages' tables share, and how rows of numbers are written into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pages.frame.show import Column
from release_core.charts import digits

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

GATES = (
    Column("Verdict", "verdict", verdict=True),
    Column("Gate", "title"),
    Column("Worst segment, in numbers", "sentence", wide=True),
    Column("Judged", "judged", digits.count, number=True),
    Column("Failing", "failing", digits.count, number=True),
    Column("If it fails", "level"),
)
JUDGED = (
    Column("Verdict", "verdict", verdict=True),
    Column("Segment", "segment"),
    Column("Baseline", "shown_baseline", number=True),
    Column("Candidate", "shown_candidate", number=True),
    Column("Difference", "shown_difference", number=True),
    Column("Bounds used", "shown_bounds", number=True),
    Column("Events", "n", digits.count, number=True),
    Column("Bad", "positives", digits.count, number=True),
    Column("In words", "sentence", wide=True),
)
SEGMENTS = (
    Column("Verdict", "verdict", verdict=True),
    Column("Segment", "segment"),
    Column("Before → after", "shown_levels", number=True),
    Column("Change", "shown_both", number=True),
    Column("Pulled", "shown_shrunken", number=True),
    Column("Flag", "shown_flag"),
    Column("Provable", "shown_provable", number=True),
    Column("Needed", "shown_needed", number=True),
    Column("Events", "n", digits.count, number=True),
    Column("Bad", "positives", digits.count, number=True),
    Column("A day", "shown_daily", number=True),
    Column("Money a day", "shown_money", number=True),
)
COMPARED = (
    Column("Metric", "title"),
    Column("Baseline", "shown_baseline", number=True),
    Column("Candidate", "shown_candidate", number=True),
    Column("Change", "shown_both", number=True),
    Column("n", "n", digits.count, number=True),
)


def written(rows: Iterable[Row], units: dict[str, str]) -> list[Row]:
    """Return the rows with baseline, candidate, difference and bounds written in the unit of their metric."""
    return [row | _texts(row, units.get(row["metric"], "number")) for row in rows]


def together(rows: Iterable[Row], units: dict[str, str]) -> list[Row]:
    """Return the rows written as `written` does, with what only all segments together tell of each, and its money."""
    return [row | _beside(row, units.get(row["metric"], "number")) for row in written(rows, units)]


def _beside(row: Row, unit: str) -> Row:
    sides = [digits.level(row[side], unit) for side in ("baseline", "candidate") if row.get(side) is not None]
    return {
        "shown_levels": " → ".join(sides),
        "shown_shrunken": _pulled(row, unit),
        "shown_flag": "worse" if row["flag"] else "",
        "shown_provable": digits.difference(row["provable"], unit).lstrip("+") if row["provable"] is not None else "",
        "shown_needed": digits.count(row["needed"]) if row["needed"] is not None else "",
        "shown_daily": digits.number(row["events_per_day"], 2) if row["events_per_day"] is not None else "",
        "shown_money": digits.signed(round(row["money_per_day"], 2)) if row["money_per_day"] is not None else "",
    }


def _pulled(row: Row, unit: str) -> str:
    if row["shrunken"] is None:
        return ""
    return digits.both(row["shrunken"], row["shrunken_low"], row["shrunken_high"], unit)


def _texts(row: Row, unit: str) -> Row:
    if row.get("difference") is None and row.get("candidate") is None:
        empty = dict.fromkeys(("shown_baseline", "shown_candidate", "shown_difference", "shown_bounds"), "")
        return empty | {"shown_both": digits.NOT_KNOWN}
    both = digits.both(row.get("difference"), row.get("low"), row.get("high"), unit)
    change, bounds = both.partition("\n")[0], digits.interval(row.get("low"), row.get("high"), unit)
    return {
        "shown_both": both,
        "shown_baseline": digits.level(row.get("baseline"), unit) if row.get("baseline") is not None else "",
        "shown_candidate": digits.level(row.get("candidate"), unit) if row.get("candidate") is not None else "",
        "shown_difference": change,
        "shown_bounds": bounds,
    }


def selection(*, ranges: bool, weighted: bool) -> tuple[Column, ...]:
    """Return the columns of quality numbers whose outcomes are partly unseen: ranges and weighted numbers where there are any."""
    plain = (
        Column("Metric", "title"),
        Column("Candidate", "seen", number=True),
        Column("Change", "change", number=True),
    )
    between = (
        Column("Candidate lies between", "range", number=True),
        Column("Change lies between", "change_range", number=True),
    )
    weights = (
        Column("Candidate, weighted", "weighted_candidate", number=True),
        Column("Change, weighted", "weighted_change", number=True),
        Column("Effective events", "effective_n", number=True),
        Column("Weights capped at 20", "capped_candidate", number=True),
        Column("Cap moves it by", "moved", number=True),
    )
    return (*plain, *(between if ranges else ()), *(weights if weighted else ()))


def either_way(value: float | None) -> str:
    """Return half the width of an interval of a share, in points.

    >>> either_way(0.078)
    '±7.8 points'
    """
    return digits.NOT_KNOWN if value is None else f"±{100 * value:.1f} points"


def selected(rows: Iterable[Row]) -> list[Row]:
    """Return quality numbers with their intervals, ranges and weighted forms written in the unit of their metric."""
    return [row | _selected(row, row["unit"]) for row in rows]


def _selected(row: Row, unit: str) -> Row:
    def two(name: str, *, change: bool = False) -> str:
        value, low, high = (row.get(name + end) for end in ("", "_low", "_high"))
        return digits.both(value, low, high, unit, of_difference=change)

    return {
        "seen": two("candidate"),
        "change": two("difference", change=True),
        "range": digits.interval(row["candidate_least"], row["candidate_most"], unit, of_difference=False)
        if "candidate_least" in row
        else "–",
        "change_range": digits.interval(row["difference_least"], row["difference_most"], unit)
        if "difference_least" in row
        else "–",
        "weighted_candidate": two("weighted") if "weighted" in row else "–",
        "weighted_change": two("weighted_difference", change=True) if "weighted" in row else "–",
        "effective_n": digits.count(row["effective"]) if "effective" in row else "–",
        "capped_candidate": digits.level(row["capped"], unit) if "capped" in row else "–",
        "moved": digits.difference(row["cap_bias"], unit) if "capped" in row else "–",
    }

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
SEGMENTS = tuple(column for column in JUDGED if column.key != "sentence")
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


def _texts(row: Row, unit: str) -> Row:
    if row.get("difference") is None and row.get("candidate") is None:
        empty = dict.fromkeys(("shown_baseline", "shown_candidate", "shown_difference", "shown_bounds"), "")
        return empty | {"shown_both": digits.NOT_KNOWN}
    change, bounds = (
        digits.difference(row.get("difference"), unit),
        digits.interval(row.get("low"), row.get("high"), unit),
    )
    return {
        "shown_both": f"{change}\n{bounds}" if row.get("low") is not None else change,
        "shown_baseline": digits.level(row.get("baseline"), unit) if row.get("baseline") is not None else "",
        "shown_candidate": digits.level(row.get("candidate"), unit) if row.get("candidate") is not None else "",
        "shown_difference": change,
        "shown_bounds": bounds,
    }

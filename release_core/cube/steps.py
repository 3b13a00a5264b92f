"""Instants in, step numbers out: the as-of clock of a release, in SQL and in Python.

A step number counts whole hours, blocks of hours, days, weeks or months since a fixed origin. An instant belongs to
the step in which it falls; a step ends one microsecond before the next begins. Fixed origins let
the cells of any two files add, whatever the release's first and last instant are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import gcd

from release_core.errors import NotFound, Problem

MOST_STEPS = 64
FOREVER = 2_000_000_000
# No step number of an hour, day, week or month before the year 2198 reaches this; its cube fits 64 bits.
LARGEST = 2_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
# 1970-01-01 was a Thursday; weeks begin on Monday.
WEEK_SHIFT = 3

# The calendar window in which events are counted together, by the unit of the steps.
COARSER = {"hour": "day", "day": "week", "week": "month", "month": "month"}


def named(unit: str, column: str) -> str:
    """Return the SQL expression of the name of a TIMESTAMP expression's day, week (its Monday) or month."""
    if unit == "week":
        return f"strftime(date_trunc('week', {column}), 'week of %Y-%m-%d')"
    return f"strftime({column}, '{'%Y-%m' if unit == 'month' else '%Y-%m-%d'}')"


def unit_of(steps: str | tuple[float, ...]) -> str:
    """Return the unit in which cells count time: a list of hours in the longest blocks, parts of a day, that all of them fill.

    >>> unit_of((6, 12, 36)), unit_of((24, 25)), unit_of((6, 7.5)), unit_of("week")
    ('6 hours', 'hour', 'hour', 'week')
    """
    if isinstance(steps, str):
        return steps
    whole = all(hours == round(hours) for hours in steps)
    hours = gcd(24, *(round(hours) for hours in steps)) if whole else 1
    return "hour" if hours == 1 else f"{hours} hours"


def block(unit: str) -> int:
    """Return how many hours a step of `unit` has; 0 for weeks and months."""
    return {"hour": 1, "day": 24, "week": 0, "month": 0}[unit] if unit in COARSER else int(unit.split(maxsplit=1)[0])


def coarser(unit: str) -> str:
    """Return the calendar window in which events are counted together."""
    return COARSER.get(unit, "day")


def sql(unit: str, column: str) -> str:
    """Return the SQL expression of the step number of a TIMESTAMP expression."""
    day = f"floor(epoch({column}) / 86400)::int"
    return {
        "day": day,
        "week": f"floor(({day} + {WEEK_SHIFT}) / 7)::int",
        "month": f"(year({column}) * 12 + month({column}) - 1)::int",
    }.get(unit) or f"floor(epoch({column}) / {3600 * block(unit)})::int"


def end(unit: str, step: int) -> datetime:
    """Return the last instant of a step, UTC.

    >>> end("month", 2005 * 12 + 6).isoformat()
    '2005-07-31T23:59:59.999999+00:00'
    """
    if unit == "month":
        year, month = divmod(step + 1, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC) - TICK
    if unit == "week":
        return EPOCH + timedelta(days=(step + 1) * 7 - WEEK_SHIFT) - TICK
    return EPOCH + timedelta(hours=(step + 1) * block(unit)) - TICK


def label(unit: str, step: int) -> str:
    """Return the name of a step's period: a month, a day, or a time."""
    form = {"month": "%Y-%m", "week": "%Y-%m-%d", "day": "%Y-%m-%d"}.get(unit, "%Y-%m-%d %H:%M")
    return end(unit, step).strftime(form)


def chosen(steps: str | tuple[float, ...], first: int, last: int) -> tuple[int, ...]:
    """Return the as-of steps between the first and the last step of the logs: at most 64, always with the last.

    A list of hours counts from the start of the block of hours (see `unit_of`) with the first event; other units are
    thinned evenly.

    >>> chosen("day", 0, 129)[-3:], len(chosen("day", 0, 129))
    ((123, 126, 129), 44)
    >>> chosen((6, 12, 24), 100, 120), chosen((6, 7), 100, 120)
    ((100, 101, 103, 120), (105, 106, 120))
    """
    if not isinstance(steps, str):
        listed = [first + round(hours / block(unit_of(steps))) - 1 for hours in steps]
        return (*(step for step in listed if step < last), last)
    every = -(-(last - first + 1) // MOST_STEPS)
    return tuple(reversed(range(last, first - 1, -every)))


def parse(text: str) -> datetime:
    """Return the instant that an as-of text means: ISO 8601, UTC without a zone, a bare date is the end of that day.

    >>> parse("2005-07-31").isoformat()
    '2005-07-31T23:59:59.999999+00:00'

    Raises:
        NotFound: the text is no ISO 8601 time.
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NotFound(
            Problem("as-of time", repr(text), "an ISO 8601 time such as 2026-03-31 or 2026-03-31T12:00Z", "Correct it.")
        ) from None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return instant + timedelta(days=1) - TICK if _bare_date(text) else instant


def _bare_date(text: str) -> bool:
    return ":" not in text and "T" not in text


def snap(unit: str, steps: tuple[int, ...], instant: datetime) -> int:
    """Return the last of `steps` that has ended by `instant`.

    Raises:
        NotFound: no step has ended by then.
    """
    ended = [step for step in steps if end(unit, step) <= instant]
    if not ended:
        raise NotFound(
            Problem(
                "as-of time",
                f"{instant:%Y-%m-%d %H:%M} UTC",
                f"{end(unit, steps[0]):%Y-%m-%d %H:%M} UTC or later, when the first step of this release ends",
                "Choose a later time.",
            )
        )
    return ended[-1]

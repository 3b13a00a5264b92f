"""Takes rehearsed rollbacks and gives them back as ledger records: when, how long, who."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from release_core.errors import LedgerError, Problem
from release_core.ledger.refusals import NAME_LIMIT, text_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from release_core.ledger.book import Ledger
    from release_core.ledger.chain import Record


@dataclass(frozen=True, slots=True)
class Drill:
    """A rehearsed rollback: the instant it began (ISO 8601, UTC where no zone is given) and its length in minutes."""

    at: str
    minutes: float
    who: str
    note: str = ""

    @property
    def began(self) -> datetime:
        """Return the instant at which the drill began, in UTC; raises ValueError if `at` is no time."""
        began = datetime.fromisoformat(self.at)
        return began.replace(tzinfo=UTC) if began.tzinfo is None else began.astimezone(UTC)


def record_drill(ledger: Ledger, release: str, drill: Drill, stage: str | None = None) -> Record:
    """Append a drill and return its record; raises LedgerError with every problem at once."""
    found = tuple(_problems(drill, ledger.clock()))
    if found:
        raise LedgerError(*found)
    stored = {**asdict(drill), "at": drill.began.isoformat(), "minutes": float(drill.minutes)}
    return ledger.append("drill", release, stage, stored)


def latest_drill(records: Sequence[Record], release: str) -> Drill | None:
    """Return the release's drill that began last, None if none was recorded."""
    return max(drills(records, release), key=lambda drill: drill.began, default=None)


def drills(records: Sequence[Record], release: str) -> list[Drill]:
    """Return the release's drills in the order in which they were recorded."""
    return [_read(record) for record in records if record.type == "drill" and record.release == release]


def _read(record: Record) -> Drill:
    stored: dict[str, Any] = record.content
    try:
        drill = Drill(**stored)
        drill.began  # noqa: B018 - a time that cannot be read is damage too
    except (TypeError, ValueError) as error:
        raise record.damage(f"a drill without its fields ({error})") from error
    return drill


def _problems(drill: Drill, now: datetime) -> Iterator[Problem]:
    yield from text_problems("who", drill.who, NAME_LIMIT)
    if drill.note:
        yield from text_problems("note", drill.note)
    if not math.isfinite(drill.minutes) or drill.minutes < 0:
        yield Problem("minutes", str(drill.minutes), "a length of 0 minutes or more", "Give the measured time.")
    try:
        began = drill.began
    except ValueError:
        yield Problem("at", drill.at, "a time such as 2026-01-31T14:00:00Z", "Say when the drill began.")
        return
    if began > now:
        yield Problem("at", drill.at, f"a time before {now:%Y-%m-%dT%H:%M:%SZ}", "Record a drill after it was done.")

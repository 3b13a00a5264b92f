"""Open releases in, notices of fired stop rules out: one look at every live stage; what was told stays told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core import library, notify, review
from release_core.errors import ReleaseReviewError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from release_core.library import Opened
    from release_core.release import Stage
    from release_core.stops import Alarm

OUTBOX = "notices.json"


def look(opened: Opened) -> list[tuple[Stage, Alarm]]:
    """Return every alarm of the release's live stages as of its latest step, and tell those that were not told yet."""
    step = opened.cube.steps[-1]
    found = [(stage, alarm) for stage in opened.cube.stages() for alarm in review.alarms(opened, stage, step)]
    folder = library.cache_of(opened.release.folder)
    notify.tell([notice(opened.release.id, stage, alarm) for stage, alarm in found], folder / OUTBOX)
    return found


def notice(release: str, stage: Stage, alarm: Alarm) -> notify.Notice:
    """Return an alarm as others are told of it."""
    since = alarm.at.isoformat(timespec="seconds")
    return notify.Notice(release, str(stage), alarm.rule, alarm.place, since, alarm.action, alarm.sentence)


def every(names: Iterable[str]) -> None:
    """Look at the named releases, leaving out those that cannot be opened: their page says why."""
    for name in names:
        try:
            look(library.open_release(name))
        except ReleaseReviewError:
            continue

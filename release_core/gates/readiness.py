"""A rollback plan and its last rehearsal in; whether the way back is proven, and in words why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from release_core.release import Stage, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from release_core.release import Rollback

DAY = 86_400


class Rehearsal(NamedTuple):
    """A rollback that was tried out: when it began (UTC) and how many minutes it took."""

    began: datetime
    minutes: float


class Moment(NamedTuple):
    """When readiness is asked for: the stage, its first event, and the instant (both UTC)."""

    stage: Stage
    since: datetime
    at: datetime


def last(plan: Rollback, recorded: Rehearsal | None) -> Rehearsal | None:
    """Return the later of the drill that the manifest declares and the one that the ledger has."""
    declared = None if plan.drilled is None else Rehearsal(plan.drilled, plan.drill_minutes or 0.0)
    return max((one for one in (declared, recorded) if one is not None), default=None)


def age_days(drill: Rehearsal, at: datetime) -> float:
    """Return how old a drill is at an instant, in days; 0 for one that came later, since it speaks all the more."""
    return max((at - drill.began).total_seconds() / DAY, 0.0)


def readiness(plan: Rollback, recorded: Rehearsal | None, moment: Moment) -> tuple[Verdict, str]:
    """Return whether the way back is proven at a moment: rehearsed, fast enough, lately, and for canary in that stage.

    No rehearsal is NODATA; one that was too slow or is too old is FAIL; one from before the canary is INCONCLUSIVE.
    """
    drill = last(plan, recorded)
    if drill is None:
        return Verdict.NODATA, f"No rollback to {plan.target} was ever rehearsed, so the way back is not proven."
    took, age = f"{drill.minutes:g} minutes", age_days(drill, moment.at)
    when = (
        f"{drill.began:%Y-%m-%d %H:%M} UTC, {age:.0f} days before" if age >= 1 else f"{drill.began:%Y-%m-%d %H:%M} UTC"
    )
    if plan.max_minutes is not None and drill.minutes > plan.max_minutes:
        limit = f"at most {plan.max_minutes:g} allowed"
        return Verdict.FAIL, f"The last rehearsed rollback ({when}) took {took}; {limit}."
    if plan.drill_max_age_days is not None and age > plan.drill_max_age_days:
        limit = f"at most {plan.drill_max_age_days:g} days allowed"
        return Verdict.FAIL, f"The last rehearsed rollback is {age:.0f} days old ({drill.began:%Y-%m-%d}); {limit}."
    if moment.stage is Stage.CANARY and drill.began < moment.since:
        began = f"before the canary began on {moment.since:%Y-%m-%d}"
        return Verdict.INCONCLUSIVE, f"The last rehearsed rollback ({when}) was {began}; rehearse it in this stage."
    return Verdict.PASS, f"The rollback to {plan.target} was rehearsed ({when}) and took {took}."

"""Events and outcomes in, stretches of time out: since when and until when an event carried which label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_core.cube import steps
from release_core.cube.encode import Bound

if TYPE_CHECKING:
    from release_core.release import LabelRules, OutcomeMatch


# What stands for a label where there is none: an event, and an event that silence makes negative once it is settled.
EVENT, QUIET = -1, -2
# An outcome came within so many hours of its event: the ages at which arms are compared. Later ones are "later".
WITHIN = (1, 6, 12, 24, 48, 72, 120, 168, 240, 336, 504, 720, 1080, 1440, 2160, 4320)
LATER = 1_000_000
# Values by which an outcome says that something did not happen.
DENIALS = ("false", "no", "0")


def label(rules: LabelRules, bound: Bound) -> str:
    """Return SQL for the label that an outcome row gives: 1, 0, or null where no rule speaks of it.

    A rule that names a value goes before one that takes any: "chargeback=reversed" is an exception to "chargeback".
    """
    cases = [
        f"when {_matches(tuple(rule for rule in found if (rule.value is None) is anything), bound)} then {value}"
        for anything in (False, True)
        for value, found in ((1, rules.positive), (0, rules.negative))
    ]
    return f"case {' '.join(cases)} else null end"


def _matches(rules: tuple[OutcomeMatch, ...], bound: Bound) -> str:
    tests = [
        f"(outcome = {bound.value(rule.outcome)}"
        + (f" and value = {bound.value(rule.value)})" if rule.value is not None else ")")
        for rule in rules
    ]
    return " or ".join(tests) or "false"


def stretches(rules: LabelRules, events: str, outcomes: str) -> tuple[str, dict[str, object]]:
    """Return the SQL of the stretches (row, label, since, until, settled, age) of a part's events, and its bound values.

    Label -1 is the event itself, from its entry for ever. Labels 0 and 1 say what its outcomes do: the latest matching
    one decides, at equal times positive wins, and silence speaks only where nothing else did before. An event of
    which nothing is ever told, where silence is negative, is one stretch of label -2: the event, and from `settled`
    on a negative as well. After an action whose outcome cannot be seen silence says nothing.
    `settled` is the step at which the event's own maturity is reached, `age` the event's age in whole days when
    the label became known (-1 for the event itself).
    """
    bound, since = Bound(), steps.sql(steps.unit_of(rules.steps), "moment")
    quiet = _speaks(rules, bound) if rules.silence == "negative" else "false"
    silence = (
        f"""
        select e.row, e.mature_time as moment, 0 as label
        from events as e semi join told on told.row = e.row
            anti join told as early on early.row = e.row and early.moment <= e.mature_time
        where {quiet}
        """
        if rules.silence == "negative"
        else "select 0::bigint as row, null::timestamp as moment, 0 as label where false"
    )
    return (
        f"""
with events as (select * from {events}),
told as (
    select * from (
        select e.row, o.observed_at as moment, {label(rules, bound)} as label
        from events as e join {outcomes} as o on o.event_id = e.event_id
        where o.observed_at >= e.event_time
    ) where label is not null
),
changes as (select row, moment, label from told union all ({silence})),
ordered as (
    select row, moment, label, {since} as since,
        coalesce(lead({since}) over (partition by row order by moment, label), {steps.FOREVER}) as until
    from changes
)
select row, if(({quiet}) and row not in (select row from told), {QUIET}, {EVENT}) as label,
    entry as since, {steps.FOREVER} as until, mature as settled, -1 as age from events
union all
select o.row, o.label, o.since, o.until, e.mature as settled,
    floor((epoch(o.moment) - epoch(e.event_time)) / 86400)::int as age
from ordered as o join events as e on e.row = o.row
where o.since < o.until
""",
        bound.params,
    )


def _speaks(rules: LabelRules, bound: Bound) -> str:
    """Return SQL for "silence speaks of this event": its outcome would have been seen, so that none means good."""
    unseen = ", ".join(bound.value(action) for action in rules.unobserved)
    return f"taken not in ({unseen})" if unseen else "true"


def kinds(rules: LabelRules, events: str, outcomes: str) -> str:
    """Return the SQL of when each kind of outcome first came to an event: (row, kind, since, age in whole days)."""
    return f"""
select row, kind, {steps.sql(steps.unit_of(rules.steps), "moment")} as since,
    floor((epoch(moment) - epoch(event_time)) / 86400)::int as age
from (
    select e.row, any_value(e.event_time) as event_time, o.outcome as kind, min(o.observed_at) as moment
    from {events} as e join {outcomes} as o on o.event_id = e.event_id
    where o.observed_at >= e.event_time group by e.row, o.outcome
)"""


def effects(rules: LabelRules, events: str, outcomes: str) -> tuple[str, dict[str, object]]:
    """Return the SQL of what came of events, (row, kind, since, within), and its bound values.

    A kind is an outcome, unless its value denies it, or "outcome=value" where a label rule names the value or the value
    is a denial; the first of its kind counts. `within` is the least of WITHIN hours in which it came.
    """
    bound = Bound()
    named = tuple(rule for rule in (*rules.positive, *rules.negative) if rule.value is not None)
    denied = f"lower(coalesce(value, '')) in ({', '.join(bound.value(word) for word in DENIALS)})"
    hours = " ".join(f"when hours < {within} then {within}" for within in WITHIN)
    unit = steps.unit_of(rules.steps)
    return (
        f"""
with told as (
    select e.row, e.event_time, o.observed_at, o.outcome, o.value
    from {events} as e join {outcomes} as o on o.event_id = e.event_id where o.observed_at >= e.event_time
), said as (
    select row, event_time, observed_at, outcome as kind from told where not {denied}
    union all
    select row, event_time, observed_at, outcome || '=' || value from told where {denied} or {_matches(named, bound)}
), first as (select row, kind, min(event_time) as event_time, min(observed_at) as moment from said group by row, kind)
select row, kind, since, case {hours} else {LATER} end as within from (
    select row, kind, {steps.sql(unit, "moment")} as since,
        floor((epoch(moment) - epoch(event_time)) / 3600)::int as hours from first
)""",
        bound.params,
    )

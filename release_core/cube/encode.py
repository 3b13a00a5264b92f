"""Good rows of a decisions log in, slim events out: bins, bands, actions, shard and steps of each event.

This is the one place where a score meets a bin or a cutoff; everything later only counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from release_core import worlds
from release_core.cube import steps
from release_core.release import CUTOFF_ACTIONS, SHARDS, VERSIONS
from release_core.store import quote

if TYPE_CHECKING:
    from release_core.release import Condition, CutoffTable, LabelRules, Release, Scale
    from release_core.worlds import World

# Bins per unit of log-odds: of one dimension, of two, and of the entity shards that only carry intervals.
FINE = 64
COARSE = 8
SHARDED = 4
CLIP = 1e-7
SCALED = 1_000_000_000
# Inverse propensities and their squares as whole numbers: sums over 1e7 events with propensities of 1e-4 fit 64 bits.
WEIGHTED, SQUARED = 1_000_000, 1_000
# Beyond this a weight is shown capped as well: a few events would carry the estimate (METHODS f4).
MOST_WEIGHT = 20
LONGEST_REASON = 80
LONGEST_ERROR = 40
# Bins of latency per doubling, from 2^-6 ms (16 microseconds) to 2^24 ms (nearly five hours); faster ones in bin 0.
PER_DOUBLING, FASTEST, SLOWEST = 16, -6, 24
MOST_JOINED = 128


@dataclass
class Bound:
    """SQL text under construction, with the values bound to it."""

    params: dict[str, object] = field(default_factory=dict)

    def value(self, value: object) -> str:
        """Return the placeholder of a newly bound value."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f"${name}"


def risk(scale: Scale, column: str) -> str:
    """Return SQL for the score on [0, 1], riskier is higher; the identity for probabilities."""
    if scale.name == "probability":
        return column if scale.riskier == "higher" else f"1 - {column}"
    span = scale.maximum - scale.minimum
    if scale.riskier == "higher":
        return f"({column} - {scale.minimum!r}::double) / {span!r}::double"
    return f"({scale.maximum!r}::double - {column}) / {span!r}::double"


def fine_bin(scale: Scale, column: str) -> str:
    """Return SQL for the finest bin of a score column: 1/64 of log-odds, or the score value itself (METHODS 0.9)."""
    score = risk(scale, column)
    if scale.levels is not None:
        return f"case when {column} is null then -1 else 1 + round({score} * {scale.levels - 1})::int end"
    half = 16 * FINE
    return (
        f"case when {column} is null then -1 when {score} <= 0 then 0 when {score} >= 1 then {2 * half + 1} "
        f"else least(greatest(1 + floor({FINE} * ln(({score}) / (1 - ({score}))))::int + {half}, 1), {2 * half}) end"
    )


def rolled_up(scale: Scale, fine: str, per_unit: int) -> str:
    """Return SQL for the bin of a coarser grid that a finest bin lies in; score values as bins are not rolled up."""
    if scale.levels is not None or per_unit == FINE:
        return fine
    return (
        f"case when {fine} < 1 then {fine} when {fine} > {32 * FINE} then {32 * per_unit + 1} "
        f"else 1 + ({fine} - 1) // {FINE // per_unit} end"
    )


def joined_bin(scale: Scale, fine: str) -> str:
    """Return SQL for the bin of the joint table of both scores: 1/4 of log-odds, or at most 128 groups of score values."""
    if scale.levels is None:
        return rolled_up(scale, fine, SHARDED)
    return f"if({fine} < 1, {fine}, 1 + ({fine} - 1) // {joined_levels(scale.levels)})"


def latency_bin(column: str) -> str:
    """Return SQL for the bin of a latency in milliseconds: 1/16 of a doubling each; -1 where it is not known."""
    least, most = FASTEST * PER_DOUBLING, SLOWEST * PER_DOUBLING
    place = f"floor({PER_DOUBLING} * log2(greatest({column}, 1e-9)))::int"
    return f"case when {column} is null then -1 else least(greatest({place}, {least}), {most}) - {least} end"


def joined_levels(levels: int) -> int:
    """Return how many score values share a bin of the joint table."""
    return -(-levels // MOST_JOINED)


def condition(test: Condition, bound: Bound) -> str:
    """Return SQL for one structured condition; a missing value satisfies is_missing only."""
    column = quote(test.column)
    if test.op == "is_missing":
        return f"({column} is null or {column}::varchar = '(missing)')"
    if test.op in {"in", "not_in"}:
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        listed = ", ".join(_compared(value, bound) for value in values)
        word = "in" if test.op == "in" else "not in"
        return f"coalesce({_side(test.column, values[0])} {word} ({listed}), false)"
    return f"coalesce({_side(test.column, test.value)} {test.op} {_compared(test.value, bound)}, false)"


def _side(column: str, value: object) -> str:
    name = quote(column)
    if isinstance(value, bool):
        return f"try_cast({name} as boolean)"
    return f"try_cast({name} as double)" if isinstance(value, int | float) else f"{name}::varchar"


def _compared(value: object, bound: Bound) -> str:
    placeholder = bound.value(value if isinstance(value, bool | str) else float(value))  # type: ignore[arg-type]
    return (
        f"{placeholder}::{'boolean' if isinstance(value, bool) else 'varchar' if isinstance(value, str) else 'double'}"
    )


def everything(tests: tuple[Condition, ...], bound: Bound) -> str:
    """Return SQL that holds where all conditions hold."""
    return " and ".join(condition(test, bound) for test in tests) or "true"


def cutoff(table: CutoffTable, action: str, bound: Bound) -> str:
    """Return SQL for the cutoff of `action` in force for an event: the most specific matching segment row wins."""
    rows = sorted((row for row in table.segments if action in dict(row.cutoffs)), key=lambda row: -len(row.where))
    cases = [
        f"when {' and '.join(f'{quote(dim)} = {bound.value(value)}' for dim, value in row.where)} "
        f"then {bound.value(float(dict(row.cutoffs)[action]))}::double"
        for row in rows
    ]
    default = dict(table.default).get(action)
    last = f"{bound.value(float(default))}::double" if default is not None else "null::double"
    return f"case {' '.join(cases)} else {last} end" if cases else last


def reached(scale: Scale, score: str, at: str) -> str:
    """Return SQL for "the score is at or beyond the cutoff", in the score's own unit and direction."""
    return f"coalesce({score} {'>=' if scale.riskier == 'higher' else '<='} {at}, false)"


def decided(release: Release, world: World, bound: Bound) -> str:
    """Return SQL for the action that the components of `world` prescribe; null where its score is not known."""
    score, table = f"{world.version}_score", release.tables[world.thresholds]
    rules = [
        f"when {everything(rule.when, bound)} then {bound.value(rule.action)}"
        for rule in release.policies[world.policy].rules
    ]
    bands = [
        f"when {reached(release.scale, score, cutoff(table, action, bound))} then '{action}'"
        for action in reversed(CUTOFF_ACTIONS)
    ]
    return f"case when {score} is null then null {' '.join(rules + bands)} else 'approve' end"


def reason(release: Release, version: str, bound: Bound) -> str:
    """Return SQL for the reason code of a version's action: the logged one, else that of the policy rule that decided."""
    rules = [
        f"when {everything(rule.when, bound)} then {bound.value(rule.reason)}"
        for rule in release.policies[release.bundle(version).policy].rules
    ]
    ruled = f"case when {version}_action is not null then '' {' '.join(rules)} else '' end"
    return f"left(coalesce({version}_reason, {ruled}), {LONGEST_REASON})"


def world_code(release: Release, bound: Bound) -> str:
    """Return SQL for the actions in all different worlds as one number: their places, counted from 1, as its digits."""
    digits = []
    for position, world in enumerate(worlds.different(release)):
        place = f"list_position({bound.value(list(release.actions))}::varchar[], {decided(release, world, bound)})"
        digits.append(f"coalesce({place}, 0)::bigint * {(len(release.actions) + 1) ** position}")
    return " + ".join(digits)


def band(release: Release, version: str, bound: Bound) -> str:
    """Return SQL for the registered cutoffs that a score reaches, as a bit mask in the order of `release.cutoff_ids`."""
    bits = []
    for position, name in enumerate(release.cutoff_ids):
        table, action = name.rsplit(".", 1)
        at = cutoff(release.tables[table], action, bound)
        bits.append(f"({reached(release.scale, f'{version}_score', at)})::int * {1 << position}")
    return " + ".join(bits) or "0"


def dimension_columns(release: Release) -> tuple[str, ...]:
    """Return the names that stand for the release's dimensions in slim events: d0, d1, ... in declared order."""
    return tuple(f"d{position}" for position in range(len(release.segments.all)))


def events(release: Release, source: str) -> tuple[str, dict[str, object]]:
    """Return the SQL that turns the table `source` of good rows into slim events, and its bound values."""
    bound, unit = Bound(), steps.unit_of(release.labels.steps)
    maturity = f"to_microseconds({round(release.labels.maturity_days * 86_400_000_000)}::bigint)"
    taken = f"case arm when '{VERSIONS[1]}' then {VERSIONS[1]}_action else {VERSIONS[0]}_action end"
    columns = [
        "row, event_id, event_time, stage, arm, ramp_step, replay_set, coalesce(entity_id, event_id) as entity_id",
        "entity_id is not null as clustered",
        *(
            f"{quote(dim)} as {name}"
            for dim, name in zip(release.segments.all, dimension_columns(release), strict=True)
        ),
        f"(('0x' || substr(md5(coalesce(entity_id, event_id)), 1, 2))::int % {SHARDS})::utinyint as shard",
        "('0x' || substr(md5(coalesce(entity_id, event_id)), 1, 15))::bigint as entity",
        f"{steps.sql(unit, 'event_time')} as entry, {steps.sql(unit, f'event_time + {maturity}')} as mature",
        f"event_time + {maturity} as mature_time",
        f"{steps.named(steps.coarser(unit), 'event_time')} as span",
        "coalesce(round(amount * 100), 0)::bigint as amount",
        "baseline_score is not null and candidate_score is not null as both_scored",
        *(column for version in VERSIONS for column in _version_columns(release, version, bound)),
        f"({world_code(release, bound)}) as worlds",
        *(f"{quote(watch.column)}::varchar as w{i}" for i, watch in enumerate(release.watches)),
        *(f"({_scenario(release, i, bound)}) as s{i}" for i in range(len(release.scenarios))),
    ]
    sql = f"select {', '.join(columns)}, action_taken as logged, label_propensity as propensity from {quote(source)}"
    chance = _chance(release, taken, bound)
    return (
        f"""
select * exclude (logged, propensity, chance), coalesce(logged, {taken}) as taken,
    round({WEIGHTED} / chance)::bigint as weight, round({SQUARED} / (chance * chance))::bigint as weight2,
    round({WEIGHTED} / greatest(chance, 1.0 / {MOST_WEIGHT}))::bigint as capped
from (select *, {chance} as chance from ({sql}))""",
        bound.params,
    )


def complete(rules: LabelRules) -> bool:
    """Return whether every mature event has a label: silence is negative, and speaks after every action."""
    return rules.silence == "negative" and not rules.unobserved


def _chance(release: Release, due: str, bound: Bound) -> str:
    """Return SQL for the chance that an event's outcome can be seen: as logged, or by the declared hold-out; else null.

    Where silence speaks after every action, each mature event has a label: nothing is left that a weight could stand for.
    """
    if complete(release.labels):
        return "null::double"
    if release.labels.holdout is None:
        return "propensity"
    unseen = ", ".join(bound.value(action) for action in release.labels.unobserved)
    return f"coalesce(propensity, case when {due} in ({unseen}) then {bound.value(release.labels.holdout)}::double end)"


def _version_columns(release: Release, version: str, bound: Bound) -> list[str]:
    score, expected = f"{version}_score", decided(release, worlds.own(release, version), bound)
    return [
        f"{risk(release.scale, score)} as {version}_risk",
        f"({fine_bin(release.scale, score)})::smallint as {version}_bin",
        f"({band(release, version, bound)})::utinyint as {version}_band",
        f"coalesce({version}_action, {expected}, '') as {version}_action",
        f"{reason(release, version, bound)} as {version}_reason",
        f"case when {version}_action is null or {score} is null then null "
        f"else {version}_action = {expected} end as {version}_parity",
        f"({latency_bin(f'{version}_latency_ms')})::smallint as {version}_latency",
        f"coalesce({version}_fallback::int, 2)::utinyint as {version}_fallback",
        f"left(coalesce({version}_error, ''), {LONGEST_ERROR}) as {version}_error",
        f"round({version}_cost * {SCALED})::bigint as {version}_cost",
        f"{score} is not null or {version}_latency_ms is not null or {version}_error is not null "
        f"or {version}_fallback as {version}_served",
    ]


def _scenario(release: Release, position: int, bound: Bound) -> str:
    scenario = release.scenarios[position]
    listed = f"event_id in (select unnest({bound.value(list(scenario.event_ids))}))" if scenario.event_ids else "true"
    return f"{listed} and {everything(scenario.where, bound)}"

"""Events with their stretches in, cells out: one GROUP BY per table, per set of dimensions and per version.

Tables (every count and sum is an integer; amounts in minor units, other sums times 1e9):

score   version, bin, band, inverse label propensities; at most two dimensions: 1/64 log-odds bins for one, 1/8 for two
shard   version, 1/4 log-odds bin, band, entity shard; at most one dimension
pair    both actions, action taken, entity shard, inverse label propensities, sums of both scores; at most two dimensions,
        of three only odd and even shards
joint   both versions' 1/4 log-odds bins; at most one dimension
crossed which cutoffs each version's score reaches, the candidate's 1/64 log-odds bin; at most one dimension
world   the actions in every world (see worlds.combined), entity shard; at most one dimension
cover   version, 1/4 log-odds bin, action taken, inverse label propensities; at most one dimension
age     age in days at which the label became known, the actions taken and wanted; at most one dimension
kind    age in days at which an outcome first came, action taken; at most one dimension
latency version, 1/16 of a doubling, fallback, failing dependency, serving cost; at most one dimension
effect  what came of events within some hours of them, arm, action taken, entity shard; live stages, at most one dimension
reason  both actions and reasons of events on which the versions differ; at most one dimension
size    both actions and the size of the amount (1, 2, 5, 10, ...); at most one dimension
watch   codes of watched inputs
checks  one row per stage, arm, set and entry step: events, overlap, parity, clipped scores

The calendar window of an event is a dimension like the declared ones, for at most two.
All carry stage, arm, ramp step, replay set, label, since, until, settled (see labels.py).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from release_core.cube.encode import (
    CLIP,
    COARSE,
    FINE,
    SCALED,
    SHARDED,
    SQUARED,
    WEIGHTED,
    dimension_columns,
    joined_bin,
    rolled_up,
)
from release_core.cube.labels import EVENT
from release_core.cube.query import WINDOW
from release_core.release import VERSIONS, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.release import Release

FRAME = "stage, arm, ramp_step, replay_set, label, since, until, settled"
# Cells of events whatever their label is.
ENTRY = "stage, arm, ramp_step, replay_set, entry"
# Pairs first: they hold every event, so they tell which values of a dimension are crowded.
TABLES = (
    "pair",
    "score",
    "shard",
    "joint",
    "crossed",
    "world",
    "cover",
    "age",
    "kind",
    "latency",
    "effect",
    "reason",
    "size",
    "watch",
    "checks",
)
# What the cells of a part are keyed by, and what adds when cells of different parts meet.
KEYS = {
    "score": f'"by", v1, v2, {FRAME}, version, bin, band',
    "shard": f'"by", v1, v2, {FRAME}, version, bin, band, shard',
    "pair": f'"by", v1, v2, v3, {FRAME}, both_scored, baseline_action, candidate_action, taken, shard',
    "joint": f'"by", v1, v2, {FRAME}, baseline_bin, candidate_bin',
    "crossed": f'"by", v1, v2, {FRAME}, baseline_band, candidate_band, bin',
    "world": f'"by", v1, v2, {FRAME}, worlds, shard',
    "cover": f'"by", v1, v2, {FRAME}, version, bin, taken',
    "age": f'"by", v1, v2, {FRAME}, entry, age, taken, both_scored, baseline_action, candidate_action',
    "kind": '"by", v1, v2, stage, replay_set, entry, since, kind, age, taken',
    "latency": f'"by", v1, v2, {ENTRY}, version, bin, fallback, error',
    "effect": f'"by", v1, v2, {ENTRY}, kind, within, taken, shard',
    "reason": f'"by", v1, v2, {FRAME}, baseline_action, candidate_action, baseline_reason, candidate_reason',
    "size": f'"by", v1, v2, {FRAME}, baseline_action, candidate_action, size',
    "watch": "stage, replay_set, entry, name, code",
    "checks": "stage, arm, replay_set, entry",
}
TERMS = ("score", "squared", "loss")
SUMS = {
    "score": "n, score, logit, amount, excess",
    "shard": "n, logit, amount, excess",
    "pair": "n, amount, amount2, weighted, excess, excess2, excess_capped, explained, "
    + ", ".join(f"{version}_{term}" for version in VERSIONS for term in TERMS),
    "joint": "n, amount",
    "crossed": "n, amount, amount2",
    "world": "n, amount",
    "cover": "n, amount, weighted, weight, weight2",
    "age": "n, amount, baseline_score, candidate_score",
    "kind": "n",
    "latency": "n, costed, cost, cost2",
    "effect": "n, amount",
    "reason": "n, amount",
    "size": "n, amount, explained",
    "watch": "n",
    "checks": "n, both_scored, baseline_only, candidate_only, baseline_same, baseline_differs, candidate_same, "
    "candidate_differs, clipped, clustered",
}
TEXTS = (
    *("stage", "arm", "ramp_step", "replay_set", "span", "taken"),
    *(f"{version}_{text}" for version in VERSIONS for text in ("action", "reason", "error")),
)
# What a disagreement needs to be explained: a reason on every side that does more than approve.
EXPLAINED = "baseline_action <> candidate_action and " + " and ".join(
    f"({version}_action = 'approve' or {version}_reason <> '')" for version in VERSIONS
)
WEIGHTS = "coalesce(sum(weight), 0)::bigint as weight, coalesce(sum(weight2), 0)::bigint as weight2"
# The same less 1 each, so that cells of logs without propensities hold zeros; an event without one weighs 1.
EXCESS = f"sum(coalesce(weight, {WEIGHTED}) - {WEIGHTED})::bigint as excess"
EXCESSES = (
    f"count(weight) as weighted, {EXCESS}, sum(coalesce(weight2, {SQUARED}) - {SQUARED})::bigint as excess2, "
    f"sum(coalesce(capped, {WEIGHTED}) - {WEIGHTED})::bigint as excess_capped"
)
# Squared amounts as whole numbers of the currency's unit, squared: sums over 1e7 events of 1e5 each fit 64 bits.
AMOUNT2 = "sum(round(amount * amount / 10000.0))::bigint as amount2"
# Scores are kept for at most so many dimensions together; most other tables for one fewer.
MOST_SCORED = 2
NOTHING, YES = "''", "'yes'"
LIVE = ", ".join(f"'{stage}'" for stage in Stage if not stage.paired)


def scenario_dimension(scenario: str) -> str:
    """Return the name under which the events of a scenario are a dimension of their own."""
    return f"scenario:{scenario}"


def cuboids(release: Release) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield (name, columns, filter) as SQL for no dimension, each scenario, and every one, two or three dimensions."""
    declared = dict(zip(release.segments.all, dimension_columns(release), strict=True))
    names = declared | {WINDOW: "span"}
    yield "", (), "true"
    for position, scenario in enumerate(release.scenarios):
        yield scenario_dimension(scenario.id), (YES,), f"s{position}"
    for depth, dims in ((1, names), (2, names), (3, declared)):
        for chosen in combinations(dims, depth):
            yield ",".join(chosen), tuple(names[dim] for dim in chosen), "true"


def prepare(release: Release, part: str) -> Iterator[str]:
    """Yield the SQL that turns `slim` and `stretches` into `facts`.

    Text becomes an enumeration (its name ends in `part`): grouping and writing it then cost what integers cost.
    """
    dims = dimension_columns(release)
    words = " union ".join(f"select {column}::varchar as word from slim" for column in (*TEXTS, *dims))
    yield f"create type word_{part} as enum (select word from ({words} union values ({NOTHING}), ({YES})) order by word)"
    texts = ", ".join(f"{column}::word_{part} as {column}" for column in (*TEXTS, *dims))
    terms = ", ".join(_terms(version) for version in VERSIONS)
    yield f"""
create or replace temp table facts as
select * exclude (mature, mature_time, event_id, entity_id, entity, event_time) replace ({texts}), {terms}
from slim join stretches using (row)"""


def _terms(version: str) -> str:
    """Return SQL for the terms that cells sum, as integers: times 1e9 and rounded per row."""
    risk, clipped = f"{version}_risk", f"least(greatest({version}_risk, {CLIP}), 1 - {CLIP})"
    loss = f"case label when 1 then -ln({clipped}) when {EVENT} then null else -ln(1 - {clipped}) end"
    terms = {"score": risk, "logit": f"ln({clipped} / (1 - {clipped}))", "squared": f"{risk} * {risk}", "loss": loss}
    return ", ".join(f"round(({term}) * {SCALED})::bigint as {version}_{name}" for name, term in terms.items())


def statements(release: Release, part: str) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield (table, SQL, values) whose answers, put together by table, are the cells of the part `facts`."""
    for name, columns, where in cuboids(release):
        given: dict[str, object] = {"by": name}
        if len(columns) > MOST_SCORED:
            yield "pair", _pair(_key(columns, part, 3), where, "(shard % 2)::utinyint"), given
            continue
        key = _key(columns, part, MOST_SCORED)
        for number in range(len(VERSIONS)):
            yield "score", _score(release, key, number, where, FINE if len(columns) < MOST_SCORED else COARSE), given
        yield "pair", _pair(_key(columns, part, 3), where, "shard"), given
        if len(columns) < MOST_SCORED:
            for table, sql in _single(release, key, where):
                yield table, sql, given
            if not columns or name in release.segments.all:
                for table, sql in _lived(key.replace(FRAME, ENTRY)):
                    yield table, sql, given
    for position, watch in enumerate(release.watches):
        yield "watch", _watch(position), {"name": watch.column}
    yield "checks", _checks(), {}


def _key(columns: tuple[str, ...], part: str, size: int) -> str:
    """Return SQL for the columns by which all cells of a cuboid are told apart: $by, v1 to v`size`, and the frame."""
    padded = (*columns, *(NOTHING,) * (size - len(columns)))
    values = ", ".join(f"{column}::word_{part} as v{place + 1}" for place, column in enumerate(padded))
    return f'$by as "by", {values}, {FRAME}'


def _single(release: Release, key: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield (table, SQL) of the tables that are kept for all events and for single dimensions."""
    for number, version in enumerate(VERSIONS):
        yield "shard", _shard(release, key, number, where)
        yield "cover", _cover(release, key, version, where)
    yield "joint", _joint(release, key, where)
    yield "crossed", _cross(key, where)
    yield (
        "world",
        (
            f"select {key}, worlds, shard, count(*) as n, sum(amount)::bigint as amount "
            f"from facts where both_scored and {where} group by all"
        ),
    )
    yield "age", _age(key, where)
    yield "size", _size(key, where)
    yield "kind", _kind(key.replace(FRAME, "stage, replay_set"), where)
    yield (
        "reason",
        (
            f"select {key}, baseline_action, candidate_action, baseline_reason, candidate_reason, count(*) as n, "
            f"sum(amount)::bigint as amount from facts "
            f"where both_scored and baseline_action <> candidate_action and {where} group by all"
        ),
    )


def _size(key: str, where: str) -> str:
    """Return SQL for both actions by the size of the amount: of its steps 1, 2, 5, 10, 20, ... the number of the one it is in.

    Step 0 begins at 0.01, the minor unit; smaller amounts are -1.
    """
    decade = "floor(log10(greatest(amount, 1)) + 1e-12)::int"
    place = f"3 * {decade} + (amount >= 2 * 10 ** {decade})::int + (amount >= 5 * 10 ** {decade})::int"
    return f"""
select {key}, baseline_action, candidate_action, if(amount < 1, -1, {place})::tinyint as size, count(*) as n,
    sum(amount)::bigint as amount, count_if({EXPLAINED}) as explained
from facts where both_scored and {where} group by all"""


def _score(release: Release, key: str, number: int, where: str, per_unit: int) -> str:
    version = VERSIONS[number]
    return f"""
select {key}, {number}::utinyint as version, ({rolled_up(release.scale, f"{version}_bin", per_unit)})::smallint as bin,
    {version}_band as band, count(*) as n, sum({version}_score)::bigint as score, sum({version}_logit)::bigint as logit,
    sum(amount)::bigint as amount, {EXCESS}, min({version}_risk) as low, max({version}_risk) as high
from facts where both_scored and {where} group by all"""


def _shard(release: Release, key: str, number: int, where: str) -> str:
    version = VERSIONS[number]
    return f"""
select {key}, {number}::utinyint as version, ({rolled_up(release.scale, f"{version}_bin", SHARDED)})::smallint as bin,
    {version}_band as band, shard, count(*) as n, sum({version}_logit)::bigint as logit,
    sum(amount)::bigint as amount, {EXCESS}
from facts where both_scored and {where} group by all"""


def _cover(release: Release, key: str, version: str, where: str) -> str:
    return f"""
select {key}, {VERSIONS.index(version)}::utinyint as version,
    ({rolled_up(release.scale, f"{version}_bin", SHARDED)})::smallint as bin, taken, count(*) as n,
    sum(amount)::bigint as amount, count(weight) as weighted, {WEIGHTS}
from facts where {version}_risk is not null and {where} group by all"""


def _joint(release: Release, key: str, where: str) -> str:
    bins = ", ".join(
        f"({joined_bin(release.scale, f'{version}_bin')})::smallint as {version}_bin" for version in VERSIONS
    )
    return f"""
select {key}, {bins}, count(*) as n, sum(amount)::bigint as amount
from facts where both_scored and {where} group by all"""


def _cross(key: str, where: str) -> str:
    """Return SQL for the candidate's bins by the cutoffs reached; squares of amounts are in whole units of the currency."""
    return f"""
select {key}, baseline_band, candidate_band, candidate_bin as bin, count(*) as n, sum(amount)::bigint as amount,
    {AMOUNT2}
from facts where both_scored and {where} group by all"""


def _age(key: str, where: str) -> str:
    scores = ", ".join(f"coalesce(sum({version}_score), 0)::bigint as {version}_score" for version in VERSIONS)
    return f"""
select {key}, entry, age, taken, both_scored, baseline_action, candidate_action, count(*) as n,
    sum(amount)::bigint as amount, {scores}
from facts where {where} group by all"""


def _kind(key: str, where: str) -> str:
    """Return SQL for the first coming of each kind of outcome, and (kind '') for the events themselves."""
    return f"""
select {key}, entry, kinds.since, kinds.kind, kinds.age, taken, count(*) as n
from facts join kinds using (row) where label < 0 and {where} group by all
union all
select {key}, entry, entry as since, '' as kind, -1 as age, taken, count(*) as n
from facts where label < 0 and {where} group by all"""


def _lived(key: str) -> Iterator[tuple[str, str]]:
    """Yield (table, SQL) of how events were served and of what came of them."""
    for number, version in enumerate(VERSIONS):
        cost = f"{version}_cost"
        yield (
            "latency",
            f"select {key}, {number}::utinyint as version, {version}_latency as bin, {version}_fallback as fallback, "
            f"{version}_error as error, count(*) as n, count({cost}) as costed, coalesce(sum({cost}), 0)::bigint as cost, "
            f"coalesce(sum(round({cost}::double * {cost} / {SCALED})), 0)::bigint as cost2 "
            f"from facts where label < 0 and {version}_served group by all",
        )
    live = f"label < 0 and stage in ({LIVE})"
    yield (
        "effect",
        f"""
select {key}, effects.kind, effects.within, taken, shard, count(*) as n, sum(amount)::bigint as amount
from facts join effects using (row) where {live} group by all
union all
select {key}, '' as kind, 0 as within, taken, shard, count(*) as n, sum(amount)::bigint as amount
from facts where {live} group by all""",
    )


def _pair(key: str, where: str, shard: str) -> str:
    sums = ", ".join(
        f"coalesce(sum({version}_{term}), 0)::bigint as {version}_{term}" for version in VERSIONS for term in TERMS
    )
    return f"""
select {key}, both_scored, baseline_action, candidate_action, taken, {shard} as shard, count(*) as n,
    sum(amount)::bigint as amount, {AMOUNT2}, {EXCESSES}, count_if({EXPLAINED}) as explained, {sums}
from facts where {where} group by all"""


def _watch(position: int) -> str:
    return f"""
select stage, replay_set, entry, $name as name, coalesce(w{position}, '(missing)') as code, count(*) as n
from facts where label < 0 group by all"""


def _checks() -> str:
    clipped = " or ".join(f"{version}_risk < {CLIP} or {version}_risk > 1 - {CLIP}" for version in VERSIONS)
    parity = ", ".join(
        f"count_if({version}_parity) as {version}_same, count_if(not {version}_parity) as {version}_differs"
        for version in VERSIONS
    )
    return f"""
select stage, arm, replay_set, entry, count(*) as n, count_if(both_scored) as both_scored,
    count_if(baseline_risk is not null and candidate_risk is null) as baseline_only,
    count_if(baseline_risk is null and candidate_risk is not null) as candidate_only,
    {parity}, count_if({clipped}) as clipped, count_if(clustered) as clustered
from facts where label < 0 group by all"""

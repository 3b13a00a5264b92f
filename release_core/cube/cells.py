"""Events with their stretches in, cells out: one GROUP BY per table, per set of dimensions and per version.

Tables (every count and sum is an integer; amounts in minor units, other sums times 1e9):

score   version, bin, band; at most two dimensions: 1/64 log-odds bins for one, 1/8 for two
shard   version, 1/4 log-odds bin, band, entity shard; at most one dimension
pair    both actions, entity shard, sums of both scores; at most two dimensions
age     age in days at which the label became known; at most one dimension
watch   codes of watched inputs
checks  one row per stage, arm, set and entry step: events, overlap, parity, clipped scores

All carry stage, arm, ramp step, replay set, label, since, until, settled (see labels.py).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from release_core.cube.encode import CLIP, COARSE, FINE, SCALED, SHARDED, dimension_columns, rolled_up
from release_core.cube.labels import EVENT
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.release import Release

FRAME = "stage, arm, ramp_step, replay_set, label, since, until, settled"
# Pairs first: they hold every event, so they tell which values of a dimension are crowded.
TABLES = ("pair", "score", "shard", "age", "watch", "checks")
# What the cells of a part are keyed by, and what adds when cells of different parts meet.
KEYS = {
    "score": f'"by", v1, v2, {FRAME}, version, bin, band',
    "shard": f'"by", v1, v2, {FRAME}, version, bin, band, shard',
    "pair": f'"by", v1, v2, {FRAME}, both_scored, baseline_action, candidate_action, shard',
    "age": f'"by", v1, v2, {FRAME}, entry, age',
    "watch": "stage, replay_set, entry, name, code",
    "checks": "stage, arm, replay_set, entry",
}
TERMS = ("score", "squared", "loss")
SUMS = {
    "score": "n, score, logit, amount",
    "shard": "n, logit",
    "pair": "n, amount, " + ", ".join(f"{version}_{term}" for version in VERSIONS for term in TERMS),
    "age": "n",
    "watch": "n",
    "checks": "n, both_scored, baseline_only, candidate_only, baseline_same, baseline_differs, candidate_same, "
    "candidate_differs, clipped, clustered",
}
TEXTS = ("stage", "arm", "ramp_step", "replay_set", "baseline_action", "candidate_action")
NOTHING, YES = "''", "'yes'"


def scenario_dimension(scenario: str) -> str:
    """Return the name under which the events of a scenario are a dimension of their own."""
    return f"scenario:{scenario}"


def cuboids(release: Release, depth: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, v1, v2, filter) as SQL for no dimension, each dimension, each scenario and (depth 2) each pair."""
    names = dict(zip(release.segments.all, dimension_columns(release), strict=True))
    yield "", NOTHING, NOTHING, "true"
    for dim, column in names.items():
        yield dim, column, NOTHING, "true"
    for position, scenario in enumerate(release.scenarios):
        yield scenario_dimension(scenario.id), YES, NOTHING, f"s{position}"
    if depth > 1:
        for one, two in combinations(names, 2):
            yield f"{one},{two}", names[one], names[two], "true"


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
select * exclude (mature, mature_time, event_id, entity_id, event_time) replace ({texts}), {terms}
from slim join stretches using (row)"""


def _terms(version: str) -> str:
    """Return SQL for the terms that cells sum, as integers: times 1e9 and rounded per row."""
    risk, clipped = f"{version}_risk", f"least(greatest({version}_risk, {CLIP}), 1 - {CLIP})"
    loss = f"case label when 1 then -ln({clipped}) when {EVENT} then null else -ln(1 - {clipped}) end"
    terms = {"score": risk, "logit": f"ln({clipped} / (1 - {clipped}))", "squared": f"{risk} * {risk}", "loss": loss}
    return ", ".join(f"round(({term}) * {SCALED})::bigint as {version}_{name}" for name, term in terms.items())


def statements(release: Release, part: str) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield (table, SQL, values) whose answers, put together by table, are the cells of the part `facts`."""
    for name, one, two, where in cuboids(release, 2):
        key = f'$by as "by", {one}::word_{part} as v1, {two}::word_{part} as v2, {FRAME}'
        single = "," not in name
        for number in range(len(VERSIONS)):
            yield "score", _score(release, key, number, where, FINE if single else COARSE), {"by": name}
            if single:
                yield "shard", _shard(release, key, number, where), {"by": name}
        yield "pair", _pair(key, where), {"by": name}
        if single:
            yield "age", f"select {key}, entry, age, count(*) as n from facts where {where} group by all", {"by": name}
    for position, watch in enumerate(release.watches):
        yield "watch", _watch(position), {"name": watch.column}
    yield "checks", _checks(), {}


def _score(release: Release, key: str, number: int, where: str, per_unit: int) -> str:
    version = VERSIONS[number]
    return f"""
select {key}, {number}::utinyint as version, ({rolled_up(release.scale, f"{version}_bin", per_unit)})::smallint as bin,
    {version}_band as band, count(*) as n, sum({version}_score)::bigint as score, sum({version}_logit)::bigint as logit,
    sum(amount)::bigint as amount, min({version}_risk) as low, max({version}_risk) as high
from facts where both_scored and {where} group by all"""


def _shard(release: Release, key: str, number: int, where: str) -> str:
    version = VERSIONS[number]
    return f"""
select {key}, {number}::utinyint as version, ({rolled_up(release.scale, f"{version}_bin", SHARDED)})::smallint as bin,
    {version}_band as band, shard, count(*) as n, sum({version}_logit)::bigint as logit
from facts where both_scored and {where} group by all"""


def _pair(key: str, where: str) -> str:
    sums = ", ".join(
        f"coalesce(sum({version}_{term}), 0)::bigint as {version}_{term}" for version in VERSIONS for term in TERMS
    )
    return f"""
select {key}, both_scored, baseline_action, candidate_action, shard, count(*) as n, sum(amount)::bigint as amount, {sums}
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

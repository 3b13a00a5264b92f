"""Events with their stretches in, cells out: one GROUP BY per table, per set of dimensions and per version.

Tables (every count and sum is an integer; amounts in minor units, other sums times 1e9):

score   version, 1/64 log-odds bin, at most one dimension, no shard
shard   version, 1/8 log-odds bin, band, shard, at most two dimensions
pair    both actions, shard, at most two dimensions
age     age in days at which the label became known, at most one dimension
watch   codes of watched inputs
checks  one row per stage, arm, set and entry step: events, overlap, parity, clipped scores

All carry stage, arm, ramp step, replay set, label, since, until, settled (see labels.py).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from release_core.cube.encode import CLIP, SCALED, coarse_bin, dimension_columns
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.release import Release

FRAME = "stage, arm, ramp_step, replay_set, label, since, until, settled"
SCENARIO = -1
TABLES = ("score", "shard", "pair", "age", "watch", "checks")
# How the parts of a published cube add: the sums, and the two extremes that tell a point mass.
KEYS = {
    "score": f'"by", v1, v2, {FRAME}, version, bin',
    "shard": f'"by", v1, v2, {FRAME}, version, bin, band, shard',
    "pair": f'"by", v1, v2, {FRAME}, both_scored, baseline_action, candidate_action, shard',
    "age": f'"by", v1, v2, {FRAME}, entry, age',
    "watch": "stage, replay_set, entry, name, code",
    "checks": "stage, arm, replay_set, entry",
}
SUMS = {
    "score": "n, score, logit, amount",
    "shard": "n, score, logit, amount, squared, loss",
    "pair": "n, amount",
    "age": "n",
    "watch": "n",
    "checks": "n, both_scored, baseline_only, candidate_only, baseline_same, baseline_differs, candidate_same, "
    "candidate_differs, clipped, clustered",
}


def scenario_dimension(scenario: str) -> str:
    """Return the name under which the events of a scenario are a dimension of their own."""
    return f"scenario:{scenario}"


def cuboids(release: Release, depth: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, v1, v2, filter) as SQL for no dimension, each dimension, each scenario and (depth 2) each pair."""
    names = dict(zip(release.segments.all, dimension_columns(release), strict=True))
    yield "", "0", "0", "true"
    for dim, column in names.items():
        yield dim, column, "0", "true"
    for position, scenario in enumerate(release.scenarios):
        yield scenario_dimension(scenario.id), str(SCENARIO), "0", f"s{position}"
    if depth > 1:
        for one, two in combinations(names, 2):
            yield f"{one},{two}", names[one], names[two], "true"


def prepare(release: Release) -> Iterator[str]:
    """Yield the SQL that turns `slim` and `stretches` into `facts`, in which every key is a small integer.

    Grouping by text is what costs: `frames`, `periods` and `words` keep the text of the keys.
    """
    dims = dimension_columns(release)
    words = " union ".join(f"select {dim} as word from slim" for dim in dims) or "select '' as word"
    yield f"create or replace temp table words as select row_number() over ()::int as code, word from ({words})"
    yield _numbered("frames", "frame", "stage, arm, ramp_step, replay_set", "slim")
    yield _numbered("periods", "period", "label, since, until, settled", "stretches")
    coded = "".join(f", (select code from words where word = {dim}) as {dim}" for dim in dims)
    yield f"""
create or replace temp table facts as
select * exclude (stage, arm, ramp_step, replay_set, label, since, until, settled, mature, mature_time, event_id,
    entity_id, event_time{"".join(f", {dim}" for dim in dims)}),
    (select frame from frames f where (f.stage, f.arm, f.ramp_step, f.replay_set) = (e.stage, e.arm, e.ramp_step, e.replay_set))
        as frame,
    period, label {coded}, {", ".join(_terms(version) for version in VERSIONS)}
from slim as e join stretches using (row) join periods using (label, since, until, settled)"""


def _numbered(table: str, name: str, columns: str, source: str) -> str:
    return (
        f"create or replace temp table {table} as select row_number() over ()::int as {name}, * "
        f"from (select distinct {columns} from {source})"
    )


def _terms(version: str) -> str:
    """Return SQL for the terms that cells sum, as integers: times 1e9 and rounded per row."""
    risk, clipped = f"{version}_risk", f"least(greatest({version}_risk, {CLIP}), 1 - {CLIP})"
    loss = f"case label when 1 then -ln({clipped}) when 0 then -ln(1 - {clipped}) else 0 end"
    terms = {"score": risk, "logit": f"ln({clipped} / (1 - {clipped}))", "squared": f"{risk} * {risk}", "loss": loss}
    return ", ".join(f"round(({term}) * {SCALED})::bigint as {version}_{name}" for name, term in terms.items())


def statements(release: Release) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield (table, SQL, values) whose answers, put together by table, are the cells of the part `facts`."""
    for name, one, two, where in cuboids(release, 1):
        key = f'$by as "by", {one} as v1, {two} as v2, frame, period'
        for number in range(len(VERSIONS)):
            yield "score", _score(key, number, where), {"by": name}
        yield "age", f"select {key}, entry, age, count(*) as n from facts where {where} group by all", {"by": name}
    for name, one, two, where in cuboids(release, 2):
        key = f'$by as "by", {one} as v1, {two} as v2, frame, period'
        for number in range(len(VERSIONS)):
            yield "shard", _shard(release, key, number, where), {"by": name}
        yield "pair", _pair(key, where), {"by": name}
    for position, watch in enumerate(release.watches):
        yield "watch", _watch(position), {"name": watch.column}
    yield "checks", _checks(), {}


def spelled(table: str) -> str:
    """Return the SQL that writes the keys of a part's cells out again, so that cells of different parts add."""
    joins = "join frames using (frame)"
    columns = "* exclude (frame)"
    if '"by"' in KEYS[table]:
        columns = (
            "c.* exclude (frame, period, v1, v2), f.* exclude (frame), p.* exclude (period), "
            "coalesce(w1.word, if(c.v1 = 0, '', 'yes')) as v1, coalesce(w2.word, '') as v2"
        )
        joins = (
            "join frames f using (frame) join periods p using (period) "
            "left join words w1 on w1.code = c.v1 left join words w2 on w2.code = c.v2"
        )
    return f"select {columns} from {table}_cells c {joins}"


def _score(key: str, number: int, where: str) -> str:
    version = VERSIONS[number]
    return f"""
select {key}, {number}::utinyint as version, {version}_bin as bin, count(*) as n,
    sum({version}_score)::bigint as score, sum({version}_logit)::bigint as logit,
    sum(amount)::bigint as amount, min({version}_risk) as low, max({version}_risk) as high
from facts where both_scored and {where} group by all"""


def _shard(release: Release, key: str, number: int, where: str) -> str:
    version = VERSIONS[number]
    terms = {term: f"{version}_{term}" for term in ("score", "logit", "squared", "loss")} | {"amount": "amount"}
    sums = ", ".join(f"sum({column})::bigint as {term}" for term, column in terms.items())
    return f"""
select {key}, {number}::utinyint as version, ({coarse_bin(release.scale, f"{version}_bin")})::smallint as bin,
    {version}_band as band, shard, count(*) as n, {sums}
from facts where both_scored and {where} group by all"""


def _pair(key: str, where: str) -> str:
    return f"""
select {key}, both_scored, baseline_action, candidate_action, shard, count(*) as n, sum(amount)::bigint as amount
from facts where {where} group by all"""


def _watch(position: int) -> str:
    return f"""
select frame, entry, $name as name, coalesce(w{position}, '(missing)') as code, count(*) as n
from facts where label = -1 group by all"""


def _checks() -> str:
    clipped = " or ".join(f"{version}_risk < {CLIP} or {version}_risk > 1 - {CLIP}" for version in VERSIONS)
    parity = ", ".join(
        f"count_if({version}_parity) as {version}_same, count_if(not {version}_parity) as {version}_differs"
        for version in VERSIONS
    )
    return f"""
select frame, entry, count(*) as n, count_if(both_scored) as both_scored,
    count_if(baseline_risk is not null and candidate_risk is null) as baseline_only,
    count_if(baseline_risk is null and candidate_risk is not null) as candidate_only,
    {parity}, count_if({clipped}) as clipped, count_if(clustered) as clustered
from facts where label = -1 group by all"""

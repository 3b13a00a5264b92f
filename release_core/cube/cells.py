"""Events with their stretches in, cells out: what each table counts, of which rows, by which columns.

SQL gives every row as integers, `grouped` adds them up.

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
All carry stage, arm, ramp step, replay set, label, since, until, settled (see labels.py), and most of them `seen`: 0, or
the step from which on they take out the events of a contaminated entity (see contaminated.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from release_core.cube.encode import (
    CLIP,
    COARSE,
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
    from collections.abc import Iterable, Iterator

    from release_core.release import Release, Scale

FRAME = "stage, arm, ramp_step, replay_set, label, since, until, settled, seen"
# Cells of events whatever their label is.
ENTRY = "stage, arm, ramp_step, replay_set, entry, seen"
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
    "kind": '"by", v1, v2, stage, replay_set, entry, since, seen, kind, age, taken',
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
# Columns of words; dimensions and watched inputs are more of them.
TEXTS = (
    *("stage", "arm", "ramp_step", "replay_set", "span", "taken"),
    *(f"{version}_{text}" for version in VERSIONS for text in ("action", "reason", "error")),
)
# What a disagreement needs to be explained: a reason on every side that does more than approve.
EXPLAINED = "baseline_action <> candidate_action and " + " and ".join(
    f"({version}_action = 'approve' or {version}_reason <> '')" for version in VERSIONS
)
CLIPPED = " or ".join(f"{version}_risk < {CLIP} or {version}_risk > 1 - {CLIP}" for version in VERSIONS)
# Inverse propensities less 1 each, so that cells of logs without propensities hold zeros; an event without one weighs 1.
# Squared amounts as whole numbers of the currency's unit, squared: sums over 1e7 events of 1e5 each fit 64 bits.
MEASURES = {
    "n": "1",
    "amount": "amount",
    "amount2": "round(amount::double * amount / 10000.0)",
    "weighted": "(weight is not null)::int",
    "weight": "coalesce(weight, 0)",
    "weight2": "coalesce(weight2, 0)",
    "excess": f"coalesce(weight, {WEIGHTED}) - {WEIGHTED}",
    "excess2": f"coalesce(weight2, {SQUARED}) - {SQUARED}",
    "excess_capped": f"coalesce(capped, {WEIGHTED}) - {WEIGHTED}",
    "explained": f"({EXPLAINED})::int",
    "scored": "both_scored::int",
    "baseline_only": "(baseline_risk is not null and candidate_risk is null)::int",
    "candidate_only": "(baseline_risk is null and candidate_risk is not null)::int",
    "clipped": f"coalesce({CLIPPED}, false)::int",
    "clustered": "clustered::int",
}
# Scores are kept for at most so many dimensions together; most other tables for one fewer.
MOST_SCORED = 2
YES, MISSING = "yes", "(missing)"
LIVE = ", ".join(f"'{stage}'" for stage in Stage if not stage.paired)


@dataclass(frozen=True, slots=True)
class Cuboid:
    """A set of dimensions that cells are kept for: its name, its columns, whether all are declared.

    A scenario counts as one dimension of which only the events that the column `only` marks are kept.
    """

    name: str
    columns: tuple[str, ...]
    declared: bool = True
    only: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What some cells of a table count: rows of `source` where all columns `where` hold, for cuboids of some depths.

    `named` gives the column behind each key and sum that is not called as in the table, `fixed` keys that are the same in
    all cells. No depth: the table has no dimensions. Not `every`: declared dimensions only.
    """

    table: str
    where: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str | int] = field(default_factory=dict)
    depths: tuple[int, ...] = (0, 1)
    source: str = "facts"
    every: bool = True

    def cuboids(self, release: Release) -> Iterator[Cuboid]:
        """Yield the cuboids that are counted."""
        if not self.depths:
            yield Cuboid("", ())
        for one in cuboids(release):
            if len(one.columns) in self.depths and (self.every or one.declared):
                yield one


def scenario_dimension(scenario: str) -> str:
    """Return the name under which the events of a scenario are a dimension of their own."""
    return f"scenario:{scenario}"


def cuboids(release: Release) -> Iterator[Cuboid]:
    """Yield no dimension, each scenario, and every one, two or three dimensions."""
    declared = dict(zip(release.segments.all, dimension_columns(release), strict=True))
    names = declared | {WINDOW: "span"}
    yield Cuboid("", ())
    for position, scenario in enumerate(release.scenarios):
        yield Cuboid(scenario_dimension(scenario.id), (YES,), declared=False, only=f"s{position}")
    for depth, dims in ((1, names), (2, names), (3, declared)):
        for chosen in combinations(dims, depth):
            yield Cuboid(",".join(chosen), tuple(names[dim] for dim in chosen), WINDOW not in chosen)


def counts(release: Release) -> Iterator[Count]:
    """Yield all that the cells of a part count, table by table."""
    both, event = ("both_scored",), ("event",)
    yield Count("pair", depths=(0, 1, 2))
    yield Count("pair", named={"shard": "half"}, depths=(3,))
    for number, version in enumerate(VERSIONS):
        side: dict[str, str | int] = {"version": number}
        own = {"band": f"{version}_band"} | {name: f"{version}_{name}" for name in ("score", "logit", "risk")}
        yield Count("score", both, own | {"bin": f"{version}_bin"}, side)
        yield Count("score", both, own | {"bin": f"{version}_coarse"}, side, (MOST_SCORED,))
        yield Count("shard", both, own | {"bin": f"{version}_quarter"}, side)
        yield Count("cover", (f"{version}_scored",), own | {"bin": f"{version}_quarter"}, side)
        served = {name: f"{version}_{name}" for name in ("fallback", "error", "costed", "cost", "cost2")}
        served["bin"] = f"{version}_latency"
        yield Count("latency", ("event", f"{version}_served"), served, side, every=False)
    yield Count("joint", both, {f"{version}_bin": f"{version}_joined" for version in VERSIONS})
    yield Count("crossed", both, {"bin": "candidate_bin"})
    yield Count("world", both)
    yield Count("age")
    yield Count("size", both)
    yield Count("reason", ("both_scored", "differs"))
    yield Count("kind", event, {"since": "entry"}, {"kind": "", "age": -1})
    yield Count("kind", source="kinds")
    yield Count("effect", ("event", "live"), {}, {"kind": "", "within": 0}, every=False)
    yield Count("effect", source="effects", every=False)
    for position, watch in enumerate(release.watches):
        yield Count("watch", event, {"code": f"w{position}"}, {"name": watch.column}, ())
    yield Count("checks", event, {"both_scored": "scored"}, depths=())


def words(release: Release, name: str) -> Iterator[str]:
    """Yield the SQL that numbers all texts of `slim`, `kinds` and `effects`, as the enumeration `name`."""
    texts = [f"select {column}::varchar as word from slim" for column in _texts(release)]
    texts += [f"select {word} as word from {rows}" for rows, word in (("kinds", "kind"), ("effects", "kind"))]
    union = " union ".join([*texts, f"(values (''), ({_text(MISSING)}))"])
    yield f"create type {name} as enum (select word from ({union}) where word is not null order by word)"


def sources(release: Release, name: str) -> Iterator[tuple[str, str]]:
    """Yield (source, SQL of its rows): words as their numbers in the enumeration `name`, sums signed."""
    texts, flags = _texts(release), [f"s{position}" for position in range(len(release.scenarios))]
    scale = release.scale
    both = [f"(sign * ({sql}))::bigint as {measure}" for measure, sql in MEASURES.items()]
    columns = [
        "label, since, until, settled, age, entry, seen, shard, (shard % 2)::utinyint as half, worlds",
        f"both_scored, label < 0 as event, stage in ({LIVE}) as live, baseline_action <> candidate_action as differs",
        f"{_size()} as size",
        *_numbered(texts, name),
        *flags,
        *both,
        *(column for version in VERSIONS for column in _version(scale, version)),
    ]
    yield "facts", f"select {', '.join(columns)} from slim join stretches using (row)"
    own = [column for column in texts if column in {"stage", "arm", "ramp_step", "replay_set", "span", "taken"}]
    own += dimension_columns(release)
    shared = ["entry, seen, shard", *_numbered(own, name), *flags, *both[:2]]
    kinds = ["k.since, k.age", f"enum_code(k.kind::{name})::int as kind"]
    yield "kinds", f"select {', '.join(shared + kinds)} from slim join kinds as k using (row)"
    kinds = ["k.within", f"enum_code(k.kind::{name})::int as kind"]
    live = f"where stage in ({LIVE})"
    yield "effects", f"select {', '.join(shared + kinds)} from slim join effects as k using (row) {live}"


def _texts(release: Release) -> list[str]:
    """Return the columns of `slim` that hold words."""
    return [*TEXTS, *dimension_columns(release), *(f"w{position}" for position in range(len(release.watches)))]


def _numbered(texts: Iterable[str], name: str) -> Iterator[str]:
    """Yield SQL for the numbers of words."""
    for column in texts:
        empty = MISSING if column[0] == "w" else ""
        yield f"enum_code(coalesce({column}, {_text(empty)})::{name})::int as {column}"


def _version(scale: Scale, version: str) -> Iterator[str]:
    """Yield SQL for what the rows tell of a version: bins, flags, and the terms that cells sum, times 1e9 and rounded per row."""
    score, clipped = f"{version}_risk", f"least(greatest({version}_risk, {CLIP}), 1 - {CLIP})"
    cost, fine = f"{version}_cost", f"{version}_bin"
    for name, sql in (
        ("bin", fine),
        ("coarse", rolled_up(scale, fine, COARSE)),
        ("quarter", rolled_up(scale, fine, SHARDED)),
        ("joined", joined_bin(scale, fine)),
    ):
        yield f"({sql})::smallint as {version}_{name}"
    yield f"{version}_risk, {version}_risk is not null as {version}_scored, {version}_served"
    yield f"{version}_band, {version}_latency, {version}_fallback"
    loss = f"case label when 1 then -ln({clipped}) when {EVENT} then null else -ln(1 - {clipped}) end"
    logit = f"ln({clipped} / (1 - {clipped}))"
    for name, term in (("score", score), ("logit", logit), ("squared", f"{score} * {score}"), ("loss", loss)):
        yield f"coalesce(sign * round(({term}) * {SCALED}), 0)::bigint as {version}_{name}"
    yield f"(sign * ({cost} is not null)::int)::bigint as {version}_costed, coalesce(sign * {cost}, 0)::bigint as {cost}"
    yield f"coalesce(sign * round({cost}::double * {cost} / {SCALED}), 0)::bigint as {version}_cost2"
    for name, test in (("same", f"{version}_parity"), ("differs", f"not {version}_parity")):
        yield f"(sign * coalesce({test}, false)::int)::bigint as {version}_{name}"


def _size() -> str:
    """Return SQL for the size of the amount: of its steps 1, 2, 5, 10, 20, ... the number of the one it is in.

    Step 0 begins at 0.01, the minor unit; smaller amounts are -1.
    """
    decade = "floor(log10(greatest(amount, 1)) + 1e-12)::int"
    place = f"3 * {decade} + (amount >= 2 * 10 ** {decade})::int + (amount >= 5 * 10 ** {decade})::int"
    return f"if(amount < 1, -1, {place})::tinyint"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

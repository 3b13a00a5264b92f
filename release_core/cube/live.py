"""Cells of live stages in, frames by look out: arms, what came of their events, who was treated, how it was served."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube import acts, dense
from release_core.cube import cells as tables
from release_core.cube.encode import FASTEST, PER_DOUBLING, SCALED, SLOWEST
from release_core.cube.entities import TAKEN
from release_core.cube.files import text
from release_core.cube.gauges import SCALED as GAUGED
from release_core.cube.places import present
from release_core.cube.query import REPLAY_SET
from release_core.cube.rows import beside, small, taken, together, whole
from release_core.cube.treatment import looked
from release_core.frames import EVERYONE, Arms, Before, place_of_all
from release_core.live_frames import ArmCells, Effects, Gauge, Serving
from release_core.release import SHARDS, VERSIONS
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.cube.cube import Cube
    from release_core.cube.query import Group
    from release_core.frames import Array, Segment
    from release_core.release import Stage

    Statement = Callable[[Cube, Stage], str]

# The columns and the test of a statement that `gather` reads.
CODES = "enum_code(v1)::bigint as v1, enum_code(replay_set)::bigint as replay_set"
CELLS = 'stage = $stage and "by" = $by'


def arms(cube: Cube, stage: Stage, groups: tuple[Group, ...]) -> ArmCells:
    """Return the cells of each arm by look; labels are the mature ones."""
    looks, ramps = cube.steps, cube.ramps(stage)
    segments: list[Segment] = []
    parts = []
    for group in groups:
        dims = cube.single((*((dim, "") for dim in group[0]), *group[1]))
        columns = cube.moves("armed", stage, dims, (True, False)).entries(group)
        named, place = cube.placed(group, columns)
        index = ((len(segments) + place) * len(looks) + columns["look"]) * len(ramps) + columns["ramp_step"]
        parts.append(beside(columns, {"segment": index}))
        segments += named
    every, shape = together(parts), (len(segments), len(looks), len(ramps))
    one = dense.shards(cube.release, int(np.prod(shape)), lambda _: every, paired=False, binned=False)
    tally = one.map(lambda array: np.cumsum(array.reshape(*shape, *array.shape[1:]), axis=1))
    return ArmCells(tuple(segments), looks, ramps, cube.release.actions, tally)


def treated(cube: Cube, stage: Stage, cells: ArmCells) -> Array:
    """Return how many entities entered, [segment, look, ramp, arm], contaminated ones left out.

    Entities are of the segment of their first event in the stage. Segments of a replay set are taken to have their share of
    the events.
    """
    entered = cube.entities_by(stage)
    places = entered.places(cells.segments)
    found: Array = entered.n[places]
    guessed = [n for n, place in enumerate(places) if place < 0]
    if guessed:
        events = cells.tally.actions[guessed][..., EVERYONE].sum(-1).sum(-2)
        whole = cube.arms(stage, (((), ()),)).tally.actions[0, ..., EVERYONE].sum(-1).sum(-2)
        found[guessed] = events * np.nan_to_num(ratio(entered.n[0], whole))
    return found


def at_look(cube: Cube, view: tuple[Stage, int], groups: tuple[Group, ...], segments: Sequence[Segment]) -> Arms:
    """Return what both arms did by a step, for the given segments of the groups."""
    if any(len(cube.dimensions((*by, *dict(where)))) > 1 for by, where in groups):
        return _deep(cube, view, groups, segments)
    (stage, step), cells = view, cube.arms(view[0], groups)
    look = int(np.searchsorted(cells.looks, step, side="right")) - 1
    place = {tuple(segment.items()): n for n, segment in enumerate(cells.segments)}
    chosen = [place[tuple(segment.items())] for segment in segments]
    counted = cube.treated(stage, groups)
    known = None if look < 0 else cube.before(stage).at_look(look)
    return Arms(cells.tally.take((chosen, look)), counted[chosen, look], known, place_of_all(segments))


def _deep(cube: Cube, view: tuple[Stage, int], groups: tuple[Group, ...], segments: Sequence[Segment]) -> Arms:
    """Return the same of segments of several dimensions, of one step alone: those of all steps would fill the memory.

    Entities are told by single dimensions: such a segment is taken to have its share of them by its events.
    """
    (stage, step), ramps = view, cube.ramps(view[0])
    number = {tuple(segment.items()): n for n, segment in enumerate(segments)}
    parts = []
    for group in groups:
        columns = cube.moved("armed", (stage, step, True), group)
        named, place = cube.placed(group, columns)
        numbers = np.array([number[tuple(segment.items())] for segment in named], np.int64)
        parts.append(beside(columns, {"segment": numbers[place] * len(ramps) + columns["ramp_step"]}))
    every = together(parts)
    size = len(segments) * len(ramps)
    one = dense.shards(cube.release, size, lambda _: every, paired=False, binned=False)
    tally = one.map(lambda array: array.reshape(len(segments), len(ramps), *array.shape[1:]))
    look = int(np.searchsorted(cube.steps, step, side="right")) - 1
    whole = cube.arms(stage, (((), ()),)).tally.actions[0, look, ..., EVERYONE].sum(-1).sum(-2)
    events = tally.actions[..., EVERYONE].sum(-1).sum(-2)
    treated = events * np.nan_to_num(ratio(cube.entities_by(stage).n[0, look], whole))
    return Arms(tally, treated, cube.before(stage).at_look(look), place_of_all(segments))


def before(cube: Cube, stage: Stage) -> Before:
    """Return what was known of entities before they were treated, and which actions their events got, by look."""
    found = cube.entities(stage)
    nothing = np.zeros_like(found.n)

    def doings(array: Array) -> Array:
        by_kind = {kind.removeprefix(TAKEN): array[k] for k, kind in enumerate(found.kinds) if kind.startswith(TAKEN)}
        others = nothing - sum(by_kind.values(), nothing)
        each = [others if action == "approve" else by_kind.get(action, nothing) for action in cube.release.actions]
        return np.stack(each)

    return Before(found.scored, found.x, found.xx, doings(found.y), doings(found.xy))


def placed(column: str, names: Sequence[str]) -> str:
    """Return SQL for the place of a column's text among the names, -1 where it is none of them."""
    return f"coalesce(list_position([{', '.join(map(text, names))}], {column}::varchar), 0)::bigint - 1 as {column}"


def effects(cube: Cube, stage: Stage, groups: tuple[Group, ...], hours: int) -> Effects:
    """Return what came of events within `hours` of them, by the look at which they have reached that age."""
    found, looks, ramps = cube.happened(stage, groups), cube.steps, cube.ramps(stage)
    soon = found.within <= hours
    kinds, actions = (present(codes[soon & (codes >= 0)]) for codes in (found.kind, found.taken))
    # The first look at whose end even the last event of each entry step is `hours` old; the number of looks if none.
    look = np.maximum(np.searchsorted(cube.ends, found.end + 3600.0 * hours), found.seen)
    soon &= look < len(looks)
    shape = (len(found.segments), len(looks), len(ramps), len(VERSIONS), SHARDS)
    index = (found.segment, look, found.ramp, found.arm, found.shard)
    events = found.kind < 0

    def counted(name: str) -> Array:
        return np.cumsum(dense.kept(shape, index, getattr(found, name), acts.UNITS[name], soon & events), axis=1)

    def each(name: str, codes: Array, chosen: Array, keep: Array) -> Array:
        place = np.searchsorted(chosen, codes), *index
        keep = soon & keep & np.isin(codes, chosen)
        sums = dense.kept((len(chosen), *shape), place, getattr(found, name), acts.UNITS[name], keep)
        return np.cumsum(sums, axis=2)

    return Effects(
        hours,
        found.segments,
        looks,
        ramps,
        tuple(found.kinds[code] for code in kinds),
        tuple(cube.release.actions[code] for code in actions),
        {
            "events": lambda: counted("n"),
            "amounts": lambda: counted("amount"),
            "counts": lambda: each("n", found.kind, kinds, ~events),
            "counted_amounts": lambda: each("amount", found.kind, kinds, ~events),
            "taken": lambda: each("n", found.taken, actions, events),
        },
    )


class Happened(NamedTuple):
    """What came of events, by row: places in `segments`, `kinds`, ramps, arms and actions (-1: none), sums of n and amount.

    `within`: at most so many hours after the event; `end`: the last instant of the step in which it entered, in seconds;
    `seen`: the look from which on the row counts, whatever the age.
    A row whose kind is -1 counts events.
    """

    segments: tuple[Segment, ...]
    kinds: tuple[str, ...]
    segment: Array
    ramp: Array
    arm: Array
    shard: Array
    kind: Array
    taken: Array
    within: Array
    end: Array
    seen: Array
    n: Array
    amount: Array


def happened(cube: Cube, stage: Stage, groups: tuple[Group, ...]) -> Happened:
    """Return what came of the events of every segment of the groups, at any age."""
    segments, found = gathered(cube, stage, groups, came)
    entries, at = np.unique(found["entry"], return_inverse=True)
    ends = np.array([cube.end(int(entry)).timestamp() for entry in entries])
    names, kind = np.unique(found["kind"].astype(str), return_inverse=True)
    events = int(len(names) > 0 and not names[0])
    small = {name: found[name].astype(np.int32) for name in ("segment", "ramp_step", "arm", "shard", "taken")}
    return Happened(
        segments,
        tuple(map(str, names[events:])),
        small["segment"],
        small["ramp_step"],
        small["arm"],
        small["shard"],
        (kind - events).astype(np.int32),
        small["taken"],
        found["within"],
        ends[at],
        np.searchsorted(cube.steps, found["seen"]),
        found["n"],
        found["amount"],
    )


def came(cube: Cube, stage: Stage) -> str:
    """Return SQL for what came of events; see `gather`."""
    return f"""
select {CODES}, {placed("arm", VERSIONS)}, {placed("ramp_step", cube.ramps(stage))}, entry, seen, kind::varchar as kind,
    {placed("taken", cube.release.actions)}, shard, within, sum(n)::bigint as n, sum(amount)::bigint as amount
from effect where {CELLS} group by all"""


def serving(cube: Cube, stage: Stage, groups: tuple[Group, ...]) -> Serving:
    """Return how events were served, by the look in which they entered."""
    segments, columns = gathered(cube, stage, groups, served)
    looks = cube.steps
    look, keep = looked(columns["entry"], looks)
    shape, index = (len(segments), len(looks), len(VERSIONS)), (columns["segment"], look, columns["version"])
    timed = columns["bin"] >= 0
    ids = dense.ids_of(columns["bin"][timed])
    error = columns["error"].astype(str)
    names = tuple(sorted({str(name) for name in error} - {""}))

    def counted(name: str, unit: int, chosen: Array) -> Array:
        return dense.kept(shape, index, columns[name], unit, keep & chosen)

    bins = (*index, columns["bin"] - ids[0])
    failed = [counted("n", 1, error == name) for name in names]
    return Serving(
        segments,
        looks,
        edges(ids),
        names,
        counted("n", 1, keep),
        dense.kept((*shape, len(ids)), bins, columns["n"], 1, keep & timed),
        np.stack(failed) if failed else np.zeros((0, *shape)),
        counted("n", 1, columns["fallback"] == 1),
        counted("n", 1, columns["fallback"] < 2),
        counted("costed", 1, keep),
        counted("cost", SCALED, keep),
        counted("cost2", SCALED, keep),
    )


def served(_: Cube, stage: Stage) -> str:
    """Return SQL for how events were served; see `gather`."""
    own = "" if stage.paired else " and arm = if(version = 0, 'baseline', 'candidate')"
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in tables.SUMS["latency"].split(", "))
    return f"""
select {CODES}, version, bin, fallback, error, entry, {sums} from latency where {CELLS}{own} and seen = 0 group by all"""


def edges(ids: Array) -> Array:
    """Return the edges of latency bins in milliseconds, one more than there are bins; the lowest bin begins at 0."""
    found = np.exp2(np.append(ids, ids[-1] + 1) / PER_DOUBLING + FASTEST)
    top = (SLOWEST - FASTEST) * PER_DOUBLING
    found[:-1][ids <= 0] = 0.0
    found[1:][ids >= top] = np.inf
    return found


def gauges(cube: Cube, stage: Stage) -> tuple[Gauge, ...]:
    """Return every runtime sample of a stage by time, one per name and arm, in the order of their names."""
    if "gauge" not in cube.facts["tables"]:
        return ()
    sql = "select * from gauge where stage = $stage order by name, arm, bucket"
    found = cube.store.query(sql, {"stage": str(stage)})
    keys = np.array([f"{name}\n{arm}" for name, arm in zip(found["name"], found["arm"], strict=True)], dtype=str)
    listed = []
    for key in np.unique(keys):
        mine, (name, _, arm) = keys == key, str(key).partition("\n")
        one = {column: values[mine] for column, values in found.items()}
        mean = one["total"] / one["n"] / GAUGED
        listed.append(
            Gauge(name, arm, one["bucket"], one["entry"], one["n"], mean, one["low"], one["high"], one["last"])
        )
    return tuple(listed)


def gathered(
    cube: Cube, stage: Stage, groups: tuple[Group, ...], statement: Statement
) -> tuple[tuple[Segment, ...], dict[str, Array]]:
    """Return the segments of all groups, and the columns of a statement over them with each row's segment."""
    segments: list[dict[str, str]] = []
    found: list[dict[str, Array]] = []
    for by, where in groups:
        dims = cube.single((*((dim, "") for dim in by), *where))
        rows, column = cube.gather(statement, stage, dims), dict.fromkeys(dims, "v1") | {REPLAY_SET: REPLAY_SET}
        met = [np.isin(cube.names, value)[rows[column[dim]]] for dim, value in where]
        here = np.flatnonzero(np.logical_and.reduce(met)) if met else None
        columns = {name: whole(taken(values, here)) for name, values in rows.items()}
        named, place = cube.placed((by, where), columns | {f"k{n}": columns[column[dim]] for n, dim in enumerate(by)})
        found.append(columns | {"segment": len(segments) + place})
        segments += named
    return tuple(segments), {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def gather(cube: Cube, statement: Statement, stage: Stage, dims: tuple[str, ...]) -> dict[str, Array]:
    """Return the columns of a statement over the cells of a stage by at most one dimension, of all of its values.

    A statement is SQL with the columns CODES, of cells that pass the test CELLS. Whole numbers are of the smallest type.
    """
    params = {"stage": str(stage), "by": ",".join(dims)}
    return {name: small(column) for name, column in cube.store.query(statement(cube, stage), params).items()}


def ramps(cube: Cube, stage: Stage) -> tuple[str, ...]:
    """Return the ramp steps of a stage in the order in which they began; ("",) where the logs name none."""
    sql = """
    select ramp_step, min(since) as first from pair where "by" = '' and label < 0 and stage = $stage
    group by ramp_step order by first, try_cast(ramp_step as double), ramp_step"""
    return tuple(map(str, cube.store.query(sql, {"stage": str(stage)})["ramp_step"])) or ("",)

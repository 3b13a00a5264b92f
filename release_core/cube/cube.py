"""A published cube in, slices out: cells of any stage, as-of step and up to three dimensions, as dense arrays."""

from __future__ import annotations

import json
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.cube import (
    aged,
    customers,
    dense,
    development,
    events,
    joined,
    known,
    late,
    leases,
    live,
    loads,
    moves,
    opening,
    places,
    query,
    slices,
    steps,
    treatment,
    watched,
)
from release_core.cube import cells as tables
from release_core.cube.encode import COARSE, FINE
from release_core.cube.query import PERIOD, REPLAY_SET, WINDOW
from release_core.cube.rows import beside, together
from release_core.errors import NotFound, Problem, Unanswerable
from release_core.frames import Cells
from release_core.release import Stage
from release_core.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from release_core.cube.dense import Columns
    from release_core.cube.query import Among, Group
    from release_core.frames import Array, Worlds
    from release_core.joint_frames import Crossing, ScoreMap
    from release_core.label_frames import Arrivals, Coverage, Development
    from release_core.release import Release

    Where = tuple[tuple[str, str], ...]
    At = tuple[Stage, int, bool]

MOST_DIMENSIONS = 3


class Cube:
    """The cells of one release, loaded once and read by any number of threads; nothing in it ever changes."""

    def __init__(self, release: Release, folder: Path, before: Cube | None = None) -> None:
        """Load the cube that `build` published in `folder`; of one that was open `before` take over what still holds."""
        self.release = release
        self.folder = folder
        self.name = folder.name
        # Answers by function, and when which question was asked last (see memory.py).
        self.answers: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.asked: dict[tuple[Callable[..., Any], tuple[Any, ...], tuple[tuple[str, Any], ...]], float] = {}
        leases.take(self, folder)
        self.facts: dict[str, Any] = json.loads((folder / "cube.json").read_text(encoding="utf-8"))
        self.unit: str = self.facts["unit"]
        self.steps: tuple[int, ...] = tuple(self.facts["steps"])
        # The name of a step's period: a month, a day, or a time.
        self.label = partial(steps.label, self.unit)
        # The last instant of each step, in seconds since 1970.
        self.ends = np.array([self.end(step).timestamp() for step in self.steps])
        self.fingerprint: str = self.facts["fingerprint"]
        self.store = Store(shared=True)
        values = self.facts.pop("values")
        self.names, self._values = opening.load(self.store, release, folder, self.facts["tables"], values)
        # Has tables in memory that are not read at opening, before a query asks for them.
        self.hold = opening.Later(self.store, self.facts["tables"])
        self._ask_once()
        self.forget()
        # What enters and leaves the counts, by table, stage and dimensions; any as-of step is answered from it.
        self.moves = moves.Kept(self, before)

    def forget(self) -> None:
        """Keep no answer but the last few of each kind from now on."""
        self.slice = lru_cache(maxsize=32)(self._slice)
        self.days = lru_cache(maxsize=256)(partial(watched.days, self))
        self.map, self.crossing = lru_cache(maxsize=16)(self._map), lru_cache(maxsize=8)(self._crossing)
        self.apart = lru_cache(maxsize=256)(partial(joined.apart, self))
        self.coverage = lru_cache(maxsize=16)(self._coverage)
        # After which actions no outcome is seen, and whether label propensities are logged, by stage and step.
        self.selection = lru_cache(maxsize=256)(partial(known.selected, self.moved, self.release))
        self.slices = partial(slices.within, self)
        self.development = lru_cache(maxsize=256)(self._development)

    def _ask_once(self) -> None:
        """Keep what is the same at every as-of step once somebody has asked for it: what is read, and live stages' frames."""
        self.stages = cache(partial(watched.stages, self))
        self.replay_sets = cache(partial(watched.replay_sets, self))
        self._sets, self.kinds = cache(partial(watched.sets, self)), cache(partial(watched.kinds, self))
        self.began = cache(partial(watched.began, self))
        self.entered = cache(partial(watched.entered, self))
        self.ramps = cache(partial(live.ramps, self))
        self.mixed = cache(partial(watched.mixed, self))
        self.left_out = lru_cache(maxsize=256)(partial(watched.left_out, self))
        self.leaving = lru_cache(maxsize=64)(partial(watched.leaving, self))
        self.checked = cache(partial(watched.checked, self))
        self.given, self.firsts = cache(partial(watched.given, self)), cache(partial(watched.firsts, self))
        self.pending = cache(partial(development.pending, self))
        self.entities = cache(partial(treatment.entities, self))
        self.entities_by = cache(partial(treatment.entities_by, self))
        self.per_entity = cache(partial(treatment.per_entity, self))
        self.gauges, self.customers = cache(partial(live.gauges, self)), cache(partial(customers.known, self))
        self.arms = lru_cache(maxsize=32)(partial(live.arms, self))
        self.treated = lru_cache(maxsize=32)(lambda stage, groups: live.treated(self, stage, self.arms(stage, groups)))
        self.happened = lru_cache(maxsize=32)(partial(live.happened, self))
        self.effects = lru_cache(maxsize=96)(partial(live.effects, self))
        self.late = lru_cache(maxsize=64)(partial(late.late, self))
        self.before = cache(partial(live.before, self))
        self.serving = lru_cache(maxsize=64)(partial(live.serving, self))
        self.gather = lru_cache(maxsize=128)(partial(live.gather, self))
        self.searched = lru_cache(maxsize=8)(partial(slices.Searched, self))
        self.held = lru_cache(maxsize=64)(partial(development.Held, self))
        self.entries = lru_cache(maxsize=64)(partial(loads.Entries, self))
        self.loads = lru_cache(maxsize=64)(partial(loads.Loads, self))
        self.aged = lru_cache(maxsize=128)(partial(aged.Aged, self))
        self._progress = lru_cache(maxsize=64)(partial(aged.progress, self))

    def end(self, step: int) -> datetime:
        """Return the last instant of an as-of step, UTC."""
        return steps.end(self.unit, step)

    def step(self, as_of: str | None) -> int:
        """Return the as-of step of a text (None: the latest).

        Raises:
            NotFound: the text is no time, or lies before the first step.
        """
        return self.steps[-1] if as_of is None else steps.snap(self.unit, self.steps, steps.parse(as_of))

    def values(self, dim: str) -> tuple[str, ...]:
        """Return the values of a dimension in the logs, sorted; it is declared, or `replay_set`, or `window`."""
        if dim == REPLAY_SET:
            return self._sets()
        self.dimensions((dim,))
        return self._values.get(dim, ())

    def checks(self, stage: Stage, step: int) -> dict[str, int]:
        """Return the counts over all sets of a stage as of a step: events, overlap, parity, clipped scores."""
        return watched.checks(self, stage, step)

    def codes(self, stage: Stage, step: int) -> list[tuple[str, str, str, float, float, int]]:
        """Return the shares of watched codes by period; see `watched`."""
        return watched.codes(self, stage, step)

    def maturity(self, stage: Stage, step: int, where: Where) -> dict[str, int]:
        """Return how many events (n) of a filter there are as of a step, and how many labels are known and mature."""
        return watched.maturity(self, (stage, step), where)

    def progress(self, stage: Stage, step: int, where: Where) -> dict[int, dict[str, int]]:
        """Return the same at each as-of step up to `step`; the filter has at most one dimension beside the replay set."""
        return {at: counts for at, counts in self._progress(stage, where).items() if at <= step}

    def ages(self, stage: Stage, step: int, where: Where) -> tuple[Array, Array]:
        """Return per age in days: labels known by then, and events of that age, as of a step.

        The age of an event is taken from the last instant of the step in which it entered, so that every event
        counted at an age has reached it.

        Raises:
            Unanswerable: the filter has more than one dimension beside the replay set.
        """
        wide, value = aged.valued(self, where)
        rows = self.aged(stage, wide, "").rows(step, value)
        return known.by_age(self.release, rows, step, lambda entry: (self.end(step) - self.end(entry)).days)

    def arrivals(self, stage: Stage, step: int, where: Where = (), kind: str = "positive") -> Arrivals:
        """Return when events came to show `kind` as of a step: a label (positive, negative), or a kind of outcome.

        Raises:
            NotFound: no outcome of that kind is in the logs.
            Unanswerable: the filter has more than one dimension beside the replay set.
        """
        wide, value = aged.valued(self, where)
        rows = self.aged(stage, wide, "" if kind in known.LABELS else kind).rows(step, value)
        return known.arrivals(self.release, rows, step, kind)

    def arrivals_by(self, dim: str, stage: Stage, step: int, where: Where, kind: str) -> dict[str, Arrivals]:
        """Return the same for every value of a dimension; the filter is by replay set only."""
        held = self.aged(stage, (*where, (dim, "")), "" if kind in known.LABELS else kind)
        parts = {value: held.rows(step, value) for value in held.spans}
        return {
            value: known.arrivals(self.release, rows, step, kind) for value, rows in parts.items() if len(rows["n"])
        }

    def developments(self, dim: str, stage: Stage, step: int, where: Where = ()) -> tuple[tuple[str, ...], Development]:
        """Return the values of a dimension, and how labels develop in all of them; the filter is by replay set only."""
        return development.read_by(self, (stage, step), self.held(stage, (*where, (dim, "")), every=True))

    def _map(self, stage: Stage, step: int, where: Where = (), *, mature: bool = True) -> ScoreMap:
        """Return the joint table of both scores; the filter has at most one dimension beside the replay set."""
        self.single(where)
        return joined.score_map(self.release, self.moved("joint", (stage, step, mature), ((), where)))

    def worlds(self, stage: Stage, step: int, group: Group = ((), ())) -> Worlds:
        """Return what all worlds would have done; split and filter take one dimension beside the replay set."""
        return joined.worlds(self.release, *self._placed("world", (stage, step, True), group))

    def _crossing(self, stage: Stage, step: int, group: Group = ((), ())) -> Crossing:
        """Return who crosses which cutoff; split and filter take one dimension beside the replay set."""
        return joined.crossing(self.release, *self._placed("crossed", (stage, step, True), group))

    def placed(self, group: Group, columns: Columns) -> tuple[list[dict[str, str]], Array]:
        """Return the segments of a group, and the place of each row of `columns` (k0, k1, ...) among them."""
        found = self._key(group[0], columns)
        keys = places.present(found) if any(group) else np.zeros(1, np.int64)
        return [dict(group[1]) | self._named(group[0], key) for key in keys.tolist()], places.place_in(keys, found)

    def _placed(self, table: str, view: At, group: Group) -> tuple[list[dict[str, str]], Columns]:
        """Return the segments of a group in at most one dimension, and a table's columns with each row's segment."""
        self.single((dim, "") for dim in (*group[0], *dict(group[1])))
        columns = self.moved(table, view, group)
        segments, place = self.placed(group, columns)
        return segments, beside(columns, {"segment": place})

    def _coverage(self, stage: Stage, step: int, where: Where = ()) -> Coverage:
        """Return which events have labels; the filter has at most one dimension beside the replay set."""
        self.single(where)
        return known.coverage(self.release, self.moved("cover", (stage, step, True), ((), where)))

    def sizes(self, stage: Stage, step: int, where: Where = ()) -> list[dict[str, Any]]:
        """Return one row per size of amount: events, those on which the versions differ, explained ones, amounts."""
        self.single(where)
        return events.sizes(self.moved("size", (stage, step, True), ((), where)))

    def reasons(self, stage: Stage, step: int, where: Where = ()) -> list[dict[str, Any]]:
        """Return one row per pair of different actions and pair of reasons: n, positive, negative, amount."""
        self.single(where)
        return events.reasons(self.release, self.moved("reason", (stage, step, True), ((), where)))

    def sample(
        self, stage: Stage, step: int, actions: tuple[str, str], where: Where = (), limit: int = 20
    ) -> list[dict[str, Any]]:
        """Return some single events on which baseline and candidate took `actions`, customers masked; see `events`."""
        self.dimensions(tuple(dict(where)))
        return events.sample(self, (stage, step), actions, where, limit)

    def single(self, where: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the filter's declared dimension, if any.

        Raises:
            Unanswerable: there are several.
        """
        dims = self.dimensions(tuple(dict(where)))
        if len(dims) > 1:
            found, required = f"a split or filter by {', '.join(dims)}", "at most one dimension beside the replay set"
            raise Unanswerable(Problem("segment", found, required, "Remove one of them."))
        return dims

    def tests(self, stage: Stage | None, where: Where, *, every: bool = False) -> tuple[str, dict[str, object]]:
        """Return the SQL and values of a stage (None: any) and a filter by one dimension (`every`: by any value of it)."""
        dims, given = self.single(where), dict(where)
        valued = () if every else dims
        tests, params = ['"by" = $by'], {"by": ",".join(dims)} | ({"value": given[valued[0]]} if valued else {})
        if stage is not None:
            tests, params = [*tests, "stage = $stage"], params | {"stage": str(stage)}
        if REPLAY_SET in given:
            tests, params = [*tests, "replay_set = $set"], params | {"set": given[REPLAY_SET]}
        return " and ".join([*tests, *("v1 = $value" for _ in valued)]), dict(params)

    def _development(
        self, stage: Stage, step: int, where: Where = (), mature_by: int | None = None, *, all_stages: bool = False
    ) -> Development:
        """Return how labels develop from event to as-of in a stage, or with `all_stages` in all, in that stage's buckets.

        `mature_by`: only of events that were mature at that step.

        Raises:
            Unanswerable: the filter has more than one dimension beside the replay set.
        """
        wide, value = aged.valued(self, where)
        held = self.held(None if all_stages else stage, wide, every=wide != where)
        return development.read(self, (stage, step), held.of(value), mature_by)

    def quarantined(self, limit: int) -> list[dict[str, Any]]:
        """Return a sample of quarantined rows: file, row, column, value, rule."""
        return watched.quarantined(self, limit)

    def spans(self, step: int) -> list[dict[str, Any]]:
        """Return the events of each stage and ramp step by a step; see `watched`."""
        return watched.spans(self, step)

    def acted(self, stage: Stage, step: int, group: Group = ((), ())) -> list[dict[str, Any]]:
        """Return one row per segment, arm and pair of actions of events with both: segment, arm, actions, n, amount."""
        columns = self.moved("pair", (stage, step, True), group)
        return events.acted(self.release, *self.placed((group[0], ()), columns), columns)

    def dimensions(self, dims: Sequence[str]) -> tuple[str, ...]:
        """Return `dims` without `replay_set`, each once, in the order in which cells name them.

        Raises:
            NotFound: a dimension is not declared.
            Unanswerable: there are more than three, or more than two with the calendar window.
        """
        scenarios = (tables.scenario_dimension(s.id) for s in self.release.scenarios)
        declared = (*self.release.segments.all, WINDOW, *scenarios)
        for dim in dims:
            if dim not in (*declared, REPLAY_SET, PERIOD):
                required = f"one of {', '.join((*declared, REPLAY_SET))}"
                raise NotFound(Problem("dimension", repr(dim), required, "Choose a declared dimension."))
        chosen = tuple(dim for dim in declared if dim in dims)
        most = MOST_DIMENSIONS - (WINDOW in chosen)
        if len(chosen) > most:
            found = f"{len(chosen)} dimensions ({', '.join(chosen)})"
            required = f"at most {most} beside the replay set, counting split and filter together"
            raise Unanswerable(Problem("segment", found, required, "Remove one of them."))
        return chosen

    def _slice(
        self, stage: Stage, step: int, groups: tuple[Group, ...], *, mature: bool = True, among: Among = ()
    ) -> Cells:
        """Return the cells of every segment of every group of a stage, as known at `step`.

        Args:
            stage: the stage.
            step: the as-of step.
            groups: each splits by dimensions within a filter; without events it gives no segment, all events always one.
            mature: whether labels count only once their event is mature (as gates read), or as soon as known.
            among: dimensions with those of their values that count.
        """
        fine = all(len(self.dimensions((*by, *dict(where), *dict(among)))) < tables.MOST_SCORED for by, where in groups)
        segments: list[dict[str, str]] = []
        keys: list[Array] = []
        pairs: list[Columns] = []
        for group in groups:
            columns = self.moved("pair", (stage, step, mature), group, among)
            found = self._key(group[0], columns)
            keys.append(places.present(found) if any(group) else np.zeros(1, np.int64))
            pairs.append(beside(columns, {"segment": len(segments) + places.place_in(keys[-1], found)}))
            segments += [dict(group[1]) | self._named(group[0], key) for key in keys[-1].tolist()]

        @cache
        def columns_of(table: str) -> Columns:
            """Return the columns of a table over all groups; the tables of scores are read only when they are needed."""
            if table == "pair":
                return together(pairs)
            found, first = [], 0
            for group, placed in zip(groups, keys, strict=True):
                columns = self.moved(table, (stage, step, mature), group, among, every=len(placed) > 0)
                found.append(places.segmented(columns, group[0], placed, partial(self._key, group[0]), first))
                first += len(placed)
            return together(found)

        (unseen, weighted), own = self.selection(stage, step), tuple(self.facts["score_groups"]["edges"])
        of, told, grid = (self.release, len(segments), columns_of), (unseen, own), FINE if fine else COARSE
        return Cells(
            tuple(segments),
            dense.whole(*of, grid, told, paired=stage.paired),
            dense.shards(*of, told, paired=stage.paired, binned=fine),
            self.release.actions,
            self.release.cutoff_ids,
            stage.paired,
            bool(self.facts["clustered"]),
            lambda: self.slice(stage, step, (((), ()),), mature=mature),
            unseen,
            weighted,
            None if stage.paired else lambda: live.at_look(self, (stage, step), groups, segments),
            partial(self.apart, (stage, step, mature)),
        )

    def sql(self, table: str, stage: Stage, step: int, group: Group) -> str:
        """Return the SQL behind a slice, with its values, for readers."""
        dims = self.dimensions((*group[0], *dict(group[1])))
        return query.shown(*query.statement(table, (stage, step, True), group, dims))

    def moved(self, table: str, view: At, group: Group, among: Among = (), *, every: bool = False) -> Columns:
        """Return the rows of a table that count as of a step (`every`: all); `view`: stage, step, whether labels are mature."""
        (stage, step, mature), dims = view, self.dimensions((*group[0], *dict(group[1]), *dict(among)))
        query.check(table, dims)
        return self.moves(table, stage, dims, (mature, PERIOD in group[0])).rows(step, group, among, every=every)

    def _weights(self, by: tuple[str, ...]) -> list[int]:
        size = max(len(self.names), steps.LARGEST if PERIOD in by else 0)
        return [size ** (len(by) - 1 - n) for n in range(len(by))]

    def _key(self, by: tuple[str, ...], columns: Columns) -> Array:
        """Return one number per row that stands for its values of `by`, in their order."""
        codes = [columns[f"k{n}"] * w if w > 1 else columns[f"k{n}"] for n, w in enumerate(self._weights(by))]
        return sum(codes[1:], codes[0]) if codes else np.zeros(len(columns["n"]), np.int64)

    def _named(self, by: tuple[str, ...], key: int) -> dict[str, str]:
        size = max(len(self.names), steps.LARGEST if PERIOD in by else 0)
        codes = {dim: key // weight % size for dim, weight in zip(by, self._weights(by), strict=True)}
        return {dim: self.label(code) if dim == PERIOD else str(self.names[code]) for dim, code in codes.items()}

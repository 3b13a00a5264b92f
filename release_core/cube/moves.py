"""Cells of one stage and set of dimensions in; what any filter and split of them adds up to at any as-of step, out.

Cells are read once, as what enters and leaves the counts at each as-of step (a label that was changed leaves again), in the
order of the steps. The answer as of a step is one sum over the rows before it, from the nearest step for which sums are kept.
Of a cube that has the cells of another one and some more, only those more are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.cube import cells as tables
from release_core.cube import opening
from release_core.cube.labels import EVENT, QUIET
from release_core.cube.places import MATURED, SILENT
from release_core.cube.query import PERIOD, REPLAY_SET, SLICED, cells_of
from release_core.cube.rows import Keys, Rows, small, taken
from release_core.cube.steps import FOREVER
from release_core.release import VERSIONS
from release_core.store import share_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.cube.cube import Cube
    from release_core.cube.dense import Columns
    from release_core.cube.query import Group
    from release_core.frames import Array
    from release_core.release import Stage

VALUES = ("v1", "v2", "v3")
ACTIONS = ("baseline_action", "candidate_action", "taken")
TEXTS = ("baseline_reason", "candidate_reason")
# Tables that tell events apart by whether they are mature, and by whether silence told of them.
MATURING = {"pair", "cover"}
# Moves take at most so many bytes together, beside those read last: a quarter of the machine's memory, at most 2.5 GB.
MOST_BYTES = share_of_memory(0.25, 10_000_000_000)
# So many filters have what is made of their keys kept.
MOST_FILTERS = 8
# Codes of keys stay below this, so that one more key fits 64 bits.
MOST_CODES = 2**62


class Moves:
    """What enters and leaves the counts of a table: of one stage, by some dimensions, labels once mature or once known."""

    def __init__(
        self,
        cube: Cube,
        table: str,
        stage: Stage,
        dims: tuple[str, ...],
        how: tuple[bool, bool],
        before: tuple[Moves, Columns] | None = None,
    ) -> None:
        """Read the cells, or take over those `before`, with the rows that came since (see `came`).

        `how`: whether labels count only once mature, and whether events are kept by entry step.
        """
        self._names = [str(name) for name in cube.names]
        mature, self._by_entry = how
        self._column = dict(zip(dims, VALUES, strict=False)) | {REPLAY_SET: REPLAY_SET, PERIOD: "entry"}
        self._ramps = cube.ramps(stage) if "ramp_step" in SLICED[table] else ()
        if before is None:
            keys = _keys(table, len(dims), by_entry=self._by_entry)
            found = cube.store.query(*_statement(cube, table, (stage, dims), keys, mature=mature))
            self._keys_at, self._code = _coded({name: found[name] for name in (*keys, "label")})
            self._look, sums = small(found["look"]), tables.SUMS[cells_of(table)].split(", ")
            self._sums = {name: small(found[name]) for name in sums}
        else:
            self._go_on(*before)
        self._size = len(self._keys_at["label"])
        self._ends = np.searchsorted(self._look, cube.steps, side="right")
        self._marked = _marked(self._ends, self._size)
        self._steps = cube.steps
        # By sum and number of the mark.
        self._kept: dict[str, dict[int, Array]] = {}
        self._made = Keys(self._keys_at)
        self._filtered: dict[tuple[Any, Any], tuple[Keys, Array]] = {}
        self._last: tuple[int, dict[str, Array]] = (-1, {})

    def _go_on(self, old: Moves, found: Columns) -> None:
        """Take over the rows of another cube's moves, and add some."""
        keys = {name: np.concatenate([old.recoded(name, self._names), found[name]]) for name in old._keys_at}
        self._keys_at, place = _coded(keys)
        look = np.concatenate([old._look, found["look"]])
        order = np.argsort(look, kind="stable")
        self._look = small(look[order])
        self._code = np.concatenate([place[: old._size][old._code], place[old._size :]])[order]
        self._sums = {
            name: small(np.concatenate([column.astype(np.int64), found[name]])[order])
            for name, column in old._sums.items()
        }

    def recoded(self, name: str, names: Sequence[str]) -> Array:
        """Return a column of keys; values of dimensions as their places among `names`."""
        column = self._keys_at[name]
        if name not in (*VALUES, REPLAY_SET) or self._names == names:
            return column
        place = {value: n for n, value in enumerate(names)}
        return np.array([place[value] for value in self._names])[column]

    def goes_on(self, cube: Cube, stage: Stage) -> bool:
        """Return whether the rows hold for a cube that has more cells: no value has gone, no as-of step lies between ours."""
        known, ours = set(cube.names), set(self._steps)
        return (
            known.issuperset(self._names)
            and all(step in ours for step in cube.steps if step <= self._steps[-1])
            and (not self._ramps or self._ramps == cube.ramps(stage))
        )

    @property
    def nbytes(self) -> int:
        """Return the memory that the rows and the sums take, kept ones included."""
        sums = [*self._sums.values(), *list(self._last[1].values())]
        sums += [array for kept in list(self._kept.values()) for array in list(kept.values())]
        held = [one for filtered in list(self._filtered.values()) for one in filtered]
        return sum(one.nbytes for one in (self._made, self._code, self._look, *sums, *held))

    def rows(
        self, step: int, group: Group, among: Sequence[tuple[str, Sequence[str]]] = (), *, every: bool = False
    ) -> Rows:
        """Return the rows of a group as of a step: k0, k1, ... are the codes of its dimensions; those without events are left out.

        `among`: dimensions by which only rows with one of some values count. With `every` row, also those without events, what
        is made of the keys holds at every step.
        """
        look, (by, where) = bisect_right(self._steps, step) - 1, group
        keys, place = self._within(where, tuple((dim, tuple(values)) for dim, values in among))
        names = {f"k{n}": self._column[dim] for n, dim in enumerate(by)} | {name: name for name in self._keys_at}
        alive = None if every else np.flatnonzero(taken(self._at(look, "n"), place))
        compute: dict[str, Callable[[], Array]] = {
            name: lambda column=column: keys.taken(column, alive)  # type: ignore[misc]
            for name, column in names.items()
        }
        sums = {name: lambda name=name: taken(taken(self._at(look, name), place), alive) for name in self._sums}
        return Rows(compute | sums, of=(keys, alive), keeps=place is not None or alive is not None)

    def _met(self, where: Sequence[tuple[str, str]], among: Sequence[tuple[str, Sequence[str]]]) -> Array:
        """Return which keys meet a filter by single values and by several."""
        met = np.ones(self._size, bool)
        for dim, values in (*((dim, (value,)) for dim, value in where), *among):
            met &= np.isin(self._names, values)[self._keys_at[self._column[dim]]]
        return met

    def _within(
        self, where: tuple[tuple[str, str], ...], among: tuple[tuple[str, tuple[str, ...]], ...]
    ) -> tuple[Keys, Array | None]:
        """Return the keys that meet a filter with what is made of them, and their places (None: all)."""
        if not where and not among:
            return self._made, None
        held = self._filtered.get((where, among))
        if held is None:
            place = np.flatnonzero(self._met(where, among))
            held = Keys({name: column[place] for name, column in self._keys_at.items()}), place
            for old in list(self._filtered)[: 1 - MOST_FILTERS]:
                self._filtered.pop(old, None)
            self._filtered[where, among] = held
        return held

    def entries(self, group: Group) -> Rows:
        """Return what enters and leaves by the last step, of a group: as `rows`, and `look` is the place of the step."""
        place = np.flatnonzero(self._met(group[1], ())[self._code[: int(self._ends[-1])]])
        code = self._code[place]
        key = {f"k{n}": self._column[dim] for n, dim in enumerate(group[0])} | {name: name for name in self._keys_at}
        compute: dict[str, Callable[[], Array]] = {
            name: lambda column=column: self._made.taken(column, code)  # type: ignore[misc]
            for name, column in key.items()
        }
        compute |= {name: lambda column=column: column[place].astype(np.int64) for name, column in self._sums.items()}  # type: ignore[misc]
        return Rows(compute, {"look": np.searchsorted(self._steps, self._look[place])})

    def _at(self, look: int, name: str) -> Array:
        """Return a sum of every key as of a look; nothing before the first."""
        if look < 0:
            return np.zeros(self._size)
        # Another thread may ask for another look at any moment: it then has sums of its own.
        last = self._last
        if last[0] != look:
            last = self._last = (look, {})
        held = last[1]
        if name not in held:
            # From the nearest mark, which may lie ahead: what came since is taken out.
            end = int(self._ends[look])
            mark = int(np.abs(self._ends[self._marked] - end).argmin())
            start = int(self._ends[self._marked[mark]])
            part, adding = slice(min(start, end), max(start, end)), np.add if start <= end else np.subtract
            found = self._mark(name, mark).astype(np.float64)
            adding.at(found, self._code[part].astype(np.intp), self._sums[name][part].astype(np.float64))
            held[name] = found
        return held[name]

    def add_up(self) -> None:
        """Have all sums at the marked looks, of which answers are made; else each is added up when it is first asked for."""
        for name in self._sums:
            for mark in range(len(self._marked)):
                self._mark(name, mark)

    def _mark(self, name: str, mark: int) -> Array:
        """Return the sums of every key at a marked look, from those at the nearest mark that are known."""
        kept = self._kept.setdefault(name, {})
        if mark not in kept:
            near = min(list(kept), key=lambda known: abs(known - mark), default=None)
            start, end = (0 if one is None else int(self._ends[self._marked[one]]) for one in (near, mark))
            moved = self._between(name, min(start, end), max(start, end))
            before = 0 if near is None else kept[near]
            kept[mark] = small((before + moved if start <= end else before - moved).astype(np.int64))
        return kept[mark]

    def _between(self, name: str, start: int, end: int) -> Array:
        # Of no rows numpy counts in whole numbers, to which fractions are added slowly.
        found = np.bincount(self._code[start:end], weights=self._sums[name][start:end], minlength=self._size)
        return found.astype(np.float64, copy=False)


class Kept:
    """Moves by question, each read once; beyond MOST_BYTES those that nobody asked for the longest are dropped."""

    def __init__(self, cube: Cube, before: Cube | None = None, most: int = MOST_BYTES) -> None:
        """Take the cube to read, one whose moves may be taken over, and how many bytes the moves may take together."""
        self._read = partial(Moves, cube)
        self._most = most
        # Of these moves, not of their cube: it goes when nobody uses it any more.
        self._before = OrderedDict() if before is None else before.moves.taken_over(cube, before)
        self._came = lru_cache(maxsize=32)(partial(came, cube))
        self._held: OrderedDict[tuple[str, Stage, tuple[str, ...], tuple[bool, bool]], Moves] = OrderedDict()
        self._turn = Lock()

    def __call__(self, table: str, stage: Stage, dims: tuple[str, ...], how: tuple[bool, bool]) -> Moves:
        """Return the moves of a table, see `Moves`."""
        key = (table, stage, dims, how)
        with self._turn:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found
            old = self._before.pop(key, None)
        # Nobody waits for a table that another thread reads: at worst two read the same.
        found = self._read(*key) if old is None else self._read(*key, (old, _of(self._came(table, stage, how), dims)))
        with self._turn:
            self._held[key] = found
            while (self._before or len(self._held) > 1) and self.nbytes > self._most:
                (self._before or self._held).popitem(last=False)
        return found

    def taken_over(
        self, cube: Cube, before: Cube
    ) -> OrderedDict[tuple[str, Stage, tuple[str, ...], tuple[bool, bool]], Moves]:
        """Return the moves that hold for a newer cube, but for the cells that it has more."""
        if before.release.manifest_hash != cube.release.manifest_hash:
            return OrderedDict()
        more = opening.more(cube.store, cube.folder.parent, cube.facts["tables"], before.facts["tables"])
        with self._turn:
            held = list(self._held.items())
        return OrderedDict((key, one) for key, one in held if cells_of(key[0]) in more and one.goes_on(cube, key[1]))

    @property
    def nbytes(self) -> int:
        """Return the memory that all of them take, with those of the cube before that nobody has asked for again."""
        return sum(one.nbytes for one in (*self._held.values(), *self._before.values()))

    def clear(self) -> None:
        """Forget all."""
        with self._turn:
            self._held.clear()
            self._before.clear()


def _keys(table: str, depth: int, *, by_entry: bool) -> dict[str, str]:
    """Return the SQL of each key column, by its name."""
    keys = {name: f"enum_code({name})::bigint" for name in (*VALUES[:depth], REPLAY_SET)}
    if by_entry:
        keys["entry"] = "since::bigint"
    for name in SLICED[table]:
        if name in ACTIONS:
            keys[name] = f"coalesce(list_position($actions, {name}::varchar), 0)::bigint - 1"
        elif name == "arm":
            keys[name] = f"coalesce(list_position({list(VERSIONS)}, arm::varchar), 0)::bigint - 1"
        elif name == "ramp_step":
            keys[name] = "coalesce(list_position($ramps, ramp_step::varchar), 0)::bigint - 1"
        elif name != "label":
            keys[name] = f"{name}::varchar" if name in TEXTS else f"{name}::bigint"
    return keys


def _statement(
    cube: Cube, table: str, place: tuple[Stage, tuple[str, ...] | None], keys: Mapping[str, str], *, mature: bool
) -> tuple[str, dict[str, object]]:
    """Return the SQL of the moves of a table with their look, in that order, and its bound values.

    The look of a row is the first as-of step at which it counts; of one that does so after the last step, the step of the
    clock. Without dimensions it is that of the cells that came since the cube before (see `opening.more`), of all of them.
    """
    ready = "greatest(since, settled)" if mature else "since"
    named = ", ".join((*keys, *tables.SUMS[cells_of(table)].split(", ")))
    moves = [
        (f"{EVENT}", "since", "1", "label < 0"),
        ("0", "settled", "1", f"label = {QUIET}"),
        ("label", "ready", "1", "label >= 0 and until > ready"),
        ("label", "until", "-1", "label >= 0 and until > ready"),
    ]
    if table in MATURING:
        moves.append((f"{MATURED}", "settled", "1", "label < 0"))
    if table == "cover":
        moves.append((f"{SILENT}", "settled", "1", f"label = {QUIET}"))
    counted = " union all ".join(
        f"select {named}, {label} as said, greatest({begins}, seen) as begins, {sign} as sign from own where {test}"
        for label, begins, sign, test in (moves[:1] if "entry" in keys else moves)
    )
    sums = ", ".join(f"sum(sign * {name})::bigint as {name}" for name in tables.SUMS[cells_of(table)].split(", "))
    columns = ", ".join(f"{sql} as {name}" for name, sql in keys.items() if sql != name)
    first, last = cube.steps[0], cube.steps[-1]
    stage, dims = place
    params: dict[str, object] = {"stage": str(stage), "first": first}
    params |= {} if dims is None else {"by": ",".join(dims)}
    # The first as-of step at or after each step of the clock.
    params["looks"] = np.array(cube.steps)[np.searchsorted(cube.steps, np.arange(first, last + 1))].tolist()
    if any(name in ACTIONS for name in keys):
        params["actions"] = list(cube.release.actions)
    if "ramp_step" in keys:
        params["ramps"] = list(cube.ramps(stage))
    held = ", ".join(
        dict.fromkeys((*tables.SUMS[cells_of(table)].split(", "), "label", "since", "until", "settled", "seen"))
    )
    source, tests = (f"{opening.MORE}{cells_of(table)}", "") if dims is None else (cells_of(table), '"by" = $by and ')
    sql = f"""
with own as (select {columns}, {held}, {ready} as ready from {source} where {tests}stage = $stage),
counted as ({counted})
select {", ".join(keys)}, said::bigint as label, coalesce($looks[greatest(begins - $first, 0) + 1], begins)::bigint as look, {sums}
from counted where begins < {FOREVER} group by all order by look"""
    return sql, params


def came(cube: Cube, table: str, stage: Stage, how: tuple[bool, bool]) -> Columns:
    """Return the rows of moves of the cells that came since the cube before: of a stage, of all sets of dimensions."""
    mature, by_entry = how
    depth = sum(name in tables.KEYS[cells_of(table)] for name in VALUES)
    keys = {"cuboid": '"by"::varchar'} | _keys(table, depth, by_entry=by_entry)
    return cube.store.query(*_statement(cube, table, (stage, None), keys, mature=mature))


def _of(rows: Columns, dims: tuple[str, ...]) -> Columns:
    """Return the rows of one set of dimensions."""
    mine = rows["cuboid"] == ",".join(dims)
    return {name: column[mine] for name, column in rows.items()}


def _coded(columns: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
    """Return the distinct rows of some columns, and each row's place among them."""
    code, size = np.zeros(len(next(iter(columns.values()))), np.int64), 1
    for column in columns.values():
        first, many = 0, 0
        if column.dtype == object:
            values, column = np.unique(column.astype(str), return_inverse=True)  # noqa: PLW2901
            many = len(values)
        elif len(column):
            first = int(column.min())
            many = int(column.max()) - first + 1
        if size * max(many, 1) > MOST_CODES:
            found, code = np.unique(code, return_inverse=True)
            size = len(found)
        code, size = code * max(many, 1) + (column - first), size * max(many, 1)
    _, first_at, back = np.unique(code, return_index=True, return_inverse=True)
    return {name: small(column[first_at]) for name, column in columns.items()}, back.astype(np.int32)


def _marked(ends: Array, size: int) -> list[int]:
    """Return the looks whose sums are kept: no other has more than `size` rows since the one before it.

    So kept sums, `size` each, take about as much memory as the rows.
    """
    found = [0]
    for look, end in enumerate(ends.tolist()):
        if end - ends[found[-1]] > size:
            found.append(look)
    return found

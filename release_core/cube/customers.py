"""Events of a part in, who they are of out; over all parts: how many customers a slice has.

Customers do not add: one of them has events in many files and slices. So the cube keeps who had events where, of all
customers in small logs, of a sample in large ones. The sample is drawn by the customer's hash, so that a customer is in
it with all events or with none, in every file: what is counted there, times one over the share, is the number of all.
"""

from __future__ import annotations

from functools import cache, reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube.encode import dimension_columns
from release_core.cube.files import copy, listed, text
from release_core.cube.query import REPLAY_SET
from release_core.release import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release_core.cube.cube import Cube, Where
    from release_core.frames import Array
    from release_core.release import Release, Stage
    from release_core.store import Cursor

TABLE = "customer"
# Hashes are below this (15 hexadecimal digits); customers whose hash is below a limit are kept.
SPACE = 16**15
MOST_OF_PART, MOST = 100_000, 150_000


class Customers(NamedTuple):
    """How many customers a slice has; `exact` is False where a sample stands for all."""

    n: float
    exact: bool


def index(release: Release, cursor: Cursor, folder: Path) -> None:
    """Write who had events of `slim` where, of those not taken away, into the folder of the part's cells."""
    share = f"select (least(1.0, {MOST_OF_PART} / greatest(count(*), 1)) * {SPACE})::bigint as up_to from slim"
    names = ", ".join(
        ["stage, replay_set, entity as who", *(f"{c}::varchar as {c}" for c in dimension_columns(release))]
    )
    copy(
        cursor,
        f"select {names}, up_to, min(entry) as entry from slim, ({share}) where entity < up_to and sign > 0 group by all",
        folder / f"{TABLE}.parquet",
    )


def together(cursor: Cursor, folders: list[Path], target: Path) -> None:
    """Write the index of several parts as that of one."""
    rows = f"read_parquet({listed([folder / f'{TABLE}.parquet' for folder in folders])})"
    copy(cursor, _distinct("*", rows, f"(select min(up_to) from {rows})"), target / f"{TABLE}.parquet")


def merge(cursor: Cursor, folders: list[Path], target: Path) -> None:
    """Write the index of all parts as the file `target`."""
    rows = f"read_parquet({listed([folder / f'{TABLE}.parquet' for folder in folders])})"
    sampled = f"(select min(up_to) from {rows})"
    share = f"(select least(1.0, {MOST} / greatest(count(*), 1)) from {rows} where who < {sampled})"
    copy(cursor, _distinct("*", rows, f"({sampled} * {share})::bigint"), target)


def capped(release: Release, values: dict[str, list[str]]) -> dict[str, str]:
    """Return SQL for the dimensions of the index in which rare values read "(other)"; `values`: those that are shown."""
    columns = dict(zip(release.segments.all, dimension_columns(release), strict=True))
    crowded = {dim: column for dim, column in columns.items() if OTHER in values.get(dim, ())}
    return {
        column: f"if({column} in ({', '.join(map(text, values[dim]))}), {column}, {text(OTHER)})"
        for dim, column in crowded.items()
    }


def _distinct(columns: str, rows: str, limit: str) -> str:
    """Return SQL for who is below a limit, each once where it had events, from its first step on."""
    return (
        f"select * exclude (entry, up_to), {limit} as up_to, min(entry) as entry "
        f"from (select {columns} from {rows}) where who < {limit} group by all"
    )


class Known(NamedTuple):
    """Who had events where, in the order of who: hashes and first steps [row], codes of values [row] by dimension, the share."""

    who: Array
    entry: Array
    codes: dict[str, Array]
    share: float


def known(cube: Cube, stage: Stage) -> Known:
    """Return who had events in a stage; rows of files that came later may tell the same again."""
    column = dict(zip(cube.release.segments.all, dimension_columns(cube.release), strict=True)) | {
        REPLAY_SET: REPLAY_SET
    }
    codes = ", ".join(f"enum_code(try_cast({name} as code))::int as {name}" for name in column.values())
    # The parts' samples differ in share: the least of them holds in all.
    limit = f"(select min(up_to) from {TABLE})"
    sql = (
        f"select who, entry, {codes}, {limit} as up_to from {TABLE} where stage = $stage and who < {limit} order by who"
    )
    cube.hold(TABLE)
    found = cube.store.query(sql, {"stage": str(stage)})
    share = float(found["up_to"][0]) / SPACE if len(found["who"]) else 1.0
    return Known(found["who"], found["entry"], {dim: found[name] for dim, name in column.items()}, share)


def counted(cube: Cube, stage: Stage, step: int, slices: Sequence[Where]) -> list[Customers | None]:
    """Return how many customers each slice has as of a step; None where the logs name no customer.

    A slice is a filter by declared dimensions and the replay set.
    """
    if not cube.facts["clustered"]:
        return [None] * len(slices)
    known = cube.customers(stage)
    begun = known.entry <= step
    codes = {name: code for code, name in enumerate(cube.names)}

    @cache
    def having(dim: str, value: str) -> Array:
        """Return which rows have a value; many slices share it."""
        return known.codes[dim] == codes.get(value, -1)

    found: list[Customers | None] = []
    for where in slices:
        here = reduce(np.logical_and, (having(dim, value) for dim, value in where), begun)
        who = known.who[np.flatnonzero(here)]
        distinct = int((who[1:] != who[:-1]).sum()) + bool(len(who))
        found.append(Customers(distinct / known.share, known.share == 1))
    return found

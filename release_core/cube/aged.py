"""Cells of labels or outcomes by age in, read once for all as-of steps and values of a dimension; rows as of a step out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.known import LABELS
from release_core.cube.labels import QUIET
from release_core.errors import NotFound, Problem

if TYPE_CHECKING:
    from release_core.cube.cube import Cube, Where
    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Stage

# The keys of each table beside the value and the place of the action taken.
KEYS = {"age": "label, entry, age, since, until, settled, seen", "kind": "came, entry, age, since, seen"}


class Aged:
    """Rows of a stage and replay set, in the order of the values of one dimension (or of none)."""

    def __init__(self, cube: Cube, stage: Stage, where: Where, kind: str = "") -> None:
        """Read the labels, or with `kind` the events (`came` 0) and that outcome of theirs (1); any value of a dimension counts.

        Raises:
            NotFound: no outcome of that kind is in the logs.
            Unanswerable: the filter has more than one dimension beside the replay set.
        """
        if kind and kind not in cube.kinds():
            required = f"one of {', '.join((*LABELS, *cube.kinds()))}"
            raise NotFound(Problem("kind of outcome", repr(kind), required, "Choose one of them."))
        table = "kind" if kind else "age"
        tests, params = cube.tests(stage, where, every=True)
        params["actions"] = list(cube.release.actions)
        of, came = "", ""
        if kind:
            of, came, params["kind"] = (
                "and kind::varchar in ('', $kind)",
                "(kind::varchar <> '')::bigint as came,",
                kind,
            )
        cube.hold(table)
        sql = f"""
select value, taken, {KEYS[table]}, sum(n)::bigint as n
from (select * exclude (taken), v1::varchar as value, {came}
    coalesce(list_position($actions, taken::varchar), 0)::bigint - 1 as taken from {table} where {tests} {of})
group by all order by value"""
        rows = cube.store.query(sql, params)
        values, starts = np.unique(rows.pop("value").astype(str), return_index=True)
        ends = np.append(starts[1:], len(rows["n"]))
        self.spans = {str(v): slice(a, b) for v, a, b in zip(values, starts, ends, strict=True)}
        self._rows = rows
        self._steps = cube.steps

    def rows(self, step: int, value: str = "") -> dict[str, Array]:
        """Return the rows of a value ("" without a dimension) whose events count as of a step."""
        span = self.spans.get(value, slice(0, 0))
        counts = self._rows["seen"][span] <= step
        return {name: column[span][counts] for name, column in self._rows.items()}

    def progress(self, value: str = "") -> dict[int, dict[str, int]]:
        """Return, at each as-of step, the events of a value (n), and those with a known, with a mature label."""
        rows = self.rows(self._steps[-1], value)
        told, silent = rows["label"] >= 0, rows["label"] == QUIET
        moves = {
            "n": [(rows["label"] < 0, rows["entry"], 1)],
            "known": [(told, rows["since"], 1), (told, rows["until"], -1), (silent, rows["settled"], 1)],
            "mature": [
                (told, np.maximum(rows["since"], rows["settled"]), 1),
                (told, np.maximum(rows["until"], rows["settled"]), -1),
                (silent, rows["settled"], 1),
            ],
        }
        sums = {name: sum(self._entered(rows, *move) for move in parts) for name, parts in moves.items()}
        each = {name: np.cumsum(column).tolist() for name, column in sums.items()}
        return {step: {name: int(column[n]) for name, column in each.items()} for n, step in enumerate(self._steps)}

    def _entered(self, rows: Columns, test: Array, moment: Array, sign: int) -> Array:
        """Return how many events of the rows that pass the test begin to count at each as-of step, less those that cease to."""
        look = np.searchsorted(np.array(self._steps), np.maximum(moment, rows["seen"])[test])
        return sign * np.bincount(look, weights=rows["n"][test], minlength=len(self._steps) + 1)[:-1]


def progress(cube: Cube, stage: Stage, where: Where) -> dict[int, dict[str, int]]:
    """Return the progress of the labels of a filter by at most one dimension beside the replay set."""
    wide, value = valued(cube, where)
    return cube.aged(stage, wide, "").progress(value)


def valued(cube: Cube, where: Where) -> tuple[Where, str]:
    """Return a filter with any value of its declared dimension, and that value ("" where there is none).

    Raises:
        Unanswerable: there are several dimensions.
    """
    dims = cube.single(where)
    wide = tuple((dim, "" if dim in dims else value) for dim, value in where)
    return wide, dict(where)[dims[0]] if dims else ""

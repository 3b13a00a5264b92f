"""Cells of labels and outcomes in; what is known of which events, and when it came to be known, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube import acts, dense
from release_core.cube.encode import SHARDED
from release_core.cube.labels import QUIET
from release_core.cube.places import MATURED, SILENT
from release_core.label_frames import Arrivals, Coverage
from release_core.release import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from release_core.cube.dense import Columns
    from release_core.frames import Array
    from release_core.release import Release, Stage

# What can arrive beside the kinds of outcomes: a label of either class.
LABELS = {"positive": 1, "negative": 0}


def coverage(release: Release, columns: Columns) -> Coverage:
    """Return which events have labels from the cells of the table `cover`."""
    ids, used = dense.ids_of(columns["bin"]), np.unique(columns["taken"])
    used = used[used >= 0]
    actions, named = tuple(release.actions[place] for place in used), columns["taken"] >= 0
    place = (columns["version"], columns["bin"] - ids[0], np.searchsorted(used, columns["taken"]))
    shape = (len(VERSIONS), len(ids), len(actions))
    events, positive, negative = (mask & named for mask in dense.labels(columns))

    def counted(column: str, keep: Array) -> Array:
        return dense.kept(shape, place, columns[column], acts.UNITS[column], keep)

    labelled = positive | negative
    return Coverage(
        dense.grid_of(release, ids, SHARDED),
        actions,
        counted("n", events),
        counted("n", (columns["label"] == MATURED) & named),
        counted("n", positive),
        counted("n", negative),
        counted("n", (columns["label"] == SILENT) & named),
        counted("amount", events),
        counted("amount", positive),
        *(counted(name, labelled) for name in ("weighted", "weight", "weight2")),
    )


class Selection(NamedTuple):
    """The actions after which no outcome is seen, and whether label propensities are logged."""

    unseen: tuple[str, ...]
    weighted: bool


def selection(release: Release, columns: Columns) -> Selection:
    """Return the selection of labels of a stage from the cells of the table `cover` over all its events.

    No outcome is seen after the actions that the manifest declares so, and after those that have mature events and
    not one label where other actions have some.
    """
    _, positive, negative = dense.labels(columns)
    labelled = positive | negative

    def taken(keep: Array) -> set[str]:
        return {release.actions[place] for place in np.unique(columns["taken"][keep]) if place >= 0}

    told = taken(labelled)
    never = [action for action in sorted(taken(columns["label"] == MATURED)) if told and action not in told]
    declared = [action for action in release.labels.unobserved if action in taken(columns["label"] < 0)]
    return Selection(tuple(dict.fromkeys([*declared, *never])), bool(columns["weighted"][labelled].any()))


def selected(summed: Callable[..., Columns], release: Release, stage: Stage, step: int) -> Selection:
    """Return the selection of labels of a stage as of a step; `summed` reads a table of the cube."""
    return selection(release, summed("cover", (stage, step, True), ((), ())))


def arrivals(release: Release, rows: Columns, step: int, kind: str) -> Arrivals:
    """Return when `kind` arrived, from rows of `Aged`: of labels (positive, negative), or of that outcome, as of a step."""
    rows = dict(rows)
    happened, arrived = _labels(release, rows, step, kind) if kind in LABELS else _outcomes(rows, step)
    entries = tuple(int(entry) for entry in np.unique(rows["entry"][happened]))
    used = np.unique(rows["taken"][happened])
    used = used[used >= 0]
    actions = tuple(release.actions[number] for number in used)
    named = np.isin(rows["taken"], used)
    place = (np.searchsorted(used, rows["taken"]), np.searchsorted(np.array(entries), rows["entry"]))
    oldest = int(rows["age"][arrived].max(initial=-1))
    events = dense.kept((len(actions), len(entries)), place, rows["n"], 1, happened & named)
    shape = (len(actions), len(entries), oldest + 1)
    return Arrivals(actions, entries, events, dense.kept(shape, (*place, rows["age"]), rows["n"], 1, arrived & named))


def _labels(release: Release, rows: dict[str, Array], step: int, kind: str) -> tuple[Array, Array]:
    """Return which rows are events, and which are labels of the class that stand as of the step.

    Rows of silence are both: they take the age of maturity, in place, once their event has settled.
    """
    happened = (rows["label"] < 0) & (rows["entry"] <= step)
    stands = (rows["label"] == LABELS[kind]) & (rows["since"] <= step) & (rows["until"] > step)
    if kind == "negative":
        silent = (rows["label"] == QUIET) & (rows["settled"] <= step)
        rows["age"] = np.where(silent, int(release.labels.maturity_days), rows["age"])
        stands |= silent
    return happened, stands


def _outcomes(rows: Columns, step: int) -> tuple[Array, Array]:
    happened = (rows["came"] == 0) & (rows["entry"] <= step)
    return happened, (rows["came"] == 1) & (rows["since"] <= step)


def by_age(release: Release, rows: Columns, step: int, age_of: Callable[[int], int]) -> tuple[Array, Array]:
    """Return (labels known by each age among events that old, events by age) from the cells of the table `age`."""
    # Silence is known at the age at which events mature.
    silent = (rows["label"] == QUIET) & (rows["settled"] <= step)
    spoken = {name: np.concatenate([column, column[silent]]) for name, column in rows.items()}
    size = len(rows["n"])
    spoken["label"][size:], spoken["age"][size:] = 0, int(release.labels.maturity_days)
    spoken["since"][size:] = rows["settled"][silent]
    return _by_age(spoken, step, age_of)


def _by_age(rows: Columns, step: int, age_of: Callable[[int], int]) -> tuple[Array, Array]:
    """Return (labels known by each age among events that old, events by age) from the sums of the age cells."""
    present = (rows["label"] < 0) & (rows["entry"] <= step)
    told = (rows["label"] >= 0) & (rows["since"] <= step) & (rows["until"] > step)
    entries, place = np.unique(rows["entry"], return_inverse=True)
    reached = np.array([max(age_of(int(entry)), 0) for entry in entries], dtype=np.int64)[place]
    oldest = int(reached[present].max(initial=-1))
    happened = np.bincount(reached[present], weights=rows["n"][present], minlength=oldest + 1)
    # A label known at some age counts at that age and every later one that its event has reached.
    spans = told & (rows["age"] <= reached)
    begins = np.bincount(rows["age"][spans], weights=rows["n"][spans], minlength=oldest + 2)
    ends = np.bincount(reached[spans] + 1, weights=rows["n"][spans], minlength=oldest + 2)
    return np.cumsum(begins - ends)[: oldest + 1], happened

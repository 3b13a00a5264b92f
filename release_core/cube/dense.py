"""Sparse columns of a slice in, dense tallies out: every key gets its place on an axis, absent cells are 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.encode import COARSE, FINE, SCALED
from release_core.frames import Grid, Tally
from release_core.release import SHARDS, VERSIONS
from release_core.stats import grid as log_odds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from release_core.frames import Array
    from release_core.release import Release

    Columns = dict[str, Array]
    Source = Callable[[str], Columns]

MINOR_UNITS = 100
LABELS = 3
ACTED = {"actions", "action_amounts", "joint", "joint_amounts"}
# The measure that each array over bins is made of.
BINNED = {
    "n": "n",
    "positive": "n",
    "negative": "n",
    "amount": "amount",
    "positive_amount": "amount",
    "score": "score",
    "labelled_score": "score",
    "logit": "logit",
    "labelled_logit": "logit",
}


def shards(release: Release, segments: int, columns: Source, *, paired: bool) -> Tally:
    """Return the tally [segment, shard, ...] of the coarse cells and the pairs of actions.

    `columns` returns the columns of a table (shard or pair), with the number of each row's segment.
    """
    taken = _Lazy({"pair": lambda: _actions(release, segments, columns("pair"), paired=paired)})
    coarse = _binned(lambda: columns("shard"), (segments, SHARDS), ("segment", "shard"))
    totals = _Lazy({"shard": lambda: _totals(release, segments, columns("shard"))})
    return Tally(
        lambda: grid_of(release, _ids(columns("shard")["bin"]), COARSE),
        lambda name: taken["pair", name] if name in ACTED else coarse[BINNED[name], name] if name in BINNED else totals["shard", name],
    )


def whole(release: Release, summed: Tally, columns: Source) -> Tally:
    """Return `summed` [segment, ...] with its bins replaced by the finest cells (table score)."""
    fine = _binned(lambda: columns("score"), (len(summed.actions),), ("segment",))
    return Tally(
        lambda: grid_of(release, _ids(columns("score")["bin"]), FINE),
        lambda name: fine[BINNED[name], name] if name in BINNED else getattr(summed, name),
    )


class _Lazy:
    """Arrays by (group, name); a group is computed when one of its arrays is first asked for."""

    def __init__(self, compute: Mapping[str, Callable[[], Columns]]) -> None:
        self._compute = compute
        self._kept: dict[str, Columns] = {}

    def __getitem__(self, key: tuple[str, str]) -> Array:
        group, name = key
        if group not in self._kept:
            self._kept[group] = self._compute[group]()
        return self._kept[group][name]


def _totals(release: Release, segments: int, shard: Columns) -> Columns:
    """Return the sums over all bins [segment, shard, version], and the events beyond each registered cutoff."""
    shape, key = (segments, SHARDS, len(VERSIONS)), (shard["segment"], shard["shard"], shard["version"])
    labelled = shard["label"] >= 0
    return {
        "positive_score": _total(shape, key, shard["score"] * (shard["label"] == 1), SCALED),
        "squared": _total(shape, key, shard["squared"] * labelled, SCALED),
        "loss": _total(shape, key, shard["loss"] * labelled, SCALED),
        "above": _above(release, shape, key, shard),
    }


def _binned(columns: Callable[[], Columns], size: tuple[int, ...], axes: tuple[str, ...]) -> _Lazy:
    """Return the arrays [*size, version, bin] by measure; labels are the events themselves, positives and negatives."""

    def by_label(measure: str, unit: int) -> Array:
        cells = columns()
        ids = _ids(cells["bin"])
        shape = (*size, len(VERSIONS), len(ids))
        index = (*(cells[axis] for axis in axes), cells["version"], cells["bin"] - _first(ids))
        return _by_label(shape, index, cells, cells[measure], unit)

    def counts() -> Columns:
        events, positive, negative = by_label("n", 1)
        return {"n": events, "positive": positive, "negative": negative}

    def amounts() -> Columns:
        events, positive, _ = by_label("amount", MINOR_UNITS)
        return {"amount": events, "positive_amount": positive}

    def sums(measure: str) -> Callable[[], Columns]:
        def compute() -> Columns:
            events, positive, negative = by_label(measure, SCALED)
            return {measure: events, f"labelled_{measure}": positive + negative}

        return compute

    return _Lazy({"n": counts, "amount": amounts, "score": sums("score"), "logit": sums("logit")})


def _first(ids: Array) -> int:
    return int(ids[0]) if len(ids) else 0


def grid_of(release: Release, ids: Array, per_unit: int) -> Grid:
    """Return the grid of bin numbers: log-odds, or the score values themselves where points are declared."""
    levels = release.scale.levels
    if levels is not None:
        return Grid(ids, None, (ids - 1) / max(levels - 1, 1))
    return Grid(ids, per_unit, log_odds.lower_edge(ids, per_unit))


def _ids(bins: Array) -> Array:
    return np.arange(int(bins.min()), int(bins.max()) + 1) if len(bins) else np.arange(0)


def _by_label(shape: tuple[int, ...], index: tuple[Array, ...], columns: Columns, values: Array, unit: int) -> Array:
    """Return [label, *shape]: sums for the events themselves (label -1), positives (1) and negatives (0)."""
    place = np.where(columns["label"] < 0, 0, np.where(columns["label"] == 1, 1, 2))
    return _total((LABELS, *shape), (place, *index), values, unit)


def _total(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int) -> Array:
    """Return the sums of `values` by place; float64 holds these integers exactly up to 9e15."""
    if not len(values):
        return np.zeros(shape)
    flat = np.ravel_multi_index(tuple(np.asarray(axis, dtype=np.int64) for axis in index), shape)
    summed = np.bincount(flat, weights=values.astype(np.float64), minlength=int(np.prod(shape)))
    return summed.reshape(shape) / unit


def _above(release: Release, shape: tuple[int, ...], key: tuple[Array, ...], shard: Columns) -> Array:
    """Return [segment, shard, version, cutoff]: events at or beyond each registered cutoff, exact by band."""
    events = shard["n"] * (shard["label"] < 0)
    masks = [events * ((shard["band"].astype(np.int64) >> bit) & 1) for bit in range(len(release.cutoff_ids))]
    return np.stack([_total(shape, key, mask, 1) for mask in masks], axis=-1) if masks else np.zeros((*shape, 0))


def _actions(release: Release, segments: int, pair: Columns, *, paired: bool) -> Columns:
    """Return counts and amounts by action and population, of each version and of both jointly."""
    names = np.array(release.actions)
    index = {action: number for number, action in enumerate(release.actions)}
    places = [np.array([index.get(str(a), -1) for a in pair[f"{version}_action"]], dtype=np.int64) for version in VERSIONS]
    population = np.where(pair["label"] < 0, 0, np.where(pair["label"] == 1, 1, 2))
    key, size = (pair["segment"], pair["shard"]), (segments, SHARDS)
    both = (places[0] >= 0) & (places[1] >= 0) & pair["both_scored"].astype(bool)
    joint, versions = {}, {}
    for name, column, unit in (("joint", "n", 1), ("joint_amounts", "amount", MINOR_UNITS)):
        shape = (*size, len(names), len(names), LABELS)
        joint[name] = _kept(shape, (*key, *places, population), pair[column], unit, both)
    for name, column, unit in (("actions", "n", 1), ("action_amounts", "amount", MINOR_UNITS)):
        shape = (*size, len(names), LABELS)
        sides = []
        for number, version in enumerate(VERSIONS):
            # In live stages each version answers for the events on which it acted.
            own = both if paired else (places[number] >= 0) & (pair["arm"] == version)
            sides.append(_kept(shape, (*key, places[number], population), pair[column], unit, own))
        versions[name] = np.stack(sides, axis=2)
    return {**versions, **joint}


def _kept(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int, keep: Array) -> Array:
    return _total(shape, tuple(axis[keep] for axis in index), values[keep], unit)

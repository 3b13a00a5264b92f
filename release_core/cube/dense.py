"""Sparse columns of a slice in, dense tallies out: every key gets its place on an axis, absent cells are 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube.encode import COARSE, FINE, SCALED
from release_core.frames import Grid, Tally
from release_core.release import SHARDS, VERSIONS
from release_core.stats import grid as log_odds

if TYPE_CHECKING:
    from release_core.frames import Array
    from release_core.release import Release

    Columns = dict[str, Array]

MINOR_UNITS = 100
LABELS = 3


def shards(release: Release, segments: int, shard: Columns, pair: Columns, paired: bool) -> Tally:
    """Return the tally [segment, shard, ...] of the coarse cells and the pairs of actions."""
    ids = _ids(shard["bin"])
    shape = (segments, SHARDS, len(VERSIONS), len(ids))
    key = (shard["segment"], shard["shard"], shard["version"])
    binned = _binned(shape, (*key, shard["bin"] - (ids[0] if len(ids) else 0)), shard)
    labelled = shard["label"] >= 0
    totals = {
        "positive_score": _total(shape[:3], key, shard["score"] * (shard["label"] == 1), SCALED),
        "squared": _total(shape[:3], key, shard["squared"] * labelled, SCALED),
        "loss": _total(shape[:3], key, shard["loss"] * labelled, SCALED),
    }
    return Tally(
        grid_of(release, ids, COARSE),
        **binned,
        **totals,
        **_actions(release, segments, pair, paired),
        above=_above(release, shape[:3], key, shard),
    )


def whole(release: Release, summed: Tally, score: Columns) -> Tally:
    """Return `summed` [segment, ...] with its bins replaced by the finest cells."""
    ids = _ids(score["bin"])
    shape = (len(summed.n), len(VERSIONS), len(ids))
    index = (score["segment"], score["version"], score["bin"] - (ids[0] if len(ids) else 0))
    return replace(summed, grid=grid_of(release, ids, FINE), **_binned(shape, index, score))


def grid_of(release: Release, ids: Array, per_unit: int) -> Grid:
    """Return the grid of bin numbers: log-odds, or the score values themselves where points are declared."""
    levels = release.scale.levels
    if levels is not None:
        return Grid(ids, None, (ids - 1) / max(levels - 1, 1))
    return Grid(ids, per_unit, log_odds.lower_edge(ids, per_unit))


def _ids(bins: Array) -> Array:
    return np.arange(int(bins.min()), int(bins.max()) + 1) if len(bins) else np.arange(0)


def _binned(shape: tuple[int, ...], index: tuple[Array, ...], columns: Columns) -> Columns:
    """Return the arrays over bins; labels are the events themselves, positives and negatives."""
    n = _by_label(shape, index, columns, columns["n"], 1)
    score = _by_label(shape, index, columns, columns["score"], SCALED)
    logit = _by_label(shape, index, columns, columns["logit"], SCALED)
    amount = _by_label(shape, index, columns, columns["amount"], MINOR_UNITS) if "amount" in columns else np.zeros_like(n)
    return {
        "n": n[0],
        "score": score[0],
        "logit": logit[0],
        "amount": amount[0],
        "positive": n[1],
        "negative": n[2],
        "positive_amount": amount[1],
        "labelled_score": score[1] + score[2],
        "labelled_logit": logit[1] + logit[2],
    }


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


def _actions(release: Release, segments: int, pair: Columns, paired: bool) -> dict[str, Array]:
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

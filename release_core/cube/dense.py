"""Sparse columns of a slice in, dense tallies out: every key gets its place on an axis, absent cells are 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube.encode import SCALED, SHARDED, SQUARED, WEIGHTED
from release_core.cube.labels import EVENT
from release_core.cube.rows import beside
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE, Grid, Tally
from release_core.release import SHARDS, VERSIONS
from release_core.stats import grid as log_odds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array
    from release_core.release import Release

    Columns = Mapping[str, Array]
    Source = Callable[[str], Columns]
    # The edges of the score groups that PSI compares, where they are fixed.
    Groups = tuple[float, ...]

MINOR_UNITS = 100
# What stands for a label in rows that count mature events, and mature events of which silence told, once more.
MATURED, SILENT = 2, 3
UNITS = {
    "n": 1,
    "amount": MINOR_UNITS,
    "weight": WEIGHTED,
    "weight2": SQUARED,
    "amount2": 1,
    "explained": 1,
    "weighted": 1,
    "unlogged": 1,
}
UNITS |= {"excess": WEIGHTED, "excess2": SQUARED, "excess_capped": WEIGHTED}
ACTED = {"actions", "action_amounts", "joint", "joint_amounts", "joint_explained"}
WEIGHED = {"action_weights", "action_weights2", "action_capped", "joint_weights", "joint_weights2", "joint_capped"}
HIDDEN = {"unseen", "unseen_amounts", "joint_unseen", "joint_unseen_amounts", "unseen_scores"}
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
    "above": "above",
    "positive_excess": "excess",
    "negative_excess": "excess",
    "above_labelled": "zones",
    "above_positive": "zones",
    "above_score": "zones",
    "above_amount": "amounts above",
}


def shards(
    release: Release,
    segments: int,
    columns: Source,
    told: tuple[Sequence[str], Groups] = ((), ()),
    *,
    paired: bool,
    binned: bool,
) -> Tally:
    """Return the tally [segment, shard, ...]: actions and sums of the pairs, and the bins of one dimension if `binned`.

    `columns` returns the columns of a table (shard or pair), with the number of each row's segment; `told` names the
    actions after which no outcome can be seen, and the edges of fixed score groups.
    """
    unseen, groups = told
    taken = _Lazy(
        {
            "acted": lambda: _actions(release, segments, columns("pair"), paired=paired),
            "weighed": lambda: _weighed(release, segments, columns("pair"), paired=paired),
            "hidden": lambda: _hidden(release, segments, columns("pair"), unseen, paired=paired),
        }
    )
    totals = _Lazy({"pair": lambda: _totals(segments, columns("pair"))})
    bins = _binned(release, lambda: columns("shard"), (segments, SHARDS), ("segment", "shard"))

    def fetch(name: str) -> Array:
        if name in ACTED:
            return taken["acted", name]
        if name in WEIGHED:
            return taken["weighed", name]
        if name in HIDDEN:
            return taken["hidden", name]
        return bins[BINNED[name], name] if name in BINNED else totals["pair", name]

    return Tally(lambda: grid_of(release, ids_of(columns("shard")["bin"]), SHARDED, groups), fetch, binned=binned)


def whole(release: Release, summed: Tally, columns: Source, per_unit: int, groups: Groups = ()) -> Tally:
    """Return `summed` [segment, ...] with bins of the table score."""
    fine = _binned(release, lambda: columns("score"), (len(summed.actions),), ("segment",))
    return Tally(
        lambda: grid_of(release, ids_of(columns("score")["bin"]), per_unit, groups),
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


def _totals(segments: int, pair: Columns) -> Columns:
    """Return the sums over all events that both versions scored, [segment, shard, version]."""
    shape, both = (segments, SHARDS), pair["both_scored"].astype(bool)
    place = (pair["segment"], pair["shard"])
    events, positive, negative = (both & mask for mask in labels(pair))

    def side(name: str, keep: Array, unit: int = SCALED) -> Array:
        sides = [
            kept(shape, place, pair[name if unit == 1 else f"{version}_{name}"], unit, keep) for version in VERSIONS
        ]
        return np.stack(sides, axis=-1)

    labelled = positive | negative
    return {
        "events": side("n", events, 1),
        "positives": side("n", positive, 1),
        "negatives": side("n", negative, 1),
        "scores": side("score", events),
        "labelled_scores": side("score", labelled),
        "positive_scores": side("score", positive),
        "squared": side("squared", labelled),
        "loss": side("loss", labelled),
    }


def labels(columns: Columns) -> tuple[Array, Array, Array]:
    """Return which rows count as events, as positives and as negatives."""
    label = columns["label"]
    return label == EVENT, label == 1, label == 0


def _binned(release: Release, columns: Callable[[], Columns], size: tuple[int, ...], axes: tuple[str, ...]) -> _Lazy:
    """Return the arrays [*size, version, bin] by measure; labels are the events themselves, positives and negatives."""

    def by_label(measure: str, unit: int) -> Array:
        cells = columns()
        ids = ids_of(cells["bin"])
        shape = (*size, len(VERSIONS), len(ids))
        index = (*(cells[axis] for axis in axes), cells["version"], cells["bin"] - ids[0])
        return np.stack([kept(shape, index, cells[measure], unit, keep) for keep in labels(cells)])

    def above() -> Columns:
        return _above(release, (*size, len(VERSIONS)), axes, columns())

    def zones() -> Columns:
        return _zones(release, (*size, len(VERSIONS)), axes, columns())

    def amounts_above() -> Columns:
        cells = columns()
        bad = cells["amount"] * labels(cells)[POSITIVE]
        return {"above_amount": _beyond(release, (*size, len(VERSIONS)), axes, cells, bad) / MINOR_UNITS}

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

    def excess() -> Columns:
        _, positive, negative = by_label("excess", WEIGHTED)
        return {"positive_excess": positive, "negative_excess": negative}

    measures = {"score": sums("score"), "logit": sums("logit"), "above": above, "zones": zones, "excess": excess}
    measures["amounts above"] = amounts_above
    return _Lazy({"n": counts, "amount": amounts, **measures})


def grid_of(release: Release, ids: Array, per_unit: int, groups: Groups = ()) -> Grid:
    """Return the grid of bin numbers: log-odds, or the score values themselves where points are declared."""
    levels = release.scale.levels
    if levels is not None:
        return Grid(ids, None, (ids - 1) / max(levels - 1, 1), groups)
    return Grid(ids, per_unit, log_odds.lower_edge(ids, per_unit), groups)


def parted(rows: Columns, key: str) -> dict[str, Columns]:
    """Return the rows of each value of the column `key`, in the order of the values."""
    values, place = np.unique(rows[key].astype(str), return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(len(values) + 1))
    sorted_rows = {name: column[order] for name, column in rows.items() if name != key}
    return {
        str(value): {name: column[ends[n] : ends[n + 1]] for name, column in sorted_rows.items()}
        for n, value in enumerate(values)
    }


def ids_of(bins: Array) -> Array:
    """Return the bins from the first to the last that holds a score; one empty bin where none does."""
    return np.arange(int(bins.min()), int(bins.max()) + 1) if len(bins) else np.arange(1)


def total(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int) -> Array:
    """Return the sums of `values` by place; float64 holds these integers exactly up to 9e15."""
    if not len(values):
        return np.zeros(shape)
    flat = np.ravel_multi_index(tuple(np.asarray(axis, dtype=np.int64) for axis in index), shape)
    summed = np.bincount(flat, weights=values.astype(np.float64), minlength=int(np.prod(shape)))
    return summed.reshape(shape) / unit


def _above(release: Release, shape: tuple[int, ...], axes: tuple[str, ...], cells: Columns) -> Columns:
    """Return the events at or beyond each registered cutoff [..., version, cutoff]."""
    return {"above": _beyond(release, shape, axes, cells, cells["n"] * labels(cells)[0])}


def _zones(release: Release, shape: tuple[int, ...], axes: tuple[str, ...], cells: Columns) -> Columns:
    """Return the labelled events at or beyond each registered cutoff, the positives and the summed scores among them."""
    _, positive, negative = labels(cells)
    labelled = positive | negative
    return {
        "above_labelled": _beyond(release, shape, axes, cells, cells["n"] * labelled),
        "above_positive": _beyond(release, shape, axes, cells, cells["n"] * positive),
        "above_score": _beyond(release, shape, axes, cells, cells["score"] * labelled) / SCALED,
    }


def _beyond(release: Release, shape: tuple[int, ...], axes: tuple[str, ...], cells: Columns, measure: Array) -> Array:
    """Return [..., version, cutoff]: a measure of the rows summed at or beyond each registered cutoff, exact by band."""
    key = (*(cells[axis] for axis in axes), cells["version"])
    masks = [measure * ((cells["band"].astype(np.int64) >> bit) & 1) for bit in range(len(release.cutoff_ids))]
    return np.stack([total(shape, key, mask, 1) for mask in masks], axis=-1) if masks else np.zeros((*shape, 0))


def _actions(release: Release, segments: int, pair: Columns, *, paired: bool) -> Columns:
    """Return counts and amounts by action and population, of each version and of both jointly."""
    acts = _acts(release, segments, pair, paired=paired)
    found = {"joint_explained": acts.jointly("explained")}
    for versions, jointly, column in (("actions", "joint", "n"), ("action_amounts", "joint_amounts", "amount")):
        found[jointly], found[versions] = acts.jointly(column), acts.each(column)
    return found


def _weighed(release: Release, segments: int, pair: Columns, *, paired: bool) -> Columns:
    """Return sums of weights by action and population."""
    acts = _acts(release, segments, pair, paired=paired)
    n, each_n = acts.jointly("n"), acts.each("n")
    found = {}
    for name, column in (("weights", "excess"), ("weights2", "excess2"), ("capped", "excess_capped")):
        found[f"joint_{name}"], found[f"action_{name}"] = n + acts.jointly(column), each_n + acts.each(column)
    return found


def _hidden(release: Release, segments: int, pair: Columns, unseen: Sequence[str], *, paired: bool) -> Columns:
    """Return the mature events whose outcome cannot be seen, by action: no label tells of them, no logged propensity stands for them."""
    found = {}
    alone = {"unlogged": pair["n"] - pair["weighted"]}
    alone |= {name: pair[name] * (alone["unlogged"] / pair["n"]) for name in (f"{v}_score" for v in VERSIONS)}
    hidden = _acts(release, segments, beside(pair, alone), paired=paired, unseen=unseen)
    for name, column in (("unseen", "unlogged"), ("unseen_amounts", "amount")):
        found[f"joint_{name}"], found[name] = (
            every[..., EVERYONE] - every[..., POSITIVE] - every[..., NEGATIVE]
            for every in (hidden.jointly(column), hidden.each(column))
        )
    found["unseen_scores"] = hidden.scores()
    return found


class _Acts(NamedTuple):
    """Rows of pairs with the positions of both versions' actions, and the rows that both or each version decided."""

    pair: Columns
    size: tuple[int, int]
    actions: int
    places: list[Array]
    both: Array
    own: list[Array]
    masks: tuple[Array, Array, Array]

    def jointly(self, column: str) -> Array:
        """Return sums [segment, shard, baseline's action, candidate's action, population]."""
        return self._sums((*self.size, self.actions, self.actions), self.places, column, self.both)

    def each(self, column: str) -> Array:
        """Return sums [segment, shard, version, action, population]."""
        shape = (*self.size, self.actions)
        sides = [self._sums(shape, [self.places[v]], column, self.own[v]) for v in range(len(VERSIONS))]
        return np.stack(sides, axis=2)

    def scores(self) -> Array:
        """Return the sums of the scores of events without a label, [segment, shard, version]."""
        sides = [self._sums(self.size, [], f"{version}_score", self.both) for version in VERSIONS]
        return np.stack([s[..., EVERYONE] - s[..., POSITIVE] - s[..., NEGATIVE] for s in sides], axis=-1)

    def _sums(self, shape: tuple[int, ...], places: list[Array], column: str, keep: Array) -> Array:
        place, unit = (self.pair["segment"], self.pair["shard"], *places), UNITS.get(column, SCALED)
        values = [kept(shape, place, self.pair[column], unit, keep & mask) for mask in self.masks]
        return np.stack(values, axis=-1)


def _acts(
    release: Release, segments: int, pair: Columns, *, paired: bool, unseen: Sequence[str] | None = None
) -> _Acts:
    """Return the rows of pairs by what the versions decided; or the mature ones after the actions `unseen`."""
    acted = [pair[f"{version}_action"] for version in VERSIONS]
    events, positive, negative = labels(pair)
    wanted = np.ones(len(acted[0]), dtype=bool)
    if unseen is not None:
        events = pair["label"] == MATURED
        wanted = np.isin(pair["taken"], [release.actions.index(action) for action in unseen])
    both = wanted & (acted[0] >= 0) & (acted[1] >= 0) & pair["both_scored"].astype(bool)
    # In live stages each version answers for the events on which it acted.
    own = [both if paired else wanted & (p >= 0) & (pair["arm"] == v) for v, p in enumerate(acted)]
    return _Acts(pair, (segments, SHARDS), len(release.actions), acted, both, own, (events, positive, negative))


def places(values: Array, names: Sequence[str]) -> Array:
    """Return the position of each value among the names; -1 where it is none of them."""
    known = {name: place for place, name in enumerate(names)}
    return np.fromiter((known.get(value, -1) for value in values), np.int64, len(values))


def kept(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int, keep: Array) -> Array:
    """Return the sums by place of the values to `keep`, in units of `unit`."""
    return total(shape, tuple(axis[keep] for axis in index), values[keep], unit)

"""Sparse columns of a slice in, dense tallies out: every key gets its place on an axis, absent cells are 0."""

from __future__ import annotations

from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from release_core.cube.encode import SCALED, SHARDED, SQUARED, WEIGHTED
from release_core.cube.labels import EVENT
from release_core.cube.places import MATURED, POPULATIONS, Bands, FixedPlaces, Places, coded, population
from release_core.cube.rows import beside, rows_of
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
# Counts and amounts by action: whether of both versions jointly, and the column that is summed.
ACTED = {
    "actions": (False, "n"),
    "action_amounts": (False, "amount"),
    "joint": (True, "n"),
    "joint_amounts": (True, "amount"),
    "joint_explained": (True, "explained"),
}
WEIGHED = {"action_weights", "action_weights2", "action_capped", "joint_weights", "joint_weights2", "joint_capped"}
HIDDEN = {"unseen", "unseen_amounts", "joint_unseen", "joint_unseen_amounts", "unseen_scores"}
# The measure that each array over bins is made of.
BINNED = {
    "n": "n",
    "positive": "n",
    "negative": "n",
    "amount": "amount",
    "positive_amount": "bad amount",
    "score": "score",
    "labelled_score": "labelled score",
    "logit": "logit",
    "labelled_logit": "labelled logit",
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
    acts = cache(lambda: _acts(release, segments, columns("pair"), paired=paired))
    weighed = _Lazy({"weighed": lambda: _weighed(acts())})
    hidden = _hidden(lambda: columns("pair"), lambda pair: _acts(release, segments, pair, paired=paired, unseen=unseen))
    totals = _Totals(segments, lambda: columns("pair"))
    bins = _Bins(release, lambda: columns("shard"), (segments, SHARDS), ("segment", "shard"))

    def fetch(name: str) -> Array:
        if name in ACTED:
            return acts().of(*ACTED[name])
        if name in WEIGHED:
            return weighed["weighed", name]
        if name in HIDDEN:
            return hidden(name)
        return bins[name] if name in BINNED else totals[name]

    return Tally(lambda: grid_of(release, ids_of(columns("shard")["bin"]), SHARDED, groups), fetch, binned=binned)


def whole(release: Release, summed: Tally, columns: Source, per_unit: int, groups: Groups = ()) -> Tally:
    """Return `summed` [segment, ...] with bins of the table score."""
    fine = _Bins(release, lambda: columns("score"), (len(summed.actions),), ("segment",))
    return Tally(
        lambda: grid_of(release, ids_of(columns("score")["bin"]), per_unit, groups),
        lambda name: fine[name] if name in BINNED else getattr(summed, name),
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


class _Totals:
    """The sums over all events that both versions scored, [segment, shard, version], each column read when first asked for."""

    def __init__(self, segments: int, columns: Callable[[], Columns]) -> None:
        self._segments, self._columns = segments, columns

    @cached_property
    def _both(self) -> tuple[Array, Places]:
        """Return which rows count, and their places."""
        pair = self._columns()
        both = np.flatnonzero(pair["both_scored"])
        index = (pair["segment"][both], pair["shard"][both])
        return both, Places((self._segments, SHARDS), index, population(pair["label"])[both])

    def _sums(self, name: str) -> Array:
        """Return the sums [population, segment, shard, version] of what each version has of its own, not yet scaled back."""
        (both, places), pair = self._both, self._columns()
        return np.stack([places.sums(pair[f"{version}_{name}"][both]) for version in VERSIONS], axis=-1)

    @cached_property
    def _n(self) -> Array:
        (both, places), pair = self._both, self._columns()
        return np.repeat(places.sums(pair["n"][both])[..., None], len(VERSIONS), axis=-1)

    @cached_property
    def _scores(self) -> Array:
        return self._sums("score")

    def __getitem__(self, name: str) -> Array:
        counted = {"events": EVERYONE, "positives": POSITIVE, "negatives": NEGATIVE}
        if name in counted:
            return self._n[counted[name]]
        if name in {"scores", "positive_scores"}:
            return self._scores[EVERYONE if name == "scores" else POSITIVE] / SCALED
        found = self._scores if name == "labelled_scores" else self._sums(name)
        return (found[POSITIVE] + found[NEGATIVE]) / SCALED


def labels(columns: Columns) -> tuple[Array, Array, Array]:
    """Return which rows count as events, as positives and as negatives."""
    label = columns["label"]
    return label == EVENT, label == 1, label == 0


class _Bins:
    """The arrays [*size, version, bin] of cells of scores by measure, and those beyond cutoffs; each is computed once."""

    def __init__(
        self, release: Release, columns: Callable[[], Columns], size: tuple[int, ...], axes: tuple[str, ...]
    ) -> None:
        self._release, self._columns, self._size, self._axes = release, columns, size, axes
        scores = {name: partial(self._scores, name) for name in ("score", "logit")}
        scores |= {f"labelled {name}": partial(self._labelled_scores, name) for name in ("score", "logit")}
        self._kept = _Lazy(
            {
                "n": self._counts,
                "amount": lambda: {"amount": self._amounts(EVERYONE)},
                "bad amount": lambda: {"positive_amount": self._amounts(POSITIVE)},
                "excess": self._excess,
                "above": lambda: {"above": self._bands.n[EVERYONE]},
                "zones": self._zones,
                "amounts above": self._amounts_above,
                **scores,
            }
        )

    def __getitem__(self, name: str) -> Array:
        return self._kept[BINNED[name], name]

    @cached_property
    def _places(self) -> Places:
        rows = rows_of(self._columns())
        low, high = rows.span("bin")
        size = (*self._size[1:], len(VERSIONS), high - low + 1)

        def make(keys: Columns) -> Array:
            index = (*(keys[axis] for axis in self._axes[1:]), keys["version"], keys["bin"] - low)
            return coded(population(keys["label"]), size, index)

        first = rows["segment"] if self._size[0] > 1 else None
        return FixedPlaces((self._size[0], *size), first, rows.made(f"bins by {self._axes}", make))

    @cached_property
    def _held(self) -> slice:
        """Return which of the bins hold a score at this step: see `ids_of`."""
        rows = rows_of(self._columns())
        ids = ids_of(rows["bin"])
        start = max(int(ids[0]) - rows.span("bin")[0], 0)
        return slice(start, start + len(ids))

    @cached_property
    def _bands(self) -> Bands:
        return Bands(self._release, (*self._size, len(VERSIONS)), self._axes, self._columns())

    def _sums(self, measure: str, unit: int) -> Array:
        """Return the sums [population, *size, version, bin]."""
        return self._places.sums(self._columns()[measure], unit)[..., self._held]

    def _counts(self) -> Columns:
        return dict(zip(("n", "positive", "negative"), self._sums("n", 1), strict=True))

    def _amounts(self, whose: int) -> Array:
        return self._places.alone(whose, self._columns()["amount"], MINOR_UNITS)[..., self._held]

    def _scores(self, measure: str) -> Columns:
        return {measure: self._places.alone(EVERYONE, self._columns()[measure], SCALED)[..., self._held]}

    def _labelled_scores(self, measure: str) -> Columns:
        sums = (self._places.alone(whose, self._columns()[measure], SCALED) for whose in (POSITIVE, NEGATIVE))
        return {f"labelled_{measure}": np.add(*sums)[..., self._held]}

    def _excess(self) -> Columns:
        found = self._sums("excess", WEIGHTED)
        return {"positive_excess": found[POSITIVE], "negative_excess": found[NEGATIVE]}

    def _zones(self) -> Columns:
        n, score = self._bands.n, self._bands.beyond(self._columns()["score"])
        return {
            "above_labelled": n[POSITIVE] + n[NEGATIVE],
            "above_positive": n[POSITIVE],
            "above_score": (score[POSITIVE] + score[NEGATIVE]) / SCALED,
        }

    def _amounts_above(self) -> Columns:
        return {"above_amount": self._bands.beyond(self._columns()["amount"])[POSITIVE] / MINOR_UNITS}


def grid_of(release: Release, ids: Array, per_unit: int, groups: Groups = ()) -> Grid:
    """Return the grid of bin numbers: log-odds, or the score values themselves where points are declared."""
    levels = release.scale.levels
    if levels is not None:
        return Grid(ids, None, (ids - 1) / max(levels - 1, 1), groups)
    return Grid(ids, per_unit, log_odds.lower_edge(ids, per_unit), groups)


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


def _weighed(acts: _Acts) -> Columns:
    """Return sums of weights by action and population."""
    n, each_n = acts.jointly("n"), acts.each("n")
    found = {}
    for name, column in (("weights", "excess"), ("weights2", "excess2"), ("capped", "excess_capped")):
        found[f"joint_{name}"], found[f"action_{name}"] = n + acts.jointly(column), each_n + acts.each(column)
    return found


def _hidden(columns: Callable[[], Columns], acts_of: Callable[[Columns], _Acts]) -> Callable[[str], Array]:
    """Return what counts the mature events whose outcome cannot be seen, by action and by the names of HIDDEN.

    No label tells of them, and no logged propensity stands for them. `acts_of` returns rows of pairs by action.
    """

    @cache
    def acts() -> _Acts:
        pair = columns()
        alone = {"unlogged": pair["n"] - pair["weighted"]}
        alone |= {name: pair[name] * (alone["unlogged"] / pair["n"]) for name in (f"{v}_score" for v in VERSIONS)}
        return acts_of(beside(pair, alone))

    def counted(name: str) -> Array:
        if name == "unseen_scores":
            return acts().scores()
        every = acts().of(name.startswith("joint"), "amount" if name.endswith("amounts") else "unlogged")
        found: Array = every[..., EVERYONE] - every[..., POSITIVE] - every[..., NEGATIVE]
        return found

    return counted


class _Acts(NamedTuple):
    """Rows of pairs with the positions of both versions' actions, and the rows that both or each version decided."""

    pair: Columns
    size: tuple[int, int]
    actions: int
    places: list[Array]
    both: Array
    own: list[Array]
    populations: Array
    found: dict[tuple[str, ...], tuple[Array, Places]]

    def of(self, jointly: bool, column: str) -> Array:  # noqa: FBT001 - the two kinds of sums
        """Return sums of both versions jointly, or of each."""
        return self.jointly(column) if jointly else self.each(column)

    def jointly(self, column: str) -> Array:
        """Return sums [segment, shard, baseline's action, candidate's action, population]."""
        return self._sums(("both", *VERSIONS), column, self.both)

    def each(self, column: str) -> Array:
        """Return sums [segment, shard, version, action, population]."""
        sides = [self._sums((version,), column, self.own[v]) for v, version in enumerate(VERSIONS)]
        return np.stack(sides, axis=2)

    def scores(self) -> Array:
        """Return the sums of the scores of events without a label, [segment, shard, version]."""
        sides = [self._sums(("both",), f"{version}_score", self.both) for version in VERSIONS]
        return np.stack([s[..., EVERYONE] - s[..., POSITIVE] - s[..., NEGATIVE] for s in sides], axis=-1)

    def _sums(self, name: tuple[str, ...], column: str, keep: Array) -> Array:
        """Return the sums by segment, shard, and the actions of the versions in `name`; what to keep is the same for a name."""
        if name not in self.found:
            rows = np.flatnonzero(keep & (self.populations < POPULATIONS))
            acted = [self.places[v][rows] for v, version in enumerate(VERSIONS) if version in name]
            index = (self.pair["segment"][rows], self.pair["shard"][rows], *acted)
            shape = (*self.size, *(self.actions for _ in acted))
            self.found[name] = rows, Places(shape, index, self.populations[rows])
        rows, places = self.found[name]
        return np.moveaxis(places.sums(self.pair[column][rows], UNITS.get(column, SCALED)), 0, -1)


def _acts(
    release: Release, segments: int, pair: Columns, *, paired: bool, unseen: Sequence[str] | None = None
) -> _Acts:
    """Return the rows of pairs by what the versions decided; or the mature ones after the actions `unseen`."""
    acted = [pair[f"{version}_action"] for version in VERSIONS]
    populations = population(pair["label"])
    wanted = np.ones(len(acted[0]), dtype=bool)
    if unseen is not None:
        populations = np.where(populations == EVERYONE, POPULATIONS, populations)
        populations[pair["label"] == MATURED] = EVERYONE
        wanted = np.isin(pair["taken"], [release.actions.index(action) for action in unseen])
    both = wanted & (acted[0] >= 0) & (acted[1] >= 0) & pair["both_scored"].astype(bool)
    # In live stages each version answers for the events on which it acted.
    own = [both if paired else wanted & (p >= 0) & (pair["arm"] == v) for v, p in enumerate(acted)]
    return _Acts(pair, (segments, SHARDS), len(release.actions), acted, both, own, populations, {})


def places(values: Array, names: Sequence[str]) -> Array:
    """Return the position of each value among the names; -1 where it is none of them."""
    known = {name: place for place, name in enumerate(names)}
    return np.fromiter((known.get(value, -1) for value in values), np.int64, len(values))


def kept(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int, keep: Array) -> Array:
    """Return the sums by place of the values to `keep`, in units of `unit`."""
    return total(shape, tuple(axis[keep] for axis in index), values[keep], unit)

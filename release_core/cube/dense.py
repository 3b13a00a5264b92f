"""Sparse columns of a slice in, dense tallies out: every key gets its place on an axis, absent cells are 0."""

from __future__ import annotations

from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from release_core.cube import acts
from release_core.cube.encode import SCALED, SHARDED, WEIGHTED
from release_core.cube.labels import EVENT
from release_core.cube.places import POPULATIONS, Bands, FixedPlaces, Places, Size, coded, population
from release_core.cube.rows import rows_of
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE, Grid, Tally
from release_core.release import MINOR_UNITS, SHARDS, VERSIONS
from release_core.stats import grid as log_odds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from release_core.frames import Array
    from release_core.release import Release

    Columns = Mapping[str, Array]
    Source = Callable[[str], Columns]
    # The edges of the score groups that PSI compares, where they are fixed.
    Groups = tuple[float, ...]
    Told = tuple[Sequence[str], Groups]

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

# The measure that each sum over the events scored by both versions is made of.
TOTALS = {"events": "n", "positives": "n", "negatives": "n", "squared": "squared", "loss": "loss"}
TOTALS |= dict.fromkeys(("scores", "labelled_scores", "positive_scores"), "score")


def shards(
    release: Release, segments: int, columns: Source, told: Told = ((), ()), *, paired: bool, binned: bool
) -> Tally:
    """Return the tally [segment, shard, ...]: actions and sums of the pairs, and the bins of one dimension if `binned`.

    `columns` returns the columns of a table (shard or pair), with the number of each row's segment; `told` names the
    actions after which no outcome can be seen, and the edges of fixed score groups.
    """
    size = Size((segments, SHARDS), ("segment", "shard"))
    return _tally(release, size, columns, ("shard", SHARDED, *told), paired=paired, binned=binned)


def whole(
    release: Release, segments: int, columns: Source, per_unit: int, told: Told = ((), ()), *, paired: bool
) -> Tally:
    """Return the tally [segment, ...] of the same, with bins of the table score."""
    size = Size((segments,), ("segment",))
    return _tally(release, size, columns, ("score", per_unit, *told), paired=paired, binned=True)


def _tally(
    release: Release,
    size: Size,
    columns: Source,
    told: tuple[str, int, Sequence[str], Groups],
    *,
    paired: bool,
    binned: bool,
) -> Tally:
    """Return the tally [*size, ...]; `told` adds the table of the bins and their number per unit of log-odds."""
    table, per_unit, unseen, groups = told
    counted = acts.counted(release, size, lambda: columns("pair"), unseen, paired=paired)
    totals = _totals(size, lambda: columns("pair"))
    bins = _Bins(release, lambda: columns(table), size)

    def fetch(name: str) -> Array:
        if name in acts.EVERY:
            return counted(name)
        return bins[name] if name in BINNED else totals[TOTALS[name], name]

    return Tally(lambda: grid_of(release, bins.ids, per_unit, groups), fetch, binned=binned)


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


def _totals(size: Size, columns: Callable[[], Columns]) -> _Lazy:
    """Return the sums over all events that both versions scored, [*size, version], by measure."""

    @cache
    def places() -> Places:
        pair = rows_of(columns())

        def make(keys: Columns) -> Array:
            whose = np.where(keys["both_scored"] != 0, population(keys["label"]), POPULATIONS)
            return coded(whose, size.rest, [keys[axis] for axis in size.axes[1:]])

        return FixedPlaces(size.shape, size.first(pair), pair.made(f"scored by both by {size.axes}", make))

    def sums(name: str) -> Array:
        """Return the sums [population, *size] of a column."""
        return places().sums(columns()[name])

    def side(name: str) -> Array:
        """Return the sums [population, *size, version] of what each version has of its own."""
        return np.stack([sums(f"{version}_{name}") for version in VERSIONS], axis=-1)

    def counts() -> Columns:
        n = np.repeat(sums("n")[..., None], len(VERSIONS), axis=-1)
        return {"events": n[EVERYONE], "positives": n[POSITIVE], "negatives": n[NEGATIVE]}

    def scores() -> Columns:
        of = side("score")
        labelled = of[POSITIVE] + of[NEGATIVE]
        found = {"scores": of[EVERYONE], "labelled_scores": labelled, "positive_scores": of[POSITIVE]}
        return {name: array / SCALED for name, array in found.items()}

    def labelled(name: str) -> Columns:
        of = side(name)
        return {name: (of[POSITIVE] + of[NEGATIVE]) / SCALED}

    losses = {name: partial(labelled, name) for name in ("squared", "loss")}
    return _Lazy({"n": counts, "score": scores, **losses})


def labels(columns: Columns) -> tuple[Array, Array, Array]:
    """Return which rows count as events, as positives and as negatives."""
    label = columns["label"]
    return label == EVENT, label == 1, label == 0


class _Bins:
    """The arrays [*size, version, bin] of cells of scores by measure, and those beyond cutoffs; each is computed once."""

    def __init__(self, release: Release, columns: Callable[[], Columns], size: Size) -> None:
        self._release, self._columns, self._size = release, columns, size
        self._kept: dict[str, Columns] = {}

    def __getitem__(self, name: str) -> Array:
        measure = BINNED[name]
        if measure not in self._kept:
            self._kept[measure] = self._computed(measure)
        return self._kept[measure][name]

    def _computed(self, measure: str) -> Columns:
        """Return the arrays of a measure.

        What computes them is not kept: it and this would hold each other, and only a full collection by Python free the arrays.
        """
        if measure in {"score", "logit"}:
            return self._scores(measure)
        if measure.startswith("labelled "):
            return self._labelled_scores(measure.removeprefix("labelled "))
        compute: dict[str, Callable[[], Columns]] = {
            "n": self._counts,
            "amount": lambda: {"amount": self._amounts(EVERYONE)},
            "bad amount": lambda: {"positive_amount": self._amounts(POSITIVE)},
            "excess": self._excess,
            "above": lambda: {"above": self._bands.n[EVERYONE]},
            "zones": self._zones,
            "amounts above": self._amounts_above,
        }
        return compute[measure]()

    @cached_property
    def _places(self) -> Places:
        rows = rows_of(self._columns())
        low, high = rows.span("bin")
        rest = (*self._size.rest, len(VERSIONS), high - low + 1)

        def make(keys: Columns) -> Array:
            index = [*(keys[axis] for axis in self._size.axes[1:]), keys["version"], keys["bin"] - low]
            return coded(population(keys["label"]), rest, index)

        name = f"bins by {self._size.axes}"
        first, keep = self._size.first(rows), partial(rows.kept_split, name)
        return FixedPlaces((self._size.shape[0], *rest), first, rows.made(name, make), keep)

    @cached_property
    def _each(self) -> Array:
        """Return the events, positives and negatives [population, *size, version, bin] of all bins, held or not."""
        return self._places.sums(self._columns()["n"])

    @cached_property
    def ids(self) -> Array:
        """Return the bins from the first to the last that holds a score at this step; one empty bin where none does."""
        held = np.flatnonzero(self._each[EVERYONE].any(axis=tuple(range(self._each.ndim - 2))))
        low = rows_of(self._columns()).span("bin")[0]
        return np.arange(low + held[0], low + held[-1] + 1) if len(held) else np.arange(1)

    @cached_property
    def _held(self) -> slice:
        """Return which of the bins hold a score at this step."""
        start = max(int(self.ids[0]) - rows_of(self._columns()).span("bin")[0], 0)
        return slice(start, start + len(self.ids))

    @cached_property
    def _bands(self) -> Bands:
        return Bands(self._release, (*self._size.shape, len(VERSIONS)), self._size.axes, self._columns())

    def _counts(self) -> Columns:
        return dict(zip(("n", "positive", "negative"), self._each[..., self._held], strict=True))

    def _amounts(self, whose: int) -> Array:
        return self._places.alone(whose, self._columns()["amount"], MINOR_UNITS)[..., self._held]

    def _scores(self, measure: str) -> Columns:
        return {measure: self._places.alone(EVERYONE, self._columns()[measure], SCALED)[..., self._held]}

    def _labelled_scores(self, measure: str) -> Columns:
        sums = (self._places.alone(whose, self._columns()[measure], SCALED) for whose in (POSITIVE, NEGATIVE))
        return {f"labelled_{measure}": np.add(*sums)[..., self._held]}

    def _excess(self) -> Columns:
        excess, named = self._columns()["excess"], {"positive_excess": POSITIVE, "negative_excess": NEGATIVE}
        return {name: self._places.alone(whose, excess, WEIGHTED)[..., self._held] for name, whose in named.items()}

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


def places(values: Array, names: Sequence[str]) -> Array:
    """Return the position of each value among the names; -1 where it is none of them."""
    known = {name: place for place, name in enumerate(names)}
    return np.fromiter((known.get(value, -1) for value in values), np.int64, len(values))


def kept(shape: tuple[int, ...], index: tuple[Array, ...], values: Array, unit: int, keep: Array) -> Array:
    """Return the sums by place of the values to `keep`, in units of `unit`."""
    return total(shape, tuple(axis[keep] for axis in index), values[keep], unit)

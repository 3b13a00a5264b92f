"""Cells in, estimates out: a metric of both versions and their difference, in every segment, with bounds at any level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import isfinite
from typing import TYPE_CHECKING, cast

import numpy as np

from release_core.frames import EVERYONE, MetricRow
from release_core.metrics import values as v
from release_core.metrics import widened
from release_core.metrics.shapes import AUC, areas, discordant, shaped
from release_core.metrics.table import ABOVE
from release_core.release import VERSIONS
from release_core.stats import decisions, intervals
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release_core.frames import Array, Cells, Segment, Tally
    from release_core.metrics.lived import Lived
    from release_core.metrics.table import Metric

    Bounds = tuple[Array, Array]
    # (confidence [segment, 1], sides) -> low and high [segment, side]
    Closed = Callable[[Array, int], Bounds]

SIDES = (*VERSIONS, "difference")
# Versions that differ by less of the metric than this are the same but for how weights, which are no whole numbers, add up.
ROUNDED = 1e-13
SAME_EVENTS = {"labelled_share", "base_rate"}
JACKKNIFE = "shard jackknife, t"
INFLUENCE = "infinitesimal jackknife over bins, widened and paired as all events are"
DELONG = "DeLong, widened and paired as all events are"
INDEPENDENT = " (assumes independent events)"


@dataclass(frozen=True)
class Estimate:
    """One metric: arrays [segment, side], sides being baseline, candidate, difference (only the last for comparisons).

    `n` is the denominator and `positives` the labelled positives, of the candidate for the difference; `evidence`
    [segment] counts the events that speak of it. `closed` gives bounds where the jackknife cannot, `shaped` those by its error
    where they are not value -+ t x error. `note` says why there is no value yet, where more than the metric itself is to be
    said.
    """

    metric: Metric
    value: Array
    se: Array
    df: Array
    n: Array
    positives: Array
    evidence: Array
    closed: Closed | None
    closed_name: str
    spread_name: str
    note: str = field(default="", kw_only=True)
    shaped: Closed | None = field(default=None, kw_only=True)

    def bounds(self, confidence: float | Array, sides: int = 2) -> Bounds:
        """Return low and high [segment, side] at `confidence` (one, or one per segment).

        With `sides` = 1 each of the two holds with that confidence on its own.
        """
        level = np.broadcast_to(np.asarray(confidence, dtype=float), self.df.shape)[:, None]
        low, high = (
            self.shaped(level, sides)
            if self.shaped
            else intervals.interval(self.value, self.se, self.df[:, None], level, sides)
        )
        if self.closed and not self.jackknifed.all():
            closed_low, closed_high = self.closed(level, sides)
            low, high = (np.where(self.jackknifed, a, b) for a, b in ((low, closed_low), (high, closed_high)))
        return self.limited(low, high)

    def limited(self, low: Array, high: Array) -> Bounds:
        """Return bounds [..., side] kept within what the metric and its difference can be."""
        least, most = self.metric.limits
        ends = (
            [(least, most)] * self.value.shape[-1]
            if self.metric.compared
            else [(least, most)] * 2 + [(least - most, most - least)]
        )
        floor, ceiling = np.array(ends).T
        return np.maximum(low, floor), np.minimum(high, ceiling)

    @cached_property
    def jackknifed(self) -> Array:
        """Return [segment, side] where the interval rests on a standard error: enough shards, and they differ."""
        found: Array = np.isfinite(self.se) & ((self.se > 0) | (self.closed is None))
        return found

    def method(self, segment: int, side: int) -> str:
        """Return the name of the interval's method."""
        if self.jackknifed[segment, side]:
            return self.spread_name
        return self.closed_name if self.closed else "none"


def estimate(cells: Cells | Lived, metric: Metric, transform: Callable[[Array], Array] | None = None) -> Estimate:
    """Return a metric's estimate in every segment of `cells`; of a metric with `measure`, they are a `Lived`.

    `transform` is applied to both versions' values before their difference is taken (a logarithm, say).
    """
    if metric.measure is not None:
        return metric.measure(cast("Lived", cells), metric)
    plain = cast("Cells", cells)
    return plain.once(("estimate", metric, transform), lambda: _estimate(plain, metric, transform))


def _estimate(cells: Cells, metric: Metric, transform: Callable[[Array], Array] | None) -> Estimate:
    full = _sides(metric, cells.whole, transform)
    n, positives = denominators(metric, cells.whole)
    closed, name = _closed(cells, metric) if transform is None else (None, "")
    drawn = metric.bins and not cells.shards.binned
    se, df = widened.spread(metric, cells) if drawn else _jackknifed(cells, metric, full, transform)
    shape = shaped(metric, cells, full, (se, np.where(df > 0, df, np.inf))) if transform is None else None
    return Estimate(
        metric if transform is None else replace(metric, limits=(-np.inf, np.inf)),
        full,
        se,
        df,
        n,
        positives,
        evaluated(metric, cells.whole),
        closed,
        name,
        _spread_name(metric, cells, drawn=drawn),
        shaped=shape,
    )


def _spread_name(metric: Metric, cells: Cells, *, drawn: bool) -> str:
    if drawn:
        return DELONG if metric.name == AUC else INFLUENCE
    return JACKKNIFE if cells.clustered else JACKKNIFE + INDEPENDENT


def _jackknifed(
    cells: Cells, metric: Metric, full: Array, transform: Callable[[Array], Array] | None
) -> tuple[Array, Array]:
    """Return the jackknife's standard errors [segment, side] and degrees of freedom [segment] (0 where undefined)."""
    left = np.ascontiguousarray(_sides(metric, cells.left_out, transform).swapaxes(1, 2))
    used = evaluated(metric, cells.shards) > 0
    spread = intervals.jackknife(full, left, used[:, None])
    return spread.se, np.nan_to_num(spread.df).max(axis=1)


def _sides(metric: Metric, tally: Tally, transform: Callable[[Array], Array] | None) -> Array:
    """Return [..., side]: the versions and their difference, or the comparison alone."""
    value = metric.of(tally)
    if metric.compared:
        return value[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = transform(value) if transform else value
        shown = np.where(np.isfinite(shown), shown, np.nan)
        apart = shown[..., 1:] - shown[..., :1]
        apart[np.abs(apart) <= ROUNDED * np.abs(shown[..., 1:])] = 0.0
        return np.concatenate([shown, apart], axis=-1)


def evaluated(metric: Metric, tally: Tally) -> Array:
    """Return [...]: the events that are evidence for a metric, labelled ones where it needs labels; the fewer of both sides."""
    if metric.rate:
        found = v.decided(tally, 1) + v.decided(tally, 2) if metric.labels else v.decided(tally, EVERYONE)
    else:
        found = v.labelled(tally) if metric.labels else v.events(tally)
    least: Array = found.min(-1)
    return least


def denominators(metric: Metric, tally: Tally) -> tuple[Array, Array]:
    """Return the denominators and the labelled positives, [segment, side]."""
    base = metric.base(tally)
    positives = v.decided(tally, 1) if metric.rate else v.positives(tally)
    if metric.compared:
        return base[:, None], positives[:, 1:]
    both = [np.concatenate([side, side[:, 1:]], axis=1) for side in (base, positives)]
    return both[0], both[1]


def _closed(cells: Cells, metric: Metric) -> tuple[Closed | None, str]:
    """Return the closed-form bounds of shares and of the AUC, widened by the design effect seen where shards suffice."""
    if metric.compared:
        return (_one_share(metric, cells), "Wilson") if metric.unit == "share" else (None, "")
    if metric.name == AUC:
        return _auc(metric, cells), DELONG
    if metric.unit == "share" and metric.name != "amount_recall":
        paired = bool(metric.rate) and cells.paired
        name = "Wilson; difference Bonett-Price" if paired else "Wilson; difference Newcombe"
        return _shares(metric, cells, paired=paired), name
    return None, ""


def _one_share(metric: Metric, cells: Cells) -> Closed:
    value, n = metric.of(cells.whole), metric.base(cells.whole)

    def bounds(level: Array, sides: int) -> Bounds:
        low, high = decisions.wilson(value * n, n, level[:, 0], sides)
        return low[:, None], high[:, None]

    return bounds


def _shares(metric: Metric, cells: Cells, *, paired: bool) -> Closed:
    tally = cells.whole

    @cache
    def counts() -> tuple[Array, Array, float]:
        effect = _design_effect(metric, cells)
        value, n = metric.of(tally), metric.base(tally) / effect
        return np.where(n > 0, value * n, 0.0), n, effect

    def bounds(level: Array, sides: int) -> Bounds:
        k, n, effect = counts()
        each = decisions.wilson(k, n, level, sides)
        if paired:
            lost, gained, both = (part / effect for part in discordant(metric, tally))
            between = decisions.bonett_price(lost, gained, both, level[:, 0], sides)
        elif cells.paired and metric.name in SAME_EVENTS:
            # Both versions count the same events with the same labels: the difference is 0, not an estimate.
            between = decisions.Difference(*(np.where(n[:, 0] > 0, 0.0, np.nan),) * 3)
        else:
            between = decisions.newcombe((k[:, 0], n[:, 0]), (k[:, 1], n[:, 1]), level[:, 0], sides)
            if cells.paired and metric.name.startswith(f"{ABOVE}:"):
                between = decisions.Difference(*(np.where(_same_scores(tally), 0.0, part) for part in between))
        return np.column_stack([each.low, between.low]), np.column_stack([each.high, between.high])

    return bounds


def _same_scores(tally: Tally) -> Array:
    """Return [segment]: whether both versions score every event alike: as many in each bin, and equal sums of scores."""
    alike = (tally.n[:, 0] == tally.n[:, 1]).all(-1) & (tally.scores[:, 0] == tally.scores[:, 1])
    return np.asarray(alike & (tally.events[:, 0] > 0))


def _design_effect(metric: Metric, cells: Cells) -> float:
    """Return how much wider than for independent events a share's jackknife is in the largest segment; at least 1.

    Cells of three dimensions have no shards to tell: all events speak for them.
    """
    return cells.once(("design effect", metric), lambda: _widened(metric, cells))


def _widened(metric: Metric, cells: Cells) -> float:
    base = metric.base(cells.whole)[:, 1]
    largest = int(base.argmax())
    value, left = metric.of(cells.whole)[largest, 1], metric.of(cells.left_out)[largest, :, 1]
    spread = intervals.jackknife(value, left, evaluated(metric, cells.shards)[largest] > 0)
    independent = np.sqrt(ratio(value * (1 - value), base[largest]))
    effect = float(intervals.design_effect(spread.se, independent))
    if not np.isfinite(effect) and cells.overall and cells.segments != ({},):
        every = cells.overall()
        return _design_effect(metric, every) if every.segments else 1.0
    return max(1.0, effect) if np.isfinite(effect) else 1.0


def _auc(metric: Metric, cells: Cells) -> Closed:
    value = metric.of(cells.whole)
    shown = np.column_stack([value, value[:, 1] - value[:, 0]])
    closed = cache(lambda: areas(cells, shown, (widened.spread(metric, cells)[0], np.full(len(shown), np.inf))))

    def bounds(level: Array, sides: int) -> Bounds:
        return closed()(level, sides)

    return bounds


def rows(cells: Cells | Lived, metrics: Sequence[Metric], confidence: float = 0.95) -> list[MetricRow]:
    """Return one row per metric, version (and difference) and segment, with two-sided intervals."""
    found: list[MetricRow] = []
    for metric in metrics if cells.segments else ():
        one = estimate(cells, metric)
        low, high = one.bounds(confidence)
        names = SIDES[2:] if metric.compared else SIDES
        for place, segment in enumerate(cells.segments):
            for side, name in enumerate(names):
                found.append(_row(one, (low, high), (place, side), segment, name))
    return found


def _row(one: Estimate, bounds: Bounds, place: tuple[int, int], segment: Segment, name: str) -> MetricRow:
    value, low, high = (_known(array[place]) for array in (one.value, *bounds))
    return MetricRow(
        one.metric.name,
        name,
        segment,
        value,
        low,
        high,
        one.method(*place) if low is not None else "none",
        round(float(one.n[place])),
        round(float(one.positives[place])),
        _reason(one, place, value, low),
    )


def _known(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _reason(one: Estimate, place: tuple[int, int], value: float | None, low: float | None) -> str:
    if value is None and one.metric.value is v.unmapped:
        return "scores are points, for which no probability is declared"
    if value is None and one.metric.lack:
        return one.metric.lack
    if value is None:
        if one.n[place] == 0:
            return "no labelled event in the denominator" if one.metric.labels else "no event in the denominator"
        return "undefined: both classes, and enough of each, are needed"
    if low is None:
        return f"no interval: fewer than {intervals.MIN_SHARDS} of 32 shards hold evaluated events"
    return ""

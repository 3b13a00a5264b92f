"""A metric and two populations in; how much of its change is another mix of segments, and how much is other rates, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts import digits
from release_core.charts.shift import shift
from release_core.cube import REPLAY_SET, WINDOW
from release_core.errors import NotFound, Problem
from release_core.metrics import find
from release_core.release import VERSIONS, Stage
from release_core.stats import intervals, mix
from release_core.stats.arrays import ratio
from release_core.views.view import known, segment_key

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells, Tally
    from release_core.metrics import Metric
    from release_core.stats.mix import Split
    from release_core.views.view import View

    Row = dict[str, Any]
    # Numerators and denominators by segment.
    Sums = tuple[Array, Array]

VERSION, WINDOWS, SETS, STAGES = "versions", "windows", "sets", "stages"
KINDS = {
    VERSION: "Candidate against baseline",
    WINDOWS: "One period against another",
    SETS: "One replay set against another",
    STAGES: "One stage against another",
}
# Sums over events: what a rate or mean is made of. A ranking has no such parts.
MEANS = frozenset({"brier", "log_loss", "mean_score"})
PARTS = ("mix", "rate", "new", "retired")
SAID = {
    "mix": "Mix: other shares of the segments",
    "rate": "Rate: other values within the segments",
    "new": "Segments that only the second has",
    "retired": "Segments that only the first has",
    "total": "Change in all",
    "standardised": "Change at equal mix (mean of both mixes)",
    "pooled": "Change at equal mix (Mantel-Haenszel)",
}
UNEQUAL = 0.05


@dataclass(frozen=True, slots=True)
class MixPage:
    """What is shown: the answer, warnings, the parts of the change with intervals, and what each segment contributes."""

    headline: str
    warnings: list[str]
    parts: list[Row]
    rows: list[Row]
    chart: Chart


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the two populations: what it is called, its cells by segment, and the version that is looked at."""

    name: str
    cells: Cells
    version: int


def splittable(view: View) -> list[tuple[str, str]]:
    """Return the metrics whose change can be split: (name, title) of rates and means."""
    return [(m.name, m.title) for m in view.known().values() if _additive(m)]


def _additive(metric: Metric) -> bool:
    share = metric.unit == "share" and not metric.compared and not metric.bins and metric.name != "amount_recall"
    return share or metric.name in MEANS


def kinds(view: View) -> dict[str, list[str]]:
    """Return what can be compared, and between which named populations; between the versions there is nothing to name."""
    cube = view.opened.cube
    named = {
        WINDOWS: list(cube.values(WINDOW)),
        SETS: list(cube.values(REPLAY_SET)),
        STAGES: [str(stage) for stage in cube.stages()],
    }
    return {VERSION: []} | {kind: names for kind, names in named.items() if len(names) > 1}


def mixed(
    view: View,
    metric: str,
    by: str,
    kind: str = VERSION,
    pair: tuple[str, str] = ("", ""),
    version: str = "candidate",
) -> MixPage:
    """Return how much of a metric's change is mix and how much is rate, by the values of one dimension.

    Args:
        view: the choice.
        metric: one of `splittable`.
        by: the dimension.
        kind: a key of KINDS.
        pair: the names of the first and the second population, see `kinds`.
        version: whose values are compared, where not both versions are.

    Raises:
        NotFound: a name does not exist.
        Unanswerable: the cube does not hold so many dimensions together.
    """
    one = find(view.known(), metric)
    first, second = _sides(view, by, kind, pair, version)
    present = {segment[by] for side in (first, second) for segment in side.cells.segments}
    names = [value for value in view.opened.cube.values(by) if value in present]
    sums = [_sums(one, side, side.cells.whole, by, names) for side in (first, second)]
    split = mix.kitagawa(*sums[0], *sums[1])
    left = [_sums(one, side, side.cells.left_out, by, names) for side in (first, second)]
    moved = mix.kitagawa(*left[0], *left[1])
    used = sum(_sums(one, side, side.cells.shards, by, names)[1].sum(-1) for side in (first, second)) > 0
    rows = _rows(names, sums, split, by)
    caption = view.caption(float(sums[1][1].sum()), table="pair", by=(by,))
    return MixPage(
        _headline(one, split, (first, second), sums),
        _warnings(one, split, sums, apart=kind != VERSION or not view.stage.paired),
        [_part(name, split, moved, used) for name in ("total", *PARTS, "standardised", "pooled")],
        rows,
        shift(rows, caption, metric=one.title, unit=one.unit, first=first.name, second=second.name),
    )


def _sides(view: View, by: str, kind: str, pair: tuple[str, str], version: str) -> tuple[_Side, _Side]:
    offered = kinds(view)
    wrong = [name for name in pair if kind != VERSION and name not in offered.get(kind, [])]
    if kind not in offered or wrong:
        found = repr(wrong[0]) if kind in offered else repr(kind)
        required = f"one of {', '.join(offered.get(kind, offered))}"
        raise NotFound(Problem("population to compare", found, required, "Choose one of them."))
    cube, number = view.opened.cube, VERSIONS.index(version)
    if kind == VERSION:
        cells = view.cells(by)
        return _Side("baseline", cells, 0), _Side("candidate", cells, 1)
    sides = []
    for name in pair:
        stage, where = view.stage, dict(view.where)
        if kind == STAGES:
            stage = Stage(name)
        else:
            where[WINDOW if kind == WINDOWS else REPLAY_SET] = name
        sides.append(_Side(name, cube.slice(stage, view.step, (((by,), tuple(where.items())),)), number))
    return sides[0], sides[1]


def _sums(metric: Metric, side: _Side, tally: Tally, by: str, names: list[str]) -> tuple[Array, Array]:
    """Return the metric's numerators and denominators [..., segment], in the order of `names`, 0 where there is no event."""
    bottom = np.moveaxis(metric.base(tally)[..., side.version], 0, -1)
    top = np.nan_to_num(np.moveaxis(metric.of(tally)[..., side.version], 0, -1)) * bottom
    place = {segment[by]: n for n, segment in enumerate(side.cells.segments)}
    found = [
        np.stack([array[..., place[n]] if n in place else np.zeros(array.shape[:-1]) for n in names], axis=-1)
        if names
        else array
        for array in (top, bottom)
    ]
    return found[0], found[1]


def _part(name: str, split: Split, moved: Split, used: Array) -> Row:
    value = getattr(split, name)
    spread = intervals.jackknife(value, getattr(moved, name), used)
    low, high = intervals.interval(value, spread.se, spread.df)
    return {
        "part": name,
        "title": SAID[name],
        "difference": known(float(value)),
        "low": known(float(low)),
        "high": known(float(high)),
    }


def _rows(names: list[str], sums: list[Sums], split: Split, by: str) -> list[Row]:
    """Return one row per segment: its rate and share in both populations, and what it contributes."""
    found, met = [], all(bottom.sum() for _, bottom in sums)
    for n, name in enumerate(names):
        (top0, bottom0), (top1, bottom1) = ((top[n], bottom[n]) for top, bottom in sums)
        rate, share = split.rates[n], split.mixes[n]
        found.append(
            {
                "segment": name,
                "key": segment_key({by: name}),
                "first": float(top0 / bottom0) if bottom0 else None,
                "second": float(top1 / bottom1) if bottom1 else None,
                "first_share": known(float(ratio(bottom0, sums[0][1].sum()))),
                "second_share": known(float(ratio(bottom1, sums[1][1].sum()))),
                "mix": known(share),
                "rate": known(rate),
                "kind": "new" if met and not bottom0 else "retired" if met and not bottom1 else "both",
                "n": int(bottom1),
            }
        )
    return sorted(found, key=lambda row: -abs((row["mix"] or 0.0) + (row["rate"] or 0.0)))


def _headline(metric: Metric, split: Split, sides: tuple[_Side, _Side], sums: list[Sums]) -> str:
    title, (first, second) = metric.title, sides
    if not np.isfinite(split.total):
        lacking = [side.name for side, (_, bottom) in zip((first, second), sums, strict=True) if not bottom.sum()]
        return f"{title} is not known in {' and '.join(lacking)}: no event there counts for it yet."
    change, mixed, rate = (_told(value, metric) for value in (split.total, split.mix, split.rate))
    if first.cells is second.cells and not np.abs(np.nan_to_num(split.mixes)).sum():
        return f"{title} changes by {change} from {first.name} to {second.name}, all of it within segments: both see the same mix."
    other = split.new + split.retired
    rest = f", and {_told(other, metric)} segments that only one of them has" if other else ""
    return (
        f"{title} changes by {change} from {first.name} to {second.name}: {mixed} because the mix of segments differs, "
        f"{rate} because the values within segments do{rest}."
    )


def _told(value: Array, metric: Metric) -> str:
    return digits.difference(known(float(value)), metric.unit)


def _warnings(metric: Metric, split: Split, sums: list[Sums], *, apart: bool) -> list[str]:
    """Return what may mislead: an aggregate that points another way than its segments, and segments that differ.

    `apart`: the populations share no event, so that a test of their counts may take them for independent.
    """
    if not np.isfinite(split.total):
        return []
    turned = mix.simpson(split, np.nan_to_num(sums[0][1] + sums[1][1]))
    total, level = (_told(value, metric) for value in (split.total, split.standardised))
    found = []
    if turned.standardised:
        found.append(
            f"The change in all ({total}) points the other way than the change at equal mix ({level}): the mix of segments "
            "turns it (Simpson's paradox). Judge by segment."
        )
    elif turned.most:
        found.append(
            f"The change in all ({total}) points the other way than that of most segments by weight: few segments make it. "
            "Judge by segment."
        )
    if metric.unit == "share" and apart:
        alike = mix.breslow_day(*sums[0], *sums[1])
        if alike.p < UNEQUAL:
            found.append(
                f"The segments do not change alike (Breslow-Day, p = {digits.number(max(float(alike.p), 1e-4), 2)}): "
                "one number for all hides that."
            )
    return found


def standardised(metric: Metric, cells: Cells) -> str:
    """Return in one sentence the raw change of all segments together, the one at equal mix, and whether they disagree."""
    if (
        not _additive(metric)
        or len(cells.segments) < 2
        or any(len(s) != len(cells.segments[0]) for s in cells.segments)
    ):
        return ""
    bottom = metric.base(cells.whole)
    top = np.nan_to_num(metric.of(cells.whole)) * bottom
    split = mix.kitagawa(top[:, 0], bottom[:, 0], top[:, 1], bottom[:, 1])
    if not np.isfinite(split.total):
        return ""
    total, level = (_told(value, metric) for value in (split.total, split.standardised))
    sums = [(top[:, side], bottom[:, side]) for side in range(2)]
    warned = [text for text in _warnings(metric, split, sums, apart=False) if text.startswith("The change")]
    return " ".join([f"All segments together: {total}; at equal mix: {level}.", *warned])

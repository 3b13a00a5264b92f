"""The Score drift page: what moves at the cutoff first, then the whole distribution, over time and by segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.bars import share_above
from release_core.charts.distribution import distribution
from release_core.charts.forest import forest
from release_core.charts.quantiles import quantiles
from release_core.charts.style import LINEAR
from release_core.charts.tail import tail
from release_core.charts.timeline import timeline
from release_core.cube import PERIOD, WINDOW, steps
from release_core.stats import drift, intervals, multiplicity
from release_core.stats import grid as log_odds
from release_core.stats.arrays import at_or_above, ratio
from release_core.views import boundary
from release_core.views.disagreement import flow, pairs_of
from release_core.views.distances import distances, groups_note, psi_groups
from release_core.views.swaps import action_mix, context, explained, explained_words, map_chart, swap_rows
from release_core.views.view import axis, cutoff_marks, known, paired_rows, segment_key, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells, Grid
    from release_core.views.view import View

    Row = dict[str, Any]

# Bins of 1/4 log-odds are shown: about 40 steps, each a whole number of cells. On a linear axis, steps of 1/50.
SHOWN_PER_UNIT = 4
LINEAR_BINS = 50
MOST_POINTS = 160
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
FALSE_LEADS = 0.1
DAY = "day"


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """What the page shows first; `headline` is its first sentence. `near` and `step` say the units of the cutoff table."""

    headline: str
    cutoffs: list[Row]
    near: tuple[str, str]
    actions: list[Row]
    capacity: str
    above: Chart
    mix: Chart
    evidence: str


@dataclass(frozen=True, slots=True)
class Swaps:
    """The swap set: net rows, single pairs, who is treated differently, shift against re-ranking, both numbers side by side."""

    swaps: list[Row]
    pairs: list[Row]
    flow: Chart
    words: str
    explained: list[Row]
    context: list[Row]


@dataclass(frozen=True, slots=True)
class Shape:
    """Both distributions and how far they are apart."""

    distribution: Chart
    tail: Chart
    distances: list[Row]
    psi_groups: list[Row]
    groups_note: str


def score_drift(view: View) -> ScoreDrift:
    """Return the page's first part for a choice."""
    cells = view.cells()
    actions = boundary.action_rows(view)
    return ScoreDrift(
        boundary.headline(view, cells),
        (rows := boundary.cutoff_rows(view, cells)),
        boundary.near_words(view),
        actions,
        boundary.capacity(view, actions),
        share_above(rows, view.caption(rows[0]["n"] if rows else 0, table="shard")),
        action_mix(view, cells),
        view.caption(events(cells)).evidence,
    )


def swaps(view: View) -> Swaps:
    """Return who moves across the cutoffs; of two dimensions together without telling shift from re-ranking."""
    cells = view.cells()
    moved = explained(view)
    pairs = pairs_of(view, cells)
    apart = [row for row in pairs if row["baseline"] != row["candidate"]]
    return Swaps(
        swap_rows(view, cells), apart, flow(view, pairs), explained_words(view, moved), moved, context(view, cells)
    )


def shape(view: View, linear: bool = False) -> Shape:  # noqa: FBT001, FBT002 - pages pass choices by place
    """Return both distributions on a log-odds or a linear axis, and how far they are apart."""
    cells = view.cells()
    return Shape(
        _distribution(view, cells, linear=linear),
        _tail(view, cells, linear=linear),
        distances(view, cells),
        psi_groups(view, cells),
        groups_note(view),
    )


def both_scores(view: View) -> Chart:
    """Return the map of both scores; see `swaps.map_chart`."""
    return map_chart(view)


def events(cells: Cells) -> float:
    """Return the number of events in a one-segment slice."""
    return float(cells.whole.n[0, 0].sum()) if cells.segments else 0.0


def periods(view: View) -> dict[str, str]:
    """Return the ways to cut time and how a reader says them: as-of steps, and the coarser calendar window."""
    unit = view.opened.cube.unit
    coarser = steps.coarser(unit)
    each = {PERIOD: f"each {unit}"} | ({WINDOW: f"each {coarser}"} if coarser != unit else {})
    # Parts of a day hold few events: the day comes first.
    return dict(reversed(each.items())) if coarser == DAY else each


def over_time(view: View, metric: str = "alert_rate", split: str = PERIOD) -> tuple[Chart, Chart]:
    """Return a share per period with intervals, and the quantiles of both scores per period.

    `metric` is alert_rate or share_above:<cutoff id>; `split` is PERIOD (as-of steps) or WINDOW (calendar windows).
    """
    rows = paired_rows(view.rows([metric], split))
    keep = ("baseline", "baseline_low", "baseline_high", "candidate", "candidate_low", "candidate_high", "n")
    shown = [{"step": row["where"][split], **{key: row.get(key) for key in keep}} for row in rows]
    table = "pair" if metric == "alert_rate" else "shard"
    caption = view.caption(sum(row["n"] or 0 for row in shown), table=table, by=(split,))
    return timeline(shown, caption, metric=view.known()[metric].title), _quantiles(view, split)


def _quantiles(view: View, split: str) -> Chart:
    cells = view.cells(split)
    edges = shown_scores(view.release, cells.whole.grid.lower) if cells.segments else []
    rows = []
    for place, segment in enumerate(cells.segments):
        n = cells.whole.n[place]
        row: Row = {"step": segment[split], "n": int(n[0].sum())}
        for name, level in QUANTILES.items():
            found = drift.quantile(n, level if view.release.scale.riskier == "higher" else 1 - level)
            for version, place_of in zip(("baseline", "candidate"), found, strict=True):
                row[f"{version}_{name}"] = edges[place_of] if place_of >= 0 else None
        rows.append(row)
    caption = view.caption(sum(row["n"] for row in rows), by=(split,))
    return quantiles(rows, list(QUANTILES), cutoff_marks(view.release), caption, score=axis(view.release))


def by_segment(view: View, dim: str) -> tuple[Chart, list[Row]]:
    """Return the shift of the alert rate in every value of a dimension, the largest first, as a chart and as rows.

    `certain` marks shifts beyond chance: of those marked, at most 10% are expected to be false (Benjamini-Hochberg).
    """
    cells, one = boundary.estimated(view, "alert_rate", dim)
    if not cells.segments:
        return forest([], view.caption(0), metric="Alert rate", better="neither", margin=None), []
    low, high = one.bounds(0.95)
    apart = intervals.p_above(np.abs(one.value[:, 2]), one.se[:, 2], 0.0, one.df)
    certain = multiplicity.benjamini_hochberg(np.minimum(2 * apart, 1.0), FALSE_LEADS)
    rows = [
        _segment(view, one, (low, high), place, dim, cells) | {"certain": bool(certain[place])}
        for place in range(len(cells.segments))
    ]
    rows.sort(key=lambda row: -abs(row["difference"] or 0.0))
    caption = view.caption(sum(row["n"] for row in rows), table="pair", by=(dim,))
    return forest(rows, caption, metric="Alert rate", better="neither", margin=None), rows


def _segment(view: View, one: Any, bounds: tuple[Array, Array], place: int, dim: str, cells: Cells) -> Row:  # noqa: ANN401
    segment, (old, new, change) = cells.segments[place], one.value[place]
    per_day = one.n[place, 1] / view.days if view.days else np.nan
    return {
        "segment": segment[dim],
        "key": segment_key(segment),
        "baseline": known(old),
        "candidate": known(new),
        "difference": known(change),
        "low": known(bounds[0][place, 2]),
        "high": known(bounds[1][place, 2]),
        "relative": known(float(ratio(change, old))),
        "per_day": known(change * per_day),
        "verdict": "OBSERVE" if np.isfinite(change) else "NODATA",
        "n": int(one.n[place, 1]),
    }


def shown_bins(view: View, cells: Cells, *, linear: bool = False) -> list[Row]:
    """Return the histogram of both versions on 1/4 log-odds bins (or the score values): low, high, shares and counts.

    On a linear axis the steps are fiftieths of the score, to within a bin of the grid.
    """
    if not cells.segments:
        return []
    grid, n = cells.whole.grid, cells.whole.n[0]
    step = grid.per_unit // SHOWN_PER_UNIT if grid.per_unit else max(1, len(grid.ids) // 60)
    fiftieths = np.minimum(np.floor(grid.lower * LINEAR_BINS), LINEAR_BINS - 1)
    group = fiftieths if linear and grid.per_unit else (grid.ids - 1) // step
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    lower = group[starts] / LINEAR_BINS if linear and grid.per_unit else grid.lower[starts]
    edges = shown_scores(view.release, np.append(lower, _end(grid)))
    sums = np.add.reduceat(n, starts, axis=1)
    used = np.flatnonzero(sums.sum(axis=0))
    shares = sums / np.maximum(n.sum(axis=1, keepdims=True), 1)
    return [
        {
            "low": min(edges[k], edges[k + 1]),
            "high": max(edges[k], edges[k + 1]),
            "baseline": float(shares[0, k]),
            "candidate": float(shares[1, k]),
            "baseline_n": int(sums[0, k]),
            "candidate_n": int(sums[1, k]),
        }
        for k in range(used[0], used[-1] + 1)
    ]


def _end(grid: Grid) -> float:
    """Return where the last bin ends, on [0, 1]."""
    if not grid.per_unit or grid.ids[-1] >= log_odds.top_bin(grid.per_unit):
        return 1.0
    return float(log_odds.lower_edge(grid.ids[-1] + 1, grid.per_unit))


def distribution_of(view: View) -> Chart:
    """Return the score distribution of a choice."""
    return _distribution(view, view.cells())


def _distribution(view: View, cells: Cells, *, linear: bool = False) -> Chart:
    flat = linear and view.release.scale.name == "probability"
    return distribution(
        shown_bins(view, cells, linear=flat),
        cutoff_marks(view.release),
        view.caption(events(cells)),
        score=LINEAR if flat else axis(view.release),
        log=True,
    )


def _tail(view: View, cells: Cells, *, linear: bool = False) -> Chart:
    """Return the share of events at or above each score, down to the last event."""
    flat = linear and view.release.scale.name == "probability"
    points: list[Row] = []
    if cells.segments and events(cells):
        shares = ratio(at_or_above(cells.whole.n[0]), cells.whole.n[0].sum(-1, keepdims=True))[:, :-1]
        edges = shown_scores(view.release, cells.whole.grid.lower)
        size = shares.shape[1]
        kept = np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).astype(int))
        points = [{"score": edges[k], "baseline": float(shares[0, k]), "candidate": float(shares[1, k])} for k in kept]
        points = points if points[0]["score"] <= points[-1]["score"] else points[::-1]
    caption = view.caption(events(cells))
    side = "above" if view.release.scale.riskier == "higher" else "below"
    return tail(points, cutoff_marks(view.release), caption, score=LINEAR if flat else axis(view.release), side=side)

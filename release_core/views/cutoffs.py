"""The Cutoffs page: what each cutoff buys and costs, what is in force, and what another one would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import manifest
from release_core.charts.sweep import cost, trade
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import cutoff_pairs, drift, ranking
from release_core.stats import cutoffs as costing
from release_core.stats.arrays import ratio
from release_core.views.view import axis, cutoff_marks, known, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.stats.ranking import Sweep
    from release_core.views.view import View

    Row = dict[str, Any]

MOST_POINTS = 240
MOST_SEGMENT_ROWS = 40


@dataclass(frozen=True, slots=True)
class CutoffsPage:
    """What the page shows; scores are in the release's own unit.

    `what_if` compares both versions at one cutoff, snapped to a bin edge; `transfer` lists, per value of the split,
    the candidate's cutoff that keeps the baseline's alert rate; `optimum` is the least-cost cutoff per version.
    """

    headline: str
    trade: Chart
    cost: Chart
    in_force: list[Row]
    what_if: list[Row]
    snapped: float | None
    transfer: list[Row]
    optimum: list[Row]


def cutoffs(view: View, at: float | None = None, by: str = "") -> CutoffsPage:
    """Return the page for a choice.

    Args:
        view: the choice.
        at: the what-if cutoff in the score's own unit (None: the candidate's review or block cutoff in force).
        by: a dimension by whose values the equal-alert-rate transfer is shown.
    """
    cells = view.cells()
    stated = at if at is not None else default_cutoff(view)
    if not cells.segments:
        empty = view.caption(0)
        marks = cutoff_marks(view.release)
        return CutoffsPage(
            f"No event of {view.place} was scored by both versions.",
            trade([], marks, empty),
            cost([], marks, empty),
            in_force(view),
            [],
            None,
            [],
            [],
        )
    sweep = ranking.sweep(cells.whole.positive[0], cells.whole.negative[0])
    edges = shown_scores(view.release, np.append(cells.whole.grid.lower, 1.0))
    place = _edge(edges, stated)
    prices = _prices(view, cells)
    n = float((cells.whole.positive + cells.whole.negative)[0, 1].sum())
    return CutoffsPage(
        _headline(view, cells),
        _trade(view, sweep, edges, n, place),
        _cost(view, prices, edges, n),
        in_force(view),
        [_at(view, cells, sweep, prices, place, number) for number in range(len(VERSIONS))],
        edges[place],
        transfer(view, by),
        _optimum(prices, edges),
    )


def default_cutoff(view: View) -> float:
    """Return the cutoff that the what-if starts from: the candidate's first in force, else the middle of the scale."""
    table = dict(view.release.tables[view.release.candidate.thresholds].default)
    scale = view.release.scale
    return next((table[action] for action in CUTOFF_ACTIONS if action in table), (scale.minimum + scale.maximum) / 2)


def _edge(edges: list[float], cutoff: float) -> int:
    """Return the position of the bin edge nearest to a cutoff."""
    return int(np.abs(np.array(edges) - cutoff).argmin())


def _headline(view: View, cells: Cells) -> str:
    ids = list(cells.cutoffs)
    base = next((k for k, name in enumerate(ids) if name.startswith(f"{view.release.baseline.thresholds}.")), None)
    if base is None:
        return "No cutoff is in force for the baseline."
    above, n = cells.whole.above[0, :, base], cells.whole.n[0].sum(-1)
    shares = above / n
    change = 100 * (shares[1] / shares[0] - 1) if shares[0] else float("nan")
    moved = f"{change:+.0f} %".replace("-", "\N{MINUS SIGN}") if np.isfinite(change) else "not known"
    return (
        f"At the baseline's own cutoff {ids[base]} the candidate would put {100 * shares[1]:.1f} % of events above it instead of "
        f"{100 * shares[0]:.1f} % ({moved}): the same number means another decision on another score."
    )


def _thin(size: int) -> Array:
    return np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).astype(int))


def _trade(view: View, sweep: Sweep, edges: list[float], n: float, place: int) -> Chart:
    tp, fp, fn = sweep.tp, sweep.fp, sweep.fn
    recall, precision = ratio(tp, tp + fn), ratio(tp, tp + fp)
    points = [
        {
            "cutoff": edges[k],
            "baseline_recall": known(recall[0, k]),
            "candidate_recall": known(recall[1, k]),
            "baseline_precision": known(precision[0, k]),
            "candidate_precision": known(precision[1, k]),
        }
        for k in _thin(len(edges))
    ]
    points = points if n else []
    return trade(
        _rising(points), cutoff_marks(view.release), view.caption(n), score=axis(view.release), drag=edges[place]
    )


def _rising(points: list[Row]) -> list[Row]:
    return points if not points or points[0]["cutoff"] <= points[-1]["cutoff"] else points[::-1]


def _prices(view: View, cells: Cells) -> Array | None:
    """Return the cost [version, edge] per 1,000 labelled events, or None where no costs are declared."""
    if view.release.costs is None:
        return None
    unit, whole = costing.unit_costs(view.release.costs), cells.whole
    parts = cutoff_pairs.moves(
        cutoff_pairs.by_action(whole.positive[0], whole.negative[0], whole.positive_amount[0], unit)
    )
    total = parts.review + parts.block[..., -1:]
    return 1000 * ratio(total, (whole.positive + whole.negative)[0].sum(-1, keepdims=True))


def _cost(view: View, prices: Array | None, edges: list[float], n: float) -> Chart:
    points = (
        []
        if prices is None or not n
        else [
            {"cutoff": edges[k], "baseline": known(prices[0, k]), "candidate": known(prices[1, k])}
            for k in _thin(len(edges))
        ]
    )
    currency = view.release.costs.currency if view.release.costs else ""
    return cost(
        _rising(points),
        cutoff_marks(view.release),
        view.caption(n),
        score=axis(view.release),
        currency=f"{currency} per 1,000 events",
    )


def _optimum(prices: Array | None, edges: list[float]) -> list[Row]:
    if prices is None or not np.isfinite(prices).any():
        return []
    best = costing.optimum(prices)
    return [
        {
            "version": version,
            "cutoff": edges[int(best.bin[k])],
            "low": edges[int(best.plateau_low[k])],
            "high": edges[int(best.plateau_high[k])],
            "cost": known(best.cost[k]),
            "at_end": bool(best.at_end[k]),
        }
        for k, version in enumerate(VERSIONS)
    ]


def _at(view: View, cells: Cells, sweep: Sweep, prices: Array | None, place: int, number: int) -> Row:
    """Return what one version would do if it alerted from the bin edge `place` on."""
    tp, fp, fn, tn = (float(getattr(sweep, name)[number, place]) for name in ("tp", "fp", "fn", "tn"))
    alerts = float(cells.whole.n[0, number, place:].sum())
    total, days = float(cells.whole.n[0, number].sum()), view.opened.cube.days(view.stage, view.step)
    amounts = costing.value_recall(cells.whole.positive_amount[0, number])
    return {
        "version": VERSIONS[number],
        "true_positives": int(tp),
        "false_positives": int(fp),
        "missed": int(fn),
        "passed_good": int(tn),
        "alert_rate": known(alerts / total if total else np.nan),
        "alerts_per_day": known(alerts / days if days else np.nan),
        "recall": known(float(ratio(tp, tp + fn))),
        "precision": known(float(ratio(tp, tp + fp))),
        "fpr": known(float(ratio(fp, fp + tn))),
        "amount_recall": known(float(amounts[place])),
        "cost": None if prices is None else known(prices[number, place]),
    }


def in_force(view: View) -> list[Row]:
    """Return the cutoffs in force: one row for the default and one per segment that has its own, both versions."""
    release = view.release
    tables = {version: release.tables[release.bundle(version).thresholds] for version in VERSIONS}
    places = [{}, *(dict(row.where) for table in tables.values() for row in table.segments)]
    unique = {tuple(sorted(place.items())): place for place in places}
    rows = []
    for place in list(unique.values())[:MOST_SEGMENT_ROWS]:
        row: Row = {"segment": ", ".join(place.values()) or "all other events"}
        for version, table in tables.items():
            at = manifest.cutoffs(table, place)
            row |= {f"{version}_{action}": at.get(action) for action in CUTOFF_ACTIONS}
        rows.append(row)
    return rows


def transfer(view: View, by: str = "") -> list[Row]:
    """Return, for all events and each value of `by`, the candidate's cutoff that keeps the baseline's alert rate."""
    release = view.release
    names = [f"{release.baseline.thresholds}.{action}" for action in CUTOFF_ACTIONS]
    rows = []
    for split in ((), (by,)) if by and by not in dict(view.where) else ((),):
        cells = view.cells(*split)
        edges = shown_scores(release, np.append(cells.whole.grid.lower, 1.0)) if cells.segments else []
        for place, segment in enumerate(cells.segments):
            said = {"segment": segment.get(by, "all events") if split else "all events"}
            rows += [_transferred(cells, place, name, edges) | said for name in names if name in cells.cutoffs]
    return rows


def _transferred(cells: Cells, place: int, name: str, edges: list[float]) -> Row:
    n = cells.whole.n[place]
    target = float(ratio(cells.whole.above[place, 0, cells.cutoffs.index(name)], n[0].sum()))
    moved = drift.equal_alert_rate(n[1], target)
    found = int(moved.bin)
    return {
        "cutoff": name,
        "alert_rate": known(target),
        "nominal": known(float(ratio(cells.whole.above[place, 1, cells.cutoffs.index(name)], n[1].sum()))),
        "transferred": edges[found] if 0 <= found < len(edges) - 1 else None,
        "achieved": known(float(moved.achieved)),
        "n": int(n[0].sum()),
    }

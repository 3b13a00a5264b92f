"""The Score drift page: what moves at the cutoff first, then the whole distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.bars import share_above
from release_core.charts.digits import count, percent
from release_core.charts.distribution import distribution
from release_core.charts.timeline import timeline
from release_core.cube import PERIOD
from release_core.stats import drift
from release_core.views.disagreement import flow
from release_core.views.view import axis, cutoff_marks, known, paired_rows, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Cells
    from release_core.views.view import View

    Row = dict[str, Any]

# Bins of 1/4 log-odds are shown: about 40 steps, each a whole number of cells.
SHOWN_PER_UNIT = 4


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """What the page shows; `headline` is its first sentence."""

    headline: str
    above: Chart
    over_time: Chart
    swaps: Chart
    distribution: Chart
    distances: list[Row]
    psi_groups: list[Row]


def score_drift(view: View) -> ScoreDrift:
    """Return the page for a choice."""
    cells = view.cells()
    alerts = paired_rows(view.rows(["alert_rate"]))
    return ScoreDrift(
        _headline(view, cells, alerts[0] if alerts else {}),
        _above(view),
        _over_time(view),
        flow(view, cells),
        _distribution(view, cells),
        _distances(cells),
        _psi_groups(view, cells),
    )


def events(cells: Cells) -> float:
    """Return the number of events in a one-segment slice."""
    return float(cells.whole.n[0, 0].sum()) if cells.segments else 0.0


def _headline(view: View, cells: Cells, alert: Row) -> str:
    if not cells.segments or alert.get("difference") is None:
        return f"No event of {view.place} was scored by both versions."
    before, after, change = alert["baseline"], alert["candidate"], alert["difference"]
    relative = f" ({100 * change / before:+.1f} % in volume)".replace("-", "\N{MINUS SIGN}") if before else ""
    per_day = _per_day(view, change * events(cells))
    return f"The alert rate goes from {percent(before)} to {percent(after)}{relative}{per_day}."


def _per_day(view: View, n: float) -> str:
    days = view.opened.cube.days(view.stage, view.step)
    return (
        f", {count(abs(n) / days)} alerts a day {'more' if n > 0 else 'fewer'}" if days and abs(n) / days >= 1 else ""
    )


def _above(view: View) -> Chart:
    rows = (
        paired_rows(view.rows([f"share_above:{name}" for name in view.release.cutoff_ids]))
        if view.release.cutoff_ids
        else []
    )
    shown = [row | {"cutoff": row["metric"].split(":", 1)[1]} for row in rows]
    keep = (
        "cutoff",
        "baseline",
        "baseline_low",
        "baseline_high",
        "candidate",
        "candidate_low",
        "candidate_high",
        "difference",
        "low",
        "high",
        "n",
    )
    n = shown[0]["n"] if shown else 0
    return share_above([{key: row.get(key) for key in keep} for row in shown], view.caption(n, table="shard"))


def _over_time(view: View) -> Chart:
    rows = paired_rows(view.rows(["alert_rate"], PERIOD))
    keep = ("baseline", "baseline_low", "baseline_high", "candidate", "candidate_low", "candidate_high", "n")
    shown = [{"step": row["where"][PERIOD], **{key: row.get(key) for key in keep}} for row in rows]
    n = sum(row["n"] or 0 for row in shown)
    return timeline(shown, view.caption(n, table="pair", by=(PERIOD,)), metric="Alert rate")


def shown_bins(view: View, cells: Cells) -> list[Row]:
    """Return the histogram of both versions on 1/4 log-odds bins (or the score values): low, high, shares and counts."""
    if not cells.segments:
        return []
    grid, n = cells.whole.grid, cells.whole.n[0]
    step = grid.per_unit // SHOWN_PER_UNIT if grid.per_unit else max(1, len(grid.ids) // 60)
    group = (grid.ids - 1) // step
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    edges = shown_scores(view.release, np.append(grid.lower[starts], 1.0))
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


def distribution_of(view: View) -> Chart:
    """Return the score distribution of a choice."""
    return _distribution(view, view.cells())


def _distribution(view: View, cells: Cells) -> Chart:
    return distribution(
        shown_bins(view, cells),
        cutoff_marks(view.release),
        view.caption(events(cells)),
        score=axis(view.release),
        log=True,
    )


def _distances(cells: Cells) -> list[Row]:
    """Return PSI, KS, Jensen-Shannon and Wasserstein with what each means."""
    if not cells.segments:
        return []
    baseline, candidate = cells.whole.n[0]
    found = drift.psi(baseline, candidate, drift.quantile_groups(baseline))
    rows = [
        _distance(
            "PSI",
            found.total,
            f"chance alone: up to {float(found.null_high):.4f} (95 %); 0.10 and 0.25 are the usual limits",
        ),
        _distance("KS distance", drift.ks_drift(baseline, candidate), "largest gap between the two cumulative shares"),
        _distance("Jensen-Shannon distance", drift.jensen_shannon(baseline, candidate), "base 2; 0 equal, 1 disjoint"),
    ]
    if cells.whole.grid.per_unit:
        position = (cells.whole.grid.ids - 0.5) / cells.whole.grid.per_unit
        rows.append(
            _distance(
                "Wasserstein distance", drift.wasserstein(baseline, candidate, position), "mean shift in log-odds"
            )
        )
    return rows


def _distance(name: str, value: Any, meaning: str) -> Row:  # noqa: ANN401 - a 0-d array
    return {"measure": name, "value": known(float(value)), "meaning": meaning}


def _psi_groups(view: View, cells: Cells) -> list[Row]:
    """Return PSI's parts per baseline decile, under the column names that scorecard users know."""
    if not cells.segments:
        return []
    baseline, candidate = cells.whole.n[0]
    inner = drift.quantile_groups(baseline)
    found = drift.psi(baseline, candidate, inner)
    inside = [int(edge) for edge in inner if edge < len(baseline)]
    bounds = [0, *inside, len(baseline)]
    edges = shown_scores(view.release, np.append(cells.whole.grid.lower, 1.0))
    parts = [k for k in range(len(found.part)) if np.isfinite(found.part[k])]
    return [
        {
            "Bin": f"{edges[low]:.4g} to {edges[high]:.4g}",
            "Count A": int(candidate[low:high].sum()),
            "Count E": int(baseline[low:high].sum()),
            "Count A (%)": known(100 * float(found.current[k])),
            "Count E (%)": known(100 * float(found.reference[k])),
            "PSI": known(float(found.part[k])),
        }
        for k, low, high in zip(parts, bounds[:-1], bounds[1:], strict=False)
    ]

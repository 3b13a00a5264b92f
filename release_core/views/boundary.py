"""A choice in, what moves at the cutoffs out: share above each, reviews and blocks a day, traffic close by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core import manifest, metrics
from release_core.changes import bin_of
from release_core.charts import digits
from release_core.metrics import values
from release_core.metrics.table import ABOVE
from release_core.release import CUTOFF_ACTIONS, VERSIONS
from release_core.stats import drift, intervals
from release_core.views.view import known, paired_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Cells
    from release_core.metrics import Metric
    from release_core.metrics.estimate import Estimate
    from release_core.release import CutoffTable
    from release_core.views.view import View

    Row = dict[str, Any]

CONFIDENCE = 0.95
# METHODS c3: traffic within a quarter of log-odds, and what a tenth of it adds. Points: 1% of the scale.
REACH, STEP = 0.25, 0.1
POINTS_SHARE = 0.01
STABLE, WATCH = 0.10, 0.25
MINUS = digits.MINUS


class Change(NamedTuple):
    """A share of both versions, its change relative to the baseline's with the interval, and n."""

    name: str
    baseline: float
    candidate: float
    relative: float
    low: float
    high: float
    n: float

    @property
    def certain(self) -> bool:
        """Return whether the interval of the relative change excludes no change."""
        return self.low > 0 or self.high < 0


def relative(cells: Cells, metric: Metric, name: str) -> Change:
    """Return how a share changes relative to the baseline's, of the first segment; the interval by the jackknife of its log."""
    logs = metrics.estimate(cells, metric, np.log)
    low, high = intervals.interval(logs.value[0, 2], logs.se[0, 2], logs.df[0], CONFIDENCE)
    old, new = (float(value) for value in np.exp(logs.value[0, :2]))
    old, new = (0.0 if np.isnan(value) else value for value in (old, new))
    change, least, most = (float(np.expm1(value)) for value in (logs.value[0, 2], low, high))
    return Change(name, old, new, change, least, most, float(logs.n[0, 1]))


def headline(view: View, cells: Cells) -> str:
    """Return the first thing that the page says: what moves at the cutoff, and that PSI does or does not see it."""
    if not cells.segments or not cells.whole.events[0, 0]:
        return f"{view.none} was scored by both versions."
    change = _most_moved(view, cells)
    return f"{_said(view, change)} {_psi(cells, change)}"


def _most_moved(view: View, cells: Cells) -> Change:
    """Return the change at the cutoff that moves most beyond chance; where each version has its own, of all alerts."""
    table = view.release.baseline.thresholds
    if table != view.release.candidate.thresholds:
        return relative(cells, view.known()["alert_rate"], "alert_rate")
    found = [
        relative(cells, view.known()[f"{ABOVE}:{name}"], name)
        for name in view.release.cutoff_ids
        if name.startswith(f"{table}.")
    ]
    if not found:
        return relative(cells, view.known()["alert_rate"], "alert_rate")
    certain = [change for change in found if change.certain]
    return max(certain, key=lambda change: abs(np.log1p(change.relative)), default=found[0])


def _said(view: View, change: Change) -> str:
    what = "The alert rate, each version with its own cutoffs," if change.name == "alert_rate" else _above(view, change)
    per_day = _daily(view, (change.candidate - change.baseline) * change.n)
    shares = f"from {digits.percent(change.baseline)} to {digits.percent(change.candidate)} of events{per_day}"
    if not np.isfinite(change.relative):
        return f"{what} goes {shares}."
    moved = f"{_percent(abs(change.relative))}{_interval(change)}"
    if np.isfinite(change.low) and not change.certain:
        return f"{what} does not move beyond chance: {_signed(change.relative)}{_interval(change)}, {shares}."
    return f"{what} {'rises' if change.relative > 0 else 'falls'} by {moved}, {shares}."


def _above(view: View, change: Change) -> str:
    table, _, action = change.name.rpartition(".")
    at = in_force(view, view.release.tables[table], action)
    number = digits.cutoff(at) if at is not None else "(by segment)"
    side = "above" if view.release.scale.riskier == "higher" else "below"
    return f"Traffic {side} the {action} cutoff {number}"


def _interval(change: Change) -> str:
    if not np.isfinite(change.low) or not np.isfinite(change.high):
        return ""
    if change.certain:
        ends = sorted((abs(change.low), abs(change.high)))
        return f" ({_percent(ends[0])} to {_percent(ends[1])})"
    return f" ({_signed(change.low)} to {_signed(change.high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share < 1 else f"{100 * share:,.0f}%"


def _signed(share: float) -> str:
    return f"{'+' if share >= 0 else MINUS}{_percent(abs(share))}"


def _daily(view: View, events: float) -> str:
    days = view.days
    if not days or abs(events) / days < 1:
        return ""
    return f", {digits.number(abs(events) / days, 2)} alerts a day {'more' if events > 0 else 'fewer'}"


def _psi(cells: Cells, change: Change) -> str:
    found = values.score_groups(cells.whole)
    total = float(found.total[0])
    if np.isnan(total):
        return ""
    said = f"PSI is {digits.number(total, 2)}"
    if total >= WATCH:
        return f"{said}: the whole distribution moved (0.25 and above)."
    if total >= STABLE:
        return f"{said}: it asks for a closer look (0.10 to 0.25)."
    blind = (
        " It does not see the tail, where the cutoff stands."
        if change.certain and abs(change.relative) > STABLE
        else ""
    )
    return f"{said} and calls the scores stable (below 0.10).{blind}"


def in_force(view: View, table: CutoffTable, action: str) -> float | None:
    """Return the cutoff of an action, None where there is none or where it differs between the events of the choice."""
    where = dict(view.where)
    own = manifest.cutoffs(table, where).get(action)
    for row in table.segments:
        other = dict(row.where)
        meets = all(where.get(dim, value) == value for dim, value in other.items())
        decided = all(dim in where for dim in other)
        if action in dict(row.cutoffs) and meets and not decided and dict(row.cutoffs)[action] != own:
            return None
    return own


def cutoff_rows(view: View, cells: Cells) -> list[Row]:
    """Return one row per registered cutoff: both shares, the change in points, in percent and a day, traffic close by."""
    if not view.release.cutoff_ids or not cells.segments:
        return []
    rows = paired_rows(view.rows([f"{ABOVE}:{name}" for name in view.release.cutoff_ids]))
    return [_cutoff_row(view, cells, row, row["metric"].split(":", 1)[1]) for row in rows]


def _cutoff_row(view: View, cells: Cells, row: Row, name: str) -> Row:
    table, _, action = name.rpartition(".")
    at = in_force(view, view.release.tables[table], action)
    change = relative(cells, view.known()[row["metric"]], name)
    if change.low == change.high == 0:
        # Every shard counts the same: it is the same score, and the difference no estimate.
        row |= {"low": 0.0, "high": 0.0}
    keep = ("baseline", "baseline_low", "baseline_high", "candidate", "candidate_low", "candidate_high")
    return (
        {"cutoff": name, "action": action, "at": at}
        | {key: row.get(key) for key in (*keep, "difference", "low", "high", "n")}
        | {f"relative{end}": known(getattr(change, end.lstrip("_") or "relative")) for end in ("", "_low", "_high")}
        | _scaled(view, row, "a_day")
        | _near(view, cells, at)
    )


def _scaled(view: View, row: Row, name: str) -> Row:
    """Return a change of a share and its interval as events a day."""
    per_day = (row["n"] or 0) / view.days if view.days else float("nan")
    ends = {name: row["difference"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return {key: None if value is None else known(value * per_day) for key, value in ends.items()}


def _near(view: View, cells: Cells, at: float | None) -> Row:
    """Return the share of traffic close to a cutoff, and by how much one step of drift moves the alerts a day."""
    grid, n = cells.whole.grid, cells.whole.n[0]
    empty: Row = {"near_baseline": None, "near_candidate": None, "slope": None}
    if at is None:
        return empty
    unit, reach, step = near_units(view, cells)
    place = (bin_of(view.release, at) - 1) // (64 // grid.per_unit) + 1 if grid.per_unit else bin_of(view.release, at)
    positions = (grid.ids - 0.5) / unit
    shares = drift.mass_near(n, positions, (place - 1) / unit, reach)
    inside = int(np.clip(place - grid.ids[0], 0, len(grid.ids)))
    added = drift.density(n[1], inside) * unit * step
    slope = known(float(added) / view.days) if view.days else None
    return {"near_baseline": known(shares[0]), "near_candidate": known(shares[1]), "slope": slope}


def near_units(view: View, cells: Cells) -> tuple[float, float, float]:
    """Return bins per unit of the score's axis, what is close by, and one step of drift, both in that unit."""
    if cells.whole.grid.per_unit:
        return float(cells.whole.grid.per_unit), REACH, STEP
    scale = view.release.scale
    one = POINTS_SHARE * (scale.maximum - scale.minimum)
    return (1 / scale.step if scale.step else 1.0), one, one


def near_words(view: View) -> tuple[str, str]:
    """Return how a reader says "close by" and "one step of drift" on the release's scale."""
    scale = view.release.scale
    if scale.levels is None:
        return f"{REACH:g} log-odds", f"{STEP:g} log-odds"
    one = f"{POINTS_SHARE * (scale.maximum - scale.minimum):g} points"
    return one, one


def action_rows(view: View) -> list[Row]:
    """Return what it means in work: events a day of each action, both versions, and the change with its interval."""
    rates = [name for name in ("alert_rate", "review_rate", "block_rate", "escalation_rate") if name in view.known()]
    rows = []
    for row in paired_rows(view.rows(rates)):
        if row.get("difference") is None or not (row["baseline"] or row["candidate"]):
            continue
        per_day = row["n"] / view.days if view.days else float("nan")
        title = view.known()[row["metric"]].title
        rows.append(
            {"title": title, "metric": row["metric"], "share": row["difference"], "n": row["n"]}
            | {"share_low": row["low"], "share_high": row["high"]}
            | {f"{version}_share": row[version] for version in VERSIONS}
            | {version: known(row[version] * per_day) for version in VERSIONS}
            | _scaled(view, row, "change")
        )
    return rows


def capacity(view: View, actions: Sequence[Row]) -> str:
    """Return what the reviews mean for the team, or an empty text."""
    costs = view.release.costs
    reviews = next((row for row in actions if row["metric"] == "review_rate"), None)
    if costs is None or costs.review_capacity_per_day is None or reviews is None or reviews["candidate"] is None:
        return ""
    room = costs.review_capacity_per_day - reviews["candidate"]
    said = f"{digits.number(reviews['candidate'])} reviews a day stand against a capacity of {digits.number(costs.review_capacity_per_day)}"
    return f"{said}: {digits.number(abs(room), 2)} {'to spare' if room >= 0 else 'too many'}."


def first_cutoff(view: View, version: str) -> str | None:
    """Return the id of the lowest cutoff of a version, None where it has none."""
    table = view.release.bundle(version).thresholds
    return next((f"{table}.{a}" for a in CUTOFF_ACTIONS if f"{table}.{a}" in view.release.cutoff_ids), None)


def estimated(view: View, name: str, *by: str) -> tuple[Cells, Estimate]:
    """Return the cells of a split of the choice, and the estimate of a metric in each."""
    cells = view.cells(*by)
    return cells, metrics.estimate(cells, view.known()[name])

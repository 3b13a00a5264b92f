"""The Cutoffs page: what the two cutoffs of a segment buy and cost, which would be cheapest, and what others would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts import digits, style
from release_core.charts.panels import panel
from release_core.charts.sweep import cost, trade
from release_core.errors import NotFound, Problem
from release_core.release import CUTOFF_ACTIONS, VERSIONS, Costs
from release_core.stats import cutoff_pairs
from release_core.stats import cutoffs as costing
from release_core.stats.arrays import ratio
from release_core.views import cutoff_optima as finding
from release_core.views import what_if
from release_core.views.grounds import BASELINE, CANDIDATE, Grounds, cutoffs_there, grounds, place_text
from release_core.views.view import axis, cutoff_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release_core.charts.chart import Chart
    from release_core.frames import Array
    from release_core.views.cutoff_optima import Optima
    from release_core.views.view import View

    Row = dict[str, Any]

MOST_POINTS, PANEL_POINTS = 160, 60
FEWEST_FLAGGED = 50
# A cost axis that ends a little above the dearest of what matters; reviewing everything may cost many times that.
HEADROOM = 1.15


@dataclass(frozen=True, slots=True)
class Ask:
    """What the reader asks: a segment of a split, two cutoffs (None: those in force), and unit costs."""

    by: str = ""
    segment: str = ""
    review: float | None = None
    block: float | None = None
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True)
class CutoffsPage:
    """What the page shows; scores are in the release's own unit.

    `place` is the segment in words, the filter included.
    `curves` has one cost chart per movable cutoff, `told` one row per measure of the versions' own cutoffs and of the
    what-if, `best` one row per version, `notes` sentences on what the numbers are; `snapped` are the cutoffs compared.
    """

    headline: str
    place: str
    trade: Chart
    curves: dict[str, Chart]
    told: list[Row]
    snapped: dict[str, float | None]
    exact: bool
    best: list[Row]
    sensitivity: list[Row]
    notes: list[str]


def defaults(view: View, by: str = "", segment: str = "") -> dict[str, float]:
    """Return the candidate's cutoffs in force in a segment: what a what-if starts from; the middle where there are none."""
    ground = grounds(view, by)
    table = view.release.tables[view.release.candidate.thresholds]
    at = dict(table.default)
    if ground.names and segment in (*ground.names, ""):
        at = what_if.candidate_table(ground, _place(ground, segment))
    return {action: at[action] for action in CUTOFF_ACTIONS if action in at}


def dims(view: View) -> list[str]:
    """Return the dimensions that the page can split by, those of the cutoff tables first."""
    tables = [view.release.tables[view.release.bundle(name).thresholds] for name in reversed(VERSIONS)]
    told = [dim for table in tables for row in table.segments for dim, _ in row.where]
    return [dim for dim in dict.fromkeys((*told, *view.release.segments.all)) if dim not in dict(view.where)]


def segments(view: View, by: str) -> list[str]:
    """Return the segments of a split."""
    return list(grounds(view, by).names)


def costs_of(view: View) -> Costs:
    """Return the declared costs; none where the manifest declares none."""
    return view.release.costs or Costs()


def cutoffs(view: View, ask: Ask) -> CutoffsPage:
    """Return the page for a choice.

    Raises:
        NotFound: the split has no such segment.
    """
    ground = grounds(view, ask.by)
    if not ground.names:
        return _empty(view)
    place = _place(ground, ask.segment)
    best = finding.optima(view, ask.by, ask.costs)
    default = defaults(view, ask.by, ask.segment)
    asked = {"review": ask.review, "block": ask.block}
    at = {action: default.get(action) if asked[action] is None else asked[action] for action in CUTOFF_ACTIONS}
    at, crossed = _in_order(view, at)
    where = what_if.stand(ground, place, {a: s if a in finding.moved(best.which) else None for a, s in at.items()})
    snapped = _snapped(ground, at, where, best.which)
    rows = [finding.row(best, place, version) for version in range(len(VERSIONS))]
    return CutoffsPage(
        _headline(best, place, ask, rows[CANDIDATE]),
        place_text(view, ask.by, ask.segment),
        _trade(ground, place, snapped),
        {action: _curve(best, place, action, (where, snapped), ask) for action in finding.moved(best.which)},
        _told(best, place, where, ask.costs.review_capacity_per_day),
        snapped,
        where.exact,
        rows,
        finding.sensitivity(best, place, ask.costs, where) if _priced(ask.costs) else [],
        [*crossed, *_notes(best, place)],
    )


def _in_order(view: View, at: dict[str, float | None]) -> tuple[dict[str, float | None], list[str]]:
    """Return cutoffs of which the block cutoff is the riskier, and a sentence where it had to be moved along."""
    review, block = at["review"], at["block"]
    sign = 1 if view.release.scale.riskier == "higher" else -1
    if review is None or block is None or sign * review <= sign * block:
        return at, []
    return at | {"block": review}, ["The block cutoff would lie before the review cutoff: it is moved along with it."]


def panels(view: View, by: str, costs: Costs, action: str) -> tuple[list[Chart], list[Row]]:
    """Return one small cost chart per segment of a split for moving one action's cutoff, and one row per segment."""
    best = finding.optima(view, by, costs)
    rows = finding.rows(best)
    if action not in finding.moved(best.which) or not _priced(costs):
        return [], rows
    drawn = _drawn(best, action)
    lines = [row[name].get(action) for row in rows for name in ("now", "advised")]
    every = [at for points, top in drawn if points for at in style.within(points, VERSIONS, top, lines)]
    shown = [min(every), max(every)] if every else []
    return [_panel(best, place, action, rows[place], (*drawn[place], shown)) for place in range(len(rows))], rows


def explained(view: View, by: str, costs: Costs) -> str:
    """Return how the advised cutoffs were made."""
    return finding.explained(finding.optima(view, by, costs)) if grounds(view, by).names else ""


def _place(ground: Grounds, segment: str) -> int:
    if not ground.by:
        return 0
    if segment not in ground.names:
        listed = ", ".join(ground.names)
        raise NotFound(Problem("segment", repr(segment), f"one of {listed}", "Choose one of them."))
    return ground.names.index(segment)


def _empty(view: View) -> CutoffsPage:
    caption, marks = view.caption(0), cutoff_marks(view.release)
    which = cutoffs_there(view.release.tables[view.release.candidate.thresholds])
    charts = {action: cost([], marks, caption, moved={action: 0.5}) for action in finding.moved(which)}
    headline = f"{view.none} was scored by both versions."
    return CutoffsPage(headline, view.place, trade([], marks, caption), charts, [], {}, False, [], [], [])  # noqa: FBT003


def _priced(costs: Costs) -> bool:
    """Return whether anything costs anything."""
    return any((costs.false_positive, costs.review, costs.false_negative, costs.amount_times, costs.friction))


def _snapped(ground: Grounds, at: what_if.Cutoffs, where: what_if.Stand, which: str) -> dict[str, float | None]:
    """Return the cutoffs that are really compared: registered ones as they are, others at their bin edge."""
    found: dict[str, float | None] = {}
    for action, edge in zip(CUTOFF_ACTIONS, (where.review, where.block), strict=True):
        if action in finding.moved(which):
            found[action] = ground.edges[edge] if isinstance(edge, int) else at.get(action)
    return found


def _headline(best: Optima, place: int, ask: Ask, row: Row) -> str:
    ground = best.ground
    name = place_text(ground.view, ask.by, ask.segment)
    if not _priced(ask.costs):
        return "The manifest declares no costs, so no cutoff is cheapest. Type costs below to see which would be."
    if row["cost_advised"] is None or row["cost_now"] is None:
        return f"No labelled event of {name}: what a cutoff costs is not known."
    pair, title = _pair_text(row["advised"]), name[:1].upper() + name[1:]
    money = f"{ask.costs.currency or 'money units'} per 1,000 events"
    saved = row["saved"]
    if saved <= 0:
        told = f"{title}: no cheaper cutoffs than those in force are known ({digits.count(row['cost_now'])} {money})."
    else:
        told = (
            f"{title}: with {pair} the candidate would cost {digits.count(row['cost_advised'])} instead of "
            f"{digits.count(row['cost_now'])} {money} (\N{MINUS SIGN}{digits.percent(float(ratio(saved, row['cost_now'])))})."
        )
    capacity, reviews = ask.costs.review_capacity_per_day, _advised_reviews(best, place)
    if capacity is not None and saved > 0 and reviews > capacity:
        told += f" That takes {digits.number(reviews)} reviews a day, where {digits.number(capacity)} can be done: see the shared capacity."
    kept = [action for action, keeps in row["keep"].items() if keeps]
    if kept:
        told += f" No evidence for moving the {' or the '.join(kept)} cutoff: it cannot be told from the cheapest."
    return told


def _advised_reviews(best: Optima, place: int) -> float:
    """Return the reviews a day that the advised cutoffs need."""
    advised = best.sides[CANDIDATE].advised
    edges = (int(edge[place]) for edge in (advised.review, advised.block))
    review, block = (best.ground.at_edge(place, CANDIDATE, edge).n for edge in edges)
    return float(np.nan_to_num(ratio(review - block, best.ground.view.days)))


def _pair_text(cutoffs: dict[str, float | None]) -> str:
    return " and ".join(f"{a} from {digits.cutoff(at)}" for a, at in cutoffs.items() if at is not None)


@cache
def _thin(size: int, most: int) -> Array:
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(int))


def _points_of(ground: Grounds, kept: Array, values: Array, **same: str) -> list[Row]:
    """Return some edges with each version's value [version, edge] there and what is the `same` at all of them."""
    told = _told_at(ground, kept, values)
    return [same | {"cutoff": at, "baseline": old, "candidate": new} for at, old, new in told]


def _told_at(ground: Grounds, kept: Array, values: Array) -> Iterator[tuple[Any, ...]]:
    """Return the scores of some edges with the values [..., edge] there, None where they are not known."""
    return zip([ground.edges[k] for k in kept.tolist()], *map(_told_of, values), strict=True)


def _told_of(values: Array) -> list[float | None]:
    """Return values as plain numbers, None where they are not finite."""
    told, finite = values.tolist(), np.isfinite(values)
    return told if finite.all() else [one if known else None for one, known in zip(told, finite.tolist(), strict=True)]


def _rising(points: list[Row]) -> list[Row]:
    return points if not points or points[0]["cutoff"] <= points[-1]["cutoff"] else points[::-1]


def _trade(ground: Grounds, place: int, snapped: dict[str, float | None]) -> Chart:
    reached, kept = ground.reached, _thin(len(ground.edges), MOST_POINTS)
    positive, labelled = reached.positive[place][:, kept], reached.labelled[place][:, kept]
    recall = ratio(positive, positive[:, :1])
    precision = np.where(labelled >= FEWEST_FLAGGED, ratio(positive, labelled), np.nan)
    points = [
        {"cutoff": at, "baseline_recall": r, "candidate_recall": s, "baseline_precision": p, "candidate_precision": q}
        for at, r, s, p, q in _told_at(ground, kept, np.concatenate([recall, precision]))
    ]
    n = float(labelled[CANDIDATE, 0])
    view, lines = ground.view, {a: at for a, at in snapped.items() if at is not None}
    points = _rising(points) if n else []
    return trade(points, _marks(ground, place), view.caption(n), score=axis(view.release), drag=lines)


def _marks(ground: Grounds, place: int) -> list[Row]:
    """Return marks of the cutoffs in force in a segment, of both versions."""
    found = []
    for version, name in enumerate(VERSIONS):
        table = ground.view.release.bundle(name).thresholds
        at = what_if.in_force_scores(ground, place, version)
        found += [{"label": f"{table} {action}", "score": at[action], "version": name} for action in CUTOFF_ACTIONS]
    return [mark for mark in found if mark["score"] is not None]


def _curve(best: Optima, place: int, action: str, at: tuple[what_if.Stand, dict[str, float | None]], ask: Ask) -> Chart:
    """Return the cost of moving one cutoff with the other where the what-if has it, of both versions."""
    ground, (where, snapped) = best.ground, at
    if not _priced(ask.costs):
        return cost([], [], ground.view.caption(0), moved={action: 0.5})
    pair, kept = np.array([what_if.edges_of(ground, place, where)]), _thin(len(ground.edges), MOST_POINTS)
    [values], [top] = _costs_along(best, action, slice(place, place + 1), pair, kept)
    points = _points_of(ground, kept, values)
    alike = best.sides[CANDIDATE].alike
    run = alike[action].run(place) if action in alike else None
    n = float(ground.sides[CANDIDATE].events[place])
    line = snapped.get(action)
    return cost(
        _rising(points) if n else [],
        _marks_of(ground, place, action),
        ground.view.caption(n),
        score=axis(ground.view.release),
        currency=f"{ask.costs.currency} per 1,000 events".strip(),
        moved={} if line is None else {action: line},
        alike=run,
        top=top,
    )


def _marks_of(ground: Grounds, place: int, action: str) -> list[Row]:
    return [mark for mark in _marks(ground, place) if mark["label"].endswith(action)]


def _costs_along(best: Optima, action: str, places: slice, pairs: Array, kept: Array) -> tuple[Array, list[float]]:
    """Return the cost [segment, version, edge] per 1,000 of moving a cutoff of a pair, and where each segment's axis may end.

    `pairs` [segment, 2] are the review and the block cutoff of each of the segments at `places`; `kept` are the edges wanted,
    the last one among them.
    """
    (review, block), along, held, blocked = pairs.T, [], [], []
    for one in best.sides:
        parts = cutoff_pairs.Moves(*(part[places] for part in one.parts))
        pair = cutoff_pairs.Pair(review, block, cutoff_pairs.cost_at(parts, review, block))
        scale = 1000 * ratio(1.0, one.side.events[places])
        along.append(finding.curve(parts, pair, action, best.which, kept) * scale[:, None])
        held.append(pair.cost * scale)
        blocked.append(cutoff_pairs.cost_at(parts, block, block) * scale)
    values = np.stack(along, axis=1)
    none = values[..., -1]
    none = np.where(np.isfinite(none).all(-1, keepdims=True), none, np.stack(blocked, axis=1))
    matter = np.nan_to_num(np.concatenate([none, np.stack(held, axis=1)], axis=1)).max(-1)
    return values, (HEADROOM * matter).tolist()


def _told(best: Optima, place: int, where: what_if.Stand, capacity: float | None) -> list[Row]:
    """Return one row per measure: both versions' own cutoffs, and the what-if on either score."""
    ground, units = best.ground, best.units if _unit_priced(best.units) else None
    sides = {
        "baseline": what_if.consequences(ground, place, BASELINE, what_if.in_force(ground, BASELINE), units),
        "candidate": what_if.consequences(ground, place, CANDIDATE, what_if.in_force(ground, CANDIDATE), units),
        "what_if": what_if.consequences(ground, place, CANDIDATE, where, units),
        "other": what_if.consequences(ground, place, BASELINE, where, units),
    }
    for row in sides.values():
        row["used"] = None if not capacity or row["reviews"] is None else row["reviews"] / capacity
    missing = {key for key, *_ in what_if.MEASURES if all(row[key] is None for row in sides.values())}
    missing |= set() if "block" in finding.moved(best.which) else what_if.OF_BLOCKS
    return [
        {"measure": title, "key": key, "unit": unit, "group": group} | {side: row[key] for side, row in sides.items()}
        for key, title, unit, group in what_if.MEASURES
        if key not in missing
    ]


def _unit_priced(units: costing.UnitCosts) -> bool:
    parts = (units.false_positive, units.review, units.false_negative, units.amount_times, units.friction)
    return any(bool(np.any(part)) for part in parts)


def _notes(best: Optima, place: int) -> list[str]:
    """Return what a reader must know of these numbers."""
    ground, release = best.ground, best.ground.view.release
    form = what_if.breakeven(ground, place, best.units)
    found = []
    review, block = (float(part) for part in form)
    if _unit_priced(best.units) and np.isfinite(review) and any(side.positives.any() for side in ground.sides):
        pays = f"a block from {digits.percent(block)}" if "block" in finding.moved(best.which) else ""
        if review < block:
            pays = f"a review pays from a chance of {digits.percent(review)} of being bad{', ' if pays else ''}{pays}"
        else:
            pays = f"a review is never the cheapest action{'; ' if pays else ''}{pays}"
        found.append(f"At these costs, and the mean amount of a bad event here, {pays}.")
    if any(policy.rules for policy in release.policies.values()):
        found.append(
            "Policy rules that act before the cutoffs are left out of what-ifs: this is what the cutoffs alone do."
        )
    if not ground.cells.shards.binned:
        found.append(
            "With two dimensions at once bins are coarser, and which cutoffs cannot be told apart is not known."
        )
    return found


def _drawn(best: Optima, action: str) -> list[tuple[list[Row], float]]:
    """Return the points of each segment's small cost chart, none without labelled events, and where its cost axis ends."""
    ground, stand = best.ground, what_if.in_force(best.ground, CANDIDATE)
    if not ground.names:
        return []
    places, kept = range(len(ground.names)), _thin(len(ground.edges), PANEL_POINTS)
    pairs = np.array([what_if.edges_of(ground, place, stand) for place in places], dtype=np.int64).reshape(-1, 2)
    values, tops = _costs_along(best, action, slice(None), pairs, kept)
    labelled = ground.sides[CANDIDATE].events
    points = [_points_of(ground, kept, values[p], segment=ground.names[p]) if labelled[p] else [] for p in places]
    return [(_rising(points[p]), tops[p]) for p in places]


def _panel(best: Optima, place: int, action: str, row: Row, drawn: tuple[list[Row], float, list[float]]) -> Chart:
    ground, (points, top, shown) = best.ground, drawn
    return panel(
        ground.names[place],
        points,
        ground.view.caption(float(ground.sides[CANDIDATE].events[place]), by=(ground.by,) if ground.by else ()),
        score=axis(ground.view.release),
        now=row["now"][action],
        advised=row["advised"][action],
        flat=row["range"][action],
        limits=(shown, top),
    )

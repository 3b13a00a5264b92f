"""Two cutoffs in, all their consequences at once out: confusion, work, cost, money caught, calibration beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from release_core import manifest
from release_core.memory import of_cube
from release_core.release import ACTIONS, CUTOFF_ACTIONS, VERSIONS
from release_core.stats import cutoffs as costing
from release_core.stats.arrays import ratio
from release_core.views.grounds import CANDIDATE, Grounds, Reached, uniform
from release_core.views.view import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release_core.frames import Array
    from release_core.library import Opened
    from release_core.stats.cutoffs import UnitCosts

    Row = dict[str, Any]
    # A review and a block cutoff; None: there is none.
    Cutoffs = Mapping[str, float | None]

REVIEW, BLOCK = CUTOFF_ACTIONS
EVERY = slice(None)
APPROVED, REVIEWED, BLOCKED = (ACTIONS.index(action) for action in ("approve", "review", "block"))
# METHODS c3: what lies within a quarter of log-odds beyond a cutoff; of points 1% of the scale.
REACH, POINTS_SHARE = 0.25, 0.01
GROUPS = ("Work", "Outcome", "Money", "Calibration beyond the cutoffs")
# (key, title, unit, group): what is told of a pair of cutoffs, in the order of the page.
MEASURES = (
    ("reviews", "Reviews a day", "number", GROUPS[0]),
    ("busiest", "Reviews a day when busiest", "number", GROUPS[0]),
    ("used", "Share of the review capacity", "share", GROUPS[0]),
    ("blocks", "Blocks a day", "number", GROUPS[0]),
    ("alert_rate", "Alert rate", "share", GROUPS[0]),
    ("recall", "Recall: bad events alerted", "share", GROUPS[1]),
    ("recall_block", "Bad events blocked", "share", GROUPS[1]),
    ("precision", "Precision: bad among alerts", "share", GROUPS[1]),
    ("fpr", "False-positive rate: good events alerted", "share", GROUPS[1]),
    ("caught", "Bad and alerted", "count", GROUPS[1]),
    ("missed", "Bad and approved", "count", GROUPS[1]),
    ("false_alerts", "Good and alerted", "count", GROUPS[1]),
    ("wrong_blocks", "Good and blocked", "count", GROUPS[1]),
    ("passed", "Good and approved", "count", GROUPS[1]),
    ("cost", "Cost per 1,000 events", "money", GROUPS[2]),
    ("cost_a_day", "Cost a day", "money", GROUPS[2]),
    ("amount_recall", "Bad amount alerted", "share", GROUPS[2]),
    ("review_oe", "Observed / expected bad, reviews", "number", GROUPS[3]),
    ("block_oe", "Observed / expected bad, blocks", "number", GROUPS[3]),
    ("margin_review", "Bad just beyond the review cutoff", "share", GROUPS[3]),
    ("margin_block", "Bad just beyond the block cutoff", "share", GROUPS[3]),
)

# What says nothing where nothing can be blocked.
OF_BLOCKS = {"blocks", "recall_block", "wrong_blocks", "block_oe", "margin_block"}


class Sums(NamedTuple):
    """What reaches one cutoff in one segment: the parts of `Reached` as plain numbers."""

    n: float
    labelled: float
    positive: float
    amount: float
    score: float


@dataclass(frozen=True, slots=True)
class Stand:
    """Where two cutoffs stand: bin edges, or the names of registered cutoffs (exact); None: there is no such cutoff."""

    review: int | str | None
    block: int | str | None

    @property
    def exact(self) -> bool:
        """Return whether every cutoff is a registered one."""
        return not any(isinstance(at, int) for at in (self.review, self.block))


def in_force(ground: Grounds, version: int) -> Stand:
    """Return where a version's own cutoffs stand."""
    table = ground.view.release.bundle(VERSIONS[version]).thresholds
    names = [f"{table}.{action}" for action in CUTOFF_ACTIONS]
    return Stand(*(name if name in ground.cells.cutoffs else None for name in names))


def stand(ground: Grounds, place: int, at: Cutoffs) -> Stand:
    """Return where cutoffs stand: exactly, where they are the registered ones of the segment, else at the nearest edge."""
    return Stand(*(_stands(ground, place, action, at.get(action)) for action in CUTOFF_ACTIONS))


def _stands(ground: Grounds, place: int, action: str, score: float | None) -> int | str | None:
    release, segment = ground.view.release, ground.cells.segments[place]
    if score is None:
        return None
    for version in reversed(VERSIONS):
        table = release.tables[release.bundle(version).thresholds]
        same = manifest.cutoffs(table, segment).get(action) == score
        if same and uniform(table, segment, action):
            return f"{table.id}.{action}"
    return ground.edge(score)


def reached(ground: Grounds, place: int | slice, version: int, at: int | str | None) -> Reached:
    """Return the sums of what reaches a cutoff; nothing reaches one that does not exist."""
    if at is None:
        return Reached(*[np.zeros(())] * len(Reached._fields))
    return ground.at_cutoff(place, version, at) if isinstance(at, str) else ground.at_edge(place, version, at)


def both(ground: Grounds, place: int | slice, version: int, where: Stand) -> tuple[Reached, Reached]:
    """Return what reaches the review cutoff (or the block cutoff, where nothing is reviewed) and the block cutoff."""
    block = reached(ground, place, version, where.block)
    return (block if where.review is None else reached(ground, place, version, where.review)), block


def consequences(ground: Grounds, place: int, version: int, where: Stand, units: UnitCosts | None) -> Row:
    """Return every measure of a pair of cutoffs on one version's score in one segment; None where not known."""
    sides = (*both(ground, place, version, where), ground.at_edge(place, version, 0))
    # Plain numbers: a page asks this of every segment, and arrays of one number cost more than what is computed with them.
    review, block, every = (Sums(*map(float, side)) for side in sides)
    days = ground.view.days
    good, good_review, good_block = (part.labelled - part.positive for part in (every, review, block))
    cost = np.nan if units is None else float(cost_of(every, review, block, units))
    known_labels = 1.0 if every.labelled else np.nan
    numbers = {
        "reviews": _ratio(review.n - block.n, days),
        "busiest": busiest(ground, [(place, version, where)]),
        "blocks": _ratio(block.n, days),
        "alert_rate": _ratio(review.n, every.n),
        "recall": _ratio(review.positive, every.positive),
        "recall_block": _ratio(block.positive, every.positive),
        "precision": _ratio(review.positive, review.labelled),
        "fpr": _ratio(good_review, good),
        "caught": known_labels * review.positive,
        "missed": known_labels * (every.positive - review.positive),
        "false_alerts": known_labels * good_review,
        "wrong_blocks": known_labels * good_block,
        "passed": known_labels * (good - good_review),
        "cost": 1000 * _ratio(cost, every.labelled),
        "cost_a_day": _ratio(cost, every.labelled) * _ratio(every.n, days),
        "amount_recall": _ratio(review.amount, every.amount),
        "review_oe": _ratio(review.positive - block.positive, review.score - block.score),
        "block_oe": _ratio(block.positive, block.score),
        "margin_review": margin(ground, place, version, where.review),
        "margin_block": margin(ground, place, version, where.block),
    }
    if ground.view.release.scale.name != "probability":
        numbers |= dict.fromkeys(("review_oe", "block_oe"), np.nan)
    return {name: known(float(value)) for name, value in numbers.items()}


def _ratio(numerator: float, denominator: float) -> float:
    """Return a ratio as `arrays.ratio` does, of plain numbers."""
    return numerator / denominator if denominator else float("nan")


def cost_of(every: Sums | Reached, review: Sums | Reached, block: Sums | Reached, units: UnitCosts) -> Array:
    """Return the cost [...] of the labelled events under two cutoffs."""
    found = review.positive - block.positive
    bothered = review.labelled - block.labelled - found
    missed, amounts = every.positive - review.positive, (every.amount - review.amount, review.amount - block.amount)
    return costing.outcome_cost(
        costing.Outcomes(block.labelled - block.positive, found, bothered, missed, *amounts), units
    )


def costs_in_force(ground: Grounds, version: int, units: UnitCosts) -> Array:
    """Return what a version's cutoffs in force cost per 1,000 labelled events, [segment]."""
    side, nothing = ground.sides[version], np.zeros(len(ground.names))
    every = Reached(nothing, side.events, side.positives, side.positive_amount.sum(-1), nothing)
    alerted, blocked = (
        Reached(*(nothing + part for part in one)) for one in both(ground, EVERY, version, in_force(ground, version))
    )
    return side.per_thousand(cost_of(every, alerted, blocked, units))


def reviews(ground: Grounds, version: int, where: Stand) -> Array:
    """Return the reviews a day [segment]; NaN where not known."""
    review, block = both(ground, EVERY, version, where)
    return ratio(np.zeros(len(ground.names)) + review.n - block.n, ground.view.days)


def margin(ground: Grounds, place: int, version: int, at: int | str | None) -> float:
    """Return the share of positives just beyond a cutoff, within a quarter of log-odds; NaN where it varies by segment."""
    release, edge = ground.view.release, at
    if isinstance(at, str):
        table, action = at.rsplit(".", 1)
        segment = ground.cells.segments[place]
        one = release.tables[table]
        score = manifest.cutoffs(one, segment).get(action)
        edge = ground.edge(score) if score is not None and uniform(one, segment, action) else None
    if not isinstance(edge, int):
        return float("nan")
    per_unit = ground.whole.grid.per_unit
    bins = round(REACH * per_unit) if per_unit else max(round(POINTS_SHARE * len(ground.edges)), 1)
    below = ground.sides[version].counted[:2, place]
    positive, negative = below[:, min(edge + bins, len(ground.edges) - 1)] - below[:, edge]
    return _ratio(float(positive), float(positive + negative))


def busiest(ground: Grounds, stands: list[tuple[int, int, Stand]]) -> float:
    """Return the reviews a day of the busiest period, of one or several segments (place, version, cutoffs) together."""
    view = ground.view
    if not ground.names:
        return float("nan")
    loads = view.opened.cube.loads(view.stage, ((ground.by,) if ground.by else (), view.where))
    known = {name: place for place, name in enumerate(loads.names)}
    low, total, bands = int(ground.whole.grid.ids[0]), np.zeros(loads.slots), []
    for place, version, where in stands:
        at = known.get(ground.names[place] if ground.by else "")
        if at is None:
            # Nothing was scored by both versions there, so nothing reaches a cutoff.
            continue

        def above(cutoff: int | str | None, at: int = at, version: int = version) -> Array:
            if isinstance(cutoff, str):
                return loads.from_cutoff(at, version, ground.cells.cutoffs.index(cutoff))
            return loads.from_bin(at, version, low + (len(ground.edges) - 1 if cutoff is None else cutoff))

        review, block = where.review, where.block
        if isinstance(review, int) and isinstance(block, int) and review <= block:
            bands.append((at, version, low + review, low + block))
        elif review is not None:
            total += above(review) - above(block)
    return loads.busiest(view.step, total + loads.between(bands) if bands else total)


def breakeven(ground: Grounds, place: int, units: UnitCosts) -> costing.ClosedForm:
    """Return from which chance of being bad a review and a block pay, at the segment's mean loss (METHODS d3)."""
    loss = np.asarray(units.false_negative) + np.asarray(units.amount_times) * ground.mean_amount[place]
    return costing.three_actions(loss, units.false_positive, units.review, units.detection, units.friction)


def candidate_table(ground: Grounds, place: int) -> dict[str, float]:
    """Return the candidate's cutoffs in force for a segment; its default where they vary within it."""
    release = ground.view.release
    table = release.tables[release.bundle(VERSIONS[CANDIDATE]).thresholds]
    return manifest.cutoffs(table, ground.cells.segments[place])


def in_force_scores(ground: Grounds, place: int, version: int) -> dict[str, float | None]:
    """Return a version's cutoffs in force in a segment; None where there is none, or where they vary within it."""
    return dict(_standing(ground.view.opened, tuple(ground.cells.segments[place].items()), version)[0])


def edges_of(ground: Grounds, place: int, where: Stand) -> tuple[int, int]:
    """Return the bin edges at or nearest to two cutoffs, the review cutoff first."""
    found = []
    for action, at in zip(CUTOFF_ACTIONS, (where.review, where.block), strict=True):
        if isinstance(at, str):
            table = ground.view.release.tables[at.rsplit(".", 1)[0]]
            found.append(ground.edge(manifest.cutoffs(table, ground.cells.segments[place])[action]))
        else:
            found.append(len(ground.edges) - 1 if at is None else at)
    review, block = found
    return (block if where.review is None else min(review, block)), block


def varying(ground: Grounds, place: int, version: int) -> list[str]:
    """Return the actions whose cutoff in force varies within a segment."""
    return list(_standing(ground.view.opened, tuple(ground.cells.segments[place].items()), version)[1])


@of_cube(2048)
def _standing(
    opened: Opened, place: tuple[tuple[str, str], ...], version: int
) -> tuple[dict[str, float | None], list[str]]:
    """Return a version's cutoffs in force in a segment, and the actions of which it varies there."""
    table, where = opened.release.tables[opened.release.bundle(VERSIONS[version]).thresholds], dict(place)
    varies = [action for action in CUTOFF_ACTIONS if not uniform(table, where, action)]
    at = manifest.cutoffs(table, where)
    return {action: None if action in varies else at.get(action) for action in CUTOFF_ACTIONS}, varies

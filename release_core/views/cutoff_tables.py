"""Cutoff tables: what is in force, what an edited table would do, and the threshold release that would put it in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import manifest
from release_core.cube.query import REPLAY_SET
from release_core.errors import Problem, ReleaseReviewError
from release_core.frames import segment_text
from release_core.manifest import derive
from release_core.manifest.fields import Fields
from release_core.manifest.forms import SLUG
from release_core.manifest.tables import tables
from release_core.release import CUTOFF_ACTIONS, MISSING, OTHER, VERSIONS, CutoffTable, SegmentCutoffs
from release_core.stats import cutoffs as costing
from release_core.views import cutoff_capacity, what_if
from release_core.views.cutoff_optima import optima, scores_of
from release_core.views.grounds import CANDIDATE, Grounds, grounds

if TYPE_CHECKING:
    from release_core.release import Costs, Release
    from release_core.views.view import View

    Row = dict[str, Any]
    # A segment's value ("" where all events are one), its review and its block cutoff; None: as the default says.
    Entry = tuple[str, float | None, float | None]

MOST_SEGMENT_ROWS = 40
STARTS = {
    "in_force": "the candidate's cutoffs in force",
    "advised": "the advised cutoffs",
    "capacity": "the cutoffs that share the capacity",
}
SUMMED = ("reviews", "blocks", "caught", "missed", "false_alerts", "wrong_blocks")


@dataclass(frozen=True, slots=True)
class Proposal:
    """An edited table: what is wrong with it, what it would do per segment and in all, and its release as an archive.

    `changes` counts the cutoffs that differ from those in force. Without problems and with changes there is an archive.
    """

    problems: list[Problem]
    changes: int
    rows: list[Row]
    total: Row
    text: str
    archive: bytes
    name: str


def in_force(view: View) -> list[Row]:
    """Return the cutoffs in force: one row for the default and one per segment that has its own, both versions."""
    release = view.release
    told = {version: release.tables[release.bundle(version).thresholds] for version in VERSIONS}
    places = [{}, *(dict(row.where) for table in told.values() for row in table.segments)]
    unique = {tuple(sorted(place.items())): place for place in places}
    rows = []
    for place in list(unique.values())[:MOST_SEGMENT_ROWS]:
        row: Row = {"segment": ", ".join(place.values()) or "all other events"}
        for version, table in told.items():
            at = manifest.cutoffs(table, place)
            row |= {f"{version}_{action}": at.get(action) for action in CUTOFF_ACTIONS}
        rows.append(row)
    return rows


def editable(view: View, by: str) -> list[str]:
    """Return the segments of a split that a cutoff table can name; collected ones are not among them."""
    return [name for name in grounds(view, by).names if not by or name not in {OTHER, MISSING}]


def start(view: View, by: str, costs: Costs, capacity: float | None, name: str, *, worst: bool = False) -> list[Row]:
    """Return the rows that an editor starts from: segment, review and block now, and the same as proposed by `name`."""
    ground = grounds(view, by)
    found = []
    best = optima(view, by, costs)
    fits: dict[str, Row] = {}
    if name == "capacity" and capacity is not None:
        fits = {row["segment"]: row for row in cutoff_capacity.within(view, by, costs, capacity, worst=worst).rows}
    for place, segment in enumerate(ground.names):
        if segment not in editable(view, by):
            continue
        now = what_if.candidate_table(ground, place)
        proposed: Row = {action: now.get(action) for action in CUTOFF_ACTIONS}
        if name == "advised":
            proposed |= _rounded(scores_of(best, best.sides[CANDIDATE].advised, place))
        if segment in fits:
            proposed |= _rounded({action: fits[segment][action] for action in CUTOFF_ACTIONS})
        found.append({"segment": segment, **{f"{a}_now": now.get(a) for a in CUTOFF_ACTIONS}, **proposed})
    return found


def _rounded(scores: dict[str, float | None]) -> dict[str, float]:
    """Return the scores that there are, to four digits: what is shown is what is exported."""
    return {action: float(f"{score:.4g}") for action, score in scores.items() if score is not None}


def proposal(view: View, by: str, entries: tuple[Entry, ...], name: str, title: str, costs: Costs) -> Proposal:
    """Return what an edited table would do, and the release that would put it in force; nothing is applied.

    Args:
        view: the choice; a filter by dimensions is part of every row's condition.
        by: the dimension of the rows.
        entries: the edited rows.
        name: the id of the new table.
        title: the title of the new release; "": one that names both tables.
        costs: the unit costs of what it would do.
    """
    release, ground = view.release, grounds(view, by)
    table = _table(view, by, entries, name)
    problems = _problems(release, table)
    changes = _changes(ground, entries)
    rows = [] if problems else _effects(ground, entries, costs)
    text, archive, folder = "", b"", f"{release.id}-{name}"
    if not problems and changes:
        wanted = title.strip() or f"{release.title}: cutoffs {release.candidate.thresholds} to {name}"
        derived = derive.with_cutoffs(release, VERSIONS[CANDIDATE], table, wanted)
        try:
            files = derive.folders(release, (derived,))
        except ReleaseReviewError as error:
            problems = [problem for problem in error.problems if isinstance(problem, Problem)]
        else:
            text, archive = next(iter(files.values())), derive.zipped(files)
    return Proposal(problems, changes, rows, _total(rows), text, archive, f"{folder}.zip")


def _table(view: View, by: str, entries: tuple[Entry, ...], name: str) -> CutoffTable:
    """Return the candidate's table with the edited rows in place of its own; unchanged cutoffs are left as they are."""
    old = view.release.tables[view.release.candidate.thresholds]
    kept = {row.where: dict(row.cutoffs) for row in old.segments}
    default = dict(old.default)
    outer = {dim: value for dim, value in view.where if dim != REPLAY_SET}
    for segment, *cutoffs in entries:
        place = outer | ({by: segment} if by else {})
        where = tuple(sorted(place.items()))
        before = manifest.cutoffs(old, place)
        told = {a: at for a, at in zip(CUTOFF_ACTIONS, cutoffs, strict=True) if at is not None and at != before.get(a)}
        if not place:
            default |= told
        elif told:
            kept[where] = kept.get(where, {}) | told
    rows = tuple(SegmentCutoffs(where, _ordered(found)) for where, found in kept.items())
    return CutoffTable(name, _ordered(default), rows)


def _ordered(cutoffs: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple((action, cutoffs[action]) for action in CUTOFF_ACTIONS if action in cutoffs)


def _problems(release: Release, table: CutoffTable) -> list[Problem]:
    """Return what is wrong with a table, by the checks that a manifest has to pass, and with its name."""
    problems: list[Problem] = []
    if SLUG.check(f"{release.id}-{table.id}") is None or not table.id:
        problems.append(Problem("name of the new table", repr(table.id), SLUG.words, "Choose another name."))
    elif table.id in release.tables:
        taken = f"a name beside {', '.join(release.tables)}"
        problems.append(Problem("name of the new table", f"{table.id!r}, which exists", taken, "Choose another name."))
    for action, at in (pair for row in (table.default, *(row.cutoffs for row in table.segments)) for pair in row):
        if not np.isfinite(at):
            problems.append(Problem(f"{action} cutoff", str(at), "a finite number", "Correct the cutoff."))
    if not problems:
        root = Fields({"thresholds": {table.id: derive.table_of(table)}}, "edited table", problems, "")
        tables(root, release.scale, release.segments.all)
    return problems


def _changes(ground: Grounds, entries: tuple[Entry, ...]) -> int:
    known = {name if ground.by else "": place for place, name in enumerate(ground.names)}
    return sum(
        at is not None and at != what_if.candidate_table(ground, known[segment]).get(action)
        for segment, *cutoffs in entries
        if segment in known
        for action, at in zip(CUTOFF_ACTIONS, cutoffs, strict=True)
    )


def _effects(ground: Grounds, entries: tuple[Entry, ...], costs: Costs) -> list[Row]:
    """Return one row per segment: work, outcome and cost in force and with the edited cutoffs."""
    units, told = costing.unit_costs(costs), {segment: cutoffs for segment, *cutoffs in entries}
    found = []
    for place, segment in enumerate(ground.names):
        now = what_if.in_force(ground, CANDIDATE)
        after = now
        own = segment if ground.by else ""
        if own in told:
            before = what_if.candidate_table(ground, place)
            at = {a: before.get(a) if at is None else at for a, at in zip(CUTOFF_ACTIONS, told[own], strict=True)}
            after = now if at == {a: before.get(a) for a in CUTOFF_ACTIONS} else what_if.stand(ground, place, at)
        sides = {
            side: what_if.consequences(ground, place, CANDIDATE, where, units)
            for side, where in (("now", now), ("after", after))
        }
        found.append(
            {
                "segment": segment or segment_text(ground.cells.segments[place]),
                "exact": after.exact,
                "changed": after != now,
            }
            | {f"{name}_{side}": value for side, row in sides.items() for name, value in row.items()}
        )
    return found


def _total(rows: list[Row]) -> Row:
    """Return the sums over the segments of what adds: reviews, blocks, counts and money a day; None where not known."""
    found: Row = {"segment": "all shown segments"}
    for side in ("now", "after"):
        for name in (*SUMMED, "cost_a_day"):
            values = [row[f"{name}_{side}"] for row in rows]
            found[f"{name}_{side}"] = None if not values or None in values else sum(values)
    return found

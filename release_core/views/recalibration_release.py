"""A fitted map in, the recalibration release out: cutoffs carried over to its scale, and the files to hand over."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from release_core.frames import segment_text
from release_core.manifest import derive, handover
from release_core.release import Stage
from release_core.stats import recalibration as stats
from release_core.stats.arrays import ratio
from release_core.views.recalibration import recalibration
from release_core.views.windows import CANDIDATE

if TYPE_CHECKING:
    from release_core.release import CutoffTable
    from release_core.stats.recalibration import Map
    from release_core.views.recalibration import Recalibration
    from release_core.views.view import View

    Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """The cutoffs on the new scale, and the release as a ZIP archive; empty, with the reason, where there is none."""

    cutoffs: list[Row]
    notes: list[str]
    name: str
    archive: bytes
    reason: str


def export(view: View, dim: str, fit: str, judge: str, method: str) -> Export:
    """Return the recalibration release of a method that was fitted and judged on these windows; nothing is applied.

    Raises:
        NotFound: the windows or the method are not offered.
        Unanswerable: the filter has more dimensions than windows can be taken of.
    """
    one = recalibration(view, dim, fit, judge, method)
    if one.fitted.map is None:
        return Export([], [], "", b"", f"There is no map to export: {one.fitted.reason}.")
    if view.where:
        return Export(
            [], [], "", b"",
            f"This map is fitted on {view.place} alone, but it would move the scores of all events. Remove the filter to "
            "carry the cutoffs over and to export the release.",
        )  # fmt: skip
    found = one.fitted.map
    calibration = _named(view, method, one)
    table, exact = carried(view, found, f"{view.release.candidate.thresholds}-{calibration}"[:100])
    proposal = handover.Proposal(calibration, table, _facts(view, one, found))
    made = handover.derived(view.release, proposal)
    rows = _rows(view, found)
    files = handover.files(view.release, proposal)
    return Export(rows, _notes(view, table, exact=exact), f"{made.id}.zip", derive.zipped(files), "")


def _named(view: View, method: str, one: Recalibration) -> str:
    """Return an id for the new calibration that the release does not use yet: the method and what it was fitted on."""
    span = re.sub(r"[^A-Za-z0-9._-]+", "-", one.windows.fit[-1]).strip("-.")
    name = f"{method}-{span}"[:60]
    used = {view.release.baseline.calibration, view.release.candidate.calibration}
    return next(other for other in (name, f"{name}-2", f"{name}-3") if other not in used)


def _facts(view: View, one: Recalibration, found: Map) -> dict[str, Any]:
    """Return what calibration.json says: the map, what it was fitted and judged on, and from which logs."""
    row = next(row for row in one.methods if row["method"] == found.method)
    kept = ("n", "positives", "log_loss_before", "log_loss", "log_loss_change", "log_loss_low", "log_loss_high",
            "brier_before", "brier", "brier_change", "brier_low", "brier_high", "oe_before", "oe", "slope", "how")  # fmt: skip
    windows = {"by": one.windows.dim, "windows": list(one.windows.fit)}
    return {
        "method": found.method,
        "parameters": dict(found.parameters),
        "knots": [list(knot) for knot in found.knots],
        "fit": windows | {"n": one.fit_n, "positives": one.fit_positives},
        "judged": {"by": one.windows.dim, "windows": list(one.windows.judge)} | {name: row.get(name) for name in kept},
        "stage": str(view.stage),
        "as_of": view.opened.cube.end(view.step).isoformat(),
        "labels": {"mature_only": True, "maturity_days": view.release.labels.maturity_days},
        "data_fingerprint": view.opened.cube.fingerprint,
    }


def _notes(view: View, table: CutoffTable, *, exact: bool) -> list[str]:
    """Return what the reader must know of the carried-over cutoffs."""
    notes = []
    if not exact:
        notes.append(
            "A cutoff lies inside a range of scores that the map makes equal: no cutoff keeps its alert rate. The next "
            "higher one alerts on fewer events, as the table says."
        )
    if table.segments and table.carried_by is None:
        notes.append(
            f"{table.carried_from} has cutoffs by several dimensions together. A carried-over table is recomputed by one "
            "dimension only, so the exported release will count as mixed until the table is simplified."
        )
    if Stage.REPLAY not in view.opened.cube.stages():
        notes.append(
            "These logs have no replay, on which carried-over cutoffs are recomputed: the exported release needs one."
        )
    return notes


def carried(view: View, found: Map, name: str) -> tuple[CutoffTable, bool]:
    """Return the candidate's cutoff table on the scale of a map, under a new name, and whether every cutoff is exact."""
    table = view.release.tables[view.release.candidate.thresholds]

    def move(cutoffs: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
        return tuple((action, _moved(view, found, at).cutoff) for action, at in cutoffs)

    by = {dim for row in table.segments for dim, _ in row.where}
    moved = replace(
        table,
        id=name,
        default=move(table.default),
        segments=tuple(replace(row, cutoffs=move(row.cutoffs)) for row in table.segments),
        carried_from=table.id,
        rule="equal_alert_rate",
        replay_set=None,
        carried_by=by.pop() if len(by) == 1 else None,
    )
    every = [at for cutoffs in (table.default, *(row.cutoffs for row in table.segments)) for _, at in cutoffs]
    return moved, all(_moved(view, found, at).exact for at in every)


def _moved(view: View, found: Map, cutoff: float) -> stats.Moved:
    """Return a cutoff moved with the map, in the release's own direction of scores."""
    if view.release.scale.riskier == "higher":
        return stats.moved(found, cutoff)
    one = stats.moved(found, 1 - cutoff)
    return stats.Moved(1 - one.cutoff, one.exact)


def _rows(view: View, found: Map) -> list[Row]:
    """Return every cutoff of the candidate's table, what it becomes, and its alert rate before and after."""
    table = view.release.tables[view.release.candidate.thresholds]
    places = [({}, table.default), *((dict(row.where), row.cutoffs) for row in table.segments)]
    return [_row(view, found, where, pair) for where, cutoffs in places for pair in cutoffs]


def _row(view: View, found: Map, where: dict[str, str], cutoff: tuple[str, float]) -> Row:
    action, at = cutoff
    moved = _moved(view, found, at)
    others = "all other events" if view.release.tables[view.release.candidate.thresholds].segments else "all events"
    row: Row = {"segment": segment_text(where) if where else others, "action": action, "cutoff": at}
    row |= {"moved": moved.cutoff, "exact": moved.exact, "before": None, "after": None}
    cells = view.opened.cube.slice(view.stage, view.step, (((), tuple(where.items())),))
    n = cells.whole.n[0, CANDIDATE] if cells.segments else np.zeros(1)
    if not n.any():
        return row
    score = np.nan_to_num(expit(ratio(cells.whole.logit[0, CANDIDATE], n)))
    old, new = (at, moved.cutoff) if view.release.scale.riskier == "higher" else (1 - at, 1 - moved.cutoff)
    before = float(n[score >= old].sum() / n.sum())
    return row | {"before": before, "after": before if moved.exact else float(n[found(score) >= new].sum() / n.sum())}

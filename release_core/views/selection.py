"""The Selective labels page: of which events the truth can be known at all, and how far the rest could move the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import metrics
from release_core.charts import digits
from release_core.charts.coverage import coverage
from release_core.cube.encode import complete
from release_core.metrics import selective
from release_core.release import VERSIONS
from release_core.stats import selection
from release_core.stats.arrays import ratio
from release_core.stats.grid import lower_edge
from release_core.views import weights
from release_core.views.view import axis, known, shown_scores

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array, Cells
    from release_core.label_frames import Coverage
    from release_core.metrics import Metric
    from release_core.views.view import View

    Row = dict[str, Any]

NUMBERS = (
    *("recall", "precision", "fpr", "recall_block", "precision_block", "amount_recall", "base_rate", "oe_ratio", "auc"),
    "brier",
)
SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
USUAL_RATE = 0.2
CANDIDATE, DIFFERENCE = 1, 2


@dataclass(frozen=True, slots=True)
class SelectionPage:
    """What the page shows. `hidden` counts events whose outcome cannot be seen, `weighted` says that chances are logged."""

    headline: str
    warnings: list[str]
    actions: list[Row]
    numbers: list[Row]
    weights: list[Row]
    hidden: int
    weighted: bool
    rate: float


def page(view: View) -> SelectionPage:
    """Return the page for a choice.

    Raises:
        Unanswerable: the filter has more than one dimension beside the replay set.
    """
    seen, cells = view.opened.cube.coverage(view.stage, view.step, view.where), view.cells()
    actions = _actions(view, seen, cells)
    weighted = bool(cells.weighted and cells.segments)
    hidden = sum(row["hidden"] for row in actions)
    return SelectionPage(
        _headline(view, actions),
        _warnings(view, cells, actions),
        actions,
        _numbers(view, cells) if cells.segments else [],
        weights.told(cells, sum(row["weighted"] for row in actions)) if weighted else [],
        hidden,
        weighted,
        _rate(actions),
    )


def speaks(view: View) -> str:
    """Return in one line of which events the quality numbers of a choice speak."""
    cells = view.cells()
    if not cells.segments:
        return f"{view.none} was scored by both versions."
    whole = cells.whole
    events, labelled = (float(a[0].max()) for a in (whole.events, whole.positives + whole.negatives))
    if not labelled:
        return f"None of {digits.count(events)} events has a mature label: quality is not known."
    said = (
        f"Quality numbers speak for all {digits.count(events)} events."
        if labelled == events
        else f"Quality numbers speak for the {digits.count(labelled)} of {digits.count(events)} events with a mature label."
    )
    hidden = float(whole.joint_unseen[0].sum()) if cells.unseen else 0.0
    if hidden:
        said += (
            f" {digits.count(hidden)} events can have no outcome, because of the action taken ({', '.join(cells.unseen)}): "
            "the page Selective labels shows how far they could move each number."
        )
    if cells.weighted:
        said += (
            " Gates weigh them by the chance that their outcome could be seen; the numbers here count each event once."
        )
    return said


def sizing(view: View, rate: float) -> list[Row]:
    """Return what letting a share of the unseen events through by lot would tell, and what it would cost.

    `rate` is the guessed share of bad ones among them.
    """
    seen = view.opened.cube.coverage(view.stage, view.step, view.where)
    unseen = [row for row in _actions(view, seen, view.cells()) if row["hidden"]]
    hidden, amount = (sum(row[key] for row in unseen) for key in ("mature", "amount"))
    days = view.opened.cube.days(view.stage, view.step)
    rows = []
    for share in SHARES if hidden else ():
        outcomes, reach = selection.holdout_reach(share, hidden, rate)
        rows.append(
            {
                "share": share,
                "outcomes": float(outcomes),
                "per_day": known(float(outcomes) / days if days else np.nan),
                "reach": known(float(reach)),
                "bad": float(outcomes) * rate,
                "at_risk": share * amount * rate,
            }
        )
    return rows


def _actions(view: View, seen: Coverage, cells: Cells) -> list[Row]:
    """Return one row per action taken: events, mature ones, labels by class and silence, amounts."""
    declared, rows = view.release.labels.unobserved, []
    unseen = set(cells.unseen)
    for place, action in enumerate(seen.actions):
        # Either version scores the events that count here; the larger side has them all.
        side = int(seen.events[:, :, place].sum(1).argmax())
        sums: Row = {
            name: float(getattr(seen, name)[side, :, place].sum())
            for name in ("events", "mature", "positive", "negative", "silent", "amount", "positive_amount", "weighted")
        }
        labelled = sums["positive"] + sums["negative"]
        if not sums["events"]:
            continue
        hidden = int(sums["mature"] - labelled) if action in unseen else 0
        rows.append(
            sums
            | {
                "action": action,
                "labelled": labelled,
                "covered": known(float(ratio(labelled, sums["mature"]))),
                "bad": known(float(ratio(sums["positive"], labelled))),
                "hidden": hidden,
                "can_be_seen": _why(action, declared, unseen),
            }
        )
    return rows


def _why(action: str, declared: tuple[str, ...], unseen: set[str]) -> str:
    if action not in unseen:
        return "yes"
    return "no: declared in the manifest" if action in declared else "no: not one mature event has a label"


def _rate(actions: list[Row]) -> float:
    """Return a guess of how many of the unseen events are bad: as many as of the acted-on ones that are seen."""
    acted = [row for row in actions if row["action"] != "approve" and row["labelled"]]
    labelled = sum(row["labelled"] for row in acted)
    return round(sum(row["positive"] for row in acted) / labelled, 3) if labelled else USUAL_RATE


def _headline(view: View, actions: list[Row]) -> str:
    mature = sum(row["mature"] for row in actions)
    if not mature:
        return f"{view.none} has been given time for a label as of {view.as_of}."
    blind = [row for row in actions if row["hidden"]]
    labelled = sum(row["labelled"] for row in actions)
    known_share = f"{digits.count(labelled)} of {digits.count(mature)} mature events have a label ({digits.percent(labelled / mature)})"
    if not blind:
        silent = "" if not complete(view.release.labels) else " Silence counts as good after every action: " + (
            "every mature event has a label, so a logged chance to be seen (label_propensity) weighs nothing."
        )  # fmt: skip
        return f"{known_share}, and no action hides outcomes: nothing here is selective.{silent}"
    hidden = sum(row["hidden"] for row in blind)
    names = " or ".join(row["action"] for row in blind)
    seen = sum(row["labelled"] for row in blind)
    through = f" {digits.count(seen)} others of the same action have one all the same." if seen else ""
    if any(row["weighted"] for row in actions):
        through += " Events that had a logged chance to be seen stand for them, by their weight."
    return (
        f"After {names} no outcome can be seen: {digits.count(hidden)} of {digits.count(mature)} mature events "
        f"({digits.percent(hidden / mature)}).{through} In all, {known_share}."
    )


def _warnings(view: View, cells: Cells, actions: list[Row]) -> list[str]:
    return [*_silence(view, actions), *(weights.overlap(cells) if cells.weighted and cells.segments else [])]


def _silence(view: View, actions: list[Row]) -> list[str]:
    """Return a sentence for each action of which every label is silence, where others have outcomes."""
    if view.release.labels.silence != "negative" or not any(row["positive"] for row in actions):
        return []
    return [
        f"Silence counts all {digits.count(row['silent'])} events after {row['action']} as good: not one outcome is told of "
        f'them. If none could be seen, declare it: [labels] unobserved = ["{row["action"]}"].'
        for row in actions
        if row["silent"] and row["silent"] == row["labelled"] and row["action"] != "approve"
    ]


def score_map(view: View, version: str = VERSIONS[0]) -> Chart:
    """Return the share of labelled events by action taken and by the score of `version`.

    Raises:
        Unanswerable: the filter has more than one dimension beside the replay set.
    """
    side, seen = VERSIONS.index(version), view.opened.cube.coverage(view.stage, view.step, view.where)
    last = 1.0 if seen.grid.per_unit is None else min(float(lower_edge(seen.grid.ids[-1] + 1, seen.grid.per_unit)), 1.0)
    edges = shown_scores(view.release, np.append(seen.grid.lower, last))
    rows: list[Row] = []
    for place, action in enumerate(seen.actions):
        mature, labelled = seen.mature[side, :, place], (seen.positive + seen.negative)[side, :, place]
        for k in np.flatnonzero(mature):
            low, high = sorted((edges[k], edges[k + 1]))
            n, told = float(mature[k]), float(labelled[k])
            rows.append({"action": action, "low": low, "high": high, "n": n, "labelled": told, "share": told / n})
    caption = view.caption(sum(row["n"] for row in rows), table="cover")
    return coverage(rows, caption, version=version, score=axis(view.release))


def _numbers(view: View, cells: Cells) -> list[Row]:
    """Return each metric: on what is seen, its range over what is not, and weighted where chances are logged."""
    known_metrics = view.known()
    forms = {kind: selective.weighed(cells, kind) for kind in ("weights", "capped")} if cells.weighted else {}
    return [_number(known_metrics[name], cells, forms) for name in NUMBERS]


def _number(metric: Metric, cells: Cells, forms: dict[str, Cells]) -> Row:
    value, low, high = _estimates(metric, cells)
    row: Row = {"metric": metric.name, "title": metric.title, "unit": metric.unit, "better": metric.better}
    for name, side in (("candidate", CANDIDATE), ("difference", DIFFERENCE)):
        row |= {name: known(value[side]), f"{name}_low": known(low[side]), f"{name}_high": known(high[side])}
    weighs = selective.weighs(metric, cells)
    if selective.concerns(metric, cells):
        ends = selective.extremes(metric, forms["weights"] if weighs else cells)
        for name, side in (("candidate", CANDIDATE), ("difference", DIFFERENCE)):
            row |= {f"{name}_least": known(ends[0][0, side]), f"{name}_most": known(ends[1][0, side])}
    return row | (_weighted(metric, cells, forms) if weighs else {})


def _estimates(metric: Metric, cells: Cells) -> tuple[Array, Array, Array]:
    """Return value, low and high [side] of the one segment."""
    one = metrics.estimate(cells, metric)
    low, high = one.bounds(0.95)
    return one.value[0], low[0], high[0]


def _weighted(metric: Metric, cells: Cells, forms: dict[str, Cells]) -> Row:
    value, low, high = _estimates(metric, forms["weights"])
    row: Row = {"effective": known(float(selective.effective(cells.whole)[0][0]))}
    for name, side in (("weighted", CANDIDATE), ("weighted_difference", DIFFERENCE)):
        row |= {name: known(value[side]), f"{name}_low": known(low[side]), f"{name}_high": known(high[side])}
    if metric.rate or metric.name.startswith("precision"):
        capped = metric.value(forms["capped"].whole)[0]
        row |= {"capped": known(capped[1]), "cap_bias": known(capped[1] - value[CANDIDATE])}
    return row

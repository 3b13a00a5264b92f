"""A choice and an earlier as-of time in, what was believed then and is known now out, for metrics and gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts.dumbbell import dumbbell
from release_core.gates.words import place
from release_core.metrics import delayed
from release_core.release import Comparison
from release_core.views import delay
from release_core.views.view import known, paired_rows, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.charts.chart import Chart
    from release_core.frames import GateRow
    from release_core.views.view import View

    Row = dict[str, Any]
    # Verdicts then, by gate and segment.
    Before = dict[tuple[str, str], GateRow]

COMPARED = ("labelled_share", "base_rate", "recall", "precision", "fpr", "auc", "oe_ratio", "alert_rate")
TWO_SIDED = {Comparison.EQUIVALENCE, Comparison.DRIFT}
MOST_GATES = 14
CANDIDATE = 1


@dataclass(frozen=True, slots=True)
class ThenNow:
    """Two as-of times: the dumbbell of gates, metrics at both times, and gates whose verdict turned."""

    earlier: str
    chart: Chart
    metrics: list[Row]
    turned: list[Row]
    headline: str


def then_now(view: View, earlier: int | None = None) -> ThenNow:
    """Return the comparison with an earlier as-of step (None, or one that does not exist: the one before)."""
    before = [step for step in view.opened.cube.steps if step < view.step]
    then = earlier if earlier in before else (before[-1] if before else view.step)
    old = {(row.gate, place(row.segment)): row for row in review.review(view.opened, view.stage, then).rows}
    found = review.review(view.opened, view.stage, view.step).rows
    turned, rows = _turned(old, found), _gates(view, old, found)
    caption = replace(view, where=()).caption(
        float(view.opened.cube.maturity(view.stage, view.step, ())["n"]), table="pair"
    )
    name = said(view.opened, then)
    return ThenNow(
        name,
        dumbbell(rows, caption, then=name, now=view.as_of),
        _metrics(view, then),
        turned,
        _head(turned, name, view),
    )


def offered(view: View) -> list[int]:
    """Return the earlier as-of steps that can be compared with: those by which the stage had events."""
    cube = view.opened.cube
    return [step for step in cube.steps if cube.began(view.stage) <= cube.end(step) and step < view.step]


def _head(turned: list[Row], then: str, view: View) -> str:
    if not turned:
        return f"No verdict turned between {then} and {view.as_of}."
    worse = [row for row in turned if row["badness"] > row["before"]]
    return (
        f"{len(turned)} verdict{'' if len(turned) == 1 else 's'} turned between {then} and {view.as_of}, "
        f"{len(worse)} of them for the worse. "
        f"First: {turned[0]['gate']} in {turned[0]['segment']}, {turned[0]['then'].lower()} then, {turned[0]['now'].lower()} now."
    )


def _metrics(view: View, then: int) -> list[Row]:
    """Return the metrics as gates read them at both times, and now on the very events that were mature then."""
    metrics = view.known()
    now, old = (
        {row["metric"]: row for row in paired_rows(one.rows(COMPARED))} for one in (view, replace(view, step=then))
    )
    same = _same_events(view, then)
    return [
        {"metric": name, "title": metrics[name].title, "unit": metrics[name].unit}
        | {f"then{end}": old.get(name, {}).get(key) for end, key in _COLUMNS.items()}
        | {f"now{end}": now.get(name, {}).get(key) for end, key in _COLUMNS.items()}
        | {"same": same.get(name, (None, None))[0], "same_difference": same.get(name, (None, None))[1]}
        for name in COMPARED
    ]


_COLUMNS = {"": "candidate", "_difference": "difference", "_low": "low", "_high": "high"}


def _same_events(view: View, then: int) -> dict[str, tuple[float | None, float | None]]:
    """Return (candidate, difference) of the metrics now on the events that were mature then: one cohort, two times."""
    one = delay.single(view)
    events = one.opened.cube.development(one.stage, one.step, one.where, then)
    of = delay.told(one, [events])
    every = np.ones(len(events.ends), dtype=bool)
    found = delayed.estimates(of, delayed.NAMES, every, corrected=False)
    return {name: (known(float(one.value[CANDIDATE])), known(float(one.value[2]))) for name, one in found.items()}


def _turned(old: Before, rows: Sequence[GateRow]) -> list[Row]:
    """Return the gates and segments whose verdict differs between the two times, worst now first."""
    found = []
    for row in rows:
        before = old.get((row.gate, place(row.segment)))
        if row.counts and before is not None and before.verdict != row.verdict:
            found.append(
                {
                    "gate": row.gate,
                    "segment": place(row.segment),
                    "then": before.verdict.name,
                    "now": row.verdict.name,
                    "sentence": row.sentence,
                    "badness": int(row.verdict),
                    "before": int(before.verdict),
                }
            )
    return sorted(found, key=lambda row: -row["badness"])


def _gates(view: View, old: Before, found: Sequence[GateRow]) -> list[Row]:
    """Return the gates with a margin, each in its worst segment now, with the harm in margins at both times."""
    metrics = view.known()
    worst: dict[str, GateRow] = {}
    for row in found:
        if row.counts and row.margin and row.comparison in {Comparison.NON_INFERIORITY, *TWO_SIDED}:
            held = worst.get(row.gate)
            if held is None or _badness(row, metrics) > _badness(held, metrics):
                worst[row.gate] = row
    rows = []
    for gate, row in worst.items():
        before = old.get((gate, place(row.segment)))
        one: Row = {"gate": gate, "segment": place(row.segment), "badness": _badness(row, metrics)}
        one |= _ends("now", row, metrics) | _ends("then", before, metrics)
        rows.append(one)
    return sorted(rows, key=lambda one: one["badness"], reverse=True)[:MOST_GATES]


def _badness(row: GateRow, metrics: dict[str, Any]) -> tuple[int, float]:
    harm = _ends("now", row, metrics)["now"]
    return int(row.verdict), -1e9 if harm is None else harm


def _ends(when: str, row: GateRow | None, metrics: dict[str, Any]) -> Row:
    """Return the harm in margins and its bounds, and the verdict."""
    if row is None or row.difference is None or not row.margin or row.metric not in metrics:
        verdict = row.verdict.name if row else "NODATA"
        return {when: None, f"{when}_low": None, f"{when}_high": None, f"{when}_verdict": verdict}
    sign = -1 if metrics[row.metric].better == "higher" and row.comparison not in TWO_SIDED else 1
    ends = [None if bound is None else sign * bound / row.margin for bound in (row.low, row.high)]
    low, high = ends if sign > 0 else ends[::-1]
    return {
        when: sign * row.difference / row.margin,
        f"{when}_low": low,
        f"{when}_high": high,
        f"{when}_verdict": row.verdict.name,
    }

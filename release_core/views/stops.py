"""The Stop rules page: which rules watch this stage, which have fired since when, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_core import notify, review, stops
from release_core.gates import words
from release_core.metrics.anytime import EXPECTED
from release_core.release import Comparison, Verdict
from release_core.stages import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.metrics import Metric
    from release_core.release import GateSpec
    from release_core.stops import Alarm
    from release_core.views.view import View

    Row = dict[str, Any]

COUNTED = {Comparison.SRM, Comparison.INVARIANT}
DO = {"rollback": "roll back", "hold": "hold the ramp"}


@dataclass(frozen=True, slots=True)
class StopsPage:
    """What the page shows: fired rules, the earliest first, and every rule that watches the stage."""

    verdict: Verdict
    headline: str
    action: str
    advice: str
    fired: list[Row]
    rules: list[Row]
    notices: str
    left_out: str


def page(view: View) -> StopsPage:
    """Return the page for a choice; the segment filter does not matter, rules watch every segment."""
    found = review.alarms(view.opened, view.stage, view.step)
    rules = [spec for spec in view.release.stops if view.stage in spec.stages and view.release.kind in spec.kinds]
    worst = next((alarm for alarm in found if alarm.action == "rollback"), found[0] if found else None)
    action = "" if worst is None else "Roll back" if worst.action == "rollback" else "Hold the ramp"
    verdict = Verdict.FAIL if found else Verdict.PASS if rules else Verdict.NODATA
    return StopsPage(
        verdict,
        _headline(view, found, rules),
        action,
        f"{action}: {worst.sentence}" if worst else "",
        alarm_rows(view),
        _rules(view, rules, found),
        _notices(),
        stops.left_out(view.opened.cube, view.stage, view.step),
    )


def alarm_rows(view: View) -> list[Row]:
    """Return the alarms of the chosen stage by the chosen time: at (ISO 8601), rule, segment, action, sentence."""
    return [
        {
            "at": alarm.at.isoformat(timespec="seconds"),
            "since": f"{alarm.at:%Y-%m-%d %H:%M}",
            "rule": alarm.title,
            "id": alarm.rule,
            "segment": alarm.place,
            "action": DO.get(alarm.action, alarm.action),
            "sentence": alarm.sentence,
        }
        for alarm in review.alarms(view.opened, view.stage, view.step)
    ]


def _headline(view: View, found: Sequence[Alarm], rules: Sequence[GateSpec]) -> str:
    name = ACCOUNTS[view.stage].title
    if view.stage.paired:
        return f"In {name.lower()} the candidate does not act, so there is nothing to stop."
    if not rules:
        return f"No stop rule watches {name}."
    if not found:
        return f"None of {len(rules)} stop rules has fired in {name} by {view.as_of}."
    first = found[0]
    many = len({alarm.rule for alarm in found})
    return f"{many} of {len(rules)} stop rules {'has' if many == 1 else 'have'} fired; the first on {first.at:%Y-%m-%d %H:%M} UTC."


def _rules(view: View, rules: Sequence[GateSpec], found: Sequence[Alarm]) -> list[Row]:
    rows, known, unread = [], view.known(), stops.unread(view.release, view.stage)
    for spec in rules:
        mine = [alarm for alarm in found if alarm.rule == spec.id]
        rows.append(
            {
                "verdict": "FAIL" if mine else "NODATA" if spec.id in unread else "PASS",
                "expected": _expected(spec, known.get(spec.metric)),
                "rule": spec.title or spec.id,
                "watches": "every segment" if spec.scope == "each_segment" else spec.scope.removeprefix("segment:"),
                "limit": _limit(spec, known[spec.metric].unit if spec.metric in known else ""),
                "action": DO.get(spec.action or "hold", str(spec.action)),
                "first": f"{mine[0].at:%Y-%m-%d %H:%M}" if mine else "",
            }
        )
    return sorted(rows, key=lambda row: row["verdict"])


def _expected(spec: GateSpec, metric: Metric | None) -> str:
    """Return at how many entities a rule on a difference of the arms expects to decide: its bounds are narrowest there."""
    if metric is None or (metric.measure is not None and metric.outcome is None) or spec.comparison in COUNTED:
        return ""
    if metric.outcome is not None and not metric.outcome.base and spec.comparison is not Comparison.BUDGET:
        return "any number of cases"
    return f"{spec.expect_n or EXPECTED:,} customers"


def _limit(spec: GateSpec, unit: str) -> str:
    """Return what a rule allows, in the metric's unit; "" for a rule that is either kept or broken."""
    if spec.comparison is Comparison.BUDGET:
        ends = {"at least": spec.at_least, "at most": spec.at_most}
        return " and ".join(f"{word} {words.limit(end, unit)}" for word, end in ends.items() if end is not None)
    if spec.margin is None:
        return ""
    if spec.unit == "rel":
        return f"{100 * spec.margin:g}% of the baseline"
    return f"{words.limit(spec.margin, unit, change=True)}{' points' if unit == 'share' else ''}"


def _notices() -> str:
    named = notify.targets()
    if not named:
        return f"Nobody is told: set {notify.FILE_VARIABLE} or {notify.WEBHOOK_VARIABLE} on the server to send notices."
    return f"Each alarm is told once to: {' and '.join(sorted(named))}."

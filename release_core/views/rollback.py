"""The Rollback page: what is restored, whether the way back is proven, and what changes for whom if it is taken now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from release_core import gates, ledger, review
from release_core.charts import digits
from release_core.frames import natural
from release_core.manifest import derive, render
from release_core.release import COMPONENTS, VERSIONS
from release_core.views.view import version_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.ledger import Drill, Ledger, Record, RollbackRequest
    from release_core.release import CutoffTable, Policy, Release, Verdict
    from release_core.views.view import View

    Row = dict[str, Any]

CANDIDATE = VERSIONS[1]
NO_CUTOFF = "none"
ALL = "all other events"


@dataclass(frozen=True, slots=True)
class RollbackPage:
    """What the page shows; `restored` has one row per component, `cutoffs` and `rules` only what differs."""

    verdict: Verdict
    headline: str
    effect: str
    facts: dict[str, str]
    restored: list[Row]
    cutoffs: list[Row]
    rules: list[Row]
    changes: list[Row]
    archive: bytes


def page(view: View) -> RollbackPage:
    """Return the page for a choice; readiness is that of now, whatever the as-of time."""
    release = view.release
    moment = gates.Moment(view.stage, view.opened.cube.began(view.stage), datetime.now(UTC))
    verdict, sentence = gates.readiness(release.rollback, review.rehearsal(release), moment)
    return RollbackPage(
        verdict,
        sentence,
        _effect(view),
        _facts(view),
        _restored(release),
        _cutoffs(release),
        _rules(release),
        _changes(view),
        derive.zipped(files(release)),
    )


def drills(records: Sequence[Record], release: Release, now: datetime | None = None) -> list[Row]:
    """Return the rehearsed rollbacks, newest first: when, how long, how old, whether fast enough, who."""
    plan, at = release.rollback, now or datetime.now(UTC)
    kept = ledger.drills(records, release.id)
    found = [_drill(drill.began, drill.minutes, (drill.who, drill.note), release, at) for drill in kept]
    if plan.drilled is not None:
        found.append(_drill(plan.drilled, plan.drill_minutes, (plan.drill or "", "from the manifest"), release, at))
    return sorted(found, key=lambda row: row["began"], reverse=True)


def by_segment(view: View, dim: str) -> list[Row]:
    """Return for each value of a dimension how many events a day the candidate decides, and how many would change."""
    rows = [row for row in _acted(view, (dim,)) if row["arm"] == CANDIDATE]
    days = view.opened.cube.days(view.stage, view.step)
    found = []
    for value in sorted({row["segment"][dim] for row in rows}, key=natural):
        mine = [row for row in rows if row["segment"][dim] == value]
        changed = [row for row in mine if row["baseline_action"] != row["candidate_action"]]
        n = sum(row["n"] for row in changed)
        found.append(
            {
                "segment": value,
                "acted": sum(row["n"] for row in mine) / days,
                "changed": n / days,
                "share": n / sum(row["n"] for row in mine),
                "amount": sum(row["amount"] for row in changed) / days,
            }
        )
    return sorted(found, key=lambda row: -row["changed"])


def record(view: View, book: Ledger, request: RollbackRequest) -> Record:
    """Record a rollback; nothing but a missing name or reason stops it."""
    return ledger.roll_back(book, view.release, request)


def rehearse(view: View, book: Ledger, drill: Drill) -> Record:
    """Record a rehearsed rollback at the chosen stage."""
    return ledger.record_drill(book, view.release.id, drill, str(view.stage))


def files(release: Release) -> dict[str, str]:
    """Return what is restored as files: the bundle, its cutoff table, its policy, and the steps in words."""
    bundle, plan = release.baseline, release.rollback
    told = {part: getattr(bundle, part) for part in COMPONENTS}
    rules = [
        {"when": [_condition(test) for test in rule.when], "action": rule.action, "reason": rule.reason}
        for rule in release.policies[bundle.policy].rules
    ]
    limit = "" if plan.max_minutes is None else f" It must take no more than {plan.max_minutes:g} minutes."
    return {
        "bundle.toml": render({"release": release.id, "restores": plan.target, "bundle": told}),
        "thresholds.toml": render(
            {"thresholds": {bundle.thresholds: derive.table_of(release.tables[bundle.thresholds])}}
        ),
        "policy.toml": render({"policy": {bundle.policy: {"rule": rules}}}),
        "STEPS.md": f"# Roll back {release.id}\n\nRestore {plan.target}: {plan.how}.{limit}\n\n"
        "Then check that new events carry the actions of the restored bundle, and record the rollback.\n",
    }


def _condition(test: Any) -> Row:  # noqa: ANN401 - a Condition
    value = list(test.value) if isinstance(test.value, tuple) else test.value
    return {"column": test.column, "op": test.op} | ({} if value is None else {"value": value})


def _drill(began: datetime, minutes: float | None, told: tuple[str, str], release: Release, at: datetime) -> Row:
    limit = release.rollback.max_minutes
    slow = minutes is not None and limit is not None and minutes > limit
    return {
        "began": f"{began:%Y-%m-%d %H:%M}",
        "minutes": minutes,
        "fast": "not known" if minutes is None else f"no, {limit:g} allowed" if slow else "yes",
        "age": gates.age_days(gates.Rehearsal(began, minutes or 0.0), at),
        "who": told[0],
        "note": told[1],
    }


def _facts(view: View) -> dict[str, str]:
    plan = view.release.rollback
    baseline, candidate = version_ids(view.release)
    return {
        "Restores": plan.target,
        "How": plan.how,
        "In force after it": baseline,
        "Taken out": candidate,
        "Time allowed": "not declared" if plan.max_minutes is None else f"{plan.max_minutes:g} minutes",
        "Drill valid for": "not declared" if plan.drill_max_age_days is None else f"{plan.drill_max_age_days:g} days",
    }


def _restored(release: Release) -> list[Row]:
    rows = []
    for part in COMPONENTS:
        before, after = getattr(release.candidate, part), getattr(release.baseline, part)
        word = "is restored" if before != after else "stays"
        rows.append({"component": part, "now": before, "after": after, "what": word})
    return rows


def _cutoffs(release: Release) -> list[Row]:
    """Return the cutoffs that differ: one row per segment and action of either table."""
    now, after = (release.tables[bundle.thresholds] for bundle in (release.candidate, release.baseline))
    keys = dict.fromkeys(key for table in (now, after) for key in _flat(table))
    rows = []
    for where, action in keys:
        pair = [_flat(table).get((where, action)) for table in (now, after)]
        if pair[0] != pair[1]:
            told = [_cutoff(table, action, at) for table, at in zip((now, after), pair, strict=True)]
            rows.append({"segment": where or ALL, "action": action, "now": told[0], "after": told[1]})
    return rows


def _cutoff(table: CutoffTable, action: str, own: float | None) -> str:
    """Return a cutoff in words; where a segment has none of its own, the one for all others holds."""
    usual = dict(table.default).get(action)
    if own is not None:
        return digits.cutoff(own)
    return NO_CUTOFF if usual is None else f"{digits.cutoff(usual)} (as all others)"


def _flat(table: CutoffTable) -> dict[tuple[str, str], float]:
    rows = {("", action): at for action, at in table.default}
    for row in table.segments:
        where = ", ".join(f"{dim.replace('_', ' ')} {value}" for dim, value in row.where)
        rows |= {(where, action): at for action, at in row.cutoffs}
    return rows


def _rules(release: Release) -> list[Row]:
    """Return the policy rules that only one of the two policies has, in words."""
    now, after = (_lines(release.policies[bundle.policy]) for bundle in (release.candidate, release.baseline))
    gone = [{"rule": line, "what": "taken out"} for line in now if line not in after]
    return gone + [{"rule": line, "what": "put back"} for line in after if line not in now]


def _lines(policy: Policy) -> list[str]:
    lines = []
    for rule in policy.rules:
        tests = " and ".join(f"{test.column} {test.op} {_told(test.value)}".strip() for test in rule.when)
        lines.append(f"if {tests}: {rule.action} ({rule.reason})")
    return lines


def _told(value: object) -> str:
    """Return the value of a condition as readers write it: 50, "gold", true, or a list of these."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_told, value))})"
    if value is None or isinstance(value, bool | str):
        return "" if value is None else json.dumps(value, ensure_ascii=False)
    return f"{value:g}"


def _acted(view: View, by: tuple[str, ...] = ()) -> list[Row]:
    return view.opened.cube.acted(view.stage, view.step, (by, view.where))


def _changes(view: View) -> list[Row]:
    """Return which actions would change a day, most events first: what the candidate does now, what comes back."""
    days = view.opened.cube.days(view.stage, view.step)
    rows = [
        {
            "now": row["candidate_action"],
            "after": row["baseline_action"],
            "per_day": row["n"] / days,
            "amount": row["amount"] / days,
        }
        for row in _acted(view)
        if row["arm"] == CANDIDATE and row["baseline_action"] != row["candidate_action"]
    ]
    return sorted(rows, key=lambda row: -row["per_day"])


def _effect(view: View) -> str:
    """Return in one sentence what rolling back now would change."""
    if view.stage.paired:
        return f"At {view.stage} the candidate decides nothing yet: rolling back changes no customer's decision."
    rows = _acted(view)
    acted = [row for row in rows if row["arm"] == CANDIDATE]
    total, n = sum(row["n"] for row in rows), sum(row["n"] for row in acted)
    if not n:
        return f"The candidate has decided no event of {view.place} yet: rolling back changes nothing."
    place = f"the events of {view.place}" if view.where else view.place
    days = view.opened.cube.days(view.stage, view.step)
    changed = [row for row in acted if row["baseline_action"] != row["candidate_action"]]
    differ, amount = sum(row["n"] for row in changed), sum(row["amount"] for row in changed)
    return (
        f"Of {place} the candidate decides {digits.percent(n / total)}, {digits.number(n / days)} a day. "
        f"Rolling back now changes the action of {digits.number(differ / days)} of them a day ({digits.percent(differ / n)}), "
        f"worth {f'{digits.number(amount / days)} {view.currency}'.rstrip()} in amounts; all others stay as they are."
    )

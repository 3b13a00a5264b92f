"""The history of one release in its own time: stages, ramps, gates that turned, alarms, decisions, label maturity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from release_core import gates, review
from release_core.charts import digits
from release_core.charts.history import history
from release_core.errors import LedgerError
from release_core.release import Stage, Verdict
from release_core.stages import ACCOUNTS
from release_core.views.view import known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.charts.chart import Chart
    from release_core.ledger import Record
    from release_core.review import Review
    from release_core.views.view import View

    Row = dict[str, Any]

# So many looks back are shown; each is a whole verdict.
MOST_LOOKS = 16
SAID = {
    "PASS": "passes",
    "MARGINAL": "is marginal",
    "INCONCLUSIVE": "cannot be decided",
    "NODATA": "lacks data",
    "FAIL": "fails",
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the page shows: how it stands, the picture, and the gates that turned from one look to the next, newest first."""

    headline: str
    chart: Chart
    turned: list[Row]


def timeline(view: View, records: Sequence[Record], alarms: Sequence[Row] = ()) -> Timeline:
    """Return the history up to the chosen as-of time; `alarms` have at, rule, segment, action, sentence."""
    cube = view.opened.cube
    spans = cube.spans(view.step)
    stages = [
        _span(view, [one for one in spans if one["stage"] == stage], ACCOUNTS[stage].title) for stage in _present(spans)
    ]
    ramps = [_span(view, [one], _share(one["ramp_step"])) for one in spans if one["ramp_step"]]
    seen = judged(view)
    picture = history(
        stages,
        ramps,
        view.caption(sum(one["n"] for one in spans), table="pair"),
        verdicts=[_verdict(view, step, found) for step, found in seen],
        alarms=list(alarms),
        decisions=decided(records),
        maturity=_maturity(view),
        as_of=cube.end(view.step).isoformat(),
    )
    rows = turned(view, seen)
    last = seen[-1][1]
    stands = f"As of {view.as_of} the {ACCOUNTS[last.stage].title} stage {SAID[last.verdict.name]}."
    return Timeline(f"{stands} {said(rows)}", picture, rows)


def judged(view: View) -> list[tuple[int, Review]]:
    """Return the verdict at each look, of the latest stage that had events by then."""
    spans = view.opened.cube.spans(view.step)
    return [(step, review.review(view.opened, _stage_at(spans, step), step)) for step in looks(view)]


def looks(view: View) -> list[int]:
    """Return the as-of steps that are judged: at most MOST_LOOKS, evenly chosen from the first on, and the chosen one.

    So most of them are the same at the next as-of time.
    """
    first = min((one["first"] for one in view.opened.cube.spans(view.step)), default=view.step)
    steps = [step for step in view.opened.cube.steps if first <= step <= view.step]
    every = -(-len(steps) // MOST_LOOKS)
    return sorted({*steps[::every], view.step})


def turned(view: View, seen: Sequence[tuple[int, Review]]) -> list[Row]:
    """Return the gates whose counting verdict differs from that at the look before, in the same stage; newest first.

    A gate that counts for the first time, the stage having been looked at before, had no data until then.
    """
    rows: list[Row] = []
    before: dict[tuple[Stage, str], str] = {}
    looked: set[Stage] = set()
    for step, found in seen:
        for gate in dict.fromkeys(row.gate for row in found.rows):
            mine = [row for row in found.rows if row.gate == gate and gates.counted(row) is not None]
            if not mine:
                continue
            worst = max(mine, key=lambda row: gates.counted(row) or 0)
            now, key = gates.worst(mine).name, (found.stage, gate)
            was = before.get(key, Verdict.NODATA.name if found.stage in looked else now)
            if was != now:
                told = {"was": was, "verdict": now, "gate": worst.title, "sentence": worst.sentence}
                rows.append({"at": view.opened.cube.label(step), "stage": ACCOUNTS[found.stage].title} | told)
            before[key] = now
        looked.add(found.stage)
    return rows[::-1]


def decided(records: Sequence[Record]) -> list[Row]:
    """Return what was recorded, at the as-of time of its evidence (rollbacks and drills: at their own time)."""
    found = []
    for record in records:
        try:
            content = record.content
        except LedgerError:
            continue
        if record.type in {"sign_off", "rollback", "drill"}:
            decision = str(content.get("decision", record.type)).replace("_", " ")
            at = content.get("as_of") or content.get("at") or record.at
            who = str(content.get("signer") or content.get("who") or "")
            found.append({"at": str(at), "decision": decision, "stage": record.stage or "", "who": who})
    return found


def _present(spans: Sequence[Row]) -> list[Stage]:
    found = {one["stage"] for one in spans}
    return [stage for stage in Stage if stage in found]


def _stage_at(spans: Sequence[Row], step: int) -> Stage:
    """Return the latest stage that had an event by a step."""
    return Stage(max((one["stage"] for one in spans if one["first"] <= step), key=list(Stage).index))


def _span(view: View, spans: Sequence[Row], name: str) -> Row:
    cube = view.opened.cube
    first, last = min(one["first"] for one in spans), max(one["last"] for one in spans)
    begin = cube.end(first - 1) + timedelta(microseconds=1)
    return {
        "name": name,
        "begin": begin.isoformat(),
        "end": cube.end(last).isoformat(),
        "n": sum(one["n"] for one in spans),
    }


def _share(ramp_step: str) -> str:
    """Return a ramp step as readers say it: a share of traffic in percent, or the name that the logs give it."""
    try:
        return f"{100 * float(ramp_step):g}%"
    except ValueError:
        return ramp_step


def _verdict(view: View, step: int, found: Review) -> Row:
    worst = max(
        (row for row in found.rows if gates.counted(row) is not None),
        key=lambda row: gates.counted(row) or 0,
        default=None,
    )
    sentence = worst.sentence if worst is not None else "No gate counts at this stage."
    at = view.opened.cube.end(step).isoformat()
    return {"at": at, "stage": found.stage, "verdict": found.verdict.name, "sentence": sentence}


def _maturity(view: View) -> list[Row]:
    """Return the share of mature labels of the chosen stage's events at each as-of step."""
    cube = view.opened.cube
    return [
        {"at": cube.end(step).isoformat(), "mature": known(counts["mature"] / counts["n"])}
        for step, counts in cube.progress(view.stage, view.step, ()).items()
        if counts["n"]
    ]


def said(rows: Sequence[Row]) -> str:
    """Return in one sentence how often gates turned."""
    if not rows:
        return "No gate turned between the looks."
    times = "once, by" if len(rows) == 1 else f"{digits.count(len(rows))} times, the last time by"
    return f"Gates turned {times} {rows[0]['at']}."

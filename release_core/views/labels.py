"""The Labels page: how much of the truth is known as of a time, and what was believed at another time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts.digits import percent
from release_core.charts.maturity import by_age, by_step
from release_core.cube import REPLAY_SET
from release_core.gates.words import place
from release_core.stats import delay
from release_core.views.view import known, paired_rows, said

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.views.view import View

    Row = dict[str, Any]

COMPARED = ("labelled_share", "base_rate", "recall", "precision", "auc", "oe_ratio", "alert_rate")
MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class LabelsPage:
    """What the page shows; `then_and_now` compares two as-of times, `turned` the gates whose verdict changed."""

    headline: str
    by_age: Chart
    by_step: Chart
    then_and_now: list[Row]
    turned: list[Row]
    earlier: str
    rules: list[str]


def labels(view: View, earlier: int | None = None) -> LabelsPage:
    """Return the page for a choice; `earlier` is the as-of step to compare with (default: the one before)."""
    steps = view.opened.cube.steps
    before = [step for step in steps if step < view.step]
    then = earlier if earlier in before else (before[-1] if before else view.step)
    progress = _progress(view)
    return LabelsPage(
        _headline(view, progress),
        _by_age(view),
        by_step(
            progress,
            view.caption(progress[-1]["n"] if progress else 0, table="pair"),
            as_of=view.opened.cube.label(view.step),
        ),
        _then_and_now(view, then),
        _turned(view, then),
        said(view.opened, then),
        _rules(view),
    )


def _headline(view: View, progress: list[Row]) -> str:
    if not progress or not progress[-1]["n"]:
        return f"No event of {view.place} had happened by {view.as_of}."
    last = progress[-1]
    return (
        f"As of {view.as_of} {percent(last['mature'])} of {last['n']:,} events have a mature label, "
        f"{percent(last['known'])} any label; the rest is not known yet and counts as neither good nor bad."
    )


def _progress(view: View) -> list[Row]:
    """Return the shares of known and mature labels at each as-of step up to the chosen one."""
    rows = []
    for step in view.opened.cube.steps:
        if step <= view.step:
            counts = view.opened.cube.maturity(view.stage, step, view.where)
            n = counts["n"]
            rows.append(
                {
                    "step": view.opened.cube.label(step),
                    "known": known(counts["known"] / n if n else np.nan),
                    "mature": known(counts["mature"] / n if n else np.nan),
                    "n": n,
                }
            )
    return rows


def _by_age(view: View) -> Chart:
    """Return the share of labels known by age, over events old enough to have reached it."""
    # Ages are kept by one dimension: of a filter by two, the first is used, and the caption says so.
    dims = [pair for pair in view.where if pair[0] != REPLAY_SET]
    view = replace(view, where=tuple(pair for pair in view.where if pair not in dims[1:]))
    known_at, happened = view.opened.cube.ages(view.stage, view.step, view.where)
    days = min(len(happened), MOST_DAYS)
    old_enough = np.cumsum(happened[::-1])[::-1][:days]
    # Only events old enough for an age speak of it: known at age a among events of age >= a.
    rows: list[Row] = []
    if days:
        told = delay.known_share(known_at[:days], old_enough)
        rows = [
            {
                "age_days": a,
                "known": known(told.value[a]),
                "low": known(told.low[a]),
                "high": known(told.high[a]),
                "n": int(old_enough[a]),
            }
            for a in range(days)
            if old_enough[a] > 0
        ]
    return by_age(
        rows, view.caption(float(happened.sum()), table="pair"), maturity_days=view.release.labels.maturity_days or None
    )


def _then_and_now(view: View, then: int) -> list[Row]:
    """Return the compared metrics as they looked at both times."""
    metrics = view.known()
    now = {row["metric"]: row for row in paired_rows(view.rows(COMPARED))}
    old = {row["metric"]: row for row in paired_rows(replace(view, step=then).rows(COMPARED))}
    return [
        {
            "metric": name,
            "title": metrics[name].title,
            "unit": metrics[name].unit,
            "then": old.get(name, {}).get("candidate"),
            "then_difference": old.get(name, {}).get("difference"),
            "then_low": old.get(name, {}).get("low"),
            "then_high": old.get(name, {}).get("high"),
            "now": now.get(name, {}).get("candidate"),
            "now_difference": now.get(name, {}).get("difference"),
            "now_low": now.get(name, {}).get("low"),
            "now_high": now.get(name, {}).get("high"),
        }
        for name in COMPARED
    ]


def _turned(view: View, then: int) -> list[Row]:
    """Return the gates and segments whose verdict differs between the two times, worst now first."""
    old = {(row.gate, place(row.segment)): row for row in review.review(view.opened, view.stage, then).rows}
    found = []
    for row in review.review(view.opened, view.stage, view.step).rows:
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
                }
            )
    return sorted(found, key=lambda row: -row["badness"])


def _rules(view: View) -> list[str]:
    """Return in words what makes a label."""
    rules = view.release.labels
    names = {
        "positive": [match.outcome + (f" = {match.value}" if match.value else "") for match in rules.positive],
        "negative": [match.outcome + (f" = {match.value}" if match.value else "") for match in rules.negative],
    }
    lines = [f"{word}: {', '.join(listed)}" for word, listed in names.items() if listed]
    silence = "counts as negative" if rules.silence == "negative" else "leaves the label unknown"
    lines.append(f"silence {silence}; a label is mature {rules.maturity_days:g} days after its event")
    lines.append("of several outcomes the latest decides; an outcome counts from the time at which we learned it")
    return lines

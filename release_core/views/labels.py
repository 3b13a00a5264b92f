"""The Labels page: how much of the truth is known as of a time, and what makes a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.digits import percent
from release_core.charts.maturity import by_age, by_step
from release_core.cube import REPLAY_SET
from release_core.stats import delay
from release_core.views.delay import single
from release_core.views.view import known

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.views.view import View

    Row = dict[str, Any]

MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class LabelsPage:
    """What the page always shows: how much is known, by age and by as-of step, and what makes a label."""

    headline: str
    late: str
    by_age: Chart
    by_step: Chart
    rules: list[str]


def labels(view: View) -> LabelsPage:
    """Return the page for a choice."""
    progress = _progress(view)
    return LabelsPage(
        _headline(view, progress),
        late(view),
        _by_age(view),
        by_step(
            progress,
            single(view).caption(progress[-1]["n"] if progress else 0, table="pair"),
            as_of=view.opened.cube.label(view.step),
        ),
        _rules(view),
    )


def _headline(view: View, progress: list[Row]) -> str:
    if single(view).where != view.where:
        counts: Row = view.opened.cube.maturity(view.stage, view.step, view.where)
        counts = {name: known(n / counts["n"] if counts["n"] else np.nan) for name, n in counts.items()} | {
            "n": counts["n"]
        }
    else:
        counts = progress[-1] if progress else {"n": 0}
    if not counts["n"]:
        return f"{view.none} had happened by {view.as_of}."
    known_share, mature = (percent(counts[name]) for name in ("known", "mature"))
    return (
        f"As of {view.as_of} {mature} of {counts['n']:,} events have a mature label, {known_share} any label; the rest is "
        "not known yet and counts as neither good nor bad."
    )


def late(view: View) -> str:
    """Return in one sentence how many bad labels came after maturity, with their share and its interval."""
    one = single(view)
    dims = [pair for pair in one.where if pair[0] != REPLAY_SET]
    rows = one.rows(["late_label_share"]) if len(dims) < 2 else []
    told = [row for row in rows if row.version != "difference" and row.value is not None]
    days = f"{view.release.labels.maturity_days:g} days"
    if not told:
        return f"Late labels: no bad label of an event older than {days} is known yet."
    told = told[:1] if view.stage.paired else told
    each = [
        f"{'' if view.stage.paired else f'{row.version} '}{round((row.value or 0) * row.n):,} of {row.n:,} known bad labels of "
        f"mature events came after {days} ({percent(row.value)}, {percent(row.low)} to {percent(row.high)})"
        for row in told
    ]
    return f"Late labels: {'; '.join(each)}. Until then these events counted as not bad."


def _progress(view: View) -> list[Row]:
    """Return the shares of known and mature labels at each as-of step up to the chosen one."""
    found = view.opened.cube.progress(view.stage, view.step, single(view).where)
    return [
        {
            "step": view.opened.cube.label(step),
            "known": known(counts["known"] / counts["n"] if counts["n"] else np.nan),
            "mature": known(counts["mature"] / counts["n"] if counts["n"] else np.nan),
            "n": counts["n"],
        }
        for step, counts in found.items()
        if counts["n"]
    ]


def _by_age(view: View) -> Chart:
    """Return the share of labels known by age, over events old enough to have reached it."""
    view = single(view)
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

"""A choice in, metrics estimated from scores alone out, beside what they turned out to be: an early sign, never a gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.course import Reading, course
from release_core.charts.digits import number, percent, points
from release_core.metrics import delayed, expected
from release_core.views import delay
from release_core.views.view import known

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.metrics.expected import Expectation
    from release_core.views.view import View

    Row = dict[str, Any]

CANDIDATE = 1
QUESTION = "What should {} read, judged by scores alone?"
DEFINITION = (
    "Dashed: estimated without labels. If scores say how likely events are bad, their sum over alerts is the number of "
    "bad alerts (confidence-based performance estimation). Scores are corrected first to observed / expected on the "
    "events that were mature when the cohort ended, by action. Solid: what labels say of cohorts that are mature now, "
    "with its 95% interval. The estimate assumes that scores mean what they meant: it is blind to a new kind of attack, "
    "which is what fraud review is for. It enters no gate."
)
# Scores that must be corrected by more than this are not calibrated well enough for their sums to be trusted.
WELL = 1.25


@dataclass(frozen=True, slots=True)
class Estimated:
    """The picture, the sentence with its assumption, and the scoreboard of past errors (rows, and in words)."""

    chart: Chart
    sentence: str
    scores: list[Row]
    board: str


def offered(view: View) -> dict[str, str]:
    """Return the metrics that can be estimated, by name, as readers say them."""
    metrics = view.known()
    return {name: metrics[name].title for name in expected.NAMES}


def estimated(view: View, name: str) -> Estimated:
    """Return the candidate's metric as scores alone say, cohort by cohort, with the scoreboard."""
    metric = view.known()[name]
    question = QUESTION.format(metric.title.lower())
    single = delay.single(view)
    if view.release.scale.name != "probability":
        caption = single.caption(0, table="pair")
        return Estimated(course([], [], caption, question=question, definition=DEFINITION), _POINTS, [], "")
    cube, rules = view.opened.cube, view.release.labels
    unseen = cube.selection(view.stage, view.step).unseen
    one = delayed.seen(cube.development(single.stage, single.step, single.where), unseen)
    every = delay.elsewhere(single)
    told = None if every is None else delayed.seen(every, unseen)
    found = expected.expectations(one, name, CANDIDATE, rules.maturity_days, explicit=delay.explicit(view), told=told)
    found = [each for each in found if one.events[:, each.age].sum()]
    label = view.opened.cube.label
    rows = [
        {"step": label(one.ends[e.age]), "estimate": e.estimate, "actual": e.actual, "actual_low": e.low, "actual_high": e.high}
        for e in found
    ]  # fmt: skip
    readings = [
        Reading("actual", "labels, mature", "$cand"),
        Reading("estimate", "estimate without labels", "$cut", "dash"),
    ]
    caption = single.caption(float(one.events.sum()), table="pair")
    chart = course(rows, readings, caption, question=question, definition=DEFINITION, unit=metric.unit)
    judged = [_score(label(one.ends[e.age]), e) for e in found if e.estimate is not None and e.actual is not None]
    return Estimated(chart, _sentence(view, found, metric.title), judged, _board(judged, metric.title))


_POINTS = "Scores are points, for which no probability is declared: nothing can be estimated without labels."


def _score(cohort: str, one: Expectation) -> Row:
    estimate, actual = one.estimate or 0.0, one.actual or 0.0
    low, high = one.low, one.high
    inside = low is not None and high is not None and low <= estimate <= high
    return {
        "cohort": cohort,
        "estimate": one.estimate,
        "actual": one.actual,
        "low": low,
        "high": high,
        "error": estimate - actual,
        "inside": "yes" if inside else "no",
    }


def _sentence(view: View, found: list[Expectation], title: str) -> str:
    last = found[-1] if found else None
    if last is None or last.estimate is None or last.from_age is None or last.correction is None:
        return (
            f"{title} cannot be estimated without labels yet: calibration must first be seen on at least "
            f"{expected.LEAST_POSITIVES} mature bad events."
        )
    ends = delay.of(view).own.ends
    since, newest = (view.opened.cube.label(ends[place]) for place in (last.from_age, last.age))
    weak = "" if 1 / WELL <= last.correction <= WELL else (
        f" Calibration hardly supports it: observed / expected was {number(last.correction, 2)} there."
    )  # fmt: skip
    return (
        f"Estimate without labels: {title.lower()} of the candidate on events up to {newest} should be about "
        f"{percent(last.estimate)}; assumes calibration from {since} still holds.{weak}{_left_out(view)}"
    )


def _left_out(view: View) -> str:
    unseen = view.opened.cube.selection(view.stage, view.step).unseen
    return f" Events after {' and '.join(unseen)}, whose outcome is not seen, are not in it." if unseen else ""


def _board(rows: list[Row], title: str) -> str:
    if not rows:
        return "No cohort with an estimate is mature yet, so it is not known how good these estimates are."
    errors = np.array([row["error"] for row in rows])
    inside = sum(row["inside"] == "yes" for row in rows)
    mean, size = known(float(errors.mean())), float(np.abs(errors).mean())
    return (
        f"{len(rows)} past estimates of {title.lower()} can be judged by labels that matured since: off by "
        f"{points(size).lstrip('+')} on average ({points(mean)} with its sign); {inside} of {len(rows)} within the labels' own interval."
    )

"""A choice in, its quality metrics read in three ways out: as known now, on mature events only, and nowcast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts.course import Reading, course
from release_core.charts.digits import percent
from release_core.frames import natural
from release_core.metrics import delayed
from release_core.stats import nowcast
from release_core.views import delay
from release_core.views.view import known, paired_rows

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.metrics.delayed import Delay
    from release_core.stats.nowcast import Nowcast
    from release_core.views.view import View

    Row = dict[str, Any]

CANDIDATE, DIFFERENCE = 1, 2
SIDES = ("baseline", "candidate", "difference")
READINGS = ("naive", "mature", "nowcast")
UNEQUAL = (
    "Differences of what is known now are refused: the two arms' events are not equally old, so their labels have not had "
    "the same time to come."
)
QUESTION = "How does {} look, cohort by cohort?"
DEFINITION = (
    "The candidate's metric on the events of each period alone. Known now: every label known as of now, and where "
    "silence is negative every event without one counted as good. Nowcast: each known bad counts 1 / F times, F being "
    "the share of bad labels known at its age among events with the same action taken; with its 95% interval. Young "
    "cohorts, of which less than a fifth of the labels is known, have no nowcast."
)


@dataclass(frozen=True, slots=True)
class Quality:
    """Every metric read in three ways (rows), what the three speak of, and a warning that names the numbers."""

    rows: list[Row]
    speaks: list[str]
    warning: str


def quality(view: View) -> Quality:
    """Return the quality metrics of a choice as known now, on mature events only, and nowcast."""
    one = delay.of(view)
    single = delay.single(view)
    metrics = view.known()
    listed = [name for name in delayed.NAMES if name != "oe_ratio" or view.release.scale.name == "probability"]
    # What gates read: mature labels, with the jackknife's interval.
    read = single.rows(listed)
    mature = {row["metric"]: row for row in paired_rows(read)}
    methods = {row.metric: row.method for row in read if row.version == SIDES[CANDIDATE]}
    whole, old = np.ones(len(one.own.ends), dtype=bool), one.own.days >= view.release.labels.maturity_days
    known_now = delayed.estimates(one, listed, np.stack([whole, old]), corrected=False)
    naive, aged = (
        {name: nowcast.Nowcast(*(part[n] for part in found)) for name, found in known_now.items()} for n in range(2)
    )
    nowcasts = delayed.estimates(one, listed, one.ready, corrected=True)
    widening = {
        name: _widening(aged[name], mature.get(name, {}) | {"method": methods.get(name, "")}) for name in listed
    }
    read_as = {"naive": _read("naive", naive, widening), "nowcast": _read("nowcast", nowcasts, widening)}
    rows, missing = [], {} if delayed.equally_old(one) else dict.fromkeys(_naive_difference())
    for name in listed:
        row: Row = {
            "metric": name,
            "title": metrics[name].title,
            "unit": metrics[name].unit,
            "widening": widening[name],
        }
        row |= _mature(mature.get(name, {})) | read_as["naive"][name] | read_as["nowcast"][name]
        rows.append(row | missing)
    return Quality(rows, _speaks(view, one), _warning(one))


def _naive_difference() -> list[str]:
    return [f"naive_difference{end}" for end in ("", "_low", "_high")]


def _mature(row: Row) -> Row:
    found = {f"mature_{side}": row.get(side) for side in SIDES}
    for side in SIDES[:2]:
        found |= {f"mature_{side}_low": row.get(f"{side}_low"), f"mature_{side}_high": row.get(f"{side}_high")}
    return found | {"mature_difference_low": row.get("low"), "mature_difference_high": row.get("high")}


def _read(reading: str, found: dict[str, Nowcast], widening: dict[str, float]) -> dict[str, Row]:
    """Return the columns of one reading by metric, its errors widened for events that belong together."""
    rows = {}
    for share in (True, False):
        names = [name for name in found if (name not in {"oe_ratio", "amount_recall"}) == share]
        if not names:
            continue
        value, se, effective = (np.stack(parts) for parts in zip(*(found[name] for name in names), strict=True))
        wider = np.array([[widening[name]] for name in names])
        wide = nowcast.Nowcast(value, se * np.sqrt(wider), effective / wider)
        ends = nowcast.bounds(wide, share=share)
        for n, name in enumerate(names):
            row: Row = {f"{reading}_effective": known(float(wide.effective[n, CANDIDATE]))}
            for number, side in enumerate(SIDES):
                columns = {"": value, "_low": ends.low, "_high": ends.high}
                row |= {f"{reading}_{side}{end}": known(float(column[n, number])) for end, column in columns.items()}
            rows[name] = row
    return rows


def _widening(old: Nowcast, mature: Row) -> float:
    """Return by how much events of the same customer widen a metric's variance: as seen on mature events; at least 1.

    `old` is the metric of the mature events as if all were independent; not known where there are none.
    """
    low, high = mature.get("candidate_low"), mature.get("candidate_high")
    if low is None or high is None or "jackknife" not in mature["method"]:
        return 1.0
    independent = old.se[CANDIDATE]
    seen = (high - low) / 2 / _T31
    return float(max(1.0, (seen / independent) ** 2)) if independent > 0 else 1.0


# Two-sided 95% quantile of Student's t with the jackknife's 31 degrees of freedom.
_T31 = 2.0395


def _speaks(view: View, one: Delay) -> list[str]:
    """Return what events each reading speaks of."""
    label, ends, rules = view.opened.cube.label, one.own.ends, view.release.labels
    silent = "" if delay.explicit(view) else "; an event without a label counts as good"
    found = [f"Known now: all events up to {label(ends[0])}, with the labels known by {view.as_of}{silent}."]
    old = np.flatnonzero((one.own.days >= rules.maturity_days) & (one.own.events.sum(0) > 0))
    found.append(
        f"Mature only: events up to about {label(ends[int(old[0])])}, at least {rules.maturity_days:g} days old; what is "
        "newer, and every new kind of attack, is not in it."
        if len(old)
        else f"Mature only: no event is {rules.maturity_days:g} days old yet."
    )
    ready = np.flatnonzero(one.ready)
    found.append(
        f"Nowcast: events up to {label(ends[int(ready[0])])}, each known label weighted by the share known at its age and "
        "action; newer ones are too early."
        if len(ready)
        else "Nowcast: refused, it is too early at every age."
    )
    return found if delayed.equally_old(one) else [*found, UNEQUAL]


def _warning(one: Delay) -> str:
    """Return the warning that recall looks best in the first days, with the numbers of this choice."""
    rows = [_early(one, number) for number in range(len(one.strata))]
    shares = {action: share for action, share in rows if share is not None}
    general = "The recall of a new release looks best in its first days, where alerts are labelled before the rest."
    passed = [share for action, share in shares.items() if action == "approve"]
    fastest = max((pair for pair in shares.items() if pair[0] != "approve"), key=lambda pair: pair[1], default=None)
    if not passed or fastest is None:
        return general
    days = f"{one.own.days[1]:.0f} days" if len(one.own.days) > 1 else "its first days"
    if fastest[1] < passed[0] + 0.1:
        return f"{general} Here both come at about the same speed."
    return (
        f"{general} Here {percent(fastest[1])} of the bad under {fastest[0]} is known within {days}, but only "
        f"{percent(passed[0])} of the bad that was approved: read the nowcast, not what is known now."
    )


def _early(one: Delay, number: int) -> tuple[str, float | None]:
    stratum, share = one.strata[number], one.share[delayed.POSITIVE, number]
    place = min(1, len(share) - 1)
    return one.own.actions[stratum] if stratum >= 0 else "", known(float(share[place]))


def by_cohort(view: View, name: str) -> Chart:
    """Return the course of a metric over cohorts: as known now, and nowcast."""
    one, metric = delay.of(view), view.known()[name]
    share, rows = metric.unit == "share" and name != "amount_recall", []
    each, every = delayed.alone(one), np.ones((len(one.own.ends), 1), dtype=bool)
    naive = delayed.estimate(each, name, every, corrected=False).value[:, CANDIDATE]
    found = delayed.estimate(each, name, one.ready[:, None], corrected=True)
    ends = nowcast.bounds(found, share=share)
    band = {"nowcast": found.value, "nowcast_low": ends.low, "nowcast_high": ends.high}
    counted, events = one.own.events[one.own.counted.any(1)].sum(0), one.own.events.sum(0)
    for age in np.flatnonzero(counted)[::-1].tolist():
        row: Row = {"step": view.opened.cube.label(one.own.ends[age]), "naive": known(float(naive[age]))}
        if one.ready[age]:
            row |= {key: known(float(column[age, CANDIDATE])) for key, column in band.items()}
        rows.append(row | {"n": float(events[age])})
    readings = [Reading("naive", "known now", "$muted", "dot"), Reading("nowcast", "nowcast", "$cand")]
    caption = delay.single(view).caption(float(one.own.events.sum()), table="pair")
    question = QUESTION.format(metric.title.lower() if not metric.title.isupper() else metric.title)
    return course(rows, readings, caption, question=question, definition=DEFINITION, unit=metric.unit)


def by_segment(view: View, name: str, dim: str) -> list[Row]:
    """Return per value of a dimension the final number of bad events and a metric of the candidate, nowcast."""
    unit = view.known()[name].unit
    values, one = delay.by(view, dim)
    found, counted = delayed.estimate(one, name, one.ready, corrected=True), delayed.counts(one)
    every = np.ones(len(one.own.ends), dtype=bool)
    naive = delayed.estimate(one, name, every, corrected=False).value[:, CANDIDATE]
    share, events = unit == "share" and name != "amount_recall", one.own.events.sum((-2, -1))
    low, high = (end[:, CANDIDATE] for end in nowcast.bounds(found, share=share))
    columns = {
        **{key: getattr(counted, key) for key in ("final", "low", "high")},
        "nowcast": found.value[:, CANDIDATE], "nowcast_low": low, "nowcast_high": high, "naive": naive,
    }  # fmt: skip
    rows: list[Row] = []
    for n in sorted(np.flatnonzero(events), key=lambda n: natural(values[n])):
        row: Row = {"segment": values[n], "unit": unit, "events": float(events[n]), "known": float(counted.known[n])}
        rows.append(row | {key: known(float(column[n])) for key, column in columns.items()})
    return rows


def offered(view: View) -> dict[str, str]:
    """Return the metrics that can be nowcast, by name, as readers say them."""
    metrics = review.known_metrics(view.release)
    points = view.release.scale.name != "probability"
    return {name: metrics[name].title for name in delayed.NAMES if not (points and name == "oe_ratio")}

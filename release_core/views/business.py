"""The Business page: what the candidate does to customers and money, per arm and segment, and what is learned later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review, stops
from release_core.charts import digits
from release_core.charts.ages import ages as ages_chart
from release_core.charts.daily import daily
from release_core.charts.forest import forest
from release_core.cube.labels import LATER, WITHIN
from release_core.frames import EVERYONE
from release_core.metrics.live_table import NOT_ACTED
from release_core.metrics.lived import outcomes_within
from release_core.views.view import known, paired_rows, segment_key, single_view

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import GateRow
    from release_core.metrics import Lived
    from release_core.views.view import View

    Row = dict[str, Any]

DECISIONS = ("approve_rate", "review_rate", "block_rate", "escalation_rate")
CUSTOMERS = ("conversion_rate", "complaint_rate", "support_rate")
MONEY = ("fraud_loss", "false_positive_cost", "net_value")
DELAYED = (
    "chargeback_rate", "confirmed_fraud_rate", "review_fraud_share", "resolved_rate", "retention_rate", "labelled_share",
    "late_label_share",
)  # fmt: skip
# Of these the denominator is not all events, so a change of theirs is no number of customers a day.
OF_SOME = {"review_fraud_share", "resolved_rate", "retention_rate", "labelled_share", "late_label_share"}
THOUSAND = 1000.0
HOURS_A_DAY = 24
# Of fewer events a day their number is not a whole one.
FEW = 10
NOTHING_ACTS = (
    "In replay and shadow nothing acts, so conversion and complaints are not known here: customers met the baseline's "
    "action alone. Decisions are what each version would have done, and money is counted on labelled events."
)


@dataclass(frozen=True, slots=True)
class BusinessPage:
    """What the page shows; the tables hold one row per metric, with what it comes to a day if it held for all traffic.

    `a_day` are the pictures of the same: decisions and customers in events a day, and money.
    """

    headline: str
    a_day: list[Chart]
    note: str
    decisions: list[Row]
    customers: list[Row]
    money: list[Row]
    delayed: list[Row]
    currency: str


def page(view: View) -> BusinessPage:
    """Return the page for a choice."""
    view, left_out = single_view(view)
    per_day = events_a_day(view)
    judged = _judged(view)

    rows = paired_rows(view.rows((*DECISIONS, *CUSTOMERS, *MONEY, *DELAYED)))

    def table(names: tuple[str, ...]) -> list[Row]:
        return [_row(view, row, per_day, judged) for row in rows if row["metric"] in names]

    parts = [table(names) for names in (DECISIONS, CUSTOMERS, MONEY, DELAYED)]
    acts = NOTHING_ACTS if view.stage.paired else ""
    headline = _headline(view, {row["metric"]: row for part in parts for row in part}, per_day)
    decisions, customers, money, delayed = parts
    mixed = stops.left_out(view.opened.cube, view.stage, view.step)
    note = " ".join(text for text in (acts, left_out, mixed) if text)
    pictures = [
        _pictured(view, [*customers, *decisions], "What does a day have more of?", "events a day"),
        _pictured(
            view, money, "What does it cost or save a day?", f"{view.currency or 'money'} a day", _no_money(money)
        ),
    ]
    return BusinessPage(headline, pictures, note, decisions, customers, money, delayed, view.currency)


def _pictured(view: View, rows: list[Row], question: str, what: str, why: str = "") -> Chart:
    """Return the picture of what changes a day."""
    known_metrics = view.known()
    told = [
        {"segment": row["title"], "n": row["n"], "better": known_metrics[row["metric"]].better}
        | dict(zip(("difference", "low", "high"), row["change_a_day"], strict=True))
        for row in rows
    ]
    caption = view.caption(float(max((row["n"] for row in rows), default=0)), table="pair")
    return daily(told, caption, question=question, what=what, why=why)


def _no_money(rows: list[Row]) -> str:
    """Return why no money is known, if none is."""
    if not rows or any(row["difference"] is not None for row in rows):
        return ""
    return f"Money is not known here: {rows[-1]['reason']}; labels count once they are mature."


def events_a_day(view: View) -> float:
    """Return how many events of the choice there are a day, of both arms together: what "all traffic" means."""
    days, cells = view.opened.cube.days(view.stage, view.step), view.cells()
    if not days or not cells.segments:
        return 0.0
    acted = cells.whole.actions[0, :, :, EVERYONE].sum(-1)
    also = sum(view.opened.cube.left_out(view.stage, view.step, ((), view.where)).values())
    return float(acted[0] if view.stage.paired else acted.sum() + also) / days


def _judged(view: View) -> dict[str, GateRow]:
    """Return the gate row over all events of each metric, the worst of several."""
    found: dict[str, GateRow] = {}
    for row in review.review(view.opened, view.stage, view.step).rows:
        worse = row.metric not in found or row.verdict > found[row.metric].verdict
        if row.counts and not row.segment and worse:
            found[row.metric] = row
    return found


def _row(view: View, row: Row, per_day: float, judged: dict[str, GateRow]) -> Row:
    metric, name = view.known()[row["metric"]], row["metric"]
    gate = judged.get(name) if not view.where else None
    scale = _scale(name, metric.unit, per_day)
    return {
        "metric": name,
        "title": metric.title,
        "verdict": gate.verdict.name if gate else "",
        "unit": metric.unit,
        "difference": row["difference"],
        "low": row["low"],
        "high": row["high"],
        "shown_baseline": _told(row, "baseline", metric.unit),
        "shown_candidate": _told(row, "candidate", metric.unit),
        "shown_change": _change(row, metric.unit),
        "baseline_a_day": _a_day(row["baseline"], scale),
        "candidate_a_day": _a_day(row["candidate"], scale),
        "more_a_day": _more(row, scale),
        "change_a_day": [_times(row[end], scale) for end in ("difference", "low", "high")],
        "n": row["n"],
        "reason": metric.definition if row["difference"] is not None else _why(view, row["reason"]),
    }


def _why(view: View, reason: str) -> str:
    """Return why a metric is not known; in a live stage it is never that nothing acted."""
    waits = "no event of both arms is old enough yet, or the logs tell none of it"
    return reason if view.stage.paired or reason != NOT_ACTED else waits


def _scale(name: str, unit: str, per_day: float) -> float | None:
    """Return by what a metric times comes to a day at all traffic; None where it does not."""
    if name in OF_SOME or not per_day:
        return None
    return per_day / THOUSAND if unit == "money" else per_day if unit == "share" else None


def _a_day(value: float | None, scale: float | None) -> str:
    return "" if scale is None else digits.NOT_KNOWN if value is None else digits.number(value * scale)


def _times(value: float | None, scale: float | None) -> float | None:
    return None if value is None or scale is None else value * scale


def _more(row: Row, scale: float | None) -> str:
    if scale is None:
        return ""
    if row["difference"] is None:
        return digits.NOT_KNOWN
    low, high = (None if row[end] is None else row[end] * scale for end in ("low", "high"))
    return digits.both(row["difference"] * scale, low, high, "number")


def _told(row: Row, version: str, unit: str) -> str:
    value, low, high = (row[version + end] for end in ("", "_low", "_high"))
    return digits.both(value, low, high, unit, of_difference=False)


def _change(row: Row, unit: str) -> str:
    return digits.both(row["difference"], row["low"], row["high"], unit)


def _headline(view: View, rows: dict[str, Row], per_day: float) -> str:
    """Return in one sentence what a day with the candidate for all traffic would be."""
    money = f" {view.currency}".rstrip()
    parts = [
        _said(rows.get(name), _scale(name, unit, per_day), words, suffix)
        for name, unit, words, suffix in (
            ("net_value", "money", (f"{money} more net value", f"{money} less net value"), ""),
            ("conversion_rate", "share", ("more conversions", "fewer conversions"), ""),
            ("complaint_rate", "share", ("more complaints", "fewer complaints"), ""),
            ("approve_rate", "share", ("more approvals", "fewer approvals"), ""),
        )
    ]
    told = [part for part in parts if part]
    if not told:
        return "No event here got an action of both versions, so nothing can be compared."
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    would = "would have had" if view.stage.paired else "has"
    every = digits.count(per_day) if per_day >= FEW else digits.number(per_day, 2)
    return f"With the candidate for all {every} events a day, a day {would}: {listed}."


def _said(row: Row | None, scale: float | None, words: tuple[str, str], suffix: str) -> str:
    if row is None or scale is None or row["difference"] is None:
        return ""
    value = row["difference"] * scale
    if row["low"] is None or row["high"] is None:
        between = ""
    else:
        low, high = row["low"] * scale, row["high"] * scale
        ends = (low, high) if value >= 0 else (-high, -low)
        between = f" ({digits.number(ends[0], 2)} to {digits.number(ends[1], 2)})"
    return f"{digits.number(abs(value), 2)} {words[0 if value >= 0 else 1].strip()}{between}{suffix}"


def comparable(view: View) -> list[str]:
    """Return the metrics that can be compared over segments here: those with a number in this stage."""
    view, _ = single_view(view)
    names = (*DECISIONS, *CUSTOMERS, *MONEY, *DELAYED)
    told = {row.metric for row in view.rows(names) if row.version == "difference" and row.value is not None}
    return [name for name in names if name in told]


def by_segment(view: View, name: str, dim: str) -> tuple[Chart, list[Row]]:
    """Return the change of a metric in each value of a dimension, and the same as rows with what it comes to a day."""
    inner = replace(view, where=tuple(pair for pair in view.where if pair[0] == "replay_set"))
    metric = view.known()[name]
    verdicts = {
        tuple(row.segment.items()): row.verdict.name
        for row in review.review(view.opened, view.stage, view.step).rows
        if row.metric == name and row.segment
    }
    a_day = _days_by(inner, dim)
    rows: list[Row] = []
    for row in paired_rows(inner.rows([name], dim)):
        segment = row["where"]
        verdict = "NODATA" if row["difference"] is None else verdicts.get(tuple(segment.items()), "OBSERVE")
        per_day = a_day.get(segment[dim], 0.0)
        shown = _row(inner, row, per_day, {})
        rows.append(shown | {"segment": segment[dim], "key": segment_key(segment), "verdict": verdict})
        rows[-1]["events_a_day"] = per_day
    caption = inner.caption(float(sum(row["n"] for row in rows)), table="pair", by=(dim,))
    chart = forest(
        rows, caption, metric=metric.title, unit=metric.unit, better=metric.better or "neither",
        margin=_margin(view, name),
    )  # fmt: skip
    return chart, rows


def _margin(view: View, name: str) -> float | None:
    """Return the margin of the gate that compares a metric between the versions in each segment, if there is one."""
    found = (spec for spec in view.release.gates if spec.metric == name and view.stage in spec.stages)
    return next((spec.margin for spec in found if spec.scope == "each_segment" and spec.unit == "abs"), None)


def _days_by(view: View, dim: str) -> dict[str, float]:
    """Return the events a day of each value of a dimension, of both arms together."""
    days, cells = view.opened.cube.days(view.stage, view.step), view.cells(dim)
    acted = cells.whole.actions[..., EVERYONE].sum(-1) if cells.segments else np.zeros((0, 2))
    every = acted[:, 0] if view.stage.paired else acted.sum(-1)
    also = {} if view.where else view.opened.cube.left_out(view.stage, view.step, ((dim,), ()))
    counted = {segment[dim]: float(n) for segment, n in zip(cells.segments, every, strict=True)}
    return {value: (n + also.get(value, 0)) / days if days else 0.0 for value, n in counted.items()}


def reached(view: View) -> list[int]:
    """Return the ages in hours that some event of both arms has reached, as of the view's step."""
    if view.stage.paired:
        return []
    view, _ = single_view(view)
    lived = _lived(view)
    found: list[int] = []
    for hours in WITHIN if lived.segments else ():
        frame = lived.effects(hours)
        if not lived.outcomes(frame, frame.events[:, lived.look])[0].sum((0, 2)).all():
            break
        found.append(hours)
    return found


def _lived(view: View) -> Lived:
    return review.lived(view.opened, view.stage, view.step, (((), view.where),))


def _came(view: View, hours: int) -> list[str]:
    """Return the kinds of outcomes that came within the hours, as of any look, to events of the choice or of its likes."""
    lived = _lived(view)
    return list(lived.effects(hours).kinds) if lived.segments else []


def age_text(hours: int) -> str:
    """Return an age as a reader says it.

    >>> age_text(12), age_text(24), age_text(720)
    ('12 hours', '1 day', '30 days')
    """
    if hours % HOURS_A_DAY:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    days = hours // HOURS_A_DAY
    return f"{days} day{'' if days == 1 else 's'}"


def kinds(view: View) -> list[str]:
    """Return the kinds of outcomes that came to events of this stage, as of any look."""
    view, _ = single_view(view)
    return _came(view, WITHIN[-1] + LATER)


def at_age(view: View, hours: int) -> list[Row]:
    """Return one row per kind of outcome: how often it came within the hours, in both arms, on events that old."""
    view, _ = single_view(view)
    kinds = _came(view, hours)
    rows = []
    for kind, row in zip(kinds, _aged(view, [(hours, kind) for kind in kinds]), strict=True):
        told = {version: _told(row, version, "share") for version in ("baseline", "candidate")}
        rows.append(row | told | {"kind": spoken(kind), "change": _change(row, "share")})
    return rows


def spoken(kind: str) -> str:
    """Return a kind of outcome as readers say it.

    >>> spoken("review_result=fraud")
    'review result: fraud'
    """
    name, _, value = kind.partition("=")
    return name.replace("_", " ") + (f": {value}" if value else "")


def _aged(view: View, asked: list[tuple[int, str]]) -> list[Row]:
    """Return how often each kind came within its hours (hours, kind), as rows of values and bounds."""
    lived = _lived(view)
    if not asked:
        return []
    one = outcomes_within(lived, view.known()["complaint_rate"], asked)
    low, high = one.bounds(0.95)
    rows = []
    for place in range(len(asked)):
        row: Row = {"n": int(one.n[place, :2].sum()), "candidate_n": int(one.n[place, 1])}
        for side, version in enumerate(("baseline", "candidate", "difference")):
            ends = {"": one.value, "_low": low, "_high": high}
            row |= {f"{version}{end}": known(array[place, side]) for end, array in ends.items()}
        rows.append(row | {"low": row["difference_low"], "high": row["difference_high"]})
    return rows


def ages(view: View, kind: str) -> Chart:
    """Return how often a kind of outcome has come by each age, in both arms."""
    view, _ = single_view(view)
    asked = [(hours, kind) for hours in reached(view)]
    rows: list[Row] = [
        {"age_days": hours / HOURS_A_DAY} | row for (hours, _), row in zip(asked, _aged(view, asked), strict=True)
    ]
    caption = view.caption(float(rows[0]["n"]) if rows else 0.0, table="pair")
    return ages_chart(rows, replace(caption, sql=""), what=spoken(kind))


__all__ = [
    "BusinessPage", "age_text", "ages", "at_age", "by_segment", "comparable", "kinds", "page", "reached",
    "spoken",
]  # fmt: skip

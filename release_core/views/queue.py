"""The manual-review queue against the team's capacity: how long it holds, now and if the candidate decided everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts import digits
from release_core.charts.queue import queue as queue_chart
from release_core.metrics import samples as measured
from release_core.stats import queues, rates
from release_core.stats.arrays import ratio

if TYPE_CHECKING:
    from release_core.charts.chart import Chart
    from release_core.frames import Array
    from release_core.metrics.samples import Queue
    from release_core.views.view import View

    Row = dict[str, Any]

# How far the fan reaches, in hours: to the overflow and a little beyond, but not for ever.
SHORTEST, LONGEST = 24.0, 96.0
MOST_POINTS = 24
SHARES = (0.5, 0.8, 0.95)
REVIEWED = ("review", "escalate")


@dataclass(frozen=True, slots=True)
class QueueView:
    """The queue in one sentence, its chart, and the facts that the sentence rests on (name, text)."""

    headline: str
    chart: Chart
    facts: dict[str, str]
    full: str


def queue_view(view: View) -> QueueView:
    """Return what is known of the review queue as of the view's step; segments have no queue of their own."""
    one = review.lived(view.opened, view.stage, view.step, (((), ()),))
    found = measured.queue(one)
    gauge = one.gauge(measured.QUEUE)
    keep = np.zeros(0, bool) if gauge is None else gauge.start <= one.end
    rows = [] if gauge is None else [
        {"time": _time(start), "depth": float(depth)} for start, depth in zip(gauge.start[keep], gauge.last[keep], strict=True)
    ]  # fmt: skip
    caption = replace(
        view.caption(len(rows), table="pair"), evidence=f"{len(rows):,} samples by time · as of {view.as_of}", sql=""
    )
    if found is None or gauge is None:
        text = "The runtime log tells of no review queue here (review_queue_depth and review_capacity_per_hour)."
        return QueueView(text, queue_chart([], [], caption, limit=None, overflow=None), {}, "")
    last = float(gauge.start[keep][-1])
    wait = found.hours_to_limit()
    ahead = _ahead(found, last, wait)
    overflow = _time(last + 3600 * wait) if ahead and wait * 3600 + last <= _seconds(ahead[-1]["time"]) else None
    if wait <= 0:
        overflow = _time(_full_since(gauge.start[keep], gauge.last[keep], found.limit))
    chart = queue_chart(rows, ahead, caption, limit=found.limit, overflow=overflow)
    return QueueView(_headline(found, wait, overflow), chart, _facts(found), _full(view, found))


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M}"


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp()


def _ahead(found: Queue, last: float, wait: float) -> list[Row]:
    """Return the fan of depths to come, from the last sample on."""
    hours = np.linspace(0.0, float(np.clip(1.2 * wait, SHORTEST, LONGEST)), MOST_POINTS)
    rows: list[Row] = [
        {"time": _time(last + 3600 * ahead), "middle": max(found.depth + float(found.growth.value) * float(ahead), 0.0)}
        for ahead in hours
    ]
    for share in SHARES:
        low, high = queues.fan(found.depth, found.growth, found.arrivals, hours, share)
        for row, least, most in zip(rows, low, high, strict=True):
            row[f"low_{100 * share:.0f}"], row[f"high_{100 * share:.0f}"] = float(least), float(most)
    return rows


def _full_since(starts: Array, depths: Array, limit: float) -> float:
    """Return since when the queue has been at its limit or beyond, without a break up to the last sample."""
    below = np.flatnonzero(depths < limit)
    return float(starts[min(below[-1] + 1, len(starts) - 1)] if len(below) else starts[0])


def _headline(found: Queue, wait: float, overflow: str | None) -> str:
    waiting = f"{digits.count(found.depth)} cases wait for a review"
    if wait <= 0:
        since = f" since {overflow[:10]}" if overflow else ""
        return f"The review queue has been over its limit{since}: {waiting}, {digits.count(found.limit)} are the limit."
    if wait >= queues.LONGEST:
        return f"The review queue holds: {waiting}, and over the last day it did not grow."
    soonest, latest = found.hours_to_limit(1.96), found.hours_to_limit(-1.96)
    last = f"{digits.number(latest, 2)} hours" if latest < queues.LONGEST else "not at all"
    return (
        f"The review queue overflows in about {digits.number(wait, 2)} hours ({digits.number(soonest, 2)} to {last}) if it goes "
        f"on as over the last day: {waiting}, {digits.count(found.limit)} are the limit."
    )


def _facts(found: Queue) -> dict[str, str]:
    low, high = rates.poisson(found.arrivals * found.hours, found.hours)
    reach = 1.96 * float(found.growth.se)
    limit = "review_queue_limit of the runtime log" if found.limit_named else "what the team clears in a day"
    return {
        "Waiting": digits.count(found.depth),
        "Limit": f"{digits.count(found.limit)} ({limit})",
        "Arrivals an hour": f"{digits.number(found.arrivals)} [{digits.number(float(low))}, {digits.number(float(high))}]",
        "Capacity an hour": digits.number(found.capacity),
        "Growth an hour": f"{digits.signed(float(found.growth.value))} "
        + digits.interval(float(found.growth.value) - reach, float(found.growth.value) + reach, "number"),
        "Over": f"{digits.number(found.hours)} hours",
    }


def _full(view: View, found: Queue) -> str:
    """Return what the queue would get if the candidate decided all traffic: its reviews against the mix of now."""
    frame = view.opened.cube.effects(view.stage, (((), ()),), 0)
    look = view.opened.cube.steps.index(view.step)
    if view.stage.paired or not frame.segments:
        return ""
    arms = frame.events[0, look].sum((0, 2))
    sent = [frame.taken[frame.actions.index(a), 0, look].sum((0, 2)) for a in REVIEWED if a in frame.actions]
    if not sent or not arms.all():
        return ""
    reviewed = np.sum(sent, axis=0)
    old, new = ratio(reviewed, arms)
    mixed = float(reviewed.sum() / arms.sum())
    if not mixed:
        return ""
    coming = found.arrivals * float(new) / mixed
    beyond = "more than" if coming > found.capacity else "within"
    return (
        f"If the candidate decided all traffic, about {digits.number(coming)} cases an hour would come (it reviews "
        f"{digits.percent(float(new))} of its events, the baseline {digits.percent(float(old))}): {beyond} the team's "
        f"{digits.number(found.capacity)} an hour, if cases take as long as they did."
    )


__all__ = ["QueueView", "queue_view"]

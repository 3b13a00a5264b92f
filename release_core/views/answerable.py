"""A choice in, the date at which each gate without an answer will have one out, or why it never will with these labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core import review
from release_core.charts.digits import count
from release_core.cube import REPLAY_SET
from release_core.gates.judge import ENOUGH_POSITIVES
from release_core.gates.words import HOPELESS, place
from release_core.metrics import delayed
from release_core.release import OTHER, Stage, Verdict
from release_core.stats import forecast
from release_core.views import delay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release_core.frames import Array, GateRow
    from release_core.release import GateSpec
    from release_core.views.view import View

    Row = dict[str, Any]
    Key = tuple[str, str, str]

OPEN = {Verdict.INCONCLUSIVE, Verdict.NODATA}
# How far ahead is looked, in spans of the events so far; and at most so many as-of steps.
AHEAD, MOST_STEPS = 4, 2000
# New events are taken to come as they did in the last quarter of the time so far.
RECENT = 4
NEVER = "not with these labels"


@dataclass(frozen=True, slots=True)
class Answerable:
    """When gates will have an answer: the sentence, and a row per gate and segment without one."""

    headline: str
    rows: list[Row]
    assumption: str


@dataclass(frozen=True, slots=True)
class _Coming:
    """Events of one segment: mature now, and by each later step those that will have matured and that will have come."""

    mature: float
    events: float
    maturing: Array
    entering: Array


def answerable(view: View) -> Answerable:
    """Return when each counting gate that has no answer as of the choice will have one."""
    found = review.review(view.opened, view.stage, view.step).rows
    waiting = [row for row in found if row.counts and row.verdict in OPEN]
    specs = {spec.id: spec for spec in view.release.gates}
    coming = _coming(view) if waiting else {}
    rows = [_answer(view, row, specs.get(row.gate), coming.get(_key(row))) for row in waiting]
    rows.sort(key=lambda row: (row["order"], row["gate"]), reverse=True)
    gates = {row.gate for row in found if row.counts}
    return Answerable(_headline(len(gates), rows), rows, _assumption(view))


def _key(row: GateRow) -> Key:
    """Return a segment as (dimension, value, replay set); the first two empty for all events."""
    dims = [pair for pair in row.segment.items() if pair[0] != REPLAY_SET]
    dim, value = dims[0] if len(dims) == 1 else ("", "") if not dims else ("?", "?")
    return dim, value, row.segment.get(REPLAY_SET, "*")


def _coming(view: View) -> dict[Key, _Coming]:
    """Return the events of every segment that mature or are likely to come after the as-of step."""
    cube = view.opened.cube
    wait = int(np.ceil(view.release.labels.maturity_days / _days(view)))
    span = max(1, round(cube.days(view.stage, view.step) / _days(view)))
    fresh = max(1, span // RECENT)
    ahead = min(AHEAD * max(span, wait), MOST_STEPS)
    steps = np.arange(1, ahead + 1)
    found: dict[Key, _Coming] = {}
    for key, rows in cube.pending(view.stage).items():
        here = rows["begins"] <= view.step
        if not here.any():
            continue
        settled, counts = rows["settled"][here] - view.step, rows["n"][here].astype(float)
        rate = (
            0.0 if view.stage is Stage.REPLAY else float(counts[rows["entry"][here] > view.step - fresh].sum()) / fresh
        )
        due = np.bincount(np.clip(settled, 0, ahead), weights=counts, minlength=ahead + 1)
        entering = rate * steps
        maturing = np.cumsum(due[1:]) + rate * np.maximum(steps - wait, 0)
        found[key] = _Coming(float(due[0]), float(counts.sum()), maturing, entering)
    return found


def _days(view: View) -> float:
    cube = view.opened.cube
    return (cube.end(view.step) - cube.end(view.step - 1)).total_seconds() / 86400


def _answer(view: View, row: GateRow, spec: GateSpec | None, coming: _Coming | None) -> Row:
    """Return one row: what is missing, and when it will be there."""
    metric = view.known().get(row.metric)
    one: Row = {
        "gate": row.gate,
        "title": row.title,
        "segment": place(row.segment),
        "verdict": row.verdict.name,
        "n": row.n,
        "positives": row.positives,
        "missing": "",
    }
    if metric is None or spec is None or coming is None:
        return one | _never(_unknown(row) if metric and spec else "it needs more than labels and events")
    least = spec.min_events if spec.min_events is not None else view.release.segments.min_events
    enough = row.positives >= ENOUGH_POSITIVES or not metric.labels
    hopeless = row.needed is None or row.needed > HOPELESS * row.n
    if row.verdict is Verdict.INCONCLUSIVE and enough and hopeless:
        return one | _never(
            "the estimate lies so close to the limit, or beyond it, that more of the same cannot decide it"
        )
    events = max(least - row.n, row.needed or 0, 0)
    bad = max(ENOUGH_POSITIVES - row.positives, 0) if metric.labels else 0
    one |= {"missing": _missing(events, bad, labels=metric.labels)}
    return one | _dates(view, row, coming, (events, bad), labels=metric.labels)


def _unknown(row: GateRow) -> str:
    if OTHER in row.segment.values():
        return "rare segments are judged together, and what is still to come of them is not counted apart"
    return "no event of this segment is in the logs"


def _missing(events: int, bad: int, *, labels: bool) -> str:
    kind = "labelled events" if labels else "events"
    parts = [f"{count(events)} more {kind}"] if events else []
    parts += [f"{count(bad)} more bad"] if bad else []
    return " and ".join(parts) or "an interval: customers are too few"


def _dates(view: View, row: GateRow, coming: _Coming, need: tuple[int, int], *, labels: bool) -> Row:
    """Return the date at which enough is there, as likely as not, and its range."""
    if not any(need):
        return _never("events come from too few customers for an interval")
    base = coming.mature if labels else coming.events
    more = coming.maturing if labels else coming.entering
    seen = (float(row.n), float(row.positives))
    if base <= 0 and labels:
        seen, base = _expected(view)
    if base <= 0:
        return _never("no bad label is known yet, so it is not known how many will come")
    chances = forecast.chance(need[0], seen[0], base, more)
    if labels:
        chances = np.minimum(chances, forecast.chance(need[1], seen[1], base, more))
    found = forecast.when(chances)
    if found.likely is None and found.earliest is None:
        return _never(_short_of(seen, need, base, more, labels=labels))
    names = [_named(view, at) for at in (found.likely, found.earliest, found.latest)]
    return {
        "when": f"about {names[0]}" if names[0] else "possibly, not likely",
        "range": f"{names[1]} to {names[2] or 'never'}",
        "order": float(found.likely) if found.likely is not None else 1e6,
        "never": False,
        "why": "",
    }


def _expected(view: View) -> tuple[tuple[float, float], float]:
    """Return ((labelled events, bad), events) to go by where nothing is mature yet: the nowcast of the whole stage.

    Where that is too early as well: all stages together.
    """
    one = delay.of(replace(view, where=()))
    found = delayed.count(one)
    if found.known > 0 and found.final > 0:
        # As many bad as are known, among as many events as give the rate of the nowcast.
        events = float(one.own.events[:, one.ready].sum()) * found.known / found.final
        return (events, found.known), events
    every = view.opened.cube.development(view.stage, view.step, all_stages=True)
    events, bad = float(every.events.sum()), float(every.positive.sum())
    return ((events, bad), events) if bad else ((0.0, 0.0), 0.0)


def _short_of(seen: tuple[float, float], need: tuple[int, int], base: float, more: Array, *, labels: bool) -> str:
    rest = float(more[-1]) if len(more) else 0.0
    if rest <= 0:
        return "every label of these events is in, and no new events come" if labels else "no new events come"
    told, bad = rest * seen[0] / base, rest * seen[1] / base
    parts = [f"{count(told)} of {count(need[0])} events"] if need[0] > told else []
    parts += [f"{count(bad)} of {count(need[1])} bad"] if need[1] > bad else []
    return f"only about {' and '.join(parts) or 'as many as needed, by chance,'} are still to come"


def _never(why: str) -> Row:
    return {"when": NEVER, "range": "", "order": 1e9, "never": True, "why": why}


def _named(view: View, ahead: int | None) -> str:
    return "" if ahead is None else view.opened.cube.label(view.step + ahead + 1)


def _headline(gates: int, rows: Sequence[Row]) -> str:
    waiting = {row["gate"] for row in rows}
    if not waiting:
        return f"All {gates} gates that count have an answer."
    never = {row["gate"] for row in rows if row["never"]}
    dated = [row for row in rows if not row["never"]]
    text = f"{len(waiting)} of {gates} gates have no answer yet."
    if dated:
        last = max(dated, key=lambda row: row["order"])
        text += f" The last that can be answered will be {last['when']} ({last['range']})."
    return text + (f" In {len(never)} of them these labels are not enough, or not what is missing." if never else "")


def _assumption(view: View) -> str:
    events = (
        "A replay gets no new events, only labels."
        if view.stage is Stage.REPLAY
        else "New events are taken to come as they did in the last quarter of the time so far."
    )
    return (
        f"{events} Bad events are taken to come at the rate seen so far, and estimates to stay where they are; the range "
        "holds the date with 95%, as far as chance alone moves it."
    )

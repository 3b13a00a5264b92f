"""A choice in, how fast its labels come out: maturity curves, the development triangle, final counts by action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from release_core.charts.digits import NOT_KNOWN, limit, percent
from release_core.charts.digits import count as written
from release_core.charts.maturity import curves as drawn
from release_core.charts.triangle import triangle as drawn_triangle
from release_core.cube import REPLAY_SET
from release_core.frames import natural
from release_core.memory import of_cube
from release_core.metrics import delayed
from release_core.stats import delay as stats
from release_core.stats import development as ladders
from release_core.stats.nowcast import TOO_EARLY
from release_core.views.view import known

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from release_core.charts.chart import Chart
    from release_core.frames import Array
    from release_core.label_frames import Arrivals, Development
    from release_core.metrics.delayed import Delay
    from release_core.stats.delay import Maturity
    from release_core.views.view import View

    Row = dict[str, Any]

LABELS = {"positive": "label bad", "negative": "label good"}
ACTION, EVERYTHING = "action taken", "all together"
MOST_DAYS = 400
MOST_CURVES = 6
LEAST = ladders.LEAST_AT_RISK
DAY = 86400.0
# Labels that come this many standard errors faster or slower than the ladder says change how labels are reported.
OFF_PACE = 2.0


@dataclass(frozen=True, slots=True)
class Curves:
    """Maturity curves: the picture, one row per curve (when half and nine tenths are known), and what cannot be told."""

    chart: Chart
    rows: list[Row]
    tail: str


@dataclass(frozen=True, slots=True)
class Triangle:
    """The development triangle of one action (or all): the picture, and final counts by cohort."""

    chart: Chart
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Counts:
    """Final positives by action taken and in all, in one sentence, as rows, and what to beware of."""

    headline: str
    rows: list[Row]
    notes: list[str]


def single(view: View) -> View:
    """Return the view with at most one dimension in its filter: ages are kept by one dimension."""
    dims = [pair for pair in view.where if pair[0] != REPLAY_SET]
    return replace(view, where=tuple(pair for pair in view.where if pair not in dims[1:]))


@of_cube(256)
def of(view: View) -> Delay:
    """Return how the labels of a choice come in; what a segment does not tell is taken from its stage, then from all.

    Of events after whose action an outcome is seen only by chance those with a label count.
    """
    one = single(view)
    return told(one, [one.opened.cube.development(one.stage, one.step, one.where), *_wider(one)])


def told(view: View, levels: Sequence[Development]) -> Delay:
    """Return how the labels of the first of some levels come in, by the rules of the view's release; see `delayed.delay`."""
    unseen, maturity = view.opened.cube.selection(view.stage, view.step).unseen, view.release.labels.maturity_days
    return delayed.delay(levels, explicit=explicit(view), maturity=maturity, unseen=unseen)


def by(view: View, dim: str) -> tuple[tuple[str, ...], Delay]:
    """Return the values of a dimension, and the same for all of them at once, within the replay set of the choice."""
    whole = replace(view, where=tuple(pair for pair in view.where if pair[0] == REPLAY_SET))
    wider = _wider(replace(whole, where=(*whole.where, (dim, ""))))
    values, own = view.opened.cube.developments(dim, view.stage, view.step, whole.where)
    return values, told(whole, [own, *wider])


def _wider(one: View) -> list[Development]:
    """Return where a choice's missing delays come from: its whole stage, if it is a part of it, then all stages."""
    every = replace(one, where=())
    levels = [one.opened.cube.development(one.stage, one.step)] if one.where else []
    return [*levels, *filter(None, [elsewhere(every)])]


def elsewhere(view: View) -> Development | None:
    """Return the events of all stages together, where there are several: older ones tell what a young stage cannot."""
    cube = view.opened.cube
    if len(cube.stages()) == 1:
        return None
    return cube.development(view.stage, view.step, view.where, all_stages=True)


def explicit(view: View) -> bool:
    """Return whether good labels are told as bad ones are, rather than by silence."""
    return view.release.labels.silence != "negative"


def kinds(view: View) -> dict[str, str]:
    """Return what can arrive, by name, as readers say it: a label of either class, then the kinds of outcomes."""
    told = {kind: kind.replace("_", " ") for kind in view.opened.cube.kinds()}
    return LABELS | {kind: f"outcome {words}" for kind, words in told.items()}


def splits(view: View) -> list[str]:
    """Return what curves can be split by: nothing, the action taken, a dimension."""
    taken = {dim for dim, _ in view.where}
    dims = [dim for dim in view.release.segments.all if dim not in taken] if not taken - {REPLAY_SET} else []
    return [ACTION, EVERYTHING, *dims]


def curves(view: View, kind: str, split: str) -> Curves:
    """Return the share of labels (or outcomes) of a kind that is known by each age, split by action or a dimension."""
    view = single(view)
    end = view.opened.cube.end
    lines = []
    for name, arrivals, pick in _parts(view, kind, split):
        table = _table(arrivals, pick, end(view.step), [end(entry) for entry in arrivals.entries])
        if table.sum() >= LEAST:
            lines.append((name, stats.completeness(table), float(table.sum())))
    rows = [point for name, curve, _ in lines for point in _points(name, curve)]
    caption = view.caption(sum(n for _, _, n in lines), table="pair")
    maturity = view.release.labels.maturity_days
    chart = drawn(rows, caption, what=kinds(view)[kind], maturity_days=maturity or None)
    return Curves(chart, [_summary(name, curve, n) for name, curve, n in lines], _tail(view, [c for _, c, _ in lines]))


def _parts(view: View, kind: str, by: str) -> list[tuple[str, Arrivals, Array | None]]:
    """Return (name, arrivals, which actions) of each curve; the most common values of a dimension."""
    cube = view.opened.cube
    if by in {ACTION, EVERYTHING}:
        every = cube.arrivals(view.stage, view.step, view.where, kind)
        if by == EVERYTHING:
            return [("all events", every, None)]
        return [(action, every, np.array([n])) for n, action in enumerate(every.actions)]
    parts = cube.arrivals_by(by, view.stage, view.step, view.where, kind)
    found: list[tuple[str, Arrivals, Array | None]] = [
        (value, parts[value], None) for value in sorted(parts, key=natural)
    ]
    common = sorted(found, key=lambda part: -part[1].happened.sum())[:MOST_CURVES]
    return [part for part in found if part in common]


def _table(arrivals: Arrivals, pick: Array | None, now: datetime, ends: Sequence[datetime]) -> Array:
    """Return counts [age, delay] in whole days, of events by the last age that all of their step have passed."""
    came = (arrivals.arrived if pick is None else arrivals.arrived[pick]).sum(0)[:, :MOST_DAYS]
    # Day a of an event's life is over once it is a + 1 days old; the youngest of a step entered at its end.
    passed = np.array([int((now - end).total_seconds() // DAY) - 1 for end in ends], dtype=np.int64)
    size = min(int(passed.max(initial=-1)) + 1, MOST_DAYS)
    table = np.zeros((max(size, 1), max(size, 1)))
    seen = passed >= 0
    padded = np.zeros((len(ends), table.shape[1]))
    padded[:, : came.shape[1]] = came[:, : table.shape[1]]
    np.add.at(table, np.minimum(passed[seen], len(table) - 1), padded[seen])
    return table


def _points(name: str, curve: Maturity) -> list[Row]:
    days = np.flatnonzero(np.isfinite(curve.value))
    every = max(1, len(days) // 120)
    shown = sorted({*days[::every].tolist(), *days[-1:].tolist()})
    values = (curve.value, curve.low, curve.high)
    return [
        {"name": name, "age_days": a + 1, "n": int(curve.n[a])}
        | {key: known(float(column[a])) for key, column in zip(("known", "low", "high"), values, strict=True)}
        for a in shown
    ]


def _summary(name: str, curve: Maturity, n: float) -> Row:
    reached = {share: np.flatnonzero(np.nan_to_num(curve.value) >= share) for share in (0.5, 0.9)}
    days = {share: int(places[0]) + 1 if len(places) else None for share, places in reached.items()}
    week = curve.value[6] if len(curve.value) > 6 else np.nan
    oldest = int(np.isfinite(curve.value).sum())
    return {"name": name, "n": n, "half": days[0.5], "most": days[0.9], "week": known(float(week)), "oldest": oldest}


def _tail(view: View, lines: list[Maturity]) -> str:
    """Return what the curves cannot tell: what comes later than the oldest age that can be seen."""
    if not lines:
        return ""
    oldest, maturity = max(int(np.isfinite(line.value).sum()) for line in lines), view.release.labels.maturity_days
    text = f"Of what becomes known within {oldest} days: the oldest age that these events have reached."
    if oldest >= maturity:
        return f"{text} What comes later cannot be told from them."
    return (
        f"{text} Labels are declared mature at {maturity:g} days, so the tail from {oldest} to {maturity:g} days must come "
        "from an older cohort, such as a replay of events that are long mature."
    )


def actions(view: View) -> list[str]:
    """Return the choices of the triangle: all actions together, then each action taken."""
    one = of(view)
    return [EVERYTHING, *(one.own.actions[stratum] for stratum in one.strata if stratum >= 0)]


def triangle(view: View, action: str) -> Triangle:
    """Return positives by cohort and age for an action taken (or all), with what is still to come."""
    one = of(view)
    numbers = [n for n, s in enumerate(one.strata) if action == EVERYTHING or one.own.actions[s] == action]
    table, events = one.tables[numbers].sum(0), one.events[numbers].sum(0)
    names = [view.opened.cube.label(end) for end in one.own.ends]
    ages = np.flatnonzero(events)[::-1].tolist()
    each = delayed.counts(one, numbers, one.ready & np.eye(len(names), dtype=bool))
    counts = [delayed.Count(*map(float, count)) for count in zip(*each, strict=True)]
    mack = ladders.mack(table) if len(numbers) == 1 else None
    rows = [
        {
            "cohort": names[age],
            "age_days": float(one.own.days[age]),
            "events": float(events[age]),
            "known": float(table[age, : age + 1].sum()),
            "final": known(counts[age].final),
            "low": known(counts[age].low),
            "high": known(counts[age].high),
            "share": known(_share(counts[age])),
            "mack": None if mack is None or not one.ready[age] else known(float(mack.se[age])),
        }
        for age in ages
    ]
    cells = [cell for age in ages for cell in _cells(one, table, counts, names, age)]
    caption = single(view).caption(float(table.sum()), table="pair")
    return Triangle(drawn_triangle(cells, caption, what=action), rows)


def _share(count: delayed.Count[float]) -> float:
    return count.known / count.final if count.final and np.isfinite(count.final) else float("nan")


def _cells(one: Delay, table: Array, counts: list[delayed.Count[float]], names: list[str], age: int) -> list[Row]:
    """Return a cohort's cells: positives known by each lag that it has reached."""
    by_then = np.cumsum(table[age])
    final = counts[age].final
    return [
        {
            "cohort": names[age],
            "age_days": float(one.own.days[lag]),
            "known": float(by_then[lag]),
            "share": known(float(by_then[lag] / final)) if np.isfinite(final) and final > 0 else None,
        }
        for lag in range(age + 1)
    ]


def counts(view: View) -> Counts:
    """Return the final number of positives, by action taken and in all, with warnings."""
    one = of(view)
    rows = [_row(one, number) for number in range(len(one.strata))]
    every = delayed.count(one)
    total = {
        "action": "all", "events": float(one.own.events.sum()), "known": every.known, "final": known(every.final),
        "low": known(every.low), "high": known(every.high), "share": known(_share(every)), "shown_young": "", "horizon": None,
    }  # fmt: skip
    return Counts(_headline(view, one, every), [*rows, total], notes(view, one))


def _row(one: Delay, number: int) -> Row:
    found, stratum = delayed.count(one, [number]), one.strata[number]
    horizon = int(one.ladders[delayed.POSITIVE].horizon[number])
    lag = int(np.searchsorted(one.own.days, 7.0))
    young = one.share[delayed.POSITIVE, number, lag] if lag < len(one.own.days) else np.nan
    return {
        "action": one.own.actions[stratum] if stratum >= 0 else "(none)",
        "events": float(one.events[number].sum()),
        "known": found.known,
        "final": known(found.final),
        "low": known(found.low),
        "high": known(found.high),
        "share": known(_share(found)),
        "shown_young": f"{percent(float(young))} by {one.own.days[lag]:.0f} days" if np.isfinite(young) else NOT_KNOWN,
        "horizon": float(one.own.days[horizon]) if horizon >= 0 else None,
    }


def _headline(view: View, one: Delay, found: delayed.Count[float]) -> str:
    if not np.isfinite(found.final):
        return f"As of {view.as_of} it is too early to say how many bad events there will be: {_why_early(one)}."
    share = _share(found)
    said = f"{percent(share)} is known" if share <= 1 else "all of it is known, and some is expected to be reversed"
    said = "nothing is missing" if np.isnan(share) else said
    until = view.opened.cube.label(one.own.ends[int(np.flatnonzero(one.ready)[0])])
    return (
        f"As of {view.as_of}, of the events up to {until} {written(found.known)} are known to be bad; about {written(found.final)} will be "
        f"({written(found.low)} to {written(found.high)}, 95%): {said}."
    )


def _why_early(one: Delay) -> str:
    lacking = np.flatnonzero(one.ladders[delayed.POSITIVE].horizon < 0)
    if len(lacking):
        names = (
            ", ".join(one.own.actions[one.strata[n]] for n in lacking if one.strata[n] >= 0) or "events without action"
        )
        return f"fewer than {LEAST} bad labels are known for the action {names}, so their delay is not known"
    return f"less than {limit(TOO_EARLY)} of labels is known at every age that events have reached"


def notes(view: View, one: Delay) -> list[str]:
    """Return what to beware of: early events left out, borrowed delays, an open tail, a changed pace of labels."""
    label, found = view.opened.cube.label, []
    if one.unseen:
        found.append(_unseen(one))
    early = (~one.ready) & (one.own.events.sum(0) > 0)
    if early.any() and one.ready.any():
        oldest = int(np.flatnonzero(early)[-1])
        found.append(
            f"Too early: {written(float(one.own.events[:, early].sum()))} events after "
            f"{label(one.own.ends[min(oldest + 1, len(early) - 1)])} are left out, since less than {limit(TOO_EARLY)} of "
            "the labels of at least one action is known at their age."
        )
    horizon, maturity = one.horizon(), view.release.labels.maturity_days
    if horizon >= 0 and float(one.own.days[horizon]) < maturity:
        found.append(
            f"Final means as known after {one.own.days[horizon]:.0f} days, the oldest age with at least {LEAST} bad "
            f"labels; labels mature at {maturity:g} days, and what comes in between is not in these numbers."
        )
    return [*found, *_borrowed(view, one), *_paces(one)]


def _unseen(one: Delay) -> str:
    """Return which events are in none of the numbers, since no outcome of theirs can be seen."""
    names = [action in one.unseen for action in one.own.actions]
    labelled = float(one.own.events[[place >= 0 and names[place] for place in one.own.taken]].sum())
    begin = f"After {' and '.join(one.unseen)} no outcome can be seen"
    if not labelled:
        return f"{begin}: those events are in none of these numbers."
    return (
        f"{begin} but by chance: of those events only the {written(labelled)} with a label are in these numbers, each "
        "counted once. Selective labels says what the others could change."
    )


def _borrowed(view: View, one: Delay) -> list[str]:
    """Return which delays were taken from other events, and how old the cohort is that told them."""
    found, whole = [], bool(single(view).where)
    for number, stratum in enumerate(one.strata):
        name = one.own.actions[stratum] if stratum >= 0 else "no action"
        source = one.ladders[delayed.POSITIVE].source[number]
        if stratum in one.pooled:
            found.append(f"{name}: too few bad labels for a delay of its own; that of all actions is used.")
        elif (source > 0).any():
            level = int(source.max())
            days = [f"{one.own.days[lag]:.0f}" for lag in np.flatnonzero(source > 0)]
            told = "all segments of the stage" if whole and level == 1 else "all stages together"
            found.append(
                f"{name}: fewer than {LEAST} bad labels here tell the delay at {days[0]} to {days[-1]} days; it is taken from "
                f"{told}, whose oldest cohort is that of {view.opened.cube.label(one.own.ends[one.oldest[level]])}."
            )
    return found


def _paces(one: Delay) -> list[str]:
    found = []
    for stratum, pace in zip(one.strata, ladders.pace(one.tables).tolist(), strict=True):
        if abs(pace) > OFF_PACE and stratum >= 0:
            way = "faster" if pace > 0 else "slower"
            found.append(
                f"{one.own.actions[stratum]}: in the last three steps labels came {way} than before "
                f"({abs(pace):.1f} standard errors): a backlog, or a new way of reporting. Final counts may be off."
            )
    return found

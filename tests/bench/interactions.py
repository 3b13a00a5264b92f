"""Interactions: `python tests/bench/interactions.py FOLDER [CACHE]` prints what every page's questions cost on a release.

FOLDER holds a release (such as `python -m release_core demo --only fraud-model --size 10000000` makes); its cube is built
or taken from CACHE. Figures are CPU milliseconds (user + system, all threads), the middle of several as-of steps, on both
kinds of stages (both versions score, and arms). The columns:

first     the first visit at a stage after what the app does ahead of its readers; its screens are visited in the order of this file
as-of     everything that the screen shows, at a new as-of step
filter    the same as of a step that is known, within a new segment; the first by a dimension may read its cells
click     what a choice on the screen adds, the rest of the page being there already
again     the whole screen computed anew from cells at hand
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core import ahead, cube, library, manifest, memory
from release_core.release import Costs, Stage
from release_core.views import (
    answerable,
    attribution,
    business,
    calibration,
    cutoff_capacity,
    cutoff_tables,
    cutoffs,
    delay,
    disagreement,
    expected,
    health,
    labels,
    mix,
    nowcast,
    overview,
    recalibration,
    rollback,
    runtime,
    score_drift,
    segments,
    selection,
    sign_off,
    slices,
    stops,
    then_now,
    timeline,
    transfer,
    windows,
)
from release_core.views.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Work = Callable[[View], object]

GOAL = 50.0
TIMES = 5
COLUMNS = ("first", "as-of", "1st filter", "filter", "click", "again")


class Screen(NamedTuple):
    """A page in one state: what it always computes, what this state adds, and what the state before showed `instead` of that."""

    page: str
    state: str
    base: tuple[Work, ...]
    part: tuple[Work, ...] = ()
    instead: tuple[Work, ...] = ()


def dim(view: View, place: int = 0) -> str:
    """Return a dimension that the view does not filter by."""
    return [name for name in view.release.segments.all if name not in dict(view.where)][place]


def ask(view: View) -> cutoffs.Ask:
    """Return what the Cutoffs page asks first."""
    typed = cutoffs.defaults(view)
    return cutoffs.Ask("", "", typed.get("review"), typed.get("block"), cutoffs.costs_of(view))


def costs(view: View) -> Costs:
    """Return the unit costs."""
    return cutoffs.costs_of(view)


# The page keeps its answers (read.page): a row that is looked into, or another picture of it, computes none of them again.
split, looked, served_by = map(memory.of_cube(512), (segments.segments, segments.drill, runtime.page))


def drilled(view: View, metric: str = "recall", picture: str = "Scores") -> object:
    """Return the worst segment in detail, as the page does, with one picture of it."""
    rows = split(view, metric, (dim(view),)).rows
    where = segments.where_of(rows[0]["key"]) if rows else ()
    return rows and [looked(view, where), picture and segments.picture(view, where, picture)]


def screens() -> Iterator[Screen]:
    """Yield every page in each of its states."""
    speaks: Work = selection.speaks
    yield Screen("Overview", "", (overview.overview, stops.page, speaks))
    yield Screen("Sign-off", "", (sign_off.sign_off,))
    yield Screen("Stop rules", "", (stops.page,))
    yield Screen("Rollback", "", (rollback.page, lambda v: rollback.by_segment(v, dim(v))))
    yield Screen("Data health", "", (health.health,))
    yield Screen("Attribution", "", (attribution.page, attribution.split))
    yield Screen("History", "", (lambda v: timeline.timeline(v, []),))
    yield from _live()
    yield from _drift()
    yield from _segments()
    yield from _cutoffs()
    yield from _calibration()
    yield from _labels()
    chart: Work = lambda v: selection.score_map(v, "candidate")  # noqa: E731
    yield Screen("Selective labels", "", (selection.page, selection.score_map))
    yield Screen("Selective labels", "other score", (selection.page,), (chart,))
    yield Screen(
        "Selective labels", "hold-out", (selection.page, selection.score_map), (lambda v: selection.sizing(v, 0.1),)
    )
    base: tuple[Work, ...] = (disagreement.page,)
    yield Screen("Disagreement", "", (*base, lambda v: disagreement.by_segment(v, dim(v))))
    yield Screen("Disagreement", "other dimension", base, (lambda v: disagreement.by_segment(v, dim(v, 1)),))


def _live() -> Iterator[Screen]:
    sample: Work = lambda v: [runtime.sampled(v, name) for name in served_by(v).gauges[:1]]  # noqa: E731
    served: tuple[Work, ...] = (served_by, sample)
    first: Work = lambda v: runtime.over_time(v, runtime.offered(v)[0])  # noqa: E731
    last: Work = lambda v: runtime.over_time(v, runtime.offered(v)[-1])  # noqa: E731
    yield Screen("Runtime", "", (*served, first))
    yield Screen("Runtime", "another metric", served, (last,), (first,))
    yield Screen("Runtime", "every stage", (*served, first), (runtime.stages,))

    def compared(view: View, place: int = 0) -> object:
        found = business.comparable(view)
        return business.by_segment(view, found[0], dim(view, place)) if found else None

    def at_age(view: View) -> object:
        found = business.reached(view)
        return [business.at_age(view, found[-1]), business.ages(view, business.kinds(view)[0])] if found else None

    base: tuple[Work, ...] = (business.page, at_age)
    yield Screen("Business", "", (*base, compared))
    yield Screen("Business", "other dimension", base, (lambda v: compared(v, 1),), (compared,))


def _drift() -> Iterator[Screen]:
    base: tuple[Work, ...] = (score_drift.score_drift,)
    yield Screen("Score drift", "swap set", base, (score_drift.swaps,))
    yield Screen("Score drift", "distribution", base, (score_drift.shape,))
    linear: Work = lambda v: score_drift.shape(v, True)  # noqa: E731
    yield Screen("Score drift", "linear axis", base, (linear,), (score_drift.shape,))
    yield Screen(
        "Score drift",
        "over time",
        base,
        (lambda v: score_drift.over_time(v, "alert_rate", next(iter(score_drift.periods(v)))),),
    )
    yield Screen("Score drift", "by segment", base, (lambda v: score_drift.by_segment(v, dim(v)),))
    yield Screen("Score drift", "score map", base, (score_drift.both_scores,))
    for rule in transfer.RULES:
        headline: Work = lambda v, rule=rule: transfer.headline(v, rule)  # type: ignore[misc] # noqa: E731
        rows: Work = lambda v, rule=rule: transfer.rows_of(v, "", rule)  # type: ignore[misc] # noqa: E731
        each: Work = lambda v, rule=rule: transfer.rows_of(v, dim(v) if not v.where else "", rule)  # type: ignore[misc] # noqa: E731
        yield Screen("Score drift", f"transfer {rule}", base, (headline, rows))
        yield Screen("Score drift", f"transfer {rule} by segment", (*base, headline), (each,))


def _segments() -> Iterator[Screen]:
    base: tuple[Work, ...] = (selection.speaks, segments.comparable)
    for metric in ("recall", "alert_rate", "auc"):
        worst: Work = lambda v, m=metric: drilled(v, m)  # type: ignore[misc] # noqa: E731
        yield Screen("Segments", f"{metric} by one", base, (lambda v, m=metric: split(v, m, (dim(v),)), worst))  # type: ignore[misc]
    one: Work = lambda v: split(v, "recall", (dim(v),))  # noqa: E731
    yield Screen("Segments", "click on a row", (*base, one), (drilled,))
    unpictured: Work = lambda v: drilled(v, picture="")  # noqa: E731
    pictured: Work = lambda v: drilled(v, picture="Calibration")  # noqa: E731
    yield Screen("Segments", "calibration of a row", (*base, one, unpictured), (pictured,))
    other: Work = lambda v: split(v, "recall", (dim(v, 1),))  # noqa: E731
    yield Screen("Segments", "other dimension", base, (other,), (one,))
    yield Screen("Segments", "recall by two", base, (lambda v: split(v, "recall", (dim(v), dim(v, 1))),))
    three = lambda v: split(v, "recall", tuple(dim(v, n) for n in range(3 - len(v.where))))  # noqa: E731
    yield Screen("Segments", "recall by three", base, (three,))
    for metric in ("recall", "alert_rate"):
        found: tuple[Work, ...] = (
            lambda v, m=metric: slices.searched(v, m),
            lambda v, m=metric: slices.ranked(v, m, "sure"),
        )  # type: ignore[misc]
        yield Screen("Segments", f"worst slices, {metric}", (*base, slices.searchable), found)
    yield Screen(
        "Segments",
        "mix or rate",
        (*base, mix.splittable),
        (lambda v: mix.mixed(v, next(iter(dict(mix.splittable(v)))), dim(v)),),
    )


def _cutoffs() -> Iterator[Screen]:
    now: Work = lambda v: cutoffs.cutoffs(v, ask(v))  # noqa: E731
    base: tuple[Work, ...] = (now, cutoff_tables.in_force)
    yield Screen("Cutoffs", "all events", base)
    moved: Work = lambda v: cutoffs.cutoffs(v, replace(ask(v), review=0.06))  # noqa: E731
    yield Screen("Cutoffs", "another cutoff", (cutoff_tables.in_force,), (moved,), (now,))
    panels: tuple[Work, ...] = (
        lambda v: cutoffs.panels(v, dim(v), costs(v), "review"),
        lambda v: cutoffs.explained(v, dim(v), costs(v)),
    )
    yield Screen("Cutoffs", "segment by segment", base, panels)
    for worst in (False, True):
        yield Screen(
            "Cutoffs",
            f"capacity{', busiest period' * worst}",
            base,
            (lambda v, w=worst: cutoff_capacity.within(v, dim(v), costs(v), 100.0, worst=w),),
        )  # type: ignore[misc]
    yield Screen(
        "Cutoffs",
        "edited table",
        base,
        (lambda v: cutoff_tables.start(v, dim(v), costs(v), 100.0, "candidate"),),
    )


def _calibration() -> Iterator[Screen]:
    base: tuple[Work, ...] = (calibration.calibration, selection.speaks)
    yield Screen("Calibration", "", (*base, lambda v: calibration.by_segment(v, dim(v))))
    yield Screen("Calibration", "other dimension", base, (lambda v: calibration.by_segment(v, dim(v, 1)),))

    yield Screen("Calibration", "parts of the loss", base, (calibration.losses,))

    def recalibrated(view: View, method: str = "") -> object:
        offered = [one for one in windows.dims(view) if windows.fits(view, one)]
        if not offered:
            return None
        fit = windows.fits(view, offered[0])[0]
        judge = windows.judges(view, offered[0], fit)[0]
        return recalibration.recalibration(
            view, offered[0], fit, judge, method or windows.advised(view, offered[0], fit)
        )

    yield Screen("Calibration", "what if recalibrated", base, (recalibrated,))
    isotonic: Work = lambda v: recalibrated(v, "isotonic")  # noqa: E731
    yield Screen("Calibration", "another method", base, (isotonic,), (recalibrated,))


def _labels() -> Iterator[Screen]:
    base: tuple[Work, ...] = (labels.labels,)
    course = next
    quality: tuple[Work, ...] = (
        *base,
        nowcast.quality,
        delay.counts,
        lambda v: nowcast.by_cohort(v, course(iter(nowcast.offered(v)))),
    )
    each: Work = lambda v: nowcast.by_segment(v, course(iter(nowcast.offered(v))), v.release.segments.all[0])  # noqa: E731
    yield Screen("Labels", "quality now", quality)
    yield Screen("Labels", "quality now, by segment", quality, (each,))
    yield Screen(
        "Labels",
        "how fast",
        base,
        (
            lambda v: delay.curves(v, next(iter(delay.kinds(v))), next(iter(delay.splits(v)))),
            lambda v: delay.triangle(v, delay.actions(v)[0]),
            delay.counts,
        ),
    )
    split: Work = lambda v: delay.curves(v, next(iter(delay.kinds(v))), delay.splits(v)[-1])  # noqa: E731
    yield Screen("Labels", "how fast, by segment", base, (split,))
    yield Screen("Labels", "when gates can answer", base, (answerable.answerable,))
    yield Screen(
        "Labels",
        "then and now",
        base,
        (lambda v: then_now.then_now(v, max((s for s in v.opened.cube.steps if s < v.step), default=None)),),
    )
    yield Screen("Labels", "without labels", base, (lambda v: expected.estimated(v, next(iter(expected.offered(v)))),))


def cold(opened: library.Opened) -> None:
    """Forget every answer, as if the program had just opened the release and read ahead."""
    memory.forget()
    opened.cube.forget()


def ms(works: tuple[Work, ...], view: View) -> float:
    """Return the CPU milliseconds that the works take."""
    before = time.process_time()
    for work in works:
        work(view)
    return 1000 * (time.process_time() - before)


def measured(opened: library.Opened, stage: Stage, screen: Screen) -> dict[str, float]:
    """Return the columns of a screen."""
    steps = [step for step in opened.cube.steps if opened.cube.days(stage, step) > 0]
    # Late steps, so that there are labels; each is used once.
    fresh = iter(steps[::-1][1:])
    cold(opened)
    works = (*screen.base, *screen.part)
    last = View(opened, stage, steps[-1])
    ms(works, last)
    found = {"as-of": middle(ms(works, View(opened, stage, step)) for step in islice(fresh, TIMES))}
    name = opened.release.segments.all[0]
    values = opened.cube.values(name)[:TIMES]
    within = [ms(works, View(opened, stage, steps[-1], ((name, value),))) for value in values]
    found |= {"1st filter": next(iter(within), float("nan")), "filter": middle(iter(within))}
    clicks = []
    for step in islice(fresh, TIMES if screen.part else 0):
        view = View(opened, stage, step)
        ms((*screen.base, *screen.instead), view)
        clicks.append(ms(screen.part, view))
    found["click"] = middle(iter(clicks))
    found["again"] = min(anew(works, last) for _ in range(TIMES))
    return found


def anew(works: tuple[Work, ...], view: View) -> float:
    """Return the CPU milliseconds of works of which the pages' own answers are forgotten."""
    for answered in (segments.segments, segments.drill, runtime.page):
        view.opened.cube.answers.pop(answered, None)
    return ms(works, view)


def middle(values: Iterator[float]) -> float:
    """Return the median; NaN of none, where a stage has too few as-of steps."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def main() -> None:
    """Print the table, the dearest screen first."""
    folder = Path(sys.argv[1])
    release = manifest.load(folder)
    os.environ.setdefault("RELEASE_REVIEW_LEDGER", str(folder.parent / "ledger.sqlite"))
    cache = Path(sys.argv[2]) if len(sys.argv) > 2 else folder.parent.parent / "cache" / folder.name
    before = time.process_time()
    published = cube.build(release, cache)
    say(f"cube at hand, CPU s {time.process_time() - before:.1f}")
    before = time.process_time()
    opened = library.Opened(release, cube.Cube(release, published), "bench")
    say(f"opened, CPU ms {1000 * (time.process_time() - before):.0f}")
    before = time.process_time()
    for _ in ahead.everything(opened):
        pass
    say(f"judged and read, as the app does ahead of its readers, CPU s {time.process_time() - before:.1f}")
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    table(opened, wanted)


def table(opened: library.Opened, wanted: str = "") -> None:
    """Print the screens whose name begins with, or holds, one of the names in `wanted` (set apart by commas)."""
    rows = []
    asked = {
        f"{stage} · {screen.page}{' · ' * bool(screen.state)}{screen.state}": (stage, screen)
        for stage in opened.cube.stages()
        for screen in screens()
    }
    asked = {name: one for name, one in asked.items() if any(part in name for part in wanted.split(","))}
    first = {
        name: ms((*screen.base, *screen.part), View(opened, stage, opened.cube.steps[-1]))
        for name, (stage, screen) in asked.items()
    }
    for name, (stage, screen) in asked.items():
        try:
            rows.append((name, {"first": first[name]} | measured(opened, stage, screen)))
        except Exception as error:
            say(f"{name}: {type(error).__name__}: {error}")
    over = sum(max(row["as-of"], row["filter"]) > GOAL for _, row in rows)
    say(f"{'CPU ms; goal 50':<64}" + "".join(f"{column:>11}" for column in COLUMNS))
    for name, row in sorted(rows, key=lambda one: -one[1]["as-of"]):
        say(f"{name:<64}" + "".join(f"{row[column]:>11.0f}" for column in COLUMNS))
    say(f"{over} of {len(rows)} screens above the goal at a new as-of step or filter")


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

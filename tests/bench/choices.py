"""Choices: `python tests/bench/choices.py FOLDER [CACHE]` prints which of all that pages let readers choose costs most on a release.

Where `interactions.py` times whole screens in some states, this asks every metric, dimension, kind of outcome, cutoff and method
that a page offers, one question after another: at a new as-of step, within the first filter by a dimension, and within the next.
CPU milliseconds (user + system, all threads), after what the app does ahead of its readers.
"""

from __future__ import annotations

import os
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from release_core import ahead, cube, library, manifest
from release_core.errors import ReleaseReviewError
from release_core.views import (
    attribution,
    business,
    calibration,
    cutoff_capacity,
    cutoff_tables,
    cutoffs,
    delay,
    disagreement,
    expected,
    mix,
    nowcast,
    recalibration,
    rollback,
    runtime,
    score_drift,
    segments,
    slices,
    transfer,
    windows,
)
from release_core.views.view import View
from tests.bench.interactions import GOAL, cold, ms, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # A page's function with what is chosen, but for the view.
    Question = tuple[Callable[..., object], tuple[object, ...]]

SHOWN = 25
COLUMNS = ("as-of", "1st filter", "filter")


def questions(view: View) -> Iterator[Question]:
    """Yield every question that pages offer on a view; dimensions that it filters by have been left out."""
    dims = [dim for dim in view.release.segments.all if dim not in dict(view.where)]
    yield from _segments(view, dims)
    yield from _scores(view, dims)
    yield from _cutoffs(view, dims)
    yield from _labels(view)
    for effect in attribution.offered(view):
        yield attribution.page, (effect,)
    for name in runtime.offered(view):
        yield runtime.over_time, (name,)
    for hours in business.reached(view):
        yield business.at_age, (hours,)
    for kind in business.kinds(view):
        yield business.ages, (kind,)
    for dim in dims:
        yield from ((business.by_segment, (name, dim)) for name in business.comparable(view))
        yield disagreement.by_segment, (dim,)
        yield rollback.by_segment, (dim,)


def _segments(view: View, dims: list[str]) -> Iterator[Question]:
    for metric, _ in segments.comparable(view):
        for place, dim in enumerate(dims):
            yield segments.segments, (metric, (dim,))
            yield from ((segments.segments, (metric, (dim, other))) for other in dims[place + 1 :])
        yield segments.segments, (metric, tuple(dims[: 3 - len(view.where)]))
    for metric, _ in slices.searchable(view):
        yield slices.searched, (metric,)
        yield from ((slices.ranked, (metric, order)) for order in slices.ORDERS)
    for metric, _ in mix.splittable(view):
        yield from ((mix.mixed, (metric, dim)) for dim in dims)


def _scores(view: View, dims: list[str]) -> Iterator[Question]:
    for period in score_drift.periods(view):
        yield from ((score_drift.over_time, (name, period)) for name in ("alert_rate", "review_rate", "block_rate"))
    for dim in dims:
        yield score_drift.by_segment, (dim,)
        yield calibration.by_segment, (dim,)
    for rule in transfer.RULES:
        yield transfer.headline, (rule,)
        yield from ((transfer.rows_of, (dim, rule)) for dim in ("", *dims))
    for dim in windows.dims(view):
        for fit in windows.fits(view, dim)[:2]:
            for judge in windows.judges(view, dim, fit)[:1]:
                for method in ("platt", "isotonic", "beta"):
                    yield recalibration.recalibration, (dim, fit, judge, method)


def _cutoffs(view: View, dims: list[str]) -> Iterator[Question]:
    costs = cutoffs.costs_of(view)
    for dim in dims:
        yield from ((cutoffs.panels, (dim, costs, action)) for action in ("review", "block"))
        yield cutoffs.explained, (dim, costs)
        yield from ((partial(cutoff_capacity.within, worst=worst), (dim, costs, 100.0)) for worst in (False, True))
        yield from ((cutoff_tables.start, (dim, costs, 100.0, name)) for name in cutoff_tables.STARTS)
        for segment in cutoffs.segments(view, dim)[:2]:
            yield cutoffs.cutoffs, (cutoffs.Ask(dim, segment, 0.05, 0.2, costs),)


def _labels(view: View) -> Iterator[Question]:
    for name in nowcast.offered(view):
        yield nowcast.by_cohort, (name,)
        yield from ((nowcast.by_segment, (name, dim)) for dim in view.release.segments.all)
    for name in expected.offered(view):
        yield expected.estimated, (name,)
    for kind in delay.kinds(view):
        yield from ((delay.curves, (kind, split)) for split in delay.splits(view))
    for action in delay.actions(view):
        yield delay.triangle, (action,)


def asked(view: View, question: Question) -> float:
    """Return the CPU milliseconds of a question; NaN where it has no answer here."""
    function, chosen = question
    try:
        return ms((lambda one: function(one, *chosen),), view)
    except ReleaseReviewError:
        return float("nan")


def measured(opened: library.Opened, view: View, question: Question) -> tuple[float, ...]:
    """Return the columns of a question."""
    before = [step for step in opened.cube.steps if opened.cube.days(view.stage, step) > 0][-4:-1]
    cold(opened)
    asked(view, question)
    times = [asked(View(opened, view.stage, step), question) for step in before]
    # A filter by the last dimension: most splits offered first are by others.
    dim = opened.release.segments.all[-1]
    cold(opened)
    within = [
        asked(View(opened, view.stage, view.step, ((dim, value),)), question) for value in opened.cube.values(dim)
    ]
    return statistics.median(times), within[0], statistics.median(within[1:] or within)


def main() -> None:
    """Print how many questions of each stage are above the goal, and the dearest."""
    folder = Path(sys.argv[1])
    release = manifest.load(folder)
    os.environ.setdefault("RELEASE_REVIEW_LEDGER", str(folder.parent / "ledger.sqlite"))
    cache = Path(sys.argv[2]) if len(sys.argv) > 2 else folder.parent.parent / "cache" / folder.name
    opened = library.Opened(release, cube.Cube(release, cube.build(release, cache)), "bench")
    for _ in ahead.everything(opened):
        pass
    for stage in opened.cube.stages():
        view = View(opened, stage, opened.cube.steps[-1])
        rows = {_named(question): measured(opened, view, question) for question in questions(view)}
        over = [sum(row[place] > GOAL for row in rows.values()) for place in range(len(COLUMNS))]
        say(f"{stage}: {len(rows)} questions; above {GOAL:.0f} CPU ms: {dict(zip(COLUMNS, over, strict=True))}")
        for name, row in sorted(rows.items(), key=lambda one: -np.nanmax((0.0, *one[1])))[:SHOWN]:
            say(f"  {name:<110}" + "".join(f"{value:>8.0f}" for value in row))


def _named(question: Question) -> str:
    function, chosen = question
    plain = function.func if isinstance(function, partial) else function
    words = [
        f"{plain.__module__.rpartition('.')[2]}.{plain.__name__}",
        *(str(one) for one in chosen if not hasattr(one, "currency")),
    ]
    return " ".join(words)[:110] + ("" if plain is function else " worst")


if __name__ == "__main__":
    main()

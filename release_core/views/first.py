"""A view in; what pages first ask of it, out: questions that are asked ahead of readers.

Most of what an answer takes the first time is made once: what holds at every as-of step, and the sums of a split. A first visit
finds it made. What the release has none of is not asked.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from release_core.errors import ReleaseReviewError
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
    slices,
    stops,
    timeline,
    transfer,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from release_core.views.view import View

    Question = Callable[[], object]

# What is asked of all events of a choice together.
WHOLE: tuple[Callable[[View], object], ...] = (
    overview.overview, stops.page, selection.speaks, timeline.judged, rollback.page, health.health,
    score_drift.score_drift, score_drift.swaps, score_drift.shape, score_drift.both_scores,
    segments.comparable, slices.searchable, mix.splittable, disagreement.page, attribution.page, attribution.split,
    cutoff_tables.in_force, calibration.calibration, calibration.losses, labels.labels, nowcast.quality, delay.counts,
    answerable.answerable, selection.page, selection.score_map, runtime.page, runtime.stages, business.page,
)  # fmt: skip


def questions(view: View) -> Iterator[Question]:
    """Yield what pages first ask of a view: of all its events, of what is offered first of several, and by every dimension."""
    yield from (partial(function, view) for function in WHOLE)
    for part in (_drift, _segments, _labels, _live, _recalibrated):
        # What is offered may be a question without an answer.
        with suppress(ReleaseReviewError):
            yield from part(view)
    for dim in view.release.segments.all:
        yield from _by(view, dim)


def _drift(view: View) -> Iterator[Question]:
    for rule in transfer.RULES:
        yield partial(transfer.headline, view, rule)
        yield partial(transfer.rows_of, view, "", rule)
    for period in list(score_drift.periods(view))[:1]:
        yield partial(score_drift.over_time, view, "alert_rate", period)


def _segments(view: View) -> Iterator[Question]:
    for metric, _ in slices.searchable(view)[:1]:
        yield partial(slices.searched, view, metric)
        yield partial(slices.ranked, view, metric)


def _labels(view: View) -> Iterator[Question]:
    for name in list(nowcast.offered(view))[:1]:
        yield partial(nowcast.by_cohort, view, name)
        yield from (partial(nowcast.by_segment, view, name, dim) for dim in view.release.segments.all)
    for name in list(expected.offered(view))[:1]:
        yield partial(expected.estimated, view, name)
    for kind in list(delay.kinds(view))[:1]:
        yield from (partial(delay.curves, view, kind, split) for split in delay.splits(view))
    yield from (partial(delay.triangle, view, action) for action in delay.actions(view)[:1])


def _live(view: View) -> Iterator[Question]:
    yield from (partial(runtime.over_time, view, name) for name in runtime.offered(view)[:1])
    for hours in business.reached(view)[-1:]:
        yield partial(business.at_age, view, hours)
        yield from (partial(business.ages, view, kind) for kind in business.kinds(view)[:1])
    for name in business.comparable(view)[:1]:
        yield from (partial(business.by_segment, view, name, dim) for dim in view.release.segments.all)


def _recalibrated(view: View) -> Iterator[Question]:
    for dim in windows.dims(view)[:1]:
        for fit in windows.fits(view, dim)[:1]:
            for judge in windows.judges(view, dim, fit)[:1]:
                method = windows.advised(view, dim, fit)
                yield partial(recalibration.recalibration, view, dim, fit, judge, method)


def _by(view: View, dim: str) -> Iterator[Question]:
    """Yield what is asked by a dimension."""
    yield from (partial(segments.segments, view, metric, (dim,)) for metric, _ in segments.comparable(view))
    yield from (partial(transfer.rows_of, view, dim, rule) for rule in transfer.RULES)
    for page in (score_drift.by_segment, disagreement.by_segment, calibration.by_segment, rollback.by_segment):
        yield partial(page, view, dim)
    costs = cutoffs.costs_of(view)
    yield partial(cutoffs.panels, view, dim, costs, "review")
    yield partial(cutoffs.explained, view, dim, costs)
    if costs.review_capacity_per_day is not None:
        yield partial(cutoff_capacity.within, view, dim, costs, costs.review_capacity_per_day)

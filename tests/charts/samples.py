"""One sample of every chart, by name, with numbers made up by hand: what the tests check and the gallery shows."""

from __future__ import annotations

from release_core import charts
from tests.charts.sample_live import a_day, aged, sampled, waiting, waiting_ahead
from tests.charts.sample_rows import (
    ACTIONS,
    CAPTION,
    COURSE,
    CUTOFFS,
    OF,
    READINGS,
    action_shares,
    ages,
    band,
    bins,
    causes,
    cells,
    cohorts,
    cost_points,
    covered,
    curves,
    expit,
    flows,
    map_cells,
    maturing,
    months,
    past,
    quantile_rows,
    ratios,
    readings,
    segments,
    shares,
    shifts,
    slice_rows,
    spread,
    steps,
    tail_points,
    trade_points,
    two_times,
)


def full(drag=None):
    """Return every chart, filled."""
    return {
        "forest": charts.forest(segments(), CAPTION, metric="Recall", margin=0.02),
        "distribution": charts.distribution(bins(), CUTOFFS, CAPTION),
        "distribution_log": charts.distribution(bins(), CUTOFFS, CAPTION, log=True),
        "reliability": charts.reliability(curves(), band(), bins(), CAPTION),
        "recalibrated": charts.recalibrated(curves(), band(), bins(), CAPTION),
        "ratios": charts.ratios(ratios(), CAPTION, split="age"),
        "trade": charts.trade(trade_points(), CUTOFFS, CAPTION, drag={"review": drag or 0.5}),
        "cost": charts.cost(cost_points(), CUTOFFS, CAPTION, currency="NT$ per 1,000 events"),
        "cost_review": charts.cost(cost_points(), CUTOFFS, CAPTION, moved={"review": 0.4}, alike=(0.2, 0.6), top=1500),
        "panel": charts.panel(
            "age <26", cost_points(), CAPTION, now=0.3, advised=0.4, flat=(0.3, 0.5), limits=([0.2, 0.6], 2000)
        ),
        "by_age": charts.by_age(ages(), CAPTION, maturity_days=60),
        "by_step": charts.by_step(steps(), CAPTION, as_of="2005-08-28"),
        "queue": charts.queue(waiting(), waiting_ahead(), CAPTION, limit=280, overflow="2026-03-04T04:00"),
        "gauge": charts.gauge(sampled(), CAPTION, name="cpu utilisation", unit="share", limit=0.85),
        "ages": charts.ages(aged(), CAPTION, what="complaint"),
        "daily": charts.daily(a_day(), CAPTION, question="What does a day have more of?", what="events a day"),
        "curves": charts.curves(maturing(), CAPTION, what="label bad", maturity_days=45),
        "triangle": charts.triangle(cohorts(), CAPTION, what="all together"),
        "course": charts.course(readings(), READINGS, CAPTION, **COURSE),
        "dumbbell": charts.dumbbell(two_times(), CAPTION, then="2026-03-21", now="2026-04-30"),
        "timeline": charts.timeline(
            months(), CAPTION, metric="Alert rate", marks=[{"step": "2005-07-01", "label": "codes change"}], limit=0.26
        ),
        "heatmap": charts.heatmap(cells(), CAPTION, dims=("age", "limit"), metric="Recall"),
        "history": charts.history(**past(), caption=CAPTION, as_of="2026-03-20T00:00:00"),
        "share_above": charts.share_above(shares(), CAPTION),
        "transition": charts.transition(flows(), ACTIONS, CAPTION),
        "coverage": charts.coverage(covered(), CAPTION, version="baseline"),
        "rates": charts.rates(spread(), CAPTION, question="Who is treated differently?", overall=0.03, **OF),
        "score_map": charts.score_map(map_cells(), [expit(-4 + i) for i in range(9)], CUTOFFS, CAPTION),
        "quantiles": charts.quantiles(quantile_rows(), ["p50", "p90", "p99"], CUTOFFS, CAPTION),
        "mix": charts.mix(action_shares(), CAPTION),
        "tail": charts.tail(tail_points(), CUTOFFS, CAPTION),
        "forest_slices": charts.forest(slice_rows(), CAPTION, metric="Recall", margin=0.02, sort=False),
        "shift": charts.shift(shifts(), CAPTION, metric="Recall", unit="share", first="2005-04", second="2005-05"),
        "waterfall": charts.waterfall(causes(), CAPTION, effect="Review rate", unit="share", better="neither"),
        "waterfall_money": charts.waterfall(causes(), CAPTION, effect="Cost", unit="EUR", better="lower"),
    }


def empty():
    """Return every chart with nothing to draw."""
    return {
        "shift": charts.shift([], CAPTION, metric="Recall", unit="share", first="a", second="b"),
        "forest": charts.forest([], CAPTION, metric="Recall", margin=0.02),
        "daily": charts.daily([], CAPTION, question="What does a day have more of?", what="events a day"),
        "distribution": charts.distribution([], [], CAPTION),
        "reliability": charts.reliability({}, [], [], CAPTION),
        "recalibrated": charts.recalibrated({}, [], [], CAPTION),
        "ratios": charts.ratios([], CAPTION, split="age"),
        "trade": charts.trade([], [], CAPTION),
        "cost": charts.cost([{"cutoff": 0.5, "baseline": None, "candidate": None}], [], CAPTION),
        "panel": charts.panel("age <26", [], CAPTION),
        "by_age": charts.by_age([], CAPTION),
        "by_step": charts.by_step([], CAPTION),
        "queue": charts.queue([], [], CAPTION, limit=None, overflow=None),
        "gauge": charts.gauge([], CAPTION, name="cpu utilisation"),
        "ages": charts.ages([], CAPTION, what="complaint"),
        "curves": charts.curves([], CAPTION, what="label bad"),
        "triangle": charts.triangle([], CAPTION, what="all together"),
        "course": charts.course([], READINGS, CAPTION, **COURSE),
        "dumbbell": charts.dumbbell([], CAPTION, then="2026-03-21", now="2026-04-30"),
        "timeline": charts.timeline([], CAPTION, metric="Alert rate"),
        "heatmap": charts.heatmap([], CAPTION, dims=("age", "limit"), metric="Recall"),
        "history": charts.history([], [], CAPTION),
        "share_above": charts.share_above([], CAPTION),
        "transition": charts.transition([], ACTIONS, CAPTION),
        "coverage": charts.coverage([], CAPTION, version="baseline"),
        "rates": charts.rates([], CAPTION, question="Who is treated differently?", **OF),
        "score_map": charts.score_map([], [0.1, 0.2], CUTOFFS, CAPTION),
        "quantiles": charts.quantiles([], ["p50"], CUTOFFS, CAPTION),
        "mix": charts.mix([], CAPTION),
        "tail": charts.tail([], CUTOFFS, CAPTION),
        "waterfall": charts.waterfall([], CAPTION, effect="Review rate", unit="share", better="neither"),
    }

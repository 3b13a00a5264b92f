"""The Runtime and Business pages on a live stage, on a replay and on a log without serving columns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from release_core import review
from release_core.release import Stage
from release_core.views import business, runtime, segments
from release_core.views.view import View
from tests import factory, lived

COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"amount_times": 0.9}}


@pytest.fixture(scope="module")
def log():
    return lived.decisions(1600, seed=21)


@pytest.fixture(scope="module")
def view(log, tmp_path_factory):
    folder = factory.write(tmp_path_factory.mktemp("pages") / "r", log, lived.outcomes(log), costs=COSTS)
    (folder / "runtime").mkdir()
    lived.runtime().to_parquet(folder / "runtime" / "0.parquet", index=False)
    opened = factory.opened(folder)
    return View(opened, Stage.CANARY, opened.cube.steps[-1])


@pytest.fixture(scope="module")
def replay(log, tmp_path_factory):
    old = factory.decisions(800, seed=22)
    opened = factory.opened(
        factory.write(tmp_path_factory.mktemp("replay") / "r", old, factory.outcomes(old), costs=COSTS)
    )
    return View(opened, Stage.REPLAY, opened.cube.steps[-1])


def test_runtime_lists_every_budget_with_its_verdict_and_watches_the_rest(view):
    page = runtime.page(view)
    judged = {row["metric"]: row for row in page.budgets if row["judged"]}
    assert set(judged) == {
        "latency_p99", "latency_p95", "error_rate", "fallback_rate", "serving_cost", "utilisation", "review_queue_hours_to_limit",
    }  # fmt: skip
    found = {row.metric: row for row in review.review(view.opened, view.stage, view.step).rows}
    assert all(row["verdict"] == found[name].verdict.name for name, row in judged.items())
    assert judged["latency_p99"]["budget"] == "at most 250 ms"
    assert next(row["verdict"] for row in page.budgets) == "FAIL"
    assert page.headline.startswith(("One of 7 budgets is broken", "2 of 7 budgets are broken"))
    assert {row["metric"] for row in page.budgets} >= {"latency_p50", "review_queue_depth"}


def test_runtime_over_time_shows_each_step_on_its_own_against_the_budget(view, log):
    chart = runtime.over_time(view, "error_rate")
    day = log["event_time"].dt.floor("D") == factory.START + pd.Timedelta(days=3)
    mine = log[day & (log["arm"] == "candidate")]
    row = next(row for row in chart.data if row["step"].startswith("2026-01-04"))
    assert row["candidate"] == pytest.approx(mine["candidate_error"].notna().mean())
    assert row["candidate_low"] <= row["candidate"] <= row["candidate_high"]
    limits = [trace for trace in chart.spec["data"] if trace.get("name") == "limit"]
    assert limits[0]["y"] == [0.02, 0.02]
    assert runtime.offered(view)[0] == "latency_p99"


def test_runtime_of_every_stage_has_both_versions_and_names_the_one_looked_at(view, log):
    rows = runtime.stages(view)
    assert {(row["stage"], row["version"]) for row in rows} == {
        (f"{stage}{' (this page)' * (stage == view.stage)}", version)
        for stage in view.opened.cube.stages()
        for version in ("baseline", "candidate")
    }
    mine = next(row for row in rows if row["stage"].endswith("(this page)") and row["version"] == "candidate")
    failed = log[(log["stage"] == "canary") & (log["arm"] == "candidate")]["candidate_error"].notna().mean()
    assert float(mine["error_rate"].split("%")[0]) == pytest.approx(100 * failed, abs=0.06)


def test_runtime_counts_the_failures_of_each_dependency(view, log):
    rows = {row["dependency"]: row for row in runtime.page(view).dependencies}
    for name, row in rows.items():
        for version in ("baseline", "candidate"):
            mine = log[log["arm"] == version]
            assert row[f"{version}_n"] == (mine[f"{version}_error"] == name).sum()
    assert set(rows) == {"cards", "graph"}


def test_the_queue_says_when_it_overflows_and_draws_the_fan(view):
    early = View(view.opened, view.stage, view.opened.cube.steps[3])
    found = runtime.page(early).queue
    assert "overflows in about" in found.headline
    assert found.facts["Capacity an hour"] == "40.0"
    assert "what the team clears in a day" in found.facts["Limit"]
    ahead = [row for row in found.chart.data if "middle" in row]
    assert all(row["low_95"] <= row["low_50"] <= row["middle"] <= row["high_50"] <= row["high_95"] for row in ahead)
    assert "has been over its limit since 2026-01-05" in runtime.page(view).queue.headline  # 320 samples of 3 cases
    assert found.full.startswith("If the candidate decided all traffic")


def test_runtime_says_what_a_replay_cannot_know(replay):
    page = runtime.page(replay)
    assert (page.verdict, page.headline) == ("NODATA", runtime.NOT_SERVED)
    assert not page.queue.chart.spec
    assert not runtime.over_time(replay, runtime.offered(replay)[0]).spec
    assert page.gauges == []


def test_samples_are_drawn_per_arm(view):
    chart = runtime.sampled(view, "cpu_utilisation")
    assert {row["arm"] for row in chart.data} == {"baseline", "candidate"}
    assert [trace["y"] for trace in chart.spec["data"] if trace.get("name") == "limit"] == [[0.85, 0.85]]


def test_business_scales_changes_to_all_traffic_of_a_day(view, log):
    page = business.page(view)
    days = view.opened.cube.days(view.stage, view.step)
    per_day = business.events_a_day(view)
    assert per_day == pytest.approx(len(log) / days)
    row = next(row for row in page.customers if row["metric"] == "complaint_rate")
    assert row["more_a_day"].startswith(business.digits.signed(row["difference"] * per_day))
    money = {row["metric"]: row for row in page.money}
    assert set(money) == {"fraud_loss", "false_positive_cost", "net_value"}
    assert "net value" in page.headline
    assert page.currency == "EUR"
    mixed = log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") > 1
    entities = log[mixed].drop_duplicates(["ramp_step", "entity_id"])
    assert page.note.startswith(f"{len(entities)} customers were seen in both arms of a ramp step and left out")
    assert f"with {mixed.sum()} events" in page.note
    assert "their requests count" in runtime.page(view).note


def test_business_by_segment_counts_each_segments_own_day(view, log):
    chart, rows = business.by_segment(view, "complaint_rate", "market")
    days = view.opened.cube.days(view.stage, view.step)
    assert {row["segment"]: row["events_a_day"] for row in rows} == {
        market: pytest.approx(n / days) for market, n in log["market"].value_counts().items()
    }
    assert {row["verdict"] for row in rows} <= {"OBSERVE", "NODATA", "PASS", "INCONCLUSIVE", "FAIL", "MARGINAL"}
    assert chart.spec
    assert "conversion_rate" in business.comparable(view)


def test_outcomes_are_shown_at_the_age_that_was_chosen(view, log):
    hours = business.reached(view)
    assert {24, 720} <= set(hours)
    assert hours == sorted(hours)
    told = lived.outcomes(log)
    log = log[log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") == 1]
    told = told.merge(log[["event_id", "event_time", "arm"]])
    soon = told[(told["observed_at"] - told["event_time"] < pd.Timedelta(hours=24)) & (told["outcome"] == "complaint")]
    row = next(row for row in business.at_age(view, 24) if row["kind"] == "complaint")
    assert row["n"] == len(log)
    rough = soon.loc[soon["arm"] == "candidate", "event_id"].nunique() / (log["arm"] == "candidate").sum()
    curve = business.ages(view, "complaint").data
    assert [point["age_days"] for point in curve] == [age / 24 for age in hours]
    day = next(point for point in curve if point["age_days"] == 1)
    # Arms are compared within ramp steps, which moves a level a little.
    assert day["candidate"] == pytest.approx(rough, abs=0.02)
    assert all(np.diff([point["baseline"] for point in curve if point["age_days"] <= 5]) >= 0)
    assert "review result: fraud" in {business.spoken(kind) for kind in business.kinds(view)}


def test_business_says_that_nothing_acts_in_a_replay(replay):
    page = business.page(replay)
    assert page.note == business.NOTHING_ACTS
    assert all(row["difference"] is None for row in page.customers)
    assert all("nothing acts" in row["reason"] for row in page.customers)
    assert [row["difference"] is None for row in page.decisions] == [False] * 4
    assert business.reached(replay) == []


def test_without_declared_costs_and_with_few_events_a_day_the_words_still_hold(tmp_path):
    log = factory.decisions(30, seed=23)
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    page = business.page(View(opened, Stage.REPLAY, opened.cube.steps[-1]))
    days = opened.cube.days(Stage.REPLAY, opened.cube.steps[-1])
    assert f"for all {30 / days:.1f} events a day" in page.headline
    assert "in money a day" in page.a_day[1].alt


def test_a_filter_of_two_dimensions_is_answered_for_the_first_and_says_so(view):
    two = View(view.opened, view.stage, view.step, (("market", "DE"), ("surface", "web")))
    assert "surface web is left out" in runtime.page(two).note
    assert "surface web is left out" in business.page(two).note


def test_segments_of_two_dimensions_together_work_in_a_live_stage(view, log):
    clean = log[log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") == 1]
    inner = replace(view, where=(("market", "DE"),))
    for one, by in ((inner, ("surface",)), (view, ("market", "surface"))):
        rows = {row["key"]: row for row in segments.segments(one, "approve_rate", by).rows}
        assert set(rows) >= {"market=DE | surface=app", "market=DE | surface=web"}
        mine = clean[(clean["market"] == "DE") & (clean["surface"] == "app")]
        n = {version: (mine["arm"] == version).sum() for version in ("baseline", "candidate")}
        assert rows["market=DE | surface=app"]["n"] == min(n.values())
        assert rows["market=DE | surface=app"]["difference"] is not None


@pytest.mark.parametrize("look", [4, -1])
def test_arms_of_two_dimensions_add_up_to_those_of_one(view, look):
    cube, step = view.opened.cube, view.opened.cube.steps[look]
    split, whole = (cube.slice(view.stage, step, ((by, ()),)).arms() for by in (("market", "surface"), ("market",)))
    deep = cube.slice(view.stage, step, ((("market", "surface"), ()),)).segments
    names = [segment["market"] for segment in deep]
    wide = [segment["market"] for segment in cube.slice(view.stage, step, ((("market",), ()),)).segments]
    for name in ("actions", "action_amounts", "joint", "events", "loss"):
        every, array = getattr(whole.tally, name), getattr(split.tally, name)
        added = np.stack([array[[n for n, market in enumerate(names) if market == one]].sum(0) for one in wide])
        np.testing.assert_allclose(added, every, rtol=1e-12, atol=1e-9)
    entered = cube.entities(view.stage).n[look].sum(-1)
    np.testing.assert_allclose(split.treated.sum(0), entered)

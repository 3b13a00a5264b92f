"""Nowcasts, estimates without labels and dates from a written log, against direct counts over its rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from release_core import review
from release_core.errors import Unanswerable
from release_core.metrics import delayed, expected
from release_core.release import Stage, Verdict
from release_core.views import answerable, delay, labels, nowcast, then_now
from release_core.views import expected as without
from release_core.views.view import View
from tests import factory

REPLAY, CANARY = Stage.REPLAY, Stage.CANARY
END = pd.Timestamp("2026-02-25")
RULES = {
    "positive": ["fraud", "chargeback"],
    "negative": ["reversed"],
    "silence": "negative",
    "maturity_days": 30,
    "steps": "day",
}


def written(rows, seed, days, start, stage):
    log = factory.decisions(rows, seed=seed, rate=0.06)
    rng = np.random.default_rng(seed)
    log["event_time"] = pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, days * 86400, rows), unit="s")
    treated = rng.random(rows)[log["entity_id"].str[1:].astype(int)] < (0.0 if stage == "replay" else 0.5)
    log["stage"], log["arm"] = stage, np.where(treated, "candidate", "baseline")
    log["event_id"] = [f"{stage}-{n}" for n in range(rows)]
    return log


def truth(log, seed):
    """Return every outcome there will ever be: alerts in days, approvals in weeks, a few reversed."""
    rng = np.random.default_rng(seed)
    score = np.where(log["arm"] == "candidate", log["candidate_score"], log["baseline_score"])
    fast = score >= 0.3
    wait = np.where(fast, rng.exponential(1.5, len(log)), np.minimum(rng.lognormal(np.log(9), 0.7, len(log)), 29))
    when = log["event_time"] + pd.to_timedelta(wait, unit="D")
    told = pd.DataFrame(
        {
            "event_id": log["event_id"],
            "outcome": np.where(fast, "fraud", "chargeback"),
            "value": "",
            "observed_at": when,
        }
    )
    told = told[log["bad"].to_numpy()]
    back = told.sample(frac=0.05, random_state=seed)
    back = back.assign(outcome="reversed", observed_at=back["observed_at"] + pd.Timedelta(days=4))
    return pd.concat([told, back], ignore_index=True)


@pytest.fixture(scope="module")
def log():
    parts = [written(9000, 1, 40, "2026-01-01", "replay"), written(5000, 2, 25, "2026-02-01", "canary")]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def every(log):
    return truth(log, 3)


@pytest.fixture(scope="module")
def opened(log, every, tmp_path_factory):
    told = every[every["observed_at"] < END]
    gate = {
        "id": "live",
        "metric": "recall",
        "comparison": "non_inferiority",
        "margin": 0.02,
        "stages": ["canary"],
        "scope": "overall",
    }
    folder = tmp_path_factory.mktemp("logs") / "fraud"
    return factory.opened(
        factory.write(folder, log, told, labels=RULES, gate=[gate], stage=[{"name": "replay"}, {"name": "canary"}])
    )


def known_at(log, every, time):
    """Return each event's known label as of a time, by the rules written out by hand (silence left aside)."""
    seen = every[every["observed_at"] < time].sort_values("observed_at").drop_duplicates("event_id", keep="last")
    return log["event_id"].map(seen.set_index("event_id")["outcome"]).isin(["fraud", "chargeback"])


def test_development_counts_what_was_known_at_every_step(opened, log, every):
    step = opened.cube.steps[-1]
    one = opened.cube.development(REPLAY, step)
    replay = log[log["stage"] == "replay"]
    assert one.events.sum() == len(replay)
    assert one.scores.sum((1, 2)) == pytest.approx(
        replay[["baseline_score", "candidate_score"]].sum().to_numpy(), rel=1e-7
    )
    for ago in (0, 3, 7):
        time = pd.Timestamp(opened.cube.end(one.ends[ago])).tz_localize(None)
        happened = replay[replay["event_time"] <= time]
        expected_count = known_at(happened, every, min(time, END)).sum()
        visible = np.arange(len(one.ends)) <= np.arange(len(one.ends))[:, None] - ago
        assert (one.positive.sum(0) * visible)[ago:].sum() == expected_count
    amounts = log["amount"][(log["stage"] == "replay") & known_at(log, every, END)].sum()
    assert one.positive_amounts.sum() == pytest.approx(amounts)


def test_development_of_segments_and_stages_adds_up(opened):
    step = opened.cube.steps[-1]
    whole = opened.cube.development(REPLAY, step)
    split = [opened.cube.development(REPLAY, step, (("market", value),)) for value in factory.DIMS["market"]]
    np.testing.assert_array_equal(sum(one.positive.sum(0) for one in split), whole.positive.sum(0))
    both, canary = opened.cube.development(CANARY, step, all_stages=True), opened.cube.development(CANARY, step)
    assert both.ends == canary.ends
    assert len(both.ends) > len(whole.ends)
    assert both.events.sum() == whole.events.sum() + canary.events.sum()
    assert both.positive.sum() == whole.positive.sum() + canary.positive.sum()
    with pytest.raises(Unanswerable):
        opened.cube.development(REPLAY, step, (("market", "DE"), ("surface", "app")))


def test_progress_is_maturity_at_every_step(opened):
    last = opened.cube.steps[-1]
    for where in ((), (("market", "DE"),)):
        found = opened.cube.progress(REPLAY, last, where)
        for step in (opened.cube.steps[5], opened.cube.steps[-9], last):
            assert found[step] == opened.cube.maturity(REPLAY, step, where)


def test_only_mature_events_when_asked(opened, log):
    step, then = opened.cube.steps[-1], opened.cube.steps[-6]
    one = opened.cube.development(REPLAY, step, (), then)
    matured = log[
        (log["stage"] == "replay")
        & (
            (log["event_time"] + pd.Timedelta(days=30)).dt.floor("D")
            <= pd.Timestamp(opened.cube.end(then)).tz_localize(None)
        )
    ]
    assert one.events.sum() == len(matured)


@pytest.mark.parametrize("name", ["recall", "precision", "fpr", "base_rate"])
def test_naive_metrics_are_those_of_the_rows(opened, log, every, name):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    one = delay.of(view)
    found = delayed.estimate(one, name, np.ones(len(one.own.ends), bool), corrected=False)
    replay = log[log["stage"] == "replay"]
    bad = known_at(replay, every, END).to_numpy()
    for version, side in enumerate(("baseline", "candidate")):
        alert = factory.actions(replay[f"{side}_score"]) != "approve"
        value = {
            "recall": alert[bad].mean(),
            "precision": bad[alert].mean(),
            "fpr": alert[~bad].mean(),
            "base_rate": bad.mean(),
        }
        assert found.value[version] == pytest.approx(value[name], rel=1e-12)


@pytest.mark.parametrize(("stage", "ago"), [("replay", 25), ("replay", 15), ("canary", 0)])
def test_nowcast_covers_what_the_same_events_finally_show(opened, log, every, stage, ago):
    step = opened.cube.steps[-1 - ago]
    view = View(opened, Stage(stage), step)
    one = delay.of(view)
    last = int(np.flatnonzero(one.ready)[0])
    until = pd.Timestamp(opened.cube.end(one.own.ends[last])).tz_localize(None)
    events = log[(log["stage"] == stage) & (log["event_time"] <= until)]
    final = known_at(events, every, pd.Timestamp("2027-01-01")).to_numpy()
    counted = delayed.count(one)
    # The count is a 95% statement: one fixed log per case, chosen before it was run.
    assert counted.low <= final.sum() <= counted.high
    assert abs(counted.final - final.sum()) < abs(counted.known - final.sum())
    recall = delayed.estimate(one, "recall", one.ready, corrected=True)
    mine = events[events["arm"] == "candidate"] if stage == "canary" else events
    bad = final[(events["arm"] == "candidate").to_numpy()] if stage == "canary" else final
    true = (factory.actions(mine["candidate_score"]) != "approve")[bad].mean()
    assert abs(recall.value[1] - true) < 3 * recall.se[1]


def test_early_delays_are_taken_from_the_older_stage_and_named(opened):
    page = delay.counts(View(opened, CANARY, opened.cube.steps[-1]))
    assert any("all stages together, whose oldest cohort" in note for note in page.notes)
    assert [row["action"] for row in page.rows] == ["approve", "review", "block", "all"]
    assert page.rows[-1]["final"] == pytest.approx(sum(row["final"] for row in page.rows[:-1]))


def test_too_early_says_why(opened):
    first = opened.cube.steps[1]
    page = delay.counts(View(opened, REPLAY, first))
    assert "too early" in page.headline
    assert page.rows[-1]["final"] is None
    rows = nowcast.quality(View(opened, REPLAY, first)).rows
    assert all(row["nowcast_candidate"] is None and row["mature_candidate"] is None for row in rows)


def test_a_rare_action_takes_the_delay_of_all_and_is_named(opened):
    one = opened.cube.development(REPLAY, opened.cube.steps[-1])
    quiet = dataclasses.replace(one, positive=one.positive * (one.taken != 1)[:, None, None])
    found = delayed.delay([quiet], explicit=False, maturity=30)
    assert found.pooled == (1,)
    assert delayed.delay([quiet], explicit=False, maturity=500).pooled == ()
    assert found.ready.any()


def test_unseen_actions_are_left_out(opened):
    one = opened.cube.development(REPLAY, opened.cube.steps[-1])
    kept = delayed.seen(one, ["block"])
    assert set(kept.taken) == {0, 1}
    assert kept.scores.shape[1] == len(kept.taken)


def test_arms_of_different_age_have_no_naive_difference(opened):
    view = View(opened, CANARY, opened.cube.steps[-1])
    one = delay.of(view)
    assert delayed.equally_old(one)
    early = np.arange(len(one.own.ends)) < 2
    aged = one.own.events * np.where(one.own.counted[:, 1, None] == early, 1.0, 0.0)
    assert not delayed.equally_old(dataclasses.replace(one, own=dataclasses.replace(one.own, events=aged)))


def test_quality_reads_three_ways_and_warns_with_numbers(opened):
    page = nowcast.quality(View(opened, REPLAY, opened.cube.steps[-16]))
    recall = next(row for row in page.rows if row["metric"] == "recall")
    assert recall["naive_candidate"] > recall["nowcast_candidate"]
    assert recall["nowcast_candidate_low"] < recall["nowcast_candidate"] < recall["nowcast_candidate_high"]
    assert recall["widening"] >= 1
    assert "read the nowcast" in page.warning
    assert len(page.speaks) == 3


def test_mature_reading_is_what_gates_read(opened):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    rows = {
        (row.metric, row.version): row.value for row in review.measured(opened, REPLAY, view.step, names=["recall"])
    }
    recall = next(row for row in nowcast.quality(view).rows if row["metric"] == "recall")
    assert recall["mature_candidate"] == rows["recall", "candidate"]


def test_estimates_without_labels_equal_a_computation_on_the_rows(opened, log, every):
    step = opened.cube.steps[-1]
    one = opened.cube.development(REPLAY, step)
    found = {e.age: e for e in expected.expectations(one, "precision", 1, 30.0, explicit=False)}
    age = next(a for a in range(len(one.ends)) if found[a].estimate is not None and one.events[:, a].sum())
    replay = log[log["stage"] == "replay"]
    now = pd.Timestamp(opened.cube.end(one.ends[age])).tz_localize(None)
    start = pd.Timestamp(opened.cube.end(one.ends[age + 1])).tz_localize(None)
    cohort = replay[(replay["event_time"] > start) & (replay["event_time"] <= now)]
    old = replay[replay["event_time"] <= pd.Timestamp(opened.cube.end(one.ends[found[age].from_age])).tz_localize(None)]
    alert = lambda rows: factory.actions(rows["candidate_score"]) != "approve"  # noqa: E731
    bad = known_at(old, every, min(now, END)).to_numpy()
    factor = bad[alert(old)].sum() / old["candidate_score"][alert(old)].sum()
    assert found[age].estimate == pytest.approx(factor * cohort["candidate_score"][alert(cohort)].mean(), rel=1e-6)


def test_estimates_are_right_while_calibration_holds_and_never_in_a_gate(opened):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    page = without.estimated(view, "recall")
    assert "assumes calibration from" in page.sentence
    gates = review.review(opened, REPLAY, view.step).rows
    assert not any("estimate" in row.metric for row in gates)
    assert "cannot be estimated" in without.estimated(View(opened, REPLAY, opened.cube.steps[3]), "recall").sentence


def test_a_gate_without_labels_gets_a_date_that_holds(opened, log, every):
    view = View(opened, CANARY, opened.cube.steps[-1])
    page = answerable.answerable(view)
    row = next(row for row in page.rows if row["gate"] == "live")
    assert not row["never"]
    assert row["verdict"] == Verdict.NODATA.name
    mature = log[log["stage"] == "canary"]["event_time"] + pd.Timedelta(days=30)
    bad = known_at(log[log["stage"] == "canary"], every, pd.Timestamp("2027-01-01")).to_numpy()
    candidate = (log[log["stage"] == "canary"]["arm"] == "candidate").to_numpy()
    thirtieth = mature[bad & candidate].sort_values().iloc[29].date()
    early, late = (pd.Timestamp(end).date() for end in row["range"].split(" to "))
    assert early - pd.Timedelta(days=2) <= thirtieth <= late + pd.Timedelta(days=2)
    assert "30 more bad" in row["missing"]


def test_then_and_now_on_the_same_events(opened):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    page = then_now.then_now(view, opened.cube.steps[-8])
    recall = next(row for row in page.metrics if row["metric"] == "recall")
    assert recall["same"] == pytest.approx(recall["then"], abs=0.02)
    assert page.chart.data
    assert page.earlier < view.as_of


def test_curves_by_action_and_by_segment(opened):
    view = View(opened, REPLAY, opened.cube.steps[-16])
    by_action = delay.curves(view, "positive", delay.ACTION)
    half = {row["name"]: row["half"] for row in by_action.rows}
    assert half["review"] < half["approve"]
    assert [row["name"] for row in delay.curves(view, "chargeback", "market").rows] == list(factory.DIMS["market"])
    assert "tail" in delay.curves(View(opened, REPLAY, opened.cube.steps[20]), "positive", delay.ACTION).tail
    assert delay.curves(View(opened, REPLAY, opened.cube.steps[0]), "reversed", delay.EVERYTHING).rows == []


def test_triangle_ends_at_what_is_known(opened):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    page = delay.triangle(view, "approve")
    one = delay.of(view)
    assert sum(row["known"] for row in page.rows) == one.tables[0].sum()
    assert any(row["mack"] for row in page.rows)
    assert delay.triangle(view, delay.EVERYTHING).rows[-1]["mack"] is None


def test_labels_page_states_the_shares(opened):
    view = View(opened, REPLAY, opened.cube.steps[-1])
    assert "have a mature label" in labels.labels(view).headline


def test_a_young_stage_is_estimated_by_the_calibration_of_older_ones(opened):
    found = without.estimated(View(opened, CANARY, opened.cube.steps[-1]), "recall")
    assert "assumes calibration from 2026-01" in found.sentence
    alone = expected.expectations(
        opened.cube.development(CANARY, opened.cube.steps[-1]), "recall", 1, 30.0, explicit=False
    )
    assert all(one.estimate is None for one in alone)


@pytest.mark.parametrize("steps", [(6, 12, 24, 120, 480), (1, 5, 600), "week", "month"])
def test_every_view_answers_whatever_the_steps_count(log, every, steps, tmp_path):
    few = log.iloc[::5]
    rules = RULES | {"steps": list(steps) if isinstance(steps, tuple) else steps}
    opened = factory.opened(factory.write(tmp_path / "steps", few, every[every["observed_at"] < END], labels=rules))
    for stage in (REPLAY, CANARY):
        view = View(opened, stage, opened.cube.steps[-1])
        one = opened.cube.development(stage, view.step)
        assert one.events.sum() == (few["stage"] == stage).sum()
        assert (np.diff(one.days) > 0).all()
        assert len(one.ends) <= 60
        for page in (labels.labels, delay.counts, nowcast.quality, answerable.answerable, then_now.then_now):
            page(view)
        delay.triangle(view, delay.EVERYTHING)
        without.estimated(view, "precision")
        nowcast.by_cohort(view, "recall")
        nowcast.by_segment(view, "fpr", "market")


def test_values_read_together_are_those_read_alone(opened):
    step = opened.cube.steps[-1]
    values, together = opened.cube.developments("market", CANARY, step)
    arrivals = opened.cube.arrivals_by("market", CANARY, step, (), "positive")
    assert list(values) == list(arrivals) == list(factory.DIMS["market"])
    for n, value in enumerate(values):
        alone = opened.cube.development(CANARY, step, (("market", value),))
        # Groups of a value alone are those that occur in it; of the others it has no events.
        own = [k for k in range(len(together.taken)) if together.events[n, k].any() or together.positive[n, k].any()]
        np.testing.assert_array_equal(together.positive[n, own], alone.positive)
        np.testing.assert_array_equal(together.scores[:, n, own], alone.scores)
        single = opened.cube.arrivals(CANARY, step, (("market", value),))
        np.testing.assert_array_equal(arrivals[value].arrived, single.arrived)


@pytest.mark.parametrize("stage", [REPLAY, CANARY])
@pytest.mark.parametrize("look", [6, 12, -1])
def test_nowcasts_of_all_values_at_once_are_those_one_by_one(opened, stage, look):
    view = View(opened, stage, opened.cube.steps[look])
    values, together = delay.by(view, "market")
    counted = delayed.counts(together)
    every = np.ones(len(together.own.ends), dtype=bool)
    for n, value in enumerate(values):
        alone = delay.of(View(opened, stage, view.step, (("market", value),)))
        if not alone.own.events.sum():
            continue
        np.testing.assert_array_equal(together.ready[n], alone.ready)
        np.testing.assert_allclose([part[n] for part in counted], delayed.count(alone), rtol=1e-12)
        for name in delayed.NAMES:
            for ages, corrected in (("ready", True), ("all", False)):
                use = (together.ready, alone.ready) if ages == "ready" else (every, every)
                one = delayed.estimate(together, name, use[0], corrected=corrected)
                single = delayed.estimate(alone, name, use[1], corrected=corrected)
                for all_at_once, by_itself in zip(one, single, strict=True):
                    np.testing.assert_allclose(all_at_once[n], by_itself, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("name", delayed.NAMES)
def test_each_age_alone_is_the_same_as_of_many_sets_of_ages(opened, name, corrected):
    for stage in opened.cube.stages():
        one = delay.of(View(opened, stage, opened.cube.steps[-1]))
        use = one.ready if corrected else np.ones_like(one.ready)
        sets = delayed.estimate(one, name, np.eye(len(use), dtype=bool) & use, corrected=corrected)
        apart = delayed.estimate(delayed.alone(one), name, use[:, None], corrected=corrected)
        assert np.isfinite(apart.value).any()
        for before, after in zip(sets, apart, strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-15)


def test_too_few_answers_to_tell_their_delay_do_not_refuse_the_nowcast(opened):
    one = opened.cube.development(REPLAY, opened.cube.steps[-1])
    block = (one.taken == 2)[:, None, None]
    few = dataclasses.replace(one, positive=one.positive * ~block, negative=one.negative * ~block)
    usual = delayed.delay([delayed.seen(one, ["block"])], explicit=False, maturity=30)
    found = delayed.delay([few], explicit=False, maturity=30, unseen=["block"])
    assert (found.ready == usual.ready).all()
    for name in ("recall", "precision", "fpr", "base_rate"):
        with_few, without = (delayed.estimate(each, name, each.ready, corrected=True) for each in (found, usual))
        assert with_few.value == pytest.approx(without.value, nan_ok=True)
        assert with_few.se == pytest.approx(without.se, nan_ok=True)

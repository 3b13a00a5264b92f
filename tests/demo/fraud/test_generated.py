"""What the generated logs are: the same for any number of workers, true to their manifests, and shaped as promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from release_core import changes, cube, demo, manifest
from release_core.cube.cube import Cube
from release_core.demo.fraud import outcomes, plan, population, releases, runtime, scores, truth
from release_core.release import Stage
from tests.demo.fraud.conftest import SIZE

LIVE = [name for name in demo.FRAUD if name != "fraud-mixed"]


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_registered_release_has_a_story():
    assert tuple(plan.STORIES) == demo.FRAUD


def test_files_are_the_same_for_any_number_of_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(releases, "PART", 1_000)
    for workers in (1, 2, 3):
        releases.build(tmp_path / str(workers), ["fraud-model"], "test", lambda share, text: None, 6_000, workers)
    one, two, three = (contents(tmp_path / str(workers)) for workers in (1, 2, 3))
    assert len(one) > 12
    assert one == two == three


def test_size_is_the_number_of_decisions(log):
    for release in demo.FRAUD:
        assert len(log(release, "decisions")) == SIZE
        assert log(release, "decisions")["event_id"].is_unique


def test_manifests_load_and_plan_at_most_64_steps(fraud):
    for name in demo.FRAUD:
        release = manifest.load(fraud / name)
        assert (release.id, release.about.data) == (name, "generated")
        assert len(release.labels.steps) <= 64


@pytest.mark.parametrize("name", demo.FRAUD)
def test_bundles_give_the_logged_actions_and_carried_cutoffs_are_accepted(fraud, tmp_path, name):
    release = manifest.load(fraud / name)
    opened = Cube(release, cube.build(release, tmp_path))
    for stage in opened.stages():
        counts = opened.checks(stage, opened.steps[-1])
        assert counts["baseline_differs"] == counts["candidate_differs"] == 0
        assert counts["baseline_same"] == counts["candidate_same"] == counts["n"]
    planted = plan.STORIES[name].planted["changed"]
    assert [component for component, _ in changes.changed(release, opened)] == planted
    assert opened.stages()[-1] == Stage(plan.STORIES[name].planted["stage_reached"])
    reports = [report for log in opened.facts["logs"].values() for report in log]
    assert all(report["quarantined"] == 0 and not report["rejected"] and not report["ignored"] for report in reports if
               report["log"] != "decisions")  # fmt: skip


def test_base_rate_and_calibration_are_as_stated():
    """A million events: the rate is 0.8 to 0.9%, and the visible columns predict it within four standard errors."""
    events = population.draw(np.random.default_rng(0), plan.REPLAY, (0, 1_000_000, 1_000_000), 12_000_000)
    assert 0.008 <= events.fraud.mean() <= 0.009
    assert abs(events.fraud.mean() - events.prior.mean()) < 4 * np.sqrt(events.prior.mean() / 1_000_000)


@pytest.mark.parametrize("name", demo.FRAUD)
def test_auc_of_the_truth_is_that_of_the_scores(name):
    story = plan.STORIES[name]
    rng = np.random.default_rng(5)
    events = population.draw(rng, plan.REPLAY, (0, 100_000, 100_000), 100_000)
    for side in scores.both(rng, story, events, live=False):
        hist = truth.histogram(side[events.fraud]), truth.histogram(side[~events.fraud])
        assert truth.auc(*hist) == pytest.approx(roc_auc_score(events.fraud, side), abs=2e-4)


def test_calibrated_scores_are_calibrated_and_raw_ones_are_not():
    story = plan.STORIES["fraud-recalibration"]
    rng = np.random.default_rng(6)
    events = population.draw(rng, plan.REPLAY, (0, 400_000, 400_000), 4_800_000)
    raw, calibrated = scores.both(rng, story, events, live=False)
    assert events.fraud.sum() / calibrated.sum() == pytest.approx(1.0, abs=0.08)
    assert events.fraud.sum() / raw.sum() < 0.6
    order = np.argsort(raw, kind="stable")
    assert (np.diff(calibrated[order]) >= 0).all()


@pytest.mark.parametrize("name", LIVE)
def test_traffic_is_assigned_by_customer_at_the_planned_shares(log, name):
    live = log(name, "decisions").query("stage in ['canary', 'ab', 'full']")
    customers = live.groupby(["stage", "ramp_step", "entity_id"])["arm"].agg(["nunique", "first"])
    assert (customers["nunique"] == 1).all()
    for (_, share), arms in customers.groupby(["stage", "ramp_step"])["first"]:
        assert binomtest(int((arms == "candidate").sum()), len(arms), float(share)).pvalue > 1e-4
    assert live.groupby(["stage", "entity_id"]).size().max() > 3


@pytest.mark.parametrize("name", demo.FRAUD)
def test_blocked_events_get_no_chargeback_and_outcomes_follow_their_events(log, name):
    joined = log(name, "outcomes").merge(
        log(name, "decisions")[["event_id", "event_time", "action_taken"]], on="event_id"
    )
    assert len(joined) == len(log(name, "outcomes"))
    assert (joined["observed_at"] >= joined["event_time"]).all()
    end = plan.ORIGIN.timestamp() + plan.STORIES[name].end * 86_400
    assert joined["observed_at"].max().timestamp() <= end
    blocked = joined[joined["action_taken"] == "block"]["outcome"]
    assert len(blocked) > 0
    assert not set(blocked) & {"chargeback", "confirmed_fraud", "conversion", "review_result"}


def test_truth_of_blocked_events_becomes_known_as_often_as_their_propensity_says(log):
    """One in fifty is approved at random; of the others seven in ten cardholders answer, whatever the truth is."""
    decisions = log("fraud-recalibration", "decisions")
    blocked = decisions[decisions["label_propensity"] < 1]
    assert (blocked["label_propensity"] == outcomes.SEEN).all()
    assert (decisions.loc[decisions["label_propensity"] == 1, "action_taken"] != "block").all()
    approved = int((blocked["action_taken"] == "approve").sum())
    assert binomtest(approved, len(blocked), 0.02).pvalue > 1e-4
    answers = log("fraud-recalibration", "outcomes").query("outcome == 'cardholder_answer'")
    asked = blocked[blocked["action_taken"] == "block"]
    assert answers["event_id"].isin(asked["event_id"]).all()
    assert binomtest(len(answers), len(asked), 0.7).pvalue > 1e-4
    assert set(answers["value"]) == {"fraud", "legit"}


def test_chargebacks_are_late_with_long_tails_and_reviews_are_fast(log):
    joined = log("fraud-policy", "outcomes").merge(log("fraud-policy", "decisions"), on="event_id")
    days = (joined["observed_at"] - joined["event_time"]).dt.total_seconds() / 86_400
    late = days[(joined["outcome"] == "chargeback") & joined["value"].isna()]
    assert 8 < late.median() < 30
    assert late.quantile(0.9) > 2 * late.median()
    assert days[joined["outcome"] == "review_result"].median() < 0.25
    phone, store = (late[joined["surface"] == surface] for surface in ("phone", "store"))
    assert phone.median() > store.median()


def test_all_kinds_of_outcomes_and_gauges_are_there(log):
    assert set(log("fraud-threshold", "outcomes")["outcome"]) == {
        *("chargeback", "confirmed_fraud", "review_result", "cardholder_answer", "complaint", "support_contact"),
        *("conversion", "retained", "resolved"),
    }
    gauges = log("fraud-threshold", "runtime")
    shared = {"review_queue_depth", "review_capacity_per_hour", "review_arrivals", "review_clearances"}
    assert set(gauges.loc[gauges["arm"].isna(), "name"]) == shared
    both = {"requests", "queue_depth", "cpu_utilisation", "memory_utilisation", "dependency_failures"}
    for arm in ("baseline", "candidate"):
        assert set(gauges.loc[gauges["arm"] == arm, "name"]) == both


def test_spikes_double_the_median_latency_and_outages_fall_back(log):
    served = log("fraud-threshold", "decisions").query("stage == 'ab'")
    quiet = served[served["baseline_error"].isna()].set_index("event_time")["baseline_latency_ms"]
    assert quiet.median() == pytest.approx(42.0, rel=0.03)
    assert np.log(quiet).std() == pytest.approx(0.35, rel=0.1)
    failed = served[served["baseline_error"].notna()]
    assert 0 < len(failed) < 0.02 * len(served)
    assert failed["baseline_fallback"].mean() > 0.7
    assert (failed["baseline_latency_ms"] > 400).all()


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=40),
    st.integers(0, 12),
)
def test_queue_is_lindleys_recursion(arrivals, capacity):
    waiting, cleared, now = [], [], 0
    for came in arrivals:
        before = now + came
        now = max(before - capacity, 0)
        waiting.append(now)
        cleared.append(before - now)
    found = runtime.queue(np.array(arrivals, float), np.full(len(arrivals), float(capacity)))
    assert [list(values) for values in found] == [waiting, cleared]

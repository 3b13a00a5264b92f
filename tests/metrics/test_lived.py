"""Metrics of serving and of outcomes against scipy, statsmodels and direct counts over a written log; gates on them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from release_core import gates, metrics, review
from release_core.errors import Unanswerable
from release_core.frames import MetricRow
from release_core.metrics import samples as sampled
from release_core.release import Comparison, GateSpec, Stage, Verdict
from tests import factory, lived

COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"amount_times": 0.9}}
BIN = 2 ** (1 / 16)


@pytest.fixture(scope="module")
def log():
    return lived.decisions(1600, seed=9)


@pytest.fixture(scope="module")
def told(log):
    return lived.outcomes(log)


@pytest.fixture(scope="module")
def opened(log, told, tmp_path_factory):
    folder = factory.write(tmp_path_factory.mktemp("lived") / "r", log, told, costs=COSTS)
    (folder / "runtime").mkdir()
    lived.runtime().to_parquet(folder / "runtime" / "0.parquet", index=False)
    return factory.opened(folder)


def rows(opened, *names, **split) -> dict[tuple[str, str], MetricRow]:
    stage = review.stage_of(opened, None)
    found = review.measured(opened, stage, opened.cube.steps[-1], names=names, **split)
    return {(row.metric, row.version): row for row in found}


def test_latency_quantiles_are_those_of_the_own_arm_with_order_statistic_intervals(opened, log):
    found = rows(opened, "latency_p50", "latency_p95", "latency_p99")
    for name, p in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        for version in ("baseline", "candidate"):
            x = np.sort(log.loc[log["arm"] == version, f"{version}_latency_ms"].dropna())
            row, known = found[name, version], stats.quantile_test(x, p=p).confidence_interval(0.95)
            assert row.n == len(x)
            assert 1 / BIN <= row.value / np.quantile(x, p) <= BIN
            # Days differ a little, so the interval is at least the exact one and not much wider.
            assert row.low <= known.low * BIN
            assert row.high >= known.high / BIN
            assert row.high - row.low <= 2.5 * (known.high - known.low) + row.value * (BIN - 1)
        difference = found[name, "difference"]
        assert difference.value == pytest.approx(found[name, "candidate"].value - found[name, "baseline"].value)
        assert difference.low < difference.value < difference.high


def test_rates_and_cost_are_those_of_the_own_arm(opened, log):
    found = rows(opened, "error_rate", "fallback_rate", "serving_cost")
    for version in ("baseline", "candidate"):
        mine = log[log["arm"] == version]
        assert found["error_rate", version].value == pytest.approx(mine[f"{version}_error"].notna().mean())
        assert found["fallback_rate", version].value == pytest.approx(mine[f"{version}_fallback"].mean())
        cost, row = 1000 * mine[f"{version}_cost"], found["serving_cost", version]
        assert row.value == pytest.approx(cost.mean(), rel=1e-6)
        known = stats.norm.interval(0.95, cost.mean(), cost.sem())
        assert row.low <= known[0] * 1.0001
        assert row.high - row.low <= 1.6 * (known[1] - known[0])


def test_what_a_log_does_not_hold_is_not_known_and_says_why(log, told, tmp_path):
    bare = log.drop(columns=[name for name in log if "latency" in name or "error" in name or "fallback" in name])
    opened = factory.opened(factory.write(tmp_path / "r", bare.drop(columns=["baseline_cost", "candidate_cost"]), told))
    names = ("latency_p99", "error_rate", "fallback_rate", "serving_cost", "queue_depth", "net_value")
    found = rows(opened, *names)
    assert {row.value for row in found.values()} == {None}
    assert found["error_rate", "candidate"].reason == "no error column is in the decisions log"
    assert found["net_value", "candidate"].reason == "the manifest declares no costs"
    assert not {name for name, _ in rows(opened)} & set(names[:-1])


def test_outcomes_are_compared_at_equal_age_by_arm(opened, log, told):
    found = rows(opened, "complaint_rate", "review_fraud_share")
    log = log[log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") == 1]
    first = told.merge(log[["event_id", "event_time"]]).sort_values("observed_at")
    hours = (first["observed_at"] - first["event_time"]) / pd.Timedelta(hours=1)
    soon = set(first.loc[(first["outcome"] == "complaint") & (hours < 72), "event_id"])
    sides = {}
    for version in ("baseline", "candidate"):
        mine = log[log["arm"] == version]
        # The last outcome came long after the last event, so that all are old enough.
        by_step = mine.groupby("ramp_step")["event_id"].agg(lambda ids: (ids.isin(soon).sum(), len(ids)))
        sides[version] = by_step
        assert found["complaint_rate", version].n == len(mine)
    weight = pd.Series({k: 1 / (1 / sides["baseline"][k][1] + 1 / sides["candidate"][k][1]) for k in ("0.3", "0.5")})
    level = {v: sum(weight[k] * sides[v][k][0] / sides[v][k][1] for k in weight.index) / weight.sum() for v in sides}
    row = found["complaint_rate", "difference"]
    assert row.value == pytest.approx(level["candidate"] - level["baseline"])
    pooled = [[sum(x) for x in zip(*sides[v], strict=True)] for v in ("candidate", "baseline")]
    known = confint_proportions_2indep(*pooled[0], *pooled[1], method="newcomb", compare="diff")
    assert 0.5 < (row.high - row.low) / (known[1] - known[0]) < 2
    looked = first[(first["outcome"] == "review_result") & (hours < 48)].merge(log[["event_id", "arm"]])
    for version in ("baseline", "candidate"):
        mine = looked[looked["arm"] == version]
        assert found["review_fraud_share", version].n == len(mine)


def test_denials_count_in_the_base_and_not_as_what_happened(opened, log, told):
    row = rows(opened, "retention_rate")["retention_rate", "baseline"]
    said = told[told["outcome"] == "retained"].merge(log[["event_id", "event_time", "arm", "ramp_step"]])
    end = pd.Timestamp(opened.cube.end(opened.cube.steps[-1])).tz_localize(None)
    old = said["event_time"].dt.ceil("D") + pd.Timedelta(hours=1080) <= end + pd.Timedelta(days=1e-6)
    mine = said[(said["arm"] == "baseline") & old]
    assert 5 < len(mine) < 100
    assert row.n == len(mine)
    shares = mine.groupby("ramp_step")["value"].agg(lambda v: (v == "true").mean())
    assert shares.min() <= row.value <= shares.max()


def test_money_is_counted_on_mature_labels_of_the_own_actions(opened, log):
    found = rows(opened, "fraud_loss", "false_positive_cost", "net_value")
    assert review.known_metrics(opened.release)["net_value"].unit == "money"
    told_of = opened.cube.slice(Stage.CANARY, opened.cube.steps[-1], (((), ()),)).whole
    for place, version in enumerate(("baseline", "candidate")):
        labelled = told_of.actions[0, place, :, 1:].sum()
        approved_bad = told_of.action_amounts[0, place, 0, 1]
        legit = told_of.actions[0, place, :, 2]
        assert found["fraud_loss", version].value == pytest.approx(1000 * approved_bad / labelled)
        wrong = 5.0 * legit[2] + 2.0 * legit[1]
        assert found["false_positive_cost", version].value == pytest.approx(1000 * wrong / labelled)
        bad_amount, reviewed_bad = told_of.action_amounts[0, place, :, 1], told_of.actions[0, place, 1, 1]
        saved = 0.9 * (bad_amount.sum() - bad_amount[0]) - wrong - 2.0 * reviewed_bad
        assert found["net_value", version].value == pytest.approx(1000 * saved / labelled)


def test_the_queue_overflows_when_it_is_full_at_the_pace_of_the_last_day(opened):
    stage, step = review.stage_of(opened, None), opened.cube.steps[0] + 9
    one = review.lived(opened, stage, step, (((), ()),))
    found = sampled.queue(one)
    samples = lived.runtime()
    depth = samples[samples["name"] == "review_queue_depth"].set_index("sampled_at")["value"]
    last = depth[depth.index < factory.START + pd.Timedelta(days=10)].groupby(pd.Grouper(freq="h")).last().iloc[-24:]
    assert found.depth == last.iloc[-1]
    assert found.growth.value == pytest.approx((last.iloc[-1] - last.iloc[0]) / 23)
    assert (found.limit, found.limit_named) == (24 * 40.0, False)
    row = {row.version: row for row in review.measured(opened, stage, step, names=["review_queue_hours_to_limit"])}[
        "candidate"
    ]
    assert row.value == pytest.approx(max(0.0, (960 - found.depth) / found.growth.value))
    assert row.low <= row.value <= row.high


def test_samples_tell_of_the_last_day_and_of_no_segment(opened):
    samples = lived.runtime()
    for version in ("baseline", "candidate"):
        mine = samples[(samples["name"] == "cpu_utilisation") & (samples["arm"] == version)].set_index("sampled_at")[
            "value"
        ]
        hours = mine.groupby(pd.Grouper(freq="h")).mean()
        assert rows(opened, "utilisation")["utilisation", version].value == pytest.approx(
            hours.iloc[-24:].max(), abs=1e-6
        )
    split = review.measured(opened, Stage.CANARY, opened.cube.steps[-1], names=["utilisation"], by=("market",))
    assert {row.value for row in split} == {None}


def test_segments_of_one_dimension_are_answered_and_of_two_refused(opened, log):
    found = review.measured(opened, Stage.CANARY, opened.cube.steps[-1], names=["error_rate"], by=("market",))
    mine = log[(log["arm"] == "candidate") & (log["market"] == "DE")]
    row = next(row for row in found if row.version == "candidate" and row.segment == {"market": "DE"})
    assert (row.value, row.n) == (pytest.approx(mine["candidate_error"].notna().mean()), len(mine))
    with pytest.raises(Unanswerable, match="at most one dimension"):
        review.measured(opened, Stage.CANARY, opened.cube.steps[-1], names=["error_rate"], by=("market", "surface"))


@pytest.mark.parametrize(
    ("metric", "limits", "verdict"),
    [
        ("latency_p99", {"at_most": 10.0}, Verdict.FAIL),
        ("latency_p99", {"at_most": 5000.0}, Verdict.PASS),
        ("latency_p99", {"at_most": 160.0}, Verdict.INCONCLUSIVE),
        ("error_rate", {"at_most": 0.2}, Verdict.PASS),
        ("utilisation", {"at_most": 0.1}, Verdict.FAIL),
        ("queue_depth", {"at_most": 9.0}, Verdict.NODATA),
    ],
)
def test_gates_judge_them_as_any_other_metric(opened, metric, limits, verdict):
    spec = GateSpec(metric, metric, Comparison.BUDGET, (Stage.CANARY,), scope="each_segment", min_events=1, **limits)
    known = review.known_metrics(opened.release)[metric]
    groups = review.judged_groups(opened.release, several=False)
    one = review.lived(opened, Stage.CANARY, opened.cube.steps[-1], groups)
    evidence = metrics.estimate(one, known).evidence
    families = gates.families(spec, one, opened.release.segments, evidence)
    found = [row for family in families for row in gates.judge(spec, known, family, 50)]
    assert found[0].verdict is verdict
    assert found[0].sentence
    if metric == "error_rate":
        assert len(found) == 6


def test_house_gates_ask_for_nothing_that_is_unknown(opened):
    found = review.review(opened, Stage.CANARY, opened.cube.steps[-1])
    assert not [row.sentence for row in found.rows if "in this version" in row.sentence]
    assert {row.gate for row in found.rows} >= {"latency_p99", "error_rate", "review_queue", "complaint_rate"}


def test_every_row_says_what_it_is():
    for row in metrics.live_table(None).values():
        assert row.definition
        assert row.lack or row.name == "fraud_loss"

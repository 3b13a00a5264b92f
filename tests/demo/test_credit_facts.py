"""The story that the credit releases tell, computed from their logs with pandas and scikit-learn.

What does not depend on training (counts, base rates, shares of status codes) is compared exactly, as published.
The champion is a convex fit: its figures may differ in the last published digit. Boosting holds a random tenth
back for stopping, so its figures move with the seed; each tolerance is about three standard deviations of that
figure over eight seeds, which keeps every statement's sign and size.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from release_core.demo import SOURCE
from release_core.demo.credit import account_months

LABELLED = ["2005-04", "2005-05", "2005-06", "2005-07", "2005-08"]
CHAMPION = {"auc": 0.0001, "brier": 0.0001, "mean": 0.001}
BOOSTED = {"auc": 0.003, "brier": 0.0012, "mean": 0.003}
BALANCED = {"auc": 0.005, "brier": 0.0035, "mean": 0.011}
MONTHS = [
    ("credit-model", "baseline", CHAMPION, (0.9000, 0.8729, 0.8519, 0.8613, 0.8654), "auc"),
    ("credit-model", "baseline", CHAMPION, (0.0489, 0.0580, 0.0718, 0.0729, 0.0736), "brier"),
    ("credit-model", "baseline", CHAMPION, (0.108, 0.107, 0.119, 0.132, 0.136), "mean"),
    ("credit-model", "candidate", BOOSTED, (0.9087, 0.8820, 0.8639, 0.8701, 0.8688), "auc"),
    ("credit-model", "candidate", BOOSTED, (0.0463, 0.0558, 0.0691, 0.0705, 0.0711), "brier"),
    ("credit-model", "candidate", BOOSTED, (0.107, 0.108, 0.120, 0.135, 0.140), "mean"),
    ("credit-recalibration", "baseline", BALANCED, (0.9063, 0.8817, 0.8637, 0.8685, 0.8651), "auc"),
    ("credit-recalibration", "baseline", BALANCED, (0.0936, 0.0970, 0.1065, 0.1163, 0.1413), "brier"),
    ("credit-recalibration", "baseline", BALANCED, (0.292, 0.296, 0.310, 0.329, 0.339), "mean"),
]


def figure(log, version, name):
    score, late = log[f"{version}_score"], log["late"]
    match name:
        case "auc":
            return roc_auc_score(late, score)
        case "brier":
            return brier_score_loss(late, score)
        case "mean":
            return score.mean()


def recall(log, version):
    return (log.loc[log["late"] == 1, f"{version}_action"] == "review").mean()


def false_positive_rate(log, version):
    return (log.loc[log["late"] == 0, f"{version}_action"] == "review").mean()


def amount_recall(log, version):
    bad = log[log["late"] == 1]
    return bad.loc[bad[f"{version}_action"] == "review", "amount"].sum() / bad["amount"].sum()


def judged(log):
    return log[log["replay_set"] == "Jun-Jul"]


def recall_change(log):
    """Return the paired difference of recall and its 95% interval, residuals summed by client."""
    bad = log[log["late"] == 1]
    change = (bad["candidate_action"] == "review").astype(float) - (bad["baseline_action"] == "review")
    residuals = (change - change.mean()).groupby(bad["entity_id"]).sum()
    width = 1.96 * np.sqrt((residuals**2).sum()) / len(bad)
    return change.mean(), change.mean() - width, change.mean() + width


@pytest.fixture(scope="session")
def model(joined):
    return judged(joined("credit-model"))


def test_base_rates_of_all_clients():
    rates = account_months.read(SOURCE).groupby("month")["late"].mean()
    assert (100 * rates[LABELLED]).round(2).tolist() == [9.89, 11.69, 14.03, 14.70, 10.43]
    assert np.isnan(rates["2005-09"])


@pytest.mark.parametrize(("release", "version", "tolerance", "published", "name"), MONTHS)
def test_month_table(joined, release, version, tolerance, published, name):
    months = joined(release).groupby("month")
    measured = [figure(months.get_group(month), version, name) for month in LABELLED]
    assert measured == pytest.approx(published, abs=tolerance[name])


def test_aggregate_says_go(model):
    assert [figure(model, side, "auc") for side in ("baseline", "candidate")] == pytest.approx([0.857, 0.867], abs=3e-3)
    assert [figure(model, side, "brier") for side in ("baseline", "candidate")] == pytest.approx(
        [0.0724, 0.0698], abs=1e-3
    )
    assert [recall(model, side) for side in ("baseline", "candidate")] == pytest.approx([0.532, 0.548], abs=5e-3)
    assert [false_positive_rate(model, side) for side in ("baseline", "candidate")] == pytest.approx(
        [0.0288, 0.0262], abs=1e-3
    )


def test_review_rate_is_a_tenth_on_both_sides(model):
    rates = [(model[f"{side}_action"] == "review").mean() for side in ("baseline", "candidate")]
    assert rates == pytest.approx([0.1, 0.1], abs=2e-4)


def test_share_of_the_bad_amount_rises(model):
    assert amount_recall(model, "baseline") == pytest.approx(0.469, abs=1e-3)
    assert amount_recall(model, "candidate") == pytest.approx(0.626, abs=0.035)


def test_models_disagree_on_few_decisions(model):
    assert (model["baseline_action"] != model["candidate_action"]).mean() == pytest.approx(0.028, abs=3e-3)


@pytest.mark.parametrize(
    ("column", "value", "bad", "baseline", "candidate", "tolerance"),
    [
        ("age_band", "25 and under", 778, 0.591, 0.535, 0.016),
        ("limit_tier", "up to 50k", 1875, 0.677, 0.601, 0.016),
        ("limit_tier", "50-100k", 896, 0.647, 0.578, 0.020),
        ("limit_tier", "200-300k", 342, 0.041, 0.442, 0.040),
    ],
)
def test_segments_say_stop(model, column, value, bad, baseline, candidate, tolerance):
    segment = model[model[column] == value]
    assert segment["late"].sum() == bad
    assert recall(segment, "baseline") == pytest.approx(baseline, abs=1e-3)
    assert recall(segment, "candidate") == pytest.approx(candidate, abs=tolerance)


@pytest.mark.parametrize(
    ("column", "value", "low", "high"),
    [("age_band", "25 and under", -0.079, -0.034), ("limit_tier", "up to 50k", -0.089, -0.062)],
)
def test_fall_of_recall_is_beyond_the_margin(model, column, value, low, high):
    _, measured_low, measured_high = recall_change(model[model[column] == value])
    assert (measured_low, measured_high) == pytest.approx((low, high), abs=0.016)
    assert measured_high < -0.02


def test_ranking_improves_in_every_large_segment(model):
    for column in ("age_band", "education", "marriage", "limit_tier"):
        for value, segment in model.groupby(column):
            if segment["late"].sum() >= 100:
                assert figure(segment, "candidate", "auc") > figure(segment, "baseline", "auc"), (column, value)


def test_threshold_release_restores_small_limits_and_gives_up_amount(joined):
    log = judged(joined("credit-threshold"))
    small = log[log["limit_tier"] == "up to 50k"]
    assert recall(small, "candidate") == pytest.approx(0.682, abs=0.016)
    assert amount_recall(log, "candidate") == pytest.approx(0.456, abs=0.035)
    assert (log["baseline_score"] == log["candidate_score"]).all()


def test_threshold_release_reviews_each_tier_as_often_as_the_champion(joined, model):
    tiers = judged(joined("credit-threshold"))
    new, champion = (
        (log[f"{side}_action"] == "review").groupby(log["limit_tier"]).mean()
        for log, side in ((tiers, "candidate"), (model, "baseline"))
    )
    assert (new <= champion).all()
    assert new.to_numpy() == pytest.approx(champion.to_numpy(), abs=2e-3)


def test_balanced_model_flags_more_at_the_champions_cutoff(joined, model):
    cutoff = model.loc[model["baseline_action"] == "review", "baseline_score"].min()
    raw = judged(joined("credit-recalibration"))["baseline_score"]
    assert (raw >= cutoff).mean() == pytest.approx(0.144, abs=0.007)


def test_recalibration_restores_brier_and_keeps_ranks_and_actions(joined):
    log = joined("credit-recalibration")
    assert figure(judged(log), "candidate", "brier") == pytest.approx(0.0701, abs=1e-3)
    ranked = log.sort_values("baseline_score")
    steps = pd.DataFrame({side: np.diff(ranked[f"{side}_score"]) for side in ("baseline", "candidate")})
    assert (steps["candidate"] >= 0).all()
    assert ((steps["candidate"] == 0) == (steps["baseline"] == 0)).all()
    assert (log["baseline_action"] == log["candidate_action"]).all()


def test_verdict_reverses_between_july_and_august(joined):
    log = joined("credit-model").groupby("month")
    for month, under in {"2005-06": True, "2005-07": True, "2005-08": False}.items():
        rows = log.get_group(month)
        for side in ("baseline", "candidate"):
            assert (figure(rows, side, "mean") < rows["late"].mean()) == under, (month, side)


def test_status_code_1_appears_in_september_only(joined):
    log = joined("credit-model")
    share = (log["pay_status"] == "1").groupby(log["month"]).mean()
    assert (share[LABELLED] <= 0.001).all()
    assert share["2005-09"] == pytest.approx(0.123, abs=5e-4)


def test_watch_breaks_for_status_code_1_in_september_and_nowhere_else(joined):
    log = joined("credit-model")
    shares = pd.crosstab(log["month"], log["pay_status"])
    before = shares.cumsum().shift()
    moved = (shares.div(shares.sum(axis=1), axis=0) - before.div(before.sum(axis=1), axis=0)).abs().stack()
    assert moved[moved > 0.08].index.tolist() == [("2005-09", "1")]


@pytest.mark.parametrize(
    ("education", "events", "bad"), [("6 undocumented", 58, 2), ("0 undocumented", 16, 1), ("5 undocumented", 250, 11)]
)
def test_undocumented_education_is_not_enough_evidence(model, education, events, bad):
    rows = model[model["education"] == education]
    assert (len(rows), rows["late"].sum()) == (events, bad)

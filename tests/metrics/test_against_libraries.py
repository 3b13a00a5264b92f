"""Every metric equals an independent library on the raw rows: exactly, or within the stated error of the bins."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn import metrics as sk

from release_core import review
from tests import factory

EXACT = 1e-8
# METHODS 0.9, for bins of 1/64 log-odds (one dimension) and of 1/8 (two), at the sizes used here.
BINNED = {
    1: {"auc": 3e-4, "average_precision": 3e-3, "ks": 6e-3, "cox": 2e-3},
    2: {"auc": 4e-3, "average_precision": 2e-2, "ks": 4e-2, "cox": 3e-2},
}


@pytest.fixture(scope="module")
def log():
    return factory.decisions(3000, seed=3, shift=0.3)


@pytest.fixture(scope="module")
def opened(log, tmp_path_factory):
    return factory.opened(factory.write(tmp_path_factory.mktemp("release") / "r", log, factory.outcomes(log)))


def measured(opened, *by):
    stage = review.stage_of(opened, None)
    rows = review.measured(opened, stage, opened.cube.steps[-1], by=by)
    return {(row.metric, row.version, tuple(row.segment.values())): row for row in rows}


def expected(part, version):
    """Return what sklearn, scipy and statsmodels say of the rows of one segment."""
    y, s = part["bad"].to_numpy(), part[f"{version}_score"].to_numpy()
    alert, block = factory.actions(s) != "approve", factory.actions(s) == "block"
    logit = np.log(s / (1 - s))
    line = sm.Logit(y, sm.add_constant(logit)).fit(disp=False)
    shift = sm.GLM(y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=logit).fit()
    fpr, tpr, _ = sk.roc_curve(y, s)
    amount = part["amount"].to_numpy()
    exact = {
        "events": len(part),
        "labelled_share": 1.0,
        "base_rate": y.mean(),
        "mean_score": s.mean(),
        "brier": sk.brier_score_loss(y, s),
        "log_loss": sk.log_loss(y, s),
        "oe_ratio": y.sum() / s.sum(),
        "precision": sk.precision_score(y, alert),
        "recall": sk.recall_score(y, alert),
        "fpr": alert[~y].mean(),
        "recall_block": sk.recall_score(y, block),
        "alert_rate": alert.mean(),
        "review_rate": (alert & ~block).mean(),
        "block_rate": block.mean(),
        "approve_rate": (~alert).mean(),
        "amount_recall": amount[y & alert].sum() / amount[y].sum(),
        "share_above:t1.review": (s >= factory.CUTOFFS["review"]).mean(),
        "share_above:t1.block": (s >= factory.CUTOFFS["block"]).mean(),
    }
    binned = {
        "auc": (sk.roc_auc_score(y, s), "auc"),
        "average_precision": (sk.average_precision_score(y, s), "average_precision"),
        "ks_separation": (np.max(tpr - fpr), "ks"),
        "calibration_slope": (line.params[1], "cox"),
        "cox_intercept": (line.params[0], "cox"),
        "calibration_intercept": (shift.params[0], "cox"),
    }
    return exact, binned


@pytest.mark.parametrize("by", [(), ("market",), ("surface",), ("market", "surface")])
@pytest.mark.parametrize("version", ["baseline", "candidate"])
def test_metrics_equal_independent_libraries_on_raw_rows(opened, log, by, version):
    found = measured(opened, *by)
    groups = log.groupby(list(by)) if by else [((), log)]
    for key, part in groups:
        exact, binned = expected(part, version)
        for name, value in exact.items():
            assert found[name, version, key].value == pytest.approx(value, abs=EXACT), (name, key)
        for name, (value, kind) in binned.items():
            assert found[name, version, key].value == pytest.approx(value, abs=BINNED[max(len(by), 1)][kind]), (
                name,
                key,
            )


def test_disagreement_and_differences_equal_counts_on_raw_rows(opened, log):
    found = measured(opened, "market")
    for (market,), part in log.groupby(["market"]):
        old, new = (factory.actions(part[f"{v}_score"]) for v in ("baseline", "candidate"))
        assert found["disagreement_rate", "difference", (market,)].value == pytest.approx(
            (old != new).mean(), abs=EXACT
        )
        bad = part["bad"].to_numpy()
        change = (new[bad] != "approve").mean() - (old[bad] != "approve").mean()
        assert found["recall", "difference", (market,)].value == pytest.approx(change, abs=EXACT)


def test_jackknife_interval_equals_leaving_out_each_shard_of_raw_rows(opened, log):
    shard = log["entity_id"].map(lambda name: int(hashlib.md5(name.encode()).hexdigest()[:2], 16) % 32)
    change = {v: (factory.actions(log[f"{v}_score"]) != "approve") for v in ("baseline", "candidate")}

    def recall(keep):
        bad = log["bad"].to_numpy() & keep
        return change["candidate"][bad].mean() - change["baseline"][bad].mean()

    left = np.array([recall((shard != n).to_numpy()) for n in range(32)])
    se = np.sqrt(31 / 32 * ((left - left.mean()) ** 2).sum())
    row = measured(opened)["recall", "difference", ()]
    # Bonett and Price 2012 with Student's quantile, of as many events as that error stands for.
    bad, t = log["bad"].to_numpy(), 2.0395134463964077
    lost = (change["baseline"] & ~change["candidate"])[bad].mean()
    gained = (change["candidate"] & ~change["baseline"])[bad].mean()
    n = (lost + gained - (gained - lost) ** 2) / se**2
    p1, p2 = (lost * n + 1) / (n + 2), (gained * n + 1) / (n + 2)
    reach = t * np.sqrt((p1 + p2 - (p2 - p1) ** 2) / (n + 2))
    assert (row.low, row.high) == pytest.approx((p2 - p1 - reach, p2 - p1 + reach), abs=1e-9)
    assert (row.low, row.high) == pytest.approx((row.value - t * se, row.value + t * se), abs=0.3 * se)


def test_without_entity_ids_every_interval_says_that_events_count_as_independent(log, tmp_path):
    opened = factory.opened(factory.write(tmp_path / "r", log.drop(columns="entity_id"), factory.outcomes(log)))
    assert "assumes independent events" in measured(opened)["recall", "candidate", ()].method


def test_two_dimensions_have_an_interval_for_every_metric(opened):
    found = measured(opened, "market", "surface")
    without = {row.metric for row in found.values() if row.value is not None and row.low is None}
    assert without == set()


def test_one_class_and_no_alert_are_not_known_rather_than_zero(tmp_path):
    log = factory.decisions(300, seed=5)
    log["bad"] = False
    log["candidate_score"] = 0.01
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    found = measured(opened)
    for name in ("auc", "recall", "average_precision", "amount_recall"):
        row = found[name, "candidate", ()]
        assert (row.value, row.low, row.high) == (None, None, None)
        assert row.reason
    assert found["precision", "candidate", ()].value is None
    assert found["fpr", "candidate", ()].value == 0


def test_scores_of_zero_and_one_and_missing_scores_keep_their_counts(tmp_path):
    log = factory.decisions(400, seed=6)
    log.loc[:9, "baseline_score"], log.loc[10:19, "baseline_score"] = 0.0, 1.0
    log.loc[20:29, "candidate_score"] = np.nan
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    both = log.dropna(subset=["candidate_score"])
    found = measured(opened)
    assert found["events", "baseline", ()].value == len(both)
    assert found["alert_rate", "baseline", ()].value == pytest.approx((both["baseline_score"] >= 0.3).mean())
    clipped = np.clip(both["baseline_score"], 1e-7, 1 - 1e-7)
    assert found["log_loss", "baseline", ()].value == pytest.approx(sk.log_loss(both["bad"], clipped), rel=1e-6)
    assert opened.cube.checks(review.stage_of(opened, None), opened.cube.steps[-1])["baseline_only"] == 10


@pytest.mark.parametrize("direction", ["riskier", "safer"])
def test_points_are_ranked_and_cut_in_their_own_unit_and_direction(tmp_path, direction):
    log = factory.decisions(1200, seed=7)
    for version in ("baseline", "candidate"):
        risk = np.round(300 + 550 * log[f"{version}_score"])
        log[f"{version}_score"] = risk if direction == "riskier" else 1150 - risk
    score = {"scale": "points", "min": 300, "max": 850, "step": 1, "higher_is": direction}
    cut = 500.0 if direction == "riskier" else 650.0
    folder = factory.write(
        tmp_path / "r", log, factory.outcomes(log), score=score, thresholds={"t1": {"default": {"review": cut}}}
    )
    found = measured(factory.opened(folder))
    signed = log["candidate_score"] * (1 if direction == "riskier" else -1)
    alert = log["candidate_score"] >= cut if direction == "riskier" else log["candidate_score"] <= cut
    assert found["auc", "candidate", ()].value == pytest.approx(sk.roc_auc_score(log["bad"], signed), abs=1e-12)
    assert found["alert_rate", "candidate", ()].value == pytest.approx(alert.mean())
    for name in ("oe_ratio", "brier", "calibration_slope", "mcb_brier", "mean_score"):
        row = found[name, "candidate", ()]
        assert (row.value, row.reason) == (None, "scores are points, for which no probability is declared")


def test_rare_positives_keep_their_auc(tmp_path):
    log = factory.decisions(30_000, seed=8, rate=0.001)
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    row = measured(opened)["auc", "baseline", ()]
    assert row.value == pytest.approx(sk.roc_auc_score(log["bad"], log["baseline_score"]), abs=5e-4)
    assert pd.notna(row.low)

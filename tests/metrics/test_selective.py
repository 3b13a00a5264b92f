"""Outcomes that an action hides: bounds against every labelling there could be, weights against DescrStatsW, verdicts."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.stats.weightstats import DescrStatsW

from release_core import metrics, review
from release_core.metrics import selective
from release_core.release import Stage, Verdict
from release_core.stats import selection
from release_core.views import segments
from release_core.views.view import View
from tests import factory

EXACT = ("recall", "fpr", "precision", "recall_block", "fpr_block", "precision_block", "base_rate")
SAFE = ("auc", "brier")  # their ranges are safe, not sharp: every eighth labelling will do


def hidden_log(rows=900, seed=3, **more):
    """Return a log and the outcomes that can be seen: what the baseline blocks has none."""
    log = factory.decisions(rows, seed=seed, **more)
    blocked = log["baseline_score"] >= factory.CUTOFFS["block"]
    return log, factory.outcomes(log)[~blocked], blocked


def sliced(one, *by):
    return one.cube.slice(Stage.REPLAY, one.cube.steps[-1], ((by, ()),))


def by_hand(name, log, bad):
    """Return a metric of both versions on the whole log with the given truth."""
    found = []
    for version in ("baseline", "candidate"):
        score = log[f"{version}_score"].to_numpy()
        action = factory.actions(score)
        acted = action == "block" if name.endswith("_block") else action != "approve"
        share = {
            "recall": (acted, bad),
            "fpr": (acted, ~bad),
            "precision": (bad, acted),
            "base_rate": (bad, bad | True),
        }
        if name == "amount_recall":
            found.append(log["amount"][acted & bad].sum() / log["amount"][bad].sum())
        elif name == "oe_ratio":
            found.append(bad.sum() / score.sum())
        elif name in {"auc", "brier"}:
            found.append((roc_auc_score if name == "auc" else brier_score_loss)(bad, score))
        else:
            of, among = share[name.removesuffix("_block")]
            found.append(of[among].mean())
    return np.array([*found, found[1] - found[0]])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a log of which nine events, acted on in four different ways, are blocked, and its open release."""
    log = factory.decisions(160, seed=2)
    rng = np.random.default_rng(0)
    hidden = np.isin(np.arange(len(log)), rng.choice(len(log), 9, replace=False))
    for place, scores in zip(np.flatnonzero(hidden), product((0.2, 0.4, 0.8), repeat=2), strict=True):
        log.loc[place, ["baseline_score", "candidate_score"]] = scores
    log["action_taken"] = np.where(hidden, "block", "approve")
    one = factory.opened(factory.write(tmp_path_factory.mktemp("s") / "r", log, factory.outcomes(log)[~hidden]))
    return log, hidden, one


@pytest.mark.parametrize("name", [*EXACT, "amount_recall", "oe_ratio", *SAFE])
def test_range_is_that_of_all_512_labellings(name, small):
    log, hidden, one = small
    cells = sliced(one)
    assert cells.unseen == ("block",)
    low, high = selective.extremes(metrics.METRICS[name], cells)
    every, bad = [], log["bad"].to_numpy().copy()
    for truth in list(product((False, True), repeat=int(hidden.sum())))[:: 8 if name in SAFE else 1]:
        bad[hidden] = truth
        every.append(by_hand(name, log, bad))
    least, most = np.min(every, axis=0), np.max(every, axis=0)
    if name in SAFE:
        assert (low[0] <= least + 2e-3).all()
        assert (high[0] >= most - 2e-3).all()
    else:
        assert low[0] == pytest.approx(least)
        assert high[0] == pytest.approx(most)


def test_nothing_is_said_of_metrics_whose_range_is_not_known(small):
    low, high = selective.extremes(metrics.METRICS["log_loss"], sliced(small[2]))
    assert (low == -np.inf).all()
    assert (high == np.inf).all()


def test_log_in_which_every_action_has_labels_hides_nothing(tmp_path):
    log = factory.decisions(600, seed=5)
    cells = sliced(factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log))))
    assert (cells.unseen, cells.weighted) == ((), False)
    assert not any(selective.concerns(metric, cells) for metric in metrics.METRICS.values())
    assert cells.whole.joint_unseen.sum() == 0


def test_log_without_any_label_hides_nothing(tmp_path):
    """Where nothing at all is known there is no evidence: that is NODATA, not a matter of what actions hide."""
    cells = sliced(factory.opened(factory.write(tmp_path / "r", factory.decisions(300, seed=5))))
    assert cells.unseen == ()


def rows_of(one, gate):
    found = review.review(one, Stage.REPLAY, one.cube.steps[-1])
    return {tuple(row.segment.items()): row for row in found.rows if row.gate == gate}


def test_gate_that_passes_on_what_is_seen_is_undecided_where_unseen_outcomes_could_turn_it(tmp_path):
    log, told, blocked = hidden_log(3000, shift=-0.2)
    one = factory.opened(factory.write(tmp_path / "r", log, told))
    row = rows_of(one, "recall")[()]
    assert row.verdict is Verdict.INCONCLUSIVE
    assert row.unseen == blocked.sum()
    assert f"{blocked.sum():,} events can have no outcome (after block)" in row.sentence
    assert "let some of those through by lot" in row.sentence
    assert row.unseen_low < row.difference < row.unseen_high or row.unseen_low <= row.difference <= row.unseen_high


def test_verdict_stands_where_both_ends_agree(tmp_path):
    """The candidate blocks what the baseline blocks and catches more beside it: no outcome could make it worse."""
    log, told, blocked = hidden_log(4000, seed=6)
    log["candidate_score"] = np.where(blocked, 0.9, np.clip(log["baseline_score"] * 1.6, 0, 0.69))
    row = rows_of(factory.opened(factory.write(tmp_path / "r", log, told)), "recall")[()]
    assert row.unseen == blocked.sum()
    assert row.verdict is Verdict.PASS
    assert row.unseen_low > 0


def test_harm_that_no_outcome_could_undo_still_fails(tmp_path):
    log, told, blocked = hidden_log(4000, seed=6)
    log["candidate_score"] = np.where(blocked, 0.9, log["baseline_score"] * 0.5)
    row = rows_of(factory.opened(factory.write(tmp_path / "r", log, told)), "recall")[()]
    assert row.verdict is Verdict.FAIL
    assert row.unseen_high < 0


def test_rates_that_need_no_label_are_judged_as_ever(tmp_path):
    log, told, _ = hidden_log(3000, shift=-0.2)
    seen = rows_of(factory.opened(factory.write(tmp_path / "a", log, told)), "alert_rate")[()]
    full = rows_of(factory.opened(factory.write(tmp_path / "b", log, factory.outcomes(log))), "alert_rate")[()]
    assert (seen.verdict, seen.low, seen.high, seen.unseen) == (full.verdict, full.low, full.high, 0)


LABELS = {
    "positive": ["review_result=fraud"],
    "negative": ["review_result=legit"],
    "silence": "negative",
    "maturity_days": 3,
    "steps": "day",
}


def test_silence_does_not_speak_of_declared_actions(tmp_path):
    """Only frauds are told: without the declaration every blocked event would count as good."""
    log, told, blocked = hidden_log(2000)
    told = told[told["value"] == "fraud"]
    late = {"event_time": log["event_time"].max() + np.timedelta64(9, "D"), "event_id": "late", "bad": False}
    log = log.iloc[:-1].copy()
    log.loc[len(log)] = {**log.iloc[0].to_dict(), **late, "baseline_score": 0.1}
    blocked = log["baseline_score"] >= factory.CUTOFFS["block"]
    folder = factory.write(tmp_path / "a", log, told, labels=LABELS | {"unobserved": ["block"]})
    cells = sliced(factory.opened(folder))
    assert cells.unseen == ("block",)
    assert cells.whole.joint_unseen.sum() == blocked.sum()
    assert cells.whole.negatives[0, 0] == (~blocked & ~log["bad"]).sum() - 1  # the last event is not mature
    plain = sliced(factory.opened(factory.write(tmp_path / "b", log, told, labels=LABELS)))
    assert plain.unseen == ()
    assert plain.whole.negatives[0, 0] == cells.whole.negatives[0, 0] + blocked.sum()


def held_out(rows, seed, chance=0.25):
    """Return a log in which some of what the baseline blocks is let through by lot, and what can then be seen."""
    log = factory.decisions(rows, seed=seed, shift=-0.3)
    blocked = log["baseline_score"] >= factory.CUTOFFS["block"]
    through = np.random.default_rng(seed).random(len(log)) < chance
    log["label_propensity"] = np.where(blocked, chance, 1.0)
    log["action_taken"] = np.where(blocked & ~through, "block", "approve")
    seen = ~blocked | through
    return log, factory.outcomes(log)[seen], seen


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    log, told, seen = held_out(6000, 11)
    return log, seen, factory.opened(factory.write(tmp_path_factory.mktemp("w") / "r", log, told))


def test_logged_chances_weigh_nothing_where_silence_labels_every_event(tmp_path):
    """Every mature event has a label, also those after block: weights would count what is seen a second time."""
    log, told, _ = held_out(6000, 11)
    cells = sliced(factory.opened(factory.write(tmp_path / "a", log, told, labels=LABELS)))
    assert not cells.weighted
    assert cells.whole.joint_weights.sum() == cells.whole.joint.sum()
    declared = LABELS | {"unobserved": ["block"]}
    assert sliced(factory.opened(factory.write(tmp_path / "b", log, told, labels=declared))).weighted


@pytest.mark.parametrize("name", ["recall", "fpr", "precision", "recall_block", "base_rate"])
def test_hajek_shares_are_those_of_descrstatsw(name, weighted):
    log, seen, one = weighted
    cells = sliced(one)
    metric = metrics.METRICS[name]
    assert cells.weighted
    assert selective.unseen(metric, cells.whole).tolist() == [0]  # a logged propensity stands for every blocked event
    value = metric.value(selective.weighed(cells).whole)[0]
    bad, weight = log["bad"].to_numpy(), 1 / log["label_propensity"].to_numpy()
    for number, version in enumerate(("baseline", "candidate")):
        action = factory.actions(log[f"{version}_score"])
        acted = action == "block" if name.endswith("_block") else action != "approve"
        of, among = {"recall": (acted, bad), "fpr": (acted, ~bad), "precision": (bad, acted), "base_rate": (bad, seen)}[
            name.removesuffix("_block")
        ]
        keep = seen & among
        assert value[number] == pytest.approx(DescrStatsW(of[keep].astype(float), weight[keep]).mean)


def test_weighted_ranking_and_calibration_are_those_of_weighted_events(weighted):
    log, seen, one = weighted
    cells = selective.weighed(sliced(one))
    bad, weight = log["bad"].to_numpy()[seen], 1 / log["label_propensity"].to_numpy()[seen]
    for number, version in enumerate(("baseline", "candidate")):
        score = log[f"{version}_score"].to_numpy()[seen]
        expected = {
            "auc": roc_auc_score(bad, score, sample_weight=weight),
            "brier": brier_score_loss(bad, score, sample_weight=weight),
            "oe_ratio": (weight * bad).sum() / (weight * score).sum(),
        }
        for name, right in expected.items():
            assert metrics.METRICS[name].value(cells.whole)[0, number] == pytest.approx(right, rel=1e-3)


def test_effective_size_counts_equally_weighted_events(weighted):
    log, seen, one = weighted
    weight = (1 / log["label_propensity"])[seen]
    every, positive = selective.effective(sliced(one).whole)
    assert every[0] == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    mine = weight[log["bad"][seen]]
    assert positive[0] == pytest.approx(mine.sum() ** 2 / (mine**2).sum())


def test_gate_judges_the_weighted_estimate_and_says_so(weighted):
    log, seen, one = weighted
    row = rows_of(one, "recall")[()]
    assert row.method.startswith("Hajek, shard jackknife")
    assert row.unseen == 0
    assert row.n == seen.sum()
    assert row.positives == (seen & log["bad"]).sum()
    bad, weight = (seen & log["bad"]).to_numpy(), (1 / log["label_propensity"]).to_numpy()
    caught = [factory.actions(log[f"{version}_score"]) != "approve" for version in ("baseline", "candidate")]
    right = [np.average(alert[bad], weights=weight[bad]) for alert in caught]
    assert (row.baseline, row.candidate) == pytest.approx(tuple(right))


def test_declared_holdout_stands_in_for_logged_propensities(weighted, tmp_path):
    log, told, _ = held_out(6000, 11)
    labels = factory.tables()["labels"] | {"unobserved": ["block"], "holdout": 0.25}
    one = factory.opened(factory.write(tmp_path / "r", log.drop(columns="label_propensity"), told, labels=labels))
    cells, logged = sliced(one).whole, sliced(weighted[2]).whole
    assert (cells.joint_weights == logged.joint_weights).all()
    assert cells.joint_unseen.sum() == 0


def test_capped_weights_are_at_most_twenty(tmp_path):
    log, told, seen = held_out(4000, 13, chance=0.02)
    cells = sliced(factory.opened(factory.write(tmp_path / "r", log, told))).whole
    weight = (1 / log["label_propensity"])[seen]
    assert cells.joint_weights[..., 1:].sum() == pytest.approx(weight.sum())
    assert cells.joint_capped[..., 1:].sum() == pytest.approx(np.minimum(weight, 20).sum())


def test_weighted_interval_covers_the_truth():
    """1,000 draws: the linearised Hajek interval covers its 95% within three standard errors of the simulation (2.1 points)."""
    rng = np.random.default_rng(4)
    bad = rng.random(20_000) < 0.2
    chance = np.where(rng.random(20_000) < 0.3, 0.05, 0.5)
    truth, hits = bad.mean(), 0
    for _ in range(1000):
        seen = rng.random(len(bad)) < chance
        y, w = bad[seen], 1 / chance[seen]
        found = selection.hajek((w * y).sum(), (w**2 * y).sum(), w.sum(), (w**2).sum())
        hits += abs(found.value - truth) < 1.96 * found.se
    assert abs(hits / 1000 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_linearised_error_is_that_of_a_survey_formula():
    """Sum of w^2 (y - mean)^2 over (sum w)^2, written out per event."""
    rng = np.random.default_rng(5)
    y, w = rng.random(400) < 0.3, 1 / rng.uniform(0.05, 1, 400)
    found = selection.hajek((w * y).sum(), (w**2 * y).sum(), w.sum(), (w**2).sum())
    mean = DescrStatsW(y.astype(float), w).mean
    assert found.value == pytest.approx(mean)
    assert found.se == pytest.approx(np.sqrt((w**2 * (y - mean) ** 2).sum()) / w.sum())
    assert found.effective == pytest.approx(w.sum() ** 2 / (w**2).sum())


@pytest.mark.parametrize(("n", "positive"), [(0, 0), (1, 0), (1, 1), (5, 5)])
def test_few_or_one_kind_of_events_give_no_false_certainty(n, positive):
    found = selection.hajek(positive * 4, positive * 16, n * 4, n * 16)
    assert np.isnan(found.value) == (n == 0)
    assert n in (found.effective, 0)


def test_sizing_is_the_published_example():
    """METHODS f6: 1% of 10,000 blocks are 100 outcomes, precision +-7.8 points at 20%."""
    outcomes, reach = selection.holdout_reach(0.01, 10_000, 0.2)
    assert outcomes == 100
    assert reach == pytest.approx(0.078, abs=5e-4)
    assert np.isnan(selection.holdout_reach(0.0, 10_000, 0.2)[1])


def test_arms_with_logged_chances_are_compared_in_every_metric(tmp_path):
    """Sums over bins are not kept of arms: what cannot be weighed there is read as it was seen."""
    log, told, _ = held_out(3000, 12)
    arm = np.where(log["entity_id"].str[1:].astype(int) % 2, "candidate", "baseline")
    live = log.assign(stage="canary", arm=arm, ramp_step="0.5")
    one = factory.opened(factory.write(tmp_path / "r", live, told, stage=[{"name": "canary", "shares": [0.5]}]))
    view = View(one, Stage.CANARY, one.cube.steps[-1])
    assert view.cells("market").weighted
    for name, _ in segments.comparable(view):
        rows = segments.segments(view, name, ("market",)).rows
        assert len(rows) == 3
        # No costs are declared.
        assert name in {"false_positive_cost", "net_value"} or any(row["candidate"] is not None for row in rows), name

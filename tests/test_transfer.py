"""Transferred cutoffs of the Score drift page against counts over raw rows, and what makes them doubtful."""

import numpy as np
import pytest

from release_core.views import transfer
from tests import factory
from tests.test_score_drift import COSTS, view_of


@pytest.fixture(scope="module")
def log():
    return factory.decisions(6000, seed=21, shift=0.3)


@pytest.fixture(scope="module")
def view(log, tmp_path_factory):
    return view_of(tmp_path_factory.mktemp("d") / "r", log, factory.outcomes(log), costs=COSTS)


def kept(log, rule, cut, at=None):
    """Return what the baseline does at `cut` (or the candidate at `at`), event by event."""
    above = log["baseline_score"] >= cut if at is None else log["candidate_score"] >= at
    bad, loss = log["bad"], 1 + 0.9 * log["amount"]
    return {
        "alert_rate": above.mean(),
        "precision": bad[above].mean(),
        "fpr": above[~bad].mean(),
        "loss": 1000 * loss[bad & ~above].sum() / len(log),
    }[rule]


@pytest.mark.parametrize("rule", transfer.RULES)
def test_a_transferred_cutoff_keeps_what_it_says(rule, view, log):
    rows = transfer.rows_of(view, "market", rule)
    assert {row["segment"] for row in rows} == {"all events", "AT", "DE", "PL"}
    edge = np.exp(1 / 64)
    for row in rows:
        mine = log if row["segment"] == "all events" else log[log["market"] == row["segment"]]
        cut = factory.CUTOFFS[row["cutoff"].removeprefix("t1.")]
        assert row["at"] == cut
        assert row["wanted"] == pytest.approx(kept(mine, rule, cut))
        if rule != "loss":
            same = kept(mine.assign(baseline_score=mine["candidate_score"]), rule, cut)
            assert row["nominal"] == pytest.approx(same)
        assert row["reached"] == pytest.approx(kept(mine, rule, cut, row["transferred"]))
        enough = row["reached"] >= row["wanted"] if rule == "precision" else row["reached"] <= row["wanted"] + 1e-9
        assert enough
        assert row["low"] is None or row["low"] <= row["transferred"]
        assert row["high"] is None or row["high"] >= row["transferred"]
        # One grid step further towards more of what is kept, and it is kept no longer.
        odds = row["transferred"] / (1 - row["transferred"])
        further = odds * edge if rule == "loss" else odds / edge
        beyond = kept(mine, rule, cut, further / (1 + further) - 1e-12 if rule != "loss" else further / (1 + further))
        assert beyond < row["wanted"] if rule == "precision" else beyond > row["wanted"] or beyond == row["reached"]


def test_transferred_cutoffs_of_a_known_shift_are_found_and_covered(view, log):
    """The candidate's log-odds are those of the baseline plus 0.3 and noise of 0.6 twice: the true cutoff is known."""
    row = transfer.rows_of(view)[0]
    wide = np.random.default_rng(8)
    n = 2_000_000
    signal = wide.normal(-1.5, 1.0, n) + 1.8 * (wide.random(n) < 0.2) + wide.normal(0, 0.4, n)
    old, new = signal + wide.normal(0, 0.6, n), signal + wide.normal(0, 0.6, n) + 0.3
    rate = (old >= np.log(0.3 / 0.7)).mean()
    true = 1 / (1 + np.exp(-np.quantile(new, 1 - rate)))
    assert row["low"] <= true <= row["high"]
    assert row["high"] - row["low"] < 0.06


def test_few_positives_ties_and_missing_labels_are_warned_of(tmp_path):
    log = factory.decisions(900, seed=23, rate=0.03)
    told = factory.outcomes(log).head(600)
    log["candidate_score"] = np.where(log["candidate_score"] > 0.1, 0.4, 0.05)
    one = view_of(tmp_path / "r", log, told)
    tied = transfer.rows_of(one)[0]
    assert "share a score" in tied["warnings"] or "alert on nothing" in tied["warnings"]
    precise = transfer.rows_of(one, rule="precision")[0]
    assert "labelled positives lie above it" in precise["warnings"]
    assert "of the events are known" in precise["warnings"]


def test_without_labels_only_the_alert_rate_can_be_kept(tmp_path):
    one = view_of(tmp_path / "r", factory.decisions(900, seed=24))
    for rule in ("precision", "fpr", "loss"):
        row = transfer.rows_of(one, rule=rule)[0]
        assert row["transferred"] is None
        assert "is not known here" in row["warnings"]
    assert transfer.rows_of(one)[0]["transferred"] is not None


def test_the_cutoff_at_equal_loss_lies_in_its_interval_where_many_events_share_a_score(tmp_path):
    log = factory.decisions(3000, seed=25, rate=0.3, shift=-1.5)
    for name in ("baseline_score", "candidate_score"):
        log[name] = np.round(20 * (1 - log[name]))
    score = {"scale": "points", "min": 0, "max": 20, "step": 1, "higher_is": "safer"}
    cutoffs = {"t1": {"default": {"review": 10, "block": 6}}}
    one = view_of(tmp_path / "r", log.assign(amount=10.0), factory.outcomes(log), score=score, thresholds=cutoffs)
    rows = transfer.rows_of(one, "market", "loss")
    assert len(rows) == 8
    assert all(row["low"] <= row["transferred"] <= row["high"] for row in rows)

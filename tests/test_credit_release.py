"""The facts of the real demo come out of the product, and its story is the one that the data tells.

Figures: measured when the demo was designed, on the held-out half of the clients. Tolerances: counts are exact, the
logistic regression may differ in the last digit, the boosted trees by three standard deviations over eight seeds.
"""

import numpy as np
import pytest

from release_core import changes, demo, library, review
from release_core.release import Stage, Verdict
from release_core.views import transfer
from release_core.views.view import View
from tests import factory

LR, HGB = 0.0006, 0.004
MONTHS = {
    "2005-04": (0.0989, 0.9000, 0.0489, 0.108, 0.9087, 0.0463, 0.107),
    "2005-05": (0.1169, 0.8729, 0.0580, 0.107, 0.8820, 0.0558, 0.108),
    "2005-06": (0.1403, 0.8519, 0.0718, 0.119, 0.8639, 0.0691, 0.120),
    "2005-07": (0.1470, 0.8613, 0.0729, 0.132, 0.8701, 0.0705, 0.135),
    "2005-08": (0.1043, 0.8654, 0.0736, 0.136, 0.8688, 0.0711, 0.140),
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    root = tmp_path_factory.mktemp("releases")
    demo.build(root, only=demo.CREDIT)
    kept = {}

    def get(name):
        if name not in kept:
            kept[name] = factory.opened(root / name, root / f"{name}-cache")
        return kept[name]

    return get


def measured(opened, *by, as_of=None, **where):
    stage = review.stage_of(opened, None)
    rows = review.measured(opened, stage, opened.cube.step(as_of), by=by, where=where)
    return {(row.metric, row.version, *row.segment.values()): row for row in rows}


def judged(opened, as_of=None):
    return review.review(opened, review.stage_of(opened, None), opened.cube.step(as_of))


@pytest.mark.parametrize("month", MONTHS)
def test_the_month_table_comes_out(releases, month):
    rate, *figures = MONTHS[month]
    found = measured(releases("credit-model"), "month")
    assert found["base_rate", "baseline", month].value == pytest.approx(rate, abs=0.006)
    for version, tolerance, (auc, brier, mean) in (("baseline", LR, figures[:3]), ("candidate", HGB, figures[3:])):
        assert found["auc", version, month].value == pytest.approx(auc, abs=tolerance)
        assert found["brier", version, month].value == pytest.approx(brier, abs=tolerance)
        assert found["mean_score", version, month].value == pytest.approx(mean, abs=max(tolerance, 0.001))


def test_the_aggregate_says_go(releases):
    found = measured(releases("credit-model"), replay_set="Jun-Jul")
    wanted = {
        "auc": (0.857, 0.867),
        "brier": (0.0724, 0.0698),
        "recall": (0.532, 0.548),
        "fpr": (0.0288, 0.0262),
        "amount_recall": (0.469, 0.626),
    }
    values = {name: [found[name, version, "Jun-Jul"].value for version in ("baseline", "candidate")] for name in wanted}
    for name, (old, new) in wanted.items():
        assert values[name] == [pytest.approx(old, abs=0.001), pytest.approx(new, abs=0.012)], name
    assert found["disagreement_rate", "difference", "Jun-Jul"].value == pytest.approx(0.028, abs=0.003)
    whole = [row for row in judged(releases("credit-model")).rows if not row.segment and row.comparison != "invariant"]
    assert len(whole) > 5
    assert {row.verdict for row in whole} <= {Verdict.PASS, Verdict.MARGINAL}


@pytest.mark.parametrize(
    ("dim", "value", "old", "new", "low", "high", "bad"),
    [
        ("age_band", "25 and under", 0.591, 0.535, -0.079, -0.034, 778),
        ("limit_tier", "up to 50k", 0.677, 0.601, -0.089, -0.062, 1875),
        ("limit_tier", "50-100k", 0.647, 0.578, None, None, 896),
        ("limit_tier", "200-300k", 0.041, 0.442, None, None, 342),
    ],
)
def test_the_segments_say_stop(releases, dim, value, old, new, low, high, bad):
    found = measured(releases("credit-model"), dim, replay_set="Jun-Jul")
    rows = {version: found["recall", version, "Jun-Jul", value] for version in ("baseline", "candidate", "difference")}
    assert rows["baseline"].value == pytest.approx(old, abs=0.002)
    assert rows["candidate"].value == pytest.approx(new, abs=0.03)
    assert rows["baseline"].positives == bad
    if low is not None:
        assert (rows["difference"].low, rows["difference"].high) == pytest.approx((low, high), abs=0.015)


def test_credit_model_fails_at_replay_and_names_its_segments(releases):
    found = judged(releases("credit-model"))
    assert found.verdict is Verdict.FAIL
    failing = {
        tuple(row.segment.items())[-1] for row in found.rows if row.gate == "recall" and row.verdict is Verdict.FAIL
    }
    assert {("age_band", "25 and under"), ("limit_tier", "up to 50k"), ("limit_tier", "50-100k")} <= failing
    assert [component for component, _ in found.changed] == ["model"]


def test_the_changed_coding_breaks_the_invariant_in_september(releases):
    (row,) = [row for row in judged(releases("credit-model")).rows if row.gate == "code_share"]
    assert row.verdict is Verdict.FAIL
    assert row.sentence.startswith("pay_status = 1 has a share of 12.3% in 2005-09, and 0.0% in all periods before")
    before = [row for row in judged(releases("credit-model"), "2005-08-31").rows if row.gate == "code_share"]
    assert {row.verdict for row in before} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("code", "n", "bad", "verdict"), [("6", 58, 2, "NODATA"), ("0", 16, 1, "NODATA"), ("5", 250, 11, "INCONCLUSIVE")]
)
def test_codes_without_enough_evidence_are_not_decided(releases, code, n, bad, verdict):
    name = f"{code} undocumented"
    (row,) = [
        row
        for row in judged(releases("credit-model")).rows
        if row.gate == "recall" and row.segment == {"replay_set": "Jun-Jul", "education": name}
    ]
    assert (row.n, row.positives, row.verdict.name) == (n, bad, verdict)


def test_at_the_end_of_july_only_labels_up_to_june_exist(releases):
    found = measured(releases("credit-model"), "month", as_of="2005-07-31")
    shares = {month: found["labelled_share", "candidate", month].value for month in ("2005-05", "2005-06", "2005-07")}
    assert shares == {"2005-05": 1, "2005-06": 1, "2005-07": 0}


def test_the_early_verdict_on_calibration_reverses(releases):
    opened = releases("credit-recalibration")
    early, late = (
        {
            row.segment.get("replay_set"): row.verdict.name
            for row in judged(opened, as_of).rows
            if row.gate == "calibration"
        }
        for as_of in ("2005-08-31", "2005-09-30")
    )
    assert (early["Jun-Jul"], early["Aug"]) == ("PASS", "NODATA")
    assert late["Aug"] == "FAIL"


def test_cutoffs_per_limit_tier_trade_recall_for_amount(releases):
    tiers = measured(releases("credit-threshold"), "limit_tier", replay_set="Jun-Jul")
    whole = measured(releases("credit-threshold"), replay_set="Jun-Jul")
    assert tiers["recall", "candidate", "Jun-Jul", "up to 50k"].value == pytest.approx(0.682, abs=0.02)
    amounts = [whole["amount_recall", version, "Jun-Jul"].value for version in ("baseline", "candidate")]
    assert amounts == [pytest.approx(0.626, abs=0.02), pytest.approx(0.456, abs=0.02)]


def test_recalibration_keeps_ranking_and_decisions_and_repairs_the_score(releases):
    found = measured(releases("credit-recalibration"), replay_set="Jun-Jul")
    assert found["brier", "candidate", "Jun-Jul"].value == pytest.approx(0.0701, abs=0.001)
    assert found["mean_score", "baseline", "Jun-Jul"].value > 2 * found["mean_score", "candidate", "Jun-Jul"].value
    assert found["auc", "difference", "Jun-Jul"].value == pytest.approx(0, abs=5e-4)
    assert found["disagreement_rate", "difference", "Jun-Jul"].value < 0.001
    verdicts = {row.gate: row.verdict.name for row in judged(releases("credit-recalibration")).rows if not row.segment}
    assert (verdicts["rank_reversals"], verdicts["one_kind"]) == ("PASS", "PASS")


def test_the_mixed_release_is_refused_with_its_components_named(releases):
    found = judged(releases("credit-mixed"))
    (row,) = [row for row in found.rows if row.gate == "one_kind"]
    assert (found.mixed, row.verdict) == (True, Verdict.FAIL)
    assert all(component in row.sentence for component in ("model", "calibration", "thresholds", "policy"))


def test_equal_alert_rate_is_what_carried_over_tables_are_checked_against(releases):
    one = releases("credit-model")
    table = one.release.tables[one.release.candidate.thresholds]
    assert changes.differing(one.release, one.cube, table) == []
    row = transfer.rows_of(View(one, Stage.REPLAY, one.cube.steps[-1], (("replay_set", table.replay_set),)))[0]
    stated = dict(table.default)["review"]
    assert abs(changes.bin_of(one.release, row["transferred"]) - changes.bin_of(one.release, stated)) <= 1
    assert row["low"] <= stated <= row["high"]


def test_the_demo_comes_first_in_the_list(releases, tmp_path, monkeypatch):
    opened = releases("credit-model")
    monkeypatch.setenv(library.RELEASES_VARIABLE, str(opened.release.folder.parent))
    assert [card.id for card in library.cards()] == list(demo.CREDIT)
    assert np.all([card.problem == "" for card in library.cards()])

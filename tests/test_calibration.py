"""The Calibration page against single events and model-diagnostics: zones, decomposition, segments, and what is not known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from model_diagnostics.calibration import compute_bias
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy.special import expit, logit
from statsmodels.stats.rates import confint_poisson

from release_core.release import VERSIONS
from release_core.views import calibration, reliability
from release_core.views.view import View
from tests import factory

SIDES = [f"{version}_score" for version in VERSIONS]


def log_of(rows=6000, shift=-0.6):
    log = factory.decisions(rows, seed=13, rate=0.15)
    log["candidate_score"] = expit(shift + logit(log["candidate_score"]))
    return log


def view_of(folder, log, told=None, **changes):
    told = factory.outcomes(log) if told is None else told
    few = {"segments": {"dims": ["market"], "min_events": 50}}
    one = factory.opened(factory.write(folder / "r", log, told, **few | changes))
    return View(one, one.cube.stages()[-1], one.cube.steps[-1])


@pytest.fixture(scope="module")
def events():
    return log_of()


@pytest.fixture(scope="module")
def view(tmp_path_factory, events):
    return view_of(tmp_path_factory.mktemp("calibration"), events)


@pytest.mark.filterwarnings("ignore:the string cache:DeprecationWarning")
def test_the_three_numbers_in_the_large_are_those_of_single_events(view, events):
    rows = {row["metric"]: row for row in calibration.calibration(view).numbers}
    y = events["bad"].to_numpy()
    for version, side in zip(VERSIONS, SIDES, strict=True):
        score = events[side].to_numpy()
        assert rows["rate_gap"][version] == pytest.approx(y.mean() - score.mean(), abs=1e-8)
        assert rows["oe_ratio"][version] == pytest.approx(y.sum() / score.sum())
        a = rows["calibration_intercept"][version]
        assert expit(a + logit(score)).sum() == pytest.approx(y.sum(), rel=1e-4)
        assert rows["rate_gap"][f"{version}_low"] < rows["rate_gap"][version] < rows["rate_gap"][f"{version}_high"]
    bias = compute_bias(y_obs=y.astype(float), y_pred=events[SIDES].to_numpy())
    assert [rows["rate_gap"][version] for version in VERSIONS] == pytest.approx(
        [-b for b in bias["bias_mean"]], abs=1e-8
    )


def test_zones_are_exact_above_cutoffs_and_by_whole_bins_at_the_top(view, events):
    zones = {row["zone"]: row for row in calibration.calibration(view).zones}
    assert list(zones)[:3] == ["all labelled events", "highest 1% of scores", "highest 0.1% of scores"]
    for version, side in zip(VERSIONS, SIDES, strict=True):
        for action, cutoff in factory.CUTOFFS.items():
            above = events[events[side] >= cutoff]
            row, observed, expected = zones[f"from the {action} cutoff up"], above["bad"].sum(), above[side].sum()
            low, high = confint_poisson(observed, 1, method="exact-c")
            told = [row[version], row[f"{version}_low"], row[f"{version}_high"]]
            assert told == pytest.approx([observed / expected, low / expected, high / expected], rel=1e-6)
            assert row[f"{version}_sums"].startswith(f"{observed:,} of {len(above):,};")
        top = events.nlargest(60, side)
        row = zones["highest 1% of scores"]
        held = int(row[f"{version}_sums"].split(" of ")[1].split(";")[0])
        assert 60 * 0.8 < held <= 60
        part = top.head(held)
        assert row[version] == pytest.approx(part["bad"].sum() / part[side].sum(), rel=1e-6)


def test_losses_fall_apart_as_in_model_diagnostics_but_for_the_bins(view, events):
    rows = {(row["loss"], row["version"]): row for row in calibration.losses(view)}
    y = events["bad"].to_numpy().astype(float)
    for version, side in zip(VERSIONS, SIDES, strict=True):
        score = events[side].to_numpy()
        for name, loss in (("Brier score", SquaredError()), ("Log loss", LogLoss())):
            found, oracle = rows[name, version], decompose(y_obs=y, y_pred=score, scoring_function=loss)
            assert found["value"] == pytest.approx(oracle["score"][0], rel=1e-6)
            assert found["unc"] == pytest.approx(oracle["uncertainty"][0], rel=1e-9)
            # Near-equal scores share a bin, which lowers both by the same, and never raises them (METHODS 0.9).
            lost = oracle["miscalibration"][0] - found["mcb"]
            assert 0 <= lost < 0.1 * oracle["miscalibration"][0] + 0.05 * found["expected"] + 2e-4
            assert oracle["discrimination"][0] - found["dsc"] == pytest.approx(lost, abs=1e-9)
            assert found["value"] == pytest.approx(found["mcb"] - found["dsc"] + found["unc"])
    assert rows["Log loss", "candidate"]["mcb"] > 3 * rows["Log loss", "candidate"]["expected"]


def test_segments_show_both_versions_with_intervals(view, events):
    found = calibration.by_segment(view, "market")
    assert [row["segment"] for row in found.rows] == ["market AT", "market DE", "market PL"]
    for row, (_, part) in zip(found.rows, events.groupby("market"), strict=True):
        for version, side in zip(VERSIONS, SIDES, strict=True):
            assert row[version] == pytest.approx(part["bad"].sum() / part[side].sum())
            assert row[f"{version}_low"] < row[version] < row[f"{version}_high"]
        assert row["n"] == len(part)
    assert len(found.chart.spec["data"]) == 2


def test_segment_in_few_shards_gets_the_exact_poisson_interval(tmp_path):
    log = log_of(600)
    log["entity_id"] = "c" + (np.arange(600) % 5).astype(str)
    found = calibration.by_segment(view_of(tmp_path, log), "market").rows[0]
    part = log[log["market"] == "AT"]
    low, high = confint_poisson(part["bad"].sum(), 1, method="exact-c")
    ends = [found["candidate_low"], found["candidate_high"]]
    assert ends == pytest.approx([end / part["candidate_score"].sum() for end in (low, high)], rel=1e-6)
    assert "Poisson" in found["method"]


def test_curve_counts_the_positives_of_every_step(view, events):
    chart = reliability.reliability_of(view)
    for version in VERSIONS:
        steps = [row for row in chart.data if row["version"].endswith(version)]
        assert sum(row["positives"] for row in steps) == events["bad"].sum()
        assert sum(row["n"] for row in steps) == len(events)
        assert all(row["positives"] / row["n"] == pytest.approx(row["rate"]) for row in steps)


def test_notes_say_what_numbers_rest_on(tmp_path):
    log = log_of(1500)
    log.loc[:6, "candidate_score"] = 1.0
    text = " ".join(calibration.calibration(view_of(tmp_path, log)).notes)
    assert "Labels matured: 100% of the events." in text
    assert "7 events of the stage" in text
    assert "design effect" in text


def test_clustered_events_raise_the_design_effect_and_are_warned_of(tmp_path):
    log = factory.decisions(600, seed=2)
    copies = pd.concat([log.assign(event_id=log["event_id"] + f"-{k}") for k in range(6)], ignore_index=True)
    once, often = (view_of(tmp_path / name, one) for name, one in (("one", log), ("six", copies)))
    effects = [reliability_effect(one) for one in (once, often)]
    assert effects[1] == pytest.approx(6 * effects[0], rel=1e-6)
    assert "too narrow" in " ".join(calibration.calibration(often).notes)


def reliability_effect(view):
    return calibration.design_effect(view.cells())


def test_undersampled_training_is_recognised_and_a_mere_misfit_is_not(tmp_path):
    """Negatives kept at one in five: the odds are five times too high, and nothing else is wrong."""
    rng = np.random.default_rng(21)
    log = log_of(12_000)
    truth = expit(rng.normal(-2, 1.2, len(log)))
    log["bad"] = rng.random(len(log)) < truth
    log["baseline_score"] = truth
    log["candidate_score"] = expit(logit(truth) + np.log(5))
    found = calibration.calibration(view_of(tmp_path / "kept", log)).warnings
    assert len(found) == 1
    assert "candidate" in found[0]
    kept = float(found[0].split("b = ")[1].split(",")[0])
    assert kept == pytest.approx(0.2, rel=0.15)
    log["candidate_score"] = expit(0.6 * logit(truth) + np.log(3))
    assert calibration.calibration(view_of(tmp_path / "misfit", log)).warnings == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [(0, "Only 0 bad"), (9, "Only 9 bad"), (300, "Only 0 good"), (295, "Only 5 good")],
)
def test_too_few_of_a_class_is_not_known_with_its_reason(tmp_path, bad, said):
    log = factory.decisions(300, seed=3)
    log["bad"] = np.arange(300) < bad
    view = view_of(tmp_path, log)
    page = calibration.calibration(view)
    assert said in page.headline
    assert page.numbers == page.zones == page.tests == []
    assert page.reliability.spec == {}
    assert page.reliability.alt == page.headline
    assert calibration.losses(view) == []


def test_points_are_said_to_have_no_calibration(tmp_path):
    log = log_of(900)
    for side in SIDES:
        log[side] = np.round(1000 * log[side])
    score = {"scale": "points", "min": 0, "max": 1000, "step": 1}
    view = view_of(tmp_path, log, score=score, thresholds={"t1": {"default": {"review": 300, "block": 700}}})
    page = calibration.calibration(view)
    assert "points" in page.headline
    assert "calibration is not known" in page.headline
    assert calibration.by_segment(view, "market").rows == []


def test_scores_of_safety_are_drawn_as_risk(tmp_path, view, events):
    log = events.copy()
    for side in SIDES:
        log[side] = 1 - log[side]
    cutoffs = {"t1": {"default": {"review": 0.7, "block": 0.3}}}
    turned = view_of(tmp_path, log, score={"higher_is": "safer"}, thresholds=cutoffs)
    one, other = (reliability.reliability_of(v) for v in (view, turned))
    assert [row["rate"] for row in other.data] == pytest.approx([row["rate"] for row in one.data], abs=1e-6)
    strips = [trace for trace in other.spec["data"] if trace.get("yaxis") == "y2"]
    assert all(list(trace["x"]) == sorted(trace["x"]) for trace in strips)


def test_a_filter_narrows_every_part_of_the_page(view, events):
    page = calibration.calibration(replace(view, where=(("market", "DE"),)))
    part = events[events["market"] == "DE"]
    every = page.zones[0]
    assert every["candidate"] == pytest.approx(part["bad"].sum() / part["candidate_score"].sum())
    assert "market DE" in page.headline

"""Arms compared less what scores before treatment foretell: against entities regressed one by one, and at every look."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from release_core import review
from release_core.frames import Grid, Tally
from release_core.metrics import anytime
from release_core.metrics.table import METRICS
from release_core.release import Stage
from tests import factory, lived
from tests.bench.arms import Truth, scored

LOOKS = 48
GATE = {
    "id": "approvals", "metric": "approve_rate", "comparison": "non_inferiority", "margin": 0.05, "stages": ["canary"],
    "scope": "each_segment", "level": "hold",
}  # fmt: skip


def estimates(truth, seed):
    """Return the estimate of the approval rate [1, look, side] as it is, and adjusted."""
    counts, entities, before = scored(truth, seed)
    tally = Tally.of(Grid(np.arange(1), None, np.zeros(1)), {"actions": counts[None]})
    metric = METRICS["approve_rate"]
    return [
        anytime.estimate(tally, entities[None], metric, truth.entities, known) for known in ((-1, None), (0, before))
    ]


def test_over_all_looks_a_harmless_release_raises_fewer_alarms_than_alpha_and_intervals_are_narrower():
    truth, fired, gain = Truth(entities=1500, looks=LOOKS, shares=(0.2, 0.5)), 0, []
    for seed in range(100):
        plain, less = estimates(truth, seed)
        fired += bool(((less.bounds(0.95, sides=1)[1][..., 2] < 0) & (less.evidence > 0)).any())
        gain.append(less.se[0, -1, 2] / plain.se[0, -1, 2])
        assert less.adjusted[0, -1]
    assert fired <= 8  # at most 5 expected, simulation error 2.2
    assert np.median(gain) < 0.93


def test_the_adjusted_difference_is_right_on_average():
    truth = Truth(entities=1500, looks=4, effect=0.05)
    found = [[one.value[0, -1, 2] for one in estimates(truth, seed)] for seed in range(150)]
    spread = np.std(found, axis=0)
    assert spread[1] < 0.95 * spread[0]
    assert np.mean(found, axis=0)[1] == pytest.approx(np.mean(found, axis=0)[0], abs=2.5 * spread[0] / np.sqrt(150))


@pytest.fixture(scope="module")
def log():
    return lived.decisions(5000, seed=51)


@pytest.fixture(scope="module")
def one(log, tmp_path_factory):
    return factory.opened(factory.write(tmp_path_factory.mktemp("c") / "r", log, lived.outcomes(log), gate=[GATE]))


def test_a_gate_reads_what_a_regression_over_entities_says(one, log):
    row = next(
        row for row in review.review(one, Stage.CANARY, one.cube.steps[-1]).rows
        if row.gate == "approvals" and not row.segment
    )  # fmt: skip
    assert row.method == anytime.ADJUSTED
    first = log.sort_values("event_time", kind="stable").drop_duplicates("entity_id")
    log = log.assign(x=log["entity_id"].map(first.set_index("entity_id")["baseline_score"]))
    clean = log[log.groupby(["ramp_step", "entity_id"])["arm"].transform("nunique") == 1]
    taken = clean.assign(held=clean["action_taken"] != "approve")
    by = taken.groupby(["ramp_step", "arm", "entity_id"]).agg(x=("x", "first"), held=("held", "sum")).reset_index()
    slope = sm.OLS(by["held"], sm.add_constant(by["x"])).fit().params["x"]
    difference, weights = [], []
    for ramp, rows in clean.groupby("ramp_step"):
        levels, sizes = [], []
        for arm in ("baseline", "candidate"):
            mine, people = rows[rows["arm"] == arm], by[(by["ramp_step"] == ramp) & (by["arm"] == arm)]
            approved = (factory.actions(mine[f"{arm}_score"]) == "approve").sum()
            levels.append((approved + slope * (people["x"] - by["x"].mean()).sum()) / len(mine))
            sizes.append(len(people))
        difference.append(levels[1] - levels[0])
        weights.append(sizes[0] * sizes[1] / sum(sizes))
    assert row.difference == pytest.approx(np.average(difference, weights=weights), abs=1e-9)
    assert row.low < row.difference < row.high


def test_segments_and_logs_without_the_baselines_scores_are_not_adjusted(one, log, tmp_path):
    rows = review.review(one, Stage.CANARY, one.cube.steps[-1]).rows
    assert {row.method for row in rows if row.gate == "approvals" and row.segment} == {anytime.METHOD}
    bare = log.assign(baseline_score=np.where(log["arm"] == "candidate", np.nan, log["baseline_score"]))
    other = factory.opened(factory.write(tmp_path / "r", bare, lived.outcomes(bare), gate=[GATE]))
    rows = review.review(other, Stage.CANARY, other.cube.steps[-1]).rows
    assert next(row.method for row in rows if row.gate == "approvals" and not row.segment) == anytime.METHOD


def test_a_score_that_differs_between_the_arms_adjusts_nothing(log, tmp_path):
    moved = log.assign(
        baseline_score=np.clip(log["baseline_score"] * np.where(log["arm"] == "candidate", 1.6, 1), 0, 1)
    )
    other = factory.opened(factory.write(tmp_path / "r", moved, lived.outcomes(moved), gate=[GATE]))
    rows = review.review(other, Stage.CANARY, other.cube.steps[-1]).rows
    assert next(row.method for row in rows if row.gate == "approvals" and not row.segment) == anytime.METHOD
    assert pd.notna(moved["baseline_score"]).all()

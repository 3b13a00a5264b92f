"""What the truth file promises is in the logs, and nothing is where nothing was planted."""

import json

import numpy as np
import pytest

from release_core import attribution, cube, manifest
from release_core.cube.cube import Cube
from release_core.demo.fraud import plan, releases
from release_core.release import Stage

SAME_SCORES = ("fraud-threshold", "fraud-policy")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return the truth of each single-kind release at a size at which every planted effect stands far above its error."""
    root = tmp_path_factory.mktemp("large")
    names = [name for name in plan.STORIES if name != "fraud-mixed"]
    for name in names:
        size = 400_000 if name in SAME_SCORES else 150_000
        releases.build(root, [name], "test", lambda share, text: None, size, 1)
    return {name: json.loads((root / name / releases.TRUTH).read_text()) for name in names}


def effects(large, name, stage, group="all"):
    return large[name]["effects"][stage][group]


def error(rate, n):
    """Return four standard errors of a rate."""
    return 4 * np.sqrt(rate * (1 - rate) / n)


def test_model_ranks_better_but_loses_recall_in_the_planted_segment(large):
    everyone = effects(large, "fraud-model", "replay")
    planted = effects(large, "fraud-model", "replay", "planted")
    assert everyone["difference"]["auc"] > 0.005
    assert everyone["difference"]["recall"] > 0.01
    assert planted["difference"]["recall"] < -error(0.5, planted["fraud"])
    # Carried over at equal alert rate: as many alerts in the replay, more of them once live inputs differ.
    assert abs(everyone["difference"]["alert_rate"]) < 0.001
    assert effects(large, "fraud-model", "shadow")["difference"]["alert_rate"] < 0.004
    assert effects(large, "fraud-model", "canary")["difference"]["alert_rate"] > 0.01


def test_threshold_release_blocks_less_and_alerts_the_same(large):
    for stage in ("replay", "shadow", "canary", "ab"):
        found = effects(large, "fraud-threshold", stage)["difference"]
        assert found["alert_rate"] == found["recall"] == found["auc"] == 0
        assert found["block_rate"] < -0.004
    arms = [effects(large, "fraud-threshold", "ab")[version]["arm"] for version in ("baseline", "candidate")]
    assert arms[1]["conversion_rate"] - arms[0]["conversion_rate"] > 0


def test_policy_release_converts_more_and_loses_more_to_fraud(large):
    found = effects(large, "fraud-policy", "ab")
    before, after = (found[version]["arm"] for version in ("baseline", "candidate"))
    n = min(before["events"], after["events"])
    assert after["conversion_rate"] - before["conversion_rate"] > error(0.07, n)
    passed = [one["fraud_passed"] / one["events"] for one in (before, after)]
    assert passed[1] - passed[0] > error(passed[0], n)
    losses = [one["fraud_passed_amount"] / one["events"] for one in (before, after)]
    assert losses[1] > 1.3 * losses[0]
    assert found["difference"]["alert_rate"] == 0


def test_recalibration_changes_nothing_but_probabilities(large):
    for stage in large["fraud-recalibration"]["effects"]:
        found = effects(large, "fraud-recalibration", stage)["difference"]
        assert all(found[name] == 0 for name in ("alert_rate", "review_rate", "block_rate", "recall", "fpr"))


@pytest.mark.parametrize("name", SAME_SCORES)
def test_what_was_not_planted_is_not_there(large, name):
    """Recall, false positives and AUC of the same scores with the same alerts do not move at any stage."""
    for stage in large[name]["effects"]:
        found = effects(large, name, stage)["difference"]
        assert all(found[metric] == 0 for metric in ("auc", "recall", "fpr", "precision"))


def test_review_queue_overruns_in_the_canary_only(log):
    def hours_waiting(stage):
        gauges = log("fraud-model", "runtime").query("stage == @stage")
        wide = gauges[gauges["arm"].isna()].pivot_table(index="sampled_at", columns="name", values="value")
        return wide["review_queue_depth"] / wide["review_capacity_per_hour"].mean()

    assert hours_waiting("shadow").max() < 12
    assert hours_waiting("canary").iloc[-144:].mean() > 2 * hours_waiting("shadow").mean()


def test_mixed_release_is_attributed_as_planted(fraud, told, tmp_path):
    """The product's shares of what changed equal the generator's own counterfactual, from its own arithmetic."""
    release = manifest.load(fraud / "fraud-mixed")
    opened = Cube(release, cube.build(release, tmp_path))
    worlds = opened.worlds(Stage.REPLAY, opened.steps[-1])
    planted = told("fraud-mixed")["attribution"]
    for name, effect in attribution.effects(release).items():
        if name in planted:
            found = attribution.attribute(worlds, effect)
            shares = [part.value for part in found.shares]
            expected = [planted[name][player] for player in worlds.players]
            assert shares == pytest.approx(expected, abs=1e-9)
            assert sum(shares) == pytest.approx(planted[name]["difference"], abs=1e-9)

"""When the cells of both scores say that the versions rank all events alike, and what the interval of their AUCs makes of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit

from release_core import metrics
from release_core.cube import joined
from release_core.cube.labels import EVENT, QUIET
from release_core.release import Stage
from release_core.stats import ranking
from tests import factory

AUC = metrics.METRICS["auc"]


def apart(first, second, n=None, label=EVENT, models=("m1", "m1")):
    n = np.ones(len(first), int) if n is None else np.array(n)
    labels = np.full(len(first), label)
    cells = {"label": labels, "n": n, "baseline_bin": np.array(first), "candidate_bin": np.array(second)}
    release = SimpleNamespace(baseline=SimpleNamespace(model=models[0]), candidate=SimpleNamespace(model=models[1]))
    return joined.apart(SimpleNamespace(release=release, moved=lambda *_: cells), (Stage.REPLAY, 0, True))


def test_two_models_never_rank_alike_though_all_events_so_far_are_in_the_same_order():
    assert apart([1, 2, 3], [1, 2, 3], models=("m1", "m2")) == 1


def test_versions_whose_bins_rise_together_rank_alike():
    assert apart([3, 1, 2, 2], [7, 1, 5, 5]) == 0
    # Bins are wider or narrower where one version's scores are moved: the cells are the steps of a stair.
    assert apart([1, 1, 2, 2, 3], [4, 5, 5, 5, 6]) == 0


@pytest.mark.parametrize("moved", [([1, 2], [2, 1]), ([1, 2, 2, 3], [1, 1, 3, 2]), ([5, 6, 7], [5, 6, -1])])
def test_one_event_in_another_order_or_without_a_score_is_enough_to_differ(moved):
    assert apart(*moved) == 1
    assert apart(*moved, n=[10**6, *[1] * (len(moved[0]) - 1)]) == 1


def test_cells_without_events_say_nothing_and_no_event_at_all_is_no_proof():
    assert apart([1, 2, 3], [1, 2, 0], n=[1, 1, 0]) == 0
    assert apart([], []) == 1
    assert apart([1, 2], [1, 2], label=QUIET) == 1


@pytest.fixture(scope="module")
def log():
    return factory.decisions(2000, seed=5)


RECALIBRATED = {"kind": "recalibration", "to": {"model": "m1", "calibration": "c2", "thresholds": "t1", "policy": "p1"}}


@pytest.mark.parametrize(
    ("changes", "noise", "found"), [(RECALIBRATED, 0.0, 0.0), (RECALIBRATED, 0.1, 1.0), ({}, 0.001, 1.0)]
)
def test_a_recalibration_ranks_alike_and_a_slightly_other_model_does_not(log, tmp_path, changes, noise, found):
    told = {"release": factory.tables()["release"] | changes}
    told |= {"rollback": {"target": "c1", "how": "load c1"}} if changes else {}
    moved = 0.8 * logit(log["baseline_score"]) - 0.3 + noise * np.random.default_rng(1).normal(size=len(log))
    one = factory.opened(
        factory.write(tmp_path / "r", log.assign(candidate_score=expit(moved)), factory.outcomes(log), **told)
    )
    cells = one.cube.slice(Stage.REPLAY, one.cube.steps[-1], (((), ()),))
    assert cells.apart() == found
    low, high = metrics.estimate(cells, AUC).bounds(0.95)
    width = high[0, 2] - low[0, 2]
    first, second = AUC.of(cells.whole)[0]
    fewest = np.minimum(cells.whole.positives, cells.whole.negatives).min()
    # Whatever the error of a small difference is, it reaches as far as with the events that may be missing; a recalibration does not.
    least = np.subtract(*ranking.auc_difference_interval((first, second), 0.0, fewest, 1.0)[::-1])
    assert (width >= least) == (found == 1.0)


def test_interval_of_a_difference_holds_the_truth_by_what_the_log_itself_says_of_the_ranks():
    """2,000 logs of 100 bad events, 1.5 expected that the candidate alone misplaces, error 0.5 points.

    Where none is at hand the versions' ranks lie near each other. By the error alone, or with a guard in proportion to the ranks'
    distance, 65 to 80% hold it.
    """
    from tests.bench import coverage

    assert coverage.between(np.random.default_rng(3), 2000, 100, 0.999, 1.5).mean() > 0.95 - 2 * 0.005

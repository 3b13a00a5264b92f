import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from release_core.demo.credit import models


@pytest.fixture
def sample():
    random = np.random.default_rng(0)
    scores = random.beta(1, 4, 5_000)
    return scores, (random.random(5_000) < scores**2).astype(float)


def test_isotonic_map_rises_strictly_and_is_never_certain(sample):
    x, y = models.isotonic_map(*sample)
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    assert (x[0], x[-1]) == (0.0, 1.0)
    assert y[0] > 0
    assert y[-1] < 1


def test_isotonic_map_meets_the_isotonic_regression_at_its_corners(sample):
    x, y = models.isotonic_map(*sample)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(*sample)
    assert y[1:-1] == pytest.approx(oracle.predict(x[1:-1]))


def test_isotonic_map_of_a_small_sample_by_hand():
    scores, labels = np.array([0.1, 0.2, 0.4, 0.5, 0.6, 0.9]), np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    x, y = models.isotonic_map(scores, labels)
    # Blocks: 0.1 -> 0; (0.2, 0.4) -> 1/2, (0.5, 0.6) -> 1/2, pooled; 0.9 -> 1.
    assert x.tolist() == pytest.approx([0.0, 0.425, 1.0])
    assert y.tolist() == pytest.approx([0.25, 0.5, 0.75])


def test_scores_are_probabilities(joined):
    for release in ("credit-model", "credit-recalibration"):
        scores = joined(release)[["baseline_score", "candidate_score"]]
        assert scores.gt(0).all().all()
        assert scores.lt(1).all().all()

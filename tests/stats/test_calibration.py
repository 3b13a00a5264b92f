import numpy as np
import pytest
from sklearn import metrics
from statsmodels.stats.rates import confint_poisson

from release_core.stats import calibration
from tests.stats.cases import scored


@pytest.mark.parametrize("k", [1, 5, 30, 2000])
def test_oe_ratio_interval_equals_statsmodels(k):
    found = calibration.oe_ratio(k, 4.0)
    np.testing.assert_allclose(found.low * 4, confint_poisson(k, 1, method="exact-c")[0], rtol=1e-9)
    np.testing.assert_allclose(found.high * 4, confint_poisson(k, 1, method="exact-c")[1], rtol=1e-9)
    assert found.value == k / 4


def test_oe_ratio_one_sided_bounds_are_those_of_a_wider_interval():
    one, two = calibration.oe_ratio(7, 5.0, 0.95, 1), calibration.oe_ratio(7, 5.0, 0.90)
    np.testing.assert_allclose(one, two)


def test_oe_ratio_no_positives():
    value, low, high = calibration.oe_ratio(0, 2.0)
    assert value == low == 0
    assert high == pytest.approx(-np.log(0.025) / 2)


def test_oe_ratio_nothing_expected():
    assert np.isnan(calibration.oe_ratio([0, 3], [0.0, np.nan])).all()


def test_scores_equal_scikit_learn():
    score, y = scored(8, 5000, 0.01)
    n, positives = y.size, y.sum()
    brier = calibration.brier(n, positives, (score**2).sum(), score[y].sum())
    np.testing.assert_allclose(brier, metrics.brier_score_loss(y, score), rtol=1e-12)
    losses = -np.log(np.where(y, score, 1 - score))
    np.testing.assert_allclose(calibration.log_loss(n, losses.sum()), metrics.log_loss(y, score), rtol=1e-12)
    base = np.full(n, y.mean())
    skill = 1 - metrics.brier_score_loss(y, score) / metrics.brier_score_loss(y, base)
    np.testing.assert_allclose(calibration.brier_skill(brier, n, positives), skill, rtol=1e-9)
    np.testing.assert_allclose(calibration.base_rate_log_loss(n, positives), metrics.log_loss(y, base), rtol=1e-12)


def test_scores_without_events_or_with_one_class():
    assert np.isnan(calibration.brier(0, 0, 0.0, 0.0))
    assert np.isnan(calibration.log_loss(0, 0.0))
    assert np.isnan(calibration.brier_skill([0.1, 0.1, 0.1], [5, 5, 0], [0, 5, 0])).all()
    np.testing.assert_array_equal(calibration.base_rate_log_loss([5, 5, 0], [0, 5, 0]), [0, 0, np.nan])

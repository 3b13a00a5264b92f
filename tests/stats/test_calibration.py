import numpy as np
import pytest
from scipy.stats import norm
from sklearn import metrics
from statsmodels.stats.rates import confint_poisson

from release_core.stats import calibration, intervals
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


@pytest.mark.parametrize("k", [1, 5, 30, 2000])
def test_interval_of_an_estimated_ratio_equals_the_score_interval_of_statsmodels(k):
    """Of independent events the error of observed / expected is root of k / expected: k events, whatever is expected."""
    low, high = calibration.oe_interval(k / 4.0, np.sqrt(k) / 4.0, 4.0)
    np.testing.assert_allclose([low * 4, high * 4], confint_poisson(k, 1, method="score"), rtol=1e-9)
    wide = calibration.oe_interval(k / 4.0, np.sqrt(2 * k) / 4.0, 4.0)
    np.testing.assert_allclose(np.array(wide) * k / 2 / (k / 4), confint_poisson(k / 2, 1, method="score"), rtol=1e-9)


def test_interval_of_a_ratio_without_a_positive_is_the_exact_one_and_without_an_error_unknown():
    low, high = calibration.oe_interval([0.0, 1.0, np.nan, 0.0], [0.0, np.nan, 0.1, 0.0], [2.0, 2.0, 2.0, np.nan])
    assert (low[0], high[0]) == (0, pytest.approx(-np.log(0.025) / 2))
    assert np.isnan([low[1:], high[1:]]).all()


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


def test_spiegelhalter_is_the_sum_over_events():
    score, y = scored(9, 4000, 0.05)
    z = ((y - score) * (1 - 2 * score)).sum() / np.sqrt((score * (1 - score) * (1 - 2 * score) ** 2).sum())
    sums = calibration.Sums(y.sum(), score.sum(), score[y].sum(), (score**2).sum())
    found = calibration.spiegelhalter(sums, np.ones(score.size), score)
    assert found.z == pytest.approx(z, rel=1e-9)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(z)), rel=1e-9)


def test_spiegelhalter_rejects_one_calibrated_score_in_twenty():
    """2,000 draws: the share rejected at 5% is within 3 standard errors (1.5 points) of it."""
    rng = np.random.default_rng(10)
    score = np.linspace(0.01, 0.4, 500)
    y = rng.random((2000, 500)) < score
    sums = calibration.Sums(y.sum(-1), np.full(2000, score.sum()), (y * score).sum(-1), np.full(2000, (score**2).sum()))
    rejected = (calibration.spiegelhalter(sums, np.ones(500), score).p_value < 0.05).mean()
    assert abs(rejected - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_spiegelhalter_without_events_or_with_even_odds_alone():
    assert np.isnan(calibration.spiegelhalter(calibration.Sums(0, 0, 0, 0), [0], [np.nan]).z)
    assert np.isnan(calibration.spiegelhalter(calibration.Sums(3, 3, 1.5, 1.5), [6], [0.5]).z)


def test_design_effect_is_one_for_independent_events_and_grows_with_copies():
    score, y = scored(11, 32 * 400, 0.05)
    shard = np.arange(score.size) % 32

    def effect(copies):
        pos, n = copies * y.astype(float), np.full(score.size, float(copies))
        sums = [np.bincount(shard, w) for w in (pos, n * score)]
        left = (pos.sum() - sums[0]) / ((n * score).sum() - sums[1])
        se = intervals.jackknife(pos.sum() / (n * score).sum(), left, np.ones(32)).se
        return calibration.design_effect(pos, n, score, se)

    # A variance from 32 groups has a relative error of root(2 / 31), a quarter.
    assert effect(1) == pytest.approx(1, abs=0.6)
    assert effect(4) == pytest.approx(4 * effect(1), rel=1e-9)

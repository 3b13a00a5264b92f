"""Empirical Bayes against statsmodels' iterated Paule-Mandel estimate, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad_vec
from scipy.stats import multivariate_normal
from statsmodels.stats.meta_analysis import combine_effects

from release_core.stats import pooling


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.3])
def test_tau_and_mean_are_those_of_statsmodels(seed, spread):
    rng = np.random.default_rng(seed)
    variance = rng.uniform(1e-4, 4e-2, 9)
    values = rng.normal(0.01, spread, 9) + rng.normal(0, np.sqrt(variance))
    expected = combine_effects(values, variance, method_re="iterated", maxiter=500)
    found = pooling.shrink(values, variance)
    assert found.tau2.item() == pytest.approx(expected.tau2, rel=1e-4, abs=1e-9)
    assert found.mean.item() == pytest.approx(expected.mean_effect_re, rel=1e-4, abs=1e-9)


def test_groups_are_pooled_apart_and_small_ones_not_at_all():
    rng = np.random.default_rng(1)
    values, variance = rng.normal(size=16), rng.uniform(0.1, 1, 16)
    groups = np.array([0] * 6 + [1] * 4 + [2] * 6)
    found = pooling.shrink(values, variance, groups)
    for group, wanted in ((0, True), (1, False), (2, True)):
        here = groups == group
        alone = pooling.shrink(values[here], variance[here])
        assert found.value[here] == pytest.approx(alone.value, nan_ok=True)
        assert np.isfinite(found.value[here]).all() == wanted


@pytest.mark.parametrize("n", [0, 1, 4])
def test_fewer_than_five_are_not_pooled(n):
    found = pooling.shrink(np.arange(n, dtype=float), np.ones(n))
    assert np.isnan(found.value).all()
    assert np.isnan(found.tau2).all()


def test_unknown_and_certain_estimates_take_no_part():
    values = np.array([0.0, 1, 2, 3, 9, np.nan, 50])
    variance = np.array([1.0, 1, 1, 1, 1, 1, 0])
    found = pooling.shrink(values, variance)
    assert found.value[:5] == pytest.approx(pooling.shrink(values[:5], variance[:5]).value)
    assert np.isnan(found.value[5:]).all()


def test_segments_that_do_not_differ_shrink_to_one_value():
    found = pooling.shrink([0.1, 0.11, 0.09, 0.1, 0.1], [0.01] * 5)
    assert found.tau2.item() == 0
    assert found.value == pytest.approx([found.mean.item()] * 5)


finite = st.floats(-10, 10)


@settings(max_examples=60)
@given(st.lists(st.tuples(finite, st.floats(0.01, 10)), min_size=5, max_size=30))
def test_a_shrunken_value_lies_between_the_mean_and_the_value(pairs):
    values, variance = map(np.array, zip(*pairs, strict=True))
    found = pooling.shrink(values, variance)
    low, high = np.minimum(values, found.mean), np.maximum(values, found.mean)
    assert ((found.value >= low - 1e-9) & (found.value <= high + 1e-9)).all()
    assert ((found.weight >= 0) & (found.weight < 1)).all()


@pytest.mark.parametrize("values", [[0.0, 1.0, 2.0, 3.0, 10.0], [0.1, 0.11, 0.09, 0.1, 0.1], [0.0, 0.0, 5.0, 5.0, 5.0]])
def test_the_error_of_a_shrunken_value_is_that_of_scipys_integral_over_the_spread(values):
    """The posterior under flat priors of tau^2 and the mean, by scipy's own integration and multivariate normal."""
    theta, variance = np.array(values), np.array([1.0, 2.0, 1.0, 2.0, 1.0])
    found = pooling.shrink(theta, variance)
    wide = 1e4 * np.ones((5, 5))

    def told(tau2):
        # A mean of almost no prior knowledge: the true values are normal with variance tau^2 around it.
        prior = tau2 * np.eye(5) + wide
        gain = prior @ np.linalg.inv(prior + np.diag(variance))
        chance = multivariate_normal(np.zeros(5), prior + np.diag(variance)).pdf(theta)
        mean, spread = gain @ theta, np.diag(prior - gain @ prior)
        return chance * np.stack([np.ones(5), mean, spread + mean**2])

    total = quad_vec(lambda u: told(u / (1 - u)) / (1 - u) ** 2, 0, 1, epsrel=1e-8)[0]
    mean = total[1] / total[0]
    error = np.sqrt(total[2] / total[0] - mean**2 + (mean - found.value) ** 2)
    assert pooling.errors(theta, variance, found) == pytest.approx(error, rel=5e-3)


def test_errors_are_known_where_shrunken_values_are():
    values, variance = np.array([0.0, 1, 2, 3, 9, np.nan, 50]), np.array([1.0, 1, 1, 1, 1, 1, 0])
    found = pooling.shrink(values, variance)
    assert (np.isfinite(pooling.errors(values, variance, found)) == np.isfinite(found.value)).all()
    for n in (0, 1, 4):
        few = np.arange(n, dtype=float)
        assert np.isnan(pooling.errors(few, np.ones(n), pooling.shrink(few, np.ones(n)))).all()


@pytest.mark.parametrize("size", [5, 12, 30])
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3, 1.0])
def test_intervals_of_shrunken_values_cover_what_they_claim(size, spread):
    """95% claimed; over 400 sets of groups the error of the coverage is at most half a point. Wider than single ones never."""
    rng = np.random.default_rng(7)
    inside, width = [], []
    for _ in range(400):
        se = rng.uniform(0.1, 0.5, size)
        truth = rng.normal(0.2, spread, size)
        values = truth + se * rng.normal(size=size)
        found = pooling.shrink(values, se**2)
        error = pooling.errors(values, se**2, found)
        inside.append(np.abs(found.value - truth) < 1.96 * error)
        width.append(error.mean() / se.mean())
    assert np.mean(inside) > 0.95 - 2 * 0.005
    assert np.mean(width) < 1.02

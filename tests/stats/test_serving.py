"""Quantiles from histograms, rates over periods and queues against scipy, statsmodels and simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.rates import confint_poisson

from release_core.stats import decisions, histograms, queues, rates

EDGES = 2.0 ** (np.arange(481) / 16 - 6)


@pytest.mark.parametrize("n", [1, 2, 5, 37, 1000, 20_000])
@pytest.mark.parametrize("p", [0.5, 0.95, 0.99])
def test_interval_is_that_of_the_order_statistics_up_to_a_bin(n, p):
    x = np.sort(np.random.default_rng(n).lognormal(3, 0.7, n))
    found = histograms.interval(np.histogram(x, EDGES)[0], EDGES, p)
    low, high = int(stats.binom.ppf(0.025, n, p)), int(stats.binom.ppf(0.975, n, p)) + 1
    width = 2 ** (1 / 16)
    if low < 1:
        assert found.low == 0
    else:
        assert x[low - 1] / width <= found.low <= x[low - 1] * width
    if high > n:
        assert np.isinf(found.high)
    else:
        assert x[high - 1] / width <= found.high <= x[high - 1] * width
    wanted = np.quantile(x, p, method="inverted_cdf")
    assert wanted / width <= found.value <= wanted * width


def test_interval_agrees_with_scipys_quantile_test_where_observations_are_bins_of_their_own():
    n, p = 400, 0.9
    counts, edges = np.ones(n), np.arange(1.0, n + 2)
    found = histograms.interval(counts, edges, p)
    known = stats.quantile_test(np.arange(1.0, n + 1), p=p).confidence_interval(0.95)
    assert abs(found.low - known.low) <= 1.5
    assert abs(found.high - known.high) <= 1.5


def test_large_samples_join_the_exact_ones_without_a_jump():
    at = [
        histograms.interval(np.full(100, size / 100), np.arange(1.0, 102.0), 0.99).low for size in (99_999.0, 100_001.0)
    ]
    assert at[0] == pytest.approx(at[1], rel=1e-4)


def test_coverage_of_the_p99_interval_is_as_claimed():
    rng, p, hits, runs = np.random.default_rng(0), 0.99, 0, 1500
    truth = stats.lognorm(0.7, scale=np.exp(3)).ppf(p)
    x = rng.lognormal(3, 0.7, (runs, 2000))
    counts = np.stack([np.histogram(row, EDGES)[0] for row in x])
    found = histograms.interval(counts, EDGES, p)
    hits = ((found.low <= truth) & (truth <= found.high)).mean()
    # Simulation error: 2 x sqrt(.95 x .05 / 1500) = .011.
    assert hits >= 0.95 - 0.011


def test_nothing_observed_is_not_known_and_a_design_effect_widens():
    empty = histograms.interval(np.zeros(480), EDGES, 0.5)
    assert np.isnan([empty.value, empty.low, empty.high]).all()
    counts = np.histogram(np.random.default_rng(1).lognormal(3, 0.7, 4000), EDGES)[0]
    one, four = histograms.interval(counts, EDGES, 0.9), histograms.interval(counts, EDGES, 0.9, effect=4.0)
    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(2, rel=0.15)


def test_share_above_counts_what_exceeds_a_limit():
    x = np.random.default_rng(2).lognormal(3, 0.7, 50_000)
    counts = np.histogram(x, EDGES)[0]
    for limit in (5.0, 20.0, 33.3, 150.0):
        assert histograms.share_above(counts, EDGES, limit) == pytest.approx((x > limit).sum(), abs=60)
    both = histograms.share_above(np.stack([counts, 2 * counts]), EDGES, np.array([20.0, 20.0]))
    assert both[1] == pytest.approx(2 * both[0])


@pytest.mark.parametrize("k", [0, 1, 5, 300, 100_000])
def test_poisson_interval_is_statsmodels_exact_one(k):
    assert rates.poisson(k, 3.5) == pytest.approx(confint_poisson(k, 3.5, method="exact-c"))
    assert np.isnan(rates.poisson(k, 0.0).low)


def test_dispersion_is_that_of_a_binomial_regression_on_a_constant():
    rng = np.random.default_rng(3)
    n = rng.integers(50, 400, 24)
    k = rng.binomial(n, np.clip(rng.normal(0.1, 0.04, 24), 0.01, 1))
    fitted = sm.GLM(np.column_stack([k, n - k]), np.ones(24), family=sm.families.Binomial()).fit()
    assert rates.dispersion(k, n) == pytest.approx(fitted.pearson_chi2 / fitted.df_resid, rel=1e-8)
    assert rates.dispersion(k[:4], n[:4]) == 1
    assert rates.dispersion(np.zeros(24), n) == 1


def test_dispersion_of_means_is_the_f_of_an_analysis_of_variance():
    rng = np.random.default_rng(4)
    groups = [rng.normal(rng.normal(0, 0.4), 1, size) for size in (30, 50, 20, 80, 40, 60)]
    total, squares, n = (np.array([f(g) for g in groups]) for f in (np.sum, lambda g: (g**2).sum(), len))
    assert rates.dispersion_of_means(total, squares, n) == pytest.approx(max(stats.f_oneway(*groups).statistic, 1))


def test_mover_of_two_wilson_intervals_is_newcombes():
    for a, b in (((48, 80), (56, 70)), ((0, 10), (3, 50)), ((5, 5), (0, 7))):
        sides = [(k / n, *decisions.wilson(k, n)) for k, n in (a, b)]
        found = rates.mover(*sides)
        known = confint_proportions_2indep(*b, *a, method="newcomb", compare="diff")
        assert (found.low, found.high) == pytest.approx(known, abs=1e-9)


def test_queues_reach_their_limit_when_a_walk_does():
    found = queues.growth(100.0, 148.0, 24 * 30.0, 24.0)
    assert queues.hours_to(200.0, 148.0, found.value) == pytest.approx(26.0)
    assert queues.hours_to(np.nan, 148.0, 1.0) != queues.hours_to(np.nan, 148.0, 1.0)
    # A walk with 30 arrivals and 28 clearances an hour, from the state in which it was measured.
    rng = np.random.default_rng(5)
    before = rng.poisson(30, (4000, 24)).sum(1) - 28 * 24
    seen = queues.growth(0.0, before, 30 * 24.0, 24.0)
    after = before + rng.poisson(30, (4000, 12)).sum(1) - 28 * 12
    bounds = [
        queues.fan(b, queues.Growth(g, seen.se), 30.0, 12.0, 0.8) for b, g in zip(before, seen.value, strict=True)
    ]
    inside = np.mean([low <= a <= high for (low, high), a in zip(bounds, after, strict=True)])
    # Simulation error: 2 x sqrt(.8 x .2 / 4000) = .013; bounds are cut at 0.
    assert abs(inside - 0.8) < 0.025

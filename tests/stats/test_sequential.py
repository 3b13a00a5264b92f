"""Anytime-valid tests: published values, brute force, and simulated errors over many looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.stats import beta, binom, dirichlet_multinomial, multinomial

from release_core.stats import sequential
from tests.stats.cases import FUZZ

LOOKS = 100


@pytest.mark.parametrize(
    ("se", "expect_n", "sides", "reach"),
    [
        # The expected intervals of GrowthBook's own tests (gbstats, test_tests.py, TestSequential...), n = 6461.
        (0.3334122146400735, 1000, 2, 1.06180),
        (0.3334122146400735, 5000, 1, 1.4302867177403806 - 0.5033610858562358),
        (0.12983081251184736, 5000, 1, 0.5953217750613832 - 0.23437666666666668),
    ],
)
def test_asymptotic_sequence_agrees_with_growthbook(se, expect_n, sides, reach):
    low, high = sequential.asymptotic(0.5, se, 6461, expect_n, sides=sides)
    assert high - 0.5 == pytest.approx(reach, abs=6e-6)
    assert 0.5 - low == pytest.approx(reach, abs=6e-6)


@given(st.floats(-3, 3), st.floats(0.01, 2), st.integers(10, 10**6), st.integers(10, 10**6))
@FUZZ
def test_asymptotic_evidence_reaches_its_limit_where_the_sequence_leaves_zero(value, se, n, expect_n):
    bounds = sequential.asymptotic(value, se, n, expect_n)
    outside = bounds.low > 0 or bounds.high < 0
    evidence = sequential.asymptotic_evidence(value, se, n, expect_n)
    if abs(evidence - np.log(20)) > 1e-9:
        assert (evidence > np.log(20)) == outside


@pytest.mark.parametrize(("value", "evidence"), [(0.0, 0.0), (0.1, np.inf)])
def test_asymptotic_evidence_without_spread(value, evidence):
    found = sequential.asymptotic_evidence(value, 0.0, 100, 100)
    assert found == evidence or (evidence == 0.0 and found <= 0.0)


def test_normal_mixture_agrees_with_the_reference_of_confseq():
    # confseq, uniform_boundaries_unittest.cpp: values of its reference implementation in R.
    rho = sequential.tuned(100)
    assert rho == pytest.approx(12.60056, abs=1e-5)
    assert sequential.normal_evidence(10, 100, rho) == pytest.approx(-0.6510052, abs=1e-5)
    assert sequential.normal_reach(100, rho) == pytest.approx(30.35209, abs=1e-5)


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.01, 0.99), st.floats(0.5, 30), st.floats(0.5, 30))
@FUZZ
def test_share_evidence_is_the_ratio_of_marginal_likelihoods(x, y, p, a, b):
    expected = beta_function(a + x, b + y) / beta_function(a, b) / (p**x * (1 - p) ** y)
    assert sequential.share_evidence(x, y, p, (a, b)) == pytest.approx(np.log(expected), abs=1e-6)


@given(st.integers(0, 200), st.integers(0, 200))
@FUZZ
def test_share_bounds_hold_just_the_shares_without_evidence_against_them(x, y):
    low, high = sequential.share_bounds(x, y)
    grid = np.linspace(0.0005, 0.9995, 400)
    kept = sequential.share_evidence(x, y, grid, (1.0, 1.0)) < np.log(20)
    inside = (grid > low + 1e-6) & (grid < high - 1e-6)
    outside = (grid < low - 1e-6) | (grid > high + 1e-6)
    assert kept[inside].all()
    assert not kept[outside].any()


def test_share_bounds_cover_over_all_looks():
    rng = np.random.default_rng(5)
    hits = (rng.random((2000, LOOKS, 20)) < 0.07).sum(-1).cumsum(-1)
    n = np.arange(20, 20 * LOOKS + 1, 20)
    low, high = sequential.share_bounds(hits[:, ::5], n[::5] - hits[:, ::5])
    missed = ((low > 0.07) | (high < 0.07)).any(-1).mean()
    assert missed < 0.05  # simulation error 0.005; a fixed 95% interval misses in about a third


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(0.05, 0.95)), min_size=1, max_size=4),
    st.floats(0.3, 3),
)
@FUZZ
def test_rate_ratio_bounds_hold_just_the_ratios_without_evidence_against_them(steps, rate_ratio):
    x, y, share = map(np.array, zip(*steps, strict=True))
    low, high = sequential.rate_ratio_bounds(x, y, share)
    evidence = sequential.event_arm(x, y, share, rate_ratio) - np.log(20)
    if abs(evidence) > 1e-6:
        assert (evidence < 0) == (low < rate_ratio < high)


def test_event_arm_without_harms_says_nothing():
    assert sequential.event_arm([0, 0], [0, 0], [0.1, 0.5]) == 0
    low, high = sequential.rate_ratio_bounds([0, 0], [0, 0], [0.1, 0.5])
    assert (low, high) == (0, np.inf)


def test_event_arm_one_harm_in_each_arm():
    # B(a + 1, b + 1) / B(a, b) = a b / ((a + b)(a + b + 1)) with a = 3, b = 3: 9 / (6 * 7), against 1/4.
    assert sequential.event_arm([1], [1], [0.5]) == pytest.approx(np.log(9 / 42 * 4))


@pytest.mark.parametrize(("share", "power"), [(0.05, 0.75), (0.5, 0.99)])
def test_event_arm_keeps_its_error_over_all_looks_and_finds_a_doubled_rate(share, power):
    rng = np.random.default_rng(11)

    def alarms(times):
        hits = rng.poisson(4 * share * times, (1500, LOOKS)).cumsum(-1)[..., None]
        misses = rng.poisson(4 * (1 - share), (1500, LOOKS)).cumsum(-1)[..., None]
        evidence = sequential.event_arm(hits, misses, [share])
        return ((evidence > np.log(20)) & (sequential.leans(hits, misses, [share]) > 0)).any(-1).mean()

    assert alarms(1.0) < 0.05  # simulation error 0.006
    assert alarms(2.0) > power


@pytest.mark.parametrize(
    ("x", "y", "share", "rate_ratio"), [(30, 10, 0.5, 1.0), (5, 0, 0.05, 1.5), (0, 7, 0.3, 1.0), (1, 0, 0.5, 4.0)]
)
def test_evidence_of_an_excess_is_scipys_integral_over_larger_shares(x, y, share, rate_ratio):
    """The likelihood of larger shares alone, weighed by the prior cut there, over the likelihood of the null."""
    odds = share / (1 - share) * rate_ratio
    null, prior = odds / (1 + odds), beta(6 * share, 6 * (1 - share))
    above = quad(lambda p: binom.pmf(x, x + y, p) * prior.pdf(p), null, 1, limit=400)[0] / prior.sf(null)
    found = sequential.excess_evidence([x], [y], [share], rate_ratio)
    assert found == pytest.approx(np.log(above / binom.pmf(x, x + y, null)), rel=1e-6, abs=1e-6)


def test_evidence_of_an_excess_without_harms_is_none_and_adds_over_ramp_steps():
    assert sequential.excess_evidence([0, 0], [0, 0], [0.1, 0.5]) == 0
    assert sequential.rate_ratio_least([0, 0], [0, 3], [0.1, 0.5]) == 0
    each = [sequential.excess_evidence([x], [y], [p], 1.2) for x, y, p in ((3, 1, 0.1), (9, 4, 0.5))]
    assert sequential.excess_evidence([3, 9], [1, 4], [0.1, 0.5], 1.2) == pytest.approx(sum(each))


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.05, 0.95), st.floats(0.3, 5))
@FUZZ
def test_least_ratio_is_where_the_evidence_of_an_excess_ends(x, y, share, rate_ratio):
    evidence = sequential.excess_evidence([x], [y], [share], rate_ratio) - np.log(60)
    if abs(evidence) > 1e-6:
        assert (evidence > 0) == (sequential.rate_ratio_least([x], [y], [share], 1 / 60) > rate_ratio)


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("times", [1.5, 0.7])
def test_evidence_of_an_excess_keeps_its_error_over_all_looks_at_and_below_its_null(share, times):
    """1,500 logs of 100 looks: the simulation's standard error is at most 0.6 points; and a fourfold rate is found sooner."""
    rng = np.random.default_rng(12)

    def arms(times):
        parts = 0.3 * share * times, 0.3 * (1 - share)
        return [rng.poisson(part, (1500, LOOKS)).cumsum(-1)[..., None] for part in parts]

    assert (sequential.excess_evidence(*arms(times), [share], 1.5) > np.log(20)).any(-1).mean() < 0.05
    harmed = arms(4.0)
    both = sequential.event_arm(*harmed, [share], 1.5)
    found, before = (
        (one > np.log(20)).any(-1).mean() for one in (sequential.excess_evidence(*harmed, [share], 1.5), both)
    )
    assert found > before


@given(st.lists(st.integers(0, 300), min_size=2, max_size=2), st.floats(0.05, 0.95))
@FUZZ
def test_split_evidence_agrees_with_scipy(entities, share):
    p = np.array([1 - share, share])
    expected = dirichlet_multinomial.logpmf(entities, 100 * p, sum(entities)) - multinomial.logpmf(
        entities, sum(entities), p
    )
    assert sequential.split_evidence([entities], [p]) == pytest.approx(expected, abs=1e-6)


def test_split_evidence_keeps_its_error_over_all_looks_and_finds_a_wrong_split():
    rng = np.random.default_rng(12)

    def alarms(share):
        candidate = rng.binomial(1000, share, (2000, 30)).cumsum(-1)
        entities = np.stack([1000 * np.arange(1, 31) - candidate, candidate], axis=-1)[:, :, None]
        return (sequential.split_evidence(entities, [[0.5, 0.5]]) > np.log(100)).any(-1).mean()

    assert alarms(0.5) < 0.01  # simulation error 0.002
    assert alarms(0.48) > 0.9


def test_first_alarm_and_running_bounds():
    assert sequential.first_alarm(np.zeros((2, 0))).tolist() == [-1, -1]
    low, high = sequential.running(sequential.Interval(np.array([-2.0, np.nan, -1.0]), np.array([3.0, np.nan, 4.0])))
    assert low.tolist() == [-2.0, -2.0, -1.0]
    assert high.tolist() == [3.0, 3.0, 3.0]
    low, high = sequential.running(sequential.Interval(np.array([0.0, 2.0]), np.array([1.0, 3.0])))
    assert np.isnan([low[1], high[1]]).all()

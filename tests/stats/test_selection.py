"""Bounds of unseen outcomes against every completion, weighted shares against statsmodels, sizing against scipy."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats as scipy_stats
from sklearn import metrics

from release_core.stats import selection

ACTED = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]])


def every_completion(mine, others, hidden, share):
    """Return the range of both versions' shares and their difference over all ways in which hidden events are bad."""
    found = []
    for bad in itertools.product(*(range(int(h) + 1) for h in hidden)):
        with np.errstate(invalid="ignore", divide="ignore"):
            one = share(np.array(mine) + bad, np.array(others) + np.array(hidden) - bad)
        found.append([*one, one[1] - one[0]])
    return np.nanmin(found, axis=0), np.nanmax(found, axis=0)


COUNTS = {
    "few": ([3, 1, 2, 1], [1, 4, 3, 9], [2, 0, 1, 3]),
    "one": ([1, 0, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]),
    "no bad seen": ([0, 0, 0, 0], [2, 1, 1, 5], [1, 1, 0, 2]),
    "nothing hidden": ([3, 1, 2, 1], [1, 4, 3, 9], [0, 0, 0, 0]),
    "rare": ([1, 0, 0, 1], [9, 5, 5, 1981], [2, 0, 0, 0]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_range_of_a_share_of_a_class_is_that_of_all_completions(name):
    mine, others, hidden = COUNTS[name]
    found = selection.of_class(mine, others, hidden, ACTED)
    expected = every_completion(*COUNTS[name], lambda bad, _: (ACTED * bad).sum(1) / bad.sum())
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("name", COUNTS)
def test_range_of_a_precision_is_that_of_all_completions(name):
    mine, others, hidden = COUNTS[name]
    found = selection.of_acted(mine, others, hidden, ACTED)
    expected = every_completion(*COUNTS[name], lambda bad, good: (ACTED * bad).sum(1) / (ACTED * (bad + good)).sum(1))
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("bounds", [selection.of_class, selection.of_acted])
def test_range_without_events_or_of_unknown_counts_is_not_known(bounds):
    for counts in ([0, 0, 0, 0], [np.nan, 1, 1, 1]):
        assert np.isnan(bounds(counts, np.zeros(4), np.zeros(4), ACTED)).all()


@pytest.mark.parametrize("hidden", [0, 1, 5])
@pytest.mark.parametrize("rate", [0.3, 0.02])
def test_every_completion_has_an_auc_inside_its_range(hidden, rate):
    """scikit-learn: AUC when the hidden events have any score and any label (all best, all worst, and at random)."""
    rng = np.random.default_rng(hidden)
    y = rng.random(200) < rate
    y[:2] = True, False
    score = np.round(rng.normal(size=200) + y, 1)
    value = metrics.roc_auc_score(y, score)
    low, high = selection.auc_range([value], [y.sum()], [(~y).sum()], hidden)
    for bad in range(hidden + 1):
        labels = np.arange(hidden) < bad
        for added in (np.where(labels, 99, -99), np.where(labels, -99, 99), rng.normal(size=hidden)):
            one = metrics.roc_auc_score(np.append(y, labels), np.append(score, added))
            assert low[0] - 1e-12 <= one <= high[0] + 1e-12
    if not hidden:
        assert (low[0], high[0]) == (pytest.approx(value), pytest.approx(value))


def test_the_range_of_two_aucs_holds_their_difference_and_one_class_has_none():
    low, high = selection.auc_range([0.8, 0.9], [50, 50], [950, 950], 0)
    assert (low[2], high[2]) == (pytest.approx(0.1), pytest.approx(0.1))
    assert np.isnan(selection.auc_range([np.nan], [0.0], [10.0], 0)).all()


@pytest.mark.parametrize(("n", "rate"), [(5, 0.4), (300, 0.2), (20_000, 0.001)])
def test_a_weighted_share_and_its_error_are_those_of_a_weighted_regression_on_a_constant(n, rate):
    """statsmodels: weighted least squares on a constant with the robust error HC0, which is the linearised one."""
    rng = np.random.default_rng(n)
    y, w = rng.binomial(1, rate, n).astype(float), 1 / rng.choice([0.05, 0.5, 1.0], n)
    y[0] = 1.0
    found = selection.hajek((w * y).sum(), (w**2 * y).sum(), w.sum(), (w**2).sum())
    theirs = sm.WLS(y, np.ones(n), weights=w).fit(cov_type="HC0")
    assert found.value == pytest.approx(theirs.params[0])
    assert found.se == pytest.approx(theirs.bse[0])
    assert found.effective == pytest.approx(w.sum() ** 2 / (w**2).sum())


def test_a_weighted_share_of_nothing_one_event_and_one_class():
    assert np.isnan(selection.hajek(0.0, 0.0, 0.0, 0.0)).all()
    np.testing.assert_allclose(selection.hajek(20.0, 400.0, 20.0, 400.0), [1.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(selection.hajek(0.0, 0.0, 30.0, 300.0), [0.0, 0.0, 3.0])
    assert np.isnan(selection.hajek(np.nan, 1.0, 2.0, 2.0).value)


@pytest.mark.parametrize(("share", "hidden", "rate"), [(0.01, 10_000, 0.2), (0.5, 10, 0.001), (1.0, 1, 0.5)])
def test_the_reach_of_a_hold_out_is_half_of_a_normal_interval_of_a_share(share, hidden, rate):
    """scipy: the normal quantile times the standard deviation of a binomial share."""
    outcomes, reach = selection.holdout_reach(share, hidden, rate)
    assert outcomes == pytest.approx(share * hidden)
    expected = scipy_stats.norm.ppf(0.975) * scipy_stats.binom(1, rate).std() / np.sqrt(share * hidden)
    assert reach == pytest.approx(expected)


def test_a_hold_out_of_nothing_reaches_nowhere():
    for share, hidden in ((0.0, 100), (0.1, 0), (np.nan, 100)):
        assert np.isnan(selection.holdout_reach(share, hidden, 0.2)[1])


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_total_of_weighted_events_and_its_variance_are_right_on_average_over_all_ways_of_being_seen(n):
    chance = np.array([0.05, 0.5, 1.0, 0.9, 0.2])[:n]
    totals, variances, odds = [], [], []
    for seen in itertools.product([False, True], repeat=n):
        w = 1 / chance[np.array(seen, bool)]
        total, se = selection.horvitz_thompson(w.sum(), (w**2).sum())
        totals.append(float(total))
        variances.append(float(se) ** 2)
        odds.append(np.prod(np.where(seen, chance, 1 - chance)))
    mean = np.average(totals, weights=odds)
    assert mean == pytest.approx(n)
    assert np.average(variances, weights=odds) == pytest.approx(
        np.average((np.array(totals) - mean) ** 2, weights=odds)
    )

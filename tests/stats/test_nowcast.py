"""Weighted metrics against plain counts and paired formulas; coverage by simulation where alerts are labelled faster."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from release_core.stats import development as dev
from release_core.stats import forecast, nowcast
from release_core.stats.nowcast import Known, Sum

NONE = np.zeros((2, 2))
# Two groups: the baseline alerts on the first, the candidate on both.
ALERT = np.array([[1.0, 0.0], [1.0, 1.0]])
ALL = np.ones((2, 2))


def complete(positive, events):
    """Return what is known of two groups of one age when every label is in."""
    labels = np.stack([np.array(positive, float)[:, None], np.zeros((2, 1))])
    return Known(labels, np.array(events, float)[:, None], np.ones((2, 2, 1)), np.array([0, 0]), np.zeros((2, 1, 1)))


def test_complete_labels_give_counts_and_binomial_errors():
    known = complete([30, 20], [100, 900])
    precision = nowcast.of(known, Sum(ALERT, NONE, NONE), Sum(NONE, NONE, ALERT))
    np.testing.assert_allclose(precision.value, [0.3, 0.05, -0.25])
    np.testing.assert_allclose(precision.se[:2], np.sqrt([0.3 * 0.7 / 100, 0.05 * 0.95 / 1000]), rtol=1e-12)
    np.testing.assert_allclose(precision.effective, [100, 1000, 100])
    low, high = nowcast.bounds(precision, share=True)
    for side, (k, n) in enumerate([(30, 100), (50, 1000)]):
        expected = proportion_confint(k, n, method="wilson")
        np.testing.assert_allclose([low[side], high[side]], expected, atol=1e-12)


def test_difference_of_recalls_is_paired():
    known = complete([30, 20], [100, 900])
    recall = nowcast.of(known, Sum(ALERT, NONE, NONE), Sum(ALL, NONE, NONE))
    np.testing.assert_allclose(recall.value, [0.6, 1, 0.4])
    # Paired shares: variance (b + c - (b - c)^2 / n) / n^2 with b = 20, c = 0, n = 50 (McNemar).
    assert recall.se[2] == pytest.approx(np.sqrt((20 - 20**2 / 50) / 50**2), rel=1e-12)
    low, high = nowcast.bounds(recall, share=True)
    assert (low[1], high[1]) == (pytest.approx(proportion_confint(50, 50, method="wilson")[0]), 1)


def test_false_positive_rate_counts_what_is_not_positive():
    known = complete([30, 20], [100, 900])
    fpr = nowcast.of(known, Sum(-ALERT, NONE, ALERT), Sum(-ALL, NONE, ALL))
    np.testing.assert_allclose(fpr.value, [70 / 950, 1, 1 - 70 / 950])
    assert fpr.se[0] == pytest.approx(np.sqrt(70 / 950 * (1 - 70 / 950) / 950))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_no_or_few_positives(n):
    known = complete([n, 0], [100, 100])
    recall = nowcast.of(known, Sum(ALERT, NONE, NONE), Sum(ALL, NONE, NONE))
    assert np.isnan(recall.value).all() if n == 0 else recall.value[0] == 1
    low, _ = nowcast.bounds(recall, share=True)
    assert np.isnan(low[0]) if n == 0 else low[0] == pytest.approx(proportion_confint(n, n, method="wilson")[0])


def test_weights_are_capped_and_refused_when_it_is_too_early():
    np.testing.assert_array_equal(nowcast.weight([1, 0.5, 0.2, 0.19, np.nan]), [1, 2, 5, np.nan, np.nan])
    np.testing.assert_array_equal(nowcast.weight([0.01], least=0.001), [20])


def test_one_age_too_young_in_one_used_stratum_is_refused_for_all():
    share = np.array([[0.1, 0.9], [0.5, 1.0]])
    np.testing.assert_array_equal(nowcast.ready(share, np.array([[True, True], [True, True]])), [False, True])
    np.testing.assert_array_equal(nowcast.ready(share, np.array([[False, True], [True, True]])), [True, True])


AGES = 20


def lags(distribution):
    chance = np.diff(distribution.cdf(np.minimum(3.0 * np.arange(AGES + 1), 45)))
    return chance / chance.sum()


def one_log(rng, rate, *, pooled=False):
    """Return (nowcast recall, its interval, naive recall) of a log whose true recall is 0.3; alerts are labelled fast."""
    waits = [lags(stats.expon(scale=1.5)), lags(stats.lognorm(0.8, scale=15))]
    counts = [
        rng.multinomial(rng.poisson(rate * share, AGES), wait) for share, wait in zip((0.3, 0.7), waits, strict=True)
    ]
    seen = [np.tril(one).astype(float) for one in counts]
    steps = [dev.ladder([sum(seen)] if pooled else [one]) for one in seen]
    share = np.stack([dev.at_ages(one, AGES) for one in steps])
    use = nowcast.ready(share, np.ones((2, AGES), bool))
    latest = np.stack([one.sum(-1) for one in seen])
    link = np.zeros((2, 2, AGES))
    link[0] = [dev.link_variance(one) for one in steps]
    weight = np.where(use, nowcast.weight(share), 1.0)
    labels = np.stack([latest * use, np.zeros_like(latest)])
    known = Known(labels, np.full((2, AGES), 1e4), np.stack([weight, weight]), np.array([0, 1]), link)
    alert = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = nowcast.of(known, Sum(alert, NONE, NONE), Sum(ALL, NONE, NONE))
    bounds = nowcast.bounds(found, share=True)
    return found.value[1], bounds.low[1], bounds.high[1], latest[0].sum() / latest.sum()


@pytest.mark.parametrize("rate", [8, 40])
def test_recall_is_covered_where_alerts_are_labelled_faster_and_pooling_is_worse_than_nothing(rate):
    """400 logs: the simulation's standard error of a coverage of 95% is 1.1 points."""
    rng = np.random.default_rng(rate)
    runs = np.array([one_log(rng, rate) for _ in range(400)])
    covered = ((runs[:, 1] <= 0.3) & (runs[:, 2] >= 0.3)).mean()
    assert 0.92 <= covered <= 0.985
    assert runs[:, 0].mean() == pytest.approx(0.3, abs=0.01)
    fast, slow = (np.cumsum(lags(wait)).mean() for wait in (stats.expon(scale=1.5), stats.lognorm(0.8, scale=15)))
    assert runs[:, 3].mean() == pytest.approx(0.3 * fast / (0.3 * fast + 0.7 * slow), abs=0.01)
    assert runs[:, 3].mean() > 0.34
    pooled = np.array([one_log(rng, rate, pooled=True) for _ in range(50)])
    assert pooled[:, 0].mean() > runs[:, 3].mean() - 0.01


@pytest.mark.parametrize(("need", "seen", "events", "more"), [(5, 10, 1000, 1000), (30, 2, 400, 5000), (1, 0, 100, 50)])
def test_chance_of_enough_positives_is_the_negative_binomial(need, seen, events, more):
    expected = stats.nbinom.sf(need - 1, seen + 0.5, events / (events + more))
    assert forecast.chance(need, seen, events, more) == pytest.approx(expected, rel=1e-10)


def test_chance_at_its_ends():
    np.testing.assert_array_equal(forecast.chance([0, 3], 1, 10, 0), [1, 0])


def test_date_of_enough_positives_is_inside_its_range_as_often_as_claimed():
    """2,000 logs at a rate of 1%: the simulation's standard error is 0.5 points."""
    rng, inside = np.random.default_rng(9), 0
    times = np.arange(1, 400)
    for _ in range(2000):
        seen = rng.poisson(0.01 * 1000)
        found = forecast.when(forecast.chance(30, seen, 1000, 50 * times))
        arrival = np.searchsorted(np.cumsum(rng.poisson(0.5, 400)), 30)
        inside += found.earliest <= arrival <= (400 if found.latest is None else found.latest)
    assert 0.935 <= inside / 2000 <= 0.97

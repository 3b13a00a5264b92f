import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest
from statsmodels.stats.weightstats import DescrStatsW

from release_core.stats import decisions, grid, intervals, ranking
from tests.stats.cases import per_bin

SHARDS = 32


def mean_without_each(values, shard):
    totals, sizes = per_bin(shard, values, SHARDS), per_bin(shard, None, SHARDS)
    return (totals.sum() - totals) / (sizes.sum() - sizes), sizes > 0


def test_jackknife_of_a_mean_of_equal_groups_is_the_error_of_the_group_means():
    values = np.random.default_rng(61).normal(size=(SHARDS, 50))
    replicates, used = mean_without_each(values.ravel(), np.repeat(np.arange(SHARDS), 50))
    found = intervals.jackknife(values.mean(), replicates, used)
    assert found.se == pytest.approx(stats.sem(values.mean(axis=1)), rel=1e-10)
    assert found.df == 31
    low, high = intervals.interval(values.mean(), found.se, found.df)
    oracle = DescrStatsW(values.mean(axis=1)).tconfint_mean()
    np.testing.assert_allclose([low, high], oracle, rtol=1e-9)


def test_jackknife_counts_only_used_shards():
    values = np.random.default_rng(62).normal(size=(24, 10))
    replicates, used = mean_without_each(values.ravel(), np.repeat(np.arange(24), 10))
    found = intervals.jackknife(values.mean(), replicates, used)
    assert used.sum() == 24
    assert found.se == pytest.approx(stats.sem(values.mean(axis=1)), rel=1e-10)
    assert found.df == 23


@pytest.mark.parametrize("used", [0, 1, 5, 19])
def test_jackknife_too_few_shards_is_undefined(used):
    found = intervals.jackknife(0.5, np.linspace(0, 1, SHARDS), np.arange(SHARDS) < used)
    assert np.isnan(found).all()
    assert np.isnan(intervals.interval(0.5, *found)).all()


def test_jackknife_undefined_replicate_or_value_is_undefined():
    replicates = np.linspace(0, 1, SHARDS)
    spoiled = np.where(np.arange(SHARDS) == 3, np.nan, replicates)
    used = np.ones(SHARDS, dtype=bool)
    assert np.isnan(intervals.jackknife(0.5, spoiled, used)).all()
    assert np.isnan(intervals.jackknife(np.nan, replicates, used)).all()
    assert intervals.jackknife(0.5, spoiled, np.arange(SHARDS) != 3).df == 30


def test_jackknife_of_equal_versions_is_exactly_zero():
    found = intervals.jackknife(0.1, np.full((2, SHARDS), 0.1), np.ones((2, SHARDS), dtype=bool))
    np.testing.assert_array_equal(found.se, 0)
    np.testing.assert_array_equal(intervals.interval(0.1, *found), np.full((2, 2), 0.1))


def test_jackknife_knows_duplicates_in_a_shard_but_not_across():
    rng = np.random.default_rng(63)
    values, shard = rng.normal(size=6400), rng.integers(0, SHARDS, 6400)
    once = intervals.jackknife(values.mean(), *mean_without_each(values, shard))
    twice = intervals.jackknife(values.mean(), *mean_without_each(np.tile(values, 2), np.tile(shard, 2)))
    assert twice.se == pytest.approx(once.se.item(), rel=1e-12)
    iid = intervals.jackknife(0, *mean_without_each(rng.normal(size=409_600), rng.integers(0, SHARDS, 409_600)))
    assert iid.se / once.se == pytest.approx(1 / 8, rel=0.3)


def auc_simulation(runs, accounts, seed):
    """Return AUCs, jackknife spreads and DeLong errors of `runs` logs in which accounts share their risk."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(-3, 1, (runs, accounts, 1))
    score = 1 / (1 + np.exp(-(risk + 0.3 * rng.normal(size=(runs, accounts, 5)))))
    y = rng.random(score.shape) < 1 / (1 + np.exp(-(risk + rng.normal(0, 1.5, risk.shape))))
    size = grid.top_bin(8) + 1
    shard = np.broadcast_to((np.arange(accounts) % SHARDS)[:, None], score.shape)
    row = np.broadcast_to(np.arange(runs)[:, None, None], score.shape)
    cell = ((row * SHARDS + shard) * size + grid.bin_of(score, 8)).ravel()
    pos, neg = (
        per_bin(cell, flag.ravel().astype(float), runs * SHARDS * size).reshape(runs, SHARDS, size) for flag in (y, ~y)
    )
    full = ranking.auc(pos.sum(axis=1), neg.sum(axis=1))
    without = ranking.auc(pos.sum(axis=1, keepdims=True) - pos, neg.sum(axis=1, keepdims=True) - neg)
    spread = intervals.jackknife(full, without, (pos + neg).sum(axis=-1) > 0)
    return full, spread, np.sqrt(ranking.delong_variance(pos.sum(axis=1), neg.sum(axis=1)))


def test_jackknife_covers_where_delong_does_not():
    full, spread, independent = auc_simulation(runs=300, accounts=400, seed=64)
    truth = auc_simulation(runs=40, accounts=8000, seed=65)[0].mean()
    low, high = intervals.interval(full, *spread)
    naive_low, naive_high = intervals.interval(full, independent)
    assert 0.90 < ((low <= truth) & (truth <= high)).mean() < 0.98
    assert ((naive_low <= truth) & (truth <= naive_high)).mean() < 0.88
    assert np.median(intervals.design_effect(spread.se, independent)) > 1.5


@pytest.mark.parametrize(("df", "oracle"), [(31, stats.t(31)), (19, stats.t(19)), (np.inf, stats.norm())])
def test_critical_equals_scipy(df, oracle):
    confidence = np.array([0.8, 0.95, 0.999])
    np.testing.assert_allclose(intervals.critical(confidence, df=df), oracle.ppf((1 + confidence) / 2), rtol=1e-9)
    np.testing.assert_allclose(intervals.critical(confidence, 1, df), oracle.ppf(confidence), rtol=1e-9)


def test_interval_of_undefined_freedom_is_undefined():
    assert np.isnan(intervals.interval(0.5, 0.1, np.nan)).all()


def test_p_above_equals_scipy():
    sample = np.random.default_rng(66).normal(0.1, 1, 40)
    oracle = stats.ttest_1samp(sample, 0.02, alternative="greater").pvalue
    found = intervals.p_above(sample.mean(), stats.sem(sample), 0.02, 39)
    assert found == pytest.approx(oracle, rel=1e-10)


@pytest.mark.parametrize("df", [31, np.inf])
def test_p_above_agrees_with_the_bound(df):
    rng = np.random.default_rng(67)
    value, se, alpha = rng.normal(0, 2, 500), rng.random(500), rng.uniform(0.001, 0.3, 500)
    beyond = intervals.interval(value, se, df, 1 - alpha, sides=1).low >= 0.4
    assert 20 < beyond.sum() < 480
    np.testing.assert_array_equal(intervals.p_above(value, se, 0.4, df) <= alpha, beyond)


def test_p_above_without_spread_is_certain():
    np.testing.assert_array_equal(intervals.p_above([0.0, 0.2, 0.1, np.nan], 0.0, 0.1), [1, 0, 1, np.nan])


@pytest.mark.parametrize(("k", "n"), [(30, 200), (13, 20), (11, 100)])
def test_p_from_bound_of_wilson_is_the_score_test(k, n):
    found = intervals.p_from_bound(lambda level: decisions.wilson(k, n, level, 1).low, 0.1, ())
    oracle = proportions_ztest(k, n, 0.1, alternative="larger", prop_var=0.1)[1]
    assert found == pytest.approx(oracle, rel=1e-6, abs=1e-12)


def test_p_from_bound_is_one_below_and_undefined_without_events():
    def lower(level):
        return decisions.wilson([1, 0], [100, 0], level, 1).low

    np.testing.assert_array_equal(intervals.p_from_bound(lower, 0.1, (2,)), [1, np.nan])


def test_logit_interval_stays_inside_and_agrees_with_the_plain_one_when_narrow():
    low, high = intervals.logit_interval(0.99, 0.02)
    assert 0 < low < 0.99 < high < 1
    np.testing.assert_allclose(intervals.logit_interval(0.7, 1e-4), intervals.interval(0.7, 1e-4), atol=1e-7)
    assert np.isnan(intervals.logit_interval([0, 1, np.nan], 0.0)).all()


def test_events_needed_brings_the_standard_error_down_far_enough():
    n, estimate, se, margin = 4000, 0.004, 0.009, 0.02
    more = intervals.events_needed(n, estimate, se, margin)
    then = se * np.sqrt(n / (n + more))
    assert intervals.minimum_provable_margin(then) < margin - estimate
    assert intervals.minimum_provable_margin(then) == pytest.approx(margin - estimate, rel=0.01)


@pytest.mark.parametrize(("estimate", "expected"), [(0.0, 0), (0.02, np.nan), (0.03, np.nan), (np.nan, np.nan)])
def test_events_needed_none_or_never(estimate, expected):
    np.testing.assert_equal(intervals.events_needed(1000, estimate, 0.001, 0.02).item(), expected)


def test_minimum_provable_margin_has_the_power_it_says():
    se = 0.01
    margin = intervals.minimum_provable_margin(se, 0.05, 0.8)
    passes = stats.norm.cdf((margin - stats.norm.ppf(0.95) * se) / se)
    assert passes == pytest.approx(0.8)


def test_design_effect_and_effective_size_without_events_are_undefined():
    assert np.isnan(intervals.design_effect(0.1, 0.0))
    assert np.isnan(intervals.effective_size(0, 0))
    assert intervals.effective_size(10 * 0.5, 10 * 0.25) == 10


@pytest.mark.parametrize("apart", [1.0, 1.5, 3.29])
@pytest.mark.parametrize("positives", [5, 10, 20, 100])
def test_interval_of_an_auc_from_few_positives_holds_the_truth(positives, apart):
    """1,000 logs of independent events, AUC 0.76, 0.856 and 0.99: 95% claimed, the simulation's error is 0.7 points.

    A plain normal interval holds it in 63 to 85% of logs with ten positives. With a hundred it is as wide as that, but near 1.
    """
    rng, runs, size = np.random.default_rng(positives), 1000, grid.top_bin(8) + 1
    row = np.arange(runs)[:, None] * size
    pos, neg = (
        per_bin((row + grid.bin_of(1 / (1 + np.exp(-x)), 8)).ravel(), None, runs * size).reshape(runs, size)
        for x in (rng.normal(apart, 1, (runs, positives)), rng.normal(0, 1, (runs, 300)))
    )
    auc, se, truth = (
        ranking.auc(pos, neg),
        np.sqrt(ranking.delong_variance(pos, neg)),
        stats.norm.cdf(apart / np.sqrt(2)),
    )

    def covered(bounds):
        return ((bounds.low <= truth) & (truth <= bounds.high)).mean()

    found, plain = ranking.auc_interval(auc, se, (positives, 300)), intervals.interval(auc, se)
    assert covered(found) > 0.95 - 2 * 0.007
    if positives == 100 and apart < 3:
        assert np.median((found.high - found.low) / (plain.high - plain.low)) < 1.3
    elif positives <= 20:
        assert covered(plain) < 0.945


@pytest.mark.parametrize(("n", "rate"), [(100, 0.95), (500, 0.99), (60, 0.5)])
def test_interval_of_a_share_by_its_jackknife_holds_the_truth(n, rate):
    """4,000 logs in 32 shards: 95% claimed, error 0.35 points; value -+ t x error holds 95% of 100 in 88%."""
    rng, runs = np.random.default_rng(n), 4000
    place = (np.arange(runs)[:, None] * 32 + rng.integers(0, 32, (runs, n))).ravel()
    bottom = np.bincount(place, minlength=runs * 32).reshape(runs, 32).astype(float)
    top = np.bincount(place, rng.random(runs * n) < rate, minlength=runs * 32).reshape(runs, 32)
    full = top.sum(-1) / bottom.sum(-1)
    left = (top.sum(-1, keepdims=True) - top) / (bottom.sum(-1, keepdims=True) - bottom)
    spread = intervals.jackknife(full, left, bottom > 0)
    known = np.isfinite(spread.se) & (spread.se > 0)
    found = decisions.share_interval(full, *spread)
    plain = intervals.interval(full, *spread)
    one, two = (((b.low <= rate) & (rate <= b.high))[known].mean() for b in (found, plain))
    assert one > 0.95 - 2 * 0.0035
    if rate > 0.9:
        assert two < 0.91


def test_upper_bound_of_a_paired_difference_by_its_jackknife_holds_the_harm():
    """6,000 logs of 100 events, 5 lost and 2 gained on average: 95% one-sided; difference + t x error holds it in 92%."""
    rng, runs, n = np.random.default_rng(7), 6000, 100
    kind = rng.choice(3, (runs, n), p=(0.05, 0.02, 0.93))
    place = (np.arange(runs)[:, None] * 32 + rng.integers(0, 32, (runs, n))).ravel()
    every = np.bincount(place, minlength=runs * 32).reshape(runs, 32).astype(float)
    net = np.bincount(place, (kind == 1).ravel() * 1.0 - (kind == 0).ravel(), minlength=runs * 32).reshape(runs, 32)
    full = net.sum(-1) / n
    spread = intervals.jackknife(full, (net.sum(-1, keepdims=True) - net) / (n - every), every > 0)
    known = np.isfinite(spread.se) & (spread.se > 0)
    found = decisions.paired_interval(((kind == 0).mean(-1), (kind == 1).mean(-1)), *spread, 0.95, 1)
    assert (found.low <= -0.03)[known].mean() > 0.95 - 2 * 0.003
    assert (intervals.interval(full, *spread, 0.95, 1).low <= -0.03)[known].mean() < 0.93


@pytest.mark.parametrize(("lost", "gained", "n"), [(2, 6, 100), (0, 1, 50), (15, 4, 5000), (1, 1, 5)])
def test_a_change_known_by_size_and_error_has_the_interval_of_its_events(lost, gained, n):
    change = (gained - lost) / n
    se = np.sqrt((lost + gained) / n - change**2) / np.sqrt(n)
    found = decisions.moved_interval(change, se, n)
    np.testing.assert_allclose(found, decisions.bonett_price(lost, gained, n)[1:], rtol=1e-9)


def test_a_change_that_no_event_shows_is_not_proven_to_be_none():
    low, high = decisions.moved_interval([0.0, 0.0, np.nan, 0.1], [0.0, 0.0, 0.1, np.nan], [1000, 0, 10, 10])
    assert (low[0], high[0]) == (pytest.approx(-0.00277, rel=0.01), pytest.approx(0.00277, rel=0.01))
    assert np.isnan([low[1:], high[1:]]).all()


def test_a_change_of_few_events_is_covered_where_the_plain_interval_is_not():
    """4,000 draws of 200 positives, 2.3 of which change on average: the simulation's standard error is 0.3 points."""
    changed = np.random.default_rng(4).binomial(200, 0.0115, 4000)
    value = changed / 200
    se = np.sqrt(value * (1 - value) / 199)
    low, high = decisions.moved_interval(value, se, 200, 31)
    assert ((low <= 0.0115) & (high >= 0.0115)).mean() > 0.95 - 2 * 0.0035
    plain = intervals.interval(value, se, 31)
    assert ((plain.low <= 0.0115) & (plain.high >= 0.0115)).mean() < 0.9

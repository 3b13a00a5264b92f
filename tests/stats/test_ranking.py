import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit
from sklearn import metrics
from statsmodels.stats.nonparametric import rank_compare_2ordinal
from statsmodels.stats.proportion import proportion_confint

from release_core.stats import grid, ranking, standard_errors
from release_core.stats.average_precision import average_precision
from tests.stats.cases import FUZZ, TWO_CLASSES, binned, events, ks_statistic, scored
from tests.stats.proofs.rates import unseen

COUNTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)
BOTH = COUNTS.filter(lambda rows: all(sum(side) > 0 for side in zip(*rows, strict=True)))
RARE = scored(3, 60_000, 0.001)


@FUZZ
@given(BOTH)
def test_auc_equals_scikit_learn(rows):
    pos, neg = np.array(rows).T
    score, y = events(pos, neg)
    np.testing.assert_allclose(ranking.auc(pos, neg), metrics.roc_auc_score(y, score), atol=1e-12)


def test_auc_rare_positives_within_binning_error():
    score, y = RARE
    pos, neg, tied = binned(score, y)
    exact = metrics.roc_auc_score(y, score)
    assert y.sum() < 100
    assert abs(ranking.auc(pos, neg) - exact) < 5e-5
    assert abs(ranking.auc(pos, neg) - exact) <= ranking.auc_bracket(pos, neg, tied)


@FUZZ
@given(TWO_CLASSES, st.sampled_from([64, 4, 1]))
def test_brackets_contain_event_level_values(rows, per_unit):
    score, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    pos, neg, tied = binned(score, y, per_unit)
    auc, reach = ranking.auc(pos, neg), ranking.auc_bracket(pos, neg, tied)
    assert auc - reach - 1e-12 <= metrics.roc_auc_score(y, score) <= auc + reach + 1e-12
    low, high = ranking.ks_bracket(pos, neg, tied)
    assert low - 1e-12 <= ks_statistic(score[y], score[~y]) <= high + 1e-12


@pytest.mark.parametrize(("pos", "neg"), [([0, 0], [3, 2]), ([1, 2], [0, 0]), ([0, 0], [0, 0])])
def test_one_class_is_undefined(pos, neg):
    for value in (ranking.auc(pos, neg), ranking.auc_bracket(pos, neg), ranking.ks_separation(pos, neg)):
        assert np.isnan(value)
    assert np.isnan(ranking.delong_variance(pos, neg))
    assert np.isnan(ranking.ks_bracket(pos, neg)).all()


def test_auc_constant_score():
    assert ranking.auc([0, 3, 0], [0, 9, 0]) == 0.5
    assert ranking.auc_bracket([0, 3, 0], [0, 9, 0], [False, True, False]) == 0


@FUZZ
@given(BOTH)
def test_auc_flips_with_labels_and_order(rows):
    pos, neg = np.array(rows).T
    np.testing.assert_allclose(ranking.auc(neg[::-1], pos[::-1]), ranking.auc(pos, neg), atol=1e-12)


@FUZZ
@given(BOTH, st.integers(0, 3))
def test_ranking_ignores_where_the_bins_lie(rows, gap):
    pos, neg = np.array(rows).T
    apart = np.zeros((2, len(rows) * (gap + 1)))
    apart[:, :: gap + 1] = pos, neg
    for statistic in (ranking.auc, ranking.ks_separation, ranking.delong_variance, average_precision):
        np.testing.assert_allclose(statistic(*apart), statistic(pos, neg), atol=1e-12)


@FUZZ
@given(BOTH)
def test_ks_separation_equals_scipy(rows):
    pos, neg = np.array(rows).T
    score, y = events(pos, neg)
    expected = ks_statistic(score[y == 1], score[y == 0])
    np.testing.assert_allclose(ranking.ks_separation(pos, neg), expected, atol=1e-12)


def test_sweep_equals_scikit_learn():
    score, y = scored(4, 3000, 0.05)
    counts = ranking.sweep(*binned(score, y, 8)[:2])
    edges = grid.edges(8)
    tn, fp, fn, tp, thresholds = metrics.confusion_matrix_at_thresholds(y, grid.bin_of(score, 8))
    at = thresholds.astype(int)
    for ours, theirs in zip(counts, (tp, fp, fn, tn), strict=True):
        np.testing.assert_array_equal(ours[at], theirs)
    alert = score[:, None] >= edges
    np.testing.assert_array_equal(counts.tp, (alert & y[:, None]).sum(axis=0))
    np.testing.assert_array_equal(counts.tn, (~alert & ~y[:, None]).sum(axis=0))


@FUZZ
@given(COUNTS)
def test_sweep_adds_up_from_all_to_none(rows):
    pos, neg = np.array(rows).T
    counts = ranking.sweep(pos, neg)
    assert (sum(counts) == pos.sum() + neg.sum()).all()
    assert counts.tp[0] == pos.sum()
    assert counts.tp[-1] == counts.fp[-1] == 0


def test_curves_equal_scikit_learn():
    score, y = events([0, 1, 4, 0, 9], [30, 20, 10, 0, 1])
    fpr, tpr, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    roc = ranking.roc_curve([0, 1, 4, 0, 9], [30, 20, 10, 0, 1])
    filled = [5, 4, 2, 1, 0]
    np.testing.assert_allclose(roc.x[filled], fpr)
    np.testing.assert_allclose(roc.y[filled], tpr)
    precision, recall, _ = metrics.precision_recall_curve(y, score)
    curve = ranking.precision_recall_curve([0, 1, 4, 0, 9], [30, 20, 10, 0, 1])
    np.testing.assert_allclose(curve.x[[0, 1, 2, 4]], recall[:-1])
    np.testing.assert_allclose(curve.y[[0, 1, 2, 4]], precision[:-1])
    assert np.isnan(curve.y[-1])


@FUZZ
@given(BOTH.filter(lambda rows: all(sum(side) > 1 for side in zip(*rows, strict=True))))
def test_delong_variance_equals_statsmodels(rows):
    pos, neg = np.array(rows).T
    with np.errstate(invalid="ignore"):  # its degrees of freedom, which are not used here
        oracle = rank_compare_2ordinal(pos, neg)
    np.testing.assert_allclose(ranking.auc(pos, neg), oracle.prob1, atol=1e-12)
    np.testing.assert_allclose(ranking.delong_variance(pos, neg), oracle.var / (pos.sum() + neg.sum()), atol=1e-12)


@pytest.mark.parametrize(("pos", "neg"), [([0, 1], [4, 4]), ([2, 2], [1, 0])])
def test_delong_variance_needs_two_of_each_class(pos, neg):
    assert np.isnan(ranking.delong_variance(pos, neg))


def joint_table(first, second, bins):
    return np.histogram2d(first, second, bins=[np.arange(bins + 1) - 0.5] * 2)[0]


def test_delong_covariance_equals_midrank_formula():
    rng = np.random.default_rng(7)
    y = rng.random(400) < 0.2
    first = np.clip(rng.poisson(3 + 2 * y), 0, 9)
    second = np.clip(first + rng.integers(-1, 2, 400), 0, 9)
    placements = []
    for score in (first, second):
        ranks = stats.rankdata(score)
        of_pos = (ranks[y] - stats.rankdata(score[y])) / (~y).sum()
        of_neg = 1 - (ranks[~y] - stats.rankdata(score[~y])) / y.sum()
        placements.append((of_pos, of_neg))
    of_pos, of_neg = (np.cov([placement[side] for placement in placements]) for side in (0, 1))
    tables = [joint_table(first[chosen], second[chosen], 10) for chosen in (y, ~y)]
    found = ranking.delong_covariance(*tables)
    np.testing.assert_allclose(found, of_pos / y.sum() + of_neg / (~y).sum(), atol=1e-15)
    contrast = np.array([-1, 1])
    np.testing.assert_allclose(ranking.difference_se(found) ** 2, contrast @ found @ contrast, atol=1e-15)


def test_delong_difference_of_identical_versions_is_zero():
    pos, neg = np.diag([0.0, 2, 3, 7]), np.diag([20.0, 11, 3, 1])
    assert ranking.difference_se(ranking.delong_covariance(pos, neg)) == 0


def test_delong_covariance_too_few():
    assert np.isnan(ranking.delong_covariance(np.diag([0, 1]), np.diag([3, 1]))).all()


def test_leading_axes_equal_one_at_a_time():
    rng = np.random.default_rng(2)
    pos, neg = rng.integers(0, 3, (2, 3, 4, 20)), rng.integers(0, 9, (2, 3, 4, 20))
    for statistic in (ranking.auc, ranking.auc_bracket, ranking.ks_separation, ranking.delong_variance):
        together = statistic(pos, neg)
        assert together.shape == (2, 3, 4)
        for index in np.ndindex(2, 3, 4):
            np.testing.assert_allclose(together[index], statistic(pos[index], neg[index]), rtol=1e-12)


def test_duplicated_events_keep_the_auc_and_halve_its_variance():
    pos, neg, _ = binned(*scored(5, 20_000, 0.02), 8)
    assert ranking.auc(2 * pos, 2 * neg) == pytest.approx(ranking.auc(pos, neg).item(), rel=1e-12)
    assert ranking.delong_variance(2 * pos, 2 * neg) == pytest.approx(ranking.delong_variance(pos, neg) / 2, rel=5e-3)


@pytest.mark.parametrize(
    ("value", "se", "classes"), [(0.96, 0.02, (20, 4000)), (1.0, 0.0, (10, 500)), (0.5, 0.1, (5, 5))]
)
def test_interval_of_an_auc_is_statsmodels_wilson_of_as_many_events(value, se, classes):
    p, n = classes
    area = min(value, 1 - 0.5 / (p * n))
    worst, own = area * (1 - area) * (1 / p + 1 / n), min(p, n) - 1
    events = area * (1 - area) / ((3 * worst + own * se**2) / (3 + own))
    alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, min(own, 31)))
    low, high = proportion_confint(value * events, events, alpha=alpha, method="wilson")
    found, mirrored = (ranking.auc_interval(at, se, classes, 31) for at in (value, 1 - value))
    # The end towards 0.5, unless unlike events that were not seen make it reach further (next test).
    reach = stats.t.ppf(0.975, min(31, *classes)) * se
    further = value - np.sqrt(reach**2 + (unseen(min(classes)) * value) ** 2)
    assert found.low == pytest.approx(max(min(low, further), 0), rel=1e-6, abs=1e-9)
    assert found.high == pytest.approx(high if value > 0.5 else max(high, 1 - further), rel=1e-6)
    np.testing.assert_allclose([1 - mirrored.high, 1 - mirrored.low], found, atol=1e-9)


# How far apart from good events the misplaced bad ones score: like them, or below every one.
LIKE, BELOW = 0.0, -9.0


@pytest.mark.parametrize("at", [LIKE, BELOW])
@pytest.mark.parametrize(
    ("positives", "odd"), [(20, 0.1), (50, 0.05), (20, 0.05), (10, 0.2), (100, 0.05), (200, 0.025), (300, 0.01)]
)
def test_interval_of_an_auc_holds_the_truth_where_a_few_bad_events_are_misplaced(positives, odd, at):
    """2,000 logs, error 0.5 points. Many show few of these events; by the error alone they hold it in 76 to 92%."""
    rng, runs = np.random.default_rng(positives), 2000
    apart = np.where(rng.random((runs, positives)) < odd, at, 5.0)
    bins = [grid.bin_of(expit(x), 8) for x in (rng.normal(apart, 1), rng.normal(0, 1, (runs, 1000)))]
    pos, neg = (np.stack([np.bincount(row, minlength=grid.top_bin(8) + 1) for row in part]) for part in bins)
    value, se = ranking.auc(pos, neg), np.sqrt(ranking.delong_variance(pos, neg))
    low, high = ranking.auc_interval(value, se, (positives, 1000))
    truth = (1 - odd) * stats.norm.cdf(5 / np.sqrt(2)) + odd * stats.norm.cdf(at / np.sqrt(2))
    assert ((low <= truth) & (truth <= high)).mean() > 0.95 - 2 * 0.005


PAIRS = [
    (75, 0.999, 1),
    (75, 0.99, 3),
    (100, 0.999, 2),
    (100, 0.999, 5),
    (200, 0.99, 1),
    (200, 0.9, 4),
    (200, 0.9999, 2),
    (1000, 0.999, 3),
]


@pytest.mark.parametrize("like", [True, False])
@pytest.mark.parametrize(("n", "alike", "odd"), PAIRS)
def test_interval_of_a_difference_holds_the_truth_where_one_version_alone_misplaces_a_few_bad_events(
    n, alike, odd, like
):
    """4,000 logs, error 0.35 points; by the error alone 55 to 93% where the versions are nearly alike."""
    rng, runs = np.random.default_rng(n + odd), 4000
    one, other = rng.standard_normal((2, runs, n))
    first = stats.norm.cdf(1.53 + one)
    second = stats.norm.cdf(1.53 + alike * one + np.sqrt(1 - alike**2) * other)
    # They score like good events, or below every one.
    second = np.where(rng.random((runs, n)) < odd / n, like * rng.random((runs, n)), second)
    changes, truth = second - first, odd / n * (like * 0.5 - stats.norm.cdf(1.53 / np.sqrt(2)))
    se = changes.std(1, ddof=1) / np.sqrt(n)
    low, high = ranking.auc_difference_interval((first.mean(1), second.mean(1)), se, n, df=31)
    assert ((low <= truth) & (truth <= high)).mean() > 0.95 - 2 * 0.0035


def test_versions_that_rank_alike_differ_by_exactly_nothing_and_many_events_add_nothing():
    assert ranking.auc_difference_interval((0.8, 0.8), 0.0, 20, apart=0.0) == (0.0, 0.0)
    found = ranking.auc_difference_interval((0.8, 0.81), 0.001, 1_000_000)
    np.testing.assert_allclose(found, (0.01 - 1.959964e-3, 0.01 + 1.959964e-3), atol=2e-6)


def test_the_further_the_versions_ranks_lie_apart_the_wider_is_the_interval_of_their_difference():
    lows, highs = ranking.auc_difference_interval((0.8, 0.81), 0.002, 100, np.linspace(0, 1, 11))
    assert (np.diff(lows) <= 0).all()
    assert (np.diff(highs) >= 0).all()
    assert highs[-1] - lows[-1] > 2 * (highs[0] - lows[0])


def test_interval_of_an_auc_without_two_of_a_class_or_an_error_is_not_known():
    for value, se, classes in (
        (0.8, 0.1, (1, 40)),
        (0.8, 0.1, (40, 0)),
        (0.8, np.nan, (9, 9)),
        (np.nan, np.nan, (0, 0)),
    ):
        assert np.isnan(ranking.auc_interval(value, se, classes)).all()


def test_interval_of_an_auc_of_many_events_is_the_normal_one():
    found = ranking.auc_interval(0.8, 0.001, (400_000, 4_000_000))
    np.testing.assert_allclose(found, (0.8 - 1.959964e-3, 0.8 + 1.959964e-3), atol=1e-5)


@pytest.mark.parametrize(("apart", "positives"), [(0.5, 20), (1.5, 40), (3.0, 30), (1.5, 300)])
def test_interval_of_a_ks_separation_holds_the_truth_though_the_largest_gap_of_a_log_is_too_large(apart, positives):
    """1,000 logs, error 0.7 points; by the error alone 60 to 92%."""
    rng, runs = np.random.default_rng(positives), 1000
    bins = [grid.bin_of(expit(x), 8) for x in (rng.normal(apart, 1, (runs, positives)), rng.normal(0, 1, (runs, 2000)))]
    pos, neg = (np.stack([np.bincount(row, minlength=grid.top_bin(8) + 1) for row in part]) for part in bins)
    value, truth = ranking.ks_separation(pos, neg), 2 * stats.norm.cdf(apart / 2) - 1
    assert (value - truth).mean() > 0
    low, high = ranking.ks_interval(value, standard_errors.ks_separation(pos, neg), (positives, 2000))
    assert ((low <= truth) & (truth <= high)).mean() > 0.95 - 2 * 0.007

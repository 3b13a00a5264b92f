"""Chain ladder against published tables and Poisson regressions; coverage of the final count by simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from release_core.stats import delay
from release_core.stats import development as dev

# Reinsurance Association of America 1991, general liability excluding asbestos, and Taylor and Ashe 1983: cumulative.
RAA = [
    [5012, 8269, 10907, 11805, 13539, 16181, 18009, 18608, 18662, 18834],
    [106, 4285, 5396, 10666, 13782, 15599, 15496, 16169, 16704],
    [3410, 8992, 13873, 16141, 18735, 22214, 22863, 23466],
    [5655, 11555, 15766, 21266, 23425, 26083, 27067],
    [1092, 9565, 15836, 22169, 25955, 26180],
    [1513, 6445, 11702, 12935, 15852],
    [557, 4020, 10946, 12314],
    [1351, 6947, 13112],
    [3133, 5395],
    [2063],
]
TAYLOR_ASHE = [
    [357848, 1124788, 1735330, 2218270, 2745596, 3319994, 3466336, 3606286, 3833515, 3901463],
    [352118, 1236139, 2170033, 3353322, 3799067, 4120063, 4647867, 4914039, 5339085],
    [290507, 1292306, 2218525, 3235179, 3985995, 4132918, 4628910, 4909315],
    [310608, 1418858, 2195047, 3757447, 4029929, 4381982, 4588268],
    [443160, 1136350, 2128333, 2897821, 3402672, 3873311],
    [396132, 1333217, 2180715, 2985752, 3691712],
    [440832, 1288463, 2419861, 3483130],
    [359480, 1421128, 2864498],
    [376686, 1363294],
    [344014],
]


def table(cumulative):
    """Return increments [age, lag], newest first."""
    size = len(cumulative)
    found = np.zeros((size, size))
    for year, row in enumerate(cumulative):
        found[size - 1 - year, : len(row)] = np.diff(np.array(row, float), prepend=0)
    return found


@pytest.mark.parametrize(
    ("triangle", "reserve", "total", "rows"),
    [
        (RAA, 52_135, 26_909, [24_566, 6_333, 5_358, 2_209, 2_002, 1_469, 747, 623, 206, 0]),
        (
            TAYLOR_ASHE,
            18_680_856,
            2_447_095,
            [1_363_155, 971_258, 875_328, 558_317, 411_010, 261_406, 133_549, 121_699, 75_535, 0],
        ),
    ],
)
def test_mack_gives_the_published_errors(triangle, reserve, total, rows):
    found = dev.mack(table(triangle))
    assert (found.ultimate - found.latest).sum() == pytest.approx(reserve, abs=0.5)
    assert found.total_se == pytest.approx(total, abs=0.5)
    np.testing.assert_allclose(found.se, rows, atol=0.6)


def regression(increments):
    """Return expected future sum, scale and prediction variance of a Poisson regression on cohort and lag factors."""
    size = len(increments)
    seen = [(age, lag) for age in range(size) for lag in range(age + 1)]
    future = [(age, lag) for age in range(size) for lag in range(age + 1, size)]

    def design(cells):
        rows = np.zeros((len(cells), 2 * size - 1))
        rows[:, 0] = 1
        for n, (age, lag) in enumerate(cells):
            rows[n, age] += age > 0
            rows[n, size - 1 + lag] += lag > 0
        return rows

    fit = sm.GLM([increments[c] for c in seen], design(seen), family=sm.families.Poisson()).fit(scale="X2", tol=1e-12)
    ahead = design(future)
    mean = np.exp(ahead @ fit.params)
    return mean.sum(), fit.scale, fit.scale * mean.sum() + mean @ ahead @ fit.cov_params() @ ahead.T @ mean


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_dispersion_and_error_are_those_of_the_poisson_regression(seed):
    rng = np.random.default_rng(seed)
    increments = rng.poisson(150 * 0.6 ** np.arange(8) * rng.uniform(0.5, 3, (8, 1))) + rng.integers(1, 9, (8, 8))
    mean, scale, variance = regression(increments)
    steps = dev.ladder([increments], least=1)
    latest = np.tril(increments).sum(-1)
    found = dev.outlook(latest, steps, scale)
    assert dev.over_dispersion(increments) == pytest.approx(max(scale, 1), rel=1e-6)
    assert found.mean == pytest.approx(mean, rel=1e-6)
    assert found.variance == pytest.approx(variance, rel=1e-5)


def test_error_of_one_cohort_is_that_of_the_regression_on_taylor_ashe():
    # England and Verrall 2002 print a prediction error of 16% for the over-dispersed Poisson model.
    increments = table(TAYLOR_ASHE)
    mean, scale, variance = regression(increments)
    found = dev.outlook(np.tril(increments).sum(-1), dev.ladder([increments]), dev.over_dispersion(increments))
    assert found.mean == pytest.approx(18_680_856, abs=1)
    assert np.sqrt(found.variance) == pytest.approx(np.sqrt(variance), rel=1e-5)
    assert np.sqrt(found.variance) / found.mean == pytest.approx(0.158, abs=0.002)
    assert (mean, scale) == (pytest.approx(found.mean), pytest.approx(dev.over_dispersion(increments), rel=1e-5))


@given(arrays.arrays(np.int64, (7, 7), elements=st.integers(0, 30)))
def test_ladder_is_the_reverse_time_product_limit(counts):
    found, oracle = dev.ladder([counts], least=1), delay.completeness(counts)
    inside = np.isfinite(oracle.value)
    np.testing.assert_allclose(found.share[inside], oracle.value[inside], atol=1e-12)
    if found.horizon >= 0:
        assert (found.share[found.horizon :] == 1).all()


def test_steps_with_too_few_labels_come_from_the_next_table():
    few, many = np.zeros((4, 4)), np.zeros((4, 4))
    few[3] = 2, 1, 0, 0
    many[3] = 20, 20, 10, 50
    found = dev.ladder([few, many])
    np.testing.assert_array_equal(found.source, [1, 1, 1, 1])
    np.testing.assert_allclose(found.share, [0.2, 0.4, 0.5, 1])
    assert dev.ladder([few]).horizon == -1
    assert np.isnan(dev.ladder([few]).share).all()


def test_ladder_ends_where_nobody_can_tell_and_young_ages_stay_unknown():
    # Lag 1 has too few at risk, lag 2 enough: what is younger than lag 1 cannot be told.
    counts = np.zeros((3, 3))
    counts[2] = 1, 1, 40
    found = dev.ladder([counts])
    assert found.horizon == 2
    np.testing.assert_array_equal(np.isnan(found.share), [True, False, False])


@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_labels_give_a_number_or_none_but_never_a_warning(n):
    counts = np.zeros((3, 3))
    counts[2, 0] = n
    steps = dev.ladder([counts], least=1)
    found = dev.outlook(counts.sum(-1), steps, dev.over_dispersion(counts))
    assert np.isnan(found.mean) if n == 0 else found.mean == 0
    assert dev.mack(counts).total_se == 0
    assert dev.pace(counts) == 0


def test_reversals_lower_the_final_count():
    counts = np.tile([20.0, 10.0, -6.0], (3, 1))
    steps = dev.ladder([counts])
    assert steps.share[1] > 1
    found = dev.outlook([20, 30, 24], steps)
    assert found.mean == pytest.approx(4 - 6)
    low, high = dev.predicted(74, found)
    assert low < 72 < high


def test_pace_notes_labels_that_come_slower_on_all_three_last_diagonals():
    rng = np.random.default_rng(5)
    counts = rng.poisson(60 * 0.7 ** np.arange(12), (12, 12)).astype(float)
    slow = counts.copy()
    ago = np.arange(12)[:, None] - np.arange(12)
    slow[(ago >= 0) & (ago < 3)] *= 0.5
    assert dev.pace(slow) < -2
    many = rng.poisson(60 * 0.7 ** np.arange(12), (400, 12, 12)).astype(float)
    assert (np.abs(dev.pace(many)) > 2).mean() < 0.02


def waits(distribution, size, longest):
    """Return the chances of each lag of three days, cut at `longest` days."""
    edges = np.minimum(3.0 * np.arange(size + 1), longest)
    chance = np.diff(distribution.cdf(edges))
    return chance / chance.sum()


@pytest.mark.parametrize("rate", [2, 10, 60])
@pytest.mark.parametrize("clumped", [False, True])
def test_interval_covers_the_final_count_where_alerts_are_labelled_faster(rate, clumped):
    """95% intervals over 2,000 simulated logs: the simulation's own error is 0.5 points (one standard error)."""
    runs, size, rng = 2000, 20, np.random.default_rng(rate)
    known, mean, variance, final, use = 0.0, 0.0, 0.0, 0.0, np.ones((runs, size), bool)
    strata = []
    for wait in (waits(stats.expon(scale=1.5), size, 45), waits(stats.lognorm(0.8, scale=15), size, 45)):
        rates = rng.gamma(4, rate / 4, (runs, size)) if clumped else np.full((runs, size), float(rate))
        counts = rng.multinomial(rng.poisson(rates), wait).astype(float)
        seen = np.tril(counts)
        steps = dev.ladder([seen])
        use &= np.nan_to_num(dev.at_ages(steps, size)) >= 0.2
        strata.append((counts, seen, steps))
    for counts, seen, steps in strata:
        found = dev.outlook(seen.sum(-1), steps, dev.over_dispersion(seen), use)
        known, final = known + (seen.sum(-1) * use).sum(-1), final + (counts.sum(-1) * use).sum(-1)
        mean, variance = mean + found.mean, variance + found.variance
    told = use.any(-1)
    low, high = dev.predicted(known, dev.Outlook(mean, variance))
    covered = ((low <= final) & (final <= high))[told].mean()
    assert told.mean() > 0.99
    assert 0.935 <= covered <= 0.985
    assert (known + mean)[told].mean() == pytest.approx(final[told].mean(), rel=0.01)

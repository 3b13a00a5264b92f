import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

from release_core.stats import delay


def table(age, wait, size):
    counts = np.zeros((size, size))
    np.add.at(counts, (age, wait), 1)
    return counts


def truncated(n, size, seed):
    """Return age at the as-of and delay of the positives that are known by then, out of n."""
    rng = np.random.default_rng(seed)
    age, wait = rng.integers(0, size, n), np.minimum(rng.geometric(0.15, n) - 1, size - 1)
    seen = wait <= age
    return age[seen], wait[seen]


def test_known_share_is_a_rate_with_wilson():
    found = delay.known_share([0, 3, 10, 0], [4, 10, 10, 0])
    np.testing.assert_array_equal(found.value, [0, 0.3, 1, np.nan])
    np.testing.assert_array_equal(found.n, [4, 10, 10, 0])
    for place, (k, n) in enumerate([(0, 4), (3, 10), (10, 10)]):
        expected = proportion_confint(k, n, method="wilson")
        np.testing.assert_allclose([found.low[place], found.high[place]], expected, atol=1e-12)
    assert np.isnan([found.low[3], found.high[3]]).all()


def test_completeness_equals_statsmodels_in_reverse_time():
    size = 20
    age, wait = truncated(3000, size, 91)
    found = delay.completeness(table(age, wait, size))
    # In reverse time every delay is an event, and it is seen from the age of its event on: left truncation.
    oracle = SurvfuncRight(size - wait, np.ones(wait.size), entry=size - age - 1)
    expected = dict(zip(oracle.surv_times, oracle.surv_prob, strict=True))
    for u in range(size - 1):
        # P(delay <= u) = P(reverse time > size - u - 1), the survival after that time.
        assert found.value[u] == pytest.approx(expected[size - u - 1], rel=1e-9)
    assert found.value[-1] == 1


def test_completeness_undoes_truncation():
    size, runs = 20, 60
    draws = np.stack([table(*truncated(2000, size, seed), size) for seed in range(runs)])
    found = delay.completeness(draws)
    truth = 1 - 0.85 ** np.arange(1, size + 1)
    truth[-1] = 1
    np.testing.assert_allclose(found.value.mean(axis=0), truth, atol=0.01)
    inside = ((found.low <= truth) & (truth <= found.high))[:, :15].mean()
    assert 0.90 < inside < 0.99
    naive = np.cumsum(draws.sum(axis=(0, 1))) / draws.sum()
    assert naive[4] > truth[4] + 0.05


def test_completeness_without_truncation_is_the_share_with_wilson():
    wait = np.repeat([0, 1, 3], [5, 3, 2])
    found = delay.completeness(table(np.full(10, 3), wait, 4))
    np.testing.assert_allclose(found.value, [0.5, 0.8, 0.8, 1], atol=1e-12)
    for place, k in enumerate([5, 8, 8]):
        expected = proportion_confint(k, 10, method="wilson")
        np.testing.assert_allclose([found.low[place], found.high[place]], expected, atol=1e-9)
    assert found.low[3] == found.high[3] == 1


def test_completeness_ends_where_no_event_is_old_enough():
    counts = np.zeros((5, 5))
    counts[2, :3] = 4, 2, 2
    found = delay.completeness(counts)
    np.testing.assert_allclose(found.value, [0.5, 0.75, 1, np.nan, np.nan])
    np.testing.assert_array_equal(found.n, [4, 6, 8, 0, 0])


def test_completeness_at_its_limits_rests_on_the_smallest_risk_set():
    found = delay.completeness(table(np.full(6, 2), np.array([1, 1, 1, 1, 1, 1]), 3))
    np.testing.assert_array_equal(found.value, [0, 1, 1])
    assert found.low[0] == 0
    assert found.high[0] == pytest.approx(proportion_confint(0, 6, method="wilson")[1])
    assert found.low[1] == pytest.approx(proportion_confint(6, 6, method="wilson")[0])


@pytest.mark.parametrize("seed", range(3))
def test_completeness_and_its_bounds_rise_with_age(seed):
    """What is known within an age is known within a later one: the bounds say so as well."""
    rng = np.random.default_rng(seed)
    table = np.tril(rng.poisson(np.exp(-np.arange(12) / 3), (12, 12)).astype(float))
    found = delay.completeness(table)
    for bound in (found.value, found.low, found.high):
        assert (np.diff(bound[np.isfinite(bound)]) >= -1e-12).all()
    assert ((found.low <= found.value + 1e-12) & (found.value <= found.high + 1e-12))[np.isfinite(found.value)].all()


def test_completeness_ignores_delays_longer_than_the_age():
    counts = np.array([[4.0, 9.0], [3.0, 1.0]])
    np.testing.assert_allclose(delay.completeness(counts).value, [0.75, 1])


def test_completeness_no_positives():
    found = delay.completeness(np.zeros((2, 3, 3)))
    assert np.isnan(found.value).all()
    assert np.isnan(found.low).all()


def test_completeness_leading_axes():
    draws = np.stack([table(*truncated(50, 8, seed), 8) for seed in range(4)])
    draws[2] = 0
    together = delay.completeness(draws)
    for index in range(4):
        for part, alone in zip(together, delay.completeness(draws[index]), strict=True):
            np.testing.assert_allclose(part[index], alone)

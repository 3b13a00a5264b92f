import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from release_core.stats import drift, grid
from tests.stats.cases import FUZZ, events, ks_statistic, per_bin, scored

SIDES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)
BOTH = SIDES.filter(lambda rows: all(sum(side) > 0 for side in zip(*rows, strict=True)))


def histogram(score, per_unit=64):
    return per_bin(grid.bin_of(score, per_unit), None, grid.top_bin(per_unit) + 1)


def shares(counts, inner):
    grouped = np.add.reduceat(counts, [0, *inner]).astype(float)
    return (grouped + 0.5) / (counts.sum() + 0.5 * grouped.size)


def test_quantile_groups_hold_a_tenth_each():
    score, _ = scored(41, 40_000, 0.02)
    counts = histogram(score)
    inner = drift.quantile_groups(counts)
    np.testing.assert_allclose(np.add.reduceat(counts, [0, *inner]) / score.size, 0.1, atol=0.004)
    np.testing.assert_allclose(grid.lower_edge(inner, 64), np.quantile(score, np.arange(1, 10) / 10), rtol=0.01)


def test_quantile_groups_of_ties_are_fewer():
    np.testing.assert_array_equal(drift.quantile_groups([0, 10, 0, 80, 10], 10)[:3], [2, 4, 5])
    np.testing.assert_array_equal(drift.quantile_groups([0, 0, 7, 0]), np.full(9, 4))
    np.testing.assert_array_equal(drift.quantile_groups([0, 0]), np.full(9, 2))


@FUZZ
@given(BOTH)
def test_psi_equals_both_divergences_of_scipy(rows):
    old, new = np.array(rows).T
    inner = drift.quantile_groups(old)
    edges = inner[inner < old.size]
    e, a = shares(old, edges), shares(new, edges)
    found = drift.psi(old, new, inner)
    np.testing.assert_allclose(found.total, stats.entropy(a, e) + stats.entropy(e, a), atol=1e-12)
    np.testing.assert_allclose(found.current[: e.size], a)
    np.testing.assert_allclose(found.reference[: e.size], e)
    assert np.isnan(found.part[e.size :]).all()
    assert found.groups == e.size


def test_psi_null_mean_and_quantile_hold_without_drift():
    rng = np.random.default_rng(42)
    share = histogram(scored(43, 50_000, 0.02)[0]) / 50_000
    old, new = rng.multinomial(4000, share, 800), rng.multinomial(2500, share, 800)
    found = drift.psi(old, new, drift.quantile_groups(share))
    np.testing.assert_allclose(found.total.mean(), found.null_mean[0], rtol=0.05)
    assert 0.03 < (found.total > found.null_high).mean() < 0.07
    assert (found.net >= 0).all()
    np.testing.assert_allclose(found.null_high[0], stats.chi2.ppf(0.95, 9) * (1 / 4000 + 1 / 2500))


def test_psi_of_one_group_is_zero():
    found = drift.psi([0, 5], [0, 9], drift.quantile_groups([0, 5]))
    assert found.total == found.null_mean == found.null_high == 0


@pytest.mark.parametrize(("old", "new"), [([0, 0], [3, 4]), ([3, 4], [0, 0])])
def test_empty_samples_are_undefined(old, new):
    found = drift.psi(old, new, [1])
    for value in (found.total, found.null_mean, found.null_high, found.net):
        assert np.isnan(value)
    assert np.isnan(drift.ks_drift(old, new))
    assert np.isnan(drift.jensen_shannon(old, new))
    assert np.isnan(drift.wasserstein(old, new, [0.0, 1.0]))


@FUZZ
@given(BOTH)
def test_distances_equal_scipy(rows):
    old, new = np.array(rows).T
    positions = np.linspace(-3, 2, old.size) ** 3
    at, from_old = events(old, new)
    old_rows, new_rows = at[from_old == 1], at[from_old == 0]
    np.testing.assert_allclose(drift.ks_drift(old, new), ks_statistic(old_rows, new_rows), atol=1e-12)
    np.testing.assert_allclose(drift.jensen_shannon(old, new), jensenshannon(old, new, base=2), atol=1e-7)
    moved = stats.wasserstein_distance(positions[old_rows], positions[new_rows])
    np.testing.assert_allclose(drift.wasserstein(old, new, positions), moved, atol=1e-9)


def test_wasserstein_of_a_shift_on_the_log_odds_axis():
    axis = grid.log_odds(64)
    old = np.zeros(axis.size)
    old[800:900] = 5
    np.testing.assert_allclose(drift.wasserstein(old, np.roll(old, 16), axis), 0.25, rtol=1e-12)


def test_identical_samples_have_no_distance():
    counts = histogram(scored(44, 500, 0.1)[0])
    assert drift.psi(counts, counts, drift.quantile_groups(counts)).total == 0
    assert drift.ks_drift(counts, counts) == drift.jensen_shannon(counts, counts) == 0


def test_mass_near_counts_events():
    score, _ = scored(45, 5000, 0.05)
    near = drift.mass_near(histogram(score), grid.log_odds(64), -3.0)
    x = np.log(score / (1 - score))
    np.testing.assert_allclose(near, (np.abs(x + 3) < 0.25).mean(), atol=1e-12)
    assert np.isnan(drift.mass_near([0, 0], [0.0, 1.0], 0.0))


@FUZZ
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any), st.integers(0, 110))
def test_equal_alert_rate_is_the_lowest_edge_that_keeps_it(counts, wanted):
    counts, rate = np.array(counts), wanted / 100
    at_edges = np.array([counts[edge:].sum() for edge in range(counts.size + 1)])
    keeps = at_edges <= rate * counts.sum() + 1e-9
    found = drift.equal_alert_rate(counts, rate)
    assert found.bin == np.flatnonzero(keeps)[0]
    assert found.bin_high == np.flatnonzero(at_edges == at_edges[found.bin])[-1]
    assert found.achieved == at_edges[found.bin] / counts.sum()


def test_equal_alert_rate_returns_the_cutoff_it_came_from():
    counts = histogram(scored(46, 3000, 0.05)[0], 8)
    for edge in range(60, 130):
        found = drift.equal_alert_rate(counts, counts[edge:].sum() / counts.sum())
        assert found.bin <= edge <= found.bin_high


def test_equal_alert_rate_no_events():
    found = drift.equal_alert_rate([[0, 0], [1, 1]], 0.5)
    np.testing.assert_array_equal(found.bin, [-1, 1])
    np.testing.assert_array_equal(found.achieved, [np.nan, 0.5])


def test_leading_axes_equal_one_at_a_time():
    rng = np.random.default_rng(47)
    old, new = rng.integers(0, 5, (2, 3, 20)), rng.integers(0, 5, (2, 3, 20))
    old[0, 0] = 0
    inner = drift.quantile_groups(old)
    together = drift.psi(old, new, inner)
    transfer = drift.equal_alert_rate(old, 0.3)
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(inner[index], drift.quantile_groups(old[index]))
        alone = drift.psi(old[index], new[index], inner[index])
        for part, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(part[index], single)
        assert transfer.bin[index] == drift.equal_alert_rate(old[index], 0.3).bin


@FUZZ
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any), st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.99, 1])
)
def test_quantile_equals_numpy_without_interpolation(counts, probability):
    rows = np.repeat(np.arange(len(counts)), counts)
    assert drift.quantile(counts, probability) == np.quantile(rows, probability, method="inverted_cdf")


def test_quantile_of_nothing_is_no_bin():
    np.testing.assert_array_equal(drift.quantile([[0, 0], [0, 3]], 0.5), [-1, 1])


def test_density_is_the_slope_of_the_alerts():
    """Of a score that is normal in log-odds: what 0.1 log-odds more add to the alerts, with 0.6% of noise from counting."""
    rng = np.random.default_rng(48)
    n, cutoff = 2_000_000, -2.0
    counts = histogram(1 / (1 + np.exp(-rng.normal(-3, 1, n))))
    more = n * (stats.norm.sf(cutoff - 0.05, -3) - stats.norm.sf(cutoff + 0.05, -3))
    at = int(grid.bin_of(1 / (1 + np.exp(2.0)) * (1 + 1e-9), 64))
    np.testing.assert_allclose(drift.density(counts, at) * 6.4, more, rtol=0.02)
    assert drift.density(counts, 0) == counts[:4].sum() / 8

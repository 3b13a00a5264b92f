"""Calibration error over equal groups against scikit-learn's curve; its debiased form against what is true."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve

from release_core.stats.calibration_error import calibration_error
from tests.stats.cases import FUZZ, scored


@pytest.mark.parametrize(("n", "rate"), [(3000, 0.2), (60_000, 0.001)])
def test_absolute_error_equals_scikit_learns_quantile_curve(n, rate):
    score, y = scored(3, n, rate)
    order = np.argsort(score)
    found = calibration_error(y[order], np.ones(n), score[order])
    observed, promised = calibration_curve(y, score, n_bins=15, strategy="quantile")
    assert found.groups == len(observed) == 15
    # Quantile edges fall between events, so that every group holds n / 15 of them, as ours do.
    assert found.absolute == pytest.approx(np.abs(observed - promised).mean(), rel=1e-9)


def test_debiased_error_is_the_printed_formula():
    rng = np.random.default_rng(4)
    n = np.full(15, 200.0)
    pos, mean = rng.binomial(200, 0.3, 15).astype(float), np.linspace(0.1, 0.5, 15)
    rate = pos / n
    square = np.mean((rate - mean) ** 2 - rate * (1 - rate) / 199)
    found = calibration_error(pos, n, n * mean)
    assert found.debiased == pytest.approx(np.sqrt(square), rel=1e-12)


@pytest.mark.parametrize("gap", [0.0, 0.05])
def test_debiased_square_is_right_on_average_and_the_plain_one_is_not(gap):
    """4,000 draws of 15 groups of 40: the mean of the signed square is within 4 standard errors of the truth."""
    rng = np.random.default_rng(5)
    p = np.linspace(0.1, 0.8, 15)
    n, mean = 40.0, p - gap
    rate = rng.binomial(40, p, (4000, 15)) / n
    plain, noise = (rate - mean) ** 2, rate * (1 - rate) / (n - 1)
    signed = (plain - noise).mean(axis=1)
    assert abs(signed.mean() - gap**2) < 4 * signed.std() / np.sqrt(4000)
    assert plain.mean() - gap**2 > 20 * plain.mean(axis=1).std() / np.sqrt(4000)
    found = [calibration_error(k * n, np.full(15, n), n * mean).debiased ** 2 for k in rate[:200]]
    np.testing.assert_allclose(found, np.maximum(signed[:200], 0), atol=1e-12)


def test_a_tie_is_never_split():
    found = calibration_error([5, 60, 2], [100, 800, 100], [5.0, 64.0, 4.0])
    assert found.groups == 3
    assert found.absolute == pytest.approx((0 + 4 + 2) / 1000)


def test_nothing_is_known_of_fewer_than_two_events():
    for pos, n in (([], []), ([0], [0]), ([1], [1])):
        found = calibration_error(pos, n, np.zeros(len(n)))
        assert np.isnan(found.absolute)
        assert np.isnan(found.debiased)
    assert calibration_error([1, 0], [1, 1], [0.5, 0.5]).groups == 1


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_groups_hold_all_events_and_at_least_two_each(rows):
    pos, neg = np.array(rows, dtype=float).T
    n, s = pos + neg, expit(np.linspace(-3, 3, len(pos)))
    if n.sum() < 2:
        return
    found = calibration_error(pos, n, n * s)
    assert 1 <= found.groups <= min(15, n.sum() / 2)
    assert found.debiased >= 0
    assert found.absolute >= abs((pos - n * s).sum() / n.sum()) - 1e-12

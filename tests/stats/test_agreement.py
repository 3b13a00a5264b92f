import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from release_core.stats import agreement
from tests.stats.cases import FUZZ

TABLES = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 6), min_size=k, max_size=k), min_size=k, max_size=k)
)


def rows(table):
    """Return the events that a joint table stands for."""
    table = np.array(table)
    first, second = np.indices(table.shape)
    return np.repeat(first.ravel(), table.ravel()), np.repeat(second.ravel(), table.ravel())


@FUZZ
@given(TABLES.filter(lambda table: sum(map(sum, table)) > 1))
def test_kappa_equals_scikit_learn(table):
    first, second = rows(table)
    found = agreement.kappa(table)
    if len(set(first) | set(second)) < 2:
        assert np.isnan(found)
    else:
        np.testing.assert_allclose(found, cohen_kappa_score(first, second), atol=1e-12)


def test_kappa_equals_statsmodels_at_a_base_rate_of_one_per_mille():
    table = [[99800, 60], [70, 70]]
    np.testing.assert_allclose(agreement.kappa(table), cohens_kappa(table).kappa)


@FUZZ
@given(TABLES)
def test_spearman_equals_scipy(table):
    first, second = rows(table)
    found = agreement.spearman(table)
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert np.isnan(found)
    else:
        np.testing.assert_allclose(found, stats.spearmanr(first, second).statistic, atol=1e-9)


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[5, 0], [0, 0]]])
def test_nothing_to_agree_on_is_undefined(table):
    assert np.isnan(agreement.kappa(table))
    assert np.isnan(agreement.spearman(table))


def test_leading_axes_equal_one_at_a_time():
    tables = np.random.default_rng(6).integers(0, 9, (4, 3, 3))
    for function in (agreement.kappa, agreement.spearman):
        np.testing.assert_allclose(function(tables), [float(function(table)) for table in tables])

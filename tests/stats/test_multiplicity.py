import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from release_core.stats import intervals, multiplicity
from tests.stats.cases import FUZZ

P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.floats(0, 0.05)), min_size=1, max_size=12)
PUBLISHED = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


@FUZZ
@given(P_VALUES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (multiplicity.holm, "holm"),
        (multiplicity.benjamini_hochberg, "fdr_bh"),
        (multiplicity.benjamini_yekutieli, "fdr_by"),
    ],
)
def test_rejections_equal_statsmodels(ours, theirs, p):
    np.testing.assert_array_equal(ours(p, 0.07), multipletests(p, 0.07, theirs)[0])


def test_benjamini_hochberg_published_example():
    """Benjamini and Hochberg 1995, section 4.1: four rejections at 0.05, against three of Bonferroni and Holm."""
    assert multiplicity.benjamini_hochberg(PUBLISHED, 0.05).sum() == 4
    assert multiplicity.holm(PUBLISHED, 0.05).sum() == 3


@FUZZ
@given(P_VALUES)
def test_holm_levels_by_rank(p):
    k, stopped, expected = len(p), None, np.empty(len(p))
    for rank, place in enumerate(np.argsort(p, kind="stable")):
        level = stopped or 0.05 / (k - rank)
        if p[place] > level:
            stopped = level
        expected[place] = level
    np.testing.assert_allclose(multiplicity.holm_levels(p, 0.05), expected)


def test_holm_levels_make_bounds_agree_with_rejections():
    rng = np.random.default_rng(71)
    value, margin = rng.normal(1.5, 1.5, (200, 6)), 0.3
    p = stats.norm.sf(value - margin)
    low = intervals.interval(value, 1.0, confidence=1 - multiplicity.holm_levels(p, 0.05), sides=1).low
    rejected = multiplicity.holm(p, 0.05)
    assert 100 < rejected.sum() < 900
    np.testing.assert_array_equal(low >= margin, rejected)


def test_undefined_hypotheses_do_not_count():
    p = np.array([0.02, np.nan, 0.024, np.nan])
    for method in (multiplicity.holm, multiplicity.benjamini_hochberg, multiplicity.benjamini_yekutieli):
        np.testing.assert_array_equal(method(p, 0.05)[[0, 2]], method(p[[0, 2]], 0.05))
        assert not method(p, 0.05)[[1, 3]].any()
    np.testing.assert_allclose(multiplicity.holm_levels(p, 0.05), [0.025, np.nan, 0.05, np.nan])


def test_no_hypothesis_at_all():
    nothing = np.full((2, 3), np.nan)
    assert np.isnan(multiplicity.holm_levels(nothing, 0.05)).all()
    for method in (multiplicity.holm, multiplicity.benjamini_hochberg, multiplicity.benjamini_yekutieli):
        assert not method(nothing, 0.05).any()
        assert method([], 0.05).size == 0


def test_families_lie_on_leading_axes():
    p = np.random.default_rng(72).random((3, 4, 5)) ** 4
    for method in (multiplicity.holm, multiplicity.benjamini_hochberg, multiplicity.benjamini_yekutieli):
        together = method(p, 0.05)
        for index in np.ndindex(3, 4):
            np.testing.assert_array_equal(together[index], method(p[index], 0.05))

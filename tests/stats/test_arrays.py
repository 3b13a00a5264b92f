import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from release_core.stats import arrays
from tests.stats.cases import FUZZ


def test_ratio_undefined_where_the_denominator_is_zero_or_unknown():
    found = arrays.ratio([1, 0, np.nan, 3], [0, 0, 2, np.nan])
    np.testing.assert_array_equal(found, np.full(4, np.nan))


def test_ratio_broadcasts():
    np.testing.assert_array_equal(arrays.ratio([[1], [2]], [2, 4]), [[0.5, 0.25], [1, 0.5]])


def test_what_is_not_known_counts_as_zero_and_only_that():
    np.testing.assert_array_equal(arrays.or_zero([np.nan, 2, 0, -np.inf]), [0, 2, 0, -np.inf])


@FUZZ
@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_cumulative_sums_fit_together(counts):
    edges = arrays.at_or_above(counts)
    np.testing.assert_array_equal(edges, [sum(counts[place:]) for place in range(len(counts) + 1)])
    np.testing.assert_array_equal(
        arrays.below(counts) + counts + arrays.above(counts), np.full(len(counts), sum(counts))
    )
    np.testing.assert_array_equal(arrays.above(counts), edges[1:])

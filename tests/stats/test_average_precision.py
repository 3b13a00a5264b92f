from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from release_core.stats.average_precision import average_precision, average_precision_bracket
from tests.stats.cases import FUZZ, TWO_CLASSES, binned, events, scored

COUNTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).filter(
    lambda rows: sum(row[0] for row in rows) > 0
)


@FUZZ
@given(COUNTS)
def test_average_precision_of_ties_equals_scikit_learn(rows):
    pos, neg = np.array(rows).T
    score, y = events(pos, neg)
    found = average_precision(pos, neg, np.ones(pos.size, dtype=bool))
    np.testing.assert_allclose(found, average_precision_score(y, score), atol=1e-12)


@pytest.mark.parametrize(("pos", "neg"), [([0, 2, 1], [0, 2, 0]), ([3], [2]), ([1, 1], [1, 2]), ([0, 1], [3, 1])])
def test_average_precision_is_the_mean_over_all_orders(pos, neg):
    bins, y = events(pos, neg)
    values = []
    for order in permutations(range(y.size)):
        score = bins + np.array(order) / y.size
        values.append(average_precision_score(y, score))
    np.testing.assert_allclose(average_precision(pos, neg), np.mean(values), atol=1e-12)
    low, high = average_precision_bracket(pos, neg)
    tied_first = average_precision_score(y, bins + y / 2)
    np.testing.assert_allclose([low, high], [min(values), tied_first], atol=1e-12)
    assert high >= max(values) - 1e-12


@FUZZ
@given(TWO_CLASSES, st.sampled_from([64, 4, 1]))
def test_bracket_contains_event_level_value(rows, per_unit):
    score, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    pos, neg, tied = binned(score, y, per_unit)
    low, high = average_precision_bracket(pos, neg, tied)
    assert low - 1e-12 <= average_precision_score(y, score) <= high + 1e-12
    assert low - 1e-12 <= average_precision(pos, neg, tied) <= high + 1e-12


def test_average_precision_rare_positives_within_binning_error():
    score, y = scored(3, 60_000, 0.001, skill=2.0)
    pos, neg, tied = binned(score, y)
    assert average_precision(pos, neg, tied) == pytest.approx(average_precision_score(y, score), abs=2e-3)


def test_average_precision_far_down_a_long_ranking():
    above, y, q = 40_000_000, 3, 50_000
    n = y + q
    ranks = np.arange(1, n + 1)
    expected = y / n * ((1_000 + 1 + (ranks - 1) * (y - 1) / (n - 1)) / (above + ranks)).sum()
    whole = average_precision([y, 1_000], [q, above - 1_000])
    top = average_precision([0, 1_000], [0, above - 1_000])
    np.testing.assert_allclose(whole, (1_000 * top + expected) / 1_003, rtol=1e-11)


@pytest.mark.parametrize(("pos", "neg"), [([0, 0], [3, 2]), ([0], [0])])
def test_average_precision_without_positives_is_undefined(pos, neg):
    assert np.isnan(average_precision(pos, neg))


def test_average_precision_without_negatives_is_one():
    assert average_precision([1, 2], [0, 0]) == pytest.approx(1, rel=1e-15)


def test_average_precision_leading_axes():
    rng = np.random.default_rng(2)
    pos, neg, tied = rng.integers(0, 2, (2, 3, 9)), rng.integers(0, 5, (2, 3, 9)), rng.random((2, 3, 9)) < 0.3
    pos[0, 0] = 0
    together = average_precision(pos, neg, tied)
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(together[index], average_precision(pos[index], neg[index], tied[index]), rtol=1e-12)


@pytest.mark.parametrize("above", [1, 62, 63, 64, 65, 200, 5_000])
def test_average_precision_at_any_depth_equals_the_sum_over_ranks(above):
    ranks = np.arange(1, 6)
    expected = 2 / 5 * ((1 + 1 + (ranks - 1) / 4) / (above + ranks)).sum()
    found = 3 * average_precision([2, 1], [3, above - 1]) - average_precision([0, 1], [0, above - 1])
    np.testing.assert_allclose(found, expected, rtol=1e-11)

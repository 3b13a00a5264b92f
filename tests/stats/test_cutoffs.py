import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, recall_score

from release_core.stats import cutoffs, ranking
from tests.stats.cases import FUZZ, TWO_CLASSES, binned, events, per_bin

COSTS = st.lists(st.floats(0, 100).map(lambda cost: round(cost, 1)), min_size=1, max_size=20)
MONEY = st.floats(0.1, 1000)


def test_expected_cost_equals_a_count_at_every_cutoff():
    rng = np.random.default_rng(81)
    pos, neg = rng.integers(0, 4, 8), rng.integers(0, 9, 8)
    bins, y = events(pos, neg)
    amount = rng.integers(1, 500, y.size).astype(float)
    units = cutoffs.UnitCosts(false_positive=4.0, review=1.5, false_negative=20.0, amount_times=0.8)
    missed = cutoffs.below_edges(per_bin(bins, amount * y, 8))
    found = cutoffs.expected_cost(ranking.sweep(pos, neg), units, missed)
    for edge in range(9):
        alert = bins >= edge
        _, fp, fn, tp = confusion_matrix(y, alert, labels=[0, 1]).ravel()
        expected = 4 * fp + 1.5 * (tp + fp) + 20 * fn + 0.8 * amount[(y == 1) & ~alert].sum()
        assert found[edge] == pytest.approx(expected, rel=1e-12)


def test_expected_cost_takes_costs_per_leading_axis():
    pos, neg = np.array([[1, 2], [1, 2]]), np.array([[5, 1], [5, 1]])
    units = cutoffs.UnitCosts(false_positive=np.array([1.0, 2.0]), false_negative=10.0)
    found = cutoffs.expected_cost(ranking.sweep(pos, neg), units)
    np.testing.assert_array_equal(found, [[6, 11, 30], [12, 12, 30]])


def test_value_recall_equals_weighted_recall():
    rng = np.random.default_rng(82)
    bins, amount, y = rng.integers(0, 6, 300), rng.random(300), rng.random(300) < 0.2
    found = cutoffs.value_recall(per_bin(bins, amount * y, 6))
    expected = [recall_score(y, bins >= edge, sample_weight=amount) for edge in range(7)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(cutoffs.value_recall([0.0, 0.0])).all()


@FUZZ
@given(COSTS)
def test_optimum_is_the_last_of_the_cheapest(costs):
    found = cutoffs.optimum(costs)
    assert found.cost == min(costs)
    assert found.bin == max(place for place, cost in enumerate(costs) if cost == min(costs))
    low = high = int(found.bin)
    while low > 0 and costs[low - 1] <= 1.01 * min(costs):
        low -= 1
    while high < len(costs) - 1 and costs[high + 1] <= 1.01 * min(costs):
        high += 1
    assert (found.plateau_low, found.plateau_high) == (low, high)
    assert found.at_end == (found.bin in {0, len(costs) - 1})


def test_optimum_leading_axes():
    costs = np.random.default_rng(83).random((2, 3, 12))
    together = cutoffs.optimum(costs, 0.5)
    for index in np.ndindex(2, 3):
        for part, alone in zip(together, cutoffs.optimum(costs[index], 0.5), strict=True):
            assert part[index] == alone


@FUZZ
@given(TWO_CLASSES, MONEY, MONEY)
def test_least_cost_bound_lies_below_every_cutoff(rows, false_positive, false_negative):
    score, y = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    pos, neg, tied = binned(score, y, 1)
    units = cutoffs.UnitCosts(false_positive=false_positive, false_negative=false_negative)
    cost = cutoffs.expected_cost(ranking.sweep(pos, neg), units)
    bound = cutoffs.least_cost_bound(cost, np.where(tied, 0, false_negative * pos))
    exact = min(
        false_positive * ((score >= cutoff) & ~y).sum() + false_negative * ((score < cutoff) & y).sum()
        for cutoff in [*score, np.inf]
    )
    assert bound <= exact * (1 + 1e-12) <= cost.min() * (1 + 1e-9)


def cheapest(q, loss, block, review, detection, friction):
    """Return the expected costs of approve, review and block at the calibrated probability q."""
    return q * loss, review + q * loss * (1 - detection) + (1 - q) * friction, (1 - q) * block


@FUZZ
@given(MONEY, MONEY, st.floats(0, 200), st.floats(0, 1), st.floats(0, 50))
def test_three_actions_are_cheapest_everywhere(loss, block, review, detection, friction):
    first, second = cutoffs.three_actions(loss, block, review, detection, friction)
    assert 0 <= first <= second <= 1
    q = np.linspace(0, 1, 401)
    costs = np.array(cheapest(q, loss, block, review, detection, friction))
    taken = np.where(q >= second, 2, np.where(q >= first, 1, 0))
    np.testing.assert_allclose(costs[taken, np.arange(q.size)], costs.min(axis=0), rtol=1e-9, atol=1e-9)


def test_three_actions_move_with_detection_and_review_cost():
    better = cutoffs.three_actions(100.0, 20.0, 3.0, np.linspace(0, 1, 50), 1.0)
    assert (np.diff(better.review) <= 1e-12).all()
    assert (np.diff(better.block) >= -1e-12).all()
    dearer = cutoffs.three_actions(100.0, 20.0, np.linspace(0, 30, 50), 0.7, 1.0)
    assert (np.diff(dearer.review) >= -1e-12).all()
    assert (np.diff(dearer.block) <= 1e-12).all()


@pytest.mark.parametrize("case", [{"detection": 0.0, "review": 1.0}, {"detection": 0.9, "review": 20.0}])
def test_three_actions_without_a_review_band(case):
    first, second = cutoffs.three_actions(loss=100.0, block=20.0, **case)
    assert first == second == cutoffs.two_actions(20.0, 100.0)


def test_two_actions_nothing_at_stake_is_undefined():
    assert np.isnan(cutoffs.two_actions(0.0, 0.0))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import recall_score

from release_core.stats import cutoffs, ranking
from tests.stats.cases import FUZZ, TWO_CLASSES, binned, per_bin

COSTS = st.lists(st.floats(0, 100).map(lambda cost: round(cost, 1)), min_size=1, max_size=20)
MONEY = st.floats(0.1, 1000)


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
    counts = ranking.sweep(pos, neg)
    cost = false_positive * counts.fp + false_negative * counts.fn
    bound = cutoffs.least_cost_bound(cost, np.where(tied, 0, false_negative * pos))
    exact = min(
        false_positive * ((score >= cutoff) & ~y).sum() + false_negative * ((score < cutoff) & y).sum()
        for cutoff in [*score, np.inf]
    )
    assert bound <= exact * (1 + 1e-12) <= cost.min() * (1 + 1e-9)


def test_action_cost_is_the_sum_over_events():
    rng = np.random.default_rng(84)
    action, y, amount = rng.integers(0, 3, 400), rng.random(400) < 0.3, rng.random(400) * 50
    units = cutoffs.UnitCosts(7.0, 2.0, 3.0, 0.9, 0.8, 0.5)
    counts = np.array([[(action == a).sum(), ((action == a) & y).sum(), ((action == a) & ~y).sum()] for a in range(3)])
    missed, reviewed = (amount[(action == a) & y].sum() for a in (0, 1))
    loss = 3.0 + 0.9 * amount
    expected = sum(
        {0: loss[i] * y[i], 1: 2.0 + (0.2 * loss[i] if y[i] else 0.5), 2: 0.0 if y[i] else 7.0}[action[i]]
        for i in range(400)
    )
    assert cutoffs.action_cost(counts, missed, units, (0, 2), reviewed) == pytest.approx(expected, rel=1e-12)


def cheapest(q, loss, block, review, detection, friction):
    """Return the expected costs of approve, review and block at the calibrated probability q."""
    return q * loss, review + q * loss * (1 - detection) + (1 - q) * friction, (1 - q) * block


@FUZZ
@given(MONEY, MONEY, *(st.floats(0, most).map(lambda value: round(value, 9)) for most in (200, 1, 50)))
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

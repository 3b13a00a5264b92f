"""Cutoffs under a shared capacity against linear programming and against every combination of pairs."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from release_core.stats import capacity, cutoff_pairs
from release_core.stats.cutoff_pairs import BOTH, REVIEW, ActionCosts

EDGES = 5


def case(seed, segments=3, bins=EDGES - 1):
    """Return costs by action [segments, bins] that need not be monotone in the score, and reviews per bin."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 9, (segments, bins)).astype(float)
    bad = np.sort(rng.random((segments, bins)), axis=1) * rng.uniform(0.5, 1, (segments, 1))
    loss = rng.uniform(5, 40, (segments, bins))
    return ActionCosts(n * bad * loss, n * (1.0 + 0.2 * bad * loss), n * (1 - bad) * 6.0), n


def linear(costs, work, most, which):
    """Return cost and price of the best mix of cutoffs: shares not approved and blocked, rising in the score."""
    segments, bins = work.shape
    size = segments * bins
    cost = np.concatenate([(costs.review - costs.approve).ravel(), (costs.block - costs.review).ravel()])
    rows = [np.concatenate([work.ravel(), -work.ravel()])]
    for s, b, half in itertools.product(range(segments), range(bins), range(2)):
        place = half * size + s * bins + b
        if b < bins - 1:
            row = np.zeros(2 * size)
            row[place], row[place + 1] = 1, -1
            rows.append(row)
        if half:
            row = np.zeros(2 * size)
            row[place], row[place - size] = 1, -1
            rows.append(row)
    limits = [(0, 1)] * size + [(0, 1 if which == BOTH else 0)] * size
    right = np.concatenate([[most], np.zeros(len(rows) - 1)])
    found = linprog(cost, A_ub=np.array(rows), b_ub=right, bounds=limits, method="highs")
    return found.fun + costs.approve.sum(), -found.ineqlin.marginals[0]


def every_combination(costs, work, most, which):
    """Return the least cost of whole pairs of all segments together that fit."""
    options = []
    for segment in range(work.shape[0]):
        one = ActionCosts(*(part[segment] for part in costs))
        pairs = [(r, b) for r in range(EDGES) for b in (range(r, EDGES) if which == BOTH else [EDGES - 1])]
        options.append(
            [
                (one.approve[:r].sum() + one.review[r:b].sum() + one.block[b:].sum(), work[segment, r:b].sum())
                for r, b in pairs
            ]
        )
    combined = itertools.product(*options)
    return min(sum(c for c, _ in chosen) for chosen in combined if sum(w for _, w in chosen) <= most + 1e-9)


@pytest.mark.parametrize("which", [BOTH, REVIEW])
@pytest.mark.parametrize("seed", range(8))
def test_price_and_bound_are_those_of_linear_programming(seed, which):
    costs, work = case(seed)
    free = capacity.within_capacity(costs, work, np.inf, which).wanted
    for share in (0.0, 0.21, 0.5, 0.83):
        most = share * free + (0.01 if share else 0.0)  # between whole numbers of reviews the price is unique
        found = capacity.within_capacity(costs, work, most, which)
        least, price = linear(costs, work, most, which)
        assert found.bound == pytest.approx(least, rel=1e-7)
        if share > 0:
            assert found.price == pytest.approx(price, rel=1e-6)


@pytest.mark.parametrize("which", [BOTH, REVIEW])
@pytest.mark.parametrize("seed", range(4))
def test_cutoffs_fit_and_are_close_to_the_best_whole_ones(seed, which):
    costs, work = case(seed)
    free = capacity.within_capacity(costs, work, np.inf, which).wanted
    largest = work.sum(axis=1).max()
    for most in (0.0, 0.3 * free, 0.7 * free):
        found = capacity.within_capacity(costs, work, most, which)
        assert found.reviews.sum() <= most + 1e-6
        told = sum(
            costs.approve[s, :r].sum() + costs.review[s, r:b].sum() + costs.block[s, b:].sum()
            for s, (r, b) in enumerate(zip(found.review, found.block, strict=True))
        )
        assert found.cost == pytest.approx(told)
        best = every_combination(costs, work, most, which)
        assert found.bound - 1e-9 <= best <= found.cost + 1e-9
        assert found.cost - found.bound <= found.price * largest + 1e-9


def test_enough_capacity_costs_nothing_and_is_the_free_optimum():
    costs, work = case(3)
    found = capacity.within_capacity(costs, work, 1e9)
    free = cutoff_pairs.cheapest(cutoff_pairs.moves(costs))
    assert found.price == 0
    np.testing.assert_array_equal(found.review, free.review)
    assert found.cost == pytest.approx(free.cost.sum()) == pytest.approx(found.bound)


def test_price_falls_and_cost_falls_with_capacity():
    costs, work = case(11, segments=6)
    free = capacity.within_capacity(costs, work, np.inf).wanted
    found = [capacity.within_capacity(costs, work, share * free) for share in np.linspace(0.05, 1, 12)]
    assert (np.diff([one.price for one in found]) <= 1e-9).all()
    assert (np.diff([one.bound for one in found]) <= 1e-9).all()


def test_price_is_the_same_whatever_the_order_of_segments():
    costs, work = case(12, segments=4)
    turned = ActionCosts(*(part[::-1] for part in costs))
    one, other = (capacity.within_capacity(c, w, 9.0) for c, w in ((costs, work), (turned, work[::-1])))
    assert one.price == pytest.approx(other.price)
    assert one.bound == pytest.approx(other.bound)


@pytest.mark.parametrize("segments", [0, 1])
def test_none_and_one_segment(segments):
    costs, work = case(1, segments=segments)
    found = capacity.within_capacity(costs, work, 3.0)
    assert found.reviews.sum() <= 3.0
    assert len(found.review) == segments


@pytest.mark.parametrize("which", [BOTH, REVIEW])
def test_a_frontier_that_has_answered_answers_as_a_new_one(which):
    costs, work = case(11, segments=6, bins=40)
    total = work.sum()
    asked = capacity.Frontier(cutoff_pairs.moves(costs), work, which)
    for share in (0.9, 0.1, 0.5, 0.3, 0.31, 0.0, 1.0, 0.5):
        found, fresh = asked.within(share * total), capacity.within_capacity(costs, work, share * total, which)
        assert found.cost == pytest.approx(fresh.cost)
        assert found.price == pytest.approx(fresh.price)
        assert found.bound == pytest.approx(fresh.bound)
        assert found.reviews.sum() <= share * total + 1e-9

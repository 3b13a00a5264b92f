"""Shapley shares against the average over all orders (their definition), and their axioms."""

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from release_core.stats import shapley

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=8).map(np.array)


@given(VALUES)
def test_shares_are_the_average_over_all_orders(values):
    orders = [shapley.path(values, order) for order in permutations(range(3))]
    assert np.allclose(shapley.shares(values), np.mean(orders, axis=0))


@given(VALUES)
def test_shares_add_up_to_the_whole_and_paths_do_too(values):
    assert np.isclose(shapley.shares(values).sum(), values[7] - values[0])
    assert np.isclose(shapley.path(values).sum(), values[7] - values[0])


@given(VALUES)
def test_interactions_rebuild_every_value(values):
    found = shapley.interactions(values)
    rebuilt = [sum(found[part] for part in range(8) if part & whole == part) for whole in range(8)]
    assert np.allclose(rebuilt, values)


@given(VALUES)
def test_shares_split_each_interaction_evenly(values):
    found = shapley.interactions(values)
    expected = [sum(found[c] / c.bit_count() for c in range(1, 8) if c >> player & 1) for player in range(3)]
    assert np.allclose(shapley.shares(values), expected)


@given(VALUES, st.integers(0, 2))
def test_player_that_changes_nothing_gets_exactly_nothing(values, player):
    still = np.array([values[c & ~(1 << player)] for c in range(8)])
    assert shapley.shares(still)[player] == 0
    low, high = shapley.order_range(still)
    assert low[player] == high[player] == 0


@given(VALUES, st.permutations(range(3)))
def test_renaming_players_renames_their_shares(values, names):
    moved = np.array([values[sum(1 << names[k] for k in range(3) if c >> k & 1)] for c in range(8)])
    assert np.allclose(shapley.shares(moved), shapley.shares(values)[list(names)])


def test_shares_of_the_glove_game_are_the_published_ones():
    # Two left gloves, one right (Osborne and Rubinstein 1994, Example 295.2 in kind): 1/6, 1/6, 2/3.
    worth = [float(bool(c & 3) and bool(c & 4)) for c in range(8)]
    assert np.allclose(shapley.shares(worth), [1 / 6, 1 / 6, 2 / 3])


def test_values_that_are_not_known_stay_so():
    assert np.isnan(shapley.shares([np.nan, 1, 2, 3])).all()

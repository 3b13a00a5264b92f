import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from release_core.stats import grid
from tests.stats.cases import FUZZ

STEPS = (64, 8, 4)
SCORES = st.one_of(
    st.floats(0, 1),
    st.floats(-20, 20).map(lambda x: 1 / (1 + math.exp(-x))),
    st.integers(1, 32 * 64).map(lambda b: float(grid.lower_edge(b, 64))),
)


@pytest.mark.parametrize("per_unit", STEPS)
@FUZZ
@given(score=SCORES)
@example(score=0.0)
@example(score=1.0)
@example(score=5e-324)
@example(score=math.nextafter(1.0, 0.0))
def test_bin_of_formula(per_unit, score):
    if score in (0.0, 1.0):
        expected = 0 if score == 0 else 32 * per_unit + 1
    else:
        step = math.floor(per_unit * float(np.log(score / (1 - score))))
        expected = min(max(1 + step + 16 * per_unit, 1), 32 * per_unit)
    assert grid.bin_of(score, per_unit) == expected


def test_bin_of_missing():
    np.testing.assert_array_equal(grid.bin_of([np.nan, 0.5], 8), [-1, 129])


@pytest.mark.parametrize("per_unit", STEPS)
@FUZZ
@given(score=SCORES)
def test_edges_alert_exactly_on_their_bins(per_unit, score):
    edges = grid.edges(per_unit)
    assert np.searchsorted(edges, score, side="right") - 1 == grid.bin_of(score, per_unit)


@pytest.mark.parametrize("per_unit", STEPS)
def test_edges_are_cutoffs_from_all_to_none(per_unit):
    edges = grid.edges(per_unit)
    assert edges.size == grid.top_bin(per_unit) + 2
    assert (np.diff(edges) > 0).all()
    assert edges[0] == 0
    assert edges[-2] == 1
    assert edges[-1] == np.inf
    np.testing.assert_array_equal(grid.bin_of(edges[:-1], per_unit), np.arange(edges.size - 1))
    logits = np.log(edges[2:-2] / (1 - edges[2:-2]))
    np.testing.assert_allclose(logits, np.arange(1, 32 * per_unit) / per_unit - 16, atol=1e-8)


def test_edges_cannot_be_spoiled():
    grid.edges(4)[3] = 7.0
    assert grid.edges(4)[3] < 1


@pytest.mark.parametrize(("fine", "coarse"), [(64, 8), (64, 4), (8, 4), (8, 8)])
@FUZZ
@given(score=SCORES)
def test_coarsen_nests(fine, coarse, score):
    assert grid.coarsen(grid.bin_of(score, fine), fine, coarse) == grid.bin_of(score, coarse)


@pytest.mark.parametrize(("fine", "coarse"), [(64, 8), (64, 4), (8, 4)])
def test_coarse_edges_are_fine_edges(fine, coarse):
    assert np.isin(grid.edges(coarse), grid.edges(fine)).all()


def test_coarsen_sums_follows_coarsen():
    sums = np.random.default_rng(1).integers(0, 9, size=(2, 3, grid.top_bin(64) + 1))
    added = np.zeros((2, 3, grid.top_bin(8) + 1))
    np.add.at(added, (..., grid.coarsen(np.arange(grid.top_bin(64) + 1), 64, 8)), sums)
    np.testing.assert_array_equal(grid.coarsen_sums(sums, 64, 8), added)


def test_coarsen_refuses_grids_that_do_not_nest():
    with pytest.raises(ValueError, match="64 bins per unit cannot become 7"):
        grid.coarsen([1], 64, 7)


@pytest.mark.parametrize("per_unit", STEPS)
def test_centre_lies_in_its_bin(per_unit):
    bins = np.arange(grid.top_bin(per_unit) + 1)
    np.testing.assert_array_equal(grid.bin_of(grid.centre(bins, per_unit), per_unit), bins)
    assert (np.diff(grid.log_odds(per_unit)) > 0).all()

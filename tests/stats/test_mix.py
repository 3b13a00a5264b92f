"""Kitagawa's split against published admissions and its own law, the test of equal odds against statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from release_core.stats import mix

# Bickel, Hammel and O'Connell 1975, Science 187: admissions at Berkeley in six departments, men and women.
MEN, MEN_ALL = np.array([512, 353, 120, 138, 53, 22]), np.array([825, 560, 325, 417, 191, 373])
WOMEN, WOMEN_ALL = np.array([89, 17, 202, 131, 94, 24]), np.array([108, 25, 593, 375, 393, 341])


def test_berkeley_admissions_turn_when_the_mix_of_departments_is_held_equal():
    split = mix.kitagawa(MEN, MEN_ALL, WOMEN, WOMEN_ALL)
    # As printed: 44.5% of 2,691 men and 30.4% of 1,835 women were admitted.
    assert split.total == pytest.approx(557 / 1835 - 1198 / 2691)
    assert split.standardised > 0 > split.total
    assert split.pooled > 0
    turned = mix.simpson(split, MEN_ALL + WOMEN_ALL)
    assert turned.standardised
    shares = (MEN_ALL / 2691 + WOMEN_ALL / 1835) / 2
    assert split.rate == pytest.approx((shares * (WOMEN / WOMEN_ALL - MEN / MEN_ALL)).sum())


def test_berkeley_odds_ratios_differ_between_departments():
    tables = [[[a, n - a], [c, m - c]] for a, n, c, m in zip(WOMEN, WOMEN_ALL, MEN, MEN_ALL, strict=True)]
    expected = StratifiedTable([np.array(table) for table in tables]).test_equal_odds(adjust=True)
    found = mix.breslow_day(MEN, MEN_ALL, WOMEN, WOMEN_ALL)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_odds_ratios_that_are_near_one_are_tested_as_statsmodels_does(seed):
    rng = np.random.default_rng(seed)
    n0, n1 = rng.integers(50, 900, 5), rng.integers(50, 900, 5)
    c, a = rng.binomial(n0, 0.1) + 1, rng.binomial(n1, 0.1) + 1
    tables = [np.array([[x, n - x], [y, m - y]]) for x, n, y, m in zip(a, n1, c, n0, strict=True)]
    expected = StratifiedTable(tables).test_equal_odds(adjust=True)
    assert mix.breslow_day(c, n0, a, n1).p == pytest.approx(expected.pvalue, rel=1e-6)


def test_nothing_is_said_of_odds_without_two_tables():
    assert np.isnan(mix.breslow_day([1], [10], [2], [10]).p)
    assert np.isnan(mix.breslow_day([0, 0], [10, 10], [0, 0], [10, 10]).p)
    assert np.isnan(mix.breslow_day([], [], [], []).p)


def test_a_segment_of_one_population_stands_in_its_own_line():
    split = mix.kitagawa([5, 3, 0], [50, 10, 0], [5, 0, 8], [50, 0, 20])
    assert split.new != 0 != split.retired
    assert split.total == pytest.approx(split.mix + split.rate + split.new + split.retired)
    assert np.isnan(split.rates[1:]).all()
    assert split.standardised == 0


def test_no_event_at_all_is_not_known():
    split = mix.kitagawa([0, 0], [0, 0], [1, 1], [5, 5])
    assert np.isnan(split.total)
    assert np.isnan(split.mix)


counts = st.lists(st.tuples(*[st.integers(0, 50)] * 4), min_size=1, max_size=8)


@settings(max_examples=150)
@given(counts)
def test_parts_always_add_up_to_the_total(rows):
    extra0, top0, extra1, top1 = map(np.array, zip(*rows, strict=True))
    bottom0, bottom1 = top0 + extra0, top1 + extra1
    split = mix.kitagawa(top0, bottom0, top1, bottom1)
    if bottom0.sum() and bottom1.sum():
        assert split.mix + split.rate + split.new + split.retired == pytest.approx(split.total, abs=1e-12)
    same = mix.kitagawa(top0, bottom0, top0, bottom0)
    if bottom0.sum():
        assert same.total == same.mix == same.rate == 0


def test_a_split_takes_leading_axes():
    rng = np.random.default_rng(3)
    bottom = rng.integers(1, 50, (4, 2, 5))
    top = rng.binomial(bottom, 0.3)
    many = mix.kitagawa(top[:, 0], bottom[:, 0], top[:, 1], bottom[:, 1])
    one = mix.kitagawa(top[2, 0], bottom[2, 0], top[2, 1], bottom[2, 1])
    assert many.mix[2] == pytest.approx(one.mix)
    assert many.pooled[2] == pytest.approx(one.pooled)

"""Budgets read at every step: against the binomial tail and Student's t written out, and false alarms by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from release_core.stats import budgets
from release_core.stats.budgets import Onset, onset

STEPS = 30


def alike(rng, share, n, effect):
    """Beta-binomial steps whose hits vary `effect` times as much as chance makes them."""
    weight = (n - 1) / (effect - 1) - 1
    return rng.binomial(n, rng.beta(share * weight, (1 - share) * weight, STEPS))


def spells(rng, share, n, length):
    """Hits that come in spells of a length, at any time."""
    return np.minimum(n, length * rng.poisson(n * share / length, STEPS))


@pytest.mark.parametrize(
    ("limit", "n", "draw"),
    [
        (0.01, 130, lambda rng: rng.binomial(130, 0.01, STEPS)),
        (0.05, 8, lambda rng: rng.binomial(8, 0.05, STEPS)),
        (0.01, 1000, lambda rng: alike(rng, 0.01, 1000, 10)),
        (0.05, 5000, lambda rng: alike(rng, 0.05, 5000, 100)),
        (0.01, 130, lambda rng: spells(rng, 0.01, 130, 30)),
        (0.01, 1000, lambda rng: spells(rng, 0.01, 1000, 100)),
    ],
)
def test_a_share_at_its_limit_raises_fewer_alarms_than_alpha_however_its_events_hang_together(limit, n, draw):
    rng, runs = np.random.default_rng(7), 400
    fired = sum(
        onset(hits, hits, [n] * STEPS, limit, 0.05, share=True).look >= 0 for hits in (draw(rng) for _ in range(runs))
    )
    # At most 20 of 400 expected; simulation error 2 x sqrt(400 x .05 x .95) = 8.7, so 11 would already be plain.
    assert fired <= 20


def test_a_mean_at_its_limit_raises_fewer_alarms_than_alpha_with_steps_that_differ():
    rng, runs, n = np.random.default_rng(8), 400, 200
    fired = 0
    for _ in range(runs):
        values = rng.gamma(2.0, 0.5, (STEPS, n)) * rng.lognormal(-0.02, 0.2, (STEPS, 1))
        fired += onset(values.sum(1), (values**2).sum(1), [n] * STEPS, 1.0, 0.05, share=False).look >= 0
    assert fired <= 20


@pytest.mark.parametrize(("before", "after", "days"), [(0.0, 0.15, 3), (0.005, 0.05, 6), (0.005, 0.3, 3)])
def test_a_breach_is_told_within_days_of_its_beginning_however_calm_it_was_before(before, after, days):
    rng, n, began = np.random.default_rng(9), 500, 12
    found = []
    for _ in range(50):
        hits = rng.binomial(n, np.where(np.arange(STEPS) < began, before, after))
        found.append(onset(hits, hits, [n] * STEPS, 0.01, 0.005, share=True))
    assert np.quantile([one.look for one in found], 0.9) - began + 1 <= days
    assert min(one.look for one in found) >= began
    assert began <= np.median([one.start for one in found]) <= began + days - budgets.LEAST_STEPS


def test_the_evidence_of_a_window_is_that_of_the_binomial_tail_and_students_t():
    hits, n, limit = np.array([1.0, 0.0, 2.0, 14.0, 9.0, 16.0]), np.array([90.0, 100, 110, 100, 120, 100]), 0.02
    sums = [budgets._windows(part) for part in (hits, hits, n, hits**2 / n)]
    found = budgets._surprise(sums, limit, share=True)[3, 5]
    chi2, df = 0.0, 0
    for part in (slice(0, 3), slice(3, 6)):
        expected = stats.contingency.expected_freq([hits[part], n[part] - hits[part]])
        chi2 += stats.chisquare([hits[part], n[part] - hits[part]], expected, axis=None).statistic
        df += 2
    effect = max((4 * (1 + 0.008 * (320 / 3 - 1)) + chi2) / (4 + df), 1)
    assert effect > 1
    tail = stats.beta.cdf(limit, 39 / effect, (320 - 39) / effect + 1)
    assert found == pytest.approx(stats.t.logcdf(stats.norm.ppf(tail), 4 + df), rel=1e-6)


def test_means_are_read_by_the_t_test_of_their_steps_when_steps_differ_much():
    rng = np.random.default_rng(4)
    steps = 400
    totals = (10 + rng.normal(0, 2, steps)) * 1000
    sums = [
        budgets._windows(part) for part in (totals, totals**2 / 1000 + 1000, np.full(steps, 1000.0), totals**2 / 1000)
    ]
    found = budgets._surprise(sums, 9.8, share=False)[0, -1]
    wanted = stats.ttest_1samp(totals / 1000, 9.8, alternative="greater")
    assert found == pytest.approx(np.log(wanted.pvalue), rel=0.05)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=12), st.floats(0.01, 0.9))
def test_steps_without_events_change_nothing_and_a_higher_limit_is_broken_no_sooner(rows, limit):
    hits = np.array([min(k, n) for k, n in rows], dtype=float)
    n = np.array([n for _, n in rows], dtype=float)
    found = onset(hits, hits, n, limit, 0.05, share=True)
    wide = [np.insert(part, np.arange(len(part)), 0.0) for part in (hits, n)]
    apart = onset(wide[0], wide[0], wide[1], limit, 0.05, share=True)
    assert apart == (Onset(-1, -1) if found.look < 0 else Onset(2 * found.look + 1, 2 * found.start + 1))
    higher = onset(hits, hits, n, min(limit + 0.05, 0.99), 0.05, share=True)
    assert higher.look < 0 or 0 <= found.look <= higher.look


def test_nothing_is_told_of_nothing_and_one_or_two_bad_steps_are_a_spell():
    assert onset([], [], [], 0.1, 0.05, share=True) == Onset(-1, -1)
    assert onset([0, 0], [0, 0], [0, 0], 0.1, 0.05, share=True) == Onset(-1, -1)
    hits = np.array([0.0, 0, 0, 0, 100, 100, 0, 0])
    assert onset(hits, hits, [100] * 8, 0.1, 0.05, share=True).look == -1

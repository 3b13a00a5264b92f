"""Costs of pairs of cutoffs against scikit-learn's metrics at thresholds and brute force over single events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import confusion_matrix_at_thresholds, metric_at_thresholds

from release_core.stats import cutoff_pairs, cutoffs
from release_core.stats.cutoff_pairs import BLOCK, BOTH, REVIEW
from tests.stats.cases import FUZZ, per_bin

UNITS = cutoffs.UnitCosts(7.0, 2.0, 3.0, 0.9, 0.8, 0.5)
BINS = 9
ROWS = st.lists(
    st.tuples(st.integers(0, BINS - 1), st.booleans(), st.floats(0, 100).map(lambda x: round(x, 2))), max_size=40
)
COSTS = st.builds(
    cutoffs.UnitCosts,
    *(st.floats(0, 50).map(lambda x: round(x, 1)) for _ in range(3)),
    st.floats(0, 1).map(lambda x: round(x, 2)),
    st.floats(0, 1).map(lambda x: round(x, 2)),
    st.floats(0, 5).map(lambda x: round(x, 1)),
)


def log(rows=400, seed=1, rate=0.3):
    rng = np.random.default_rng(seed)
    bins, y = rng.integers(0, BINS, rows), rng.random(rows) < rate
    return bins, y, np.round(rng.lognormal(3, 1, rows), 2)


def parts(bins, y, amount, units=UNITS):
    """Return the parts of the cost, which are the same by what bins cost and by what single events do."""
    sums = [per_bin(bins, part.astype(float), BINS) for part in (y, ~y, amount * y)]
    found = cutoff_pairs.priced(cutoff_pairs.running(*sums), units)
    written_out = cutoff_pairs.moves(cutoff_pairs.by_action(*sums, units))
    np.testing.assert_allclose(found, written_out, rtol=1e-9, atol=1e-7)
    return found


def test_running_sums_begin_with_nothing_and_end_with_all():
    for size in (0, 1, 5):
        ones = np.ones((2, size))
        np.testing.assert_array_equal(
            cutoff_pairs.running(ones, 2 * ones, 0.0 * ones)[1], [2.0 * np.arange(size + 1)] * 2
        )
    assert np.isnan(cutoff_pairs.running([1.0, np.nan], [1.0, 1.0], [0.0, 0.0])[0, -1])


def paid(bins, y, amount, review, block, units=UNITS):
    """Return the cost event by event, written without the product's code."""
    total = 0.0
    for score, bad, money in zip(bins, y, amount, strict=True):
        loss = units.false_negative + units.amount_times * money
        if score >= block:
            total += 0.0 if bad else units.false_positive
        elif score >= review:
            total += units.review + ((1 - units.detection) * loss if bad else units.friction)
        elif bad:
            total += loss
    return total


def test_every_pair_costs_what_its_events_cost():
    bins, y, amount = log()
    found = parts(bins, y, amount)
    for review in range(BINS + 1):
        for block in range(review, BINS + 1):
            cost = cutoff_pairs.cost_at(found, review, block)
            assert cost == pytest.approx(paid(bins, y, amount, review, block), rel=1e-9)


@FUZZ
@given(ROWS, COSTS)
def test_cheapest_pair_is_the_cheapest_of_all(rows, units):
    bins, y, amount = (np.array([row[k] for row in rows], dtype=kind) for k, kind in enumerate((int, bool, float)))
    found = parts(bins, y, amount, units)
    every = {
        BOTH: [(r, b) for b in range(BINS + 1) for r in range(b + 1)],
        REVIEW: [(r, BINS) for r in range(BINS + 1)],
        BLOCK: [(b, b) for b in range(BINS + 1)],
    }
    for which, pairs in every.items():
        best = cutoff_pairs.cheapest(found, which)
        least = min(paid(bins, y, amount, r, b, units) for r, b in pairs)
        assert (int(best.review), int(best.block)) in pairs
        assert paid(bins, y, amount, best.review, best.block, units) == pytest.approx(least, rel=1e-9, abs=1e-7)
        assert best.cost == pytest.approx(least, rel=1e-9, abs=1e-7)


def test_of_equal_pairs_the_one_that_intervenes_least():
    best = cutoff_pairs.cheapest(parts(*log(), cutoffs.UnitCosts()))
    assert (best.review, best.block, best.cost) == (BINS, BINS, 0)


def test_single_alert_cutoff_against_scikit_learn():
    bins, y, amount = log(600, seed=2)
    units = cutoffs.UnitCosts(false_positive=4.0, false_negative=20.0)
    found = parts(bins, y, 0 * amount, units)
    _, fp, fn, _, at = confusion_matrix_at_thresholds(y, bins)
    cost = cutoff_pairs.moving(found, cutoff_pairs.cheapest(found, BLOCK), BOTH)
    np.testing.assert_allclose(cost[at.astype(int)], 4 * fp + 20 * fn)

    def metric(truth, alert):
        return 4 * (alert & ~truth).sum() + 20 * (truth & ~alert).sum()

    values, thresholds = metric_at_thresholds(y, bins, lambda truth, alert: metric(truth == 1, alert == 1))
    np.testing.assert_allclose(cost[thresholds.astype(int)], values)
    assert cutoffs.optimum(cost).cost == min(*values, 20 * y.sum())


def test_moving_one_cutoff_holds_the_other():
    bins, y, amount = log()
    found = parts(bins, y, amount)
    pair = cutoff_pairs.Pair(np.array(3), np.array(6), np.array(0.0))
    review, block = (cutoff_pairs.moving(found, pair, which) for which in (REVIEW, BLOCK))
    for edge in range(BINS + 1):
        assert review[edge] == (pytest.approx(paid(bins, y, amount, edge, 6)) if edge <= 6 else np.inf)
        assert block[edge] == (pytest.approx(paid(bins, y, amount, 3, edge)) if edge >= 3 else np.inf)


def test_leading_axes_and_costs_per_axis():
    bins, y, amount = log()
    sums = [per_bin(bins, part.astype(float), BINS) for part in (y, ~y, amount * y)]
    wide = cutoffs.UnitCosts(np.array([[1.0], [9.0]]), 2.0, 3.0, np.array([[0.5], [0.9]]), 0.8, 0.5)
    several = [np.stack([s, 2 * s, s[::-1]]) for s in sums]
    together = cutoff_pairs.cheapest(cutoff_pairs.moves(cutoff_pairs.by_action(*several, wide)))
    for i, j in np.ndindex(2, 3):
        one = cutoffs.UnitCosts(wide.false_positive[i, 0], 2.0, 3.0, wide.amount_times[i, 0], 0.8, 0.5)
        alone = cutoff_pairs.cheapest(cutoff_pairs.moves(cutoff_pairs.by_action(*(s[j] for s in several), one)))
        assert [part[i, j] for part in together] == pytest.approx([float(part) for part in alone])


def sharded(rng, shards, per_shard, rate=0.3):
    """Return costs per event at every edge and without each shard, of events that come in shards."""
    shape = (shards, BINS)
    n = rng.poisson(per_shard / BINS, shape)
    pos = rng.binomial(n, np.linspace(0.02, 2 * rate, BINS))
    costs = cutoff_pairs.by_action(pos, n - pos, 20.0 * pos, UNITS)
    found = cutoff_pairs.moves(costs)
    total = found.review + found.block
    events = n.sum(-1)
    whole = cutoff_pairs.mean_cost(total.sum(0), events.sum())
    return whole, cutoff_pairs.mean_cost(total.sum(0) - total, events.sum() - events)


def test_indistinguishable_edges_hold_the_true_optimum_as_often_as_they_claim():
    rng = np.random.default_rng(5)
    p = np.linspace(0.02, 0.6, BINS)
    truth = cutoff_pairs.by_action(p, 1 - p, 20.0 * p, UNITS)
    expected = cutoff_pairs.moves(truth)
    best = int((expected.review + expected.block).argmin())
    tries = 500
    held = sum(
        bool(cutoff_pairs.indistinguishable(*sharded(rng, 32, 40), np.ones(32, bool))[best]) for _ in range(tries)
    )
    # At least the stated 95%: the estimated optimum is the cheapest by chance. Simulation error: 1 point (1 s.e.).
    assert stats.binomtest(held, tries, 0.95, alternative="less").pvalue > 0.01


def test_indistinguishable_edges_leave_out_what_is_clearly_dearer():
    whole, left = sharded(np.random.default_rng(6), 32, 4000)
    found = cutoff_pairs.indistinguishable(whole, left, np.ones(32, bool))
    assert found[int(whole.argmin())]
    assert 1 <= found.sum() <= 4
    assert not cutoff_pairs.indistinguishable(whole, left, np.arange(32) < 19).any()
    barred = np.where(np.arange(BINS + 1) > 2, np.inf, whole)
    assert not cutoff_pairs.indistinguishable(barred, left, np.ones(32, bool))[3:].any()


def test_spread_of_optima_counts_each_used_shard_once():
    _, left = sharded(np.random.default_rng(7), 32, 30)
    [found] = cutoff_pairs.spread_of_optima(left[None], np.arange(32)[None] < 25)
    assert sum(n for _, n in found) == 25
    assert [edge for edge, _ in found] == sorted({int(edge) for edge in left[:25].argmin(-1)})

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar

from release_core.stats import drift, intervals, transfer
from tests.stats.cases import FUZZ

BINS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)
SHARES = st.floats(0.0, 1.0)


@FUZZ
@given(BINS, SHARES)
def test_equal_precision_is_the_lowest_edge_that_is_precise_enough(rows, target):
    pos, neg = np.array(rows, dtype=float).T
    found = transfer.equal_precision(pos, neg, target)
    if not (pos + neg).sum():
        assert found.bin == -1
        return
    alerts = [(pos[edge:].sum(), (pos + neg)[edge:].sum()) for edge in range(pos.size)]
    precise = [n > 0 and caught / n >= target * (1 - 1e-12) for caught, n in alerts]
    assert found.bin == (precise.index(True) if any(precise) else pos.size)
    if any(precise):
        caught, n = alerts[int(found.bin)]
        assert found.achieved == pytest.approx(caught / n)
    with_alerts = [side for side, (_, n) in zip(precise, alerts, strict=True) if n]
    assert found.passes == sum(a != b for a, b in itertools.pairwise(with_alerts))


def test_precision_that_is_not_monotone_is_told():
    found = transfer.equal_precision([0, 9, 0, 5], [20, 1, 9, 0], 0.5)
    assert (found.bin, found.passes) == (1, 3)
    assert transfer.equal_precision([0, 1, 9], [20, 2, 1], 0.5).passes == 1


@pytest.mark.parametrize("target", [np.nan])
def test_unknown_targets_and_empty_samples_give_no_cutoff(target):
    assert transfer.equal_precision([1, 2], [3, 4], target).bin == -1
    assert transfer.equal_loss([1, 2], target).bin == -1
    assert np.isnan(transfer.equal_loss([1, 2], target).achieved)
    empty = transfer.equal_precision([0, 0], [0, 0], 0.5)
    assert empty.bin == -1
    assert np.isnan(empty.achieved)


@FUZZ
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(0, 60))
def test_equal_loss_is_the_highest_edge_that_misses_no_more(loss, target):
    found = transfer.equal_loss(loss, target)
    missed = [sum(loss[:edge]) for edge in range(len(loss) + 1)]
    assert found.bin == max(edge for edge, value in enumerate(missed) if value <= target)
    assert found.achieved == missed[int(found.bin)]


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12), st.integers(2, 900))
def test_ends_of_equal_loss_are_the_cutoffs_that_mcnemar_does_not_reject(rows, more):
    """statsmodels: McNemar's test at every edge; its variance holds under equality, ours subtracts the squared mean."""
    caught, missed = np.array(rows, dtype=float).T
    n = caught.sum() + missed.sum() + more
    kept = []
    for edge in range(len(rows) + 1):
        lost, gained = caught[:edge].sum(), missed[edge:].sum()
        chi2 = mcnemar([[more, lost], [gained, 0]], exact=False, correction=False).statistic if lost + gained else 0.0
        error = transfer.mean_se(n, lost - gained, lost + gained)
        told = chi2 / max(1 - (lost - gained) ** 2 / n / max(lost + gained, 1.0), 1e-12) * (n - 1) / n
        assert lost == gained or told == pytest.approx(((lost - gained) / n / error) ** 2)
        kept += [edge] if told <= 1.96**2 else []
    near = np.abs(transfer.below_edges(caught) - missed.sum() + transfer.below_edges(missed))
    kept += np.flatnonzero(near == near.min()).tolist()
    found = transfer.equal_loss_ends([caught, caught], [missed, missed], n, 1.96)
    assert found == (min(kept), max(kept))


@pytest.mark.parametrize("n", [0, 1, np.nan])
def test_ends_of_equal_loss_are_unknown_with_fewer_than_two_events(n):
    assert transfer.equal_loss_ends([[1.0, 0.0]] * 2, [[0.0, 0.0]] * 2, n, 1.96) == (-1, -1)


def test_ends_of_equal_loss_without_loss_are_open_and_of_equal_scores_those_between_events():
    nothing = np.zeros((2, 5))
    assert transfer.equal_loss_ends(nothing, nothing, 100, 1.96) == (0, 5)
    caught, missed = [[0.0, 0, 0, 3, 9]] * 2, [[0.0, 9, 0, 0, 0]] * 2
    assert transfer.equal_loss_ends(caught, missed, 100, 1e-9) == (2, 3)


@pytest.mark.parametrize(("above", "spread"), [(60, 0.0), (6, 0.0), (6, 0.7), (300, 0.7)])
def test_interval_of_the_cutoff_at_equal_loss_covers_the_true_one(above, spread):
    """Also where only a few positives lie above today's cutoff, and where their losses differ."""
    rng = np.random.default_rng(9)
    rounds, share, noise = 600, 0.05, 0.5
    cut, edges = scipy_stats.norm.isf(share), np.arange(-320, 321) / 64
    true = cut * np.sqrt(1 + noise**2)
    covered = 0
    for _ in range(rounds):
        old = rng.standard_normal(rng.poisson(above / share))
        new, loss = old + noise * rng.standard_normal(old.size), np.exp(spread * rng.standard_normal(old.size))
        place = np.clip(np.searchsorted(edges, new, side="right") - 1, 0, edges.size - 1)
        caught, missed = (
            [np.bincount(place[side], loss[side] ** power, edges.size) for power in (1, 2)]
            for side in (old >= cut, old < cut)
        )
        low, high = transfer.equal_loss_ends(caught, missed, 50 * old.size, 1.96)
        covered += edges[low] - 1 / 64 <= true and (high >= edges.size or true <= edges[high] + 1 / 64)
    # 95% claimed; with 600 rounds the simulation's own standard error is 0.9 points.
    assert covered / rounds > 0.925


def test_leading_axes_equal_one_at_a_time():
    rng = np.random.default_rng(3)
    pos, neg = rng.integers(0, 5, (3, 9)), rng.integers(0, 9, (3, 9))
    targets = np.array([0.3, 0.5, 0.9])
    together, lost = transfer.equal_precision(pos, neg, targets), transfer.equal_loss(pos, targets * 10)
    for k in range(3):
        assert together.bin[k] == transfer.equal_precision(pos[k], neg[k], targets[k]).bin
        assert lost.bin[k] == transfer.equal_loss(pos[k], targets[k] * 10).bin
    ends = transfer.equal_loss_ends([pos, pos], [neg, neg], np.array([90, 200, 800]), np.array([1.0, 2.0, 0.5]))
    for k, (n, reach) in enumerate(((90, 1.0), (200, 2.0), (800, 0.5))):
        alone = transfer.equal_loss_ends([pos[k], pos[k]], [neg[k], neg[k]], n, reach)
        assert (ends[0][k], ends[1][k]) == alone


@FUZZ
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=40))
def test_mean_se_equals_scipy(values):
    found = transfer.mean_se(len(values), sum(values), sum(value**2 for value in values))
    np.testing.assert_allclose(found, scipy_stats.sem(values), atol=1e-9)


@pytest.mark.parametrize("n", [0, 1])
def test_mean_se_of_fewer_than_two_is_undefined(n):
    assert np.isnan(transfer.mean_se(n, n, n))


def test_mean_se_of_paired_rates_agrees_with_mcnemar():
    lost, gained, n = 40, 75, 5000
    z = (gained - lost) / n / transfer.mean_se(n, gained - lost, gained + lost)
    chi2 = mcnemar([[100, lost], [gained, n - 100 - lost - gained]], exact=False, correction=False).statistic
    # McNemar's variance holds under equality; ours subtracts the squared mean.
    np.testing.assert_allclose(z**2, chi2, rtol=0.01)


def test_precision_se_is_the_spread_of_precision_over_samples():
    rng = np.random.default_rng(4)
    share = np.array([[[0.7, 0.02], [0.05, 0.02]], [[0.04, 0.02], [0.09, 0.06]]])
    n, rounds = 4000, 4000
    drawn = rng.multinomial(n, share.ravel(), rounds).reshape(rounds, 2, 2, 2)

    def precision(axis):
        alerts = np.take(drawn, 1, axis=axis + 1).sum(axis=1)
        return alerts[:, 1] / alerts.sum(1)

    observed = (precision(1) - precision(0)).std()
    # The standard deviation of 4,000 draws has a relative error of 1.1%.
    np.testing.assert_allclose(transfer.precision_se(n * share), observed, rtol=0.04)
    np.testing.assert_allclose(np.median(transfer.precision_se(drawn)), observed, rtol=0.04)


def test_precision_se_of_identical_alerts_is_zero_and_without_alerts_undefined():
    same = np.zeros((2, 2, 2))
    same[0, 0], same[1, 1] = [50, 3], [6, 9]
    assert transfer.precision_se(same) == 0
    same[1, 1] = 0
    assert np.isnan(transfer.precision_se(same))


def share_effect(alerts, shard):
    """Return the design effect of a share: the jackknife's variance over shards by that of independent events."""
    n, hits = np.bincount(shard, minlength=32), np.bincount(shard, weights=alerts, minlength=32)
    share = hits.sum() / n.sum()
    se = intervals.jackknife(share, (hits.sum() - hits) / (n.sum() - n), np.ones(32, dtype=bool)).se
    return max(1.0, float(se**2 / (share * (1 - share) / n.sum())))


@pytest.mark.parametrize(("noise", "per_entity"), [(0.3, 1), (1.0, 1), (0.6, 5)])
def test_interval_of_a_transferred_cutoff_covers_the_true_one(noise, per_entity):
    """Woodruff's interval, widened by the design effect: the cutoffs that keep the rate within the error of the rates."""
    rng = np.random.default_rng(5)
    n, rounds, cut = 3000, 400, 1.3
    # Both scores are normal: the baseline with variance 1, the candidate with 1 + noise^2, on bins of 1/64. Events of
    # an entity share half of the variance of either.
    rate, spread = scipy_stats.norm.sf(cut), np.sqrt(1 + noise**2)
    true = scipy_stats.norm.isf(rate) * spread
    edges, entity = np.arange(-640, 641) / 64, np.arange(n) // per_entity
    shard = rng.permutation(entity.max() + 1)[entity] % 32

    def drawn():
        shared = rng.standard_normal(entity.max() + 1)[entity]
        return np.sqrt(0.5) * (shared + rng.standard_normal(n))

    covered = 0
    for _ in range(rounds):
        old = drawn()
        new = old + noise * drawn()
        counts = np.histogram(new, np.append(edges, np.inf))[0]
        wanted = (old >= cut).mean()
        at = edges[int(drift.equal_alert_rate(counts, wanted).bin)]
        lost, gained = ((old >= cut) & (new < at)).sum(), ((old < cut) & (new >= at)).sum()
        se = transfer.mean_se(n, gained - lost, gained + lost) * np.sqrt(share_effect(new >= cut, shard))
        reach = intervals.critical(0.95) * se
        low, high = (edges[int(drift.equal_alert_rate(counts, wanted + side).bin)] for side in (reach, -reach))
        covered += low - 1 / 64 <= true <= high
    # 95% claimed; with 400 rounds the simulation's own standard error is 1.1 points. The grid's step and the floor of
    # the design effect at 1 make the interval err towards too wide.
    assert covered / rounds > 0.925

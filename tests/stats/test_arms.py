"""Two arms: brute force on entities, independent libraries, and what clustering, ramps and covariates do."""

import numpy as np
import pytest
from scipy.stats import chisquare

from release_core.stats import arms

SHARDS = 32


def sums(values, step, arm, shard, steps=1):
    found = np.zeros((steps, 2, SHARDS))
    np.add.at(found, (step, arm, shard), values)
    return found


def world(seed, m=4000, steps=2, effect=0.0):
    """Return entities with some events each: their step, arm, shard, number of events, harms, and a covariate."""
    rng = np.random.default_rng(seed)
    step = rng.integers(0, steps, m)
    arm = (rng.random(m) < np.array([0.1, 0.5, 0.3])[step]).astype(int)
    risk = rng.beta(2, 8, m)
    events = 1 + rng.poisson(3, m)
    harms = rng.binomial(events, np.clip(risk * (1 + effect * arm) * (1 + step), 0, 1))
    return step, arm, rng.integers(0, SHARDS, m), events, harms, risk


def test_one_step_agrees_with_a_jackknife_written_out():
    step, arm, shard, events, harms, _ = world(1, steps=1)
    found = arms.between(
        sums(harms, step, arm, shard), sums(events, step, arm, shard), [[(arm == a).sum() for a in (0, 1)]]
    )
    levels = [harms[arm == a].sum() / events[arm == a].sum() for a in (0, 1)]
    assert found.levels == pytest.approx(levels)
    variance = 0.0
    for a in (0, 1):
        left = [harms[(arm == a) & (shard != s)].sum() / events[(arm == a) & (shard != s)].sum() for s in range(SHARDS)]
        variance += (SHARDS - 1) * np.var(left)
    assert found.se[-1] == pytest.approx(np.sqrt(variance))
    assert found.value == pytest.approx(levels[1] - levels[0])
    assert found.n[-1] == len(arm)
    assert found.n[:2].sum() == len(arm)


def test_ramp_steps_are_compared_within_themselves():
    # The rate doubles at the second step, where the candidate gets five times the share: pooling would see a harm.
    step, arm, shard, events, harms, _ = world(2, m=40_000)
    top, bottom = sums(harms, step, arm, shard, 2), sums(events, step, arm, shard, 2)
    entities = np.array([[((step == k) & (arm == a)).sum() for a in (0, 1)] for k in (0, 1)])
    found = arms.between(top, bottom, entities)
    pooled = top.sum((0, 2)) / bottom.sum((0, 2))
    assert pooled[1] - pooled[0] > 0.05
    assert abs(found.value) < 3 * found.se[-1] < 0.03
    each = top.sum(-1) / bottom.sum(-1)
    weight = entities[:, 0] * entities[:, 1] / entities.sum(1)
    assert found.value == pytest.approx(np.average(each[:, 1] - each[:, 0], weights=weight))


def test_an_arm_without_events_gives_no_number():
    step, arm, shard, events, harms, _ = world(3, steps=1)
    alone = arm * 0
    found = arms.between(sums(harms, step, alone, shard), sums(events, step, alone, shard), [[len(arm), 0]])
    assert np.isnan(found.value)
    assert np.isnan(found.se[-1])


def test_few_shards_give_a_value_without_a_standard_error():
    step, arm, shard, events, harms, _ = world(4, steps=1)
    few = shard % 5
    found = arms.between(sums(harms, step, arm, few), sums(events, step, arm, few), [[1, 1]])
    assert np.isfinite(found.value)
    assert np.isnan(found.se[-1])


def test_leading_axes_are_carried():
    step, arm, shard, events, harms, _ = world(5)
    top, bottom = sums(harms, step, arm, shard, 2), sums(events, step, arm, shard, 2)
    both = arms.between(np.stack([top, 2 * top]), np.stack([bottom, bottom]), np.ones((2, 2, 2)))
    assert both.value[1] == pytest.approx(2 * both.value[0])


def covariate(step, arm, shard, x, y, steps=1):
    return arms.Covariate(*(sums(v, step, arm, shard, steps) for v in (np.ones_like(x), x, x * x, x * y)))


def test_a_covariate_narrows_the_interval_by_its_correlation_and_leaves_the_truth():
    step, arm, shard, events, harms, risk = world(6, m=40_000, steps=1)
    y, one = harms / events, np.ones(len(arm))
    known = covariate(step, arm, shard, risk, y)
    entities = [[(arm == a).sum() for a in (0, 1)]]
    plain = arms.between(sums(y, step, arm, shard), sums(one, step, arm, shard), entities)
    better = arms.between(arms.adjusted(sums(y, step, arm, shard), known), sums(one, step, arm, shard), entities)
    theta = np.polyfit(risk, y, 1)[0]
    rows = y - theta * (risk - risk.mean())
    assert better.value == pytest.approx(rows[arm == 1].mean() - rows[arm == 0].mean())
    expected = np.sqrt(1 - np.corrcoef(risk, y)[0, 1] ** 2)
    assert better.se[-1] / plain.se[-1] == pytest.approx(
        expected, rel=0.35
    )  # a jackknife SE over 32 shards has 13% error


def test_a_constant_covariate_changes_nothing():
    step, arm, shard, _, harms, _ = world(7, steps=1)
    y = sums(harms, step, arm, shard)
    assert arms.adjusted(y, covariate(step, arm, shard, np.full(len(arm), 0.3), harms)) == pytest.approx(y)


def test_balance_is_kept_under_randomisation_and_seen_when_it_is_lost():
    off = sum(not arms.balanced(covariate(*(w := world(seed, m=2000))[:3], w[5], w[5], 2)) for seed in range(300))
    assert off <= 2  # expected 0.15 of 300 at p < .0005
    step, arm, shard, _, _, risk = world(8)
    moved = risk + 0.03 * arm
    assert not arms.balanced(covariate(step, arm, shard, moved, moved, 2))


@pytest.mark.parametrize("counts", [(5000, 5123), (900, 110), (7, 6)])
def test_fixed_split_test_agrees_with_scipy(counts):
    share = np.array([0.9, 0.1]) if counts[1] < 200 and counts[0] > 100 else np.array([0.5, 0.5])
    expected = chisquare(counts, share * sum(counts)).pvalue
    assert arms.split_p([counts], [share]) == pytest.approx(expected)


def test_fixed_split_test_needs_five_expected():
    assert np.isnan(arms.split_p([[4, 3]], [[0.5, 0.5]]))
    assert np.isnan(arms.split_p([[0, 0]], [[0.5, 0.5]]))


def test_fixed_split_test_adds_up_ramp_steps():
    x, p = np.array([[900, 100], [480, 520]]), np.array([[0.9, 0.1], [0.5, 0.5]])
    total = sum(chisquare(x[k], p[k] * x[k].sum()).statistic for k in (0, 1))
    from scipy.stats import chi2

    assert arms.split_p(x, p) == pytest.approx(chi2.sf(total, 2))

"""Segment offsets against statsmodels' fits and numerical optimisation; what shrinkage is worth, by simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from statsmodels.stats.meta_analysis import combine_effects

from release_core.stats import cutoff_pairs, cutoffs, offsets

X = np.linspace(-5, 2, 40)


def segments(seed, sizes, sd=0.5):
    """Return positives, events and log-odds of segments that differ by an intercept, and the intercepts."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, sd, len(sizes))
    share = np.exp(-0.5 * ((X + 3) / 1.1) ** 2)
    n = np.array([rng.multinomial(size, share / share.sum()) for size in sizes]).astype(float)
    pos = rng.binomial(n.astype(int), expit(X + shift[:, None])).astype(float)
    return pos, n, np.broadcast_to(X, n.shape), shift


def test_offsets_are_those_of_a_logistic_regression_with_offset():
    pos, n, x, _ = segments(1, [2000, 5000, 800])
    found = offsets.offsets(pos, n, x)
    for k in range(3):
        fit = sm.GLM(
            np.column_stack([pos[k], n[k] - pos[k]])[n[k] > 0],
            np.ones((int((n[k] > 0).sum()), 1)),
            family=sm.families.Binomial(),
            offset=X[n[k] > 0],
        ).fit()
        assert found.raw[k] == pytest.approx(fit.params[0], abs=1e-7)
        assert found.se[k] == pytest.approx(fit.bse[0], rel=1e-5)
    assert (found.shrunk == found.raw).all()
    assert (found.weight == 1).all()
    assert np.isnan(found.tau2)


def test_five_segments_and_more_are_shrunken_as_statsmodels_says():
    pos, n, x, _ = segments(2, [300, 900, 2000, 6000, 500, 1500, 800])
    found = offsets.offsets(pos, n, x)
    pooled = combine_effects(found.raw, found.se**2, method_re="iterated", maxiter=500)
    assert found.tau2 == pytest.approx(pooled.tau2, rel=1e-4)
    weight = pooled.tau2 / (pooled.tau2 + found.se**2)
    assert found.weight == pytest.approx(weight, rel=1e-4)
    assert found.shrunk == pytest.approx(
        pooled.mean_effect_re + weight * (found.raw - pooled.mean_effect_re), rel=1e-3, abs=1e-5
    )
    # Never as sure as with mean and tau^2 known, the normal posterior; never less sure than the segment alone by much.
    assert (found.shrunk_se > np.sqrt(weight) * found.se).all()
    assert (found.shrunk_se < 1.2 * found.se).all()


@pytest.mark.parametrize("positives", [0, 5])
def test_one_class_and_nothing_take_the_penalised_fit(positives):
    n = np.zeros(X.size)
    n[20:25] = 1 if positives else 0
    pos = n.copy()
    found = offsets.penalised(pos, n, X)

    def loss(a):
        p = expit(X + a)
        return -(pos * np.log(p) + (n - pos) * np.log1p(-p)).sum() + a**2 / 8

    assert found.value == pytest.approx(minimize_scalar(loss, bracket=(-5, 5)).x, abs=1e-5)
    p = expit(X + found.value)
    assert found.se == pytest.approx(1 / np.sqrt((n * p * (1 - p)).sum() + 0.25))
    many = offsets.offsets(np.stack([pos, pos]), np.stack([n, n]), np.stack([X, X]))
    assert np.isfinite(many.raw).all()


def test_widening_widens_and_shrinks_more():
    pos, n, x, _ = segments(3, [500] * 9)
    plain, wide = offsets.offsets(pos, n, x), offsets.offsets(pos, n, x, 4.0)
    assert wide.se == pytest.approx(2 * plain.se)
    assert (wide.weight < plain.weight).all()


def test_segments_that_do_not_differ_get_one_shift():
    pos, n, x, _ = segments(4, [400] * 8, sd=0.0)
    found = offsets.offsets(pos, n, x, 9.0)
    assert found.tau2 == 0
    assert np.ptp(found.shrunk) == pytest.approx(0, abs=1e-12)


def test_modelled_costs_have_their_optimum_at_the_closed_form():
    """On a fine grid the cheapest edge of expected costs is the closed form, to one bin."""
    x = np.linspace(-6, 4, 1001)
    edges = (x[1:] + x[:-1]) / 2
    p, n = expit(x + 0.3), np.full(x.size, 50.0)
    units = cutoffs.UnitCosts(20.0, 3.0, 100.0, 0.0, 0.8, 1.0)
    best = cutoff_pairs.cheapest(cutoff_pairs.moves(cutoff_pairs.by_action(n * p, n * (1 - p), 0 * p, units)))
    form = cutoffs.three_actions(100.0, 20.0, 3.0, 0.8, 1.0)
    for edge, wanted in ((best.review, form.review), (best.block, form.block)):
        assert edges[int(edge) - 1] == pytest.approx(float(logit(wanted)) - 0.3, abs=0.011)


def regret(size, seed, runs=12, count=32):
    """Return the mean regret per 1,000 events of four ways to set each segment's cutoff (METHODS d5, in small)."""
    rng = np.random.default_rng(seed)
    units = cutoffs.UnitCosts(false_positive=5.0, false_negative=150.0)
    share = np.exp(-0.5 * ((X + 4.2) / 1.3) ** 2)
    share /= share.sum()
    total = dict.fromkeys(("global", "own", "raw", "shrunk"), 0.0)
    for _ in range(runs):
        pos, n, x, shift = segments(int(rng.integers(1e9)), [size] * count)
        p = expit(X + shift[:, None])
        truth = cutoff_pairs.moves(cutoff_pairs.by_action(share * p, share * (1 - p), 0 * p, units))
        found = offsets.offsets(pos, n, x)
        own = cutoff_pairs.moves(cutoff_pairs.by_action(pos, n - pos, 0 * pos, units))
        whole = cutoff_pairs.cheapest(cutoff_pairs.Moves(own.review.sum(0), own.block.sum(0)), "block").block
        places = {"global": np.full(count, int(whole)), "own": cutoff_pairs.cheapest(own, "block").block}
        for name, theta in (("raw", found.raw), ("shrunk", found.shrunk)):
            q = expit(X + theta[:, None])
            modelled = cutoff_pairs.moves(cutoff_pairs.by_action(n * q, n * (1 - q), 0 * q, units))
            places[name] = cutoff_pairs.cheapest(modelled, "block").block
        least = cutoff_pairs.cheapest(truth, "block").cost
        for name, place in places.items():
            total[name] += 1000 * float((cutoff_pairs.cost_at(truth, place, place) - least).mean()) / runs
    return total


def test_shrunken_closed_form_loses_least_in_small_segments_and_the_own_optimum_catches_up():
    """METHODS d5 in small: about 15 and about 1,500 positives a segment; 12 runs of 32 segments."""
    small, large = regret(250, 1), regret(25_000, 2)
    assert small["shrunk"] < small["raw"] < small["own"]
    assert small["own"] > small["global"] > 1.5 * small["shrunk"]
    assert large["own"] < 0.2 * large["global"]
    assert large["shrunk"] < large["global"]
    assert large["own"] < 0.15 * small["own"]

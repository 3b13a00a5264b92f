"""Recalibration maps against scikit-learn and statsmodels; cutoffs that move with a map alert on the same events."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV, _sigmoid_calibration
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from release_core.stats import grid
from release_core.stats import recalibration as stats
from tests.stats.cases import FUZZ, events, per_bin, scored


def distorted(seed, n, rate=0.05, shift=0.7, slope=1.3):
    """Return scores that promise other odds than happen, and labels."""
    score, y = scored(seed, n, rate)
    return expit(shift + slope * logit(score)), y


def in_bins(score, y, per_unit=64):
    bins, size = grid.bin_of(score, per_unit), grid.top_bin(per_unit) + 1
    n = per_bin(bins, None, size).astype(float)
    with np.errstate(invalid="ignore"):
        return per_bin(bins, y, size), n, per_bin(bins, logit(score), size) / n


def on_bins(score, y):
    """Return positives, events and log-odds of bins, and the rows whose scores are moved to their bin's own log-odds."""
    pos, n, x = in_bins(score, y, 8)
    kept = n > 0
    pos, n, x = pos[kept], n[kept], x[kept]
    place, label = events(pos, n - pos)
    return pos, n, x, expit(x)[place], label


@pytest.mark.parametrize(("rate", "n"), [(0.05, 20_000), (0.001, 400_000)])
def test_platt_equals_scikit_learn(rate, n):
    pos, n, x, score, y = on_bins(*distorted(1, n, rate))
    a, b = _sigmoid_calibration(logit(score), y)
    found = dict(stats.fit("platt", pos, n, x).map.parameters)
    assert [found["a"], found["b"]] == pytest.approx([-b, -a], rel=2e-3, abs=2e-3)


def test_platt_is_the_maximum_likelihood_of_platts_targets():
    pos, n, x, _, _ = on_bins(*distorted(2, 5000))
    high, low = (pos.sum() + 1) / (pos.sum() + 2), 1 / ((n - pos).sum() + 2)
    soft = (pos * high + (n - pos) * low) / n
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = sm.GLM(soft, sm.add_constant(x), family=sm.families.Binomial(), var_weights=n).fit(tol=1e-13)
    found = dict(stats.fit("platt", pos, n, x).map.parameters)
    assert [found["a"], found["b"]] == pytest.approx(oracle.params, rel=1e-7)


def test_beta_equals_scikit_learn_without_penalty():
    pos, n, x, score, y = on_bins(*distorted(3, 40_000, shift=-0.4, slope=0.8))
    terms = np.column_stack([np.log(score), -np.log1p(-score)])
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000, solver="newton-cholesky").fit(terms, y)
    found = dict(stats.fit("beta", pos, n, x).map.parameters)
    assert (oracle.coef_ > 0).all()
    assert [found["a"], found["b"], found["c"]] == pytest.approx([*oracle.coef_[0], *oracle.intercept_], rel=1e-5)


@pytest.mark.parametrize(("negative", "kept"), [("a", 1), ("b", 0)])
def test_beta_drops_a_negative_slope_and_fits_the_other_alone(negative, kept):
    x = np.linspace(-4, 4, 60)
    terms = np.stack([-np.logaddexp(0, -x), np.logaddexp(0, x)])
    truth = expit({"a": -0.3 * terms[0] + 2 * terms[1] - 2, "b": 2 * terms[0] - 0.3 * terms[1] + 1}[negative])
    n = np.full(60, 1e4)
    found = dict(stats.fit("beta", n * truth, n, x).map.parameters)
    oracle = sm.GLM(
        np.column_stack([n * truth, n * (1 - truth)]), sm.add_constant(terms[kept]), family=sm.families.Binomial()
    ).fit(tol=1e-12)
    assert found[negative] == 0
    assert [found["c"], found["ab".replace(negative, "")]] == pytest.approx(oracle.params, rel=1e-6)


def test_intercept_equals_statsmodels():
    pos, n, x, _, _ = on_bins(*distorted(4, 20_000))
    outcome = np.column_stack([pos, n - pos])
    oracle = sm.GLM(outcome, np.ones((len(n), 1)), family=sm.families.Binomial(), offset=x).fit(tol=1e-12)
    assert stats.fit("intercept", pos, n, x).map.parameters == (("a", pytest.approx(oracle.params[0], rel=1e-8)),)


def test_isotonic_equals_scikit_learn_on_platts_targets_everywhere():
    pos, n, x, score, y = on_bins(*distorted(5, 60_000))
    high, low = (pos.sum() + 1) / (pos.sum() + 2), 1 / ((n - pos).sum() + 2)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(score, np.where(y, high, low))
    found = stats.fit("isotonic", pos, n, x).map
    asked = np.concatenate([score[:500], np.linspace(0.0001, 0.9999, 3000)])
    np.testing.assert_allclose(found(asked), oracle.predict(asked), atol=1e-9)
    assert 0 < found(0.0) < found(1.0) < 1


@pytest.mark.parametrize(("method", "name"), [("platt", "sigmoid"), ("isotonic", "isotonic")])
def test_maps_do_out_of_sample_what_scikit_learns_calibrator_does(method, name):
    """The product fits on 1/64 log-odds bins; on other events its losses are those of a calibrator fitted on rows."""
    score, y = distorted(6, 80_000)
    other, truth = distorted(7, 80_000)
    model = FrozenEstimator(LogisticRegression().fit(logit(score)[:, None], y))
    model.estimator.coef_[:], model.estimator.intercept_[:] = 1.0, 0.0
    oracle = CalibratedClassifierCV(model, method=name).fit(logit(score)[:, None], y)
    found = stats.fit(method, *in_bins(score, y)).map
    # Brier, since rows give scikit-learn's isotonic map rates of 0 and 1, whose log loss is infinite.
    ours, theirs, before = (
        np.mean((p - truth) ** 2) for p in (found(other), oracle.predict_proba(logit(other)[:, None])[:, 1], other)
    )
    assert ours == pytest.approx(theirs, abs=2e-5)
    assert ours < before - 2e-4


@pytest.mark.parametrize("method", stats.METHODS)
def test_a_calibrated_score_is_left_as_it_is(method):
    x = np.linspace(-6, 2, 200)
    n = np.full(200, 1e6)
    found = stats.fit(method, n * expit(x), n, x).map
    np.testing.assert_allclose(found(expit(x)), expit(x), rtol=1e-4)


@pytest.mark.parametrize("method", stats.METHODS)
def test_rate_of_the_fitting_window_is_kept(method):
    pos, n, x = in_bins(*distorted(8, 50_000))
    found = stats.fit(method, pos, n, x).map
    used = n > 0
    assert (n[used] * found(expit(x[used]))).sum() == pytest.approx(pos.sum(), rel=1e-3)


COUNTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 4000), st.integers(-150, 150)),
    min_size=3,
    max_size=12,
    unique_by=lambda row: row[2],
)


@FUZZ
@given(COUNTS, st.sampled_from(stats.METHODS), st.floats(0.001, 0.999))
def test_every_map_rises_and_its_cutoff_alerts_on_no_more_events(rows, method, cutoff):
    pos, neg, x = np.array(sorted(rows, key=lambda row: row[2])).T
    found = stats.fit(method, pos, pos + neg, x / 10)
    if found.map is None:
        assert found.reason
        return
    score = np.sort(np.concatenate([np.linspace(0, 1, 401), expit(x / 10), [cutoff]]))
    after = np.round(found.map(score), 12)
    assert (np.diff(after) >= 0).all()
    assert ((after > 0) & (after < 1)).all() or method != "isotonic"
    moved = stats.moved(found.map, cutoff)
    alerted, still = score >= cutoff, after >= moved.cutoff
    if moved.exact:
        assert (still >= alerted).all()
        gained = score[still & ~alerted]
        assert (found.map(gained) >= found.map(cutoff) - 3e-11).all()
    else:
        assert (still <= alerted).all()


def test_plateaus_are_where_scores_become_equal():
    found = stats.Map("isotonic", knots=((0.1, 0.05), (0.2, 0.05), (0.3, 0.4), (0.5, 0.4), (0.6, 0.7)))
    assert stats.plateaus(found) == [
        stats.Plateau(0.0, 0.2, 0.05), stats.Plateau(0.3, 0.5, 0.4), stats.Plateau(0.6, 1.0, 0.7)
    ]  # fmt: skip
    for flat in stats.plateaus(found):
        np.testing.assert_array_equal(found(np.linspace(max(flat.low, 1e-6), flat.high, 20)), flat.probability)


def test_cutoff_inside_a_plateau_moves_to_the_next_edge_above_it():
    found = stats.Map("isotonic", knots=((0.1, 0.05), (0.3, 0.4), (0.5, 0.4), (0.6, 0.7)))
    start, inside = stats.moved(found, 0.3), stats.moved(found, 0.4)
    assert (start.exact, inside.exact) == (True, False)
    assert start.cutoff <= 0.4 < inside.cutoff < 0.41
    assert stats.moved(found, 0.0) == (0.0, True)
    assert stats.moved(found, 1.0) == (1.0, True)


@pytest.mark.parametrize(
    ("pos", "n", "reason"),
    [
        ([0, 0], [0, 0], "no label"),
        ([0, 0], [50, 50], "no positive"),
        ([5, 5], [5, 5], "no negative"),
        ([1, 4], [500, 500], "fewer than 10"),
        ([500, 495], [500, 500], "fewer than 10"),
        ([5, 15], [500, 500], "only 20 positives"),
    ],
)
def test_what_cannot_be_fitted_says_why(pos, n, reason):
    found = stats.fit("platt", pos, n, [-2.0, 0.0])
    assert found.map is None
    assert reason in found.reason


def test_a_score_that_ranks_backwards_has_no_rising_map():
    for method in ("platt", "beta", "isotonic"):
        found = stats.fit(method, [900, 400, 200], [1000, 1000, 1000], [-2.0, 0.0, 2.0])
        assert found.map is None
        assert "does not rise" in found.reason
    assert stats.fit("platt", [200], [1000], [-2.0]).map is None


@pytest.mark.parametrize(("method", "least"), stats.LEAST_POSITIVES.items())
def test_each_method_needs_its_positives(method, least):
    assert stats.refusal(method, least, 10_000) == ""
    assert stats.refusal(method, least - 1, 10_000)


def test_the_method_advised_is_the_richest_that_the_positives_can_be_fitted_by():
    for positives in (0, 1, 5, 20, 99, 100, 200, 1000, 20_000):
        fitted = [m for m in stats.METHODS[:-1] if not stats.refusal(m, positives, 10**6)]
        assert stats.advised(positives) == (fitted[-1] if fitted else stats.METHODS[0])


def test_perfect_separation_still_gives_platt_a_finite_map():
    found = stats.fit("platt", [0, 0, 100], [500, 500, 100], [-2.0, 0.0, 2.0]).map
    assert 0 < found(0.01) < found(0.95) < 1


def test_missing_scores_stay_missing_and_ends_are_clipped():
    found = stats.Map("intercept", (("a", 1.0),))
    np.testing.assert_allclose(found([0.0, 1.0]), expit(1 + logit([1e-7, 1 - 1e-7])))
    assert np.isnan(found(np.nan))

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import chi2

from release_core.stats import grid, logistic
from tests.stats.cases import FUZZ, per_bin, scored


def fitted(pos, n, x):
    """Return statsmodels' binomial fit of positives on log-odds, from bins."""
    outcome = np.column_stack([pos, n - pos])
    return sm.GLM(outcome, sm.add_constant(x), family=sm.families.Binomial()).fit(tol=1e-12)


def in_bins(score, y, per_unit):
    """Return positives, events and mean log-odds of the filled bins."""
    bins, size = grid.bin_of(score, per_unit), grid.top_bin(per_unit) + 1
    n, x = per_bin(bins, None, size), per_bin(bins, logit(score), size)
    kept = n > 0
    return per_bin(bins, y, size)[kept], n[kept].astype(float), x[kept] / n[kept]


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (-1.5, 0.6), (2.0, 1.4), (8.0, 1.0), (-3.0, -0.3)])
def test_cox_equals_statsmodels(shift, slope):
    rng = np.random.default_rng(11)
    score, _ = scored(11, 30_000, 0.02)
    y = rng.random(score.size) < expit(shift + slope * logit(score))
    pos, n, x = in_bins(score, y, 8)
    oracle, line = fitted(pos, n, x), logistic.cox(pos, n, x)
    np.testing.assert_allclose([line.intercept, line.slope], oracle.params, rtol=1e-7)
    np.testing.assert_allclose([line.se_intercept, line.se_slope], oracle.bse, rtol=1e-5)
    loglike = (pos * x - n * np.logaddexp(0, x)).sum()
    best = (pos * (oracle.params[0] + oracle.params[1] * x)).sum()
    best -= (n * np.logaddexp(0, oracle.params[0] + oracle.params[1] * x)).sum()
    np.testing.assert_allclose(line.p_value, chi2.sf(2 * (best - loglike), 2), rtol=1e-4, atol=1e-300)


def test_cox_rare_positives_close_to_event_level():
    score, y = scored(12, 60_000, 0.001, skill=2.0)
    pos, n, x = in_bins(score, y, 64)
    rows = sm.GLM(y.astype(float), sm.add_constant(logit(score)), family=sm.families.Binomial()).fit(tol=1e-12)
    line = logistic.cox(pos, n, x)
    np.testing.assert_allclose([line.intercept, line.slope], rows.params, atol=2e-3)


@pytest.mark.parametrize("shift", [0.0, -4.0, 9.0])
def test_calibration_intercept_equals_statsmodels(shift):
    score, y = scored(13, 20_000, 0.02)
    pos, n, x = in_bins(score, y, 8)
    x = x - shift
    outcome = np.column_stack([pos, n - pos])
    oracle = sm.GLM(outcome, np.ones((x.size, 1)), family=sm.families.Binomial(), offset=x).fit(tol=1e-12)
    found = logistic.calibration_intercept(pos, n, x)
    np.testing.assert_allclose(found.value, oracle.params[0], rtol=1e-9)
    np.testing.assert_allclose(found.se, oracle.bse[0], rtol=1e-5)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.floats(-16, 16)), min_size=1, max_size=8))
def test_calibration_intercept_makes_expected_equal_observed(rows):
    pos, neg, x = np.array(rows).T
    found = logistic.calibration_intercept(pos, pos + neg, x)
    if pos.sum() == 0 or neg.sum() == 0:
        assert np.isnan(found.value)
        assert np.isnan(found.se)
    else:
        np.testing.assert_allclose(((pos + neg) * expit(x + found.value)).sum(), pos.sum(), rtol=1e-6)


@FUZZ
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 40), st.integers(-160, 160).map(lambda x: x / 10)),
        min_size=2,
        max_size=8,
        unique_by=lambda row: row[2],
    )
)
def test_cox_solves_the_likelihood_equations_or_is_undefined(rows):
    pos, neg, x = np.array(sorted(rows, key=lambda row: row[2])).T
    line = logistic.cox(pos, pos + neg, x)
    if min(pos.sum(), neg.sum()) < 10 or separated(pos, neg, x):
        assert np.isnan(line).all()
    else:
        residual = pos - (pos + neg) * expit(line.intercept + line.slope * x)
        np.testing.assert_allclose([residual.sum(), (residual * x).sum()], 0, atol=1e-4)


def separated(pos, neg, x):
    return x[neg > 0].max() <= x[pos > 0].min() or x[pos > 0].max() <= x[neg > 0].min()


def test_cox_perfect_separation_is_undefined():
    assert np.isnan(logistic.cox([0, 0, 30], [50, 50, 30], [-2.0, 0.0, 2.0])).all()
    assert np.isnan(logistic.cox([0, 10, 30], [50, 50, 30], [-2.0, 0.0, 2.0])).all()
    assert np.isnan(logistic.cox([20], [50], [-2.0])).all()


def test_cox_of_a_calibrated_model_is_the_identity():
    x = np.array([-4.0, -2.0, 0.0])
    n = np.array([1e6, 1e5, 1e4])
    line = logistic.cox(n * expit(x), n, x)
    np.testing.assert_allclose([line.intercept, line.slope, line.p_value], [0, 1, 1], atol=1e-9)


def test_duplicated_events_keep_the_line_and_shrink_its_errors():
    pos, n, x = in_bins(*scored(14, 20_000, 0.02), 8)
    once, twice = logistic.cox(pos, n, x), logistic.cox(2 * pos, 2 * n, x)
    np.testing.assert_allclose([twice.intercept, twice.slope], [once.intercept, once.slope], rtol=1e-9)
    np.testing.assert_allclose(twice.se_slope, once.se_slope / np.sqrt(2), rtol=1e-6)


def test_leading_axes_equal_one_at_a_time():
    rng = np.random.default_rng(15)
    n = rng.integers(0, 60, (2, 5, 12)).astype(float)
    x = np.sort(rng.normal(-2, 2, 12))
    pos = rng.binomial(n.astype(int), expit(x)).astype(float)
    pos[0, 0], n[1, 1] = 0, 0
    pos[1, 1] = 0
    line, shift = logistic.cox(pos, n, x), logistic.calibration_intercept(pos, n, x)
    assert np.isnan(line.slope[[0, 1], [0, 1]]).all()
    for index in np.ndindex(2, 5):
        np.testing.assert_allclose([part[index] for part in line], logistic.cox(pos[index], n[index], x), rtol=1e-7)
        alone = logistic.calibration_intercept(pos[index], n[index], x)
        np.testing.assert_allclose([part[index] for part in shift], alone, rtol=1e-7)


@pytest.mark.parametrize("rows", [(0,), (3,), (33, 2)])
def test_no_bin_with_an_event_gives_no_line(rows):
    nothing = np.zeros((*rows, 5))
    assert np.isnan(logistic.cox(nothing, nothing, nothing).slope).all()
    assert logistic.cox(nothing, nothing, nothing).slope.shape == rows


def test_log_odds_beyond_what_an_exponential_holds_are_chances_of_0_and_1():
    p, other, softplus = logistic.sigmoid(np.array([-2000.0, -30.0, 0.0, 30.0, 2000.0]))
    np.testing.assert_allclose(p, expit([-2000.0, -30.0, 0.0, 30.0, 2000.0]), rtol=1e-12)
    np.testing.assert_allclose(other, expit([2000.0, 30.0, 0.0, -30.0, -2000.0]), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(softplus, np.logaddexp(0, [-2000.0, -30.0, 0.0, 30.0, 2000.0]), rtol=1e-12, atol=1e-12)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy.special import expit
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression

from release_core.stats import calibration, corp, standard_errors
from tests.stats.cases import FUZZ, events

COUNTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=15).filter(
    lambda rows: all(sum(side) > 0 for side in zip(*rows, strict=True))
)


def grid_scores(bins):
    return expit(np.linspace(-5, 2, bins))


def losses(pos, neg):
    """Return Brier score and log loss when every event of a bin has the bin's score."""
    n, s = pos + neg, grid_scores(pos.size)
    brier = calibration.brier(n.sum(), pos.sum(), (n * s**2).sum(), (pos * s).sum())
    return brier, calibration.log_loss(n.sum(), -(pos * np.log(s) + neg * np.log(1 - s)).sum())


@FUZZ
@given(COUNTS)
def test_recalibrated_equals_scikit_learn(rows):
    pos, neg = np.array(rows).T
    bins, y = events(pos, neg)
    fitted = corp.recalibrated(pos, pos + neg)
    np.testing.assert_allclose(fitted[bins], IsotonicRegression().fit(bins, y).predict(bins), atol=1e-9)
    np.testing.assert_array_equal(np.isnan(fitted), pos + neg == 0)


def test_recalibrated_many_rows_equal_one_at_a_time():
    rng = np.random.default_rng(21)
    n = rng.integers(0, 9, (40, 30, 25)).astype(float)
    pos = rng.binomial(n.astype(int), grid_scores(25)).astype(float)
    together = corp.recalibrated(pos, n)
    for index in [(0, 0), (3, 17), (39, 29)]:
        np.testing.assert_array_equal(together[index], corp.recalibrated(pos[index], n[index]))
    assert (np.diff(together[n.all(axis=-1)]) >= -1e-9).all()


def test_recalibrated_no_events():
    assert np.isnan(corp.recalibrated([[0, 0]], [[0, 0]])).all()


@FUZZ
@given(COUNTS)
def test_decomposition_equals_model_diagnostics(rows):
    pos, neg = np.array(rows).T
    bins, y = events(pos, neg)
    score = grid_scores(pos.size)[bins]
    for loss, found in zip(
        (SquaredError(), LogLoss()),
        (corp.corp_brier(pos, pos + neg, losses(pos, neg)[0]), corp.corp_log_loss(pos, pos + neg, losses(pos, neg)[1])),
        strict=True,
    ):
        oracle = decompose(y_obs=y, y_pred=score, scoring_function=loss)
        expected = [oracle[name][0] for name in ("miscalibration", "discrimination", "uncertainty")]
        np.testing.assert_allclose(found, expected, atol=1e-9)


@FUZZ
@given(COUNTS)
def test_decomposition_adds_up(rows):
    pos, neg = np.array(rows).T
    for score, part in zip(losses(pos, neg), (corp.corp_brier, corp.corp_log_loss), strict=True):
        mcb, dsc, unc = part(pos, pos + neg, score)
        np.testing.assert_allclose(mcb - dsc + unc, score, atol=1e-12)
        assert mcb >= -1e-12
        assert dsc >= -1e-12


@FUZZ
@given(COUNTS)
def test_recalibrated_scores_have_no_miscalibration(rows):
    pos, neg = np.array(rows).T
    n = pos + neg
    c = np.nan_to_num(corp.recalibrated(pos, n))
    brier = calibration.brier(n.sum(), pos.sum(), (n * c**2).sum(), (pos * c).sum())
    assert corp.corp_brier(pos, n, brier).mcb == pytest.approx(0, abs=1e-12)


def test_constant_score_does_not_discriminate():
    for part in (corp.corp_brier, corp.corp_log_loss):
        assert part([0, 7, 0], [0, 90, 0], 0.3).dsc == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("pos", "n"), [([0, 0], [3, 4]), ([3, 4], [3, 4]), ([0, 0], [0, 0])])
def test_one_class_is_undefined(pos, n):
    assert np.isnan(corp.corp_brier(pos, n, 0.1)).all()
    assert np.isnan(corp.corp_log_loss(pos, n, 0.1)).all()


def test_band_of_one_bin_is_binomial():
    band = corp.consistency_band([0, 400], [np.nan, 0.1], seed=5, resamples=20_000)
    expected = binom.ppf([0.05, 0.95], 400, 0.1) / 400
    np.testing.assert_allclose([band.low[1], band.high[1]], expected, atol=0.0026)
    assert np.isnan([band.low[0], band.high[0]]).all()


def test_band_contains_calibrated_curves_as_often_as_it_says():
    rng = np.random.default_rng(6)
    n, s = np.full(40, 500), grid_scores(40)
    band = corp.consistency_band(n, s, seed=7)
    curves = corp.recalibrated(rng.binomial(n, s, (300, 40)), n)
    inside = ((curves >= band.low) & (curves <= band.high)).mean()
    assert 0.88 < inside < 0.93


def test_band_miscalibration_quantile_is_exceeded_by_one_calibrated_model_in_twenty():
    rng = np.random.default_rng(8)
    n, s = np.full(40, 500.0), grid_scores(40)
    band = corp.consistency_band(n, s, seed=9)
    pos = rng.binomial(500, s, (1000, 40)).astype(float)
    brier = calibration.brier(n.sum(), pos.sum(axis=-1), (n * s**2).sum(), (pos * s).sum(axis=-1))
    log_loss = calibration.log_loss(n.sum(), -(pos * np.log(s) + (n - pos) * np.log(1 - s)).sum(axis=-1))
    assert 0.03 < (corp.corp_brier(pos, n, brier).mcb > band.mcb_brier).mean() < 0.08
    assert 0.03 < (corp.corp_log_loss(pos, n, log_loss).mcb > band.mcb_log_loss).mean() < 0.08


def test_band_of_weighed_events_stays_a_share():
    band = corp.consistency_band([1.6, 1.7, 30.6], [0.97, 0.98, 0.99], seed=3)
    assert (band.high <= 1).all()
    assert np.isfinite([band.mcb_brier, band.mcb_log_loss]).all()


def test_band_is_repeatable_and_takes_leading_axes():
    n, s = np.array([[30, 50], [0, 80]]), np.array([[0.1, 0.4], [np.nan, 0.2]])
    one, two = (corp.consistency_band(n, s, seed=3, resamples=50) for _ in range(2))
    assert one.low.shape == (2, 2)
    assert one.mcb_brier.shape == (2,)
    for part, again in zip(one, two, strict=True):
        np.testing.assert_array_equal(part, again)


def test_calibrated_mcb_is_exceeded_by_one_calibrated_model_in_twenty():
    """400 models with a limit of their own each: within 3 standard errors (3.3 points) of 5%."""
    rng = np.random.default_rng(18)
    n, s = np.full(40, 500.0), grid_scores(40)
    over = np.zeros(2)
    for seed in range(400):
        limit = corp.calibrated_mcb(n, s, seed=seed)
        pos = rng.binomial(500, s).astype(float)
        brier = calibration.brier(n.sum(), pos.sum(), (n * s**2).sum(), (pos * s).sum())
        log_loss = calibration.log_loss(n.sum(), -(pos * np.log(s) + (n - pos) * np.log(1 - s)).sum())
        found = corp.corp_brier(pos, n, brier).mcb, corp.corp_log_loss(pos, n, log_loss).mcb
        over += [found[0] > limit.brier, found[1] > limit.log_loss]
    assert (abs(over / 400 - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)).all()


@pytest.mark.parametrize("events", [[0, 0], [1, 0], [5, 5], [3000, 40]])
def test_limits_of_the_curve_are_those_of_the_band(events):
    score = np.array([0.001, 0.3])
    band = corp.consistency_band(events, score, seed=3, resamples=50)
    np.testing.assert_array_equal(corp.consistency_curve(events, score, seed=3, resamples=50), band[:2])


def test_a_calibrated_score_seems_miscalibrated_by_less_than_the_recalibration_may_fit():
    """300 logs each, error 0.9 points; without the fit taken out no interval would hold the truth, which is 0."""
    rng, x = np.random.default_rng(8), np.linspace(-8, 1, 400)
    weight = np.exp(-((x + 4) ** 2) / 4.5)
    for events_, truth in ((2000, 0.0), (20_000, 0.0)):
        n = rng.multinomial(events_, weight / weight.sum(), 300).astype(float)
        pos = rng.binomial(n.astype(int), expit(x)).astype(float)
        brier = (pos * (1 - expit(x)) ** 2 + (n - pos) * expit(x) ** 2).sum(-1) / events_
        loss = -(pos * np.log(expit(x)) + (n - pos) * np.log(expit(-x))).sum(-1) / events_
        found = corp.corp_brier(pos, n, brier).mcb, corp.corp_log_loss(pos, n, loss).mcb
        errors = (error(pos, n - pos, expit(x)) for error in (standard_errors.mcb_brier, standard_errors.mcb_log_loss))
        for mcb, fit, se in zip(found, corp.overfit(pos, n), errors, strict=True):
            assert (mcb > 0).all()
            assert (mcb - fit - 1.96 * se <= truth).mean() > 0.95 - 2 * 0.009

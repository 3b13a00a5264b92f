"""Standard errors of bins against robust covariances of statsmodels, scikit-learn on redrawn logs, and one another."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from release_core.stats import drift, logistic, standard_errors
from tests.stats.cases import events, scored

N, RUNS = 3000, 300
X = np.linspace(-7, 2, 181)
# Of a standard deviation over so many logs, three standard errors.
NEAR = 3 / np.sqrt(2 * RUNS)


def bins(score, y):
    """Return positives and negatives per bin of log-odds."""
    place = np.clip(np.searchsorted(X, logit(score)), 0, len(X) - 1)
    return tuple(np.bincount(place, part, len(X)).astype(float) for part in (y, ~y))


@pytest.fixture(scope="module")
def log():
    score, y = scored(5, N, 0.08)
    return bins(expit(0.7 * logit(score) - 0.4), y)


@pytest.fixture(scope="module")
def redrawn(log):
    """Return logs whose counts are Poisson numbers around the log's, as [run, event] bins and labels."""
    rng = np.random.default_rng(2)
    return [events(*(rng.poisson(part) for part in log)) for _ in range(RUNS)]


def spread(redrawn, statistic):
    return np.std([statistic(x, y) for x, y in redrawn], axis=0, ddof=1)


def ks(x, y):
    return stats.ks_2samp(x[y == 1], x[y == 0], method="asymp").statistic


def mcb(loss):
    def found(x, y):
        # Rates of 0 and 1 have no finite loss on the other label, and none here.
        fitted = np.clip(IsotonicRegression().fit_transform(x, y), 1e-12, 1 - 1e-12)
        return loss(y, expit(X[x])) - loss(y, fitted)

    return found


def line(x, y):
    return sm.Logit(y, sm.add_constant(X[x])).fit(disp=0).params


def shift(x, y):
    return sm.GLM(y, np.ones(len(y)), family=sm.families.Binomial(), offset=X[x]).fit().params


@pytest.mark.parametrize(
    ("error", "statistic"),
    [
        (standard_errors.average_precision, metrics.average_precision_score),
        (standard_errors.ks_separation, ks),
        (lambda p, q: standard_errors.calibration_intercept(p, q, X), shift),
        (lambda p, q: standard_errors.cox(p, q, X, logistic.cox(p, p + q, X)), line),
        (lambda p, q: standard_errors.mcb_brier(p, q, expit(X)), mcb(metrics.brier_score_loss)),
        (lambda p, q: standard_errors.mcb_log_loss(p, q, expit(X)), mcb(metrics.log_loss)),
    ],
    ids=["average precision", "ks", "shift", "line", "mcb brier", "mcb log loss"],
)
def test_the_error_is_the_spread_over_redrawn_logs(log, redrawn, error, statistic):
    found = spread(
        redrawn, (lambda x, y: statistic(y, x)) if statistic is metrics.average_precision_score else statistic
    )
    assert np.ravel(error(*log)) == pytest.approx(np.ravel(found), rel=NEAR)


def test_the_errors_of_the_line_are_statsmodels_robust_ones(log):
    pos, neg = log
    x, y = events(pos, neg)
    robust = sm.Logit(y, sm.add_constant(X[x])).fit(disp=0, cov_type="HC0", tol=1e-12).bse
    assert standard_errors.cox(pos, neg, X, logistic.cox(pos, pos + neg, X)) == pytest.approx(tuple(robust), rel=1e-6)
    shifted = sm.GLM(y, np.ones(len(y)), family=sm.families.Binomial(), offset=X[x]).fit(cov_type="HC0", tol=1e-12).bse
    assert standard_errors.calibration_intercept(pos, neg, X) == pytest.approx(shifted[0], rel=1e-6)


def test_a_score_that_tells_nothing_and_the_index_of_two_samples_vary_as_redrawn_ones(log):
    rng, (pos, neg) = np.random.default_rng(3), log
    old, new = pos + neg, np.roll(pos + neg, 9)
    groups = drift.quantile_groups(old)
    error = standard_errors.psi(drift.psi(old, new, groups), old.sum(), new.sum())
    drawn = [drift.psi(rng.poisson(old), rng.poisson(new), groups).total for _ in range(RUNS)]
    assert error == pytest.approx(np.std(drawn, ddof=1), rel=NEAR)
    assert standard_errors.share(0.2, [100, 0]) == pytest.approx([0.04, np.nan], nan_ok=True)


def test_twice_the_events_say_as_much_as_the_root_of_two_and_leading_axes_are_kept(log):
    pos, neg = (np.stack([part, 2 * part]) for part in log)
    for error in (
        standard_errors.average_precision(pos, neg),
        standard_errors.ks_separation(pos, neg),
        standard_errors.calibration_intercept(pos, neg, X),
        *standard_errors.cox(pos, neg, X, logistic.cox(pos, pos + neg, X)),
        standard_errors.mcb_brier(pos, neg, expit(X)),
        standard_errors.mcb_log_loss(pos, neg, expit(X)),
    ):
        assert error.shape == (2,)
        assert error[0] == pytest.approx(np.sqrt(2) * error[1], rel=1e-6)

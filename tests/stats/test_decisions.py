import numpy as np
import pytest
from scipy.stats import beta, binom, multinomial, norm, t
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from release_core.stats import decisions
from tests.stats.cases import scored

RATES = [(0, 1), (1, 1), (0, 5), (3, 5), (5, 5), (1, 1000), (999, 1000), (17, 300)]
ORACLES = {decisions.wilson: "wilson", decisions.clopper_pearson: "beta", decisions.jeffreys: "jeffreys"}


def test_rates_equal_scikit_learn():
    score, y = scored(31, 4000, 0.05)
    alert = score >= 0.1
    tn, fp, fn, tp = metrics.confusion_matrix(y, alert).ravel()
    assert decisions.precision(tp, fp) == pytest.approx(metrics.precision_score(y, alert))
    assert decisions.recall(tp, fn) == pytest.approx(metrics.recall_score(y, alert))
    assert decisions.fpr(fp, tn) == pytest.approx(1 - metrics.recall_score(~y, ~alert))
    assert decisions.share(alert.sum(), y.size) == pytest.approx(alert.mean())


def test_rates_with_an_empty_denominator_are_undefined():
    for rate in (decisions.precision, decisions.recall, decisions.fpr, decisions.share):
        assert np.isnan(rate(0, 0))


@pytest.mark.parametrize("method", ORACLES)
@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_rate_intervals_equal_statsmodels(method, confidence):
    k, n = np.array(RATES).T
    expected = [proportion_confint(*pair, alpha=1 - confidence, method=ORACLES[method]) for pair in RATES]
    expected = np.array(expected)
    if method is decisions.jeffreys:  # statsmodels keeps the posterior's bound where the rate is 0 or 1
        expected[k == 0, 0], expected[k == n, 1] = 0, 1
    np.testing.assert_allclose(np.array(method(k, n, confidence)).T, expected, atol=1e-10)


@pytest.mark.parametrize(("n", "published"), [(5, 0.955), (15, 0.953), (30, 0.952), (50, 0.952), (100, 0.951)])
def test_wilson_holds_rates_as_often_as_is_published(n, published):
    """Agresti and Coull 1998, table 1: mean coverage over all rates, here by complete enumeration, without simulation.

    At single rates coverage is lowest next to an interval's end: 83% is the floor. Wald's interval has a mean of 64% at n = 5.
    """
    k = np.arange(n + 1.0)
    low, high = decisions.wilson(k, np.full(n + 1, float(n)))
    # The mean over p of P(k | p), between the ends of the interval of k, is a difference of beta distributions.
    mean = (beta.cdf(high, k + 1, n - k + 1) - beta.cdf(low, k + 1, n - k + 1)).sum() / (n + 1)
    assert mean == pytest.approx(published, abs=5e-4)
    ends = np.concatenate([low, high])
    rates = np.clip(np.concatenate([ends - 1e-9, ends + 1e-9]), 1e-12, 1 - 1e-12)[:, None]
    held = (binom.pmf(k, n, rates) * ((low <= rates) & (rates <= high))).sum(1)
    assert 0.83 <= held.min() <= 0.84


@pytest.mark.parametrize("method", ORACLES)
def test_rate_intervals_one_sided_and_empty(method):
    one, two = method(3, 40, 0.95, 1), method(3, 40, 0.90)
    np.testing.assert_allclose(one, two, rtol=1e-12)
    assert np.isnan(method([0], [0])).all()


def test_newcombe_published_table():
    """Newcombe 1998, Statistics in Medicine 17, 873-890, Table II, method 10."""
    candidate = [(56, 70), (9, 10), (6, 7), (5, 56), (0, 10), (0, 10), (10, 10), (10, 10)]
    baseline = [(48, 80), (3, 10), (2, 7), (0, 29), (0, 20), (0, 10), (0, 20), (0, 10)]
    published = [
        (0.0524, 0.3339), (0.1705, 0.8090), (0.0582, 0.8062), (-0.0381, 0.1926),
        (-0.1611, 0.2775), (-0.2775, 0.2775), (0.6791, 1.0), (0.6075, 1.0),
    ]  # fmt: skip
    found = decisions.newcombe(tuple(np.array(baseline).T), tuple(np.array(candidate).T))
    np.testing.assert_allclose(np.transpose([found.low, found.high]), published, atol=6e-5)


def test_newcombe_equals_statsmodels():
    found = decisions.newcombe((7, 900), (19, 1100), 0.9)
    expected = confint_proportions_2indep(19, 1100, 7, 900, method="newcomb", compare="diff", alpha=0.1)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-10)
    assert found.value == pytest.approx(19 / 1100 - 7 / 900)


def test_newcombe_empty_arm_is_undefined():
    assert np.isnan(decisions.newcombe((0, 0), (3, 10))).all()


@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.1, 0.05), (0.0, 0.03), (0.3, 0.3)])
def test_bonett_price_covers_by_complete_enumeration(shares):
    n = 40
    b, c = (side.ravel() for side in np.mgrid[0 : n + 1, 0 : n + 1])
    kept = b + c <= n
    b, c = b[kept], c[kept]
    probability = multinomial.pmf(np.column_stack([b, c, n - b - c]), n, [*shares, 1 - sum(shares)])
    found = decisions.bonett_price(b, c, n)
    truth = shares[1] - shares[0]
    covered = probability[(found.low <= truth) & (truth <= found.high)].sum()
    assert 0.93 < covered <= 1


def test_bonett_price_identical_versions():
    value, low, high = decisions.bonett_price(0, 0, 500)
    assert value == 0
    assert low == -high
    assert 0 < high < 0.01


def test_bonett_price_stays_inside_one_and_is_undefined_without_events():
    assert decisions.bonett_price(0, 3, 3).high <= 1
    assert np.isnan(decisions.bonett_price([0], [0], [0])).all()


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 2), (40, 61), (0, 12)])
def test_mcnemar_equals_statsmodels(b, c):
    expected = 1.0 if b + c == 0 else mcnemar([[10, b], [c, 10]], exact=True).pvalue
    assert decisions.mcnemar(b, c) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "se", "df"), [(0.95, 0.02, 31), (0.001, 0.0004, 31), (0.5, 0.1, np.inf), (0.2, 0.4, 19)]
)
def test_share_of_an_estimated_error_equals_statsmodels_wilson_of_as_many_events(value, se, df):
    n = value * (1 - value) / se**2
    alpha = 2 * norm.sf(t.ppf(0.975, df))
    expected = proportion_confint(value * n, n, alpha=alpha, method="wilson")
    np.testing.assert_allclose(decisions.share_interval(value, se, df), expected, rtol=1e-9)


def test_estimated_errors_of_nothing_say_nothing():
    for value, se in ((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (np.nan, np.nan), (0.5, np.nan)):
        assert np.isnan(decisions.share_interval(value, se)).all()
    for shares, se in (((0.0, 0.0), 0.0), ((0.1, 0.0), 0.0), ((np.nan, 0.1), 0.1), ((0.1, 0.1), np.nan)):
        assert np.isnan(decisions.paired_interval(shares, se)).all()


@pytest.mark.parametrize(("lost", "gained", "n"), [(2, 6, 100), (1, 0, 5), (0, 1, 1000), (3, 3, 40)])
def test_paired_interval_of_independent_events_is_bonett_and_price(lost, gained, n):
    se = np.sqrt((lost + gained - (gained - lost) ** 2 / n) / n**2)
    found = decisions.paired_interval((lost / n, gained / n), se)
    expected = decisions.bonett_price(lost, gained, n)
    np.testing.assert_allclose(found, (expected.low, expected.high), rtol=1e-9)
    for sides in (1, 2):
        wide = decisions.paired_interval((lost / n, gained / n), se * 2, 31, 0.95, sides)
        narrow = decisions.paired_interval((lost / n, gained / n), se, 31, 0.95, sides)
        assert wide.low < narrow.low
        assert wide.high > narrow.high

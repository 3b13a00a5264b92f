"""Every statistic of scored events, on the same hard cases, against the library that its row names.

Cases: no event, one event of either class, five events, one class only, ties throughout, a base rate of 0.1%, weights.
Where the library has no answer (it raises, warns of, or returns a number for nothing) ours is NaN, never 0.
"""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy import stats as scipy_stats
from scipy.special import expit, logit
from sklearn import metrics

from release_core.stats import (
    agreement,
    calibration,
    calibration_error,
    corp,
    decisions,
    delay,
    drift,
    intervals,
    logistic,
    ranking,
    rates,
    selection,
)
from release_core.stats.average_precision import average_precision

GRID = expit(np.linspace(-7, 3, 41))
CUT = 20


def _rare():
    rng = np.random.default_rng(1)
    place = np.clip(np.round(rng.normal(8, 5, 30_000)), 0, 40).astype(int)
    return place, rng.random(30_000) < GRID[place] * 0.25


def _tied():
    return np.full(60, 7), np.arange(60) % 3 == 0


CASES = {
    "no event": (np.zeros(0, int), np.zeros(0, bool)),
    "one bad": (np.array([30]), np.array([True])),
    "one good": (np.array([3]), np.array([False])),
    "five": (np.array([3, 9, 9, 25, 31]), np.array([False, False, True, True, False])),
    "all good": (np.array([3, 9, 25, 31, 31, 40]), np.zeros(6, bool)),
    "all bad": (np.array([3, 9, 25, 31, 31, 40]), np.ones(6, bool)),
    "one tie": _tied(),
    "one in a thousand": _rare(),
}
WEIGHTED = {name: np.random.default_rng(5).integers(1, 9, len(place)) for name, (place, _) in CASES.items()}


def bins(name, *, weighted=False):
    """Return positives and negatives per place of GRID."""
    place, y = CASES[name]
    weight = WEIGHTED[name] if weighted else np.ones(len(place))
    return (np.bincount(place[mask], weights=weight[mask], minlength=len(GRID)) for mask in (y, ~y))


def both(y):
    return 0 < y.sum() < len(y)


def judged(ours, oracle, y, *, needs, rel=1e-9):
    """Compare a statistic with a library's, or demand that it is undefined where what it `needs` is not there."""
    if not needs(y):
        assert np.isnan(ours)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert float(ours) == pytest.approx(oracle(), rel=rel, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_ranking(name, weighted):
    """scikit-learn, with sample weights: AUC and average precision; scipy: the gap of the two classes' distributions."""
    (place, y), (pos, neg) = CASES[name], bins(name, weighted=weighted)
    score, w = GRID[place], WEIGHTED[name] if weighted else None
    judged(ranking.auc(pos, neg), lambda: metrics.roc_auc_score(y, score, sample_weight=w), y, needs=both)
    tied = np.ones(len(GRID), bool)
    ap = average_precision(pos, neg, tied)
    judged(ap, lambda: metrics.average_precision_score(y, score, sample_weight=w), y, needs=lambda y: y.any())
    if not weighted:
        ks = ranking.ks_separation(pos, neg)
        judged(ks, lambda: scipy_stats.ks_2samp(score[y], score[~y], method="asymp").statistic, y, needs=both)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_losses_and_their_parts(name, weighted):
    """scikit-learn: Brier score and log loss; model-diagnostics: CORP of both."""
    (place, y), (pos, neg) = CASES[name], bins(name, weighted=weighted)
    score, w, n = GRID[place], WEIGHTED[name] if weighted else np.ones(len(place)), pos + neg
    brier = calibration.brier(n.sum(), pos.sum(), (n * GRID**2).sum(), (pos * GRID).sum())
    loss = calibration.log_loss(n.sum(), -(pos * np.log(GRID) + neg * np.log1p(-GRID)).sum())
    judged(brier, lambda: np.average((score - y) ** 2, weights=w), y, needs=len)
    judged(loss, lambda: metrics.log_loss(y, score, sample_weight=w, labels=[0, 1]), y, needs=len)
    if both(y):
        assert brier == pytest.approx(metrics.brier_score_loss(y, score, sample_weight=w))
    for ours, scoring in (
        (corp.corp_brier(pos, n, brier), SquaredError()),
        (corp.corp_log_loss(pos, n, loss), LogLoss()),
    ):
        if not both(y):
            assert np.isnan(ours).all()
            continue
        theirs = decompose(y.astype(float), score, weights=w, scoring_function=scoring)
        assert ours.mcb == pytest.approx(theirs["miscalibration"].item(), rel=1e-6, abs=1e-9)
        assert ours.dsc == pytest.approx(theirs["discrimination"].item(), rel=1e-6, abs=1e-9)
        assert ours.unc == pytest.approx(theirs["uncertainty"].item(), rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_calibration(name):
    """statsmodels: the logistic line and the intercept at slope 1; written out: observed / expected, debiased error."""
    (place, y), (pos, neg) = CASES[name], bins(name)
    n, x, score = pos + neg, logit(GRID), GRID[place]
    oe = calibration.oe_ratio(pos.sum(), (n * GRID).sum())
    judged(oe.value, lambda: y.sum() / score.sum(), y, needs=len)
    shift = logistic.calibration_intercept(pos, n, x)

    def fixed():
        return sm.GLM(y.astype(float), np.ones(len(y)), sm.families.Binomial(), offset=logit(score)).fit().params[0]

    judged(shift.value, fixed, y, needs=both, rel=1e-6)
    line = logistic.cox(pos, n, x)
    enough = both(y) and min(y.sum(), (~y).sum()) >= 10 and len(np.unique(place)) > 1
    if not enough:
        assert np.isnan(line.slope)
    else:
        found = sm.GLM(y.astype(float), sm.add_constant(logit(score)), sm.families.Binomial()).fit()
        assert [line.intercept, line.slope] == pytest.approx(found.params.tolist(), rel=1e-5)
        assert [line.se_intercept, line.se_slope] == pytest.approx(found.bse.tolist(), rel=1e-4)
    error = calibration_error.calibration_error(pos, n, n * GRID)
    assert np.isnan(error.absolute) == (len(y) < 2)


@pytest.mark.parametrize("name", CASES)
def test_rates_at_a_cutoff(name):
    """scikit-learn: precision, recall, false-positive rate (NaN where it divides by nothing)."""
    (place, y), (pos, neg) = CASES[name], bins(name)
    tp, fp, fn, tn = pos[CUT:].sum(), neg[CUT:].sum(), pos[:CUT].sum(), neg[:CUT].sum()
    alert = place >= CUT
    for ours, oracle, there in (
        (decisions.precision(tp, fp), lambda: metrics.precision_score(y, alert), alert.any()),
        (decisions.recall(tp, fn), lambda: metrics.recall_score(y, alert), y.any()),
        (decisions.fpr(fp, tn), lambda: 1 - metrics.recall_score(~y, ~alert), (~y).any()),
    ):
        judged(ours, oracle, y, needs=lambda _, there=there: there)


@pytest.mark.parametrize("name", CASES)
def test_distances(name):
    """scipy: PSI as two entropies, KS, Wasserstein and Jensen-Shannon, of the case's scores against the rare case's."""
    place, _ = CASES[name]
    reference, current = (
        np.bincount(p, minlength=len(GRID)).astype(float) for p in (CASES["one in a thousand"][0], place)
    )
    x = np.linspace(-7, 3, 41)
    found = (
        drift.ks_drift(reference, current),
        drift.wasserstein(reference, current, x),
        drift.jensen_shannon(reference, current),
    )
    if not len(place):
        assert np.isnan(found).all()
        return
    right = (
        np.abs(np.cumsum(current / current.sum()) - np.cumsum(reference / reference.sum())).max(),
        scipy_stats.wasserstein_distance(x, x, reference, current),
    )
    assert [float(f) for f in found[:2]] == pytest.approx(list(right), rel=1e-9, abs=1e-12)
    middle = (reference / reference.sum() + current / current.sum()) / 2
    divergence = sum(scipy_stats.entropy(side / side.sum(), middle, base=2) for side in (reference, current)) / 2
    assert float(found[2]) == pytest.approx(np.sqrt(max(divergence, 0.0)), rel=1e-6, abs=1e-7)
    inner = drift.quantile_groups(reference)
    psi = drift.psi(reference, current, inner)
    groups = np.searchsorted(inner, np.arange(len(GRID)), side="right")
    kept = np.unique(groups)
    shares = [(np.bincount(groups, side)[kept] + 0.5) / (side.sum() + 0.5 * len(kept)) for side in (reference, current)]
    assert float(psi.total) == pytest.approx(
        scipy_stats.entropy(*shares) + scipy_stats.entropy(*shares[::-1]), rel=1e-9
    )


@pytest.mark.parametrize("name", CASES)
def test_agreement_of_two_scores(name):
    """scikit-learn and scipy: kappa and Spearman's correlation of the case's scores with shifted ones."""
    place, _ = CASES[name]
    other = np.minimum(place + (np.arange(len(place)) % 3), 40)
    table = np.zeros((41, 41))
    np.add.at(table, (place, other), 1)
    acts = np.zeros((2, 2))
    np.add.at(acts, ((place >= CUT).astype(int), (other >= CUT).astype(int)), 1)

    def varied(_):
        return len(np.unique(place)) > 1 and len(np.unique(other)) > 1

    judged(agreement.spearman(table), lambda: scipy_stats.spearmanr(place, other).statistic, place, needs=varied)

    def decided(_):
        return len(place) and not (
            len(np.unique(place >= CUT)) == 1 and (place >= CUT)[0] == (other >= CUT).all() == (other >= CUT).any()
        )

    judged(agreement.kappa(acts), lambda: metrics.cohen_kappa_score(place >= CUT, other >= CUT), place, needs=decided)


METHODS = {
    "wilson": lambda k: decisions.wilson(k, 9.0),
    "clopper_pearson": lambda k: decisions.clopper_pearson(k, 9.0),
    "jeffreys": lambda k: decisions.jeffreys(k, 9.0),
    "share_interval": lambda k: decisions.share_interval((k + 1) / 9, 0.1, 31),
    "paired_interval": lambda k: decisions.paired_interval(((k + 1) / 99, 0.02), 0.1, 31),
    "auc_interval": lambda k: ranking.auc_interval((k + 1) / 9, 0.1, (9.0, 400.0), 31),
    "newcombe": lambda k: decisions.newcombe((k, 9.0), (2.0, 9.0)),
    "bonett_price": lambda k: decisions.bonett_price(k, 2.0, 9.0),
    "mcnemar": lambda k: (decisions.mcnemar(k, 2.0),),
    "poisson": lambda k: rates.poisson(k, 9.0),
    "oe_ratio": lambda k: calibration.oe_ratio(k, 3.0),
    "interval": lambda k: intervals.interval(k, 0.1),
    "logit_interval": lambda k: intervals.logit_interval((k + 1) / 9, 0.1),
    "p_above": lambda k: (intervals.p_above(k, 0.1, 2.0),),
    "events_needed": lambda k: (intervals.events_needed(9.0, k - 9, 0.1, 1.0),),
    "hajek": lambda k: selection.hajek(k, k, 9.0, 9.0)[:2],
    "known_share": lambda k: delay.known_share(k, np.full(6, 9.0))[:3],
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("hole", [0, 3, 5])
def test_a_count_that_is_not_known_makes_its_own_answer_unknown_and_no_other(name, hole):
    counts = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    broken = np.where(np.arange(6) == hole, np.nan, counts)
    with np.errstate(all="ignore"):
        before, after = METHODS[name](counts), METHODS[name](broken)
    rest = np.arange(6) != hole
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(one, 6)[rest], np.broadcast_to(two, 6)[rest])
    assert np.isnan([np.broadcast_to(part, 6)[hole] for part in after[-2:]]).all()

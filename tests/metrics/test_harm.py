"""What slices say of a metric against event-by-event means, regressions and libraries; how wide clustering makes it."""

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from release_core import manifest, metrics
from release_core.metrics import harm
from release_core.release import Stage
from tests import factory, sliced

DIMS = {"market": ("AT", "DE"), "surface": ("app", "web")}
COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return manifest.load(factory.write(tmp_path_factory.mktemp("harm") / "r", factory.decisions(20), costs=COSTS))


@pytest.fixture(scope="module")
def events():
    log = sliced.log(np.random.default_rng(3), 3000, DIMS, rate=0.2)
    return log | {"label": np.where(np.random.default_rng(4).random(3000) < 0.1, -1, log["label"])}


def above_and_below(name, events, version):
    """Return what each event adds to numerator and denominator, written without the product's own code."""
    act, label, amount = (events[key] for key in (version, "label", "amount"))
    alert, bad, good = act > 0, label == 1, label == 0
    table = {
        "recall": (bad & alert, bad),
        "fpr": (good & alert, good),
        "precision": (bad & alert, (bad | good) & alert),
        "alert_rate": (alert, np.ones(len(act))),
        "block_rate": (act == 2, np.ones(len(act))),
        "recall_block": (bad & (act == 2), bad),
        "amount_recall": (amount * (bad & alert), amount * bad),
        "expected_cost": (
            (bad & (act == 0)) * (1 + 0.9 * amount) + ((bad | good) & (act == 1)) * 2.0 + (good & (act == 2)) * 5.0,
            bad | good,
        ),
    }
    return tuple(np.asarray(part, float) for part in table[name])


NAMES = ("recall", "fpr", "precision", "alert_rate", "block_rate", "recall_block", "amount_recall", "expected_cost")


@pytest.mark.parametrize("name", NAMES)
def test_value_and_spread_are_those_of_an_event_by_event_count(name, events, release):
    slices, measure = sliced.slices(events, DIMS), harm.measures(release)[name]
    found = harm.change(measure, slices, release)
    for place in range(len(slices.conditions)):
        here = np.all(
            [events[d] == DIMS[d].index(v) for d, v in slices.segment(place).items()] or [events["label"] < 9], axis=0
        )
        influence = np.zeros(here.sum())
        for number, version in enumerate(("baseline", "candidate")):
            top, bottom = (part[here] for part in above_and_below(name, events, version))
            value = top.sum() / bottom.sum()
            assert found.value[place, number] == pytest.approx(value)
            influence += (2 * number - 1) * (top - value * bottom) / bottom.sum()
        # Squared amounts are kept in whole units.
        assert found.se[place] == pytest.approx(np.sqrt((influence**2).sum()), rel=1e-3)


def test_spread_of_a_rate_is_the_robust_one_of_a_regression(events, release):
    """A ratio of sums is a weighted mean: statsmodels' heteroscedasticity-robust standard error (HC0) is the same."""
    found = harm.change(harm.measures(release)["recall"], sliced.slices(events, DIMS), release)
    bad = events["label"] == 1
    lost = (events["candidate"][bad] > 0).astype(float) - (events["baseline"][bad] > 0)
    fit = OLS(lost, np.ones(len(lost))).fit(cov_type="HC0")
    assert found.difference[0] == pytest.approx(fit.params[0])
    assert found.se[0] == pytest.approx(fit.bse[0])


def test_amounts_that_differ_little_are_still_spread_as_their_squares_say(events, release):
    found = harm.change(harm.measures(release)["expected_cost"], sliced.slices(events, DIMS), release)
    here = events["label"] >= 0
    cost = [above_and_below("expected_cost", events, version)[0][here] for version in ("candidate", "baseline")]
    fit = OLS(cost[0] - cost[1], np.ones(here.sum())).fit(cov_type="HC0")
    assert found.se[0] == pytest.approx(fit.bse[0], rel=1e-3)


def test_arms_are_independent_samples(events, release):
    arm = np.random.default_rng(5).integers(0, 2, len(events["label"]))
    slices = sliced.slices(events | {"arm": arm}, DIMS, paired=False)
    found = harm.change(harm.measures(release)["recall"], slices, release)
    bad = events["label"] == 1
    shares = [(events[v][bad & (arm == n)] > 0) for n, v in enumerate(("baseline", "candidate"))]
    assert found.difference[0] == pytest.approx(shares[1].mean() - shares[0].mean())
    assert found.se[0] == pytest.approx(np.sqrt(sum(one.var() / len(one) for one in shares)))


@pytest.mark.parametrize(("lost", "gained"), [(3, 0), (5, 0), (8, 1), (12, 4), (25, 10)])
def test_few_disagreements_are_not_taken_for_more_than_an_exact_test_takes_them(lost, gained, release):
    """With 300 positives of which a handful turn: our p-value is never below McNemar's exact mid-p."""
    many = 300
    before, after = np.ones(many, int), np.ones(many, int)
    after[:lost], before[lost : lost + gained] = 0, 0
    events = {
        "baseline": before,
        "candidate": after,
        "half": np.zeros(many, int),
        "label": np.ones(many, int),
        "amount": np.ones(many),
        "market": np.zeros(many, int),
    }
    found = harm.change(harm.measures(release)["recall"], sliced.slices(events, {"market": ("AT",)}), release)
    ours = float(metrics_p(found)[0])
    exact = mcnemar([[0, lost], [gained, many]], exact=True).pvalue / 2
    same = np.exp(-np.inf) if lost == gained else _point(lost, gained)
    assert ours >= exact - same / 2
    assert ours < 0.5


def _point(lost, gained):
    from scipy.stats import binom

    return float(binom.pmf(gained, lost + gained, 0.5))


def metrics_p(found):
    from release_core.stats import intervals

    return intervals.p_above(-found.difference, found.se, 0.0, found.df())


@pytest.mark.parametrize("kind", ["one class", "nothing", "no label"])
def test_what_cannot_be_known_is_not_a_number(kind, release):
    size = 0 if kind == "nothing" else 50
    label = np.zeros(size, int) if kind == "one class" else np.full(size, -1)
    rng = np.random.default_rng(1)
    events = {name: rng.integers(0, 2, size) for name in ("baseline", "candidate", "half", "market", "surface")} | {
        "label": label,
        "amount": np.ones(size),
    }
    found = harm.change(harm.measures(release)["recall"], sliced.slices(events, DIMS), release)
    assert np.isnan(found.difference).all()
    assert np.isnan(found.value).all()


def test_measures_agree_with_the_metrics_of_every_page_and_clustering_with_their_jackknife(tmp_path):
    log = factory.decisions(2500, seed=7, shift=0.3, per_entity=12)
    one = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log), costs=COSTS))
    step = one.cube.steps[-1]
    cells, slices = one.cube.slice(Stage.REPLAY, step, (((), ()),)), one.cube.slices(Stage.REPLAY, step)
    known = metrics.table(one.release.actions)
    for name, measure in harm.measures(one.release).items():
        found = harm.change(measure, slices, one.release)
        effect = harm.clustering(measure, cells, one.release)
        assert effect >= 1
        if name in known:
            full = metrics.estimate(cells, known[name])
            assert found.value[0] == pytest.approx(full.value[0, :2], nan_ok=True)
            if np.isfinite(full.se[0, 2]) and effect > 1:
                assert found.se[0] * np.sqrt(effect) == pytest.approx(full.se[0, 2])

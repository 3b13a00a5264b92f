"""What a recalibration is judged by: the interval of its change, and events parted by when their label became known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from release_core.stats import recalibration as stats
from release_core.views import recalibration, recalibration_release, windows
from release_core.views.view import View, said
from tests import factory
from tests.test_recalibration import log_of, view_of


def test_interval_of_the_change_covers_the_truth():
    """600 judged windows of 32 shards each: both kinds of interval hold the true change in 95% of them, give or take 2.7."""
    rng = np.random.default_rng(12)
    x = np.linspace(-5, 2, 40)
    share = np.exp(-0.5 * ((x + 2) / 1.3) ** 2)
    share /= share.sum()
    truth, found = expit(0.2 + 0.9 * x), stats.Map("platt", (("a", 0.1), ("b", 0.95)))
    change = [-np.log(p) + np.log(s) for p, s in ((found(expit(x)), expit(x)), (1 - found(expit(x)), expit(-x)))]
    true = (share * (truth * change[0] + (1 - truth) * change[1])).sum()
    hits = np.zeros(2)
    for _ in range(600):
        n = rng.multinomial(150, share, 32).astype(float)
        positive = rng.binomial(n.astype(int), truth).astype(float)
        both = {"positive": positive, "negative": n - positive, "labelled_logit": n * x}
        arrays = {name: np.stack([array, array], axis=1)[None] for name, array in both.items()}
        shards = SimpleNamespace(binned=True, **arrays)
        bins = windows.Bins(positive.sum(0), n.sum(0), x, n.sum(0), (positive.sum(), (n - positive).sum()))
        for place, binned in enumerate((True, False)):
            shards.binned = binned
            cells = SimpleNamespace(shards=shards, clustered=True, weighted=False)
            window = recalibration._window(cells, bins)
            mapped = found(window.labels.score), found(window.shards.score) if binned else None
            _, low, high, how = recalibration._changed(window, mapped, "log_loss")
            hits[place] += low <= true <= high
            assert ("jackknife" in how) == binned
    assert (abs(hits / 600 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 600)).all()


def test_within_two_dimensions_events_are_parted_by_when_their_label_became_known(tmp_path):
    """What fits and what judges are counted on raw rows; the fitted map is that of the events whose label was known then."""
    log = log_of(12_000)
    view = view_of(
        tmp_path,
        log,
        (("market", "AT"), ("surface", "app")),
        segments={"dims": ["market", "surface"], "min_events": 50},
    )
    assert windows.dims(view) == [windows.KNOWN]
    fit = windows.fits(view, windows.KNOWN)[0]
    (judge,) = windows.judges(view, windows.KNOWN, fit)
    page = recalibration.recalibration(view, windows.KNOWN, fit, judge, "platt")
    told = factory.outcomes(log).merge(log[["event_id", "market", "surface", "candidate_score", "bad"]], on="event_id")
    inner = told[(told["market"] == "AT") & (told["surface"] == "app")]
    end = view.opened.cube.end(next(s for s in view.opened.cube.steps if fit.endswith(said(view.opened, s))))
    early = inner["observed_at"] <= pd.Timestamp(end).tz_localize(None)
    row = next(row for row in page.methods if row["method"] == "platt")
    assert (page.fit_n, page.fit_positives) == (early.sum(), inner.loc[early, "bad"].sum())
    assert (row["n"], row["positives"]) == ((~early).sum(), inner.loc[~early, "bad"].sum())
    score = inner.loc[early, "candidate_score"]
    fitted = sm.GLM(inner.loc[early, "bad"].astype(float), sm.add_constant(logit(score)), sm.families.Binomial()).fit()
    assert [value for _, value in page.fitted.map.parameters] == pytest.approx(list(fitted.params), abs=0.05)
    p = page.fitted.map(inner.loc[~early, "candidate_score"].to_numpy())
    y = inner.loc[~early, "bad"].to_numpy()
    assert row["log_loss"] == pytest.approx(-np.log(np.where(y, p, 1 - p)).mean(), rel=0.01)
    assert "known by" in page.headline
    assert "Remove the filter" in recalibration_release.export(view, windows.KNOWN, fit, judge, "platt").reason


def test_a_label_that_changes_later_judges_as_what_it_is_now(tmp_path):
    log = log_of(9000)
    told = factory.outcomes(log)
    turned = told.sample(200, random_state=1)
    late = turned.assign(
        outcome="review_result", value="fraud", observed_at=turned["observed_at"] + pd.Timedelta(days=9)
    )
    where = (("market", "AT"), ("surface", "app"))
    dims = {"dims": ["market", "surface"], "min_events": 50}
    view = view_of(tmp_path, log, where, segments=dims)
    late.to_parquet(tmp_path / "parent" / "outcomes" / "01.parquet", index=False)
    opened = factory.opened(tmp_path / "parent", tmp_path / "again")
    view = View(opened, view.stage, opened.cube.steps[-1], where)
    fit = windows.fits(view, windows.KNOWN)[0]
    found = windows.binned(view, windows.KNOWN, windows.judges(view, windows.KNOWN, fit))
    every = windows.binned(view, windows.KNOWN, ())
    assert (found.n >= 0).all()
    assert (found.positive <= found.n).all()
    used = found.n > 0
    assert (np.abs(found.x - every.x)[used] < 1).all()

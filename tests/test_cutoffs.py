"""The Cutoffs page against counts over raw rows, and the exported table as a release of its own."""

import io
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import logit

from release_core import manifest, review
from release_core.release import Costs, Kind, Stage, Verdict
from release_core.views import cutoff_capacity, cutoff_optima, cutoff_tables, cutoffs
from release_core.views.cutoffs import Ask
from release_core.views.grounds import grounds
from release_core.views.view import View
from tests import factory

COSTS = {
    "currency": "EUR",
    "false_positive": 9.0,
    "review": 2.0,
    "false_negative": {"amount_times": 0.8, "fixed": 3.0},
    "review_detection": 0.9,
    "friction": 0.5,
    "review_capacity_per_day": 12,
}
UNITS = Costs("EUR", 9.0, 2.0, 3.0, 0.8, 12.0, 0.9, 0.5)
DAYS = 20


@pytest.fixture(scope="module")
def log():
    return factory.decisions(3000, seed=51, shift=0.3)


@pytest.fixture(scope="module")
def opened(log, tmp_path_factory):
    table = {"t1": {"default": factory.CUTOFFS, "segment": [{"where": {"market": "DE"}, "review": 0.35}]}}
    folder = tmp_path_factory.mktemp("cutoffs") / "parent"
    return factory.opened(factory.write(folder, log, factory.outcomes(log), costs=COSTS, thresholds=table))


@pytest.fixture(scope="module")
def view(opened):
    return View(opened, Stage.REPLAY, opened.cube.steps[-1])


def counted(rows, score, review, block):
    """Return what two cutoffs do, event by event."""
    s, y, amount = rows[score].to_numpy(), rows["bad"].to_numpy(), rows["amount"].to_numpy()
    blocked, alert = s >= block, s >= review
    looked = alert & ~blocked
    loss = 3.0 + 0.8 * amount
    paid = 9.0 * (blocked & ~y) + 2.0 * looked + looked * np.where(y, 0.1 * loss, 0.5) + loss * (y & ~alert)
    return {
        "reviews": looked.sum() / DAYS,
        "blocks": blocked.sum() / DAYS,
        "busiest": rows["event_time"].dt.date[looked].value_counts().max(),
        "recall": y[alert].sum() / y.sum(),
        "precision": y[alert].mean(),
        "caught": y[alert].sum(),
        "missed": y[~alert].sum(),
        "wrong_blocks": (blocked & ~y).sum(),
        "cost": 1000 * paid.sum() / len(s),
        "amount_recall": amount[alert & y].sum() / amount[y].sum(),
        "review_oe": y[looked].sum() / s[looked].sum() if looked.any() else np.nan,
    }


def test_the_errors_of_calibrated_chances_are_those_of_a_logistic_regression(view):
    """statsmodels: the error of the fitted log-odds of all events at each bin, widened by the design effect."""
    one, t = grounds(view), grounds(view).whole
    side = one.sides[1]
    at, better = side.chances()[0], side.chances(reach=1.0)[0]
    seen = side.labelled[0] > 0
    pos, neg, x = t.positive[0, 1][seen], t.negative[0, 1][seen], (t.logit[0, 1] / np.maximum(t.n[0, 1], 1))[seen]
    line = sm.add_constant(x)
    fit = sm.GLM(np.column_stack([pos, neg]), line, sm.families.Binomial()).fit()
    errors = np.sqrt(np.einsum("bi,ij,bj->b", line, fit.cov_params(), line))
    np.testing.assert_allclose(logit(at[seen]), line @ fit.params, atol=0.01)
    np.testing.assert_allclose(logit(better[seen]) - logit(at[seen]), errors * np.sqrt(one.widened), rtol=0.02)


def measured(page, side):
    return {row["key"]: row[side] for row in page.told}


def same(found, expected):
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_cutoffs_in_force_are_counted_exactly_also_where_they_differ_by_segment(side, log, view):
    review_at = np.where(log["market"] == "DE", 0.35, 0.3)
    page = cutoffs.cutoffs(view, Ask(costs=UNITS))
    same(measured(page, side), counted(log, f"{side}_score", review_at, 0.7))


@pytest.mark.parametrize(("market", "own"), [("DE", 0.35), ("AT", 0.3)])
def test_what_if_at_a_registered_cutoff_is_exact(market, own, log, view):
    page = cutoffs.cutoffs(view, Ask("market", market, costs=UNITS))
    assert page.exact
    rows = log[log["market"] == market]
    same(measured(page, "what_if"), counted(rows, "candidate_score", own, 0.7))
    same(measured(page, "other"), counted(rows, "baseline_score", own, 0.7))


def test_what_if_elsewhere_snaps_to_a_bin_edge_and_counts_there(log, view):
    page = cutoffs.cutoffs(view, Ask(review=0.41, block=0.61, costs=UNITS))
    assert not page.exact
    at = page.snapped
    assert abs(at["review"] - 0.41) < 0.005
    assert abs(at["block"] - 0.61) < 0.005
    same(measured(page, "what_if"), counted(log, "candidate_score", at["review"], at["block"]))


def test_block_before_review_is_moved_along_and_said(view):
    page = cutoffs.cutoffs(view, Ask(review=0.6, block=0.4, costs=UNITS))
    assert page.snapped["review"] == page.snapped["block"]
    assert "moved along" in page.notes[0]


def test_cheapest_as_counted_is_the_cheapest_of_all_pairs_of_edges(log, view):
    best = cutoff_optima.optima(view, "market", UNITS)
    place = best.ground.names.index("DE")
    row = cutoff_optima.row(best, place, 1)
    rows = log[log["market"] == "DE"]
    tried = np.linspace(0.02, 0.98, 25)
    least = min(counted(rows, "candidate_score", r, b)["cost"] for r in tried for b in tried if r <= b)
    assert row["cost_counted"] <= least * (1 + 1e-9)
    found = counted(rows, "candidate_score", row["counted"]["review"], row["counted"]["block"])
    assert row["cost_counted"] == pytest.approx(found["cost"])


def test_shared_capacity_is_kept_and_the_price_is_told(view, log):
    free = cutoff_capacity.within(view, "market", UNITS, 1e9)
    assert free.price == 0
    tight = cutoff_capacity.within(view, "market", UNITS, free.reviews / 3)
    assert tight.reviews <= free.reviews / 3 + 1e-9
    assert tight.price > 0
    reviews = sum(
        ((rows["candidate_score"] >= row["review"]) & (rows["candidate_score"] < row["block"])).sum() / DAYS
        for row in tight.rows
        for rows in [log[log["market"] == row["segment"]]]
    )
    assert tight.reviews == pytest.approx(reviews)
    worst = cutoff_capacity.within(view, "market", UNITS, 15.0, worst=True)
    assert worst.busiest <= 15.0


@pytest.mark.parametrize(("outer", "by"), [(("surface", "web"), "market"), (("market", "DE"), "surface")])
def test_the_busiest_day_within_a_filter_is_that_of_its_events(view, log, outer, by):
    inside = log[log[outer[0]] == outer[1]]
    found = cutoff_capacity.within(replace(view, where=(outer,)), by, UNITS, 3.0)
    days = Counter()
    for row in found.rows:
        rows = inside[inside[by] == row["segment"]]
        days.update(rows["event_time"].dt.date[rows["candidate_score"].between(row["review"], row["block"], "left")])
    assert len(found.rows) == inside[by].nunique()
    assert found.busiest == max(days.values())


def test_a_capacity_is_shared_where_steps_are_blocks_of_hours(log, tmp_path):
    hours = {"positive": ["chargeback"], "silence": "negative", "maturity_days": 3, "steps": [6, 12, 24, 240, 480]}
    one = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log), costs=COSTS, labels=hours))
    there = View(one, Stage.REPLAY, one.cube.steps[-1])
    assert "hours" in one.cube.unit
    found = cutoff_capacity.within(there, "market", UNITS, 5.0)
    assert found.period == "on the busiest day"
    assert found.busiest >= found.reviews / 1.01
    assert "23:59 UTC" in there.as_of
    for step in one.cube.steps:
        rows = log[log["event_time"] <= one.cube.end(step).replace(tzinfo=None)]
        looked = rows["candidate_score"].between(0.3, 0.7, inclusive="left")
        busiest = measured(cutoffs.cutoffs(replace(there, step=step), Ask(costs=UNITS)), "candidate")["busiest"]
        assert busiest == rows["event_time"].dt.date[looked].value_counts().max()


def test_what_is_said_names_the_filter(view):
    there = View(view.opened, view.stage, view.step, (("surface", "web"),))
    page = cutoffs.cutoffs(there, Ask(costs=UNITS))
    assert page.place == "surface web"
    assert page.headline.startswith("Surface web:")
    inner = cutoffs.cutoffs(there, Ask("market", "DE", costs=UNITS))
    assert inner.place == "surface web, market DE"
    assert inner.headline.startswith("Surface web, market DE:")


def test_without_any_label_nothing_is_cheapest_and_nothing_is_zero(view):
    early = View(view.opened, view.stage, view.opened.cube.steps[0])
    page = cutoffs.cutoffs(early, Ask(costs=UNITS))
    assert page.headline.startswith("No labelled event")
    assert page.sensitivity == []
    assert all(row[key] == {"review": None, "block": None} for row in page.best for key in ("advised", "counted"))
    told = measured(page, "candidate")
    assert told["reviews"] > 0
    assert not {"caught", "missed", "recall", "cost"} & set(told)
    charts, rows = cutoffs.panels(early, "market", UNITS, "review")
    assert not any(chart.spec for chart in charts)
    assert all(row["beware"] == ["No event here has a mature label."] for row in rows)
    shared = cutoff_capacity.within(early, "market", UNITS, 5.0)
    assert shared.rows == []
    assert "no event has a mature label" in shared.headline


def test_where_no_event_is_no_segment_is_drawn(view):
    there = replace(view, where=(("market", "none"),))
    assert [cutoffs.panels(there, by, UNITS, "review") for by in ("", "surface")] == [([], [])] * 2


def test_sensitivity_has_no_negative_regret_and_none_at_the_cheapest(view):
    best = cutoff_optima.optima(view, "", UNITS)
    chosen = cutoffs.what_if.Stand(*(int(edge[0]) for edge in best.sides[1].advised[:2]))
    rows = cutoff_optima.sensitivity(best, 0, UNITS, chosen)
    assert rows[0]["regret"] == pytest.approx(0, abs=1e-9)
    assert min(row["regret"] for row in rows) > -1e-9
    assert len(rows) == 11


def test_edited_table_becomes_a_threshold_release_on_the_same_logs(view, opened, log):
    entries = (("AT", 0.2, 0.8), ("DE", 0.35, None), ("PL", 0.3, 0.7))
    made = cutoff_tables.proposal(view, "market", entries, "t9", "", UNITS)
    assert (made.problems, made.changes) == ([], 2)
    archive = zipfile.ZipFile(io.BytesIO(made.archive))
    assert archive.namelist() == ["test-t9/release.toml"]
    archive.extractall(opened.release.folder.parent)
    release = manifest.load(opened.release.folder.parent / "test-t9")
    assert (release.kind, release.named_changes) == (Kind.THRESHOLD, ("thresholds",))
    assert release.baseline == opened.release.candidate
    assert manifest.cutoffs(release.tables["t9"], {"market": "AT"}) == {"review": 0.2, "block": 0.8}
    assert manifest.cutoffs(release.tables["t9"], {"market": "DE"}) == {"review": 0.35, "block": 0.7}
    again = factory.opened(release.folder)
    step = again.cube.steps[-1]
    rows = review.review(again, Stage.REPLAY, step).rows
    assert [row.verdict for row in rows if row.gate == "one_kind"] == [Verdict.PASS]
    review_at = log["market"].map({"AT": 0.2, "DE": 0.35, "PL": 0.3}).to_numpy()
    told = cutoffs.cutoffs(View(again, Stage.REPLAY, step), Ask(costs=UNITS))
    block_at = np.where(log["market"] == "AT", 0.8, 0.7)
    same(measured(told, "candidate"), counted(log, "candidate_score", review_at, block_at))


@pytest.mark.parametrize(
    ("entries", "name", "said"),
    [
        ((("AT", 0.9, 0.2),), "t9", "review at most block"),
        ((("AT", 1.5, None),), "t9", "a score from 0 to 1"),
        ((("AT", float("inf"), None),), "t9", "a finite number"),
        ((("AT", 0.2, None),), "t1", "exists"),
        ((("AT", 0.2, None),), "two words", "letters, digits"),
    ],
)
def test_an_edited_table_that_cannot_be_is_refused(entries, name, said, view):
    made = cutoff_tables.proposal(view, "market", entries, name, "", UNITS)
    assert said in " ".join(f"{p.found} {p.required}" for p in made.problems)
    assert (made.archive, made.rows) == (b"", [])


def test_nothing_changed_gives_no_release(view):
    made = cutoff_tables.proposal(view, "market", (("AT", 0.3, 0.7),), "t9", "", UNITS)
    assert (made.changes, made.archive, made.problems) == (0, b"", [])


def test_without_costs_work_and_outcome_are_told_and_cost_is_not(view):
    page = cutoffs.cutoffs(view, Ask())
    told = {row["key"] for row in page.told}
    assert {"reviews", "recall"} <= told
    assert not {"cost", "cost_a_day"} & told
    assert "no costs" in page.headline


def test_names_of_small_segments_are_shrunken_only_from_five_on(view):
    shift = grounds(view, "market").sides[1].shift
    assert (shift.weight == 1).all()


def test_a_segment_without_events_that_both_versions_scored_has_no_work(log, tmp_path):
    some = log.iloc[:600]
    unscored = some.assign(candidate_score=some["candidate_score"].where(some["market"] != "PL"))
    opened = factory.opened(factory.write(tmp_path / "r", unscored, factory.outcomes(some)))
    view = View(opened, Stage.REPLAY, opened.cube.steps[-1])
    inner = replace(view, where=(("market", "PL"),))
    for one, of in ((view, ("market", "PL")), (inner, ("", ""))):
        for at in ((None, None), (0.4, 0.8)):
            told = {row["key"]: row["what_if"] for row in cutoffs.cutoffs(one, Ask(*of, *at)).told}
            assert not told.get("busiest"), (of, at)

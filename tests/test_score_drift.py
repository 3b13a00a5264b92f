"""What the Score drift page says, against direct counts over the log and against the facts of planted drift."""

import hashlib
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

from pages.frame import read
from release_core import library, review
from release_core.cube import PERIOD, WINDOW
from release_core.release import Stage
from release_core.stats import intervals
from release_core.views import boundary, score_drift, swaps, transfer
from release_core.views.view import View
from tests import factory
from tests.pages.test_pages import ROOT, words

COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}
REPLAY = Stage.REPLAY


def view_of(folder, log, told=None, **changed):
    one = factory.opened(factory.write(folder, log, told, **changed))
    return View(one, REPLAY, one.cube.steps[-1])


@pytest.fixture(scope="module")
def log():
    return factory.decisions(6000, seed=21, shift=0.3)


@pytest.fixture(scope="module")
def view(log, tmp_path_factory):
    return view_of(tmp_path_factory.mktemp("d") / "r", log, factory.outcomes(log), costs=COSTS)


@pytest.fixture(scope="module")
def beta(tmp_path_factory):
    """Return a folder with 200,000 events whose scores are Beta(1.0, 30) before and Beta(1.1, 30) after, and the log.

    Above 0.15 the two distributions differ by 24.4%, and two samples of 200,000 by 24.4% with a standard error of 4.3
    points. Published as +27.6%; this draw has +27.9%.
    """
    rng, n = np.random.default_rng(25), 200_000
    log = pd.DataFrame(
        {
            "event_id": [f"e{k}" for k in range(n)],
            "event_time": factory.START + pd.to_timedelta(rng.integers(0, 10 * 86400, n), unit="s"),
            "stage": "replay",
            "baseline_score": rng.beta(1.0, 30, n),
            "candidate_score": rng.beta(1.1, 30, n),
        }
    )
    root = tmp_path_factory.mktemp("beta")
    thresholds = {"t1": {"default": {"review": 0.15}}}
    folder = factory.write(root / "beta", log, thresholds=thresholds, segments={"dims": []})
    return folder, log


def test_the_first_thing_said_is_the_traffic_above_the_cutoff_and_that_psi_calls_it_stable(beta, monkeypatch):
    folder, log = beta
    monkeypatch.setenv(library.RELEASES_VARIABLE, str(folder.parent))
    monkeypatch.setenv(library.CACHE_VARIABLE, str(folder.parent / "cache"))
    read._seen.clear()
    app = AppTest.from_file(str(ROOT / "pages" / "frame" / "main.py"), default_timeout=60)
    app.switch_page(str(ROOT / "pages" / "score_drift.py"))
    app.query_params["release"] = "beta"
    app.run()
    assert not app.exception
    first = re.search(r'rr-lead\\?">(.*?)</h2>', words(app)).group(1)
    found = re.match(r"Traffic above the review cutoff 0\.15 rises by (\d+\.\d)% \((\d+\.\d)% to (\d+\.\d)%\)", first)
    rise, low, high = map(float, found.groups())
    above = [(log[f"{version}_score"] >= 0.15).sum() for version in ("baseline", "candidate")]
    assert rise == pytest.approx(100 * (above[1] / above[0] - 1), abs=0.051)
    assert rise > 25
    true = 100 * (stats.beta.sf(0.15, 1.1, 30) / stats.beta.sf(0.15, 1.0, 30) - 1)
    assert low < true < high
    # Two independent samples of 200,000: the interval is about as wide as that of a ratio of two Poisson counts.
    expected = 2 * 1.96 * np.sqrt(1 / above[0] + 1 / above[1]) * (1 + rise / 100) * 100
    assert high - low == pytest.approx(expected, rel=0.3)
    assert float(re.search(r"PSI is (0\.\d+) and", first).group(1)) < 0.02
    assert "calls the scores stable" in first
    assert first.index("rises by") < first.index("PSI")
    assert "alerts a day more" in first


def test_psi_of_the_case_is_what_an_independent_count_gives(beta, monkeypatch):
    folder, log = beta
    monkeypatch.setenv(library.CACHE_VARIABLE, str(folder.parent / "cache"))
    one = factory.opened(folder, library.cache_of(folder))
    page = score_drift.shape(View(one, REPLAY, one.cube.steps[-1]))
    inner = np.quantile(log["baseline_score"], np.arange(1, 10) / 10)
    e, a = (
        (np.bincount(np.searchsorted(inner, log[f"{v}_score"], "right"), minlength=10) + 0.5) / (len(log) + 5)
        for v in ("baseline", "candidate")
    )
    expected = stats.entropy(a, e) + stats.entropy(e, a)
    named = {row["measure"]: row for row in page.distances}
    # Groups snap to 1/64 log-odds bins: the index moves in its third digit.
    assert named["PSI"]["value"] == pytest.approx(expected, rel=0.03)
    assert named["PSI"]["value"] < 0.02
    limit = stats.chi2.ppf(0.95, 9) * 2 / 200_000
    said = re.search(r"stays below (0\.\d+) in 95", named["PSI beyond chance"]["meaning"]).group(1)
    assert float(said) == pytest.approx(limit, rel=0.03)
    assert named["PSI beyond chance"]["value"] == pytest.approx(named["PSI"]["value"] - 9 * 2 / 200_000)
    ks = stats.ks_2samp(log["baseline_score"], log["candidate_score"]).statistic
    assert named["KS distance"]["value"] == pytest.approx(ks, abs=0.002)
    logit = [np.log(log[f"{v}_score"] / (1 - log[f"{v}_score"])) for v in ("baseline", "candidate")]
    moved = stats.wasserstein_distance(*logit)
    assert named["Wasserstein distance"]["value"] == pytest.approx(moved, abs=0.003)
    assert [*page.psi_groups[0]] == ["Bin", "Count A", "Count E", "Count A %", "Count E %", "PSI"]
    assert page.psi_groups[-1]["PSI"] == pytest.approx(sum(row["PSI"] for row in page.psi_groups[:-1]))
    assert sum(row["Count A"] for row in page.psi_groups[:-1]) == len(log)


def test_a_segment_too_small_for_shards_has_no_interval_around_nothing(tmp_path):
    log = factory.decisions(40, seed=3, per_entity=4)
    log["candidate_score"] = np.where(log["market"] == "DE", log["baseline_score"] * 0.5, log["baseline_score"])
    one = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    found = review.measured(one, REPLAY, one.cube.steps[-1], by=("market",), names=["share_above:t1.review"])
    change = {row.segment["market"]: row for row in found if row.version == "difference"}
    assert all("Newcombe" in row.method for row in change.values())
    assert (change["AT"].low, change["AT"].value, change["AT"].high) == (0, 0, 0)
    assert change["DE"].low < change["DE"].value < change["DE"].high


def test_time_is_cut_also_where_steps_are_blocks_of_hours(tmp_path):
    log = factory.decisions(300, seed=5)
    hours = {"positive": ["review_result=fraud"], "silence": "negative", "maturity_days": 3, "steps": [6, 12, 240, 480]}
    there = view_of(tmp_path / "r", log, factory.outcomes(log), labels=hours)
    assert list(score_drift.periods(there).values()) == ["each day", "each 6 hours"]
    for split in score_drift.periods(there):
        share, _ = score_drift.over_time(there, "alert_rate", split)
        assert share.data


def test_an_identical_candidate_moves_nothing(tmp_path):
    log = factory.decisions(3000, seed=22)
    log["candidate_score"] = log["baseline_score"]
    same = view_of(tmp_path / "r", log, factory.outcomes(log), costs=COSTS)
    page = score_drift.score_drift(same)
    assert "does not move beyond chance" in page.headline
    assert [(row["difference"], row["low"], row["high"]) for row in page.cutoffs] == [(0, 0, 0)] * 2
    assert score_drift.shape(same).distances[-1]["meaning"] == "Scores did not move."
    moved = score_drift.swaps(same)
    assert [row["n"] for row in moved.swaps] == [0, 0, 0]
    assert moved.words == "No event crosses the cutoff."
    for row in transfer.rows_of(same):
        # A step of the grid is 1/64 of log-odds; what lies between the cutoff and its edge is all that differs.
        assert row["transferred"] == pytest.approx(row["at"], abs=0.25 / 64)
        assert row["low"] <= row["transferred"] <= row["high"] < row["low"] + 2.1 * 0.25 / 64


def test_cutoff_rows_are_those_of_a_direct_count(view, log):
    days = view.days
    rows = {row["cutoff"]: row for row in score_drift.score_drift(view).cutoffs}
    assert list(rows) == ["t1.review", "t1.block"]
    for action, at in factory.CUTOFFS.items():
        row = rows[f"t1.{action}"]
        shares = [(log[f"{v}_score"] >= at).mean() for v in ("baseline", "candidate")]
        assert (row["at"], row["baseline"], row["candidate"]) == (
            at,
            pytest.approx(shares[0]),
            pytest.approx(shares[1]),
        )
        assert row["relative"] == pytest.approx(shares[1] / shares[0] - 1)
        assert row["relative_low"] < row["relative"] < row["relative_high"]
        assert row["a_day"] == pytest.approx((shares[1] - shares[0]) * len(log) / days)
        logit = np.log(log["candidate_score"] / (1 - log["candidate_score"]))
        cut = np.log(at / (1 - at))
        near = (np.abs(logit - cut) < 0.25).mean()
        assert row["near_candidate"] == pytest.approx(near, abs=0.012)
        # One step of drift: what another 0.1 log-odds would add to the alerts, centred on the cutoff.
        more = ((logit >= cut - 0.05).sum() - (logit >= cut + 0.05).sum()) / days
        assert row["slope"] == pytest.approx(more, rel=0.25)


def test_work_a_day_is_that_of_the_actions(view, log):
    acted = [pd.Series(factory.actions(log[f"{v}_score"])).value_counts() for v in ("baseline", "candidate")]
    rows = {row["metric"]: row for row in score_drift.score_drift(view).actions}
    for name, action in (("review_rate", "review"), ("block_rate", "block")):
        assert rows[name]["baseline"] == pytest.approx(acted[0][action] / view.days)
        assert rows[name]["change"] == pytest.approx((acted[1][action] - acted[0][action]) / view.days)
        assert rows[name]["change_low"] <= rows[name]["change"] <= rows[name]["change_high"]


def paid(action, bad, amount):
    """Return what each event costs, event by event."""
    missed = np.where(bad, 1 + 0.9 * amount, 0.0)
    return np.select([action == "approve", action == "block"], [missed, np.where(bad, 0.0, 5.0)], 2.0)


def test_a_choice_without_events_swaps_none(view):
    page = score_drift.swaps(replace(view, where=(("market", "IT"),)))
    assert page.pairs == []
    assert page.explained == []


def test_swap_set_is_that_of_a_direct_count(view, log):
    before, after = (factory.actions(log[f"{v}_score"]) for v in ("baseline", "candidate"))
    saved = paid(before, log["bad"], log["amount"]) - paid(after, log["bad"], log["amount"])
    sets = {
        swaps.IN: (before == "approve") & (after != "approve"),
        swaps.OUT: (before != "approve") & (after == "approve"),
        swaps.NET: before != after,
    }
    rows = {row["name"]: row for row in score_drift.swaps(view).swaps}
    for name, here in sets.items():
        row = rows[name]
        assert row["n"] == here.sum()
        assert row["bad"] == pytest.approx(log["bad"][here].mean())
        assert row["bad_low"] < row["bad"] < row["bad_high"]
        assert row["amount"] == pytest.approx(log["amount"][here].sum())
        assert row["saved"] == pytest.approx(saved[here].sum())
        assert row["saved_low"] < row["saved"] < row["saved_high"]
        assert row["saved_a_day"] == pytest.approx(saved[here].sum() / view.days)


def test_shift_and_reranking_are_told_apart(view, log, tmp_path):
    (row, _) = score_drift.swaps(view).explained
    old, new = log["baseline_score"] >= 0.3, log["candidate_score"] >= 0.3
    assert (row["swap_in"], row["swap_out"]) == ((~old & new).sum(), (old & ~new).sum())
    # On events: the candidate's own quantile keeps the alert rate; the grid of 1/64 may hold a few events more.
    kept = log["candidate_score"] >= np.sort(log["candidate_score"])[-old.sum()]
    assert row["reranked"] == pytest.approx((old != kept).mean(), abs=0.003)
    assert 0 < row["shift"] < row["crossed"]
    pure = log.copy()
    odds = pure["baseline_score"] / (1 - pure["baseline_score"]) * np.exp(0.5)
    pure["candidate_score"] = odds / (1 + odds)
    (shifted, _) = score_drift.swaps(view_of(tmp_path / "r", pure)).explained
    assert shifted["crossed"] > 0.05
    assert shifted["shift_share"] > 0.97


def test_context_agrees_with_scikit_learn_and_scipy(view, log):
    from sklearn.metrics import cohen_kappa_score, roc_auc_score

    rows = {row["measure"]: row["value"] for row in score_drift.swaps(view).context}
    acted = [factory.actions(log[f"{v}_score"]) for v in ("baseline", "candidate")]
    assert float(rows["Kappa of the actions"]) == pytest.approx(cohen_kappa_score(*acted), abs=6e-4)
    rho = stats.spearmanr(log["baseline_score"], log["candidate_score"]).statistic
    assert float(rows["Spearman correlation of the scores"]) == pytest.approx(rho, abs=0.003)
    auc = np.subtract(*(roc_auc_score(log["bad"], log[f"{v}_score"]) for v in ("candidate", "baseline")))
    assert float(rows["AUC, candidate less baseline"].replace("−", "-")) == pytest.approx(auc, abs=5e-4)


def test_periods_and_segments_are_those_of_a_direct_count(view, log):
    acted = factory.actions(log["candidate_score"]) != "approve"
    day, week = (log["event_time"].dt.strftime("%Y-%m-%d"), log["event_time"].dt.to_period("W-SUN").dt.start_time)
    for split, key in ((PERIOD, day), (WINDOW, week)):
        share, lines = score_drift.over_time(view, "alert_rate", split)
        expected = pd.Series(acted).groupby(key.to_numpy()).mean()
        assert [row["candidate"] for row in share.data] == pytest.approx(expected.tolist())
        parts = log["candidate_score"].groupby(key.to_numpy())
        top = parts.apply(lambda scores: np.quantile(scores, 0.99, method="inverted_cdf"))
        assert [row["candidate_p99"] for row in lines.data] == pytest.approx(top.tolist(), rel=0.03)
        above, _ = score_drift.over_time(view, "share_above:t1.block", split)
        there = (log["baseline_score"] >= 0.7).groupby(key.to_numpy()).mean()
        assert [row["baseline"] for row in above.data] == pytest.approx(there.tolist())
    chart, rows = score_drift.by_segment(view, "market")
    shifts = pd.Series(acted.astype(float) - (factory.actions(log["baseline_score"]) != "approve"))
    expected = shifts.groupby(log["market"].to_numpy()).mean()
    assert {row["segment"]: row["difference"] for row in rows} == pytest.approx(expected.to_dict())
    assert [abs(row["difference"]) for row in rows] == pytest.approx(sorted((abs(x) for x in expected), reverse=True))
    assert all(row["certain"] for row in rows)
    assert len(chart.data) == 3


def test_map_and_linear_axis_count_every_event(view, log):
    assert sum(cell["n"] for cell in score_drift.both_scores(view).data) == len(log)
    for linear in (False, True):
        page = score_drift.shape(view, linear)
        assert sum(row["candidate_n"] for row in page.distribution.data) == len(log)
        for point in page.tail.data[:: len(page.tail.data) // 7]:
            assert point["baseline"] == pytest.approx((log["baseline_score"] >= point["score"] * (1 - 1e-12)).mean())


def test_points_where_lower_is_riskier_are_read_in_their_own_direction(tmp_path):
    log = factory.decisions(3000, seed=25, shift=0.3)
    for name in ("baseline_score", "candidate_score"):
        log[name] = np.round(850 - 550 * log[name])
    score = {"scale": "points", "min": 300, "max": 850, "step": 1, "higher_is": "safer"}
    one = view_of(
        tmp_path / "r",
        log,
        factory.outcomes(log),
        score=score,
        thresholds={"t1": {"default": {"review": 680, "block": 480}}},
    )
    page = score_drift.score_drift(one)
    assert page.headline.startswith("Traffic below the ")
    row = transfer.rows_of(one)[0]
    rate = (log["baseline_score"] <= 680).mean()
    assert row["wanted"] == pytest.approx(rate)
    assert row["reached"] == pytest.approx((log["candidate_score"] <= row["transferred"]).mean())
    assert row["low"] <= row["transferred"] <= row["high"]
    assert page.cutoffs[0]["near_candidate"] == pytest.approx(
        (np.abs(log["candidate_score"] - 680) < 5.5).mean(), abs=0.004
    )


def test_a_cutoff_that_differs_by_segment_is_said_to(tmp_path):
    log = factory.decisions(1500, seed=26)
    tables = {"t1": {"default": factory.CUTOFFS, "segment": [{"where": {"market": "AT"}, "review": 0.5}]}}
    one = view_of(tmp_path / "r", log, thresholds=tables)
    table = one.release.tables["t1"]
    assert boundary.in_force(one, table, "review") is None
    assert boundary.in_force(one, table, "block") == 0.7
    inside = View(one.opened, REPLAY, one.step, (("market", "AT"),))
    outside = View(one.opened, REPLAY, one.step, (("market", "DE"),))
    assert (boundary.in_force(inside, table, "review"), boundary.in_force(outside, table, "review")) == (0.5, 0.3)
    by_market = {row["segment"]: row for row in transfer.rows_of(one, "market") if row["cutoff"] == "t1.review"}
    mine = log[log["market"] == "AT"]
    assert by_market["AT"]["at"] == 0.5
    assert by_market["AT"]["wanted"] == pytest.approx((mine["baseline_score"] >= 0.5).mean())


@pytest.fixture
def page(tmp_path_factory, monkeypatch):
    """Return a function that opens a part of the page on small logs of every kind."""
    root = tmp_path_factory.mktemp("releases")
    log = factory.decisions(900, seed=27, shift=0.2)
    factory.write(root / "small", log, factory.outcomes(log), costs=COSTS)
    factory.write(root / "unlabelled", log)
    factory.write(root / "one", log.head(1))
    monkeypatch.setenv(library.RELEASES_VARIABLE, str(root))
    monkeypatch.setenv(library.CACHE_VARIABLE, str(root.parent / "cache"))
    read._seen.clear()

    def run(**query):
        app = AppTest.from_file(str(ROOT / "pages" / "frame" / "main.py"), default_timeout=60)
        app.switch_page(str(ROOT / "pages" / "score_drift.py"))
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception[0].message
        return words(app) + " ".join(one.value for one in app.warning)

    yield run
    shutil.rmtree(root)


def test_every_part_opens_on_every_kind_of_log(page):
    from pages.frame.drift import SECTIONS

    for release, parts in (("small", SECTIONS), ("one", SECTIONS), ("unlabelled", ["Swap set", "Threshold transfer"])):
        for part in parts:
            text = page(release=release, part=part)
            assert "nan" not in re.sub(r"<[^>]*>|[a-z]*nan[a-z]+", "", text.lower())
    assert "one dimension" in page(release="small", part="Score map", in_market="AT", in_surface="app")
    assert "keep today" in page(release="small", part="Threshold transfer", keep="Precision", transfer_by="market")
    assert "which does not exist" in page(release="small", part="Cake")


@pytest.mark.parametrize("rule", transfer.RULES)
def test_cutoffs_of_all_segments_found_at_once_are_those_of_each_alone(view, rule):
    rows = [row for row in transfer.rows_of(view, "market", rule) if row["segment"] != view.place]
    assert len({row["segment"] for row in rows}) == 3
    for row in rows:
        alone = transfer.rows_of(replace(view, where=(("market", row["segment"]),)), "", rule)
        same = next(one for one in alone if one["cutoff"] == row["cutoff"])
        assert {key: row[key] for key in row if key != "segment"} == {
            key: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for key, value in same.items()
            if key != "segment"
        }


def test_a_share_has_one_interval_by_customers_wherever_it_stands(view, log):
    """The jackknife without each thirty-second part of the customers, counted on the log."""
    page = score_drift.swaps(view)
    mine = next(row for row in page.pairs if row["pair"] == "approve → review")
    before, after = (factory.actions(log[f"{v}_score"]) for v in ("baseline", "candidate"))
    chosen = log[(before == "approve") & (after == "review")]
    assert mine["n"] == len(chosen)
    shard = chosen["entity_id"].map(lambda name: int(hashlib.md5(name.encode()).hexdigest()[:2], 16) % 32)
    left = [chosen["bad"][shard != k].mean() for k in range(32)]
    spread = intervals.jackknife(chosen["bad"].mean(), left, np.isin(np.arange(32), shard))
    low, high = intervals.interval(chosen["bad"].mean(), spread.se, spread.df)
    assert [mine["bad_low"], mine["bad_high"]] == pytest.approx([max(0, low), high])
    assert mine["labelled_bad"] + mine["labelled_good"] == len(chosen)


def test_groups_that_still_move_are_not_called_final(view):
    note = score_drift.shape(view).groups_note
    assert "not final: fewer than 10,000 events are logged" in note

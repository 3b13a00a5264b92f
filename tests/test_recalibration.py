"""From the what-if on the page to a recalibration release that its own gates judge: scored by its own README."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from release_core import manifest, review
from release_core.cube import WINDOW
from release_core.errors import NotFound
from release_core.release import Stage, Verdict
from release_core.stats import intervals
from release_core.views import recalibration, recalibration_release, windows
from release_core.views.view import View
from tests import factory

MARKETS = {"dims": ["market"], "min_events": 50}
SCORES = ["baseline_score", "candidate_score"]


def log_of(rows=9000, seed=3, shift=0.8):
    """Return decisions over 20 days, so three or four weeks, whose candidate promises other odds than happen."""
    log = factory.decisions(rows, seed=seed, rate=0.25)
    log["candidate_score"] = expit(shift + 1.2 * logit(log["candidate_score"]))
    return log


def view_of(folder, log=None, where=(), **changes):
    """Return the view of a release with few dimensions: its cube is built in a fraction of the time."""
    log = log_of() if log is None else log
    few = {"segments": {"dims": [], "min_events": 50}}
    one = factory.opened(factory.write(folder / "parent", log, factory.outcomes(log), parts=2, **few | changes))
    return View(one, one.cube.stages()[-1], one.cube.steps[-1], where)


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """Return the folder and the view of a release that tests only read."""
    folder = tmp_path_factory.mktemp("common")
    return folder, view_of(folder, segments=MARKETS)


def choice(view, dim=WINDOW):
    fit = windows.fits(view, dim)[0]
    return dim, fit, windows.judges(view, dim, fit)[0]


def unpacked(export, folder):
    """Put an exported release beside its parent, as its README says, run the README's script, and load it."""
    archive = zipfile.ZipFile(io.BytesIO(export.archive))
    archive.extractall(folder)
    home = folder / export.name.removesuffix(".zip")
    script = re.search(r"```python\n(.*)```", (home / "README.txt").read_text(encoding="utf-8"), re.DOTALL)[1]
    with contextlib.chdir(home):
        exec(compile(script, "README.txt", "exec"), {})  # noqa: S102 - it is what a reader would do
    return home


@pytest.mark.parametrize("method", ["beta", "isotonic"])
def test_the_exported_release_is_scored_loaded_and_passes_what_a_recalibration_must(parent, method):
    folder, view = parent
    export = recalibration_release.export(view, *choice(view), method)
    home = unpacked(export, folder)
    release = manifest.load(home)
    assert release.baseline == view.release.candidate
    assert release.named_changes == ("calibration", "thresholds")
    assert release.rollback.target == view.release.candidate.calibration
    opened = factory.opened(home)
    found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
    verdicts = {row.gate: row for row in found.rows}
    assert not found.mixed
    assert verdicts["one_kind"].verdict is Verdict.PASS
    assert verdicts["rank_reversals"].verdict is Verdict.PASS, verdicts["rank_reversals"].sentence
    rates = review.measured(opened, Stage.REPLAY, opened.cube.steps[-1], names=["alert_rate", "block_rate"])
    for before, after in zip(rates[::3], rates[1::3], strict=True):
        if all(row["exact"] for row in export.cutoffs):
            assert after.value == before.value
        else:
            assert after.value <= before.value
    log, scored = (pd.read_parquet(path / "decisions" / "01.parquet") for path in (folder / "parent", home))
    pd.testing.assert_frame_equal(log, scored.drop(columns="recalibrated_score"))
    assert scored["recalibrated_score"].between(0, 1).all()


def test_a_recalibration_of_a_recalibration_has_a_score_of_its_own(parent, tmp_path):
    folder, view = parent
    shutil.copytree(folder / "parent", tmp_path / "parent")
    home = unpacked(recalibration_release.export(view, *choice(view), "platt"), tmp_path)
    again = factory.opened(home)
    there = View(again, Stage.REPLAY, again.cube.steps[-1])
    after = unpacked(recalibration_release.export(there, *choice(there), "beta"), tmp_path)
    columns = dict(manifest.load(after).decisions.columns)
    assert (columns["baseline_score"], columns["candidate_score"]) == ("recalibrated_score", "recalibrated2_score")
    scored = pd.read_parquet(after / "decisions" / "01.parquet")
    assert not np.allclose(scored["recalibrated2_score"], scored["recalibrated_score"])


def test_calibration_json_says_all_that_another_system_needs(parent):
    view = parent[1]
    dim, fit, judge = choice(view)
    export = recalibration_release.export(view, dim, fit, judge, "platt")
    archive = zipfile.ZipFile(io.BytesIO(export.archive))
    told = json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("calibration.json"))))
    page = recalibration.recalibration(view, dim, fit, judge, "platt")
    assert told["parameters"] == dict(page.fitted.map.parameters)
    assert told["fit"]["windows"] == list(page.windows.fit)
    assert set(told["fit"]["windows"]).isdisjoint(told["judged"]["windows"])
    assert told["data_fingerprint"] == view.opened.cube.fingerprint
    assert told["labels"]["mature_only"]
    assert told["as_of"] == view.opened.cube.end(view.step).isoformat()
    log = log_of()
    weeks = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    fitted = log[weeks.isin(told["fit"]["windows"])]
    assert (told["fit"]["n"], told["fit"]["positives"]) == (len(fitted), fitted["bad"].sum())
    again = recalibration_release.export(view, dim, fit, judge, "platt")
    assert again.archive == export.archive


def test_losses_are_those_of_single_events(parent):
    view = parent[1]
    page = recalibration.recalibration(view, *choice(view), "platt")
    log = log_of()
    weeks = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    judged = log[weeks.isin(page.windows.judge)]
    y, s = judged["bad"].to_numpy(), judged["candidate_score"].to_numpy()
    p = page.fitted.map(s)
    row = next(row for row in page.methods if row["method"] == "platt")
    assert row["n"] == len(judged)
    losses = {name: [-np.log(np.where(y, q, 1 - q)).mean(), ((q - y) ** 2).mean()] for name, q in (("b", s), ("a", p))}
    assert [row["log_loss_before"], row["brier_before"]] == pytest.approx(losses["b"], rel=1e-4)
    assert [row["log_loss"], row["brier"]] == pytest.approx(losses["a"], rel=1e-4)
    assert row["oe"] == pytest.approx(y.sum() / p.sum(), rel=1e-4)
    change = -np.log(np.where(y, p, 1 - p)) + np.log(np.where(y, s, 1 - s))
    entity = judged["entity_id"].map(shard_of).to_numpy()
    left = [change[entity != k].mean() for k in range(32)]
    low, high = intervals.interval(change.mean(), *intervals.jackknife(change.mean(), left, np.ones(32)))
    assert [row["log_loss_low"], row["log_loss_high"]] == pytest.approx([low, high], rel=0.05)
    assert row["log_loss_high"] < 0


def shard_of(entity):
    return int(hashlib.md5(entity.encode()).hexdigest()[:2], 16) % 32


def test_a_filter_by_one_dimension_is_judged_on_single_events_and_not_exported(parent):
    view = replace(parent[1], where=(("market", "AT"),))
    page = recalibration.recalibration(view, *choice(view), "platt")
    row = next(row for row in page.methods if row["method"] == "platt")
    log = log_of()
    weeks = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    judged = log[weeks.isin(page.windows.judge) & (log["market"] == "AT")]
    y, s = judged["bad"].to_numpy(), judged["candidate_score"].to_numpy()
    p = page.fitted.map(s)
    change = -np.log(np.where(y, p, 1 - p)) + np.log(np.where(y, s, 1 - s))
    reach = 1.96 * change.std() / np.sqrt(len(change))
    assert "independent" in row["how"]
    assert [row["log_loss_low"], row["log_loss_high"]] == pytest.approx(
        [change.mean() - reach, change.mean() + reach], rel=0.02
    )
    export = recalibration_release.export(view, *choice(view), "platt")
    assert not export.archive
    assert "Remove the filter" in export.reason


def test_windows_are_in_time_and_never_share_an_event(parent):
    view = parent[1]
    names = windows.labelled_windows(view, WINDOW)
    assert names == sorted(names)
    for fit in windows.fits(view, WINDOW):
        for judge in windows.judges(view, WINDOW, fit):
            chosen = windows.windows(view, WINDOW, fit, judge)
            assert max(chosen.fit) < min(chosen.judge)
    with pytest.raises(NotFound, match="two different windows"):
        windows.windows(view, WINDOW, names[-1], names[0])


@pytest.mark.parametrize("where", [(), (("market", "AT"),)])
def test_windows_together_are_the_sums_of_the_single_ones(parent, where):
    view = replace(parent[1], where=where)
    names = windows.labelled_windows(view, WINDOW)[:2]
    both, single = windows.within(view, WINDOW, names), [windows.within(view, WINDOW, (name,)) for name in names]
    split = view.cells(WINDOW)
    places = [place for place, segment in enumerate(split.segments) if segment[WINDOW] in names]
    assert len(places) == 2
    for name in ("positives", "negatives", "events", "scores", "actions"):
        for side in ("whole", "shards"):
            found = getattr(getattr(both, side), name)[0]
            np.testing.assert_allclose(found, getattr(getattr(split, side), name)[places].sum(axis=0), rtol=1e-12)
            np.testing.assert_allclose(found, sum(getattr(getattr(one, side), name)[0] for one in single), rtol=1e-12)
    for name in ("positive", "negative", "labelled_logit", "n"):
        every, few = getattr(split.whole, name)[places].sum(axis=0), getattr(both.whole, name)[0]
        held = np.isin(split.whole.grid.ids, both.whole.grid.ids)
        np.testing.assert_allclose(few, every[:, held], rtol=1e-12)
        assert not every[:, ~held].any()


def test_replay_sets_can_fit_and_judge(tmp_path):
    log = log_of()
    log["replay_set"] = np.where(log["event_time"] < factory.START + pd.Timedelta(days=9), "zwei-alt", "eins-neu")
    view = view_of(tmp_path, log)
    assert windows.dims(view) == [WINDOW, "replay_set"]
    assert windows.labelled_windows(view, "replay_set") == ["zwei-alt", "eins-neu"]
    dim, fit, judge = choice(view, "replay_set")
    page = recalibration.recalibration(view, dim, fit, judge, "beta")
    assert {page.windows.fit, page.windows.judge} == {("zwei-alt",), ("eins-neu",)}


def test_only_matured_labels_fit(tmp_path):
    log = log_of(3000)
    labels = factory.tables()["labels"] | {"maturity_days": 12}
    view = view_of(tmp_path, log, labels=labels)
    early = View(view.opened, view.stage, view.opened.cube.step("2026-01-22"))
    page = recalibration.recalibration(early, *choice(early), "intercept")
    end = pd.Timestamp("2026-01-22 23:59:59.999999")
    seen = factory.outcomes(log)["observed_at"] <= end
    settled = ((log["event_time"] + pd.Timedelta(days=12)) <= end) & seen
    judged = next(row["n"] for row in page.methods)
    assert page.fit_n + judged == settled.sum()


def test_labels_seen_by_chance_count_by_their_inverse_propensity(tmp_path):
    log = log_of(6000)
    chance = np.where(log["baseline_score"] > 0.3, 0.25, 1.0)
    seen = np.random.default_rng(9).random(len(log)) < chance
    log["label_propensity"] = chance
    one = factory.opened(factory.write(tmp_path / "parent", log, factory.outcomes(log)[seen], segments={"dims": []}))
    view = View(one, one.cube.stages()[-1], one.cube.steps[-1])
    page = recalibration.recalibration(view, *choice(view), "platt")
    weeks = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    fitted = log[weeks.isin(page.windows.fit) & seen]
    weight = 1 / fitted["label_propensity"].to_numpy()
    y, x = fitted["bad"].to_numpy(), logit(fitted["candidate_score"].to_numpy())
    bad, good = (weight * y).sum(), (weight * ~y).sum()
    soft = np.where(y, (bad + 1) / (bad + 2), 1 / (good + 2))
    told = dict(page.fitted.map.parameters)
    p = expit(told["a"] + told["b"] * x)
    # The likelihood equations of the weighted regression hold, but for the width of the bins.
    assert (weight * (soft - p)).sum() == pytest.approx(0, abs=1e-3 * bad)
    assert (weight * (soft - p) * x).sum() == pytest.approx(0, abs=1e-3 * bad)
    assert (page.fit_n, page.fit_positives) == (len(fitted), y.sum())
    assert any("inverse propensity" in sentence for sentence in page.warnings)


def test_two_filters_without_events_have_no_windows(tmp_path):
    where = (("market", "AT"), ("surface", "none"))
    view = view_of(tmp_path, factory.decisions(300, seed=4), where, segments={"dims": ["market", "surface"]})
    assert [windows.fits(view, dim) for dim in windows.dims(view)] == [[]]


def test_too_few_positives_are_refused_per_method(tmp_path):
    log = factory.decisions(900, seed=4, rate=0.08)
    view = view_of(tmp_path, log)
    page = recalibration.recalibration(view, *choice(view), "isotonic")
    reasons = {row["method"]: row["reason"] for row in page.methods}
    assert reasons["intercept"] == ""
    assert "needs 1,000" in reasons["isotonic"]
    assert page.chart.spec == {}
    assert "no map" in page.headline
    assert "needs 1,000" in recalibration_release.export(view, *choice(view), "isotonic").reason
    assert windows.advised(view, *choice(view)[:2]) in {"intercept", "platt"}


def test_points_have_no_windows_to_calibrate_on(tmp_path):
    log = log_of(900)
    for name in SCORES:
        log[name] = np.round(1000 * log[name])
    score = {"scale": "points", "min": 0, "max": 1000, "step": 1}
    view = view_of(tmp_path, log, score=score, thresholds={"t1": {"default": {"review": 300, "block": 700}}})
    assert windows.dims(view) == []


def test_cutoffs_by_segment_are_carried_over_by_that_dimension(tmp_path):
    rows = [{"where": {"market": name}, "review": at} for name, at in (("AT", 0.5), ("DE", 0.62))]
    view = view_of(tmp_path, segments=MARKETS, thresholds={"t1": {"default": factory.CUTOFFS, "segment": rows}})
    export = recalibration_release.export(view, *choice(view), "platt")
    assert export.notes == []
    home = unpacked(export, tmp_path)
    opened = factory.opened(home)
    release = opened.release
    assert release.tables[release.candidate.thresholds].carried_by == "market"
    assert not review.review(opened, Stage.REPLAY, opened.cube.steps[-1]).mixed
    joint = opened.cube.slice(Stage.REPLAY, opened.cube.steps[-1], (((), ()),)).whole.joint[0, ..., 0]
    assert joint.sum() == np.trace(joint) == len(log_of())


def test_scores_of_safety_are_turned_before_and_after(tmp_path):
    log = log_of()
    for name in SCORES:
        log[name] = 1 - log[name]
    view = view_of(
        tmp_path, log, score={"higher_is": "safer"}, thresholds={"t1": {"default": {"review": 0.7, "block": 0.3}}}
    )
    export = recalibration_release.export(view, *choice(view), "platt")
    home = unpacked(export, tmp_path)
    opened = factory.opened(home)
    found = review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
    assert not found.mixed
    assert {row.gate: row.verdict for row in found.rows}["rank_reversals"] is Verdict.PASS
    scored = pd.read_parquet(home / "decisions" / "00.parquet")
    assert np.corrcoef(scored["candidate_score"], scored["recalibrated_score"])[0, 1] > 0.9


def test_log_in_csv_is_scored_by_the_readme_too(tmp_path):
    view = view_of(tmp_path, log_of(4000))
    for path in sorted((tmp_path / "parent" / "decisions").iterdir()):
        pd.read_parquet(path).to_csv(path.with_suffix(".csv"), index=False)
        path.unlink()
    export = recalibration_release.export(view, *choice(view), "platt")
    home = unpacked(export, tmp_path)
    assert sorted(path.name for path in (home / "decisions").iterdir()) == ["00.csv", "01.csv"]
    assert "recalibrated_score" in pd.read_csv(home / "decisions" / "00.csv").columns


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_log_in_long_layout_is_exported_scored_and_checked_like_the_wide_one(tmp_path, ending):
    """The candidate's rows bear its model's id; the exported release is checked by the command line."""
    log = log_of(4000)
    verdicts = []
    for name, rows, source in (("wide", log, {}), ("long", factory.lengthened(log, "m2"), {"layout": "long"})):
        view = view_of(tmp_path / name, rows, source={"decisions": source})
        if ending == "csv":
            for path in sorted((tmp_path / name / "parent" / "decisions").iterdir()):
                pd.read_parquet(path).to_csv(path.with_suffix(".csv"), index=False)
                path.unlink()
        export = recalibration_release.export(view, *choice(view), "platt")
        home = unpacked(export, tmp_path / name)
        words = [sys.executable, "-m", "release_core", "check", str(home), "--format", "json"]
        cache = {
            "RELEASE_REVIEW_CACHE": str(tmp_path / "cache"),
            "RELEASE_REVIEW_LEDGER": str(tmp_path / "ledger.sqlite"),
        }
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ | cache, check=False)
        found = json.loads(done.stdout)
        assert found["logs"]["decisions"]["quarantined"] == 0
        verdicts.append(
            [(g["id"], g["segment"], g["verdict"], g["baseline"], g["candidate"], g["low"]) for g in found["gates"]]
        )
    assert verdicts[0] == verdicts[1]
    assert next(row for row in verdicts[1] if row[0] == "rank_reversals")[2] == "PASS"

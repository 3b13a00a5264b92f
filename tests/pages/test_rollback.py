"""The Rollback page on a live stage: what is restored, for whom, how it is recorded, and what the gate makes of it."""

import io
import tomllib
import zipfile

import numpy as np
import pytest

from release_core import ledger, review
from release_core.errors import SignOffRefused
from release_core.release import Stage
from release_core.views import rollback
from release_core.views.view import View
from tests import factory

THRESHOLDS = {
    "t1": {"default": {"review": 0.3, "block": 0.7}},
    "t2": {"default": {"review": 0.3, "block": 0.8}, "segment": [{"where": {"market": "AT"}, "review": 0.5}]},
}


def live(folder, log, **changes):
    own = factory.tables()["release"]
    release = own | {"kind": "threshold", "from": own["from"], "to": own["from"] | {"thresholds": "t2"}}
    back = {"target": "t1", "how": "swap the table", "max_minutes": 15, "drill_max_age_days": 30}
    stages = [{"name": "replay"}, {"name": "ab", "shares": [0.5]}]
    changes = {"release": release, "thresholds": THRESHOLDS, "rollback": back, "stage": stages} | changes
    return factory.opened(factory.write(folder, log, factory.outcomes(log), **changes))


@pytest.fixture(scope="module")
def log():
    log = factory.decisions(3000, seed=41)
    arm = np.where(log["entity_id"].str.removeprefix("c").astype(int) % 2, "candidate", "baseline")
    return log.assign(stage="ab", arm=arm, candidate_score=log["baseline_score"])


@pytest.fixture
def opened(tmp_path, log, monkeypatch):
    monkeypatch.setenv(ledger.book.ENVIRONMENT, str(tmp_path / "ledger.sqlite"))
    return live(tmp_path / "r", log)


@pytest.fixture
def view(opened):
    return View(opened, Stage.AB, opened.cube.steps[-1])


def action(score, review, block):
    return np.select([score >= block, score >= review], ["block", "review"], "approve")


def test_what_changes_is_counted_on_the_candidates_own_traffic(view, log):
    score = log["baseline_score"].to_numpy()
    before = action(score, 0.3, 0.7)
    after = action(score, np.where(log["market"] == "AT", 0.5, 0.3), 0.8)
    mine = (log["arm"] == "candidate").to_numpy()
    changed = mine & (before != after)
    days = view.opened.cube.days(view.stage, view.step)
    found = rollback.page(view)
    assert sum(row["per_day"] for row in found.changes) == pytest.approx(changed.sum() / days)
    assert sum(row["amount"] for row in found.changes) == pytest.approx(log["amount"][changed].sum() / days)
    rows = {row["segment"]: row for row in rollback.by_segment(view, "market")}
    inside = (log["market"] == "AT").to_numpy()
    assert rows["AT"]["changed"] == pytest.approx((changed & inside).sum() / days)
    assert rows["AT"]["acted"] == pytest.approx((mine & inside).sum() / days)
    assert {(row["now"], row["after"]) for row in found.changes} == {("approve", "review"), ("review", "block")}
    assert f"the candidate decides {100 * mine.mean():.1f}%" in found.effect


def test_the_diff_names_every_cutoff_that_changes(view):
    rows = {(row["segment"], row["action"]): (row["now"], row["after"]) for row in rollback.page(view).cutoffs}
    assert set(rows) == {("all other events", "block"), ("market AT", "review")}
    assert rows["market AT", "review"][1] == "0.3 (as all others)"


def test_the_exported_files_restore_the_baseline(view):
    archive = zipfile.ZipFile(io.BytesIO(rollback.page(view).archive))
    told = {name: archive.read(name).decode() for name in archive.namelist()}
    assert tomllib.loads(told["bundle.toml"])["bundle"]["thresholds"] == "t1"
    assert tomllib.loads(told["thresholds.toml"])["thresholds"]["t1"]["default"] == {"review": 0.3, "block": 0.7}
    assert "swap the table" in told["STEPS.md"]


def test_a_policy_is_restored_with_its_rules(tmp_path, log):
    rule = {"when": [{"column": "amount", "op": ">", "value": 50}], "action": "review", "reason": "large"}
    own = factory.tables()["release"]
    release = own | {"kind": "policy", "from": own["from"] | {"policy": "p0"}, "to": own["from"]}
    opened = live(
        tmp_path / "p",
        log,
        release=release,
        rollback={"target": "p0", "how": "load p0"},
        policy={"p0": {"rule": [rule]}, "p1": {}},
    )
    found = rollback.page(View(opened, Stage.AB, opened.cube.steps[-1]))
    assert found.rules == [{"rule": "if amount > 50: review (large)", "what": "put back"}]
    archive = zipfile.ZipFile(io.BytesIO(found.archive))
    assert tomllib.loads(archive.read("policy.toml").decode())["policy"]["p0"]["rule"] == [rule]


def test_the_gate_follows_the_ledger(opened):
    def gate():
        rows = review.review(opened, Stage.AB, opened.cube.steps[-1]).rows
        return next(row for row in rows if row.gate == "rollback_ready").verdict.name

    assert gate() == "NODATA"
    book = ledger.Ledger()
    ledger.record_drill(book, opened.release.id, ledger.Drill("2026-01-19T10:00Z", 40, "sam"))
    assert gate() == "FAIL"
    ledger.record_drill(book, opened.release.id, ledger.Drill("2026-01-20T10:00Z", 9, "sam"))
    assert gate() == "PASS"


def test_a_rollback_is_recorded_whatever_the_verdict_and_needs_a_reason(view):
    book = ledger.Ledger()
    made = rollback.record(view, book, ledger.RollbackRequest("ab", "complaints in AT", "sam"))
    assert made.content["target"] == "t1"
    with pytest.raises(SignOffRefused, match="reason"):
        rollback.record(view, book, ledger.RollbackRequest("ab", " ", "sam"))
    assert book.verify().ok


def test_in_replay_nothing_is_decided_so_nothing_changes(tmp_path):
    log = factory.decisions(600, seed=3)
    opened = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    found = rollback.page(View(opened, Stage.REPLAY, opened.cube.steps[-1]))
    assert "changes no customer's decision" in found.effect
    assert found.changes == []


def test_drills_are_listed_newest_first(view):
    ledger.record_drill(ledger.Ledger(), "test", ledger.Drill("2026-01-01T00:00Z", 5, "sam", "table swap"))
    ledger.record_drill(ledger.Ledger(), "test", ledger.Drill("2026-01-09T00:00Z", 25, "kim"))
    rows = rollback.drills(ledger.Ledger().records("test"), view.release)
    assert [row["who"] for row in rows] == ["kim", "sam"]
    assert rows[0]["fast"] == "no, 15 allowed"

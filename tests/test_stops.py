"""Stop rules on a live release with known truth: what fires, where, since when, what it voids, and who is told."""

import json

import numpy as np
import pandas as pd
import pytest

from release_core import ledger, library, notify, review, stops, watch
from release_core.release import Stage, Verdict
from release_core.views import overview
from release_core.views import stops as view_of
from release_core.views.view import View
from tests import factory

DAYS = 14
START = pd.Timestamp("2026-03-01")
RULE = {
    "id": "approvals",
    "title": "Approvals fall by more than 2 points",
    "metric": "approve_rate",
    "comparison": "non_inferiority",
    "margin": 0.02,
    "stages": ["canary"],
    "scope": "each_segment",
    "action": "rollback",
    "min_events": 200,
}


def live(rows=24_000, harm=0.0, lost=0.0, seed=5):
    """Return a canary at a share of one half over two weeks; from day 4 the candidate reviews `harm` more events in DE."""
    rng = np.random.default_rng(seed)
    log = factory.decisions(rows, seed=seed, per_entity=4)
    entity = log["entity_id"].str.removeprefix("c").astype(int)
    candidate = (entity * 2_654_435_761 % 2**32 / 2**32) < 0.5
    kept = ~candidate | (rng.random(rows) >= lost * np.isin(entity % 3, (0,)) * 3)
    when = START + pd.to_timedelta(rng.integers(0, DAYS * 86_400, rows), unit="s")
    base = log["baseline_score"]
    hurt = (log["market"] == "DE") & (when >= START + pd.Timedelta(days=4)) & (rng.random(rows) < harm) & (base < 0.3)
    log = log.assign(
        event_time=when,
        stage="canary",
        arm=np.where(candidate, "candidate", "baseline"),
        ramp_step="50%",
        candidate_score=np.where(hurt, 0.35, base),
    )
    return log[kept]


def opened(folder, log, **changes):
    stages = [{"name": "replay"}, {"name": "canary", "shares": [0.5]}]
    drilled = {"drilled": "2026-03-02T00:00:00Z", "drill_minutes": 4}
    back = {"target": "m1", "how": "load m1", "max_minutes": 10, "drill_max_age_days": 60}
    changes = {"stage": stages, "rollback": back | drilled, "stop": [RULE]} | changes
    return factory.opened(factory.write(folder, log, factory.outcomes(log), **changes))


@pytest.fixture(scope="module")
def harmed(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("a") / "harmed", live(harm=0.25))


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("b") / "calm", live())


def fired(one):
    return review.alarms(one, Stage.CANARY, one.cube.steps[-1])


def test_harm_in_one_segment_is_found_there_and_after_it_began(harmed):
    found = {alarm.place: alarm for alarm in fired(harmed) if alarm.rule == "approvals"}
    assert "market DE" in found
    assert not {"market AT", "market PL"} & set(found)
    at = found["market DE"].at.replace(tzinfo=None)
    assert START + pd.Timedelta(days=4) < at < START + pd.Timedelta(days=12)
    assert "market DE fell by" in found["market DE"].sentence


def test_alarms_are_those_known_by_the_as_of_time(harmed):
    first = fired(harmed)[0]
    before = [step for step in harmed.cube.steps if step < first.step][-1]
    assert review.alarms(harmed, Stage.CANARY, before) == ()
    assert first in review.alarms(harmed, Stage.CANARY, first.step)


def test_a_fired_rule_fails_the_stage(harmed, calm):
    def gate(one):
        rows = review.review(one, Stage.CANARY, one.cube.steps[-1]).rows
        return next(row.verdict for row in rows if row.gate == "stop_rules")

    assert gate(harmed) is Verdict.FAIL
    assert gate(calm) is Verdict.PASS


def test_a_harmless_release_is_quiet(calm):
    assert fired(calm) == ()


def test_replay_has_nothing_to_stop(tmp_path):
    log = factory.decisions(600, seed=2)
    one = factory.opened(factory.write(tmp_path / "r", log, factory.outcomes(log)))
    assert review.alarms(one, Stage.REPLAY, one.cube.steps[-1]) == ()
    assert "nothing to stop" in view_of.page(View(one, Stage.REPLAY, one.cube.steps[-1])).headline


def test_a_wrong_split_voids_what_the_arms_show_but_not_the_invariants(tmp_path):
    one = opened(tmp_path / "lost", live(lost=0.3))
    rows = {row.gate: row for row in review.review(one, Stage.CANARY, one.cube.steps[-1]).rows if not row.segment}
    assert rows["split"].verdict is Verdict.FAIL
    assert "where 50% are planned" in rows["split"].sentence
    assert rows["live_approve_rate"].verdict is Verdict.NODATA
    assert "not split as planned" in rows["live_approve_rate"].sentence
    assert rows["one_kind"].verdict is Verdict.PASS
    assert "stop_split" in {alarm.rule for alarm in fired(one)}


def test_the_split_counts_entities_once(calm):
    row = next(row for row in review.review(calm, Stage.CANARY, calm.cube.steps[-1]).rows if row.gate == "split")
    assert row.verdict is Verdict.PASS
    assert row.n == live()["entity_id"].nunique()


@pytest.mark.parametrize(
    ("ramps", "shares"),
    [(("1%", "5 %"), [0.01, 0.05]), (("0.1",), [0.1]), (("first",), [0.5]), (("a", "b"), None), (("0%",), None)],
)
def test_planned_shares_are_read_from_the_ramp_or_the_manifest(calm, ramps, shares):
    found = stops.planned(calm.release, Stage.CANARY, ramps)
    if ramps == ("0%",):
        shares = [0.5]  # no share that could be planned: the manifest's one stage share counts
    assert found is None if shares is None else found.tolist() == pytest.approx(shares)


def test_the_way_back_alarms_until_it_is_rehearsed(tmp_path, monkeypatch):
    monkeypatch.setenv(ledger.book.ENVIRONMENT, str(tmp_path / "ledger.sqlite"))
    back = {"target": "m1", "how": "load m1", "max_minutes": 10, "drill_max_age_days": 60}
    one = opened(tmp_path / "r", live(2000), rollback=back)
    assert [alarm.rule for alarm in fired(one)] == ["stop_rollback"]
    ledger.record_drill(ledger.Ledger(), one.release.id, ledger.Drill("2026-03-05T00:00Z", 4, "sam"))
    assert fired(one) == ()


@pytest.mark.parametrize(
    ("declared", "recorded", "shown"),
    [
        (None, None, "none on record"),
        ("2026-03-04T00:00Z", None, "2026-03-04, 3 minutes"),
        (None, "2026-03-05T00:00Z", "2026-03-05, 4 minutes"),
        ("2026-03-06T00:00Z", "2026-03-05T00:00Z", "2026-03-06, 3 minutes"),
    ],
)
def test_overview_shows_the_rehearsal_that_the_gate_reads(tmp_path, monkeypatch, declared, recorded, shown):
    monkeypatch.setenv(ledger.book.ENVIRONMENT, str(tmp_path / "ledger.sqlite"))
    back = {"target": "m1", "how": "load m1", "max_minutes": 10, "drill_max_age_days": 60}
    back |= {"drilled": declared, "drill_minutes": 3} if declared else {}
    one = opened(tmp_path / "r", live(2000), rollback=back)
    if recorded:
        ledger.record_drill(ledger.Ledger(), one.release.id, ledger.Drill(recorded, 4, "sam"))
    page = overview.overview(View(one, Stage.CANARY, one.cube.steps[-1]))
    assert page.rollback["Last drill"] == shown


def test_the_page_says_what_to_do(harmed):
    found = view_of.page(View(harmed, Stage.CANARY, harmed.cube.steps[-1]))
    assert found.verdict is Verdict.FAIL
    assert found.action == "Roll back"
    assert found.advice.startswith("Roll back: Approval rate in ")
    assert next(row["verdict"] for row in found.rules) == "FAIL"
    assert "Nobody is told" in found.notices


def test_each_alarm_is_told_once(harmed, tmp_path, monkeypatch):
    monkeypatch.setenv(notify.FILE_VARIABLE, str(tmp_path / "notices.jsonl"))
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "cache"))
    seen = watch.look(harmed)
    watch.look(harmed)
    lines = [json.loads(line) for line in (tmp_path / "notices.jsonl").read_text().splitlines()]
    assert len(lines) == len(seen) > 0
    assert {line["rule"] for line in lines} == {alarm.rule for _, alarm in seen}

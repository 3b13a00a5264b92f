"""What stands: the latest decision, under this manifest, in time, by enough people; and the attempt count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from release_core.errors import LedgerError, SignOffRefused
from release_core.ledger import (
    Drill,
    RollbackRequest,
    attempt,
    go_signed,
    latest_drill,
    opening,
    record_drill,
    roll_back,
    sign,
    standing,
)
from release_core.release import SignOffRules, Stage, StagePlan
from tests.ledger.cases import a_release, ask, seen

HASH = "a" * 64


def signed(ledger, release=None, decision="go", signer="A. Lee", **changes):
    shown = seen(**changes)
    return sign(ledger, release or a_release(), shown, ask(shown, decision, signer=signer))


def state(ledger, distinct=1, stage="replay", manifest=HASH):
    return standing(ledger.records(), "credit-model", stage, manifest, distinct=distinct, now=ledger.clock())


def test_standing_without_a_decision(ledger):
    assert (state(ledger).decision, state(ledger).go) == (None, False)


def test_go_signed_in_force_for_its_stage_and_release_only(ledger):
    record = signed(ledger)
    assert state(ledger).record == record
    assert go_signed(ledger.records(), "credit-model", "replay", HASH)
    assert go_signed(ledger.records(), "credit-model", Stage.REPLAY, HASH)
    assert not go_signed(ledger.records(), "credit-model", "shadow", HASH)
    assert not go_signed(ledger.records(), "credit-threshold", "replay", HASH)


def test_go_signed_edited_manifest_voids_it(ledger):
    signed(ledger)
    assert not go_signed(ledger.records(), "credit-model", "replay", "b" * 64)
    assert "edited" in state(ledger, manifest="b" * 64).reason


def test_go_signed_until_it_expires(ledger, clock):
    signed(ledger, a_release(stages=(StagePlan(Stage.REPLAY, evidence_ttl_hours=24),)))
    clock.forward(hours=24, microseconds=-1)
    assert state(ledger).go
    clock.forward(microseconds=1)
    assert not state(ledger).go
    assert "expired" in state(ledger).reason


def test_go_signed_latest_decision_counts(ledger):
    signed(ledger)
    signed(ledger, decision="no_go", signer="B. Ray")
    assert (state(ledger).decision, state(ledger).go) == ("no_go", False)
    signed(ledger)
    assert state(ledger).go
    roll_back(ledger, a_release(), RollbackRequest("replay", "harm", "B. Ray"))
    assert (state(ledger).decision, state(ledger).go) == ("rollback", False)


def test_go_signed_needs_distinct_people_since_the_last_no_go(ledger):
    signed(ledger)
    assert (state(ledger, distinct=2).go, state(ledger, distinct=2).signers) == (False, ("A. Lee",))
    signed(ledger, signer="a.  lee", as_of="2026-06-01T00:00:00")
    assert not state(ledger, distinct=2).go
    signed(ledger, signer="B. Ray")
    assert state(ledger, distinct=2).go
    signed(ledger, decision="no_go", signer="C. Day")
    signed(ledger, signer="B. Ray")
    assert not state(ledger, distinct=2).go


def test_go_signed_under_an_older_manifest_does_not_count_as_a_signature(ledger):
    signed(ledger, a_release(manifest_hash="b" * 64), manifest_hash="b" * 64)
    signed(ledger, signer="B. Ray")
    assert state(ledger, distinct=2).signers == ("B. Ray",)


def test_an_attempt_is_a_manifest_decided_on_the_same_data(ledger, release):
    edited = replace(release, manifest_hash="b" * 64)
    mine = str(seen()["data_fingerprint"])
    assert attempt(ledger.records(), release, "replay", mine) == 1
    signed(ledger, release)
    assert attempt(ledger.records(), release, "replay", mine) == 1
    assert attempt(ledger.records(), edited, "replay", mine) == 2
    assert attempt(ledger.records(), edited, "shadow", mine) == 1
    assert attempt(ledger.records(), edited, "replay", "other data") == 1
    assert attempt(ledger.records(), replace(edited, id="other"), "replay", mine) == 1


def test_latest_drill_is_the_one_that_began_last(ledger):
    assert latest_drill(ledger.records(), "credit-model") is None
    for at in ("2026-05-02T10:00:00+02:00", "2026-05-01T10:00:00", "2026-05-02T07:59:00Z"):
        record_drill(ledger, "credit-model", Drill(at, 7, "A. Lee", "alias moved back"), "canary")
    record_drill(ledger, "other", Drill("2026-05-09T10:00:00", 7, "A. Lee"))
    assert latest_drill(ledger.records(), "credit-model") == Drill(
        "2026-05-02T08:00:00+00:00", 7.0, "A. Lee", "alias moved back"
    )


def test_record_drill_names_every_problem(ledger):
    with pytest.raises(LedgerError) as error:
        record_drill(ledger, "credit-model", Drill("yesterday", float("nan"), "", "x" * 4001))
    assert {problem.where for problem in error.value.problems} == {"who", "note", "minutes", "at"}
    with pytest.raises(LedgerError, match="after it was done"):
        record_drill(ledger, "credit-model", Drill("2026-06-01T12:00:01", 1, "A. Lee"))
    assert ledger.records() == []


STAGES = tuple(map(StagePlan, (Stage.REPLAY, Stage.CANARY, Stage.AB)))


def is_open(ledger, stage, release=None):
    return opening(ledger.records(), release or a_release(stages=STAGES), stage).open


def test_a_stage_opens_after_a_go_at_the_planned_one_before_it(ledger):
    release = a_release(stages=STAGES)
    assert is_open(ledger, "replay")
    assert not is_open(ledger, "canary")
    signed(ledger, release)
    assert is_open(ledger, "canary")
    assert not is_open(ledger, "ab")
    assert is_open(ledger, "shadow")  # not planned: nothing comes before it


def test_a_go_at_a_stage_that_is_not_open_is_refused_and_a_no_go_is_not(ledger):
    release = a_release(stages=STAGES)
    with pytest.raises(SignOffRefused, match="Sign replay first"):
        signed(ledger, release, stage="canary")
    signed(ledger, release, "no_go", stage="canary")
    signed(ledger, release)
    signed(ledger, release, stage="canary")


def test_what_closes_a_stage_again(ledger, clock):
    short = (replace(STAGES[0], evidence_ttl_hours=1), *STAGES[1:])
    release = a_release(stages=short)
    signed(ledger, release)
    clock.forward(days=9)
    assert is_open(ledger, "canary", release)  # expired evidence has done its work
    assert not is_open(ledger, "canary", replace(release, manifest_hash="b" * 64))
    roll_back(ledger, release, RollbackRequest("replay", "wrong file", "A. Lee"))
    assert not is_open(ledger, "canary", release)


def test_a_stage_opens_only_with_enough_signers(ledger):
    release = a_release(stages=STAGES, signoff=SignOffRules(distinct=2))
    signed(ledger, release)
    assert not is_open(ledger, "canary", release)
    signed(ledger, release, signer="B. Kim")
    assert is_open(ledger, "canary", release)

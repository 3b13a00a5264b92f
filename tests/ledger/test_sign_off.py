"""Signing: what the rules allow is recorded with its evidence, and all that they forbid is refused at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from release_core.errors import ChainBroken, LedgerError, SignOffRefused
from release_core.ledger import (
    Acceptance,
    Override,
    RollbackRequest,
    SignOff,
    Waiver,
    code_version,
    evidence,
    evidence_hash,
    roll_back,
    sign,
)
from release_core.ledger.chain import linked
from release_core.release import Freeze, SignOffRules, Stage, StagePlan
from tests.ledger.cases import START, a_release, ask, gate, seen

LONG = "The failing segment is switched off by policy until the next release."


def refused(ledger, release, evidence, request) -> set[str]:
    before = len(ledger.records())
    with pytest.raises(SignOffRefused) as error:
        sign(ledger, release, evidence, request)
    assert len(ledger.records()) == before
    return {problem.where for problem in error.value.problems}


def test_sign_records_what_was_seen(ledger, release):
    shown = seen("MARGINAL", gate("recall", "MARGINAL", difference=-0.012345678901234, low=float("nan")))
    request = ask(shown, signer=" A. Lee ", acceptances=(Acceptance("recall", "within the margin"),))
    record = sign(ledger, release, shown, request)
    signature = SignOff.read(record)
    assert (record.type, record.release, record.stage) == ("sign_off", "credit-model", "replay")
    assert (signature.signer, signature.decision, signature.verdict) == ("A. Lee", "go", "MARGINAL")
    assert signature.evidence == evidence(shown)
    assert signature.evidence_hash == evidence_hash(signature.evidence) == evidence_hash(shown)
    assert signature.gates[0]["difference"] == -0.0123456789012
    assert signature.acceptances == (Acceptance("recall", "within the margin"),)
    assert (signature.manifest_hash, signature.data_fingerprint) == ("a" * 64, "d" * 64)
    assert signature.code_version == code_version()
    assert signature.expires is None
    assert ledger.verify().ok


def test_sign_pass_needs_nothing_but_a_reason(ledger, release):
    assert SignOff.read(sign(ledger, release, seen(), ask(seen()))).decision == "go"


def test_sign_refusal_names_every_problem_at_once(ledger, release):
    shown = seen("FAIL")
    request = ask(shown, "go", reason=" ", signer="", evidence_hash="0" * 64, meaning="seen")
    assert refused(ledger, release, shown, request) == {"signer", "reason", "evidence", "meaning", "override"}


@pytest.mark.parametrize("decision", ["go", "conditional_go"])
def test_sign_against_fail_needs_an_override(ledger, release, decision):
    shown = seen("FAIL")
    assert refused(ledger, release, shown, ask(shown, decision)) == {"override"}
    short = ask(shown, decision, override=Override("Trust me."))
    assert refused(ledger, release, shown, short) == {"override reason"}
    record = sign(ledger, release, shown, ask(shown, decision, override=Override(LONG)))
    assert SignOff.read(record).override == Override(LONG)


def test_sign_override_reason_of_blanks_is_too_short(ledger):
    release = a_release(signoff=SignOffRules(override_reason_min_chars=0))
    shown = seen("FAIL")
    assert refused(ledger, release, shown, ask(shown, override=Override("   "))) == {"override reason"}


def test_sign_override_needs_a_second_person(ledger):
    release = a_release(signoff=SignOffRules(override_second=True))
    shown = seen("FAIL")
    for second in (None, " ", "a. LEE "):
        request = ask(shown, override=Override(LONG, second))
        assert refused(ledger, release, shown, request) == {"override second signer"}
    assert sign(ledger, release, shown, ask(shown, override=Override(LONG, "B. Ray"))).seq == 1


def test_sign_override_needs_a_role(ledger):
    release = a_release(signoff=SignOffRules(override_roles=("head_of_risk",)))
    shown = seen("FAIL")
    assert refused(ledger, release, shown, ask(shown, override=Override(LONG))) == {"override role"}
    assert sign(ledger, release, shown, ask(shown, role="head_of_risk", override=Override(LONG))).seq == 1
    second = ask(shown, signer="C. Day", override=Override(LONG, "B. Ray", "head_of_risk"))
    assert sign(ledger, release, shown, second).seq == 2


def test_sign_override_that_is_not_needed_is_refused(ledger, release):
    assert refused(ledger, release, seen(), ask(seen(), override=Override(LONG))) == {"override"}


def test_sign_undecided_needs_a_waiver_for_each_open_gate(ledger, release):
    shown = seen("NODATA", gate("fpr", "INCONCLUSIVE"), gate("brier", "NODATA"), gate("auc", "MARGINAL"))
    assert refused(ledger, release, shown, ask(shown, "conditional_go")) == {"gate fpr", "gate brier", "gate auc"}
    assert refused(ledger, release, shown, ask(shown, "go")) == {"override"}
    waivers = (Waiver("fpr", "B. Ray", "2026-06-01"), Waiver("brier", "C. Day", "2026-07-01", "labels in June"))
    request = ask(shown, "conditional_go", waivers=waivers, acceptances=(Acceptance("auc", "within the margin"),))
    signature = SignOff.read(sign(ledger, release, shown, request))
    assert signature.waivers == waivers
    assert signature.expires == "2026-06-02T00:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("waiver", "where"),
    [
        (Waiver("fpr", " ", "2026-07-01"), "owner of the waiver for fpr"),
        (Waiver("fpr", "B. Ray", "2026-05-31"), "expiry of the waiver for fpr"),
        (Waiver("fpr", "B. Ray", "soon"), "expiry of the waiver for fpr"),
        (Waiver("fpr", "B. Ray", ""), "expiry of the waiver for fpr"),
        (Waiver("fpr", "B. Ray", "2026-07-01", "x" * 4001), "note of the waiver for fpr"),
    ],
)
def test_sign_waiver_that_does_not_hold_is_refused(ledger, release, waiver, where):
    shown = seen("INCONCLUSIVE", gate("fpr", "INCONCLUSIVE"))
    assert refused(ledger, release, shown, ask(shown, "conditional_go", waivers=(waiver,))) == {where}


def test_sign_marginal_needs_each_acceptance_with_a_note(ledger, release):
    shown = seen("MARGINAL", gate("auc", "MARGINAL"), gate("fpr", "MARGINAL"))
    request = ask(shown, acceptances=(Acceptance("auc", ""),))
    assert refused(ledger, release, shown, request) == {"acceptance of auc", "gate fpr"}


@pytest.mark.parametrize("override", [None, Override(LONG, "B. Ray")])
@pytest.mark.parametrize("decision", ["go", "conditional_go"])
@pytest.mark.parametrize("changed", [["model", "thresholds"], ["policy"]])
def test_sign_mixed_release_is_no_go_only(ledger, release, decision, override, changed):
    shown = seen("PASS", changed=changed)
    assert refused(ledger, release, shown, ask(shown, decision, override=override)) == {"decision"}
    assert sign(ledger, release, shown, ask(shown, "no_go")).seq == 1


def test_sign_same_bundles_are_not_mixed(ledger, release):
    shown = seen("PASS", changed=[])
    assert sign(ledger, release, shown, ask(shown)).seq == 1


def test_sign_evidence_that_changed_since_it_was_shown_is_refused(ledger, release):
    request = ask(seen("PASS", gate("recall", "PASS", difference=0.1)), "no_go")
    assert refused(ledger, release, seen("PASS", gate("recall", "PASS", difference=0.2)), request) == {"evidence"}


def test_sign_evidence_of_another_release_or_manifest_is_refused(ledger, release):
    shown = seen(release="credit-threshold")
    assert refused(ledger, release, shown, ask(shown)) == {"evidence release"}
    assert refused(ledger, replace(release, manifest_hash="b" * 64), seen(), ask(seen())) == {"evidence manifest_hash"}


@pytest.mark.parametrize("key", ["release", "stage", "as_of", "verdict", "data_fingerprint", "changed", "gates"])
def test_sign_incomplete_evidence_is_an_error(ledger, release, key):
    shown = {name: value for name, value in seen().items() if name != key}
    with pytest.raises(LedgerError, match=f"no {key}"):
        sign(ledger, release, shown, ask(shown))


@pytest.mark.parametrize("change", [{"changed": [["model", "m1 to m2"]]}, {"gates": "all"}, {"gates": ["recall"]}])
def test_sign_evidence_of_another_form_is_an_error(ledger, release, change):
    shown = seen(**change)
    with pytest.raises(LedgerError, match="a list of"):
        sign(ledger, release, shown, ask(shown))


def test_sign_author_may_not_sign(ledger):
    release = a_release(signoff=SignOffRules(author_may_sign=False))
    assert refused(ledger, release, seen(), ask(seen(), signer="o.  wner")) == {"signer"}
    shown = seen("FAIL")
    second = ask(shown, override=Override(LONG, "O. Wner"))
    assert refused(ledger, release, shown, second) == {"second signer"}
    assert sign(ledger, release, shown, ask(shown, "no_go", signer="O. Wner")).seq == 1
    assert sign(ledger, a_release(), seen(), ask(seen(), signer="O. Wner")).seq == 2


def test_sign_role_that_the_stage_asks_for(ledger):
    release = a_release(
        stages=(StagePlan(Stage.REPLAY, approve=("release_manager",)),),
        signoff=SignOffRules(override_roles=("head_of_risk",)),
    )
    assert refused(ledger, release, seen(), ask(seen(), role="intern")) == {"role"}
    assert refused(ledger, release, seen(), ask(seen(), role="head_of_risk")) == {"role"}
    assert sign(ledger, release, seen(), ask(seen(), role="release_manager")).seq == 1
    shown = seen("FAIL")
    assert sign(ledger, release, shown, ask(shown, role="head_of_risk", override=Override(LONG))).seq == 2


def test_sign_freeze_lets_only_the_allowed_decisions_through(ledger):
    today = START.date()
    release = a_release(freezes=(Freeze(today, today + timedelta(days=2)),))
    assert refused(ledger, release, seen(), ask(seen())) == {"freeze"}
    assert sign(ledger, release, seen(), ask(seen(), "no_go")).seq == 1
    strict = a_release(freezes=(Freeze(date(2026, 5, 1), today, allow=("rollback",)),))
    assert refused(ledger, strict, seen(), ask(seen(), "no_go")) == {"freeze"}
    over = a_release(freezes=(Freeze(date(2026, 5, 1), today - timedelta(days=1)),))
    assert sign(ledger, over, seen(), ask(seen())).seq == 2


def test_sign_twice_by_the_same_person_is_refused(ledger, release):
    sign(ledger, release, seen(), ask(seen()))
    assert refused(ledger, release, seen(), ask(seen(), signer="a. lee")) == {"signer"}
    assert sign(ledger, release, seen(), ask(seen(), signer="B. Ray")).seq == 2
    newer = seen(as_of="2026-06-01T00:00:00")
    assert sign(ledger, release, newer, ask(newer)).seq == 3


def test_sign_again_after_a_change_of_mind(ledger, release):
    for decision in ("go", "no_go", "go", "no_go"):
        sign(ledger, release, seen(), ask(seen(), decision))
    assert refused(ledger, release, seen(), ask(seen(), "no_go")) == {"signer"}
    assert len(ledger.records()) == 4


def test_sign_again_after_the_signature_expired(ledger, clock):
    release = a_release(stages=(StagePlan(Stage.REPLAY, evidence_ttl_hours=24),))
    record = sign(ledger, release, seen(), ask(seen()))
    assert SignOff.read(record).expires == "2026-06-02T12:00:00.000000+00:00"
    clock.forward(hours=25)
    assert sign(ledger, release, seen(), ask(seen())).seq == 2


def test_sign_earliest_end_is_the_expiry(ledger):
    release = a_release(
        stages=(StagePlan(Stage.REPLAY, evidence_ttl_hours=72),), signoff=SignOffRules(override_expires_hours=6)
    )
    shown = seen("FAIL")
    record = sign(ledger, release, shown, ask(shown, override=Override(LONG)))
    assert SignOff.read(record).expires == "2026-06-01T18:00:00.000000+00:00"
    assert SignOff.read(sign(ledger, release, shown, ask(shown, "no_go"))).expires is None


def test_sign_third_manifest_on_the_same_events_needs_an_acceptance(ledger, release):
    for manifest in "bc":
        tried = replace(release, manifest_hash=manifest * 64)
        sign(ledger, tried, seen(manifest_hash=manifest * 64), ask(seen(manifest_hash=manifest * 64), "no_go"))
    assert refused(ledger, release, seen(), ask(seen())) == {"gate repeated_replay"}
    request = ask(seen(), acceptances=(Acceptance("repeated_replay", "no newer events exist"),))
    assert sign(ledger, release, seen(), request).type == "sign_off"


def test_sign_texts_are_limited(ledger, release):
    request = ask(seen(), reason="x" * 4001, signer="y" * 201, role="z" * 201)
    assert refused(ledger, release, seen(), request) == {"reason", "signer", "role"}
    assert sign(ledger, release, seen(), ask(seen(), reason="x" * 4000)).seq == 1


def test_sign_unknown_decision_is_refused(ledger, release):
    assert refused(ledger, release, seen(), ask(seen(), "maybe")) == {"decision"}


def test_sign_go_on_a_broken_ledger_is_refused_but_a_no_go_and_a_rollback_are_not(ledger, release, monkeypatch):
    ledger.append("drill", "other", None, {})
    forged = replace(ledger.records()[0], payload='{"x":1}')
    monkeypatch.setattr(ledger, "records", lambda *_, **__: [forged])
    assert refused(ledger, release, seen(), ask(seen())) == {"ledger"}
    assert sign(ledger, release, seen(), ask(seen(), "no_go")).seq == 2
    assert roll_back(ledger, release, RollbackRequest("replay", "harm", "A. Lee")).seq == 3


def test_roll_back_is_never_refused_but_for_a_missing_reason_or_name(ledger):
    release = a_release(freezes=(Freeze(START.date(), START.date(), allow=()),))
    with pytest.raises(SignOffRefused) as error:
        roll_back(ledger, release, RollbackRequest("canary", "", ""))
    assert {problem.where for problem in error.value.problems} == {"reason", "signer"}
    record = roll_back(ledger, release, RollbackRequest("canary", "The queue is full.", "O. Wner"))
    assert (record.type, record.stage, record.content["target"]) == ("rollback", "canary", "m1")


def test_signature_of_a_damaged_record_is_an_error_in_words():
    record = linked((0, "0" * 64), "", ("sign_off", "r", "replay"), '{"acceptances":[]}')
    with pytest.raises(ChainBroken, match="signature without its fields"):
        SignOff.read(record)

"""What each verdict allows: the table of the design, cell by cell."""

from __future__ import annotations

import pytest

from release_core.errors import LedgerError
from release_core.ledger import DECISIONS, REPEATED, allowed
from release_core.ledger.decisions import read_verdict
from release_core.release import Verdict
from tests.ledger.cases import gate

GATES = [
    gate("fine", "PASS"),
    gate("recall", "MARGINAL"),
    gate("recall", "MARGINAL"),
    gate("fpr", "inconclusive"),
    gate("brier", Verdict.NODATA),
    gate("psi", "INCONCLUSIVE", level="warn"),
    gate("queue", "NODATA", level="observe"),
    gate("small", "NODATA", counts=False),
]
MARGINAL = ("recall", "psi")
OPEN = ("fpr", "brier")


def needs(verdict, mixed=False, gates=GATES, attempt=1):
    return {
        need.decision: (need.possible, need.acceptances, need.waivers, need.override)
        for need in allowed(verdict, mixed, gates, attempt)
    }


@pytest.mark.parametrize(
    ("verdict", "go", "conditional"),
    [
        (Verdict.PASS, (True, (), (), False), (False, (), (), False)),
        (Verdict.MARGINAL, (True, MARGINAL, (), False), (False, (), (), False)),
        (Verdict.INCONCLUSIVE, (True, (), (), True), (True, MARGINAL, OPEN, False)),
        (Verdict.NODATA, (True, (), (), True), (True, MARGINAL, OPEN, False)),
        (Verdict.FAIL, (True, (), (), True), (True, (), (), True)),
    ],
)
def test_allowed_by_verdict(verdict, go, conditional):
    assert needs(verdict) == {"go": go, "conditional_go": conditional, "no_go": (True, (), (), False)}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_allowed_mixed_release_is_no_go_only(verdict):
    assert {decision: need[0] for decision, need in needs(verdict, mixed=True).items()} == {
        "go": False,
        "conditional_go": False,
        "no_go": True,
    }


@pytest.mark.parametrize("verdict", list(Verdict))
def test_allowed_third_attempt_needs_an_acceptance(verdict):
    before, after = needs(verdict, attempt=2), needs(verdict, attempt=3)
    assert REPEATED not in before["go"][1] + before["conditional_go"][1]
    assert REPEATED in after["go"][1]
    assert (REPEATED in after["conditional_go"][1]) is after["conditional_go"][0]
    assert after["no_go"] == before["no_go"]


def test_allowed_verdict_that_no_gate_carries_is_named_as_the_stage():
    assert needs(Verdict.MARGINAL, gates=[])["go"][1] == ("stage",)
    assert needs(Verdict.NODATA, gates=[])["conditional_go"][2] == ("stage",)


def test_allowed_gives_each_decision_with_a_sentence():
    for verdict in Verdict:
        given = allowed(verdict, False, GATES)
        assert tuple(need.decision for need in given) == DECISIONS
        assert all(need.why.endswith(".") for need in given)


def test_read_verdict_unknown_word():
    assert read_verdict("pass") is Verdict.PASS
    with pytest.raises(LedgerError, match="PASS, MARGINAL, INCONCLUSIVE, NODATA, FAIL"):
        read_verdict("green")


def test_allowed_gate_without_an_id_or_a_verdict_is_an_error():
    with pytest.raises(LedgerError, match="an id"):
        allowed(Verdict.NODATA, False, [{"verdict": "NODATA"}])
    with pytest.raises(LedgerError, match="evidence verdict"):
        allowed(Verdict.NODATA, False, [{"id": "recall"}])

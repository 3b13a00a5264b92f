"""The way back: every way in which it may not be proven, and what counts as the last rehearsal."""

from datetime import UTC, datetime, timedelta

import pytest

from release_core.gates import Moment, Rehearsal, age_days, last, readiness
from release_core.release import Rollback, Stage, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = Rollback("m1", "load m1", max_minutes=15, drill_max_age_days=30)


def moment(stage=Stage.AB, since=NOW - timedelta(days=5)):
    return Moment(stage, since, NOW)


@pytest.mark.parametrize(
    ("days", "minutes", "stage", "verdict", "words"),
    [
        (2, 9, Stage.AB, Verdict.PASS, "took 9 minutes"),
        (2, 15, Stage.AB, Verdict.PASS, "took 15 minutes"),
        (2, 15.5, Stage.AB, Verdict.FAIL, "took 15.5 minutes; at most 15 allowed"),
        (30, 9, Stage.AB, Verdict.PASS, "30 days before"),
        (31, 9, Stage.AB, Verdict.FAIL, "31 days old"),
        (2, 9, Stage.CANARY, Verdict.PASS, "rehearsed"),
        (6, 9, Stage.CANARY, Verdict.INCONCLUSIVE, "rehearse it in this stage"),
        (-1, 9, Stage.CANARY, Verdict.PASS, "rehearsed"),
    ],
)
def test_readiness(days, minutes, stage, verdict, words):
    found, sentence = readiness(PLAN, Rehearsal(NOW - timedelta(days=days), minutes), moment(stage))
    assert found is verdict
    assert words in sentence


def test_without_a_rehearsal_nothing_is_proven():
    found, sentence = readiness(PLAN, None, moment())
    assert found is Verdict.NODATA
    assert "No rollback to m1 was ever rehearsed" in sentence


def test_a_plan_without_limits_takes_any_rehearsal():
    found, _ = readiness(Rollback("m1", "load m1"), Rehearsal(NOW - timedelta(days=900), 9000), moment())
    assert found is Verdict.PASS


def test_the_later_of_manifest_and_ledger_counts():
    plan = Rollback("m1", "load m1", drilled=NOW - timedelta(days=3), drill_minutes=8)
    assert last(plan, None) == Rehearsal(NOW - timedelta(days=3), 8)
    assert last(plan, Rehearsal(NOW, 20)) == Rehearsal(NOW, 20)
    assert last(plan, Rehearsal(NOW - timedelta(days=9), 20)).minutes == 8


def test_a_drill_after_the_moment_has_no_negative_age():
    assert age_days(Rehearsal(NOW + timedelta(days=1), 5), NOW) == 0

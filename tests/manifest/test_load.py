"""What a good manifest says is what the Release holds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from release_core import manifest
from release_core.errors import ManifestError
from release_core.release import (
    About,
    Bundle,
    Comparison,
    Condition,
    Costs,
    CutoffTable,
    Freeze,
    GateSpec,
    Kind,
    LabelRules,
    Level,
    OutcomeMatch,
    Policy,
    PolicyRule,
    Rollback,
    Scale,
    Scenario,
    SegmentCutoffs,
    Segments,
    SignOffRules,
    Source,
    Stage,
    StagePlan,
    Watch,
)

HERE = Path(__file__).parent
LIVE = (Stage.CANARY, Stage.AB, Stage.FULL)


def test_load_worked_example_as_is(tmp_path):
    (tmp_path / "release.toml").write_bytes((HERE / "example.toml").read_bytes())
    release = manifest.load(tmp_path)
    assert (release.id, release.kind, release.named_changes) == ("rel-0042", Kind.THRESHOLD, ("thresholds",))
    assert release.folder == tmp_path
    assert release.decisions == Source("decisions/**/*.parquet", columns=(("entity_id", "customer_id"),))
    assert release.outcomes == Source("outcomes/**/*")
    assert release.runtime == Source("runtime/**/*")
    assert release.costs == Costs("EUR", 5.0, 2.0, None, 0.9, 400.0)
    assert release.cutoff_ids == ("t12.review", "t12.block", "t13.review", "t13.block")
    assert release.scale == Scale()
    assert release.freezes == (Freeze(date(2026, 11, 25), date(2026, 12, 2), ("rollback",)),)


def test_load_worked_example_adds_gates_to_the_house(load, example):
    release = load(example)
    gates = {gate.id: gate for gate in release.gates}
    assert gates["approve-rate"] == GateSpec(
        id="approve-rate",
        metric="approve_rate",
        comparison=Comparison.NON_INFERIORITY,
        stages=(Stage.REPLAY, Stage.CANARY, Stage.AB),
        margin=0.003,
        min_events=200,
        expect_n=400_000,
    )
    assert gates["recall"].margin == 0.02
    stops = {rule.id: rule for rule in release.stops}
    assert stops["queue"] == GateSpec(
        id="queue",
        metric="review_queue_hours_to_limit",
        comparison=Comparison.BUDGET,
        stages=LIVE,
        at_least=4.0,
        action="rollback",
    )


@pytest.fixture
def full(load):
    return load((HERE / "complete.toml").read_bytes())


def test_load_complete_head(full):
    assert full.title == 'Boosted trees instead of "the" logistic model'
    assert (full.owner, full.materiality) == ("b.öz", "low")
    assert full.baseline == Bundle("lr 1.4", "none", "t1", "p1")
    assert full.candidate == Bundle("hgb 2.0", "none", "t2", "p1")
    drilled = datetime(2026, 1, 31, 13, tzinfo=UTC)
    assert full.rollback == Rollback("lr 1.4", "point the alias at the old model", 5.0, "drill-1", 30.0, drilled, 4.0)
    note = "No customer is real."
    assert full.about == About("generated", "the demo generator", ("latency", "queue depth"), note)
    assert full.max_quarantined_share == 0.02


def test_load_complete_logs(full):
    columns = {"event_id": "uuid", "score": "Risk Score", "risk tier": "tier", "pay_status": "PAY_0"}
    assert dict(full.decisions.columns) == columns | {"cohort": "kohorte"}
    assert (full.decisions.path, full.decisions.layout) == ("s3://bucket/decisions/**/*.csv.gz", "long")
    assert full.decisions.epoch_unit == "ms"
    assert full.outcomes == Source("outcomes.jsonl", "wide", (("observed_at", "seen"),), "s")
    assert full.runtime == Source("gauges/*.csv", "wide", (("value", "reading"),))
    assert full.scale == Scale("points", 300.0, 850.0, 0.5, "lower")
    assert full.labels == LabelRules(
        positive=(OutcomeMatch("chargeback"), OutcomeMatch("review_result", "fraud")),
        negative=(OutcomeMatch("chargeback", "reversed"),),
        silence="negative",
        maturity_days=45.5,
        steps=(0.0, 24.0, 48.5),
    )
    assert full.costs == Costs("EUR", 5.0, 2.5, 10.0, 0.9, 400.0, 0.85, 0.5)
    mandatory = (("market", "EU"), ("replay_set", "last peak"))
    assert full.segments == Segments(("market", "risk tier"), ("surface",), mandatory, 100, 20)
    assert full.watches == (Watch("pay_status", 0.08),)


def test_load_complete_tables_and_rules(full):
    default = (("review", 590.5), ("block", 400.0))
    assert full.tables["t2"] == CutoffTable("t2", default, (), "t1", "equal_alert_rate", "last peak", "market")
    assert full.tables["t1"].segments == (
        SegmentCutoffs((("market", "EU"),), (("review", 610.0),)),
        SegmentCutoffs((("market", "EU"), ("surface", "web")), (("review", 620.0), ("block", 430.0))),
    )
    when = (
        Condition("amount", ">", 5000),
        Condition("market", "in", ("EU", "BR")),
        Condition("cohort", "is_missing", None),
        Condition("code", "not_in", (1, 2)),
        Condition("vip", "!=", value=True),
    )
    rules = (PolicyRule(when, "step_up", "large_amount"),)
    assert full.policies == {"p0": Policy("p0"), "p1": Policy("p1", rules, ("step_up",))}
    assert full.scenarios == (
        Scenario("mules", (Condition("cohort", "=", "mule"),), metric="recall", at_least=0.9, at_most=1.0),
        Scenario("two-events", event_ids=("e-1", "e-2"), action="step_up"),
    )


def test_load_complete_process(full):
    assert full.stages == (
        StagePlan(Stage.REPLAY),
        StagePlan(Stage.CANARY, (0.01, 0.05), 24.0, 7.0, ("release_manager",), 72.0),
    )
    roles = ("head_of_risk",)
    assert full.signoff == SignOffRules(2, False, ("prepared", "approved"), roles, 80, True, 24.0)
    assert full.freezes == (Freeze(date(2026, 11, 25), date(2026, 12, 2), ("rollback", "go")),)


def test_load_complete_gates(full):
    gates = {gate.id: gate for gate in full.gates}
    assert gates["recall"].margin == 0.01
    assert gates["recall"].stages == (Stage.REPLAY, Stage.SHADOW)
    assert gates["eu-recall"] == GateSpec(
        id="eu-recall",
        metric="recall",
        comparison=Comparison.NO_HARM,
        stages=(Stage.REPLAY, Stage.CANARY),
        unit="rel",
        scope="segment:market=EU",
        alpha=0.01,
        method="paired",
        level=Level.HOLD,
        on_nodata="observe",
        min_events=300,
        expect_n=10_000,
        kinds=(Kind.MODEL, Kind.POLICY),
        title="Recall in the EU",
    )
    assert {rule.id: rule for rule in full.stops}["queue"].stages == (Stage.CANARY,)


def test_load_minimal_manifest_uses_defaults(load, example):
    for key in ("source", "score", "costs", "segments", "stage", "gate", "stop", "signoff", "freeze", "scenario"):
        del example[key]
    del example["thresholds"]["t13"]["segment"]
    example["labels"] = {"positive": ["chargeback"]}
    release = load(example)
    assert release.labels == LabelRules((OutcomeMatch("chargeback"),))
    assert (release.costs, release.segments, release.signoff) == (None, Segments(), SignOffRules())
    assert release.decisions == Source("decisions/**/*")
    assert release.about == About()


def test_load_plain_false_negative(load, example):
    example["costs"]["false_negative"] = 25
    costs = load(example).costs
    assert (costs.false_negative, costs.amount_times) == (25.0, None)


def test_load_mixed_release(load, example):
    example["release"]["to"] |= {"model": "m8", "calibration": "c4"}
    assert load(example).named_changes == ("model", "calibration", "thresholds")


def test_load_other_component_than_the_kinds(load, example):
    example["release"]["kind"] = "policy"
    assert load(example).named_changes == ("thresholds",)


def test_load_same_bundle_twice_is_an_aa_release(load, example):
    example["release"]["to"] = example["release"]["from"]
    release = load(example)
    assert release.named_changes == ()
    assert release.rollback.target == release.baseline.thresholds


def test_load_accepts_a_byte_order_mark(load):
    assert load(b"\xef\xbb\xbf" + (HERE / "example.toml").read_bytes()).id == "rel-0042"


def test_load_missing_file_says_which(tmp_path):
    with pytest.raises(ManifestError) as raised:
        manifest.load(tmp_path, tmp_path / "absent.toml")
    assert [problem.where for problem in raised.value.problems] == ["release.toml", "absent.toml"]
    assert str(tmp_path) in raised.value.problems[0].found

from datetime import datetime

import pytest

FORMATS = ["day.csv", "day.csv.gz", "day.jsonl", "day.ndjson", "day.json", "day.parquet"]
FULL = {
    "arm": None,
    "ramp_step": "5%",
    "replay_set": "june",
    "baseline_action": "approve",
    "candidate_action": "hold",
    "action_taken": "approve",
    "baseline_reason": "r1",
    "baseline_latency_ms": 12.5,
    "candidate_fallback": True,
    "candidate_error": "timeout",
    "candidate_cost": 0.01,
    "label_propensity": 0.5,
    "pay_status": 2,
    "velocity": 4,
    "vip": False,
    "device": "web",
}


@pytest.mark.parametrize("name", FORMATS)
def test_read_gives_the_same_rows_in_every_format(check_rows, rows_of, name):
    rows = [rows_of(1, **FULL), rows_of(2), rows_of(3, market=None, tier="", amount=None, candidate_score=None)]
    report, good, bad = check_rows(rows, name=f"decisions/{name}")
    assert (report.read, report.accepted, bad) == (3, 3, [])
    assert good[0] == {
        "row": 1,
        "event_id": "e1",
        "event_time": datetime(2026, 3, 1, 10, 0, 1),
        "stage": "replay",
        "arm": "baseline",
        "ramp_step": "5%",
        "replay_set": "june",
        "entity_id": "c1",
        "market": "DE",
        "tier": "low",
        "amount": 11.5,
        "baseline_score": 0.25,
        "candidate_score": 0.75,
        "baseline_action": "approve",
        "candidate_action": "hold",
        "action_taken": "approve",
        "baseline_reason": "r1",
        "candidate_reason": None,
        "baseline_latency_ms": 12.5,
        "candidate_latency_ms": None,
        "baseline_fallback": None,
        "candidate_fallback": True,
        "baseline_error": None,
        "candidate_error": "timeout",
        "baseline_cost": None,
        "candidate_cost": 0.01,
        "label_propensity": 0.5,
        "pay_status": "2",
        "velocity": 4.0,
        "vip": False,
        "device": "web",
    }
    assert (good[2]["market"], good[2]["tier"], good[2]["ramp_step"]) == ("(missing)", "(missing)", "")
    assert good[2]["amount"] is None
    assert good[2]["candidate_score"] is None

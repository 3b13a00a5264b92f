"""Budgets of serving that are read at every step: planted breaches are seen soon, harmless serving is left alone."""

import numpy as np
import pandas as pd
import pytest

from release_core import metrics, review, stops
from release_core.release import Stage
from release_core.stats import histograms
from tests import factory, lived

RULES = [
    {"id": "latency", "metric": "latency_p99", "comparison": "budget", "at_most": 400.0},
    {"id": "errors", "metric": "error_rate", "comparison": "budget", "at_most": 0.12},
    {"id": "cost", "metric": "serving_cost", "comparison": "budget", "at_most": 6.0},
    {"id": "queue", "metric": "review_queue_hours_to_limit", "comparison": "budget", "at_least": 48.0},
]
RULES = [rule | {"title": rule["id"], "stages": ["canary"], "scope": "overall", "action": "hold"} for rule in RULES]


def opened(folder, log, samples=None):
    factory.write(folder, log, lived.outcomes(log), stop=RULES)
    if samples is not None:
        (folder / "runtime").mkdir()
        samples.to_parquet(folder / "runtime" / "0.parquet", index=False)
    return factory.opened(folder)


def fired(one):
    return {
        alarm.rule: alarm
        for alarm in stops.fired(one.release, one.cube, Stage.CANARY)
        if alarm.rule in {r["id"] for r in RULES}
    }


def test_serving_within_its_budgets_fires_nothing(tmp_path):
    assert fired(opened(tmp_path / "r", lived.decisions(4000, seed=31))) == {}


def test_planted_breaches_fire_within_days_of_their_beginning(tmp_path):
    log = lived.decisions(8000, seed=32)
    late = log["event_time"] >= factory.START + pd.Timedelta(days=6)
    rng = np.random.default_rng(1)
    slow = late & (rng.random(len(log)) < 0.15)
    log.loc[slow, "candidate_latency_ms"] = 900.0
    log.loc[late & (rng.random(len(log)) < 0.5), "candidate_error"] = "graph"
    log.loc[late, "candidate_cost"] = 0.02
    found = fired(opened(tmp_path / "r", log, lived.runtime()))
    assert set(found) == {"latency", "errors", "cost", "queue"}
    days = {rule: (alarm.at.replace(tzinfo=None) - factory.START).days for rule, alarm in found.items()}
    assert 6 <= days["latency"] <= 8
    assert 6 <= days["errors"] <= 9
    assert 6 <= days["cost"] <= 10
    assert "since 2026-01-07" in found["latency"].sentence
    assert "at most 400.0 ms required" in found["latency"].sentence


def test_the_share_of_slow_events_is_what_the_latency_rule_reads(tmp_path):
    log = lived.decisions(3000, seed=33)
    one = opened(tmp_path / "r", log)
    known = review.known_metrics(one.release)["latency_p99"]
    view = review.lived(one, Stage.CANARY, one.cube.steps[-1], (((), ()),))
    mine = log.loc[log["arm"] == "candidate", "candidate_latency_ms"].dropna()
    counts = view.steps(view.serving.latency)[0, :, 1].sum(0)
    for limit in (60.0, 120.0):
        above = histograms.share_above(counts, view.serving.edges, limit)
        assert above == pytest.approx((mine > limit).sum(), abs=12)
    assert metrics.breach(view, known, (None, 60.0), 0.01).since == 0
    assert metrics.breach(view, known, (None, 5000.0), 0.01) is None
    assert metrics.breach(view, known, (None, None), 0.01) is None

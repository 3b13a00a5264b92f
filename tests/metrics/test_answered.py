"""Events whose outcome is seen only by chance, in known labels, mature ones and nowcasts, against direct counts."""

import numpy as np
import pandas as pd
import pytest

from release_core.views import delay, nowcast
from release_core.views.view import View
from tests import factory
from tests.metrics.test_delayed import REPLAY, RULES, written


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Return a release whose blocked customers are asked, and the log: six in ten answer within days; `told`, who does."""
    log = written(12000, 11, 40, "2026-01-01", "replay")
    rng = np.random.default_rng(12)
    blocked = factory.actions(log["baseline_score"]) == "block"
    log["told"] = ~blocked | (rng.random(len(log)) < 0.6)
    wait = np.where(blocked, rng.exponential(4.0, len(log)), np.minimum(rng.lognormal(np.log(9), 0.7, len(log)), 29))
    told = pd.DataFrame(
        {
            "event_id": log["event_id"],
            "outcome": np.where(log["bad"], np.where(blocked, "fraud", "chargeback"), "legit"),
            "value": "",
            "observed_at": log["event_time"] + pd.to_timedelta(wait, unit="D"),
        }
    )
    # Of events that were let through only bad ones are told; silence says that the others are good.
    told = told[log["told"] & (log["bad"] | blocked)]
    # One says the same again when all events are mature, so that the logs reach that far.
    told = pd.concat([told, told[-1:].assign(observed_at=pd.Timestamp("2026-03-20"))], ignore_index=True)
    rules = RULES | {"negative": ["legit"], "unobserved": ["block"]}
    folder = factory.write(
        tmp_path_factory.mktemp("answered") / "r",
        log.drop(columns="told"),
        told,
        labels=rules,
        stage=[{"name": "replay"}],
    )
    return factory.opened(folder), log.assign(blocked=blocked, wait=wait)


def test_events_whose_outcome_is_seen_by_chance_count_in_all_three_readings(answered):
    opened, log = answered
    page = nowcast.quality(View(opened, REPLAY, opened.cube.steps[-1]))
    some = log[log["told"]]
    alert, bad = factory.actions(some["candidate_score"]) != "approve", some["bad"].to_numpy()
    direct = {
        "recall": alert[bad].mean(), "precision": bad[alert].mean(), "fpr": alert[~bad].mean(), "base_rate": bad.mean(),
        "oe_ratio": bad.sum() / some["candidate_score"].sum(),
    }  # fmt: skip
    for row in page.rows:
        if row["metric"] in direct:
            read = [row[f"{reading}_candidate"] for reading in nowcast.READINGS]
            assert read == pytest.approx([direct[row["metric"]]] * 3, rel=1e-6)
    counted = next(
        row for row in delay.counts(View(opened, REPLAY, opened.cube.steps[-1])).rows if row["action"] == "block"
    )
    mine = log["told"] & log["blocked"]
    assert (counted["events"], counted["known"]) == (mine.sum(), (mine & log["bad"]).sum())
    notes = delay.counts(View(opened, REPLAY, opened.cube.steps[-1])).notes
    assert notes[0].startswith(
        f"After block no outcome can be seen but by chance: of those events only the {mine.sum():,}"
    )


def test_events_seen_by_chance_are_nowcast_as_they_answer(answered):
    opened, log = answered
    step = opened.cube.step("2026-02-08")
    view = View(opened, REPLAY, step)
    end = pd.Timestamp(opened.cube.end(step)).tz_localize(None)
    one = delay.of(view)
    whole = pd.Timestamp(opened.cube.end(one.own.ends[int(np.flatnonzero(one.ready)[0])])).tz_localize(None)
    cohort = log[log["told"] & (log["event_time"] <= whole)]
    known = cohort[cohort["event_time"] + pd.to_timedelta(cohort["wait"], unit="D") <= end]
    block = next(row for row in delay.counts(view).rows if row["action"] == "block")
    assert block["known"] == (known["blocked"] & known["bad"]).sum() < (cohort["blocked"] & cohort["bad"]).sum()
    assert block["low"] <= (cohort["blocked"] & cohort["bad"]).sum() <= block["high"]
    rows = {row["metric"]: row for row in nowcast.quality(view).rows}
    alert = factory.actions(cohort["candidate_score"]) != "approve"
    final = {
        "precision": cohort["bad"][alert].mean(),
        "base_rate": cohort["bad"].mean(),
        "recall": alert[cohort["bad"]].mean(),
    }
    for name, value in final.items():
        assert rows[name]["nowcast_candidate_low"] <= value <= rows[name]["nowcast_candidate_high"], name

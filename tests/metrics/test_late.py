"""Late labels: counted as a plain loop over the log counts them, per arm, with an interval, and judged like any metric."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from release_core import review
from release_core.release import Stage, Verdict
from release_core.views import business, labels
from release_core.views.view import View
from tests import factory

DAYS = 10
GATE = {
    "id": "late",
    "metric": "late_label_share",
    "comparison": "budget",
    "stages": ["replay", "ab"],
    "scope": "overall",
    "level": "stop",
    "min_events": 20,
}


@pytest.fixture(scope="module")
def log():
    """Return a replay and an A/B test of bad events told 1 to 25 days later, events mature after ten days."""
    rng = np.random.default_rng(8)
    parts = []
    for stage in ("replay", "ab"):
        one = factory.decisions(1500, seed=len(parts), per_entity=3)
        arm = np.where(one["entity_id"].str[1:].astype(int) % 2, "candidate", "baseline") if stage == "ab" else None
        parts.append(one.assign(stage=stage, arm=arm, event_id=[f"{stage}{n}" for n in range(len(one))]))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(lag=rng.integers(1, 26, len(found)), bad=rng.random(len(found)) < 0.25)


@pytest.fixture(scope="module")
def opened(log, tmp_path_factory):
    bad = log[log["bad"]]
    told = pd.DataFrame(
        {
            "event_id": bad["event_id"],
            "outcome": "chargeback",
            "observed_at": bad["event_time"] + pd.to_timedelta(bad["lag"], unit="D"),
        }
    )
    rules = {"positive": ["chargeback"], "silence": "negative", "maturity_days": DAYS, "steps": "day"}
    folder = tmp_path_factory.mktemp("late") / "r"
    gates = [GATE | {"at_most": 0.9}, GATE | {"id": "too_many", "at_most": 0.2}]
    return factory.opened(factory.write(folder, log, told, labels=rules, gate=gates))


def expected(log, opened, stage, step, arm=None):
    """Return (late, all) known bad labels of mature events at the end of a step, by day as as-of times are."""
    end = pd.Timestamp(opened.cube.end(step)).tz_convert("UTC")
    mine = log[(log["stage"] == stage) & log["bad"] & ((log["arm"] == arm) if arm else True)]
    time = pd.to_datetime(mine["event_time"], utc=True)
    known, mature = (time + pd.to_timedelta(lag, unit="D") for lag in (mine["lag"], DAYS))
    counted = (known <= end) & (mature <= end)
    late = counted & (known.dt.floor("D") > mature.dt.floor("D"))
    return int(late.sum()), int(counted.sum())


def row(opened, stage, step, version="baseline"):
    rows = review.measured(opened, Stage(stage), step, names=["late_label_share"])
    return next(row for row in rows if row.version == version)


@pytest.mark.parametrize("place", [-1, -4, -12, -18])
@pytest.mark.parametrize(("stage", "version"), [("replay", "baseline"), ("ab", "baseline"), ("ab", "candidate")])
def test_share_is_that_of_a_plain_count(log, opened, stage, version, place):
    step = opened.cube.steps[place]
    late, every = expected(log, opened, stage, step, version if stage == "ab" else None)
    found = row(opened, stage, step, version)
    assert (round((found.value or 0) * found.n), found.n) == (late, every)


def test_interval_holds_the_share_and_is_about_that_of_a_binomial(log, opened):
    step = opened.cube.steps[-1]
    late, every = expected(log, opened, "ab", step, "candidate")
    found = row(opened, "ab", step, "candidate")
    exact = beta.ppf([0.025, 0.975], [late, late + 1], [every - late + 1, every - late])
    assert found.low < late / every < found.high
    assert 0.6 < (found.high - found.low) / (exact[1] - exact[0]) < 1.6


def test_versions_see_the_same_labels_before_the_candidate_acts(opened):
    step = opened.cube.steps[-1]
    assert row(opened, "replay", step).value == row(opened, "replay", step, "candidate").value
    assert row(opened, "replay", step, "difference").value is None


def test_before_anything_is_mature_it_is_not_known_and_not_nought(opened):
    first = opened.cube.steps[2]
    found = row(opened, "ab", first)
    assert (found.value, found.n) == (None, 0)
    assert "no bad label" in labels.late(View(opened, Stage.AB, first))


def test_gates_judge_it_and_pages_show_it(log, opened):
    step = opened.cube.steps[-1]
    verdicts = {one.gate: one.verdict for one in review.review(opened, Stage.AB, step).rows}
    assert (verdicts["late"], verdicts["too_many"]) == (Verdict.PASS, Verdict.FAIL)
    assert "late_labels" in verdicts
    late, every = expected(log, opened, "replay", step)
    assert f"{late:,} of {every:,} known bad labels" in labels.labels(View(opened, Stage.REPLAY, step)).late
    shown = {one["metric"] for one in business.page(View(opened, Stage.AB, step)).delayed}
    assert "late_label_share" in shown

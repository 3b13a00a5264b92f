"""The history of a release: its stages, what turned, what was decided, each at the right time."""

import pandas as pd
import pytest

from release_core import ledger
from release_core.release import Stage
from release_core.views import timeline
from release_core.views.view import View
from tests import factory


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a release with a replay and, ten days later, a canary of two ramp steps."""
    log = factory.decisions(3000, seed=51)
    canary = factory.decisions(2000, seed=52)
    odd = canary["entity_id"].str.removeprefix("c").astype(int) % 2
    day = canary["event_time"] - factory.START
    canary = canary.assign(
        event_time=canary["event_time"] + pd.Timedelta(days=30),
        stage="canary",
        arm=odd.map({0: "baseline", 1: "candidate"}),
        ramp_step=(day > pd.Timedelta(days=10)).map({False: "5%", True: "50%"}),
    )
    both = pd.concat([log.assign(arm=None, ramp_step=None), canary], ignore_index=True)
    folder = tmp_path_factory.mktemp("releases") / "r"
    stages = [{"name": "replay"}, {"name": "canary", "shares": [0.05, 0.5]}]
    return factory.opened(factory.write(folder, both, factory.outcomes(both), stage=stages))


def view(opened, place=-1):
    return View(opened, Stage.CANARY, opened.cube.steps[place])


def test_spans_say_when_each_stage_and_ramp_step_was_open(opened):
    rows = {(row["stage"], row["ramp_step"]): row for row in opened.cube.spans(opened.cube.steps[-1])}
    assert set(rows) == {("replay", ""), ("canary", "5%"), ("canary", "50%")}
    assert rows["replay", ""]["n"] == 3000
    label = opened.cube.label
    assert label(rows["canary", "5%"]["first"]) == "2026-01-31"
    assert rows["canary", "5%"]["last"] <= rows["canary", "50%"]["first"]
    assert {row["stage"] for row in opened.cube.spans(opened.cube.steps[5])} == {"replay"}


def test_looks_are_few_and_end_with_the_chosen_one(opened):
    found = timeline.looks(view(opened))
    assert len(found) <= timeline.MOST_LOOKS + 1
    assert found[-1] == opened.cube.steps[-1]
    assert found == sorted(set(found))
    assert timeline.looks(view(opened, 0)) == [opened.cube.steps[0]]
    # The next as-of time asks for few others, unless it is one from which on they stand farther apart.
    assert len({*timeline.looks(view(opened, 12))} - {*timeline.looks(view(opened, 11))}) == 1


def test_gates_that_turn_are_told_with_what_they_were(opened):
    found = timeline.timeline(view(opened), [])
    assert found.turned
    assert all(row["was"] != row["verdict"] for row in found.turned)
    assert [row["at"] for row in found.turned] == sorted((row["at"] for row in found.turned), reverse=True)
    kinds = {row["kind"] for row in found.chart.data}
    assert {"stage", "ramp step", "verdict"} <= kinds
    assert found.chart.alt.startswith("2 stages, the last is Canary since 2026-01-31")


def test_decisions_stand_at_the_time_of_their_evidence(tmp_path):
    book = ledger.Ledger(tmp_path / "ledger.sqlite")
    ledger.record_drill(book, "test", ledger.Drill("2026-01-12T10:00Z", 9, "sam"), "canary")
    book.append("sign_off", "test", "replay", {"decision": "conditional_go", "as_of": "2026-01-20", "signer": "kim"})
    rows = timeline.decided(book.records("test"))
    assert [(row["at"][:10], row["decision"], row["who"]) for row in rows] == [
        ("2026-01-12", "drill", "sam"),
        ("2026-01-20", "conditional go", "kim"),
    ]


def test_alarms_are_drawn(opened):
    alarm = {
        "at": "2026-02-05T00:00:00",
        "rule": "queue",
        "segment": "all",
        "action": "hold",
        "sentence": "It overruns.",
    }
    found = timeline.timeline(view(opened), [], [alarm])
    assert "1 alarm, the first on 2026-02-05" in found.chart.alt

"""Labels as of any time equal a plain reading of the rules, row by row, in pandas."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_core import review
from tests import factory

HOURS = 3600
UNITS = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M"}


def label(event, told, rules, moment):
    """Return 1, 0 or None: the latest matching outcome by then, positive first at equal times, then silence."""
    known = sorted(
        (at, value == "fraud") for at, value in told if event <= at <= moment and value in {"fraud", "legit"}
    )
    if known:
        return int(known[-1][1])
    silent = rules["silence"] == "negative" and event + pd.Timedelta(days=rules["maturity_days"]) <= moment
    return 0 if silent else None


@st.composite
def histories(draw):
    """Draw a few events, each with outcomes at any time after it (or a little before), some of them changing the label."""
    events = draw(st.lists(st.integers(0, 40 * 24), min_size=1, max_size=12))
    told = [
        draw(st.lists(st.tuples(st.integers(-20, 30 * 24), st.sampled_from(["fraud", "legit", "open"])), max_size=3))
        for _ in events
    ]
    rules = {"silence": draw(st.sampled_from(["unknown", "negative"])), "maturity_days": draw(st.integers(0, 20))}
    return events, told, rules, draw(st.sampled_from(list(UNITS)))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=histories())
def test_labels_as_of_every_step_follow_the_rules(case, tmp_path_factory):
    hours, told, rules, unit = case
    times = [factory.START + pd.Timedelta(hours=h) for h in hours]
    log = factory.decisions(len(times), seed=1, per_entity=1).assign(event_time=times)
    rows = [
        {"event_id": event, "outcome": "review_result", "value": value, "observed_at": at + pd.Timedelta(hours=after)}
        for event, at, mine in zip(log["event_id"], times, told, strict=True)
        for after, value in mine
    ]
    outcomes = pd.DataFrame(rows) if rows else None
    folder = tmp_path_factory.mktemp("r") / "r"
    opened = factory.opened(
        factory.write(folder, log, outcomes, labels=factory.tables()["labels"] | rules | {"steps": unit})
    )
    for step in opened.cube.steps:
        check_step(opened, step, list(zip(times, told, strict=True)), rules)


def check_step(opened, step, events, rules):
    moment = pd.Timestamp(opened.cube.end(step)).tz_localize(None)
    mature_by = pd.Timedelta(days=rules["maturity_days"])
    for mature in (False, True):
        cells = opened.cube.slice(review.stage_of(opened, None), step, (((), ()),), mature=mature)
        got = (
            [0, 0, 0]
            if not cells.segments
            else [int(getattr(cells.whole, name)[0, 0]) for name in ("events", "positives", "negatives")]
        )
        entered = [(at, mine) for at, mine in events if at <= moment]
        said = [
            label(at, [(at + pd.Timedelta(hours=after), value) for after, value in mine], rules, moment)
            for at, mine in entered
            if not mature or at + mature_by <= moment
        ]
        assert got == [len(entered), said.count(1), said.count(0)], (mature, moment)


def test_outcomes_before_their_event_are_set_aside_and_unknown_events_pend(tmp_path):
    log = factory.decisions(50, seed=2)
    told = factory.outcomes(log)
    told.loc[0, "observed_at"] = log["event_time"][0] - pd.Timedelta(days=1)
    told.loc[1, "event_id"] = "never seen"
    opened = factory.opened(factory.write(tmp_path / "r", log, told))
    (report,) = opened.cube.facts["logs"]["outcomes"]
    assert (report["read"], report["accepted"], report["quarantined"], report["pending"]) == (50, 49, 1, 1)
    assert report["reasons"] == {"observed before its event": 1}
    assert opened.cube.quarantined(10) == [
        {
            "file": "outcomes/00.parquet",
            "row": 1,
            "column": "observed_at",
            "value": "",
            "rule": "observed before its event",
        }
    ]


@pytest.mark.parametrize("text", ["2026-01-05", "2026-01-05T23:59:59.999999", "2026-01-06T00:59:59.999999+01:00"])
def test_an_as_of_text_means_the_same_instant_in_every_spelling(text, tmp_path):
    opened = factory.opened(factory.write(tmp_path / "r", factory.decisions(50)))
    assert opened.cube.label(opened.cube.step(text)) == "2026-01-05"

"""Outcomes of two arms read at every look: against sums written out, an integral, and their errors over many looks."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from release_core import metrics, review, stops
from release_core.gates import alarms
from release_core.metrics import outcomes
from release_core.release import Comparison, GateSpec, Stage
from release_core.stats import sequential
from tests import factory, lived
from tests.bench.arms import EVERYONE, POSITIVE, Truth, drawn, entered, first_cases, looks

COMPLAINTS = metrics.live_table(None)["complaint_rate"]
LOOKS = 48
RULE = {
    "id": "complaints",
    "title": "Complaints",
    "metric": "complaint_rate",
    "comparison": "non_inferiority",
    "margin": 0.5,
    "unit": "rel",
    "stages": ["canary"],
    "scope": "overall",
    "action": "hold",
}
GATE = {
    "id": "complaints_gate", "metric": "complaint_rate", "comparison": "non_inferiority", "margin": 0.05,
    "stages": ["canary"], "scope": "each_segment", "level": "hold",
}  # fmt: skip


def read(truth, seed):
    """Return the estimate [look, side] of how many events turn out bad, drawn from a truth without an effect."""
    counts, _ = looks(truth, seed)
    top, bottom = (np.moveaxis(counts[..., who].sum(-1), -1, -2)[None] for who in (POSITIVE, EVERYONE))
    return outcomes._read(COMPLAINTS, top, bottom, 5.0, 3000)


@pytest.mark.parametrize("bad", [0.002, 0.1])
def test_over_all_looks_harmless_arms_raise_fewer_alarms_than_alpha(bad):
    truth = Truth(entities=1500, looks=LOOKS, shares=(0.3, 0.5), bad=bad)
    fired = 0
    for seed in range(100):
        one = read(truth, seed)
        assert one.carried[0, -1] == (bad > 0.01)
        fired += bool((one.bounds(0.95, sides=1)[0][0, :, 2] > 0).any())
    assert fired <= 8  # at most 5 expected, simulation error 2.2


def test_bounds_of_few_cases_are_the_shares_own_sequences_joined_by_mover():
    one = read(Truth(entities=1500, looks=LOOKS, shares=(0.5,), bad=0.002), 1)
    low, high = (bound[0, -1] for bound in one.bounds(0.9, sides=1))
    for arm in (0, 1):
        hits, n = one.hits[0, -1, arm], one.base[0, -1, arm]
        for bound in (low[arm], high[arm]):
            if 0 < bound < 1:
                ratio = integrate.quad(lambda p, h=hits, m=n: stats.beta.pdf(p, h + 1, m - h + 1), 0, 1)[0]
                assert ratio == pytest.approx(1)
                # The Bayes factor of a uniform prior against the bound is 1 / alpha: Savage and Dickey's ratio.
                assert stats.beta.pdf(bound, hits + 1, n - hits + 1) == pytest.approx(0.1, rel=1e-4)
    p, q = one.value[0, -1, :2]
    assert low[2] == pytest.approx(q - p - np.hypot(q - low[1], high[0] - p))
    assert high[2] == pytest.approx(q - p + np.hypot(high[1] - q, p - low[0]))


@pytest.fixture(scope="module")
def log():
    return lived.decisions(6000, seed=41)


def told(log, share):
    """Return complaints a day after the events: of 1% of them, of `share` in the candidate's arm; some twice."""
    rng = np.random.default_rng(6)
    hit = rng.random(len(log)) < np.where(log["arm"] == "candidate", share, 0.01)
    again = hit & (rng.random(len(log)) < 0.2)
    rows = [
        pd.DataFrame({
            "event_id": log["event_id"][keep], "outcome": "complaint", "value": None,
            "observed_at": log["event_time"][keep] + pd.Timedelta(hours=hours),
        })
        for keep, hours in ((hit, 24), (again, 60))
    ]  # fmt: skip
    return pd.concat([*rows, lived.outcomes(log).query("outcome == 'review_result'")], ignore_index=True)


def opened(folder, log, share):
    return factory.opened(factory.write(folder, log, told(log, share), stop=[RULE], gate=[GATE]))


def fired(one):
    return [alarm for alarm in stops.fired(one.release, one.cube, Stage.CANARY) if alarm.rule == "complaints"]


def test_a_rare_harm_is_told_when_the_event_arm_test_proves_it(log, tmp_path):
    one = opened(tmp_path / "r", log, 0.05)
    (alarm,) = fired(one)
    rules = [rule for rule in one.release.stops if Stage.CANARY in rule.stages]
    limit = np.log(len(rules) / 0.05)
    cases = told(log, 0.05).query("outcome == 'complaint'").merge(log, on="event_id")
    first = cases.sort_values("observed_at").drop_duplicates(["ramp_step", "entity_id"])
    proven = {}
    for step in one.cube.steps:
        end = pd.Timestamp(one.cube.end(step)).tz_localize(None)
        seen = log[log["event_time"] <= end].groupby(["ramp_step", "entity_id"])["arm"].nunique()
        mixed = pd.MultiIndex.from_frame(first[["ramp_step", "entity_id"]]).isin(seen.index[seen > 1])
        known = first[(first["observed_at"] <= end) & ~mixed]
        counts = known.groupby(["ramp_step", "arm"]).size()
        evidence = 0.0
        for ramp, share in (("0.3", 0.3), ("0.5", 0.5)):
            x, y = (counts.get((ramp, arm), 0) for arm in ("candidate", "baseline"))
            null = 1.5 * share / (1.5 * share + 1 - share)
            mixed = integrate.quad(
                lambda p, x=x, y=y, a=6 * share, b=6 * (1 - share), q=null: stats.beta.pdf(p, a, b)
                * np.exp(x * np.log(p / q) + y * np.log((1 - p) / (1 - q))), 0, 1, points=[null], limit=200,
            )[0]  # fmt: skip
            evidence += np.log(mixed)
        proven[step] = evidence > limit
    assert alarm.step == next(step for step, sure in proven.items() if sure)
    assert not alarm.segment
    assert "first cases came to" in alarm.sentence


def of_markets(log):
    """Return the log with each entity in one market."""
    return log.assign(market=np.array(factory.DIMS["market"])[log["entity_id"].str[1:].astype(int) % 3])


def test_a_rare_harm_of_one_segment_is_told_there(log, tmp_path):
    log = of_markets(log)
    rng = np.random.default_rng(9)
    hurt = (log["arm"] == "candidate") & (log["market"] == "DE")
    hit = rng.random(len(log)) < np.where(hurt, 0.05, 0.008)
    said = pd.DataFrame({
        "event_id": log["event_id"][hit], "outcome": "complaint", "value": None,
        "observed_at": log["event_time"][hit] + pd.Timedelta(hours=24),
    })  # fmt: skip
    rule = RULE | {"scope": "each_segment"}
    one = factory.opened(factory.write(tmp_path / "r", log, said, stop=[rule]))
    found = fired(one)
    assert {"market": "DE"} in [alarm.segment for alarm in found]
    assert all(alarm.segment in ({}, {"market": "DE"}) for alarm in found)
    told_there = next(alarm for alarm in found if alarm.segment)
    assert "Complaint rate in market DE is higher: first cases came to" in told_there.sentence
    assert "segment of the first event" in told_there.sentence
    # Of its segments this rule spends a part of alpha on each: all events, three markets, two surfaces.
    frame, rules = one.cube.entities_by(Stage.CANARY), len([r for r in one.release.stops if Stage.CANARY in r.stages])
    place, kind = frame.segments.index({"market": "DE"}), frame.kinds.index("complaint")
    cases = frame.first[kind, place, :, :, 1], frame.first[kind, place, :, :, 0], [0.3, 0.5]
    fires = sequential.excess_evidence(*cases, 1.5) > np.log(6 * rules / 0.05)
    assert frame.looks[int(np.argmax(fires))] == told_there.step
    low = sequential.rate_ratio_least(*cases, 0.05 / rules / 6)
    np.testing.assert_array_equal(low > 1.5, fires)
    whole = fired(factory.opened(factory.write(tmp_path / "w", log, said, stop=[RULE])))
    assert not whole or whole[0].step > told_there.step


def test_harmless_clustered_releases_raise_fewer_alarms_in_segments_than_alpha():
    """Entities with five events each, 2 % of them seen in both arms and left out, in four segments and over all."""
    spec = GateSpec("r", "complaint_rate", Comparison.NON_INFERIORITY, (Stage.CANARY,), margin=0.0, unit="rel")
    truth, fired_in = Truth(entities=600, looks=24, shares=(0.3, 0.5), crossing=0.02), 0
    for seed in range(200):
        events = [drawn(truth, 4 * seed + place) for place in range(4)]
        first = np.stack([first_cases(truth, rows, 4 * seed + k, 0.02) for k, rows in enumerate(events)])
        n = np.stack([entered(truth, rows) for rows in events])
        every = (np.concatenate([part.sum(0)[None], part]) for part in (first, n))
        fired_in += bool(alarms.rare(spec, alarms.Cases(*every, np.array(truth.shares), 5.0), 0.1 / 5).fired.any())
    assert fired_in <= 27  # at most 20 expected at alpha 10 %, simulation error 4.2


def test_a_harmless_release_is_left_alone_and_its_gate_reads_sequences(log, tmp_path):
    one = opened(tmp_path / "r", log, 0.01)
    assert fired(one) == []
    found = review.review(one, Stage.CANARY, one.cube.steps[-1]).rows
    rows = [row for row in found if row.gate == "complaints_gate"]
    assert len(rows) > 1
    assert {row.method for row in rows} == {outcomes.RARE}
    assert {row.verdict.name for row in rows} <= {"PASS", "INCONCLUSIVE"}
    assert rows[0].verdict.name == "PASS"


def test_a_limit_of_complaints_is_read_at_every_look_and_what_nothing_reads_says_so(log, tmp_path):
    budget = {key: value for key, value in RULE.items() if key not in {"margin", "unit"}}
    rules = [budget | {"comparison": "budget", "at_most": 0.02}, RULE | {"id": "ranks", "metric": "auc", "unit": "abs"}]
    for share, sure in ((0.06, True), (0.01, False)):
        folder = tmp_path / f"r{share}"
        one = factory.opened(factory.write(folder, log, told(log, share), stop=rules))
        assert bool(fired(one)) == sure
        assert stops.unread(one.release, Stage.CANARY) == {"ranks"}
    assert "ranks" not in {alarm.rule for alarm in stops.fired(one.release, one.cube, Stage.CANARY)}


@pytest.mark.parametrize(("kept", "sure"), [(0.6, True), (0.9, False)])
def test_a_rule_on_a_share_of_what_came_of_events_is_read_by_shares_however_many_there_are(log, tmp_path, kept, sure):
    """Of reviews of the candidate's arm half as many come, of which as many find fraud, or clearly fewer."""
    rng = np.random.default_rng(10)
    own = (log["arm"] == "candidate").to_numpy()
    came = rng.random(len(log)) < np.where(own, 0.4, 0.8)
    fraud = rng.random(len(log)) < np.where(own, kept, 0.9)
    rows = pd.DataFrame({
        "event_id": log["event_id"][came], "outcome": "review_result", "value": np.where(fraud, "fraud", "good")[came],
        "observed_at": log["event_time"][came] + pd.Timedelta(hours=2),
    })  # fmt: skip
    rule = RULE | {"metric": "review_fraud_share", "margin": 0.1}
    one = factory.opened(factory.write(tmp_path / "r", log, rows, stop=[rule]))
    assert bool(fired(one)) == sure


def test_too_few_conversions_are_a_harm_the_other_way_round(log, tmp_path):
    rng = np.random.default_rng(8)
    keep = rng.random(len(log)) < np.where(log["arm"] == "candidate", 0.004, 0.05)
    rows = pd.DataFrame({
        "event_id": log["event_id"][keep], "outcome": "conversion", "value": None,
        "observed_at": log["event_time"][keep] + pd.Timedelta(hours=1),
    })  # fmt: skip
    rule = RULE | {"id": "conversions", "metric": "conversion_rate", "margin": 0.2}
    one = factory.opened(factory.write(tmp_path / "r", log, pd.concat([rows, told(log, 0.01)]), stop=[rule]))
    found = stops.fired(one.release, one.cube, Stage.CANARY)
    assert "lower" in next(alarm.sentence for alarm in found if alarm.rule == "conversions")

"""Cells of both scores, worlds, coverage, arrivals and three dimensions against direct counts over the written log."""

import numpy as np
import pandas as pd
import pytest

from release_core import worlds
from release_core.cube import WINDOW
from release_core.errors import NotFound, Unanswerable
from release_core.frames import EVERYONE, NEGATIVE, POSITIVE
from release_core.release import Stage
from tests import factory

REPLAY = Stage.REPLAY
TABLES = {"t1": {"default": factory.CUTOFFS}, "t2": {"default": {"review": 0.25, "block": 0.6}}}
RULES = {"rule": [{"when": [{"column": "amount", "op": ">", "value": 40}], "action": "review", "reason": "large"}]}


@pytest.fixture(scope="module")
def log():
    """Return a log whose events have propensities, an action taken and, on one side, reasons."""
    rows = factory.decisions(3000, seed=5, shift=0.4)
    rng = np.random.default_rng(6)
    rows["label_propensity"] = rng.choice([0.1, 0.5, 1.0], len(rows))
    rows["action_taken"] = rng.choice(["approve", "review"], len(rows))
    rows["cohort"] = rng.choice(["old", "new"], len(rows))
    return rows


@pytest.fixture(scope="module")
def mixed(log, tmp_path_factory):
    """Return a release in which score, cutoffs and policy change together."""
    before = {"model": "m1", "calibration": "c1", "thresholds": "t1", "policy": "p1"}
    after = {"model": "m2", "calibration": "c1", "thresholds": "t2", "policy": "p2"}
    release = {"id": "test", "kind": "model", "title": "Test", "from": before, "to": after}
    return factory.opened(
        factory.write(
            tmp_path_factory.mktemp("mixed") / "r",
            log,
            factory.outcomes(log),
            parts=3,
            release=release,
            thresholds=TABLES,
            policy={"p1": {}, "p2": RULES},
            segments={"dims": ["market", "surface", "cohort"], "min_events": 50},
        )
    )


def act(log, score, table, policy):
    """Return the actions of one world, written without the product's own code."""
    cut = TABLES[table]["default"]
    found = np.select([log[score] >= cut["block"], log[score] >= cut["review"]], ["block", "review"], "approve")
    return np.where((policy == "p2") & (log["amount"] > 40), "review", found)


def test_worlds_are_those_of_an_event_by_event_replay(mixed, log):
    answer = mixed.cube.worlds(REPLAY, mixed.cube.steps[-1])
    assert answer.players == ("model", "thresholds", "policy")
    for number in range(8):
        score = ("baseline_score", "candidate_score")[number & 1]
        taken = act(log, score, ("t1", "t2")[number >> 1 & 1], ("p1", "p2")[number >> 2 & 1])
        for place, action in enumerate(answer.actions):
            for population, keep in ((EVERYONE, log["bad"] | True), (POSITIVE, log["bad"]), (NEGATIVE, ~log["bad"])):
                here = keep & (taken == action)
                assert answer.counts[0, :, number, place, population].sum() == here.sum()
                assert answer.amounts[0, :, number, place, population].sum() == pytest.approx(log["amount"][here].sum())


def test_worlds_split_by_a_dimension_add_up_to_all(mixed):
    step = mixed.cube.steps[-1]
    whole, split = mixed.cube.worlds(REPLAY, step), mixed.cube.worlds(REPLAY, step, (("market",), ()))
    assert [segment["market"] for segment in split.segments] == ["AT", "DE", "PL"]
    assert (split.counts.sum(0) == whole.counts[0]).all()


def test_worlds_where_cutoffs_are_carried_over_leave_nothing_to_them(mixed, monkeypatch):
    carried = mixed.release.tables["t2"]
    object.__setattr__(carried, "carried_from", "t1")
    monkeypatch.setitem(mixed.release.tables, "t2", carried)
    found = worlds.combined(mixed.release)
    object.__setattr__(carried, "carried_from", None)
    assert all(found[number] == found[number ^ 2] for number in range(8))
    assert [world.thresholds for world in found[:2]] == ["t1", "t2"]


def test_map_counts_both_scores_of_each_event(mixed, log):
    answer = mixed.cube.map(REPLAY, mixed.cube.steps[-1])
    bins = [np.floor(4 * np.log(log[s] / (1 - log[s]))).astype(int) for s in ("baseline_score", "candidate_score")]
    first = min(b.min() for b in bins)
    expected = np.zeros_like(answer.n)
    np.add.at(expected, (bins[0] - first, bins[1] - first), 1)
    assert (answer.n == expected).all()
    assert answer.positive.sum() == log["bad"].sum()
    assert (answer.positive + answer.negative == answer.n).all()
    assert answer.amount.sum() == pytest.approx(log["amount"].sum())


def test_coverage_sums_inverse_propensities_of_labelled_events_by_action_taken(mixed, log):
    answer = mixed.cube.coverage(REPLAY, mixed.cube.steps[-1])
    assert answer.actions == ("approve", "review")
    for place, action in enumerate(answer.actions):
        mine = log[log["action_taken"] == action]
        assert answer.events[:, :, place].sum(1).tolist() == [len(mine)] * 2
        assert answer.positive[:, :, place].sum(1).tolist() == [mine["bad"].sum()] * 2
        assert answer.weight[0, :, place].sum() == pytest.approx((1 / mine["label_propensity"]).sum())
        assert answer.weight2[1, :, place].sum() == pytest.approx((1 / mine["label_propensity"] ** 2).sum())


def test_weights_of_pairs_are_split_by_label(mixed, log):
    cells = mixed.cube.slice(REPLAY, mixed.cube.steps[-1], (((), ()),))
    weight = 1 / log["label_propensity"]
    assert cells.whole.joint_weights[0, ..., POSITIVE].sum() == pytest.approx(weight[log["bad"]].sum())
    assert cells.whole.joint_weights[0, ..., NEGATIVE].sum() == pytest.approx(weight[~log["bad"]].sum())


def test_reasons_are_those_of_policy_rules_where_none_is_logged(mixed, log):
    rows = mixed.cube.reasons(REPLAY, mixed.cube.steps[-1])
    before, after = act(log, "baseline_score", "t1", "p1"), act(log, "candidate_score", "t2", "p2")
    differ = before != after
    assert sum(row["n"] for row in rows) == differ.sum()
    large = sum(row["n"] for row in rows if row["candidate_reason"] == "large")
    assert large == (differ & (log["amount"] > 40)).sum()
    explained = (
        mixed.cube.slice(REPLAY, mixed.cube.steps[-1], (((), ()),)).whole.joint_explained[0, ..., EVERYONE].sum()
    )
    assert explained == (differ & (log["amount"] > 40) & (before == "approve")).sum()


def test_arrivals_of_labels_and_outcomes_are_those_of_the_log(mixed, log):
    told = factory.outcomes(log)
    age = (told["observed_at"] - log["event_time"]).dt.days
    for step in (mixed.cube.steps[9], mixed.cube.steps[-1]):
        end = pd.Timestamp(mixed.cube.end(step)).tz_localize(None)
        answer = mixed.cube.arrivals(REPLAY, step)
        seen = log["bad"] & (told["observed_at"] <= end)
        assert answer.happened.sum() == (log["event_time"] <= end).sum()
        assert answer.arrived.sum((0, 1)).tolist() == np.bincount(age[seen]).tolist()
        known = mixed.cube.arrivals(REPLAY, step, kind="review_result")
        assert known.arrived.sum() == (told["observed_at"] <= end).sum()
    assert mixed.cube.kinds() == ("review_result",)
    with pytest.raises(NotFound, match="review_result"):
        mixed.cube.arrivals(REPLAY, step, kind="chargeback")


def test_three_dimensions_count_events_by_even_and_odd_shards(mixed, log):
    by = ("market", "surface", "cohort")
    cells = mixed.cube.slice(REPLAY, mixed.cube.steps[-1], ((by, ()),))
    pairs = mixed.cube.slice(REPLAY, mixed.cube.steps[-1], ((by[:2], ()),))
    assert len(cells.segments) == log[list(by)].drop_duplicates().shape[0]
    for place, segment in enumerate(cells.segments):
        mine = np.logical_and.reduce([log[dim] == value for dim, value in segment.items()])
        assert cells.whole.joint[place, ..., EVERYONE].sum() == mine.sum()
        assert cells.whole.positives[place].tolist() == [(mine & log["bad"]).sum()] * 2
    assert (cells.shards.events[:, 2:] == 0).all()
    even = pairs.shards.events[:, 0::2].sum((0, 1))
    assert cells.shards.events[:, 0].sum(0).tolist() == even.tolist()
    with pytest.raises(Unanswerable, match="at most 2"):
        mixed.cube.slice(REPLAY, mixed.cube.steps[-1], (((*by[:2], WINDOW), ()),))


def test_window_splits_labels_by_the_week_of_their_event(mixed, log):
    cells = mixed.cube.slice(REPLAY, mixed.cube.steps[-1], (((WINDOW,), ()),))
    monday = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    assert [segment[WINDOW] for segment in cells.segments] == sorted(monday.unique())
    assert cells.whole.positives[:, 0].tolist() == [
        (log["bad"] & (monday == name)).sum() for name in sorted(monday.unique())
    ]


def test_sample_is_bounded_masked_and_of_the_chosen_actions(mixed, log):
    rows = mixed.cube.sample(REPLAY, mixed.cube.steps[-1], ("approve", "review"), (("market", "AT"),), 500)
    assert len(rows) == 50
    named = log.set_index("event_id")
    for row in rows:
        event = named.loc[row["event"]]
        assert (event["market"], row["market"]) == ("AT", "AT")
        assert act(named.loc[[row["event"]]], "candidate_score", "t2", "p2") == "review"
        assert event["entity_id"] not in row.values()
        assert row["outcomes"] == "review_result = " + ("fraud" if event["bad"] else "legit")


def test_sample_masks_events_whose_id_holds_the_customer(tmp_path):
    log = factory.decisions(200, seed=8, shift=0.5)
    log["event_id"] = [f"{entity}-{n}" for n, entity in enumerate(log["entity_id"])]
    one = factory.opened(factory.write(tmp_path / "r", log))
    rows = one.cube.sample(REPLAY, one.cube.steps[-1], ("approve", "review"))
    assert rows
    assert not any(row["event"] in set(log["event_id"]) for row in rows)


def test_tables_of_one_dimension_refuse_two(mixed):
    where = (("market", "AT"), ("surface", "app"))
    for ask in (mixed.cube.map, mixed.cube.coverage, mixed.cube.reasons, mixed.cube.arrivals):
        with pytest.raises(Unanswerable, match="at most one dimension"):
            ask(REPLAY, mixed.cube.steps[-1], where)


def test_crossing_counts_who_reaches_which_cutoff_exactly(mixed, log):
    answer = mixed.cube.crossing(REPLAY, mixed.cube.steps[-1], (("market",), ()))
    assert [segment["market"] for segment in answer.segments] == ["AT", "DE", "PL"]
    cut = {name: table["default"] for name, table in TABLES.items()}
    bins = np.floor(64 * np.log(log["candidate_score"] / (1 - log["candidate_score"]))).astype(int) + 1025
    for place, segment in enumerate(answer.segments):
        mine = log["market"] == segment["market"]
        for k, name in enumerate(answer.cutoffs):
            table, action = name.split(".")
            reached = log["baseline_score"] >= cut[table][action]
            for side, keep in enumerate((mine & ~reached, mine & reached)):
                counted = np.bincount(bins[keep] - answer.grid.ids[0], minlength=len(answer.grid.ids))
                assert answer.n[place, k, side, :, EVERYONE].tolist() == counted.tolist()
                assert answer.n[place, k, side, :, POSITIVE].sum() == (keep & log["bad"]).sum()
                assert answer.n[place, k, side, :, NEGATIVE].sum() == (keep & ~log["bad"]).sum()
                assert answer.amount[place, k, side].sum() == pytest.approx(log["amount"][keep & log["bad"]].sum())
                squares = np.round(log["amount"][keep & log["bad"]] ** 2).sum()
                assert answer.amount2[place, k, side].sum() == pytest.approx(squares, abs=2)
            for j, other in enumerate(answer.cutoffs):
                table, action = other.split(".")
                there = log["candidate_score"] >= cut[table][action]
                assert answer.joint[place, k, j, 1, 0, EVERYONE] == (mine & reached & ~there).sum()
                assert answer.joint[place, k, j, 0, 1, POSITIVE] == (mine & ~reached & there & log["bad"]).sum()
    assert answer.n.sum((0, 2, 3))[:, EVERYONE].tolist() == [len(log)] * len(answer.cutoffs)

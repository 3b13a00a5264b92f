"""Causes of a mixed release against an event-by-event replay, planted shares, and the coverage of their intervals."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from release_core import attribution
from release_core.errors import Unanswerable
from release_core.frames import Worlds
from release_core.release import ACTIONS, Stage
from release_core.stats import shapley
from release_core.views import attribution as page
from release_core.views.view import View
from tests import factory

BEFORE = {"model": "m1", "calibration": "c1", "thresholds": "t1", "policy": "p1"}
RULES = {"rule": [{"when": [{"column": "surface", "op": "=", "value": "app"}], "action": "block", "reason": "app"}]}
TABLES = {"t1": {"default": factory.CUTOFFS}, "t2": {"default": {"review": 0.2, "block": 0.8}}}
COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}


def opened(folder, log, after):
    kind, component = next((name.removesuffix("s"), name) for name in after)
    release = {"id": "test", "kind": kind, "title": "Test", "from": BEFORE, "to": BEFORE | after}
    changes = {"release": release, "thresholds": TABLES, "policy": {"p1": {}, "p2": RULES}, "costs": COSTS}
    changes["rollback"] = {"target": BEFORE[component], "how": "put it back"}
    return factory.opened(factory.write(folder / "r", log, factory.outcomes(log), **changes))


def worlds(one):
    return one.cube.worlds(Stage.REPLAY, one.cube.steps[-1])


def replayed(log, number):
    """Return the actions of one world, event by event, without the product's own code."""
    score = log[("baseline_score", "candidate_score")[number & 1]]
    cut = TABLES[("t1", "t2")[number >> 1 & 1]]["default"]
    found = np.select([score >= cut["block"], score >= cut["review"]], ["block", "review"], "approve")
    return np.where((log["surface"] == "app") & bool(number >> 2), "block", found)


def by_hand(log, number):
    """Return every effect of one world."""
    action, bad = replayed(log, number), log["bad"]
    cost = 5 * ((action == "block") & ~bad).sum() + 2 * (action == "review").sum()
    cost += (1 + 0.9 * log["amount"])[(action == "approve") & bad].sum()
    return {
        **{f"{name}_rate": np.mean(action == name) for name in ("approve", "review", "block")},
        "recall": np.mean(action[bad] != "approve"),
        "fpr": np.mean(action[~bad] != "approve"),
        "precision": np.mean(bad[action != "approve"]),
        "fraud_loss": 1000 * log["amount"][(action == "approve") & bad].sum() / len(log),
        "cost": 1000 * cost / len(log),
    }


def test_every_effect_in_every_world_is_that_of_an_event_by_event_replay(tmp_path):
    log = factory.decisions(1500, seed=9, shift=0.5)
    one = opened(tmp_path, log, {"model": "m2", "thresholds": "t2", "policy": "p2"})
    effects = attribution.effects(one.release)
    assert set(effects) == set(by_hand(log, 0))
    hand = [by_hand(log, number) for number in range(8)]
    for name, effect in effects.items():
        found = attribution.attribute(worlds(one), effect)
        expected = [world[name] for world in hand]
        assert found.levels == pytest.approx(expected)
        assert [part.value for part in found.shares] == pytest.approx(shapley.shares(expected))
        assert found.n == len(log)
        assert all(part.low < part.value < part.high for part in found.shares)


@pytest.mark.parametrize(
    ("after", "still"),
    [
        ({"model": "m2"}, ("thresholds", "policy")),
        ({"thresholds": "t2"}, ("model", "policy")),
        ({"policy": "p2"}, ("model", "thresholds")),
    ],
)
def test_release_of_one_kind_owes_exactly_nothing_to_the_other_parts(tmp_path, after, still):
    log = factory.decisions(900, seed=3)
    if "model" not in after:
        log["candidate_score"] = log["baseline_score"]
    one = opened(tmp_path, log, after)
    assert attribution.nothing(worlds(one)) == still
    for effect in attribution.effects(one.release).values():
        found = attribution.attribute(worlds(one), effect)
        for player, share in zip(found.players, found.shares, strict=True):
            if player in still:
                assert (share.value, share.low, share.high) == (0, 0, 0)
            else:
                assert share.value == pytest.approx(found.total.value)
        assert found.separable


def test_planted_shares_are_found(tmp_path):
    """Each part moves its own market only, so the whole is the sum of three effects that can be counted."""
    log = factory.decisions(1800, seed=4)
    log["candidate_score"] = np.where(log["market"] == "AT", 0.9, log["baseline_score"])
    log["surface"] = np.where(log["market"] == "DE", "app", "web")
    log.loc[log["market"] != "PL", ["baseline_score", "candidate_score"]] = [0.1, 0.1]
    log.loc[log["market"] == "AT", "candidate_score"] = 0.85
    log.loc[log["market"] == "PL", ["baseline_score", "candidate_score"]] = [0.25, 0.25]
    one = opened(tmp_path, log, {"model": "m2", "thresholds": "t2", "policy": "p2"})
    share = {market: np.mean(log["market"] == market) for market in ("AT", "DE", "PL")}
    effects = attribution.effects(one.release)
    found = attribution.attribute(worlds(one), effects["approve_rate"])
    planted = [-share["AT"], -share["PL"], -share["DE"]]
    assert [part.value for part in found.shares] == pytest.approx(planted, abs=1e-12)
    assert all(abs(part.value) < 1e-12 for _, part in found.interactions)
    assert found.separable


def test_parts_that_only_work_together_are_not_separable(tmp_path):
    log = factory.decisions(900, seed=6)
    log["baseline_score"], log["candidate_score"] = 0.1, 0.25  # alerted only by the new cutoff on the new score
    one = opened(tmp_path, log, {"model": "m2", "thresholds": "t2"})
    found = attribution.attribute(worlds(one), attribution.effects(one.release)["review_rate"])
    assert [part.value for part in found.shares] == [0.5, 0.5, 0.0]
    assert dict(found.interactions)["model", "thresholds"].value == 1.0
    assert not found.separable


def planted(folder, **moves):
    """Return the attribution of cost where each part moves events of its own kind: what each saves is counted by hand.

    Costs per event: a missed positive 1 + 0.9 x 100 = 91, a review 2, a blocked negative 5.
    """
    rows = []
    for (old, new, surface, bad), n in moves.values():
        rows += [{"baseline_score": old, "candidate_score": new, "surface": surface, "bad": bad}] * n
    log = factory.decisions(len(rows), seed=2).assign(amount=100.0)
    log[["baseline_score", "candidate_score", "surface", "bad"]] = [list(row.values()) for row in rows]
    one = opened(folder, log, {"model": "m2", "thresholds": "t2", "policy": "p2"})
    found = attribution.attribute(worlds(one), attribution.effects(one.release)["cost"])
    return found, len(rows) / 1000


def test_planted_costs_of_each_part_are_found_exactly(tmp_path):
    """Additive: 40 bad found by the score save 89 each, 30 good sent to review by the cutoffs cost 2, 20 blocked by rule 5."""
    found, thousands = planted(
        tmp_path,
        score=((0.1, 0.5, "web", True), 40),
        cutoffs=((0.25, 0.25, "web", False), 30),
        policy=((0.1, 0.1, "app", False), 20),
        rest=((0.1, 0.1, "web", False), 910),
    )
    saved = np.array([-40 * (91 - 2), 30 * 2, 20 * 5]) / thousands
    assert [part.value for part in found.shares] == pytest.approx(saved)
    assert found.total.value == pytest.approx(saved.sum())
    assert all(abs(part.value) < 1e-9 for _, part in found.interactions)
    assert found.order_low == pytest.approx(found.order_high)
    assert found.separable


def test_what_is_nothing_is_exactly_nothing_not_a_rounding_error():
    levels = np.array([0.1, 0.3, 0.1 + 0.7, 0.3 + 0.7, 0.1, 0.3, 0.1 + 0.7, 0.3 + 0.7])
    found = attribution._exact(shapley.interactions(levels), levels)
    assert found[3] == found[5] == found[6] == found[7] == 0
    assert found[1] == pytest.approx(0.2)


def test_planted_cost_of_two_parts_that_need_each_other_is_halved(tmp_path):
    """50 bad are found only by the new cutoff on the new score (save 89 each); 10 good cost a block by the policy alone."""
    found, thousands = planted(
        tmp_path,
        both=((0.1, 0.25, "web", True), 50),
        policy=((0.1, 0.1, "app", False), 10),
        rest=((0.1, 0.1, "web", False), 940),
    )
    together = -50 * 89 / thousands
    assert [part.value for part in found.shares] == pytest.approx([together / 2, together / 2, 50 / thousands])
    assert dict(found.interactions)["model", "thresholds"].value == pytest.approx(together)
    assert (found.order_low[0], found.order_high[0]) == pytest.approx((together, 0))
    assert not found.separable


def test_planted_cost_of_a_rule_that_undoes_the_score(tmp_path):
    """The new score sends 60 bad app events to review (saves 89 each); the rule blocks them, at no cost, either way (saves 91)."""
    found, thousands = planted(tmp_path, undone=((0.1, 0.5, "app", True), 60), rest=((0.1, 0.1, "web", False), 940))
    # Alone: score -89, rule -91; together -91: so the interaction is +89, of which each takes half.
    each = np.array([-89 + 89 / 2, 0, -91 + 89 / 2]) * 60 / thousands
    assert [part.value for part in found.shares] == pytest.approx(each)
    assert dict(found.interactions)["model", "policy"].value == pytest.approx(89 * 60 / thousands)


def test_nothing_is_known_of_no_events(tmp_path):
    log = factory.decisions(300, seed=7)
    one = opened(tmp_path, log, {"model": "m2"})
    none = one.cube.worlds(Stage.REPLAY, one.cube.steps[0] - 1)
    found = attribution.attribute(none, attribution.effects(one.release)["recall"])
    assert np.isnan(found.total.value)
    assert found.n == 0


def test_money_needs_declared_costs(tmp_path):
    log = factory.decisions(300, seed=7)
    release = opened(tmp_path, log, {"model": "m2"}).release
    assert "cost" in attribution.effects(release)
    assert "cost" not in attribution.effects(dataclasses.replace(release, costs=None))


def test_interval_of_a_share_covers_the_truth(tmp_path):
    """600 draws of 32 shards of clustered events: 95% coverage is met within three standard errors (0.9 points)."""
    rng = np.random.default_rng(8)
    truth = np.array([0.30, 0.36, 0.33, 0.41, 0.31, 0.37, 0.34, 0.44])  # alert rate by world
    expected, hits = shapley.shares(truth)[0], 0
    release = opened(tmp_path, factory.decisions(200), {"model": "m2"}).release
    effect = attribution.effects(release)["approve_rate"]
    for _ in range(600):
        level = rng.normal(0, 0.05, (32, 1)) + truth  # shards differ together, as customers do
        events = rng.integers(80, 120, 32)
        alerts = rng.binomial(events[:, None], np.clip(level, 0, 1))
        counts = np.zeros((1, 32, 8, len(ACTIONS), 3))
        counts[0, :, :, 1, 0], counts[0, :, :, 0, 0] = alerts, events[:, None] - alerts
        one = Worlds(("model", "thresholds", "policy"), ({},), ACTIONS, counts, np.zeros_like(counts))
        share = attribution.attribute(one, effect).shares[0]
        hits += share.low <= -expected <= share.high
    assert abs(hits / 600 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 600)


def test_interval_of_money_covers_the_truth_where_few_bad_events_of_unlike_amounts_decide(tmp_path):
    """300 logs of about 200 bad events, of which about 16 change sides: the simulation's error is 1.3 points.

    value -+ t x error holds the truth in 9 of 10 such logs.
    """
    rng, logs, n, rate = np.random.default_rng(4), 300, 20_000, 0.08
    release = opened(tmp_path, factory.decisions(200), {"model": "m2"}).release
    effect = attribution.effects(release)["fraud_loss"]
    truth, held, plain = -1000 * rate * 200 * np.exp(3 + 1 / 2) / n, 0, 0
    for _ in range(logs):
        bad = rng.poisson(200)
        shard, amount, moved = rng.integers(0, 32, bad), rng.lognormal(3, 1, bad), rng.random(bad) < rate
        counts, amounts = np.zeros((2, 1, 32, 8, len(ACTIONS), 3))
        counts[..., 0, 2] = n / 32
        for world in range(8):
            action = np.where(moved & bool(world & 1), 1, 0)
            np.add.at(counts[0, :, world, :, 1], (shard, action), 1)
            np.add.at(amounts[0, :, world, :, 1], (shard, action), amount)
        counts[..., 2] -= counts[..., 1].sum(-1, keepdims=True) * (np.arange(len(ACTIONS)) == 0)
        counts[..., 0] = counts[..., 1] + counts[..., 2]
        one = Worlds(("model", "thresholds", "policy"), ({},), ACTIONS, counts, amounts)
        model, *others = attribution.attribute(one, effect).shares
        held += model.low <= truth <= model.high
        assert all((part.value, part.low, part.high) == (0, 0, 0) for part in others)
        each = np.bincount(shard, -1000 * amount * moved / n, 32)
        plain += abs(each.sum() - truth) <= stats.t.ppf(0.975, 31) * np.sqrt(32 * each.var(ddof=1))
    assert held / logs >= 0.95 - 2 * 0.0126
    assert plain / logs < 0.925


def few_moved(positives, negatives):
    """Return worlds of 3,200 events, 320 bad: the model sends some bad to review, the policy blocks some good ones."""
    counts = np.zeros((1, 32, 8, len(ACTIONS), 3))
    counts[..., 0, :] = 100, 10, 90
    for world in range(8):
        for place, shard in ((0, shard) for shard in range(positives if world & 1 else 0)):
            counts[place, shard, world, 0] -= 1, 1, 0
            counts[place, shard, world, 1] += 1, 1, 0
        for shard in range(negatives if world & 4 else 0):
            counts[0, shard, world, 0] -= 1, 0, 1
            counts[0, shard, world, 2] += 1, 0, 1
    return Worlds(("model", "thresholds", "policy"), ({},), ACTIONS, counts, 50.0 * counts)


def test_a_part_that_changes_actions_but_no_bad_event_is_not_proven_to_do_nothing_to_recall(tmp_path):
    release = opened(tmp_path, factory.decisions(200), {"model": "m2"}).release
    model, thresholds, policy = attribution.attribute(few_moved(5, 7), attribution.effects(release)["recall"]).shares
    assert model.low < 5 / 320 < model.high
    assert (thresholds.value, thresholds.low, thresholds.high) == (0, 0, 0)
    assert policy.value == 0
    assert policy.high == -policy.low == pytest.approx(1.96 * np.sqrt(2) / 322, rel=0.01)


def test_money_that_few_bad_events_decide_is_said_to(tmp_path):
    release = opened(tmp_path, factory.decisions(200), {"model": "m2"}).release
    effect = attribution.effects(release)["fraud_loss"]
    few, none = few_moved(5, 7), few_moved(0, 7)
    (said,) = page._few(attribution.attribute(few, effect), few)
    assert "the model lets 5 more or fewer through" in said
    (said,) = page._few(
        attribution.attribute(few, effect), dataclasses.replace(few, players=("thresholds", "model", "policy"))
    )
    assert "the cutoffs let 5 more or fewer through" in said
    assert not page._few(attribution.attribute(none, effect), none)


def test_a_choice_without_events_is_told(tmp_path):
    one = opened(tmp_path, factory.decisions(200), {"model": "m2"})
    with pytest.raises(Unanswerable, match="No event of market IT is in the logs"):
        page.page(View(one, Stage.REPLAY, one.cube.steps[-1], (("market", "IT"),)))

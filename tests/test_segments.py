"""What the Segments page says, against direct counts over the written log, with a slice planted in which recall is lost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from release_core.charts import digits
from release_core.release import Stage
from release_core.views import evidence, mix, segments, slices, transfer, transfer_counts
from release_core.views.view import View
from tests import factory

COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}
PLANTED = {"market": "DE", "surface": "web"}
DAYS = 20


@pytest.fixture(scope="module")
def log():
    """Return a log in which the candidate loses most bad events of the planted slice: nothing else differs in kind."""
    rows = factory.decisions(8000, seed=21, rate=0.2, per_entity=1)
    rng = np.random.default_rng(22)
    rows["cohort"] = rng.choice(["new", "old"], len(rows))
    here = np.all([rows[dim] == value for dim, value in PLANTED.items()], axis=0)
    lost = here & rows["bad"] & (rng.random(len(rows)) < 0.7)
    rows["candidate_score"] = np.where(lost, 0.01, rows["candidate_score"])
    return rows


@pytest.fixture(scope="module")
def view(log, tmp_path_factory):
    dims = {"dims": ["market", "surface", "cohort"], "min_events": 50}
    folder = tmp_path_factory.mktemp("segments") / "r"
    one = factory.opened(factory.write(folder, log, factory.outcomes(log), costs=COSTS, segments=dims))
    return View(one, Stage.REPLAY, one.cube.steps[-1])


def acted(log):
    return [factory.actions(log[f"{version}_score"]) for version in ("baseline", "candidate")]


def paid(action, bad, amount):
    missed = np.where(bad, 1 + 0.9 * amount, 0.0)
    return np.select([action == "approve", action == "block"], [missed, np.where(bad, 0.0, 5.0)], 2.0)


def inside(log, where):
    return np.all([np.ones(len(log), bool), *(log[dim] == value for dim, value in where.items())], axis=0)


@pytest.mark.parametrize("metric", ["recall", "expected_cost", "amount_recall"])
def test_the_planted_slice_is_found_first_and_nothing_else_is_confirmed(view, metric):
    found = slices.searched(view, metric)
    assert found.rows[0]["where"] == PLANTED
    assert [row["confirmed"] for row in found.rows] == [True] + [False] * (len(found.rows) - 1)
    assert "market DE, surface web" in found.headline
    assert "were tried" in found.account
    assert "at most 5%" in found.account


def test_metrics_in_which_nothing_was_planted_confirm_nothing(view):
    for metric in ("fpr", "fpr_block"):
        found = slices.searched(view, metric)
        assert not any(row["confirmed"] for row in found.rows)
        assert found.headline.startswith("No slice")
        assert not any(row["flag"] for row in slices.ranked(view, metric).rows)


def test_every_slice_of_the_ranking_is_a_direct_count(view, log):
    before, after = acted(log)
    bad = log["bad"].to_numpy()
    rows = slices.ranked(view, "recall", "harm").rows
    assert len(rows) > 15
    for row in rows:
        here = inside(log, row["where"])
        assert row["difference"] == pytest.approx(
            (after[here & bad] != "approve").mean() - (before[here & bad] != "approve").mean()
        )
        assert row["positives"] == (here & bad).sum()
        cost = paid(after, bad, log["amount"])[here].sum() - paid(before, bad, log["amount"])[here].sum()
        assert row["money_per_day"] == pytest.approx(cost / DAYS, rel=1e-6)
        assert row["money_low"] < row["money_per_day"] < row["money_high"]
        missed = (
            log["amount"][here & bad & (after == "approve")].sum()
            - log["amount"][here & bad & (before == "approve")].sum()
        )
        assert row["missed_per_day"] == pytest.approx(missed / DAYS)
        assert row["events_per_day"] == pytest.approx(here.sum() / DAYS)
        assert row["differ_per_day"] == pytest.approx((here & (before != after)).sum() / DAYS)
    assert [row["difference"] for row in rows] == sorted(row["difference"] for row in rows)


def test_orders_put_what_they_promise_on_top(view):
    money = [row["money_per_day"] for row in slices.ranked(view, "recall", "money").rows]
    sure = [-row["high"] for row in slices.ranked(view, "recall", "sure").rows]
    assert money == sorted(money, reverse=True)
    assert sure == sorted(sure, reverse=True)
    assert all(
        "where" in row and PLANTED.items() <= row["where"].items() for row in slices.ranked(view, "recall").rows[:1]
    )


def test_a_provable_margin_is_what_its_formula_says_and_needed_events_come_from_the_gate(view):
    row = next(row for row in slices.ranked(view, "recall").rows if row["needed"])
    margin = slices.gate(view, "recall").margin
    factor = scipy_stats.norm.ppf(0.95) + scipy_stats.norm.ppf(0.8)
    one = evidence.evidence(view, "recall")
    place = next(n for n in range(len(one.n)) if one.slices.segment(n) == row["where"])
    assert row["provable"] == pytest.approx(factor * one.se[place])
    more = row["n"] * ((2.5 * one.se[place] / (margin + row["difference"])) ** 2 - 1)
    assert row["needed"] == np.ceil(more)


def test_the_provable_margin_of_an_auc_is_no_smaller_than_what_unseen_events_may_hide(view):
    rows = segments.segments(view, "auc", ("market",)).rows
    for row in rows:
        fewest = min(row["positives"], row["n"] - row["positives"])
        hidden = (1 - 0.05 ** (1 / fewest)) * min(row["baseline"], row["candidate"])
        assert row["provable"] > hidden > 0


def test_a_filter_searches_within_it(view):
    inner = View(view.opened, view.stage, view.step, (("market", "DE"),))
    found = slices.searched(inner, "recall")
    assert found.rows[0]["where"] == PLANTED
    assert found.rows[0]["segment"] == "surface web"
    nowhere = View(view.opened, view.stage, view.step, (("market", "none"),))
    assert slices.searched(nowhere, "recall").rows == []
    assert slices.ranked(nowhere, "recall").rows == []


def test_segments_are_pulled_together_flagged_and_told_at_equal_mix(view, log):
    page = segments.segments(view, "recall", ("market", "surface"))
    rows = {tuple(row["where"].values()): row for row in page.rows}
    assert rows["DE", "web"]["flag"]
    assert sum(row["flag"] for row in page.rows) == 1
    assert all(row["provable"] > 0 for row in page.rows)
    assert page.rows[0]["where"] == PLANTED
    values = [row["difference"] for row in page.rows]
    pulled = [row["shrunken"] for row in page.rows]
    assert np.ptp(pulled) < np.ptp(values)
    assert any("at equal mix" in note for note in page.notes)
    assert any("at most 10%" in note for note in page.notes)
    assert segments.segments(view, "recall", ("market",)).notes[-1].startswith("Fewer than 5 segments")


def test_three_dimensions_are_judged_from_counts(view, log):
    page = segments.segments(view, "recall", ("market", "surface", "cohort"))
    assert len(page.rows) == 12
    before, after = acted(log)
    for row in page.rows:
        bad = inside(log, row["where"]) & log["bad"].to_numpy()
        assert row["difference"] == pytest.approx((after[bad] != "approve").mean() - (before[bad] != "approve").mean())
        assert row["low"] < row["difference"] < row["high"]


def test_two_dimensions_within_a_filter_are_judged_from_counts(view):
    dims = view.release.segments.all
    inner = replace(view, where=((dims[0], view.opened.cube.values(dims[0])[0]),))
    page = segments.segments(inner, "recall", dims[1:3])
    wide = {row["key"]: row for row in segments.segments(view, "recall", dims[:3]).rows}
    assert page.rows
    assert page.heatmap is not None
    for row in page.rows:
        assert row["candidate"] == wide[row["key"]]["candidate"]


def test_one_slice_is_told_with_its_money_and_its_cutoff(view, log):
    drill = segments.drill(view, tuple(PLANTED.items()))
    assert set(drill.facts) == {"Customers", "Events a day", "Acted on differently", "Money", "Bad amount missed"}
    assert drill.facts["Customers"] == digits.count(log["entity_id"][inside(log, PLANTED)].nunique())
    assert "EUR a day dearer" in drill.facts["Money"]
    assert dict(drill.scope) == PLANTED
    assert {row["cutoff"] for row in drill.cutoffs} == {"t1.review", "t1.block"}
    here, bad = inside(log, PLANTED), log["bad"].to_numpy()
    for row in drill.cutoffs:
        old, new = (log[f"{version}_score"].to_numpy()[here] for version in ("baseline", "candidate"))
        assert row["n"] == here.sum()
        assert row["wanted"] == pytest.approx((old >= row["at"]).mean())
        assert row["nominal"] == pytest.approx((new >= row["at"]).mean())
        assert row["reached"] == pytest.approx((new >= row["transferred"]).mean())
        assert row["recall"] == pytest.approx((new[bad[here]] >= row["transferred"]).mean())
        assert row["reached"] <= row["wanted"]
        # One step of 1/8 log-odds lower alerts on more than today.
        lower = 1 / (1 + np.exp(1 / 8) * (1 / row["transferred"] - 1))
        assert (new >= lower).mean() > row["wanted"]
        assert row["low"] < row["transferred"] < row["high"]
        assert "wider" in row["warnings"]


def test_the_cutoffs_of_three_dimensions_are_those_of_the_smallest_wider_slice(view, log):
    where = (*PLANTED.items(), ("cohort", "old"))
    drill = segments.drill(view, where)
    pairs = [tuple(pair for pair in where if pair[0] != dim) for dim, _ in where]
    least = min(pairs, key=lambda pair: inside(log, dict(pair)).sum())
    assert drill.scope == least
    assert drill.facts
    assert drill.pictures == ()
    share = inside(log, dict(where)).sum() / inside(log, dict(least)).sum()
    assert f"of which this slice is {digits.percent(share)}." in drill.note
    assert {row["cutoff"] for row in drill.cutoffs} == {"t1.review", "t1.block"}


@pytest.mark.parametrize("rule", list(transfer.RULES))
def test_cutoffs_of_two_dimensions_agree_with_those_of_paired_events_to_a_step(view, rule):
    """A market within a replay of one surface: its own filter is one dimension, the same events as two."""
    wide = {row["cutoff"]: row for row in transfer.rows_of(replace(view, where=(("market", "DE"),)), "", rule)}
    apart = transfer_counts._apart(replace(view, where=(("market", "DE"),)), ())
    paired = transfer_counts.counts(replace(view, where=(("market", "DE"),)))
    names, effects = list(wide), np.ones(len(wide))
    one, other = (found.places(names, effects, True) for found in (apart, paired))
    np.testing.assert_allclose(one.today, other.today)
    np.testing.assert_allclose(one.today_lost, other.today_lost)
    np.testing.assert_allclose(one.total, other.total)
    np.testing.assert_allclose(one.same, other.same)
    np.testing.assert_allclose(one.loss.sum(), other.loss.sum())
    asked = transfer.RULES[rule]
    at, _ = transfer._cutoff(other, transfer._value(other, other.today, other.today_lost, asked), asked)
    if rule != "loss":
        assert (transfer._apart_se(one, at, asked) > transfer._paired_se(other.pairs, other, at, asked)).all()
    many = transfer.rows_of(replace(view, where=(("market", "DE"),)), "surface", rule)
    assert {row["segment"] for row in many} == {"market DE", "app", "web"}
    assert all((row["low"] is None) == (rule == "loss") or row["alert_none"] for row in many if row["segment"] == "web")


def test_versions_on_the_same_events_see_the_same_mix_for_recall_and_another_for_precision(view, log):
    page = mix.mixed(view, "recall", "market")
    parts = {row["part"]: row for row in page.parts}
    assert parts["mix"]["difference"] == pytest.approx(0)
    assert "both see the same mix" in page.headline
    precision = mix.mixed(view, "precision", "market")
    assert sum(abs(row["mix"]) for row in precision.rows) > 0
    whole = {row["part"]: row["difference"] for row in precision.parts}
    assert whole["total"] == pytest.approx(whole["mix"] + whole["rate"])


def test_a_change_of_mix_between_periods_is_told_from_a_change_of_rate(log, tmp_path):
    """In the second half of the time the risky market doubles: the alert rate rises, within no market."""
    rng = np.random.default_rng(5)
    late = log["event_time"] >= log["event_time"].min().normalize() + pd.Timedelta(days=11)
    market = np.where(rng.random(len(log)) < np.where(late, 0.6, 0.3), "risky", "safe")
    rows = log.assign(market=market)
    for version in ("baseline", "candidate"):
        score = np.where(market == "risky", 0.5, 0.1) + 0.3 * rng.random(len(log))
        rows[f"{version}_score"] = score
    one = factory.opened(factory.write(tmp_path / "r", rows, factory.outcomes(log), segments={"dims": ["market"]}))
    there = View(one, Stage.REPLAY, one.cube.steps[-1])
    windows = mix.kinds(there)[mix.WINDOWS]
    first, last = windows[0], windows[-1]
    page = mix.mixed(there, "alert_rate", "market", mix.WINDOWS, (first, last))
    parts = {row["part"]: row for row in page.parts}
    assert parts["mix"]["low"] > 0.1
    assert parts["rate"]["low"] < 0 < parts["rate"]["high"]
    assert parts["standardised"]["difference"] == pytest.approx(parts["rate"]["difference"])
    week = rows["event_time"].dt.to_period("W").dt.start_time.dt.strftime("week of %Y-%m-%d")
    alert = pd.Series(factory.actions(rows["candidate_score"]) != "approve").groupby(week).mean()
    assert parts["total"]["difference"] == pytest.approx(alert[last] - alert[first])


def test_an_aggregate_that_points_the_other_way_is_warned_of(log, tmp_path):
    """Precision rises in both markets while it falls in all, because the alerts move to the market of low precision."""
    bad = log["bad"].to_numpy()
    rng = np.random.default_rng(8)
    market = np.where(rng.random(len(log)) < 0.5, "A", "B")
    keep = np.where(market == "A", bad & (rng.random(len(log)) < 0.9) | ~bad & (rng.random(len(log)) < 0.05), False)
    few = np.where(market == "B", bad & (rng.random(len(log)) < 0.05) | ~bad & (rng.random(len(log)) < 0.05), False)
    fewer = np.where(market == "A", bad & (rng.random(len(log)) < 0.1) | ~bad & (rng.random(len(log)) < 0.003), False)
    more = np.where(market == "B", bad & (rng.random(len(log)) < 0.9) | ~bad & (rng.random(len(log)) < 0.5), False)
    rows = log.assign(
        market=market,
        baseline_score=np.where(keep | few, 0.5, 0.1),
        candidate_score=np.where(fewer | more, 0.5, 0.1),
    )
    one = factory.opened(factory.write(tmp_path / "r", rows, factory.outcomes(log), segments={"dims": ["market"]}))
    there = View(one, Stage.REPLAY, one.cube.steps[-1])
    page = mix.mixed(there, "precision", "market")
    assert all(row["second"] > row["first"] for row in page.rows)
    assert next(row for row in page.parts if row["part"] == "total")["difference"] < 0
    assert "Simpson" in page.warnings[0]
    assert any("points the other way" in note for note in segments.segments(there, "precision", ("market",)).notes)


def test_a_population_that_does_not_exist_is_told(view):
    from release_core.errors import NotFound

    with pytest.raises(NotFound, match="2031"):
        mix.mixed(view, "recall", "market", mix.WINDOWS, ("2031", "2032"))
    with pytest.raises(NotFound, match="tides"):
        mix.mixed(view, "recall", "market", "tides", ("a", "b"))


def test_live_stages_rank_arms(log, tmp_path):
    # Each entity is in one arm: whoever was seen in both would be left out.
    arm = np.where(log["entity_id"].str[1:].astype(int) % 2 == 0, "candidate", "baseline")
    rows = log.assign(stage="ab", arm=arm)
    dims = {"dims": ["market", "surface"], "min_events": 50}
    one = factory.opened(
        factory.write(tmp_path / "r", rows, factory.outcomes(log), costs=COSTS, segments=dims, stage=[{"name": "ab"}])
    )
    there = View(one, Stage.AB, one.cube.steps[-1])
    found = slices.searched(there, "recall")
    assert found.rows[0]["where"] == PLANTED
    assert found.rows[0]["confirmed"]
    assert found.rows[0]["differ_per_day"] is None
    before, after = acted(log)
    here, bad = inside(log, PLANTED), log["bad"].to_numpy()
    own = [here & (arm == version) for version in ("baseline", "candidate")]
    amounts = [
        log["amount"][own[n] & bad & (action == "approve")].sum() / own[n].sum()
        for n, action in enumerate((before, after))
    ]
    assert found.rows[0]["missed_per_day"] == pytest.approx((amounts[1] - amounts[0]) * here.sum() / DAYS)
    assert mix.mixed(there, "recall", "market").headline

"""What the Selective labels page says, against direct counts over the log."""

import numpy as np
import pytest

from release_core.errors import Unanswerable
from release_core.release import Stage
from release_core.stats import selection as stats
from release_core.views import attribution, selection
from release_core.views.view import View
from tests import factory


def viewed(folder, log, told, **changes):
    one = factory.opened(factory.write(folder / "r", log, told, **changes))
    return View(one, Stage.REPLAY, one.cube.steps[-1])


@pytest.fixture(scope="module")
def log():
    return factory.decisions(2500, seed=21, shift=-0.2)


@pytest.fixture(scope="module")
def blocked(log):
    return (log["baseline_score"] >= factory.CUTOFFS["block"]).to_numpy()


@pytest.fixture(scope="module")
def hidden(log, blocked, tmp_path_factory):
    return viewed(tmp_path_factory.mktemp("h"), log, factory.outcomes(log)[~blocked])


def test_actions_are_those_of_a_direct_count(hidden, log, blocked):
    action = factory.actions(log["baseline_score"])
    rows = {row["action"]: row for row in selection.page(hidden).actions}
    assert set(rows) == set(action)
    for name, row in rows.items():
        mine = action == name
        assert row["mature"] == row["events"] == mine.sum()
        assert row["positive"] == (mine & log["bad"] & ~blocked).sum()
        assert row["amount"] == pytest.approx(log["amount"][mine].sum())
    assert rows["block"]["hidden"] == blocked.sum()
    assert rows["block"]["can_be_seen"] == "no: not one mature event has a label"
    assert (rows["review"]["hidden"], rows["review"]["can_be_seen"], rows["review"]["covered"]) == (0, "yes", 1.0)


def test_headline_and_the_line_of_other_pages_say_how_many_are_hidden(hidden, blocked, log):
    assert selection.page(hidden).headline.startswith(f"After block no outcome can be seen: {blocked.sum():,} of 2,500")
    line = selection.speaks(hidden)
    assert f"the {(~blocked).sum():,} of 2,500 events with a mature label" in line
    assert f"{blocked.sum():,} events can have no outcome" in line


@pytest.mark.parametrize("version", ["baseline", "candidate"])
def test_map_counts_labels_by_score_bin_and_action(version, hidden, log, blocked):
    cells = selection.score_map(hidden, version).data
    place = np.floor(4 * np.log(log[f"{version}_score"] / (1 - log[f"{version}_score"]))).astype(int)
    action = factory.actions(log["baseline_score"])
    assert sum(cell["n"] for cell in cells) == len(log)
    for cell in cells:
        mine = (action == cell["action"]) & (place == round(4 * np.log(cell["low"] / (1 - cell["low"]))))
        assert cell["n"] == mine.sum()
        assert cell["labelled"] == (mine & ~blocked).sum()


def test_numbers_lie_within_the_ranges_that_unseen_outcomes_leave(hidden, log):
    rows = {row["metric"]: row for row in selection.page(hidden).numbers}
    caught = factory.actions(log["candidate_score"]) != "approve"
    truth = {
        "recall": caught[log["bad"]].mean(),
        "fpr": caught[~log["bad"]].mean(),
        "precision": log["bad"][caught].mean(),
    }
    for name, right in truth.items():
        assert rows[name]["candidate_least"] <= right <= rows[name]["candidate_most"]
        assert rows[name]["candidate_least"] <= rows[name]["candidate"] <= rows[name]["candidate_most"]


def test_attribution_says_what_it_leaves_out(hidden, blocked):
    sentences = attribution.page(hidden, "recall").warnings
    assert any(f"{blocked.sum():,} events after block can have no outcome" in sentence for sentence in sentences)
    assert not any("no outcome" in sentence for sentence in attribution.page(hidden, "block_rate").warnings)


def test_log_that_hides_nothing_says_so(log, tmp_path):
    view = viewed(tmp_path, log, factory.outcomes(log))
    page = selection.page(view)
    assert "no action hides outcomes" in page.headline
    assert (page.hidden, page.weights, page.warnings) == (0, [], [])
    assert not any("candidate_least" in row for row in page.numbers)
    assert selection.sizing(view, 0.2) == []
    assert selection.speaks(view) == "Quality numbers speak for all 2,500 events."


def test_log_without_labels_knows_no_quality(log, tmp_path):
    view = viewed(tmp_path, log, None)
    assert "None of 2,500 events has a mature label" in selection.speaks(view)
    assert selection.page(view).hidden == 0


def test_silence_that_speaks_of_blocked_events_is_told(log, blocked, tmp_path):
    told = factory.outcomes(log)[~blocked]
    labels = factory.tables()["labels"] | {"silence": "negative"}
    view = viewed(tmp_path, log, told[told["value"] == "fraud"], labels=labels)
    (sentence,) = selection.page(view).warnings
    assert f"Silence counts all {blocked.sum():,} events after block as good" in sentence
    assert 'unobserved = ["block"]' in sentence


def test_sizing_grows_with_the_share_let_through(hidden, blocked, log):
    rows = selection.sizing(hidden, 0.2)
    one = next(row for row in rows if row["share"] == 0.01)
    assert one["outcomes"] == pytest.approx(0.01 * blocked.sum())
    assert one["reach"] == pytest.approx(1.96 * np.sqrt(0.16 / (0.01 * blocked.sum())), rel=1e-4)
    assert one["at_risk"] == pytest.approx(0.01 * 0.2 * log["amount"][blocked].sum())
    assert [row["reach"] for row in rows] == sorted((row["reach"] for row in rows), reverse=True)


@pytest.fixture(scope="module")
def weighted(log, blocked, tmp_path_factory):
    """Return a view and the mask of seen events: 3% of what is blocked is let through; web has no logged chance."""
    through = np.random.default_rng(2).random(len(log)) < 0.2
    chance = np.where(blocked, np.where(log["surface"] == "web", np.nan, 0.02), 1.0)
    seen = ~blocked | (through & (log["surface"] == "app"))
    rows = log.assign(label_propensity=chance, action_taken=np.where(seen, "approve", "block"))
    return viewed(tmp_path_factory.mktemp("w"), rows, factory.outcomes(log)[seen]), seen


def test_warnings_tell_thin_and_heavy_weights_and_what_none_stands_for(weighted, log, blocked):
    view, _ = weighted
    text = " ".join(selection.page(view).warnings)
    assert "Weights differ much" in text
    assert "Chances near 0: weights beyond 20" in text
    assert f"No chance is logged for {(blocked & (log['surface'] == 'web')).sum():,} unseen events" in text


def test_capped_numbers_show_what_the_cap_moves(weighted, log):
    view, seen = weighted
    row = next(row for row in selection.page(view).numbers if row["metric"] == "precision")
    acted = (factory.actions(log["candidate_score"]) != "approve") & seen
    chance = np.where((log["baseline_score"] >= 0.7) & (log["surface"] == "app"), 0.02, 1.0)
    bad = log["bad"].to_numpy()
    assert row["weighted"] == pytest.approx(np.average(bad[acted], weights=1 / chance[acted]))
    assert row["capped"] == pytest.approx(np.average(bad[acted], weights=np.minimum(1 / chance[acted], 20)))
    assert row["cap_bias"] == pytest.approx(row["capped"] - row["weighted"])


def test_total_of_bad_events_covers_the_truth():
    """1,000 draws: Horvitz and Thompson's total +- 1.96 SE covers within three standard errors of the simulation."""
    rng = np.random.default_rng(7)
    bad = rng.random(5000) < 0.3
    chance = np.where(rng.random(5000) < 0.5, 0.2, 0.6)
    hits = 0
    for _ in range(1000):
        seen = bad & (rng.random(5000) < chance)
        total, se = stats.horvitz_thompson((1 / chance[seen]).sum(), (1 / chance[seen] ** 2).sum())
        hits += abs(total - bad.sum()) < 1.96 * se
    assert abs(hits / 1000 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_filter_by_two_dimensions_is_refused_by_the_map_only(hidden):
    view = View(hidden.opened, hidden.stage, hidden.step, (("market", "AT"), ("surface", "app")))
    assert "Quality numbers speak for" in selection.speaks(view)
    with pytest.raises(Unanswerable, match="at most one dimension"):
        selection.page(view)

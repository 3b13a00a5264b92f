"""What the Disagreement page says, against direct counts over the log."""

import numpy as np
import pandas as pd
import pytest

from release_core.charts import digits
from release_core.release import Stage
from release_core.views import disagreement
from release_core.views.view import View
from tests import factory

COSTS = {"currency": "EUR", "false_positive": 5.0, "review": 2.0, "false_negative": {"fixed": 1.0, "amount_times": 0.9}}


@pytest.fixture(scope="module")
def log():
    rows = factory.decisions(1500, seed=12, shift=0.3)
    rows["candidate_reason"] = np.where(rows["market"] == "AT", "velocity", None)
    return rows


@pytest.fixture(scope="module")
def view(log, tmp_path_factory):
    one = factory.opened(factory.write(tmp_path_factory.mktemp("d") / "r", log, factory.outcomes(log), costs=COSTS))
    return View(one, Stage.REPLAY, one.cube.steps[-1])


def acted(log):
    return [factory.actions(log[f"{version}_score"]) for version in ("baseline", "candidate")]


def paid(action, bad, amount):
    """Return what each event costs, event by event."""
    missed = np.where(bad, 1 + 0.9 * amount, 0.0)
    return np.select([action == "approve", action == "block"], [missed, np.where(bad, 0.0, 5.0)], 2.0)


def test_pairs_are_those_of_a_direct_count(view, log):
    before, after = acted(log)
    counted = pd.crosstab(before, after)
    saved = paid(before, log["bad"], log["amount"]) - paid(after, log["bad"], log["amount"])
    rows = disagreement.page(view).pairs
    assert sum(row["n"] for row in rows) == (before != after).sum()
    for row in rows:
        here = (before == row["baseline"]) & (after == row["candidate"])
        assert row["n"] == counted.loc[row["baseline"], row["candidate"]]
        assert row["bad"] == pytest.approx(log["bad"][here].mean())
        assert row["amount"] == pytest.approx(log["amount"][here].sum())
        assert row["saved"] == pytest.approx(saved[here].sum())
        assert row["bad_low"] < row["bad"] < row["bad_high"]


def test_explained_share_needs_a_reason_on_the_side_that_does_more(view, log):
    before, after = acted(log)
    differ = before != after
    explained = differ & (before == "approve") & (log["market"] == "AT")
    _, rows = disagreement.by_segment(view, "market")
    assert {row["segment"]: row["explained"] for row in rows}["AT"] == pytest.approx(
        explained.sum() / (differ & (log["market"] == "AT")).sum()
    )
    assert {row["segment"]: row["explained"] for row in rows}["DE"] == 0
    assert disagreement.page(view).demand.startswith(digits.percent(explained.sum() / differ.sum()))
    assert "demands 90%" in disagreement.page(view).demand


def test_sizes_of_amounts_are_those_of_a_direct_count(view, log):
    before, after = acted(log)
    edges = [0, 0.01 * 1] + [step * 10.0**power for power in range(-1, 5) for step in (1, 2, 5)]
    chart, rows = disagreement.by_segment(view, disagreement.AMOUNT)
    counted = pd.cut(log["amount"], sorted({*edges, 0.02, 0.05}), right=False)
    groups = log.assign(differ=before != after).groupby(counted, observed=True)["differ"].agg(["size", "sum"])
    assert [row["n"] for row in rows] == groups["size"].tolist()
    assert [row["differ"] for row in rows] == groups["sum"].tolist()
    assert sum(row["amount"] for row in rows) == pytest.approx(log["amount"][before != after].sum())
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert chart.question == "How often do the versions differ, by amount?"


@pytest.mark.parametrize(
    ("amount", "group"), [(0.0, "none"), (1.0, "1.0 to 2.0"), (1.99, "1.0 to 2.0"), (1000.0, "1,000 to 2,000")]
)
def test_amount_on_a_step_belongs_to_the_group_that_begins_there(amount, group, tmp_path):
    log = factory.decisions(50, seed=1).assign(amount=amount)
    one = factory.opened(factory.write(tmp_path / "r", log))
    _, (row,) = disagreement.by_segment(View(one, Stage.REPLAY, one.cube.steps[-1]), disagreement.AMOUNT)
    assert row["segment"] == group


def test_money_by_dimension_is_that_of_the_events_that_differ(view, log):
    before, after = acted(log)
    _, rows = disagreement.by_segment(view, "market")
    for row in rows:
        mine = (log["market"] == row["segment"]) & (before != after)
        assert row["amount"] == pytest.approx(log["amount"][mine].sum())
        assert row["differ"] == mine.sum()


def test_personal_dimensions_are_masked_in_single_events_only(tmp_path, log):
    segments = {"dims": ["market", "surface"], "min_events": 50, "personal": ["surface"]}
    one = factory.opened(factory.write(tmp_path / "r", log, segments=segments))
    own = View(one, Stage.REPLAY, one.cube.steps[-1])
    rows = disagreement.sample(own, "approve", "review", 5)
    assert {row["surface"] for row in rows} == {"masked"}
    assert {row["market"] for row in rows} <= {"AT", "DE", "PL"}
    assert {row["segment"] for row in disagreement.by_segment(own, "surface")[1]} == {"app", "web"}


def test_reasons_add_up_to_the_disagreements(view, log):
    before, after = acted(log)
    rows = disagreement.page(view).reasons
    assert sum(row["n"] for row in rows) == (before != after).sum()
    assert {row["candidate_reason"] for row in rows} == {"velocity", disagreement.NO_REASON}


def test_sample_shows_scores_in_their_own_unit(view, log):
    rows = disagreement.sample(view, "approve", "review", 5)
    scores = log.set_index("event_id")["candidate_score"]
    assert len(rows) == 5
    assert [row["candidate_score"] for row in rows] == pytest.approx([scores[row["event"]] for row in rows], rel=1e-3)


def test_same_actions_everywhere_leave_nothing_to_explain(tmp_path, log):
    same = log.assign(candidate_score=log["baseline_score"])
    one = factory.opened(factory.write(tmp_path / "r", same, factory.outcomes(same)))
    page = disagreement.page(View(one, Stage.REPLAY, one.cube.steps[-1]))
    assert (page.pairs, page.reasons) == ([], [])
    assert page.demand.startswith("There is no disagreement to explain.")

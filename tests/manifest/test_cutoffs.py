"""Cutoff tables: the most specific row wins, and a table that contradicts itself does not load."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_core import manifest
from release_core.errors import ManifestError
from release_core.release import CutoffTable, SegmentCutoffs

DIMS = ("market", "surface", "risk_tier")


def table(*rows, **default):
    pairs = [(where, tuple(values.items())) for where, values in rows]
    segments = tuple(SegmentCutoffs(tuple(where.items()), values) for where, values in pairs)
    return CutoffTable("t", tuple(default.items()), segments)


def test_cutoffs_most_specific_row_wins_for_each_action_by_itself():
    rows = (
        ({"market": "EU", "surface": "web"}, {"block": 0.6}),
        ({"market": "EU"}, {"review": 0.2, "block": 0.7}),
    )
    found = table(*rows, review=0.3, block=0.8)
    assert manifest.cutoffs(found, {"market": "EU", "surface": "web"}) == {"review": 0.2, "block": 0.6}
    assert manifest.cutoffs(found, {"market": "EU", "surface": "app"}) == {"review": 0.2, "block": 0.7}
    assert manifest.cutoffs(found, {"surface": "web"}) == {"review": 0.3, "block": 0.8}


def test_cutoffs_absent_action_is_not_in_force():
    found = table(({"market": "EU"}, {"block": 0.9}), review=0.3)
    assert manifest.cutoffs(found, {}) == {"review": 0.3}
    assert manifest.cutoffs(found, {"market": "EU"}) == {"review": 0.3, "block": 0.9}


MISTAKES = [
    ({"default": None}, "no default"),
    ({"default": {}}, "an empty default"),
    ({"default/block": 1.2}, "block = 1.2; required: a score from 0 to 1"),
    ({"default/review": -0.1}, "review = -0.1"),
    ({"default/block": float("nan")}, "block = nan; required: a finite number"),
    ({"segment": None, "default/review": 0.9}, "review = 0.9, block = 0.8 for all events; required: review at mo"),
    ({"segment/0/block": 0.1}, "review = 0.3, block = 0.1 for market=EU, surface=web"),
    ({"segment/0/where": {}}, "no condition in where"),
    ({"segment/0/where": None}, "no condition in where"),
    ({"segment/0/where": {"markt": "EU"}}, 'Did you mean "market"?'),
    ({"segment/0/where": {"market": 3}}, "market = 3; required: one line of text"),
    ({"segment/0/block": None}, "no cutoff; required: review, block, or both"),
    ({"rule": "equal_alert_rate"}, "rule without carried_from"),
    ({"carried_by": "market"}, "carried_by without carried_from"),
    ({"carried_from": "t12"}, "no rule; required: one of equal_alert_rate"),
    ({"carried_from": "t11", "rule": "equal_alert_rate"}, "carried_from = 't11'; required: the id of a cutoff table"),
    ({"carried_from": "t13", "rule": "equal_alert_rate"}, "a table that does not come from this one"),
    ({"carried_from": "t12", "rule": "equal_fpr"}, "rule = 'equal_fpr'"),
    ({"carried_from": "t12", "rule": "equal_alert_rate", "carried_by": "age"}, "carried_by = 'age'; required: a decla"),
    ({"carried_from": "t12", "rule": "equal_alert_rate", "default": {"block": 0.8}}, "cutoffs for block; required:"),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "text"), MISTAKES)
def test_cutoff_table_that_cannot_hold(load, put, example, edits, text):
    for path, value in edits.items():
        put(example, f"thresholds/t13/{path}", value)
    with pytest.raises(ManifestError) as raised:
        load(example)
    (problem,) = raised.value.problems
    assert "thresholds.t13" in problem.where
    assert text in str(problem)


def test_cutoff_table_carried_in_a_circle(load, example):
    for name, other in (("t12", "t13"), ("t13", "t12")):
        example["thresholds"][name] |= {"carried_from": other, "rule": "equal_alert_rate"}
    with pytest.raises(ManifestError, match="does not come from this one"):
        load(example)


def test_cutoff_table_for_safer_scores_blocks_below_review(load, complete):
    complete["thresholds"]["t2"]["default"] = {"review": 400, "block": 590}
    with pytest.raises(
        ManifestError, match="review = 400, block = 590 for all events; required: review at least block"
    ):
        load(complete)


def test_cutoff_rows_equally_specific_are_ambiguous(load, example):
    rows = [{"where": {"market": "EU"}, "block": 0.7}, {"where": {"surface": "web"}, "block": 0.6}]
    example["thresholds"]["t13"]["segment"] = rows
    with pytest.raises(ManifestError) as raised:
        load(example)
    (problem,) = raised.value.problems
    assert problem.where == "release.toml [thresholds.t13]"
    assert problem.found == "block for market=EU and for surface=web, both as specific"
    assert problem.remedy == "Add a row for market=EU, surface=web, or merge them."
    # The row that it asks for settles it.
    rows.append({"where": {"market": "EU", "surface": "web"}, "block": 0.65})
    assert len(load(example).tables["t13"].segments) == 3


WHERE = st.dictionaries(st.sampled_from(DIMS), st.sampled_from("ab"), min_size=1)
ROWS = st.lists(
    st.builds(
        lambda where, values: {"where": where} | values,
        WHERE,
        st.dictionaries(st.sampled_from(["review", "block"]), st.sampled_from([0.2, 0.4, 0.6, 0.8]), min_size=1),
    ),
    max_size=5,
)


def winners(rows, action, event):
    """Return the cutoffs of the most specific rows that match the event."""
    matching = [row for row in rows if action in row and row["where"].items() <= event.items()]
    longest = max((len(row["where"]) for row in matching), default=0)
    return [row[action] for row in matching if len(row["where"]) == longest]


@settings(max_examples=150)
@given(rows=ROWS)
def test_cutoff_table_loads_exactly_if_every_event_has_one_answer_in_order(load, example_text, rows):
    default = {"review": 0.4, "block": 0.6}
    events = [dict(zip(DIMS, values, strict=True)) for values in product("abc", repeat=len(DIMS))]
    answers = [[winners(rows, action, event) or [default[action]] for action in default] for event in events]
    unique = all(len(found) == 1 for answer in answers for found in answer)
    ordered = all(review[0] <= block[0] for review, block in answers)
    try:
        loaded = load(example_text(default, rows)).tables["t13"]
    except ManifestError:
        assert not (unique and ordered)
    else:
        assert unique
        assert ordered
        expected = [{"review": review[0], "block": block[0]} for review, block in answers]
        assert [manifest.cutoffs(loaded, event) for event in events] == expected


@pytest.fixture(scope="module")
def example_text(read_example):
    """Return a function that gives the example with another table t13."""

    def with_table(default, rows):
        tables = read_example()
        tables["thresholds"]["t13"] = {"default": default, "segment": rows}
        return tables

    return with_table

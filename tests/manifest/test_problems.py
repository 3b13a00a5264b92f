"""Every mistake gives one problem that says where, what was found, what is required and what to do."""

from __future__ import annotations

import math

import pytest

from release_core.errors import ManifestError

SHARED = {"layout": "long", "versions": {"baseline": ["a", "b"], "candidate": ["b"]}}
# Path of the value that is set (None: removed), the value, where in release.toml it is reported, part of the text.
MISTAKES = [
    # types, missing keys, unknown keys
    ("schema", 2, "", "schema = 2; required: 1"),
    ("schema", True, "", "schema = true; required: 1"),
    ("schema", None, "", "no schema; required: 1. Add schema."),
    ("release", None, "", "no release; required: a table"),
    ("release", 3, "", "release = 3; required: a table. Write it as [release]"),
    ("release/titel", "x", "[release]", 'unknown key titel; required: only the keys kind, from, to'),
    ("release/titel", "x", "[release]", 'Did you mean "title"?'),
    ("release/a b", 1, "[release]", "unknown key 'a b'"),
    ("relaese", {}, "", 'Did you mean "release"?'),
    ("thresholds/t12/default/blok", 1, "[thresholds.t12.default]", 'Did you mean "block"?'),
    ("thresholds/t13/segment/0/x", 1, "[[thresholds.t13.segment]] #1", "unknown key x"),
    ("costs/false_negative/x", 1, "[costs.false_negative]", "only the keys fixed, amount_times. Remove it"),
    ("release/title", None, "[release]", "no title; required: one line of text"),
    ("release/title", "two\nlines", "[release]", "title = 'two\\nlines'"),
    ("release/id", "a/b", "[release]", "id = 'a/b'; required: up to 100 letters"),
    ("release/owner", 5, "[release]", "owner = 5; required: one line of text"),
    ("release/kind", "treshold", "[release]", 'Did you mean "threshold"?'),
    ("release/kind", ["model"], "[release]", "kind = ['model']; required: one of model, recalibration"),
    ("release/materiality", "huge", "[release]", "required: one of low, medium, high. Correct the value."),
    ("release/to/policy", None, "[release.to]", "no policy"),
    ("gate", {}, "", "gate = {}; required: a list of tables"),
    ("gate", [3], "", "gate item 1 = 3; required: a table"),
    ("rollback", None, "", "no rollback"),
    # bundles and the rollback point
    ("release/to/thresholds", "t14", "[release.to]", "thresholds = 't14'; required: an id declared below"),
    ("release/to/thresholds", "t14", "[release.to]", 'Did you mean "t13"?'),
    ("release/to/policy", "none", "[release.to]", "policy = 'none'; required: an id declared below [policy]"),
    ("release/to/policy", "none", "[release.to]", "Add a table [policy.none]."),
    ("rollback/target", "t13", "[rollback]", "component of the baseline (model m7, calibration c3, thres"),
    ("rollback/target", "m7", "[rollback]", "'m7', which the candidate keeps"),
    ("rollback/how", None, "[rollback]", "no how"),
    ("rollback/max_minutes", 0, "[rollback]", "max_minutes = 0; required: a number above 0"),
    ("rollback/max_minutes", math.nan, "[rollback]", "max_minutes = nan"),
    # sources, score, labels, costs
    ("source/decisions/layout", "tall", "[source.decisions]", "layout = 'tall'; required: one of wide, long"),
    ("source/decisions/versions", {"baseline": ["a"]}, "[source.decisions]", 'versions; required: layout = "long"'),
    ("source/decisions", SHARED, "[source.decisions.versions]", "b on one side and on both"),
    ("source/decisions/columns/entity", "x", "[source.decisions]", 'Did you mean "entity_id"?'),
    ("source/decisions/columns/entity_id", 1, "[source.decisions.columns]", "entity_id = 1"),
    ("source/outcomes/layout", "long", "[source.outcomes]", "unknown key layout"),
    ("source/runtime/epoch_unit", "h", "[source.runtime]", "epoch_unit = 'h'; required: one of s, ms"),
    ("source/labels", {}, "[source]", "unknown key labels"),
    ("score/scale", "points", "[score]", "no min; required: a finite number, because the score is in points"),
    ("score/min", 0, "[score]", "min for a probability"),
    ("score/higher_is", "better", "[score]", "one of riskier, safer"),
    ("labels/positive", [], "[labels]", "no positive outcome"),
    ("labels/positive", None, "[labels]", "no positive outcome"),
    ("labels/positive", "chargeback", "[labels]", "required: a list, each item one line of text"),
    ("labels/positive", ["chargeback", 4], "[labels]", "positive item 2 = 4"),
    ("labels/negative", ["chargeback"], "[labels]", "'chargeback' in positive and in negative"),
    ("labels/unobserved", ["blok"], "[labels]", 'Did you mean "block"?'),
    ("labels/holdout", 0.01, "[labels]", "holdout without unobserved"),
    ("segments/personal", ["markt"], "[segments]", "personal 'markt'"),
    ("labels/silence", "positive", "[labels]", "one of negative, unknown"),
    ("labels/maturity_days", -1, "[labels]", "maturity_days = -1; required: a number of at least 0"),
    ("labels/steps", "hours", "[labels]", 'Did you mean "hour"?'),
    ("labels/steps", [], "[labels]", "0 usable items in steps"),
    ("labels/steps", list(range(65)), "[labels]", "65 usable items in steps; required: 1 to 64 hours"),
    ("labels/steps", [0, 24, 24], "[labels]", "steps out of order"),
    ("costs/review", -2, "[costs]", "review = -2; required: a number of at least 0"),
    ("costs/false_negative", -1, "[costs]", "false_negative = -1"),
    ("costs/false_negative", {}, "[costs.false_negative]", "amount_times, fixed, or both"),
    ("costs/false_positive", True, "[costs]", "false_positive = true"),
    # segments, watches, quarantine, about
    ("segments/observe", ["Market"], "[segments]", "the dimension 'market' twice"),
    ("segments/observe", ["surface"], "[segments]", "the dimension 'surface' twice"),
    ("segments/observe", ["Stage"], "[segments]", "'Stage'; required: a name that the log contract"),
    ("segments/observe", ["replay_set"], "[segments]", "It is there by itself: remove replay_set."),
    ("segments/observe", ["a,b"], "[segments]", "the name of a column, without '=' and ','"),
    ("segments/mandatory", ["EU"], "[segments]", "mandatory item 1 = 'EU'; required: dimension=value"),
    ("segments/mandatory", ["markt=EU"], "[segments]", 'Did you mean "market"?'),
    ("segments/mandatory", ["market=EU", "market=EU"], "[segments]", "mandatory 'market=EU' twice"),
    ("segments", {"dims": ["surface"], "observe": ["market"], "mandatory": ["market=EU"]}, None, "is only observed"),
    ("segments/observe", ["_row"], "[segments]", "the dimension '_row'"),
    ("segments/min_events", 0.5, "[segments]", "a whole number of at least 1"),
    ("segments/cap", 0, "[segments]", "cap = 0"),
    ("watch", [{"column": "x"}], "[[watch]] #1", "no max_shift"),
    ("watch", [{"column": "x", "max_shift": 1.1}], "[[watch]] #1", "a share above 0, at most 1"),
    ("watch", [{"column": "x", "max_shift": 1}] * 2, "", "[[watch]] x twice"),
    ("quarantine", {"max_share": 2}, "[quarantine]", "a share from 0 to 1"),
    ("about", {"data": "fake"}, "[about]", "one of real, generated"),
    # policies and scenarios
    ("policy/p5/rule/0/when", [], "[[policy.p5.rule]] #1", "a rule without conditions"),
    ("policy/p5/rule/0/action", "blok", "[[policy.p5.rule]] #1", 'Did you mean "block"?'),
    ("policy/p5/rule/0/reason", None, "[[policy.p5.rule]] #1", "no reason"),
    ("policy/p5/rule/0/when/0/op", "==", "[[policy.p5.rule]] #1 when #1", "op = '=='; required: one of ="),
    ("policy/p5/rule/0/when/0/value", "5", "[[policy.p5.rule]] #1 when #1", "a finite number"),
    ("policy/p5/rule/0/when/0/value", None, "[[policy.p5.rule]] #1 when #1", "no value"),
    ("policy/p5/rule/0/when/0/op", "is_missing", "[[policy.p5.rule]] #1 when #1", "a value for is_missing"),
    ("policy/p5/rule/0/when/0/op", "in", "[[policy.p5.rule]] #1 when #1", "value = 5000; required: a list"),
    ("scenario/0/where/0", {"column": "c", "op": "in", "value": []}, None, "no value; required: a list of at least"),
    ("scenario/0/where/0", {"column": "c", "op": "in", "value": [1, "a"]}, None, "a mixed list of values"),
    ("scenario/1", {"id": "known-mule-accounts", "event_ids": ["e"], "expect": "block"}, "", "accounts twice"),
    ("scenario/0/event_ids", ["e"], "[[scenario]] known-mule-accounts", "where and event_ids"),
    ("scenario/0/where", None, "[[scenario]] known-mule-accounts", "neither where nor event_ids"),
    ("scenario/0/expect", "aprove", "[[scenario]] known-mule-accounts", 'Did you mean "approve"?'),
    ("scenario/0/expect", None, "[[scenario]] known-mule-accounts", "one of approve, review"),
    ("scenario/0/expect/metric", None, "[[scenario]] known-mule-accounts expect", "no metric"),
    ("scenario/0/expect/at_least", None, "[[scenario]] known-mule-accounts expect", "no bound"),
    ("scenario/0/expect/at_most", 0.5, None, "at_least = 0.9, at_most = 0.5; required: at_least <= at_most"),
    # stages, signatures, freezes
    ("stage/0/name", "canery", "[[stage]] canery", 'Did you mean "canary"?'),
    ("stage/0/shares", [0.1, 0.05], "[[stage]] canary", "shares = [0.1, 0.05]; required: rising shares"),
    ("stage/0/shares/0", 0, "[[stage]] canary", "shares item 1 = 0; required: a share above 0"),
    ("stage/0/min_hours", 200, "[[stage]] canary", "min_hours = 200, max_days = 7"),
    ("stage", [{"name": "canary"}] * 2, "", "[[stage]] canary twice"),
    ("signoff/distinct", 0, "[signoff]", "a whole number of at least 1"),
    ("signoff/meanings/0", "agreed", "[signoff]", "meanings item 1 = 'agreed'"),
    ("signoff/override/second", "yes", "[signoff.override]", "second = 'yes'; required: true or false"),
    ("freeze/0/from", "2026-13-01", "[[freeze]] #1", "from = '2026-13-01'; required: a date"),
    ("freeze/0/from", "2026-12-03", "[[freeze]] #1", "from = 2026-12-03, to = 2026-12-02"),
    ("freeze/0/allow", ["rolback"], "[[freeze]] #1", 'Did you mean "rollback"?'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "text"), MISTAKES)
def test_problem_stands_alone_and_is_explained(load, put, example, path, value, where, text):
    with pytest.raises(ManifestError) as raised:
        load(put(example, path, value))
    problems = raised.value.problems
    told = [problem for problem in problems if text in str(problem)]
    assert len(told) == 1, problems
    assert where is None or told[0].where == f"release.toml {where}".strip()
    assert all((told[0].found, told[0].required, told[0].remedy))
    assert len(problems) == 1 or (path, value) in TWICE, problems


# One edit that is two mistakes: points need both ends of their range.
TWICE = [("score/scale", "points")]


def test_problems_are_all_reported_at_once(load, put, example):
    put(example, "release/kind", "modl")
    put(example, "labels/maturity_days", -1)
    put(example, "thresholds/t13/default/block", 1.5)
    put(example, "gate/0/metrik", "auc")
    with pytest.raises(ManifestError) as raised:
        load(example)
    assert [problem.where for problem in raised.value.problems] == [
        "release.toml [release]",
        "release.toml [thresholds.t13.default]",
        "release.toml [labels]",
        "release.toml [[gate]] approve-rate",
    ]
    assert str(raised.value).count("\n") == 3


def test_problem_in_a_points_score_range(load, complete, put):
    with pytest.raises(ManifestError, match=r"min = 900, max = 850; required: min below max"):
        load(put(complete, "score/min", 900))


def test_problem_with_a_number_that_python_cannot_print(load):
    with pytest.raises(ManifestError, match="schema = a number with thousands of digits"):
        load("schema = 0x" + "F" * 5000)


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        (b"schema = 1\n  kind = = 2\n", "release.toml, line 2, column 10", "Invalid value in 'kind = = 2'"),
        (b"a = 1\na = 2\n", "release.toml, line 2, column 6", "Cannot overwrite a value in 'a = 2'"),
        (b'\xc3\xa4 = 1\nb = "\xff"\n', "release.toml, line 2, column 6", "the byte 0xff, which is not UTF-8"),
        (b'a = "open', "release.toml, line 1, column 10", "Unterminated string in 'a = \"open'"),
        (b"a = 1" + b"0" * 5000, "release.toml, line 1, column 5006", "Exceeds the limit"),
        (b"a = " + b"[" * 9000, "release.toml", "nested too deeply"),
    ],
)
def test_broken_toml_gives_the_place(load, content, where, found):
    with pytest.raises(ManifestError) as raised:
        load(content)
    (problem,) = raised.value.problems
    assert problem.where == where
    assert found in problem.found

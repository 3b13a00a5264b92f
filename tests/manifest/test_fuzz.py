"""Whatever the files hold, loading gives a Release or a ManifestError that explains itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from release_core.errors import ManifestError, Problem
from release_core.release import Release

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORDS = st.sampled_from(
    ["model", "t12", "t13", "market", "market=EU", "replay", "canary", "block", "budget", "in", "x"]
)
KEYS = st.sampled_from(
    [
        *(
            "schema",
            "release",
            "id",
            "kind",
            "title",
            "from",
            "to",
            "model",
            "thresholds",
            "policy",
            "rollback",
            "target",
        ),
        *("source", "decisions", "columns", "score", "min", "max", "labels", "positive", "steps", "costs", "segments"),
        *("dims", "mandatory", "default", "segment", "where", "rule", "when", "column", "op", "value", "scenario"),
        *("expect", "metric", "stage", "name", "shares", "gate", "stop", "comparison", "margin", "scope", "signoff"),
        *("override", "freeze", "watch", "about", "quarantine", "false_negative", "carried_from", "t12", "review"),
    ]
)
SCALARS = st.one_of(
    *(TEXT, WORDS, st.booleans(), st.integers(), st.just(10**400), st.floats()),
    *(st.dates(), st.datetimes(), st.times()),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXT, inner, max_size=4),
    max_leaves=12,
)


def explains_itself(load, content, house=None):
    """Load, and return whether it succeeded; a refusal has problems in four parts that can be printed."""
    try:
        release = load(content, house)
    except ManifestError as error:
        refused = error
    else:
        assert isinstance(release, Release)
        return True
    assert refused.problems
    for problem in refused.problems:
        assert isinstance(problem, Problem)
        assert all((problem.where, problem.found, problem.required, problem.remedy))
        assert len(str(problem)) < 2_000
    return False


@settings(max_examples=100)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_explained(load, content):
    assert not explains_itself(load, content)


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_text_is_explained(load, read_text, data):
    text = read_text("example.toml").encode()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 40)))
    explains_itself(load, text[:start] + data.draw(st.binary(max_size=6) | TEXT.map(str.encode)) + text[stop:])


def places(value, path=()):
    """Return every path into nested tables and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@settings(max_examples=200)
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere_is_explained(load, read_example, data, value):
    tables = read_example(data.draw(st.sampled_from(["example.toml", "complete.toml"])))
    *parents, last = data.draw(st.sampled_from(places(tables)[1:]))
    place = tables
    for part in parents:
        place = place[part]
    if isinstance(place, dict) and data.draw(st.booleans()):
        last = data.draw(KEYS)
    place[last] = value
    explains_itself(load, tables)


@settings(max_examples=60)
@given(tables=st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_tables_are_explained(load, read_example, tables):
    explains_itself(load, tables)
    explains_itself(load, read_example() | tables)
    explains_itself(load, read_example(), tables)

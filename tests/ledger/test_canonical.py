"""Canonical evidence: the same numbers are the same bytes, and a number that is not known says why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_core.errors import LedgerError
from release_core.ledger import canonical_json, evidence, evidence_hash
from release_core.release import Stage, Verdict

TEXT = st.text(st.sampled_from('aé"\\\n\x00漢'), max_size=3)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
REVIEWS = st.dictionaries(TEXT, TREES, max_size=4)


@dataclass
class Row:
    id: str
    value: float


@given(REVIEWS)
def test_evidence_is_json_and_idempotent(review):
    once = evidence(review)
    assert evidence(once) == once
    assert json.loads(canonical_json(once)) == once


@given(REVIEWS)
def test_evidence_hash_does_not_depend_on_the_order_of_keys(review):
    known = {key: value for key, value in review.items() if not evidence({key: value})["not_known"]}
    assert evidence_hash(dict(reversed(known.items()))) == evidence_hash(known)


@given(st.floats(1e-9, 1e9), st.floats(-1e-14, 1e-14))
def test_evidence_rounds_to_twelve_digits(value, noise):
    seen = evidence({"x": value})["x"]
    assert seen == pytest.approx(value, rel=5e-12)
    assert seen == float(f"{value:.12g}")
    assert evidence({"x": 0.3 + noise})["x"] == 0.3


def test_evidence_missing_number_is_null_with_its_reason():
    review = {"gates": [{"id": "a", "low": float("nan"), "reason": "no labels"}, {"low": np.nan, "high": np.inf}]}
    assert evidence(review) == {
        "gates": [{"id": "a", "low": None, "reason": "no labels"}, {"low": None, "high": None}],
        "not_known": [
            {"at": "gates[0].low", "reason": "no labels"},
            {"at": "gates[1].low", "reason": "nothing was measured"},
            {"at": "gates[1].high", "reason": "infinite"},
        ],
    }


def test_evidence_takes_the_forms_that_a_review_holds():
    review = {
        "verdict": Verdict.FAIL,
        "stage": Stage.CANARY,
        "as_of": datetime(2026, 5, 1, tzinfo=UTC),
        "day": date(2026, 5, 1),
        "n": np.int64(7),
        "share": np.float32(0.5),
        "zero": -0.0,
        "ok": np.bool_(True),
        "rows": (Row("a", 1.0), MappingProxyType({"b": None})),
    }
    assert canonical_json(evidence(review)) == (
        '{"as_of":"2026-05-01T00:00:00+00:00","day":"2026-05-01","n":7,"not_known":[],"ok":true,'
        '"rows":[{"id":"a","value":1.0},{"b":null}],"share":0.5,"stage":"canary","verdict":"FAIL","zero":0.0}'
    )


@pytest.mark.parametrize("review", [{"x": object()}, {"x": b"bytes"}, {"x": {1: 2}}, {"not_known": 3}, [1], {"x": {1}}])
def test_evidence_without_a_form_is_refused(review):
    with pytest.raises(LedgerError, match="Convert it before it is signed"):
        evidence(review)


def test_evidence_hash_sees_every_number():
    assert evidence_hash({"x": 0.1}) == evidence_hash({"x": 0.1 + 1e-15})
    assert evidence_hash({"x": 0.1}) != evidence_hash({"x": 0.1 + 1e-9})
    assert evidence_hash({"x": None}) != evidence_hash({"x": 0.0}) != evidence_hash({"x": float("nan")})

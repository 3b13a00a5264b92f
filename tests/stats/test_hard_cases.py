"""Every public function of `stats` on every hard case, against an independent computation; nothing may be left out.

The table is in `tests/stats/proofs`: how each function is called, what must come out, and in words why a case does not
exist. Where a statistic is undefined the answer must be NaN or None. A function without a proof fails, and so does a
proof that does not call its function, calls it with other input than its case says, or would not see a wrong answer.
"""

import warnings

import numpy as np
import pytest

from tests.stats.proofs import (
    CASES,
    FIVE,
    NAN,
    NONE,
    ONE,
    ONE_CLASS,
    RARE,
    TIES,
    UNDEFINED,
    WEIGHTS,
    Between,
    Recorder,
    agree,
    arms,
    calibrated,
    causes,
    hidden,
    labels,
    live,
    money,
    moved,
    numbers,
    pieces,
    rates,
    scored,
    segments,
    shaken,
)  # fmt: skip
from tests.stats.proofs.data import COUNTS, SCORED
from tests.stats.test_oracles import public

MODULES = (scored, calibrated, rates, segments, causes, money, labels, hidden, arms, live, pieces, moved)
PROOFS = [proof for module in MODULES for proof in module.PROOFS]
EACH = [pytest.param(proof, case, id=f"{proof.function}-{case}") for proof in PROOFS for case in proof.cases]


def test_every_function_is_proved():
    assert sorted(proof.function for proof in PROOFS) == sorted(public())


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.function)
def test_every_hard_case_is_proved_or_said_not_to_exist(proof):
    assert sorted([*proof.cases, *proof.absent]) == sorted(CASES)
    assert all(len(reason.split()) >= 4 and reason.endswith(".") for reason in proof.absent.values())
    assert all(proof.kind.cases[case] for case in proof.cases)


def within(wanted):
    """Return whether what must come out names numbers by their bounds alone."""
    return isinstance(wanted, Between) or (isinstance(wanted, tuple) and any(map(within, wanted)))


@pytest.mark.parametrize(("proof", "case"), EACH)
def test_hard_case(proof, case):
    given = []
    for data in proof.kind.cases[case]:
        called = Recorder(proof.function)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ours, wanted = proof.call(called, data), proof.oracle(data)
        assert called.seen, "the function was not called"
        given += [*numbers(called.seen), *(numbers(data) if called.asked else ())]
        agree(ours, wanted, proof.rel, proof.near)
        if numbers(ours) and not within(wanted):
            with pytest.raises(AssertionError):
                agree(shaken(ours), wanted, proof.rel, proof.near)
    assert case != NAN or np.isnan(given).any(), "no number is unknown"


def test_a_wrong_undefined_number_is_seen():
    for wrong in (0.0, (np.nan, 0.0), np.array([np.nan, 1.0])):
        with pytest.raises(AssertionError):
            agree(wrong, UNDEFINED, 1e-9, 0)
    with pytest.raises(AssertionError):
        agree(np.nan, Between(0, 1), 1e-9, 0)


def test_scored_events_are_what_their_case_says():
    sizes = {NONE: 0, ONE: 1, FIVE: 5}
    for case, several in SCORED.cases.items():
        for events in several:
            assert len(events.y) == sizes.get(case, len(events.y))
            assert case != ONE_CLASS or len(set(events.y)) == 1
            assert case != TIES or len(set(events.place)) <= 3 < len(events.y)
            assert case != WEIGHTS or len(set(events.w)) > 3
            assert case != RARE or (len(events.y) >= 10_000 and events.y.mean() == pytest.approx(0.001, abs=2e-4))


def test_numbers_of_events_are_what_their_case_says():
    (one_class,), (rare,) = COUNTS.cases[ONE_CLASS], COUNTS.cases[RARE]
    assert (one_class.k * (one_class.n - one_class.k) == 0).all()
    np.testing.assert_allclose(rare.k / rare.n, 0.001)
    for case, size in ((NONE, 0), (ONE, 1), (FIVE, 5)):
        assert (COUNTS.cases[case][0].n == size).all()

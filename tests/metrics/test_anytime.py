"""Estimates that may be read at every look: against sums written out, and their errors over many looks."""

import numpy as np
import pytest

from release_core.frames import Grid, Tally
from release_core.metrics import anytime
from release_core.metrics.table import METRICS
from release_core.stats import arms, sequential
from tests.bench.arms import Truth, looks

LOOKS = 48


def tally(counts):
    """Return cells of actions alone, [..., ramp step, shard, version, action, population]."""
    return Tally.of(Grid(np.arange(1), None, np.zeros(1)), {"actions": counts})


@pytest.fixture(scope="module")
def one():
    return looks(Truth(entities=3000, looks=LOOKS, shares=(0.1, 0.5)), seed=1)


@pytest.mark.parametrize("name", ["approve_rate", "review_rate", "recall", "fpr"])
def test_a_rate_is_what_its_sums_say(one, name):
    counts, entities = one
    metric = METRICS[name]
    actions, population = metric.rate
    found = anytime.estimate(tally(counts), entities, metric)
    top = np.moveaxis(counts[..., list(actions), population].sum(-1), -1, -2)
    bottom = np.moveaxis(counts[..., population].sum(-1), -1, -2)
    expected = arms.between(top, bottom, entities)
    np.testing.assert_allclose(found.value[..., 2], expected.value)
    np.testing.assert_allclose(found.se, expected.se)
    low, high = found.bounds(0.95, sides=1)
    bound = sequential.asymptotic(expected.value, expected.se[..., 2], expected.n[..., 2], anytime.EXPECTED, sides=1)
    inside = (bound.low > -1) & (bound.high < 1)
    np.testing.assert_allclose(low[inside, 2], bound.low[inside])
    np.testing.assert_allclose(high[inside, 2], bound.high[inside])


def test_few_carriers_are_no_evidence(one):
    counts, entities = one
    found = anytime.estimate(tally(counts), entities, METRICS["approve_rate"])
    few = counts.sum((1, 2))[:, :, 1:, 0].sum(-1).min(-1) < 30
    assert few.any()
    assert not found.evidence[few].any()
    assert found.evidence[-1] > 1000


def test_over_all_looks_a_harmless_release_raises_fewer_alarms_than_alpha_and_a_harmful_one_is_found():
    def alarmed(effect, seed):
        counts, entities = looks(Truth(entities=3000, looks=LOOKS, effect=effect), seed)
        found = anytime.estimate(tally(counts), entities, METRICS["approve_rate"], 3000)
        return ((found.bounds(0.95, sides=1)[1][..., 2] < 0) & (found.evidence > 0)).any()

    assert sum(alarmed(0.0, seed) for seed in range(100)) <= 8  # at most 5 expected, simulation error 2.2
    assert sum(alarmed(0.06, seed) for seed in range(20)) >= 18

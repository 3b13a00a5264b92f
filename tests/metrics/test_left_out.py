"""What is left without each entity shard: counted as if the shard had never been there, and exactly."""

import numpy as np
import pytest

from release_core import metrics
from release_core.frames import Cells, Grid, Tally

SHARDS, ACTIONS = 32, ("approve", "review", "block", "escalate")
RATES = ("recall", "fpr", "precision", "alert_rate", "recall_block", "amount_recall", "disagreement_rate")


def cells(joint, joint_amounts=None):
    """Return cells of joint counts and amounts [segment, shard, action, action, population]."""
    amounts = joint if joint_amounts is None else joint_amounts
    arrays = {
        "joint": joint,
        "actions": np.stack([joint.sum(-2), joint.sum(-3)], axis=2),
        "action_amounts": np.stack([amounts.sum(-2), amounts.sum(-3)], axis=2),
        "positives": np.repeat(joint[..., 1].sum((-2, -1))[..., None], 2, axis=-1),
        "negatives": np.repeat(joint[..., 2].sum((-2, -1))[..., None], 2, axis=-1),
    }
    shards = Tally.of(Grid(np.arange(0), 4, np.arange(0)), arrays)
    names = tuple({"market": f"m{n}"} for n in range(len(joint)))
    return Cells(names, shards.sum(1), shards, ACTIONS, (), paired=True, clustered=True)


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("most", [1, 40])
def test_rates_without_a_shard_are_those_of_the_other_shards(name, most):
    joint = np.random.default_rng(5).integers(0, most + 1, (3, SHARDS, 4, 4, 3)).astype(float)
    joint[..., 0] = joint.sum(-1)
    metric = metrics.METRICS[name]
    left = metric.of(cells(joint).left_out)
    for shard in range(SHARDS):
        others = np.delete(joint, shard, axis=1)
        np.testing.assert_array_equal(left[:, shard], metric.of(cells(others).whole))


def test_one_amount_in_other_parts_is_no_change_and_has_no_error():
    # A tenth and a fifth are caught by review and by block, or three tenths by block alone: not the same in binary fractions.
    counts, amounts = np.zeros((1, SHARDS, 4, 4, 3)), np.zeros((1, SHARDS, 4, 4, 3))
    cents = np.random.default_rng(6).integers(1, 500, (SHARDS, 2))
    counts[0, :, 1, 2, 1] = counts[0, :, 2, 2, 1] = counts[0, :, 0, 0, 1] = 1
    amounts[0, :, 1, 2, 1], amounts[0, :, 2, 2, 1], amounts[0, :, 0, 0, 1] = (*cents.T / 100, 0.07)
    counts[..., 0], amounts[..., 0] = counts[..., 1], amounts[..., 1]
    one = metrics.estimate(cells(counts, amounts), metrics.METRICS["amount_recall"])
    assert (one.value[0, 2], one.se[0, 2]) == (0.0, 0.0)
    assert one.value[0, 0] == pytest.approx(cents.sum() / (cents.sum() + 7 * SHARDS), rel=1e-15)
    assert one.se[0, 0] > 0


@pytest.mark.parametrize("name", ["recall", "fpr", "alert_rate"])
def test_events_of_any_weight_in_other_parts_are_no_change_and_have_no_error(name):
    counts, weights = np.zeros((1, SHARDS, 4, 4, 3)), np.random.default_rng(7).uniform(1, 9, (SHARDS, 3))
    counts[0, :, 1, 2], counts[0, :, 2, 2], counts[0, :, 2, 1] = weights[:, [0]], weights[:, [1]], weights[:, [2]]
    counts[0, :, 0, 0] = 0.3
    one = metrics.estimate(cells(counts), metrics.METRICS[name])
    assert (one.value[0, 2], one.se[0, 2]) == (0.0, 0.0)
    assert one.se[0, 0] > 0

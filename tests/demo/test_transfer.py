import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_core.demo.credit import transfer

# A coarse grid, so that most examples hold ties.
SCORES = st.lists(st.integers(1, 20), min_size=2, max_size=40).map(lambda values: np.array(values) / 20)


@given(SCORES, st.data())
def test_carried_is_the_lowest_observed_score_within_the_alerts(scores, data):
    alerts = data.draw(st.integers(1, len(scores)))
    fitting = [score for score in scores if (scores >= score).sum() <= alerts]
    if fitting:
        assert transfer.carried(scores, alerts) == min(fitting)
    else:
        with pytest.raises(ValueError, match="must be >="):
            transfer.carried(scores, alerts)


@pytest.mark.parametrize("alerts", [0, 4])
def test_carried_refuses_impossible_alerts(alerts):
    with pytest.raises(ValueError, match=r"must be in 1 \.\. 3"):
        transfer.carried(np.array([0.1, 0.2, 0.3]), alerts)


@given(SCORES, st.floats(0.01, 1.0))
def test_cutoff_for_share_is_the_highest_that_reaches_the_share(scores, share):
    cutoff = transfer.cutoff_for_share(scores, share)
    assert (scores >= cutoff).sum() >= share * len(scores)
    assert (scores > cutoff).sum() < share * len(scores)


def test_actions_review_at_the_cutoff_and_where_a_rule_says_so():
    scores, ruled = np.array([0.1, 0.5, 0.1]), np.array([False, False, True])
    assert transfer.actions(scores, np.array(0.5), ruled).tolist() == ["approve", "review", "review"]

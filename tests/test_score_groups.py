"""PSI's groups are those of the baseline's earliest events: the same at every as-of time, and after more files."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from release_core.cube import reference
from release_core.release import Stage
from release_core.views import score_drift
from release_core.views.view import View
from tests import factory


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Return a release of two weeks and the same after the third came in as a file of its own, and its log."""
    folder = tmp_path_factory.mktemp("groups")
    log = factory.decisions(3000, seed=8, shift=0.3).sort_values("event_time", ignore_index=True)
    early = log["event_time"] < log["event_time"].min() + pd.Timedelta(days=13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "ENOUGH", 300)
        path = factory.write(folder / "r", log[early], factory.outcomes(log[early]))
        before = factory.opened(path)
        log.loc[~early].drop(columns="bad").to_parquet(path / "decisions" / "09.parquet", index=False)
        after = factory.opened(path)
        again = factory.opened(path, folder / "anew")
    return log, before, after, again


def test_groups_are_tenths_of_the_earliest_baseline_scores(grown):
    log, _, after, _ = grown
    found = after.cube.facts["score_groups"]
    assert found["stage"] == "replay"
    weeks = log["event_time"].dt.to_period("W-SUN").dt.start_time.dt.strftime("week of %Y-%m-%d")
    first = log.loc[weeks <= found["windows"][1], "baseline_score"]
    assert (len(first), weeks.min()) == (found["n"], found["windows"][0])
    assert len(first) < len(log)
    below = [(first < edge).mean() for edge in found["edges"]]
    assert below == pytest.approx(np.arange(1, 10) / 10, abs=0.02)


def test_more_files_and_a_rebuild_leave_the_groups_as_they_are(grown):
    _, before, after, again = grown
    assert before.cube.facts["score_groups"] == after.cube.facts["score_groups"] == again.cube.facts["score_groups"]
    assert before.cube.facts["fingerprint"] != after.cube.facts["fingerprint"]


@pytest.mark.parametrize("where", [(), (("market", "AT"),), (("market", "AT"), ("surface", "app"))])
def test_psi_of_every_as_of_step_is_scipys_in_the_same_groups(grown, where):
    log, _, after, _ = grown
    edges = np.array(after.cube.facts["score_groups"]["edges"])
    if len(where) > 1:
        # Two dimensions keep bins of 1/8 of log-odds: an edge moves up to the next.
        edges = np.unique(expit(np.ceil(8 * logit(edges) - 1e-9) / 8))
    names = set()
    for step in after.cube.steps[6::6]:
        page = score_drift.shape(View(after, Stage.REPLAY, step, where), False)
        inside = log["event_time"] <= pd.Timestamp(after.cube.end(step)).tz_localize(None)
        for dim, value in where:
            inside &= log[dim] == value
        counts = [
            np.histogram(log.loc[inside, f"{side}_score"], [0, *edges, 1])[0] for side in ("baseline", "candidate")
        ]
        shares = [(n + 0.5) / (n.sum() + 0.5 * len(n)) for n in counts]
        expected = stats.entropy(*shares) + stats.entropy(*shares[::-1])
        found = next(row["value"] for row in page.distances if row["measure"] == "PSI")
        assert found == pytest.approx(expected, rel=1e-9)
        names.add(tuple(row["Bin"] for row in page.psi_groups))
        assert "stored with the release" in page.groups_note
    assert len(names) == 1

"""What is read ahead of readers is all that pages read: once it is done no page's question reads anything."""

import numpy as np
import pandas as pd
import pytest

from release_core import ahead, library
from release_core.cube import slices
from release_core.store import Store
from release_core.views.view import View
from tests import factory, lived
from tests.bench import interactions

DIMS = ("market", "surface", "cohort")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a release with replay, shadow and canary whose logs hold all that logs may, by three dimensions."""
    parts = [lived.decisions(1200, seed, stage=name) for seed, name in enumerate(("replay", "shadow", "canary"))]
    live = {"arm", "ramp_step"}
    parts = [part if part["stage"].iloc[0] == "canary" else part.drop(columns=live) for part in parts]
    log = pd.concat(parts, ignore_index=True)
    log = log.assign(cohort=np.where(np.arange(len(log)) % 3, "settled", "new"))
    stages = [{"name": "replay"}, {"name": "shadow"}, {"name": "canary", "shares": [0.3, 0.5]}]
    folder = tmp_path_factory.mktemp("releases") / "r"
    segments = {"dims": list(DIMS), "min_events": 50}
    return factory.opened(factory.write(folder, log, lived.outcomes(log), stage=stages, segments=segments))


@pytest.fixture
def reads(opened, monkeypatch):
    """Return the statements that are run, once all there is to do ahead is done."""
    for _ in ahead.everything(opened):
        pass
    found = []
    query = Store.query
    monkeypatch.setattr(Store, "query", lambda self, sql, *a: found.append(sql) or query(self, sql, *a))
    return found


def test_a_search_for_slices_finds_their_sums_added_up(opened, reads):
    for stage in opened.cube.stages():
        assert opened.cube.searched(stage, None)._marks.cache_info().currsize == len(slices.UNITS)


@pytest.mark.parametrize("dim", ["", *DIMS])
def test_no_page_reads_what_is_not_read_ahead(opened, reads, dim):
    where = ((dim, opened.cube.values(dim)[0]),) if dim else ()
    asked = 0
    for stage in opened.cube.stages():
        view = View(opened, stage, opened.cube.steps[-1], where)
        for screen in interactions.screens():
            for work in (*screen.base, *screen.part):
                work(view)
                asked += 1
    assert asked > 3 * 100
    assert reads == []


def test_without_memory_pages_read_for_themselves(opened, monkeypatch):
    monkeypatch.setattr(library, "_kept", {opened.key: opened})
    monkeypatch.setattr(ahead, "MOST_BYTES", 0)
    opened.cube.moves.clear()
    stage = opened.cube.stages()[0]
    asked = ahead._asked(stage, DIMS)
    assert len(list(ahead._cells(opened, stage, asked))) == len(opened.cube.moves._held) == 1
    monkeypatch.undo()
    assert len(list(ahead._cells(opened, stage, asked))) == len(opened.cube.moves._held) == len(asked)

"""What is read ahead of readers is all that pages read: once it is done no page's question reads anything."""

import numpy as np
import pandas as pd
import pytest

from release_core import ahead, library
from release_core.cube import slices
from release_core.errors import Problem, ReleaseReviewError
from release_core.store import Store
from release_core.views import first
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


ODD = {
    "unlabelled": lambda log: (log, None, {}),
    "three events": lambda log: (log.head(3), factory.outcomes(log.head(3)), {}),
    "one class": lambda log: (log, factory.outcomes(log.assign(bad=False)), {}),
    "no dimension": lambda log: (log.drop(columns=list(factory.DIMS)), factory.outcomes(log), {"segments": {"dims": []}}),
    "one dimension": lambda log: (log, factory.outcomes(log), {"segments": {"dims": ["market"]}}),
    "points": lambda log: (
        log.assign(**{f"{side}_score": 1000 * log[f"{side}_score"] for side in ("baseline", "candidate")}),
        factory.outcomes(log),
        {"score": {"scale": "points", "min": 0, "max": 1000}, "thresholds": {"t1": {"default": {"review": 300}}}},
    ),
    "live": lambda _: (live := lived.decisions(900), lived.outcomes(live), {"stage": [{"name": "canary", "shares": [0.3, 0.5]}]}),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_what_pages_first_ask_is_answered_or_said_to_have_no_answer_whatever_the_log(odd, tmp_path):
    log, told, changes = ODD[odd](factory.decisions(600, seed=3))
    one = factory.opened(factory.write(tmp_path / "r", log, told, **changes))
    asked, refused = 0, 0
    for stage in one.cube.stages():
        for question in first.questions(View(one, stage, one.cube.steps[-1])):
            asked += 1
            try:
                question()
            except ReleaseReviewError:
                refused += 1
    # Most can be answered of any log.
    assert asked > 40
    assert refused <= asked / 3
    assert all(True for _ in ahead.everything(one))


def test_in_the_end_pages_questions_are_asked_of_the_latest_step_of_every_stage_also_those_without_an_answer(
    opened, monkeypatch
):
    asked = []

    def refused():
        asked.append("refused")
        raise ReleaseReviewError(Problem("a page", "nothing", "something", "Wait."))

    monkeypatch.setattr(
        first, "questions", lambda view: [refused, lambda: asked.append((view.stage, view.step, view.where))]
    )
    assert all(True for _ in ahead.everything(opened))
    stages, last = opened.cube.stages()[::-1], opened.cube.steps[-1]
    assert asked == [one for stage in stages for one in ("refused", (stage, last, ()))]


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

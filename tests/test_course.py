"""Verdicts that are kept beside the cube: the same as judged anew, and never those of another release, cube or code."""

from dataclasses import replace

import pandas as pd
import pytest

from release_core import ahead, course, library, memory, review, stops, verdicts
from release_core.release import Stage
from tests import factory


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a release with a replay and a canary whose candidate approves much less, so that a stop rule fires."""
    replay = factory.decisions(1200, seed=61)
    canary = factory.decisions(1800, seed=62, shift=-2.0)
    odd = canary["entity_id"].str.removeprefix("c").astype(int) % 2
    canary = canary.assign(stage="canary", arm=odd.map({0: "baseline", 1: "candidate"}), ramp_step="0.5")
    both = pd.concat([replay.assign(arm=None, ramp_step=None), canary], ignore_index=True)
    rule = {"id": "approvals", "metric": "approve_rate", "comparison": "non_inferiority", "margin": 0.01,
            "stages": ["canary"], "scope": "each_segment", "action": "rollback", "expect_n": 400}  # fmt: skip
    stages = [{"name": "replay"}, {"name": "canary", "shares": [0.5]}]
    folder = tmp_path_factory.mktemp("releases") / "r"
    return factory.opened(factory.write(folder, both, factory.outcomes(both), stage=stages, stop=[rule]))


def anew(opened, monkeypatch):
    """Let nothing be judged: what is then answered was kept."""

    def refuse(*_):
        raise AssertionError("judged anew")

    for module, name in ((verdicts, "rows"), (stops, "fired"), (course.changes, "changed")):
        monkeypatch.setattr(module, name, refuse)
    memory.forget()


def test_what_is_kept_is_what_is_judged(opened, monkeypatch):
    steps = opened.cube.steps
    places = [(stage, step) for stage in opened.cube.stages() for step in (steps[0], steps[9], steps[-1])]
    for stage, step in places:
        judged = {gate: tuple(rows) for gate, rows in verdicts.rows(opened.release, opened.cube, stage, step).items()}
        assert course.rows(opened, stage, step) == judged
        assert any(judged.values())
    alarms = stops.fired(opened.release, opened.cube, Stage.CANARY)
    assert alarms
    assert course.alarms(opened, Stage.CANARY) == alarms
    found = [review.review(opened, stage, step) for stage, step in places]
    anew(opened, monkeypatch)
    assert [review.review(opened, stage, step) for stage, step in places] == found


def test_a_drill_changes_a_verdict_though_the_rest_is_kept(opened, monkeypatch):
    step = opened.cube.steps[-1]
    before = review.review(opened, Stage.CANARY, step)
    anew(opened, monkeypatch)
    drill = review.gates.Rehearsal(opened.cube.end(step), 1.0)
    monkeypatch.setattr(review, "rehearsal", lambda _: drill)
    ready = {row.gate: row for row in review.review(opened, Stage.CANARY, step).rows}["rollback_ready"]
    assert ready != {row.gate: row for row in before.rows}["rollback_ready"]
    assert "rollback_ready" not in course.rows(opened, Stage.CANARY, step)


@pytest.mark.parametrize("what", ["release", "code", "cube", "broken", "half", "other"])
def test_verdicts_of_anything_else_are_judged_anew(opened, monkeypatch, what):
    step = opened.cube.steps[-1]
    right = course.rows(opened, Stage.REPLAY, step)
    one = replace(opened, key=f"{opened.key} {what}")
    if what == "release":
        one = replace(one, release=replace(opened.release, gates=opened.release.gates[:-1]))
    if what == "code":
        monkeypatch.setattr(course, "CODE", "another")
    if what == "cube":
        monkeypatch.setattr(opened.cube, "name", "cube-another")
    file = course._file(opened, f"replay-{step}")
    kept = file.read_bytes()
    spoilt = {"broken": b"\x1f\x8b" + kept[20:], "half": kept[: len(kept) // 2], "other": course.gzip.compress(b"[1]")}
    file.write_bytes(spoilt.get(what, kept))
    told = []
    judge = verdicts.rows
    monkeypatch.setattr(verdicts, "rows", lambda *given: told.append(1) or judge(*given))
    found = course.rows(one, Stage.REPLAY, step)
    assert told == [1]
    assert {gate: rows for gate, rows in right.items() if gate in found} == found
    assert course.rows(one, Stage.REPLAY, step) == found
    assert told == [1]
    memory.forget()


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(opened, monkeypatch):
    step = opened.cube.steps[-1]
    right = course.rows(opened, Stage.REPLAY, step)
    monkeypatch.setattr(course, "FOLDER", "cube.json")
    assert course.rows(opened, Stage.REPLAY, step) == right
    assert (opened.cube.folder / "cube.json").is_file()


def test_open_releases_are_judged_ahead_of_readers(opened, monkeypatch):
    monkeypatch.setattr(library, "_kept", {opened.key: opened})
    for file in (opened.cube.folder / course.FOLDER).glob("*"):
        file.unlink()
    memory.forget()
    many = 0
    while ahead.judge():
        many += 1
    stages, steps = opened.cube.stages(), opened.cube.steps
    assert many >= len(stages) * (1 + len(steps) + 1)  # alarms, verdicts, slices
    assert opened.cube.moves.nbytes > 0
    read = set(opened.cube.moves._held)
    for stage in stages:
        dim = opened.release.segments.all[0]
        assert {(table, stage, by, (True, False)) for table in ("pair", "score") for by in ((), (dim,))} <= read
    assert opened.cube.searched.cache_info().currsize == len(stages)
    anew(opened, monkeypatch)
    assert [review.review(opened, stage, step).stage for step in steps for stage in stages] == [*stages] * len(steps)
    monkeypatch.setattr(library, "_kept", {})
    assert not ahead.judge()
    assert opened.key not in ahead._work

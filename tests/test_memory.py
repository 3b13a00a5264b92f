"""Answers go when their cube goes, and what a cube in use is read from stays."""

import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pandas as pd
import pytest

from release_core import cube, library, manifest, memory, review
from release_core.cube import leases, pruning
from release_core.errors import SourceError
from release_core.release import Stage
from release_core.views import score_drift
from release_core.views.view import View
from tests import factory

ROOT = Path(__file__).parents[1]
OLD = 3 * pruning.DAY
HOLDER = """
import pathlib, sys, time
from release_core import cube, manifest
held = cube.Cube(manifest.load(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]))
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    log = factory.decisions(300, seed=8)
    return factory.write(tmp_path / "r", log, factory.outcomes(log), parts=2)


def grown(folder):
    """Change the first file, so that everything is counted anew, and return the new cube's release."""
    file = sorted((folder / "decisions").iterdir())[0]
    file.unlink()
    return manifest.load(folder)


def aged(cache):
    """Make the cache look as if nobody had touched it for days."""
    then = time.time() - OLD
    for entry in cache.iterdir():
        # A note that is older than this process would be of another that had its number.
        if not entry.name.startswith(leases.PREFIX):
            os.utime(entry, (then, then))


def answers(one, step):
    """Return what single rows, cells and quarantine tell."""
    sampled = one.sample(Stage.REPLAY, step, ("approve", "approve"))
    return sampled, one.slice(Stage.REPLAY, step, ((("market",), ()),)).whole.n.tolist(), one.quarantined(5)


def test_answers_are_freed_with_their_cube(folder, tmp_path):
    opened = factory.opened(folder, tmp_path / "cache")
    view = View(opened, Stage.REPLAY, opened.cube.steps[-1])
    first = review.review(opened, Stage.REPLAY, view.step)
    assert review.review(opened, Stage.REPLAY, view.step) is first
    score_drift.score_drift(view)
    left = weakref.ref(opened.cube)
    del opened, view, first
    gc.collect()
    assert left() is None


def test_what_a_cube_in_use_is_read_from_stays_until_it_is_closed(folder, tmp_path):
    cache = tmp_path / "cache"
    held = cube.Cube(manifest.load(folder), cube.build(manifest.load(folder), cache))
    folders = {name.split("/")[0] for names in held.facts["tables"].values() for name in names}
    release = grown(folder)
    aged(cache)
    cube.build(release, cache)
    assert all((cache / name).exists() for name in folders)
    assert answers(held, held.steps[-1])[0]
    name = held.name
    del held
    gc.collect()
    assert not list(cache.glob(f"{leases.PREFIX}*"))
    aged(cache)
    newest = cube.build(release, cache).name
    pruning.prune(cache, newest)
    assert not (cache / name).exists()
    assert answers(cube.Cube(release, cache / newest), 10**6)[1]


def test_another_process_holds_its_cube_until_it_ends_however_it_ends(folder, tmp_path):
    cache = tmp_path / "cache"
    published = cube.build(manifest.load(folder), cache)
    command = [sys.executable, "-c", HOLDER, str(folder), str(published)]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "open\n"
    release = grown(folder)
    aged(cache)
    newest = cube.build(release, cache)
    assert (published / "cube.json").exists()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    aged(cache)
    pruning.prune(cache, newest.name)
    assert not published.exists()
    assert not list(cache.glob(f"{leases.PREFIX}*"))


def test_what_a_killed_builder_left_half_done_goes(folder, tmp_path):
    cache = tmp_path / "cache"
    newest = cube.build(manifest.load(folder), cache)
    (cache / "_cube-1.99").mkdir()
    (cache / "notices.json").touch()
    aged(cache)
    pruning.prune(cache, newest.name)
    assert not (cache / "_cube-1.99").exists()
    assert (cache / "notices.json").exists()
    assert factory.opened(folder, cache).cube.name == newest.name


def test_a_release_that_is_followed_leaves_no_cube_behind(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "caches"))
    opened = library.follow(str(folder))
    review.review(opened, Stage.REPLAY, opened.cube.steps[-1])
    first = weakref.ref(opened.cube)
    del opened
    log = factory.decisions(50, seed=9)
    log["event_id"] = "late-" + log["event_id"]
    log.drop(columns="bad").to_parquet(folder / "decisions" / "zz.parquet", index=False)
    assert library.follow(str(folder)).cube.checks(Stage.REPLAY, 10**6)["n"] == 350
    assert first() is None


def test_what_fails_for_no_reason_in_the_logs_is_told_and_tried_again(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "caches"))
    library.follow(str(folder))
    factory.decisions(50, seed=9).assign(event_id=lambda log: "late-" + log["event_id"]).drop(columns="bad").to_parquet(
        folder / "decisions" / "zz.parquet", index=False
    )
    with monkeypatch.context() as full:
        full.setattr(library.cubes, "build", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(SourceError, match="No space left on device"):
            library.follow(str(folder))
    with pytest.raises(SourceError, match="tried again"):
        library.follow(str(folder))
    library._followed[folder].rests = 0.0
    library._followed[folder].changed = float("-inf")
    assert library.follow(str(folder)).cube.checks(Stage.REPLAY, 10**6)["n"] == 350


def test_a_feed_is_shown_when_what_readers_look_at_is_answered(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "caches"))
    told = []

    @memory.of_cube(8, again=True)
    def page(view, name):
        told.append((view.opened.cube.name, view.step, name))
        if view.opened is not opened and name == "fails":
            raise ValueError(name)
        return len(told)

    opened = library.follow(str(folder))
    last, first = opened.cube.steps[-1], opened.cube.steps[0]
    for step, name in ((last, "a"), (first, "b"), (last, "fails")):
        page(View(opened, Stage.REPLAY, step), name)
    library._followed[folder].changed = time.monotonic()  # a feed: nobody waits
    more = factory.decisions(50, seed=9).assign(event_time=factory.START + pd.Timedelta(days=40))
    more["event_id"] = "late-" + more["event_id"]
    more.drop(columns="bad").to_parquet(folder / "decisions" / "zz.parquet", index=False)
    assert library.follow(str(folder)) is opened
    library._followed[folder].worker.join()
    newer = library.follow(str(folder))
    latest = newer.cube.steps[-1]
    assert latest > last
    again = {(newer.cube.name, latest, "a"), (newer.cube.name, latest, "fails")} | (
        {(newer.cube.name, first, "b")} if first in newer.cube.steps else set()
    )
    assert set(told[3:]) == again
    many = len(told)
    assert page(View(newer, Stage.REPLAY, latest), "a") <= many == len(told)


def test_no_more_questions_are_remembered_than_are_asked_again(folder, tmp_path):
    @memory.of_cube(8, again=True)
    def page(_, number):
        return number

    opened, many = factory.opened(folder, tmp_path / "cache"), memory.MOST_AGAIN
    asker = View(opened, Stage.REPLAY, opened.cube.steps[-1])
    for number in (*range(many), 0, *range(many, 2 * many - 1)):
        page(asker, number)
    assert {arguments[1] for _, arguments, _ in opened.cube.asked} == {0, *range(many, 2 * many - 1)}

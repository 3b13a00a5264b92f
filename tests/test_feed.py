"""A release written as time passes holds every row of its source once, whatever happens to the feed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from release_core import live, manifest
from release_core.errors import NotFound
from tests import factory

ROOT = Path(__file__).parents[1]
DAY = 86_400.0


@pytest.fixture
def release(tmp_path):
    log = factory.decisions(400, seed=3)
    folder = factory.write(tmp_path / "source", log, factory.outcomes(log), parts=3)
    sampled = pd.DataFrame({"sampled_at": pd.date_range(factory.START, periods=100, freq="6h", tz="UTC")})
    sampled = sampled.assign(stage="replay", arm="baseline", name="requests", value=np.arange(100.0))
    (folder / "runtime").mkdir()
    sampled.to_parquet(folder / "runtime" / "00.parquet", index=False)
    return manifest.load(folder)


def plan(release, **changes):
    asked = {"start": factory.START.timestamp() + 5 * DAY, "window": DAY, "late": 0.2} | changes
    return live.Plan(live.source_of(release), **asked)


def rows(folder, log):
    """Return all rows of a log's files, as sorted texts."""
    frames = [pd.read_parquet(path) for path in sorted((folder / log).glob("*.parquet")) if "broken" not in path.name]
    return sorted(map(str, pd.concat(frames).sort_index(axis=1).itertuples(index=False)))


def same(folder, release):
    return all(rows(folder, log) == rows(release.folder, log) for log in ("decisions", "outcomes", "runtime"))


def test_every_row_is_written_once_and_history_at_once(release, tmp_path):
    into = tmp_path / "into"
    kept = live.prepared(release, into, plan(release))
    written = list(live.feed(release, into, plan=kept))
    assert same(into, release)
    assert [tick for tick, _ in written] == sorted({tick for tick, _ in written})
    history = pd.read_parquet(into / "decisions" / "live-00000000.parquet")
    assert (history["event_time"] < factory.START + pd.Timedelta(days=5)).all()
    assert len(history) == sum(pd.read_parquet(p)["event_time"].lt(factory.START + pd.Timedelta(days=5)).sum()
                               for p in (release.folder / "decisions").iterdir())  # fmt: skip
    assert manifest.load(into).id == release.id


def test_some_rows_come_late_and_none_too_early(release, tmp_path):
    into = tmp_path / "into"
    list(live.feed(release, into, plan=live.prepared(release, into, plan(release))))
    lateness = []
    for path in (into / "decisions").glob("live-*.parquet"):
        tick = int(path.stem.removeprefix("live-"))
        days = (pd.read_parquet(path)["event_time"] - factory.START).dt.total_seconds() / DAY - 5
        lateness += [] if tick == 0 else list(tick - 1 - np.floor(days).astype(int))
    assert set(lateness) == set(range(live.LATEST + 1))
    assert 0.1 < np.mean(np.array(lateness) > 0) < 0.3


def test_a_feed_goes_on_where_files_are_lacking_and_writes_the_same_bytes(release, tmp_path):
    into = tmp_path / "into"
    kept = live.prepared(release, into, plan(release))
    list(live.feed(release, into, plan=kept))
    before = {path: path.read_bytes() for path in into.rglob("*.parquet")}
    for path in np.random.default_rng(1).choice(sorted(before), 6, replace=False):
        path.unlink() if path.stat().st_size % 2 else path.write_bytes(before[path][:200])  # half a file
    list(live.feed(release, into, plan=live.prepared(release, into, plan(release, window=7.0))))
    assert {path: path.read_bytes() for path in into.rglob("*.parquet")} == before
    assert list(live.feed(release, into, plan=kept)) == []


def test_damage_leaves_whole_files_and_broken_ones_beside_them(release, tmp_path):
    into, seen = tmp_path / "into", []
    damage = live.Damage(half=0.3, broken=0.3, seconds=0.0)
    for _, files in live.feed(release, into, plan=live.prepared(release, into, plan(release)), damage=damage):
        seen += files
    assert all(live.whole(path) for path in seen)
    assert list(into.rglob("broken-*.parquet"))
    assert same(into, release)


def test_a_folder_of_something_else_is_refused(release, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "a").touch()
    with pytest.raises(NotFound, match="not empty"):
        live.prepared(release, tmp_path / "taken", plan(release))
    live.prepared(release, tmp_path / "into", plan(release))
    with pytest.raises(NotFound, match="another source"):
        live.prepared(release, tmp_path / "into", live.Plan("other", 0.0, 1.0, 0.0))


def start(release, into, speed):
    """Start the feed as a user does; a tick is a day, so `speed` is in days a second."""
    command = [sys.executable, "-m", "release_core", "live", str(release.folder), "--into", str(into)]
    command += ["--speed", str(DAY * speed), "--every", str(1 / max(speed, 1)), "--since", "2026-01-02"]
    command += ["--half-written", "0.3"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killing_the_feed_at_any_moment_loses_and_doubles_nothing(release, tmp_path):
    into, luck = tmp_path / "into", np.random.default_rng(5)
    for _ in range(3):
        running, begun = start(release, into, 10), len(list(into.rglob("*.parquet")))
        while running.poll() is None and len(list(into.rglob("*.parquet"))) < begun + luck.integers(1, 9):
            time.sleep(0.01)
        time.sleep(0.1 * luck.random())
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    assert not same(into, release)
    assert start(release, into, 0).wait() == 0
    assert same(into, release)

"""Files that come one after another, in any order, whole or broken, give the cube that all of them give at once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from release_core.cube import entities, extend
from tests import factory
from tests.laws.test_cells import added

ROOT = Path(__file__).parents[2]
ROWS = 240


def live_log(seed):
    """Return a log of a replay and a canary, and its outcomes of three kinds, some reversed later."""
    log = factory.decisions(ROWS, seed)
    rng = np.random.default_rng(seed)
    late = log["event_time"] >= factory.START + pd.Timedelta(days=12)
    log["stage"] = np.where(late, "canary", "replay")
    log["arm"] = np.where(late & (log["entity_id"].str[-1].astype(int) % 3 == 0), "candidate", "baseline")
    # Some customers are seen in both arms.
    log.loc[late & (rng.random(ROWS) < 0.04), "arm"] = "candidate"
    log["ramp_step"] = np.where(late, "0.30", None)
    first = factory.outcomes(log, seed)
    again = first.sample(30, random_state=seed).assign(value="legit")
    again["observed_at"] += pd.to_timedelta(rng.integers(-3, 4, len(again)), unit="D")
    bought = first.sample(60, random_state=seed + 1).assign(outcome="conversion", value=None)
    return log, pd.concat([first, again, bought], ignore_index=True)


def cut(frame, into, seed):
    """Return the rows in `into` pieces of random sizes, in random order."""
    mixed = frame.sample(frac=1, random_state=seed)
    ends = np.sort(np.random.default_rng(seed).choice(np.arange(1, len(mixed)), into - 1, replace=False))
    return np.split(np.arange(len(mixed)), ends), mixed


def arrivals(folder, seed):
    """Return the files of a release, as functions that write them, in a random order."""
    log, told = live_log(seed)
    log = pd.concat([log, log.sample(5, random_state=seed)], ignore_index=True)  # some events come twice
    files = []
    for name, frame, into in (("decisions", log.drop(columns="bad"), 5), ("outcomes", told, 6)):
        pieces, mixed = cut(frame, into, seed)
        for number, rows in enumerate(pieces):
            path = folder / name / f"{number:02}.parquet"
            files.append(lambda path=path, rows=mixed.iloc[rows]: rows.to_parquet(path, index=False))
    return [files[place] for place in np.random.default_rng(seed).permutation(len(files))]


def empty_release(folder):
    log, _ = live_log(0)
    factory.write(folder, log.head(0), stage=[{"name": "replay"}, {"name": "canary", "shares": [0.3]}])
    for path in (folder / "decisions").iterdir():
        path.unlink()
    return folder


def everything(opened):
    """Return all cells, those of entities too, and what the cube knows of its logs."""
    found = added(opened)
    for table in entities.TABLES:
        if table in opened.cube.facts["tables"]:
            rows = opened.cube.store.rows(f"select * from {table}")
            found[table] = sorted(str(tuple(map(str, row.values()))) for row in rows)
    return found, {name: value for name, value in opened.cube.facts.items() if name != "tables"}


@pytest.mark.parametrize("seed", [1, 2])
def test_one_file_after_another_gives_what_all_of_them_give(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(extend, "MOST_CHANGES", 3)
    folder = empty_release(tmp_path / "r")
    files = arrivals(folder, seed)
    first = next(number for number, write in enumerate(files) if write.__defaults__[0].parent.name == "decisions")
    files.insert(0, files.pop(first))
    for write in files:
        write()
        step = factory.opened(folder, tmp_path / "one-by-one")
    assert everything(step) == everything(factory.opened(folder, tmp_path / "at-once"))


def test_a_new_file_is_counted_alone(tmp_path, monkeypatch):
    folder = empty_release(tmp_path / "r")
    log, told = live_log(4)
    log.drop(columns="bad").to_parquet(folder / "decisions" / "00.parquet")
    factory.opened(folder, tmp_path / "cache")
    build = sys.modules["release_core.cube.build"]
    monkeypatch.setattr(build, "_cells", None)  # counting a batch anew would fail
    told.head(40).to_parquet(folder / "outcomes" / "00.parquet")
    assert factory.opened(folder, tmp_path / "cache").cube.facts["logs"]["outcomes"][0]["accepted"] > 0


def test_a_half_written_file_is_read_again_and_a_broken_one_set_aside(tmp_path):
    folder = empty_release(tmp_path / "r")
    log, told = live_log(5)
    log.drop(columns="bad").to_parquet(folder / "decisions" / "00.parquet")
    told.to_parquet(folder / "outcomes" / "00.parquet")
    factory.opened(folder, tmp_path / "cache")
    more = log.drop(columns="bad").assign(event_id="n" + log["event_id"])
    path = folder / "decisions" / "01.parquet"
    more.to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (folder / "decisions" / "broken.parquet").write_bytes(b"rubbish")
    (first, half, broken) = factory.opened(folder, tmp_path / "cache").cube.facts["logs"]["decisions"]
    assert first["rejected"] is None
    assert half["rejected"]
    assert broken["rejected"]
    path.write_bytes(whole)
    found = factory.opened(folder, tmp_path / "cache")
    assert found.cube.facts["logs"]["decisions"][1]["accepted"] == len(more)
    assert everything(found) == everything(factory.opened(folder, tmp_path / "fresh"))


BUILDER = """
import sys, pathlib
from release_core import cube, manifest
print("begun", flush=True)
cube.build(manifest.load(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]))
"""


def test_killing_the_builder_at_any_moment_loses_and_doubles_nothing(tmp_path):
    folder, luck, ended = empty_release(tmp_path / "r"), np.random.default_rng(7), []
    files = arrivals(folder, 7)
    files.sort(key=lambda write: write.__defaults__[0].parent.name)
    for write in files[:8]:
        write()
        running = subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(folder), str(tmp_path / "cache")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with running.stdout:
            assert running.stdout.readline() == "begun\n"
            time.sleep(1.2 * luck.random())
            running.send_signal(signal.SIGKILL)
        assert running.wait() in {0, -signal.SIGKILL}
        ended.append(running.returncode)
    assert -signal.SIGKILL in ended
    found = factory.opened(folder, tmp_path / "cache")
    assert everything(found) == everything(factory.opened(folder, tmp_path / "fresh"))


def test_another_manifest_counts_anew(tmp_path):
    folder = empty_release(tmp_path / "r")
    log, told = live_log(6)
    log.drop(columns="bad").to_parquet(folder / "decisions" / "00.parquet")
    factory.opened(folder, tmp_path / "cache")
    told.to_parquet(folder / "outcomes" / "00.parquet")
    text = (folder / "release.toml").read_text()
    (folder / "release.toml").write_text(text.replace("review = 0.3", "review = 0.4"))
    assert everything(factory.opened(folder, tmp_path / "cache")) == everything(
        factory.opened(folder, tmp_path / "fresh")
    )

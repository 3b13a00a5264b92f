"""Temporary folders go with their process, however it ends, and never with another's."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from release_core import spill, store

ROOT = Path(__file__).parents[1]
HOLDER = (
    "from release_core.spill import Spill; import time; held = Spill(); print(held.path, flush=True); time.sleep({})"
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(spill.tempfile, "tempdir", None)
    spill._sweep.cache_clear()
    return tmp_path


def holder(seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process.stdout:
        return process, Path(process.stdout.readline().strip())


def aged(*folders):
    then = time.time() - 2 * spill.YOUNG
    for folder in folders:
        os.utime(folder, (then, then))


def test_a_folder_goes_at_the_end_of_its_use_and_of_its_process(place):
    with spill.Spill() as one:
        (one.path / "file").touch()
        assert one.path.parent == place
        assert one.path.stat().st_mode & 0o077 == 0
    assert not one.path.exists()
    ended, folder = holder(0)
    assert ended.wait() == 0
    assert not folder.exists()


def test_what_a_killed_process_left_goes_when_the_next_begins_and_a_living_one_keeps_its_own(place):
    (killed, left), (living, kept) = holder(60), holder(60)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    young = place / f"{spill.PREFIX}young"
    young.mkdir()
    (place / f"{spill.PREFIX}file").touch()
    other = place / "other"
    other.mkdir()
    aged(left, kept, other, place / f"{spill.PREFIX}file")
    with spill.Spill():
        assert not left.exists()
        assert kept.exists()
        assert young.exists()
        assert other.exists()
    living.kill()
    living.wait()


def test_threads_that_open_the_first_database_at_once_keep_its_folder(monkeypatch):
    together, opening, stores = threading.Barrier(2), store._open, []

    def opened(*arguments):
        together.wait(20)
        return opening(*arguments)

    store._common.cache_clear()
    monkeypatch.setattr(store, "_open", opened)
    threads = [threading.Thread(target=lambda: stores.append(store.Store(shared=True))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folders = {one.rows("select current_setting('temp_directory') as folder")[0]["folder"] for one in stores}
    assert len(folders) == 2
    assert all(Path(folder).is_dir() for folder in folders)
    store._common.cache_clear()

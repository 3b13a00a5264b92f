"""The feed and the dashboard are killed while an arrival is counted: nothing is lost or doubled, and the page comes back."""

import signal
import subprocess
import sys
import time

import numpy as np

from release_core import library, live
from tests import factory
from tests.browser import conftest as harness
from tests.laws.test_extend import everything, live_log
from tests.test_feed import rows


def feed(source, into, speed):
    """Start the feed as a user does: a tick is half a day, and half of the files are seen half-written first."""
    command = [sys.executable, "-m", "release_core", "live", str(source), "--into", str(into), "--since", "2026-01-08"]
    command += ["--speed", str(speed), "--every", str(43_200 / (speed or 3600)), "--half-written", "0.3"]
    return subprocess.Popen(command, cwd=harness.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def counting(cache):
    """Wait until an arrival is being counted: a file is newer than the cube that was published last."""
    current, deadline = cache / "current.json", time.monotonic() + 60
    before = current.stat().st_mtime_ns
    while time.monotonic() < deadline:
        if any(part.stat().st_mtime_ns > before for part in cache.glob("part-*.json")):
            return
        time.sleep(0.002)
    raise AssertionError("no file came")


def until(page):
    """Return up to when the page says that it has data."""
    return page.locator("text=data up to").first.inner_text().split("data up to ")[1][:16]


def test_killing_the_feed_and_the_dashboard_loses_and_doubles_nothing(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEASE_REVIEW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RELEASE_REVIEW_LEDGER", str(tmp_path / "ledger.sqlite"))
    log, told = live_log(11)
    source = factory.write(
        tmp_path / "source", log, told, parts=2, stage=[{"name": "replay"}, {"name": "canary", "shares": [0.3]}]
    )
    into, luck = tmp_path / "releases" / "fed", np.random.default_rng(11)
    writing = feed(source, into, 43_200.0)
    while not list(into.glob("decisions/*.parquet")):
        time.sleep(0.02)
    writing.kill()
    writing.wait()
    with harness.served(tmp_path / "releases") as (dashboard, address):
        harness.new_window(browser, address).open("/")
        writing = feed(source, into, 43_200.0)
        counting(library.cache_of(into))
        time.sleep(0.3 * luck.random())
        for process in (dashboard, writing):
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    # The file that the feed was at may be half-written.
    before = sum(map(live.whole, into.glob("decisions/*.parquet")))
    assert feed(source, into, 0).wait() == 0
    assert 0 < before < sum(map(live.whole, into.glob("decisions/*.parquet")))
    assert all(rows(into, name) == rows(source, name) for name in ("decisions", "outcomes"))
    with harness.served(tmp_path / "releases") as (_, address):
        shown = until(harness.new_window(browser, address).open("/"))
    counted = factory.opened(into, library.cache_of(into))
    assert everything(counted) == everything(factory.opened(into, tmp_path / "fresh"))
    assert shown == f"{counted.cube.end(counted.cube.steps[-1]):%Y-%m-%d %H:%M}"

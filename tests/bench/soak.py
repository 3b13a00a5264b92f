"""A feed at full speed and an open page: `python tests/bench/soak.py [MINUTES [SIZE]]` prints memory, delays and totals.

The page stays responsive if walking between pages takes as long at the end as at the start; memory is flat if the server's
does not grow with the minutes; nothing is lost if the totals equal a fresh rebuild from the same files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import sync_playwright

from release_core import cube, library, manifest
from release_core.cube.cube import Cube
from release_core.demo.fraud import releases
from tests.browser import conftest as harness

ROOT = Path(__file__).resolve().parents[2]
RELEASE = "fraud-threshold"
# Seconds between two walks; the pages that are walked to in turn; the minutes at which memory is told: flat from the second.
EVERY = 10.0
PAGES = ("Data health", "Overview", "Segments", "Labels", "Runtime", "Business")
TOLD = (1.0, 2.0, 5.0, 10.0)


def resident(pid: int) -> float:
    """Return the memory of a process in MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def server_of(address: str) -> int:
    """Return the process that serves an address."""
    port = address.rsplit(":", 1)[1]
    found = subprocess.run(
        [str(shutil.which("pgrep")), "-f", f"server.port {port}"], capture_output=True, text=True, check=True
    )
    return int(found.stdout.split()[0])


def totals(folder: Path, cache: Path) -> dict[str, dict[str, int]]:
    """Return the counts of checks of every stage at the latest step, and the labels known."""
    release = manifest.load(folder)
    opened = Cube(release, cube.build(release, cache))
    last = opened.steps[-1]
    return {stage: opened.checks(stage, last) | opened.maturity(stage, last, ()) for stage in opened.stages()}


def walk(page: object, name: str) -> float:
    """Go to another page by its link in the navigation; return the seconds until it is drawn."""
    before = time.monotonic()
    page.get_by_role("link", name=name).first.click()
    page.wait_for_selector(f'h1:has-text("{name}")' if name != "Overview" else ".rr-banner", timeout=120_000)
    return time.monotonic() - before


def soak(minutes: float, size: int, root: Path) -> None:
    """Run the feed and the page, and print a line every so often."""
    releases.build(root / "source", [RELEASE], "soak", lambda share, text: None, size)
    into = root / "releases" / f"{RELEASE}-live"
    os.environ |= {
        library.RELEASES_VARIABLE: str(root / "releases"),
        library.CACHE_VARIABLE: str(root / "cache"),
        "RELEASE_REVIEW_LEDGER": str(root / "ledger.sqlite"),
    }
    command = [sys.executable, "-m", "release_core", "live", str(root / "source" / RELEASE), "--into", str(into)]
    command += [
        "--speed",
        str(76 * 86_400 / (60 * minutes)),
        "--every",
        "2",
        "--half-written",
        "0.05",
        "--broken",
        "0.02",
    ]
    feed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(into.glob("decisions/*.parquet")):
        time.sleep(0.2)
    library.open_release(into.name)
    with harness.serving(root / "releases") as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=harness.chromium(), args=harness.FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(".rr-banner", timeout=120_000)
        watch(page, server_of(address), into, minutes)
        browser.close()
    feed.kill()
    same = totals(into, root / "cache") == totals(into, root / "fresh")
    print(f"totals equal a fresh rebuild from the same files: {same}")  # noqa: T201


def watch(page: object, pid: int, into: Path, minutes: float) -> None:
    """Print memory, files, what is shown, and the seconds of a walk to the next page; at the end what counts."""
    start, changes, shown = time.monotonic(), 0, ""
    looked, walks, memory = start, defaultdict(list), []
    while time.monotonic() - start < 60 * minutes:
        text = page.locator("text=data up to").first.inner_text(timeout=60_000).split(",")[0]
        changes, shown = changes + (text != shown), text
        if time.monotonic() - looked > EVERY:
            name = PAGES[sum(map(len, walks.values())) % len(PAGES)]
            walks[name].append(walk(page, name))
            looked = time.monotonic()
            memory.append(((looked - start) / 60, resident(pid)))
            files = len(list(into.rglob("live-*.parquet")))
            print(  # noqa: T201
                f"{memory[-1][0]:5.1f} min  {memory[-1][1]:6.0f} MB  {files:5} files  {changes:4} updates seen  "
                f"{name} {walks[name][-1]:.1f} s  {text}",
                flush=True,
            )
        time.sleep(0.5)
    told(walks, memory)


def told(walks: dict[str, list[float]], memory: list[tuple[float, float]]) -> None:
    """Print the slowest walk to each page, and the memory as the minutes pass, with the machine's load."""
    for name, took in walks.items():
        print(f"{name:<14} slowest {max(took):4.1f} s, median {median(took):4.1f} s, {len(took)} walks")  # noqa: T201
    for wanted in (minute for minute in TOLD if minute <= memory[-1][0] + 1):
        minute, one = min(memory, key=lambda at: abs(at[0] - wanted))
        print(f"memory at minute {minute:.1f}: {one:.0f} MB")  # noqa: T201
    most = max(one for _, one in memory)
    print(f"most memory: {most:.0f} MB; load of the machine {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")  # noqa: T201


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        soak(given[0] if given else 10.0, int(given[1]) if len(given) > 1 else 40_000, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)

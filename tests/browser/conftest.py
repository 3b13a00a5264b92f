"""A served app and a real Chromium: what a reader does, sees, and what the browser complains about."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE, NARROW = (1440, 900), (420, 900)
# On a deep link Streamlit first asks whether the page's own path is the server's base path; the 404 is its answer.
PROBE = re.compile(r"/[a-z_]+/_stcore/(health|host-config)$")
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def chromium() -> str | None:
    """Return where Chromium is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def missing() -> str:
    """Return what has to be installed before these tests can run, or an empty text."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "the Python package playwright (see tests/requirements.txt)"
    return "" if chromium() else "the browser Chromium (Debian: sudo apt-get install chromium)"


@contextmanager
def serving(releases: Path | None = None, script: str = "app.py", **options: str) -> Iterator[str]:
    """Give the address of an app of our own on a free port; `releases` replaces data/releases.

    `options` are Streamlit's, e.g. `baseUrlPath="x"`.
    """
    with served(releases, script, **options) as (_, address):
        yield address


@contextmanager
def served(
    releases: Path | None = None, script: str = "app.py", **options: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give the process of such an app and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = options.get("baseUrlPath", "")
    base = f"http://127.0.0.1:{port}" + (f"/{path}" if path else "")
    given = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
    given |= {"RELEASE_REVIEW_RELEASES": str(releases)} if releases else {}
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    command += [word for name, value in options.items() for word in (f"--server.{name}", value)]
    with subprocess.Popen(
        command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            _wait_until_up(process, base)
            yield process, base
        finally:
            process.terminate()


def _wait_until_up(process: subprocess.Popen[str], base: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{base}/api/health", timeout=1):  # noqa: S310
                return
        except OSError:
            time.sleep(0.1)
    process.kill()
    output = process.stdout.read() if process.stdout else ""
    raise RuntimeError(f"The app did not answer within {seconds:.0f} s. It said:\n{output}")


class Window:
    """One browser window, which remembers every complaint: console errors, failed or foreign requests."""

    def __init__(self, page: Any, address: str) -> None:
        """Listen to `page`; paths given to `open` are beneath `address`."""
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", lambda message: self._console(message.type, message.text, message.location["url"]))
        page.on("pageerror", lambda error: self._note("script", str(error)))
        page.on("requestfailed", lambda request: self._note("request", f"{request.url} {request.failure}"))
        page.on("response", lambda reply: self._status(reply.status, reply.url))
        page.on("request", lambda request: self._note("foreign", request.url, when=self._foreign(request.url)))

    def _note(self, kind: str, text: str, *, when: bool = True) -> None:
        if when:
            self.complaints.append(f"{kind}: {text}")

    def _console(self, kind: str, text: str, url: str) -> None:
        self._note("console", f"{text} {url}", when=kind == "error" and not PROBE.search(url))

    def _status(self, status: int, url: str) -> None:
        self._note("status", f"{status} {url}", when=status >= 400 and not PROBE.search(url))

    def _foreign(self, url: str) -> bool:
        return not url.startswith((self.address, self.address.replace("http", "ws", 1), "data:", "blob:"))

    def open(self, path: str = "/") -> Any:
        """Go to `path`, wait until the page is drawn, and return the Playwright page."""
        self.page.goto(self.address + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until the script has run and every chart is drawn; a chart's own element comes a little after its place."""
        self.page.wait_for_selector(READY, timeout=30_000)
        self.page.wait_for_selector('[data-testid="stMainBlockContainer"] h1', timeout=30_000)
        self.page.wait_for_function(
            """() => !document.querySelector('[data-testid="stSkeleton"]')
                 && [...document.querySelectorAll('.stBidiComponent')].every(
                      place => place.querySelector('.main-svg, .chart-error'))"""
        )


@contextmanager
def driven() -> Iterator[Any]:
    """Give one Chromium under Playwright's control."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


def new_window(browser: Any, address: str, size: tuple[int, int] = WIDE, theme: str = "light") -> Window:
    """Return a window of `browser` that shares nothing with the others, for the app at `address`."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=theme, reduced_motion="reduce")
    return Window(context.new_page(), address)


@pytest.fixture(scope="session")
def _browser_possible() -> None:
    lacking = missing()
    if not lacking:
        return
    if os.environ.get("RELEASE_REVIEW_REQUIRE_BROWSER") == "1":
        pytest.fail(f"Browser tests must run here, but need {lacking}.", pytrace=False)
    pytest.skip(f"browser tests did not run: install {lacking}")


@pytest.fixture(scope="session")
def releases() -> Path | None:
    """Return the folder of releases to serve; None: data/releases. A test module may override this."""
    return None


@pytest.fixture(scope="session")
def address(_browser_possible: None, releases: Path | None) -> Iterator[str]:
    """Give the address of one app for all browser tests."""
    with serving(releases) as url:
        yield url


@pytest.fixture(scope="session")
def browser(_browser_possible: None) -> Iterator[Any]:
    """Give one Chromium for all browser tests."""
    with driven() as one:
        yield one


@pytest.fixture
def window(browser: Any, address: str) -> Iterator[Any]:
    """Give `window(size, theme)`; the test fails if any window that it opened complained."""
    opened: list[Window] = []

    def new(size: tuple[int, int] = WIDE, theme: str = "light") -> Window:
        opened.append(new_window(browser, address, size, theme))
        return opened[-1]

    yield new
    complaints = [text for one in opened for text in one.complaints]
    for one in opened:
        one.page.context.close()
    assert not complaints, "\n".join(complaints)

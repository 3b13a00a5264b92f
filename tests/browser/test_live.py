"""An open page follows a feed without a click: new files, freshness, pause, and the play button."""

import pytest

from release_core import live, manifest
from tests import factory
from tests.browser import conftest as harness

FED = '[data-testid="stSidebar"] p:has-text("newest file")'


@pytest.fixture(scope="module")
def fed(_browser_possible, tmp_path_factory):
    """Give a function that writes the next files of a feed, and serve the release that is fed."""
    root = tmp_path_factory.mktemp("fed")
    log = factory.decisions(600, seed=9)
    release = manifest.load(factory.write(root / "source", log, factory.outcomes(log)))
    plan = live.Plan(live.source_of(release), factory.START.timestamp() + 12 * 86_400, 86_400.0, 0.0)
    into = root / "releases" / "fed"
    files = live.feed(release, into, plan=live.prepared(release, into, plan))
    next(files)
    patch = pytest.MonkeyPatch()
    patch.setenv("RELEASE_REVIEW_CACHE", str(root / "cache"))
    patch.setenv("RELEASE_REVIEW_LEDGER", str(root / "ledger.sqlite"))
    with harness.serving(root / "releases") as address:
        yield address, files
    patch.undo()


@pytest.fixture
def address(fed):
    return fed[0]


def said(page):
    return page.locator(FED).first.inner_text()


def test_a_new_file_shows_on_the_open_page_without_a_click(fed, window):
    page = window().open("/")
    page.wait_for_selector(FED)
    assert "Live" in said(page)
    before = page.locator('[data-testid="stSidebar"]').inner_text()
    shown = page.locator("text=data up to").first.inner_text().split(",")[0]
    next(fed[1])
    page.wait_for_function(
        "was => [...document.querySelectorAll('[data-testid=\"stSidebar\"] p')]"
        ".some(p => p.innerText.includes('data up to') && !p.innerText.includes(was))",
        arg=shown.split("data up to ")[1],
        timeout=20_000,
    )
    assert page.locator('[data-testid="stSidebar"]').inner_text() != before
    assert page.locator('[data-testid="stException"], .rr-problem').count() == 0


def test_a_paused_page_stays_as_it_is_and_goes_on_when_resumed(fed, window):
    one = window()
    page = one.open("/")
    page.wait_for_selector(FED)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector('[data-testid="stSidebar"] p:has-text("Paused")')
    held = page.locator('[data-testid="stSidebar"] p:has-text("Paused")').first.inner_text()
    next(fed[1])
    page.wait_for_timeout(5_000)
    assert page.locator('[data-testid="stSidebar"] p:has-text("Paused")').first.inner_text() == held
    page.get_by_role("button", name="Resume").click()
    page.wait_for_selector(FED)
    until = held.split("data up to ")[1]
    page.wait_for_function(
        "was => [...document.querySelectorAll('[data-testid=\"stSidebar\"] p')]"
        ".some(p => p.innerText.includes('data up to') && !p.innerText.includes(was))",
        arg=until,
        timeout=20_000,
    )


def test_play_moves_the_as_of_time_through_the_release(window):
    page = window().open("/?as_of=2026-01-05")
    page.wait_for_selector(FED)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("!location.search.includes('as_of=2026-01-05')", timeout=20_000)
    page.wait_for_function("location.search.includes('as_of=2026-01-07')", timeout=20_000)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector('[data-testid="stSidebar"] button:has-text("Play")')

"""axe-core on every page of one release, light and dark: nothing of ours may break a rule."""

from __future__ import annotations

import pytest

from release_core import demo, library
from tests.browser import conftest as harness
from tests.browser.test_pages import PAGES

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

# Rules that only Streamlit's own markup breaks, and why we cannot mend it: rule -> where it may be broken.
STREAMLITS = {
    # The menu nests its list items in section lists that axe does not take for lists.
    "list": '[data-testid="stSidebarNavItems"]',
    "listitem": '[data-testid="stSidebarNavItems"]',
}
# The page's own background is dark: Streamlit has followed the browser, and what is drawn has the colours of that theme.
DARK = """() => getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor
    .match(/\\d+/g).slice(0, 3).every(part => part < 64)"""


@pytest.fixture(scope="module")
def address(_browser_possible, tmp_path_factory):
    """Give the address of the app on one small release: `window` opens on it."""
    root = tmp_path_factory.mktemp("axe")
    demo.build(root / "releases", only=["credit-model"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELEASE_REVIEW_CACHE", str(root / "cache"))
        patch.setenv("RELEASE_REVIEW_LEDGER", str(root / "ledger.sqlite"))
        patch.setenv("RELEASE_REVIEW_RELEASES", str(root / "releases"))
        library.open_release("credit-model")
        with harness.serving(root / "releases") as address:
            yield address


def ours(page):
    """Return what axe finds on the page, apart from Streamlit's own markup, one line per rule and element."""
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{broken['id']}: {node['html'][:160]}"
        for broken in found
        for node in broken["nodes"]
        if not (broken["id"] in STREAMLITS and _inside(page, node["target"], STREAMLITS[broken["id"]]))
    ]


def _inside(page, target, region):
    return page.evaluate(
        "([target, region]) => Boolean(document.querySelector(target)?.closest(region))", [target[-1], region]
    )


def test_no_page_breaks_a_rule_of_accessibility_in_either_theme(window):
    one, broken = window(), {}
    for path in PAGES:
        one.page.emulate_media(color_scheme="light")
        page = one.open(f"/{path}?release=credit-model")
        broken[path, "light"] = ours(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(DARK)
        broken[path, "dark"] = ours(page)
    assert not {place: lines for place, lines in broken.items() if lines}


def test_an_image_without_words_would_be_found(window):
    page = window().open("/history?release=credit-model")
    page.evaluate("document.querySelector('[data-testid=stMain]').append(document.createElement('img'))")
    assert any(line.startswith("image-alt") for line in ours(page))

"""Captures every page, light and dark, wide and narrow, for people to look at: python tests/browser/shots.py FOLDER."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import conftest

WIDTHS = {"1440": conftest.WIDE, "420": conftest.NARROW}


def main() -> int:
    """Capture and list the pictures; return 1 if the browser complained on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--query", default="", help="e.g. release=credit-model&stage=replay")
    parser.add_argument("--page", action="append", default=[], help="only this page (repeatable), e.g. segments")
    parser.add_argument("--address", help="a server that runs already")
    options = parser.parse_args()
    if conftest.missing():
        sys.exit(f"Pictures need {conftest.missing()}.")
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.address:
        return _capture(options.address, options)
    with conftest.serving() as address:
        return _capture(address, options)


def _capture(address: str, options: argparse.Namespace) -> int:
    complaints = []
    with conftest.driven() as browser:
        for theme in ("light", "dark"):
            for width, size in WIDTHS.items():
                window = conftest.new_window(browser, address, size, theme)
                for name in options.page or _pages(window):
                    window.open(f"/{'' if name == 'overview' else name}?{options.query}")
                    _whole(window, options.folder / f"{name}-{theme}-{width}.png")
                complaints += window.complaints
    print("\n".join(complaints) or f"No complaints; pictures are in {options.folder}")  # noqa: T201
    return 1 if complaints else 0


def _pages(window: conftest.Window) -> list[str]:
    """Return the pages' names in the order of the menu, as the menu shows them."""
    links = window.open().locator('[data-testid="stSidebarNavLink"]')
    paths = [links.nth(i).get_attribute("href").rstrip("/").split("/")[-1] for i in range(links.count())]
    return ["overview" if not path or ":" in path else path for path in paths]


def _whole(window: conftest.Window, path: Path) -> None:
    """Take a picture of the whole page: the window is made as tall as what scrolls in it."""
    page = window.page
    width = page.viewport_size["width"]
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": max(900, min(tall, 6000))})
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    page.set_viewport_size({"width": width, "height": 900})


if __name__ == "__main__":
    sys.exit(main())

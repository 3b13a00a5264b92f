"""The chart component in a real browser: draws, recolours, reports clicks and drags, fails in words."""

from __future__ import annotations

import pytest

from tests.browser.conftest import new_window, serving
from tests.charts import samples

# Adding a chart is one row in the samples: the gallery shows what they hold.
FULL = samples.full()


@pytest.fixture(scope="session")
def address(_browser_possible):
    with serving(script="tests/browser/gallery/app.py") as url:
        yield url


def chart(page, key):
    return page.locator(f".st-key-{key} .chart")


def said(page, text):
    page.locator(".rr-chips").get_by_text(text).wait_for(timeout=5000)


def middle(locator):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_every_chart_is_drawn_and_speaks(window):
    page = window().open("/")
    drawn = page.locator(".chart:has(.main-svg)")
    assert drawn.count() == len(FULL)
    assert all(chart(page, name).count() == 1 for name in FULL)
    words = [drawn.nth(i).get_attribute("aria-label") for i in range(len(FULL))]
    assert all(drawn.nth(i).get_attribute("role") == "img" for i in range(len(FULL)))
    assert any(text.startswith("2 of 8 segments fail on recall.") for text in words)
    assert page.get_by_text("No cutoff is registered for this release.").count() == 1


def test_theme_change_recolours_without_rerun(window):
    page = window().open("/?only=forest")
    mark = chart(page, "forest").locator(".points path").first
    chart(page, "forest").evaluate("element => element.dataset.kept = 'yes'")
    assert mark.evaluate("e => e.style.fill") == "rgb(126, 26, 18)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.querySelector('.st-key-forest .points path').style.fill === 'rgb(224, 106, 94)'")
    assert chart(page, "forest").get_attribute("data-kept") == "yes"
    assert page.locator(".rr-badge.rr-bad").first.evaluate("e => getComputedStyle(e).color") == "rgb(224, 106, 94)"


def test_click_reports_the_segment_and_keeps_the_element(window):
    page = window().open("/?only=forest")
    chart(page, "forest").evaluate("element => element.dataset.kept = 'yes'")
    page.mouse.move(*middle(chart(page, "forest").locator(".points path").first))
    page.mouse.down()
    page.wait_for_timeout(60)
    page.mouse.up()
    said(page, "age 25 and under")
    assert chart(page, "forest").get_attribute("data-kept") == "yes"


def test_drag_reports_the_score_and_the_line_stays_there(window):
    page = window().open("/?only=trade")
    x, y = middle(chart(page, "trade").locator(".shapelayer path").last)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y, steps=6)
    page.mouse.up()
    page.wait_for_function("!document.querySelector('.rr-chips').innerText.includes('0.500')")
    score = float(page.locator(".rr-chips li").nth(1).inner_text().removeprefix("dragged"))
    assert 0.05 < score < 0.45
    page.wait_for_timeout(400)
    assert middle(chart(page, "trade").locator(".shapelayer path").last)[0] == pytest.approx(x - 40, abs=3)


def test_line_that_may_not_be_dragged_goes_back(window):
    page = window().open("/?only=trade")
    line = chart(page, "trade").locator('.shapelayer path[data-index="0"]')
    x, y = middle(line)
    page.mouse.move(x, y + 60)
    page.mouse.down()
    page.mouse.move(x - 60, y + 60, steps=6)
    page.mouse.up()
    page.wait_for_timeout(600)
    assert middle(chart(page, "trade").locator('.shapelayer path[data-index="0"]'))[0] == pytest.approx(x, abs=2)
    assert "0.500" in page.locator(".rr-chips").inner_text()


def test_definition_data_and_sql_open_below_and_download(window):
    page = window().open("/?only=forest")
    box = page.locator(".st-key-box-forest")
    assert box.get_by_text("Each row is candidate minus baseline").count() == 0
    box.get_by_text("Definition, data, SQL").click()
    box.get_by_text("Each row is candidate minus baseline").wait_for(timeout=5000)
    assert "select 1 as one" in box.locator("code").inner_text()
    with page.expect_download() as download:
        box.get_by_test_id("stDownloadButton").get_by_role("button").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.splitlines()[0] == "segment,difference,low,high,verdict,n"
    assert "undocumented code P11 with a very long name,,,,NODATA,4" in text


def test_chart_follows_the_width_of_the_window(window):
    page = window().open("/?only=forest&only=trade")
    page.set_viewport_size({"width": 800, "height": 900})
    page.wait_for_function(
        """() => [...document.querySelectorAll('.chart')].every(
             c => Math.abs(c.clientWidth - c.querySelector('.main-svg')?.getAttribute('width')) < 2)"""
    )


def test_dialog_keeps_our_colours_readable(window):
    page = window(theme="dark").open("/?only=forest")
    page.get_by_role("button", name="Open dialog").click(delay=90)
    banner = page.get_by_role("dialog").locator(".rr-banner")
    banner.wait_for(timeout=5000)
    assert banner.evaluate("e => getComputedStyle(e).color") == "rgb(224, 106, 94)"


def test_missing_script_is_said_in_words(browser, address):
    window = new_window(browser, address)
    window.page.route("**/plotly.min.js*", lambda route: route.abort())
    page = window.open("/?only=forest&only=cost")
    assert page.locator(".chart-error[role=alert]").count() == 2
    assert "Its numbers are right" in page.locator(".chart-error").first.inner_text()


def test_charts_draw_beneath_a_base_path(browser):
    with serving(script="tests/browser/gallery/app.py", baseUrlPath="reviews/live") as base:
        window = new_window(browser, base)
        assert window.open("/?only=forest").locator(".chart .main-svg").count() == 3
        assert window.complaints == []

"""The real app on the real demo in a real browser: cold links, both themes, both widths, the way from red to a decision."""

import re
from pathlib import Path

import pytest

from release_core import demo, library
from tests.browser import conftest as harness

ROOT = Path(__file__).parents[2]
PAGES = ("", *(path.stem for path in sorted((ROOT / "pages").glob("*.py")) if path.stem != "overview"))


@pytest.fixture(scope="module")
def address(_browser_possible, tmp_path_factory):
    """Give the address of the app on a demo of its own, with an empty ledger: `window` opens on it."""
    root = tmp_path_factory.mktemp("app")
    demo.build(root / "releases", only=["credit-model", "credit-mixed"])
    patch = pytest.MonkeyPatch()
    patch.setenv("RELEASE_REVIEW_CACHE", str(root / "cache"))
    patch.setenv("RELEASE_REVIEW_LEDGER", str(root / "ledger.sqlite"))
    patch.setenv("RELEASE_REVIEW_RELEASES", str(root / "releases"))
    for name in ("credit-model", "credit-mixed"):
        library.open_release(name)  # a cold cube takes longer than a page may
    with harness.serving(root / "releases") as address:
        yield address
    patch.undo()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [harness.WIDE, harness.NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_from_a_cold_deep_link(path, size, theme, window):
    page = window(size, theme).open(f"/{path}?release=credit-model&as_of=2005-08&in_replay_set=Jun-Jul")
    assert page.locator("h1").first.inner_text()
    assert page.locator('[data-testid="stException"], .rr-problem').count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    assert "as_of=2005-08" in page.url


def test_the_first_page_gives_the_verdict_and_where_the_harm_is(window):
    page = window().open("/")
    banner = page.locator(".rr-banner").inner_text()
    assert "Do not advance" in banner
    assert "the harm is in the segments" in banner
    assert "Recall in age band 25 and under" in banner


def test_from_the_red_verdict_to_one_slice_takes_two_clicks(window):
    one = window()
    page = one.open("/")
    page.get_by_text("Look into age band 25 and under").first.click(delay=90)
    page.wait_for_url(re.compile("/segments"))
    one.settle()
    assert page.locator("h1").inner_text() == "Segments"
    table = page.locator(".rr-table").first.inner_text()
    assert "Recall" in table
    assert "age band 25 and under" in page.locator(".rr-table caption").first.inner_text()


def test_from_the_red_verdict_to_slice_customers_money_and_cutoff_takes_at_most_four_clicks(window):
    one = window()
    page = one.open("/?release=credit-model")
    assert "Do not advance" in page.locator(".rr-banner").inner_text()
    page.get_by_text("Find the worst slices, and what they cost").click(delay=90)
    page.wait_for_url(re.compile("/segments"))
    page.locator(".rr-lead").wait_for()
    one.settle()
    lead = page.locator(".rr-lead").inner_text()
    assert "limit tier up to 50k" in lead
    assert re.search(r"customers [\d,]+; events a day \d+", lead)
    assert re.search(r"money [\d,]+ TWD a day dearer", lead)
    page.get_by_text("Set the cutoff of this segment").click(delay=90)
    page.wait_for_url(re.compile("/cutoffs"))
    one.settle()
    page.get_by_text("limit tier up to 50k").first.wait_for()
    assert page.locator("h1").inner_text() == "Cutoffs"
    assert "in_limit_tier=up+to+50k" in page.url or "in_limit_tier=up%20to%2050k" in page.url
    cutoffs = page.locator(".rr-table", has_text="Cheapest cutoff").first.inner_text()
    assert re.search(r"candidate\s+review\s+[\d,]+\s+0\.\d+", cutoffs)


def test_clicking_a_slice_that_was_found_looks_into_it(window):
    one = window()
    page = one.open("/segments?release=credit-model&show=Worst+slices")
    before = page.locator(".rr-chips").first.inner_text()
    page.locator(".chart").first.locator(".scatterlayer .point").last.click(force=True, delay=90)
    page.wait_for_function("text => document.querySelector('.rr-chips').innerText !== text", arg=before)
    assert "slice=" in page.url


def test_mix_and_rate_are_told_apart_on_screen(window):
    one = window()
    page = one.open("/segments?release=credit-model&show=Mix+or+rate&mix_metric=Precision&mix_by=limit+tier")
    assert "because the mix of segments differs" in page.locator(".rr-lead").inner_text()
    page.goto(page.url + "&compare=One+period+against+another&mix_metric=Recall")
    page.get_by_text("no event there counts for it yet").wait_for()
    one.settle()


def test_clicking_a_row_of_the_forest_looks_into_that_segment(window):
    one = window()
    page = one.open("/segments?release=credit-model&split=limit+tier")
    before = page.locator(".rr-table caption").first.inner_text()
    points = page.locator(".chart .scatterlayer .point")
    points.last.click(force=True, delay=90)
    page.wait_for_function("text => document.querySelector('.rr-table caption').innerText !== text", arg=before)
    assert "limit tier" in page.locator(".rr-table caption").first.inner_text()


def test_another_as_of_time_changes_the_numbers_and_the_link(window):
    one = window()
    page = one.open("/labels?release=credit-model")
    before = page.locator(".rr-lead").inner_text()
    handle = page.locator('[data-testid="stSidebar"]').get_by_role("slider")
    handle.focus()
    handle.press("ArrowLeft")
    page.wait_for_function("text => document.querySelector('.rr-lead').innerText !== text", arg=before)
    assert "2005-08-31" in page.locator(".rr-lead").inner_text()
    assert "as_of=2005-08" in page.url


def test_another_cutoff_changes_what_is_compared(window):
    one = window()
    page = one.open("/cutoffs?release=credit-model")
    field = page.get_by_label("What if review began at a score of")
    field.fill("0.3")
    field.press("Enter")
    page.wait_for_function(
        "() => [...document.querySelectorAll('caption')].some(c => /review from 0\\.(29|30)/.test(c.innerText))"
    )
    assert "review=0.3" in page.url


def test_dragging_a_cutoff_changes_what_is_compared(window):
    one = window()
    page = one.open("/cutoffs?release=credit-model")
    caption = page.locator(".rr-table caption").first
    before = caption.inner_text()
    line = page.locator(".chart").first.locator(".shapelayer path").last
    line.scroll_into_view_if_needed()
    box = line.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=6)
    page.mouse.up()
    page.wait_for_function(
        "text => document.querySelector('.rr-table caption').innerText !== text", arg=before, timeout=15_000
    )
    score = float(re.search(r"[?&]review=([\d.]+)", page.url).group(1))
    assert 0 < score < 0.6
    page.wait_for_function(
        "score => [...document.querySelectorAll('input')].some(field => Number(field.value) === score)", arg=score
    )
    change = page.locator(".rr-table").first.locator("tr", has_text="Reviews a day").first.inner_text()
    assert "+" in change


def test_a_link_to_nothing_says_so(window):
    page = window().open("/?release=credit-modle")
    page.get_by_text("which does not exist").wait_for()


def test_definition_data_and_sql_are_one_click_away(window):
    one = window()
    page = one.open("/score_drift?release=credit-model")
    page.get_by_text("Definition, data, SQL").first.click(delay=90)
    page.get_by_role("button", name="CSV").first.wait_for()
    assert "select" in page.locator("code").first.inner_text()


def test_a_mixed_release_is_refused_on_screen(window):
    page = window().open("/?release=credit-mixed")
    assert page.get_by_text("Refused: split it into releases of one kind").is_visible()


def test_a_no_go_is_recorded_and_shown_in_history_with_its_chain(window):
    one = window()
    page = one.open("/sign_off?release=credit-model")
    page.get_by_role("textbox", name="Your name").fill("A. Lee")
    page.get_by_role("textbox", name="Your role").fill("risk_analyst")
    page.get_by_role("textbox", name="Reason").fill("Young clients and small limits lose recall.")
    page.get_by_role("textbox", name="Reason").blur()
    one.settle()
    page.get_by_role("button", name="Record decision").click(delay=90)
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_label("Type credit-model to confirm")
    confirm.fill("credit-model")
    confirm.press("Enter")
    record = dialog.get_by_role("button", name="Record", exact=True)
    record.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('[role=dialog] button')].some(b => b.innerText.trim() === 'Record' && !b.disabled)"
    )
    record.click(delay=90)
    page.get_by_text("Record 1 is in the ledger").wait_for()
    page = one.open("/history?release=credit-model")
    assert "The chain holds: its only record matches its hash." in page.locator(".rr-banner").inner_text()
    assert "A. Lee" in page.locator(".rr-table", has_text="Decisions, newest first").inner_text()
    assert "the manifest is unchanged and the data is unchanged" in page.locator("body").inner_text()

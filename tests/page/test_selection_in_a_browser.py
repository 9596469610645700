"""Pictures are selected by clicks, with shift and all at once, in Chromium."""

from typing import Any

import pytest

from tests.page.conftest import status

pytestmark = [pytest.mark.browser, pytest.mark.long]


def pressed(page: Any) -> list[str]:
    checks = page.locator("#search-hits .check")
    return checks.evaluate_all("all => all.map(one => one.getAttribute('aria-pressed'))")


def test_hits_are_selected_downloaded_and_searched_from(open_page: Any) -> None:
    page = open_page()
    assert page.locator("#selection .selection").is_hidden()
    page.locator("#examples .card .open").first.click()
    status(page, "closest of")
    page.locator("#search-hits .check").nth(1).wait_for(state="attached")
    assert page.locator("#selection input").count() == 0, "the shared page only reads"
    page.locator("#search-hits .card").nth(1).hover()
    page.locator("#search-hits .check").nth(1).click()
    page.locator("#search-hits .check").nth(4).click(modifiers=["Shift"])
    page.locator("#selection", has_text="4 selected").wait_for()
    assert [at for at, state in enumerate(pressed(page)) if state == "true"] == [1, 2, 3, 4]
    assert page.locator("dialog[open]").count() == 0, "a check opens nothing"
    page.locator("#selection button", has_text="Download").click()
    status(page, "4 pictures to download below")
    page.locator("#files a").nth(3).wait_for()
    page.locator("#selection button", has_text="Select all hits").click()
    page.locator("#selection", has_text="24 selected").wait_for()
    page.locator("#selection button", has_text="Select none").click()
    page.locator("#search-hits .check").nth(2).click()
    page.locator("#search-hits .check").nth(0).click()
    page.locator("#selection button", has_text="Search from these").click()
    page.locator(".query img").nth(1).wait_for()
    page.locator("#selection .selection", has_text="selected").wait_for(state="hidden")
    page.locator("#search-hits .check").nth(0).wait_for(state="attached")
    assert set(pressed(page)) == {"false"}, "another search has another selection"

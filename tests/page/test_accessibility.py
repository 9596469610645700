"""What axe-core finds, and what somebody without a mouse, with big fingers or with large type needs."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.page.conftest import status

pytestmark = [pytest.mark.browser, pytest.mark.long]
TABS = ("Search", "Recommend", "Map", "Why", "Compare", "Collections")
SIZES = [(1400, 900), (390, 844)]
# What Gradio's own markup does: axe's name of a rule -> what the elements match that break it.
OF_GRADIO: dict[str, str] = {}
# Elements of ours that are pressed, and are smaller than a finger; text of a size below 12 pixels.
SMALL = """() => [...document.querySelectorAll(
    '.html-container :is(button, summary, [role=button]), button.sm, button.quiet, dialog[open] button')]
  .filter(one => one.checkVisibility({ opacityProperty: true }) && one.getClientRects().length)
  .filter(one => !one.closest('.among'))
  .map(one => ({ one, box: one.getBoundingClientRect() }))
  .filter(({ box }) => box.width && (box.width < 39.5 || box.height < 39.5))
  .map(({ one, box }) => `${one.className || one.tagName} ${one.textContent.trim().slice(0, 30)} `
    + `${Math.round(box.width)} × ${Math.round(box.height)}`)"""
TINY_TEXT = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim()) continue;
    if (!one.checkVisibility({ visibilityProperty: true })) continue;
    const size = parseFloat(getComputedStyle(one).fontSize);
    if (size > 0 && size < 12) found.push(`${size} ${walker.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return found;
}"""


def go_to(page: Any, name: str) -> None:
    """Opens a tab, also one that has no room in the row."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if tab.is_visible():
        tab.click()
    else:
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=name).click()
    page.wait_for_timeout(900)


def violations(page: Any) -> dict[str, list[str]]:
    """axe's rule -> the elements that break it, without those of Gradio."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function("!document.querySelector('.pending, .generating')")  # Gradio shows those faintly
    found: dict[str, list[str]] = {}
    for rule in Axe().run(page).response["violations"]:
        known = OF_GRADIO.get(rule["id"])
        for node in rule["nodes"]:
            target = node["target"][-1]
            is_known = known and page.evaluate(
                "([at, of]) => document.querySelector(at)?.matches(of)", [target, known]
            )
            if not is_known:
                found.setdefault(rule["id"], []).append(f"{target}: {node['html'][:160]}")
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_of_ours_on_any_tab(
    open_page: Callable[..., Any], size: tuple[int, int], scheme: str
) -> None:
    page = open_page(*size, scheme=scheme)
    found = {"first screen": violations(page)}
    page.locator("#examples .open").first.click()
    status(page, "closest")
    small, tiny = {}, {}
    for name in TABS:
        go_to(page, name)
        found[name] = violations(page)
        small[name], tiny[name] = page.evaluate(SMALL), page.evaluate(TINY_TEXT)
    go_to(page, "Search")
    page.locator("#search-hits .open").nth(2).click()
    page.locator("dialog.viewer[open] .similar img").first.wait_for()
    found["larger view"], small["larger view"] = violations(page), page.evaluate(SMALL)
    assert {name: rules for name, rules in found.items() if rules} == {}
    assert {name: which for name, which in small.items() if which} == {}
    assert {name: which for name, which in tiny.items() if which} == {}


def test_the_keyboard_alone_searches_walks_the_hits_and_acts_on_one(open_page: Callable[..., Any]) -> None:
    page = open_page(collection="")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the link past the controls
    assert page.evaluate("document.activeElement.id") == "status"
    page.locator("#examples .open").nth(1).focus()
    page.keyboard.press("Enter")
    status(page, "24 closest")
    page.wait_for_function("document.activeElement.id === 'status'")
    while not page.evaluate("document.activeElement.matches('#search-hits .open')"):
        page.keyboard.press("Tab")
    index = "[...document.querySelectorAll('#search-hits .open')].indexOf(document.activeElement)"
    assert page.evaluate(index) == 0
    page.keyboard.press("Tab")
    assert page.evaluate(index) == 1, "a hit is one stop"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    below = page.evaluate(index)
    assert below > 3
    page.keyboard.press("ArrowUp")
    assert page.evaluate(index) < below
    page.keyboard.press("m")
    assert page.locator(".hit-menu [role=menuitem]").all_inner_texts() == [
        "Look at it",
        "Search from this",
        "More like this",
        "Less like this",
        "Why is it here?",
        "Select",
    ]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('#search-hits .open')")
    point = page.evaluate("document.activeElement.closest('.card').dataset.point")
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#search-query .chips.like img").wait_for()
    page.locator(f"#search-hits .card[data-point='{point}'] [data-action=like][aria-pressed=true]").wait_for()


def test_arrows_lead_through_the_tabs_and_tab_closes_an_open_list(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.get_by_role("tab", name="Search", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Recommend").get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    assert page.get_by_role("tab", name="Collections").get_attribute("aria-selected") == "true"
    page.keyboard.press("Home")
    stops = page.locator("#tabs [role=tab]").evaluate_all(
        "all => all.filter(one => one.tabIndex === 0).length"
    )
    assert stops == 1
    page.locator("#collection input").click()
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Tab")
    page.get_by_role("option").first.wait_for(state="detached")


@pytest.mark.parametrize("size", [(700, 450), (390, 844)], ids=["200 %", "phone"])
def test_the_first_hits_are_seen_without_scrolling(
    open_page: Callable[..., Any], size: tuple[int, int]
) -> None:
    """A window of 1400 × 900 at 200 % has 700 × 450 pixels of its own."""
    page = open_page(*size)
    page.locator("#examples .open").first.click()
    status(page, "24 closest")
    page.wait_for_timeout(1000)
    top = page.locator("#search-hits .card .open").first.bounding_box()
    assert top["y"] >= 0 and top["y"] + min(top["height"], 90) <= size[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

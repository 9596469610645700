"""All matches, folded copies, diversity; and what holds for every tab: no sideways scroll, readable text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.page.conftest import hit_pictures, status

pytestmark = pytest.mark.browser
TABS = ("Search", "Recommend", "Map", "Why", "Compare", "Collections")
# Relative luminance and contrast as WCAG 2 defines them, of every visible text on what lies behind it.
FAINT = """() => {
  const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      if (getComputedStyle(one).backgroundImage !== 'none') return null;  // a picture or a gradient
      const found = rgba(getComputedStyle(one).backgroundColor);
      if (found[3] > 250) return found;
      if (found[3] > 0) return null;  // see-through: what is below it is not known
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (seen.nextNode()) {
    const element = seen.currentNode.parentElement, text = seen.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest('[disabled], [aria-disabled=true], footer, svg, .card')) continue;
    const style = getComputedStyle(element), ground = behind(element), ink = rgba(style.color);
    if (!ground || ink[3] < 250 || style.opacity < 1 || !element.getClientRects().length) continue;
    const [high, low] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return faint;
}"""


def start(page: Any) -> list[str]:
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine")
    page.get_by_text("More options").click()
    return hit_pictures(page)


def test_all_matches_are_the_nearest_that_count_as_one(open_page: Callable[..., Any]) -> None:
    page = open_page(collection="")
    nearest = start(page)
    page.locator("#mode").get_by_text("All matches").click()
    page.locator("#status", has_text="match").wait_for()
    matches = hit_pictures(page)
    assert matches == nearest[: len(matches)] or matches[: len(nearest)] == nearest
    assert page.locator("#search-hits .card.weak").count() == 0
    page.locator("#mode").get_by_text("The nearest").click()
    page.wait_for_function(
        "was => document.querySelectorAll('#search-hits .open img').length === was", arg=len(nearest)
    )


def test_diversity_changes_who_comes_and_folding_hides_nobody_else(open_page: Callable[..., Any]) -> None:
    page = open_page()
    plain = start(page)
    slider = page.locator("#diversity input[type=range]")
    slider.focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    slider.dispatch_event("pointerup")
    page.wait_for_function(
        "was => [...document.querySelectorAll('#search-hits .open img')]"
        ".map(one => one.getAttribute('src')).join() !== was",
        arg=",".join(plain),
    )
    spread = hit_pictures(page)
    assert len(spread) == len(plain) and len(set(spread)) == len(spread)
    page.locator("#fold input").click()
    status(page, "cosine")
    assert len(set(hit_pictures(page))) == len(hit_pictures(page))


def test_words_are_asked_for_only_where_they_are_understood(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert not page.locator("#words").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_a_phone_and_can_be_read(
    open_page: Callable[..., Any], scheme: str, tmp_path: Path
) -> None:
    page = open_page(390, 844, scheme=scheme)
    page.locator("#examples .open").first.click()
    status(page, "cosine")
    wide, faint = {}, {}
    for name in TABS:
        tab = page.get_by_role("tab", name=name, exact=True)
        if not tab.is_visible():  # behind the button that holds what has no room
            page.locator(".overflow-menu > button").click()
            page.locator(".overflow-dropdown button", has_text=name).click()
        else:
            tab.click()
        page.wait_for_timeout(500)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[name] = width
        if found := page.evaluate(FAINT):
            faint[name] = found
    assert wide == {}
    assert faint == {}

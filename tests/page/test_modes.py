"""Closeness, folded copies, diversity; and what holds for every tab: no sideways scroll, readable text."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.store import open_store
from tests.page.conftest import LIMIT, hit_pictures, running, status

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
    if (element.closest('[disabled], [aria-disabled=true], svg')) continue;
    const style = getComputedStyle(element), ground = behind(element), ink = rgba(style.color);
    if (!ground || ink[3] < 250 || style.opacity < 1 || !element.getClientRects().length) continue;
    const [high, low] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def doubled(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a demo whose paintings are all there twice, by an encoder that is said to know words."""
    home = tmp_path_factory.mktemp("doubled")
    shutil.copytree(demo_home / "store", home / "store")
    store = open_store(str(home))
    version = store.aliases()["wikiart"]
    entries = store.read_manifest(version).encoders
    names = [name for entry in entries for name in (entry.vector, entry.code)]
    records = store.scroll(version, LIMIT, with_vectors=names)
    vectors = {name: np.array([one.vector[name] for one in records], np.float32) for name in names}
    store.upsert(version, [str(uuid.uuid4()) for _ in records], vectors, [one.payload for one in records])
    store.finish(version)
    manifest = home / "store" / version / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"text": false', '"text": true'))
    with running("--home", str(home), "--limit", "0") as url:
        yield url


def searched(page: Any) -> list[str]:
    """Pictures of the hits for an example, with the options open."""
    page.locator("#examples .open").nth(1).click()
    status(page, "cosine")
    page.get_by_text("More options").click()
    return hit_pictures(page)


def contents(page: Any, addresses: list[str]) -> list[str]:
    """Hashes of the pictures at these addresses: a copy has an address of its own."""
    root = page.url.partition("?")[0]
    return [hashlib.sha256(page.request.get(root + one).body()).hexdigest() for one in addresses]


def hits_change(page: Any, before: list[str]) -> list[str]:
    page.wait_for_function(
        "was => [...document.querySelectorAll('#search-hits .open img')]"
        ".map(one => one.getAttribute('src')).join() !== was",
        arg=",".join(before),
    )
    return hit_pictures(page)


@pytest.mark.long
def test_closeness_says_how_many_pictures_are_left(open_page: Callable[..., Any], doubled: str) -> None:
    page = open_page(url=doubled)
    nearest = searched(page)
    slider = page.locator("#closeness input")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**closeness=1&*")
    left = page.locator("#closeness output").inner_text()
    assert left.startswith("Top 1%: ") and page.locator("#search-hits .card").count() == int(left.split()[2])
    assert hit_pictures(page) == nearest[: int(left.split()[2])], "its copy at least is left"
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('#search-hits .card').length === 24")
    assert slider.input_value() == "0" and hit_pictures(page) == nearest


@pytest.mark.long
def test_a_copy_is_folded_into_the_first_of_its_kind(open_page: Callable[..., Any], doubled: str) -> None:
    page = open_page(url=doubled)
    plain = searched(page)
    assert len(set(contents(page, plain))) < len(plain), "copies have the same picture"
    page.locator("#fold input").click()
    folded = hits_change(page, plain)
    seen = contents(page, folded)
    assert len(set(seen)) == len(seen) == 24 and seen[0] == contents(page, plain)[0]
    assert page.locator("#search-hits .copies", has_text="+1 near-duplicate").count() == 23, "all but its own"


@pytest.mark.long
def test_diversity_lets_others_come_before_a_copy(open_page: Callable[..., Any], doubled: str) -> None:
    page = open_page(url=doubled)
    plain = searched(page)
    before = contents(page, plain)
    assert before[1] == before[2], "a painting and its copy, one after the other"
    slider = page.locator("#diversity input[type=range]")
    slider.focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    slider.dispatch_event("pointerup")
    spread = hits_change(page, plain)
    after = contents(page, spread)
    assert len(after) == 24 and after[0] == before[0] and after[1] != after[2]
    assert len(set(after)) > len(set(before))


@pytest.mark.long
def test_words_name_labels_where_the_encoder_reads_no_text(open_page: Callable[..., Any]) -> None:
    page = open_page()
    box = page.locator("#words textarea, #words input").first
    box.fill(box.get_attribute("placeholder").removeprefix("such as "))
    box.press("Enter")
    status(page, "closest of")
    assert "Style: " in page.locator("#status p").inner_text()
    page.wait_for_url("**words=*")
    box.fill("xyzzy")
    box.press("Enter")
    status(page, "has no label that these words name")


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
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

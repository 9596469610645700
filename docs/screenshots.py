"""Pictures of every tab for this folder: python -m docs.screenshots [--home …] [--collection WikiArt].

Starts the demo, drives Chromium as a visitor would, and writes docs/<tab>.png; the Search tab also dark, and
on a narrow screen. Needs requirements-dev.txt and a Chromium.
"""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.demo_in_chromium import WEBGL_FLAGS, find_chromium, running_demo

HERE = Path(__file__).resolve().parent
MAX_BYTES = 1_500_000
STEPS_OF_COLOUR = (1, 2, 4, 8)  # of 256 values a channel
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
SETTLED_MS = 1500  # after the last picture was asked for
EXAMPLE = 0  # an Impressionist landscape of the WikiArt sample
# Whether all pictures in the window have arrived.
_LOADED = """() => [...document.images].every(one => {
  const frame = one.getBoundingClientRect();
  const below = frame.top > innerHeight || frame.bottom < 0;
  const beside = frame.left > innerWidth || frame.right < 0;
  return !frame.width || below || beside || one.complete;
})"""


def main() -> int:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(prog="docs.screenshots", description=__doc__)
    parser.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    parser.add_argument("--collection", default="WikiArt", help="title of the one that is shown")
    options = parser.parse_args()
    with running_demo(options.home) as (url, _):
        _all(url, options.collection)
    return 0


def _all(url: str, collection: str) -> None:
    chromium = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=WEBGL_FLAGS)

        def opened(size: Any, scheme: Any) -> Page:
            page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
            page.set_default_timeout(60_000)
            page.goto(url)
            page.locator("#examples .card").first.wait_for()
            page.locator("#collection input").click()
            page.get_by_role("option", name=collection).click()
            page.locator("#examples .card:not(.tiny)").first.wait_for()
            return page

        page = opened(WIDE, "light")
        _search(page)
        _save(page, "search")
        for tab in page.get_by_role("tab").all_inner_texts():
            if tab in STEPS:
                STEPS[tab](page)
                _save(page, tab.lower())
        for name, size, scheme in (("search-dark", WIDE, "dark"), ("search-narrow", NARROW, "light")):
            page = opened(size, scheme)
            _search(page)
            _save(page, name)
        browser.close()


def _search(page: Page) -> None:
    page.locator("#examples .open").nth(EXAMPLE).click()
    page.locator("#search-hits .card").first.wait_for()


def _why(page: Page) -> None:
    page.get_by_role("tab", name="Search").click()
    page.locator("#search-hits .open").first.click()
    page.get_by_role("button", name="Why?").click()
    page.locator("#why tbody tr").first.wait_for()


def _recommend(page: Page) -> None:
    page.get_by_role("tab", name="Recommend").click()
    for before, (place, vote) in enumerate(((0, "like"), (2, "like"), (5, "dislike"))):
        work = page.locator("#works-hits .card").nth(place)
        work.hover()
        work.locator(f"[data-action={vote}]").click()
        page.locator(f"#works-hits [aria-pressed=true] >> nth={before}").wait_for()
    page.locator("#recommend-hits .card").first.wait_for()
    page.mouse.move(0, 0)


def _plain(name: str) -> Callable[[Page], None]:
    def step(page: Page) -> None:
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(SETTLED_MS)

    return step


STEPS: dict[str, Callable[[Page], None]] = {
    "Why": _why,
    "Map": _plain("Map"),
    "Recommend": _recommend,
    "Compare": _plain("Compare"),
    "Collections": _plain("Collections"),
}


def _save(page: Page, name: str) -> None:
    """A PNG of at most `MAX_BYTES`; where full colour needs more, channels are rounded in small steps."""
    page.mouse.move(0, 0)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function(_LOADED)
    page.wait_for_timeout(SETTLED_MS)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for step in STEPS_OF_COLOUR:
        file = io.BytesIO()
        _stepped(shot, step).save(file, "PNG", optimize=True)
        if file.tell() <= MAX_BYTES:
            break
    (HERE / f"{name}.png").write_bytes(file.getvalue())
    print(f"docs/{name}.png: {file.tell() / 1000:.0f} kB, colours in steps of {step}")


def _stepped(shot: Image.Image, step: int) -> Image.Image:
    """Every channel rounded to multiples of `step`; black and white stay."""
    return shot.point([min(255, round(value / step) * step) for value in range(256)] * 3)


if __name__ == "__main__":
    sys.exit(main())

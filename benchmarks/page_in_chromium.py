"""What a visitor's browser sees: the first screen, and the time from a click to painted pictures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.demo_in_chromium import FLAGS, find_chromium

__all__ = ["example_click", "first_screen"]

_EXAMPLE = "#examples .card img"
_PATIENCE_MS = 120_000
_CLICKS = 7  # on different examples, each in a page that was opened anew
# Entries beyond 250 are left out unless there is room for them.
_ROOM = "performance.setResourceTimingBufferSize(5000)"
_MOVED = """() => {
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return [all.length, all.reduce((sum, one) => sum + one.transferSize, 0)];
}"""
# Milliseconds from a click on example number `at` until all pictures of hits in sight are painted.
_CLICK = """(at) => new Promise((done) => {
  const start = performance.now();
  document.querySelectorAll("#examples .card button.open")[at].click();
  const inSight = (image) => image.getBoundingClientRect().top < innerHeight;
  const look = () => {
    const seen = [...document.querySelectorAll("#search-hits .card img")].filter(inSight);
    if (!seen.length || !seen.every((image) => image.complete && image.naturalWidth)) {
      requestAnimationFrame(look);
      return;
    }
    Promise.all(seen.map((image) => image.decode())).then(() =>
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start))));
  };
  requestAnimationFrame(look);
})"""


@contextmanager
def _opened(url: str) -> Iterator[Any]:
    """A page of Chromium with the examples in sight; None where there is no Chromium."""
    found = find_chromium()
    if found is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(_PATIENCE_MS)
        page.add_init_script(_ROOM)
        page.goto(url, wait_until="commit")
        page.locator(_EXAMPLE).first.wait_for()
        yield page
        browser.close()


def first_screen(url: str) -> dict[str, float] | None:
    """Seconds until Chromium has painted something and until the examples are there; requests and kilobytes
    until nothing more is fetched. None without a Chromium.
    """
    start = time.perf_counter()
    with _opened(url) as page:
        if page is None:
            return None
        ready = time.perf_counter() - start
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        page.wait_for_timeout(2000)
        requests, moved = page.evaluate(_MOVED)
    return {
        "first_paint_s": round(painted / 1e3, 2),
        "ready_s": round(ready, 2),
        "requests": requests,
        "kb": round(moved / 1e3),
    }


def example_click(url: str) -> float | None:
    """Milliseconds from a click on an example to painted pictures: the median of several, without the first
    one, for which the page may load its network. None without a Chromium.
    """
    with _opened(url) as page:
        if page is None:
            return None
        times = []
        for at in range(_CLICKS + 1):
            page.goto(url, wait_until="commit")
            page.locator(_EXAMPLE).first.wait_for()
            page.wait_for_timeout(1000)  # the page is at rest
            times.append(page.evaluate(_CLICK, at))
    return round(median(times[1:]), 1)

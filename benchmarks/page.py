"""The page under load: python -m benchmarks.page [--callers 32] [--seconds 60 | --searches N] [--home DIR]

Starts demo.py on loopback, without a limit for visitors. Measures the first paint in Chromium, searches of
one session, then of CALLERS sessions at once without a pause; and the memory of the server after a tenth,
half and all of the searches.
"""

import argparse
import base64
import io
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import psutil
from gradio_client import Client
from PIL import Image

from benchmarks.demo_in_chromium import FLAGS, find_chromium, running_demo
from benchmarks.report import machine, print_table, write_result

__all__ = ["first_paint", "load", "main"]

_PICTURES = 16  # different ones, because the page keeps the vectors of pictures that it embedded last
_WARMED = 2  # searches before the clock starts
_ALONE = 40  # searches of a session that has the page to itself
_WEIGHED = (0.1, 0.5)  # shares of the load after which memory is read, besides its end
_COLUMNS = ["callers", "searches", "errors", "queries_per_s", "p50_ms", "p95_ms", "mb", "growth"]


def load(
    url: str,
    collection: str,
    callers: int,
    seconds: float | None = None,
    searches: int | None = None,
    weigh: Callable[[], int] = lambda: 0,
) -> dict[str, Any]:
    """Searches from `callers` sessions for `seconds`, or until there were so many.

    Returns:
        Count, errors, queries a second, p50 and p95 in ms; resident megabytes during the load and at its end,
        and the ratio of the last of these to the first (growth).
    """
    pictures = [_picture(seed) for seed in range(_PICTURES)]
    with ThreadPoolExecutor(callers) as pool:
        clients = list(pool.map(lambda _: Client(url, verbose=False), range(callers)))
        for picture in pictures[:_WARMED]:
            _search(clients[0], picture, collection)
        rows: list[tuple[float, str | None]] = []
        start = time.perf_counter()

        def done() -> float:
            """The share of the load that is done, 1 at its end."""
            return len(rows) / searches if searches else (time.perf_counter() - start) / (seconds or 1.0)

        asking = [pool.submit(_ask, clients[i], i, pictures, collection, done, rows) for i in range(callers)]
        weights = []
        for share in _WEIGHED:
            while done() < share:
                time.sleep(0.05)
            weights.append(weigh())
        for caller in asking:
            caller.result()
        wall = time.perf_counter() - start
    weights.append(weigh())
    times = [took for took, error in rows if error is None]
    errors = [error for _, error in rows if error is not None]
    return {
        "callers": callers,
        "searches": len(times),
        "errors": len(errors),
        "first_errors": errors[:3],
        "queries_per_s": round(len(times) / wall, 2),
        "p50_ms": round(float(np.percentile(times, 50)) * 1e3, 1) if times else None,
        "p95_ms": round(float(np.percentile(times, 95)) * 1e3, 1) if times else None,
        "mb": weights,
        "growth": round(weights[-1] / weights[0], 3) if weights[0] else None,
    }


def first_paint(url: str) -> dict[str, float] | None:
    """Seconds until Chromium has painted something and until the examples are there; None without one."""
    found = find_chromium()
    if found is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        start = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator("#examples .card img").first.wait_for()
        ready = time.perf_counter() - start
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        browser.close()
    return {"first_paint_s": round(painted / 1e3, 2), "ready_s": round(ready, 2)}


def main(argv: list[str] | None = None) -> int:
    """Starts the page, loads it, prints and writes the figures; 1 if any search failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__.splitlines()[0])
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--searches", type=int, help="so many instead of a time")
    parser.add_argument("--collection", help="default: the first one")
    parser.add_argument("--home", help="folder of the collections")
    options = parser.parse_args(argv)
    before = machine()
    with running_demo(options.home, "--limit", "0") as (url, process):
        there = Client(url, verbose=False).predict(api_name="/collections")["collections"]
        collection = options.collection or there[0]["name"]
        weigh = partial(_megabytes, process)
        first_paint(url)  # not counted: the first start of the browser reads it from the disk
        painted = first_paint(url)
        alone = load(url, collection, 1, searches=_ALONE, weigh=weigh)
        many = load(url, collection, options.callers, options.seconds, options.searches, weigh)
    print_table(f"Searches of {collection} by upload, through the page's queue", _COLUMNS, [
        [row[name] for name in _COLUMNS] for row in (alone, many)
    ])  # fmt: skip
    print(f"in Chromium: {painted}" if painted else "no Chromium here: first paint not measured")
    print(*many["first_errors"], sep="\n")
    figures = {"collection": collection, "browser": painted, "alone": alone, "many": many}
    print(write_result("page", figures, before))
    return 1 if many["errors"] or alone["errors"] else 0


def _megabytes(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


def _ask(
    client: Client,
    first: int,
    pictures: list[str],
    collection: str,
    done: Callable[[], float],
    rows: list[tuple[float, str | None]],
) -> None:
    asked = first
    while done() < 1:
        start, error = time.perf_counter(), None
        try:
            _search(client, pictures[asked % len(pictures)], collection)
        except Exception as failed:
            error = f"{type(failed).__name__}: {failed}"
        rows.append((time.perf_counter() - start, error))
        asked += 1


def _search(client: Client, picture: str, collection: str) -> None:
    answer = client.predict(picture, collection, k=24, thumbnails=True, api_name="/search_image")
    if not answer["hits"]:
        raise RuntimeError("a search found nothing")


def _picture(seed: int) -> str:
    """A JPEG of coloured patches in base64."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    into = io.BytesIO()
    Image.fromarray(patches).resize((320, 320), Image.Resampling.BICUBIC).save(into, "JPEG")
    return base64.b64encode(into.getvalue()).decode()


if __name__ == "__main__":
    sys.exit(main())

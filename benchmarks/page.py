"""Many people at once on the page: python -m benchmarks.page --callers 32 --seconds 60 [--home DIR]

Starts demo.py on loopback, with no limit for a visitor; so many sessions search it without a pause. The
memory of the server is weighed after a third of the time and at the end.
"""

import argparse
import base64
import contextlib
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from gradio_client import Client
from PIL import Image

from benchmarks.report import machine, print_table, write_result

__all__ = ["load", "main"]

_START_SECONDS = 300
_PICTURES = 16  # different ones, so that not every search finds its picture embedded already
_WARMED = 2  # searches before the clock starts


def load(url: str, collection: str, callers: int, seconds: float) -> dict[str, Any]:
    """Searches from `callers` sessions for `seconds`: count, errors, queries a second, p50 and p95 in ms."""
    pictures = [_picture(seed) for seed in range(_PICTURES)]
    with ThreadPoolExecutor(callers) as pool:
        clients = list(pool.map(lambda _: Client(url, verbose=False), range(callers)))
        for picture in pictures[:_WARMED]:
            _search(clients[0], picture, collection)
        start = time.perf_counter()
        told = pool.map(lambda i: _ask(clients[i], i, pictures, collection, start + seconds), range(callers))
        rows = [row for caller in told for row in caller]
        wall = time.perf_counter() - start
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
    }


def main(argv: list[str] | None = None) -> int:
    """Starts the page, loads it, prints and writes the figures; 1 if any search failed."""
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__.splitlines()[0])
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--collection", help="default: the first one")
    parser.add_argument("--home", help="folder of the collections")
    options = parser.parse_args(argv)
    before = machine()
    with _page(options.home) as (url, process):
        there = Client(url, verbose=False).predict(api_name="/collections")["collections"]
        collection = options.collection or there[0]["name"]
        after_a_third: list[int] = []
        weigh = threading.Timer(options.seconds / 3, lambda: after_a_third.append(_megabytes(process)))
        weigh.start()
        figures = load(url, collection, options.callers, options.seconds)
        weigh.cancel()
        figures |= {
            "mb_after_a_third": after_a_third[0] if after_a_third else None,
            "mb_at_the_end": _megabytes(process),
        }
    figures |= {"collection": collection, "seconds": options.seconds}
    shown = [name for name in figures if name != "first_errors"]
    print_table("Searches by upload, through the page's queue", shown, [[figures[name] for name in shown]])
    print(*figures["first_errors"], sep="\n")
    print(write_result("page", figures, before))
    return 1 if figures["errors"] else 0


def _megabytes(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


def _ask(
    client: Client, first: int, pictures: list[str], collection: str, end: float
) -> list[tuple[float, str | None]]:
    rows: list[tuple[float, str | None]] = []
    while (start := time.perf_counter()) < end:
        error = None
        try:
            _search(client, pictures[(first + len(rows)) % len(pictures)], collection)
        except Exception as failed:
            error = f"{type(failed).__name__}: {failed}"
        rows.append((time.perf_counter() - start, error))
    return rows


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


@contextlib.contextmanager
def _page(home: str | None) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a page of our own, from its first line to its end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "demo.py", "--port", str(port), "--limit", "0"]
    command += ["--home", str(Path(home).resolve())] if home else []
    root = Path(__file__).resolve().parent.parent
    process = psutil.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    ready = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            if line.startswith("Simile is at "):
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        end = time.monotonic() + _START_SECONDS
        while not ready.wait(0.5):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the page did not start; the lines above say why")
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())

"""The page under load: python -m benchmarks.page [--callers 32] [--seconds 60] [--against COMMIT]

Starts demo.py on loopback, without a limit for visitors. In Chromium: the first screen, and the time from a
click on an example to painted pictures. Then searches of one visitor, of CALLERS visitors at once without a
pause, and of as many programs; each from an upload to the pictures of its hits. Memory of the server is read
after a tenth, half and all of the searches. With --against the page of an earlier commit is loaded in turns
with this one, in the same run and by the same sessions.
"""

import argparse
import io
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.demo_in_chromium import running_demo
from benchmarks.page_in_chromium import example_click, first_screen
from benchmarks.page_session import PageSession, ProgramSession
from benchmarks.report import machine, print_table, write_result
from benchmarks.second_checkout import files_of

__all__ = ["load", "main"]

_PICTURES = 16  # different ones, because the page keeps the vectors of pictures that it embedded last
_WARMED = 2  # searches before the clock starts
_ALONE = 40  # searches of a session that has the page to itself
_ROUNDS = 3  # of both pages in turns, with --against
_WEIGHED = (0.1, 0.5)  # shares of the load after which memory is read, besides its end
_SESSIONS: dict[str, type[PageSession] | type[ProgramSession]] = {
    "visitors": PageSession,
    "programs": ProgramSession,
}
_COLUMNS = [
    "callers",
    "searches",
    "errors",
    "queries_per_s",
    "p50_ms",
    "p95_ms",
    "kb",
    "cpu_ms",
    "mb",
    "growth",
]


def load(
    url: str,
    collection: str | None,
    callers: int,
    seconds: float | None = None,
    searches: int | None = None,
    process: psutil.Process | None = None,
    kind: type[PageSession] | type[ProgramSession] = PageSession,
) -> dict[str, Any]:
    """Searches from `callers` sessions for `seconds`, or until there were so many.

    Args:
        collection: None: the page's first one.
        process: of the page, whose memory and processor time are read.
        kind: of the sessions.

    Returns:
        Count, errors, queries a second, p50 and p95 in ms, kilobytes that a search moves, milliseconds of a
        core that the page spends on it; resident megabytes during the load and at its end, and the ratio of
        the last of these to the first (growth).
    """
    pictures = [_picture(seed) for seed in range(_PICTURES)]
    with urllib.request.urlopen(f"{url}/config") as answer:
        config = json.load(answer)
    sessions = [kind(url, config, collection) for _ in range(callers)]
    for picture in pictures[:_WARMED]:
        sessions[0].search(picture)
    moved, spent = sum(session.moved for session in sessions), _cpu_seconds(process)
    with ThreadPoolExecutor(callers) as pool:
        rows: list[tuple[float, str | None]] = []
        start = time.perf_counter()

        def done() -> float:
            """The share of the load that is done, 1 at its end."""
            return len(rows) / searches if searches else (time.perf_counter() - start) / (seconds or 1.0)

        asking = [pool.submit(_ask, session, i, pictures, done, rows) for i, session in enumerate(sessions)]
        weights = []
        for share in _WEIGHED:
            while done() < share:
                time.sleep(0.05)
            weights.append(_megabytes(process))
        for caller in asking:
            caller.result()
        wall = time.perf_counter() - start
    weights.append(_megabytes(process))
    spent = _cpu_seconds(process) - spent
    for session in sessions:
        session.close()
    times = [took for took, error in rows if error is None]
    errors = [error for _, error in rows if error is not None]
    moved = sum(session.moved for session in sessions) - moved
    return {
        "callers": callers,
        "searches": len(times),
        "errors": len(errors),
        "first_errors": errors[:3],
        "queries_per_s": round(len(times) / wall, 2),
        "p50_ms": round(float(np.percentile(times, 50)) * 1e3, 1) if times else None,
        "p95_ms": round(float(np.percentile(times, 95)) * 1e3, 1) if times else None,
        "kb": round(moved / len(rows) / 1e3, 1),
        "cpu_ms": round(1e3 * spent / len(rows), 1),
        "mb": weights,
        "growth": round(weights[-1] / weights[0], 3) if weights[0] else None,
    }


def measure(url: str, process: psutil.Process, options: argparse.Namespace) -> dict[str, Any]:
    """What Chromium sees of one page (None without a Chromium), and searches from one session."""
    first_screen(url)  # not counted: the first start of the browser reads it from the disk
    return {
        "first_screen": first_screen(url),
        "example_click_ms": example_click(url),
        "alone": load(url, options.collection, 1, searches=_ALONE, process=process),
    }


def main(argv: list[str] | None = None) -> int:
    """Starts the pages, loads them, prints and writes the figures; 1 if any search failed."""
    options = _parser().parse_args(argv)
    before, pages = machine(), dict[str, tuple[str, psutil.Process]]()
    with ExitStack() as closing:
        if options.against:
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="simile-against-")))
            files_of(options.against, folder / "files")
            home = options.against_home or str(folder / "home")
            other = running_demo(home, "--limit", "0", root=folder / "files")
            pages[options.against] = closing.enter_context(other)
        pages["here"] = closing.enter_context(running_demo(options.home, "--limit", "0"))
        figures = {name: measure(url, process, options) for name, (url, process) in pages.items()}
        for kind, sessions in _SESSIONS.items():
            for round_of in figures.values():
                round_of[kind] = []
            for _ in range(_ROUNDS if options.against else 1):
                for name, (url, process) in pages.items():
                    bounds = (options.callers, options.seconds, options.searches)
                    figures[name][kind].append(load(url, options.collection, *bounds, process, sessions))
    for name, found in figures.items():
        _print(name, found)
    ratios = {kind: _ratio(figures, kind) for kind in _SESSIONS} if options.against else {}
    for kind, ratio in ratios.items():
        print(f"{kind}: {ratio} times the throughput of {options.against} (medians of {_ROUNDS} rounds)")
    print(write_result("page", {"pages": figures, "throughput_ratios": ratios}, before))
    loads = [
        row for found in figures.values() for kind in ("alone", *_SESSIONS) for row in _rows(found, kind)
    ]
    return 1 if any(row["errors"] for row in loads) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.page", description=__doc__.splitlines()[0])
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60, help="seconds of each round")
    parser.add_argument("--searches", type=int, help="searches per round, instead of a time")
    parser.add_argument("--collection", help="default: the first one")
    parser.add_argument("--home", help="folder of the collections")
    parser.add_argument(
        "--against", metavar="COMMIT", help="an earlier version, loaded in turns with this one"
    )
    parser.add_argument(
        "--against-home", metavar="DIR", help="its home (default: a new one, where it indexes the samples)"
    )
    return parser


def _rows(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return found[kind] if isinstance(found[kind], list) else [found[kind]]


def _print(name: str, found: dict[str, Any]) -> None:
    for kind in ("alone", *_SESSIONS):
        rows = [[row[column] for column in _COLUMNS] for row in _rows(found, kind)]
        print_table(f"Searches by upload, {name}, {kind}", _COLUMNS, rows)
        print(*[error for row in _rows(found, kind) for error in row["first_errors"]], sep="\n")
    print(f"in Chromium: {found['first_screen']}")
    print(f"from a click on an example to painted pictures: {found['example_click_ms']} ms")


def _ratio(figures: dict[str, Any], kind: str) -> float:
    """Queries a second of this page over those of the other."""
    rates = {name: median(row["queries_per_s"] for row in found[kind]) for name, found in figures.items()}
    here = rates.pop("here")
    return round(here / next(iter(rates.values())), 2)


def _megabytes(process: psutil.Process | None) -> int:
    return round(process.memory_info().rss / 1e6) if process else 0


def _cpu_seconds(process: psutil.Process | None) -> float:
    times = process.cpu_times() if process else None
    return times.user + times.system if times else 0.0


def _ask(
    session: PageSession | ProgramSession,
    first: int,
    pictures: list[bytes],
    done: Callable[[], float],
    rows: list[tuple[float, str | None]],
) -> None:
    asked = first
    while done() < 1:
        start, error = time.perf_counter(), None
        try:
            session.search(pictures[asked % len(pictures)])
        except Exception as failed:  # whatever goes wrong is what is counted
            error = f"{type(failed).__name__}: {failed}"
        rows.append((time.perf_counter() - start, error))
        asked += 1


def _picture(seed: int) -> bytes:
    """A JPEG of coloured patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    into = io.BytesIO()
    Image.fromarray(patches).resize((320, 320), Image.Resampling.BICUBIC).save(into, "JPEG")
    return into.getvalue()


if __name__ == "__main__":
    sys.exit(main())

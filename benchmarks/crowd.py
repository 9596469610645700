"""A crowd on the page, with hostile visitors in it: python -m benchmarks.crowd [--seconds 600]

Starts demo.py twice on loopback, over the bundled samples: first with the honest visitors alone, then with
the hostile ones as well, one in twenty. Ends with status 1 if any of these does not hold: no honest visitor
sees an error, the page logs no traceback and stays below 2.5 GB of memory, the hostile ones make honest
searches at most three times slower (p95), and the disk stays flat.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from gradio_client import Client

from benchmarks.crowd_hostile import Hostile
from benchmarks.crowd_visitors import Visitor, write_pictures
from benchmarks.demo_in_chromium import running_demo
from benchmarks.report import machine, print_table, write_result
from benchmarks.resources import peak_gb

__all__ = ["Phase", "broken_promises", "main"]

_ONE_IN = 20  # visitors is hostile
_MOST_GB = 2.5  # of memory of the page
_MOST_SLOWER = 3.0  # p95 with hostile visitors, of that without
_DISK_MARGIN = 100_000_000  # bytes: exports, and uploads that were broken off and are not yet deleted
_COPIES = 2  # of an honest upload, where Gradio caches it as well
_PICTURES = 24  # different ones
_HOSTILE_PAUSE = 0.2  # seconds between two attacks
_WEIGH_EVERY = 0.5  # seconds
_FIRST_ERRORS = 5  # that are printed
_COLUMNS = ["visitors", "hostile", "acts", "searches", "errors", "p50 ms", "p95 ms", "peak GB", "disk MB"]
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Phase:
    """What one run of the page came to.

    Attributes:
        p50_ms, p95_ms: of honest searches, with their wait in the queue; None without any.
        peak_gb: the largest resident memory of the page.
        disk_start, disk_end: bytes of the home and of the page's temporary files, once warm and at the end.
        tracebacks: in the log of the page.
        uploaded: bytes of the honest visitors' uploads.
        answers: what the hostile visitors got, and how often.
    """

    honest: int
    hostile: int
    acts: dict[str, int]
    searches: int
    errors: int
    first_errors: list[str]
    p50_ms: float | None
    p95_ms: float | None
    peak_gb: float
    disk_start: int
    disk_end: int
    tracebacks: int
    uploaded: int
    answers: dict[str, int]

    def row(self) -> list[Any]:
        """A line of the printed table."""
        disk = f"{self.disk_start / 1e6:.0f} to {self.disk_end / 1e6:.0f}"
        done = [self.honest, self.hostile, sum(self.acts.values()), self.searches, self.errors]
        return [*done, self.p50_ms, self.p95_ms, self.peak_gb, disk]


def broken_promises(quiet: Phase, hostile: Phase) -> list[str]:
    """What does not hold, a sentence each."""
    broken = []
    for name, phase in (("without", quiet), ("with", hostile)):
        if phase.errors:
            broken.append(f"{phase.errors} errors for honest visitors {name} hostile ones; none is allowed")
        if phase.peak_gb >= _MOST_GB:
            broken.append(f"the page took {phase.peak_gb} GB {name} hostile visitors; {_MOST_GB} are allowed")
        grown, allowed = phase.disk_end - phase.disk_start, phase.uploaded * _COPIES + _DISK_MARGIN
        if grown > allowed:
            broken.append(
                f"the disk grew by {grown / 1e6:.0f} MB {name} hostile visitors; honest uploads explain "
                f"{allowed / 1e6:.0f} MB"
            )
        if phase.tracebacks:
            broken.append(f"the page logged {phase.tracebacks} tracebacks {name} hostile visitors")
    if quiet.p95_ms is None or hostile.p95_ms is None:
        broken.append("there was no honest search to compare; run for longer")
    elif hostile.p95_ms > quiet.p95_ms * _MOST_SLOWER:
        broken.append(
            f"honest searches took {hostile.p95_ms:.0f} ms (p95) with hostile visitors and "
            f"{quiet.p95_ms:.0f} without; {_MOST_SLOWER:.0f} times as much is allowed"
        )
    return broken


def main(argv: list[str] | None = None) -> int:
    """Runs both phases, prints and writes the figures; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.crowd", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=64, help="visitors, honest and hostile together")
    parser.add_argument("--seconds", type=float, default=600, help="seconds with hostile visitors")
    parser.add_argument(
        "--quiet-seconds", type=float, default=180, help="seconds without them, measured first"
    )
    parser.add_argument("--pause", type=float, default=10, help="seconds between two actions of a visitor")
    parser.add_argument("--home", help="folder of the collections (default: a new one, with the samples)")
    parser.add_argument("--log", help="file for the page's log with hostile visitors (default: none)")
    options = parser.parse_args(argv)
    before = machine()
    hostile = max(1, options.sessions // _ONE_IN)
    with tempfile.TemporaryDirectory(prefix="simile-crowd-") as folder:
        home = options.home or f"{folder}/home"
        honest = max(1, options.sessions - hostile)
        first = _run(home, honest, 0, options.quiet_seconds, options.pause)
        second = _run(home, honest, hostile, options.seconds, options.pause, options.log)
    print_table("A crowd on the page", _COLUMNS, [first.row(), second.row()])
    for phase in (first, second):
        print(*phase.first_errors, sep="\n", end="\n" if phase.first_errors else "")
    broken = broken_promises(first, second)
    print(*(broken or ["every promise holds"]), sep="\n")
    figures = {"pause_s": options.pause, "quiet": _with_seconds(first, options.quiet_seconds)}
    figures |= {"with_hostile": _with_seconds(second, options.seconds), "broken": broken}
    print(write_result("crowd", figures, before))
    return 1 if broken else 0


def _with_seconds(phase: Phase, seconds: float) -> dict[str, Any]:
    return {"seconds": seconds} | asdict(phase)


def _run(
    home: str, honest: int, hostile: int, seconds: float, pause: float, log_file: str | None = None
) -> Phase:
    with tempfile.TemporaryDirectory(prefix="simile-page-") as temporary, ExitStack() as closing:
        # Visitors have addresses of their own, as behind a proxy; the page's temporary files lie apart.
        environment = {**os.environ, "TMPDIR": temporary, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
        log = closing.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        url, process = closing.enter_context(running_demo(home, environment=environment, log=log))
        folders = [Path(temporary), Path(home)]
        pictures = write_pictures(Path(closing.enter_context(tempfile.TemporaryDirectory())), _PICTURES)
        visitors, attackers = _enter(url, honest, hostile, pictures, closing)
        disk_start = _bytes_of(folders)
        end = time.monotonic() + seconds
        peak = _Peak(process)
        closing.callback(peak.stop)
        with ThreadPoolExecutor(honest + hostile) as pool:
            running = [pool.submit(one.visit, lambda: time.monotonic() > end, pause) for one in visitors]
            running += [
                pool.submit(one.visit, lambda: time.monotonic() > end, _HOSTILE_PAUSE) for one in attackers
            ]
            for each in running:
                each.result()
        log.seek(0)
        said = log.read()
        if log_file:
            Path(log_file).write_text(said, encoding="utf-8")
        tracebacks = said.count(_TRACEBACK)
        return _phase(visitors, attackers, peak.gb(), (disk_start, _bytes_of(folders)), tracebacks)


def _enter(
    url: str, honest: int, hostile: int, pictures: list[Path], closing: ExitStack
) -> tuple[list[Visitor], list[Hostile]]:
    """The visitors. The first one warms the page up by doing everything once, which is not counted."""
    fields = _collections(url)
    visitors = []
    for number in range(honest):
        address = f"198.51.100.{number % 250 + 1}"
        visitors.append(Visitor(url, address, fields, pictures, seed=number))
        closing.callback(visitors[-1].close)
    visitors[0].do_all()
    visitors[0].done.clear()
    attackers = [
        Hostile(url, f"203.0.113.{number % 250 + 1}", next(iter(fields))) for number in range(hostile)
    ]
    for attacker in attackers:
        closing.callback(attacker.close)
    return visitors, attackers


def _collections(url: str) -> dict[str, list[str]]:
    """Name of each collection -> its filter fields."""
    told = Client(url, verbose=False, analytics_enabled=False).predict(api_name="/collections")
    return {one["name"]: one["filters"] for one in told["collections"]}


def _phase(
    visitors: Sequence[Visitor],
    attackers: Sequence[Hostile],
    gb: float,
    disk: tuple[int, int],
    tracebacks: int,
) -> Phase:
    done = [one for visitor in visitors for one in visitor.done]
    errors = [one.error for one in done if one.error]
    times = [one.seconds * 1e3 for one in done if one.is_search and not one.error]
    p50, p95 = (round(float(value), 1) for value in np.percentile(times, [50, 95])) if times else (None, None)
    answers = sum((attacker.answers for attacker in attackers), Counter[str]())
    return Phase(
        honest=len(visitors),
        hostile=len(attackers),
        acts=dict(sorted(Counter(one.what for one in done).items())),
        searches=len(times),
        errors=len(errors),
        first_errors=errors[:_FIRST_ERRORS],
        p50_ms=p50,
        p95_ms=p95,
        peak_gb=gb,
        disk_start=disk[0],
        disk_end=disk[1],
        tracebacks=tracebacks,
        uploaded=sum(visitor.uploaded for visitor in visitors),
        answers=dict(sorted(answers.items())),
    )


class _Peak:
    """The largest resident memory of a process: looked at twice a second, on Linux asked for."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._most, self._stopped = process, 0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def gb(self) -> float:
        """Gigabytes."""
        return max(round(self._most / 1e9, 2), peak_gb(self._process.pid))

    def stop(self) -> None:
        """Looks no longer."""
        self._stopped.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_WEIGH_EVERY):
            try:
                self._most = max(self._most, self._process.memory_info().rss)
            except psutil.NoSuchProcess:
                return


def _bytes_of(folders: Sequence[Path]) -> int:
    """Bytes of all files below some folders; those that are deleted meanwhile count nothing."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                total += path.lstat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
    return total


if __name__ == "__main__":
    sys.exit(main())

"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere; and for whoever asks."""

import sys
from dataclasses import dataclass

from tqdm import tqdm

from pipeline.printable import printable_lines

__all__ = ["Step", "begin", "progress", "say", "step"]


@dataclass(frozen=True)
class Step:
    """A stage of the job of this process, and how far it is; `total` is 0 where nobody can tell."""

    stage: str
    done: int = 0
    total: int = 0


_now: Step | tqdm = Step("start")


def begin(stage: str) -> None:
    """Say which stage begins."""
    global _now
    _now = Step(stage)


def step() -> Step:
    """The stage that this process is in, and how far it is."""
    if isinstance(_now, Step):
        return _now
    return Step(str(_now.desc).strip(" :"), int(_now.n), int(_now.total or 0))


def progress(stage: str, total: int, unit: str = "img") -> tqdm:
    """A bar with rate and time left; use as a context manager and `update(n)` it."""
    global _now
    interval = 0.5 if sys.stderr.isatty() else 5.0
    bar = tqdm(total=total, desc=f"{stage:>5}", unit=unit, file=sys.stderr, mininterval=interval, leave=True)
    _now = bar
    return bar


def say(message: str) -> None:
    """Lines on stderr, with control characters escaped; stdout is kept for the job's result."""
    print(printable_lines(message), file=sys.stderr, flush=True)

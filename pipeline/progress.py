"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere; and for whoever asks."""

import sys
import time
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

__all__ = ["Progress", "Step", "begin", "line", "progress", "say", "step"]


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
    """One line on stderr; stdout is kept for the job's result."""
    print(message, file=sys.stderr, flush=True)


_SECONDS_BETWEEN_LINES = 20.0  # within an epoch


def line(record: dict[str, Any], epochs: int) -> str:
    """An epoch's record in words."""
    shown = (f"{key} {value:.4g}" for key, value in record.items() if key not in ("epoch", "terms"))
    return f"epoch {record['epoch']}/{epochs}: {', '.join(shown)}"


@dataclass
class Progress:
    """One line now and then, because an epoch can take minutes."""

    steps: int
    epoch: int
    loud: bool
    printed: float = 0.0

    def step(self, number: int, loss: float, started: float, images: int) -> None:
        """Step `number` is done, after `images` images since `started`."""
        now = time.monotonic()
        if not self.loud or now - max(self.printed, started) < _SECONDS_BETWEEN_LINES:
            return
        self.printed = now
        speed = images / (now - started)
        text = f"  epoch {self.epoch}, step {number}/{self.steps}: loss {loss:.3f}, {speed:.0f} images/s"
        say(text)

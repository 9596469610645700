"""What a worker says while it trains."""

import sys
import time
from dataclasses import dataclass
from typing import Any

__all__ = ["Progress", "line", "say"]

_SECONDS_BETWEEN_LINES = 20.0  # within an epoch


def say(text: str) -> None:
    """A line of its own on stderr."""
    sys.stderr.write(f"{text}\n")  # Ray Train repeats what is printed
    sys.stderr.flush()


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

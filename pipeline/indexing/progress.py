"""Progress of long work on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys

from tqdm import tqdm

__all__ = ["progress", "say"]


def progress(stage: str, total: int, unit: str = "img") -> tqdm:
    """A bar with rate and time left; use as a context manager and `update(n)` it."""
    interval = 0.5 if sys.stderr.isatty() else 5.0
    return tqdm(total=total, desc=f"{stage:>5}", unit=unit, file=sys.stderr, mininterval=interval, leave=True)


def say(message: str) -> None:
    """One line on stderr; stdout is kept for the job's result."""
    print(message, file=sys.stderr, flush=True)

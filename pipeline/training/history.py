"""The record of each epoch, as curves.json keeps it; and the lines that a run prints while it trains."""

import time
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline.progress import say

__all__ = ["SECONDS_BETWEEN_LINES", "EpochRecord", "StepLines"]

SECONDS_BETWEEN_LINES = 20.0


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: 1 for the first.
        loss: mean over the steps of one worker.
        terms: name of a loss -> its mean, before its weight.
        seconds: wall-clock time of the steps.
        images_per_second: of all workers together.
        figures: of validation, such as `map_cosine`; empty where this epoch was not validated.
    """

    epoch: int
    loss: float
    terms: dict[str, float]
    seconds: float
    images_per_second: float
    figures: dict[str, float] = field(default_factory=dict)

    def flat(self) -> dict[str, Any]:
        """One level of keys, with the figures beside the others, as JSON holds it."""
        return {
            "epoch": self.epoch,
            "loss": self.loss,
            "terms": self.terms,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
        } | self.figures

    @classmethod
    def from_flat(cls, record: dict[str, Any]) -> Self:
        """What `flat` gave."""
        own = ("epoch", "loss", "terms", "seconds", "images_per_second")
        figures = {key: value for key, value in record.items() if key not in own}
        return cls(**{key: record[key] for key in own}, figures=figures)

    def line(self, epochs: int) -> str:
        """In words, for a run of so many epochs."""
        shown = (f"{key} {value:.4g}" for key, value in self.flat().items() if key not in ("epoch", "terms"))
        return f"epoch {self.epoch}/{epochs}: {', '.join(shown)}"


@dataclass
class StepLines:
    """Prints a line within an epoch every 20 seconds, because an epoch can take minutes.

    Attributes:
        steps: of the epoch.
        epoch: 1 for the first.
        loud: whether to print at all; only the first worker does.
        printed: when the last line was, on the monotonic clock.
    """

    steps: int
    epoch: int
    loud: bool
    printed: float = 0.0

    def step(self, number: int, loss: float, started: float, images: int) -> None:
        """Tell that step `number` of the epoch is done, after `images` images since `started`."""
        now = time.monotonic()
        if not self.loud or now - max(self.printed, started) < SECONDS_BETWEEN_LINES:
            return
        self.printed = now
        speed = images / (now - started)
        say(f"  epoch {self.epoch}, step {number}/{self.steps}: loss {loss:.3f}, {speed:.0f} images/s")

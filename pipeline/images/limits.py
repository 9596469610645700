"""How many pixels may be decoded: in one picture, and in all pictures that are in memory at once.

An index job decodes what its owner chose, and its workers are counted. A page decodes what strangers send, in
as many threads as there are requests. So whoever answers strangers sets stricter limits around each request:

>>> with decoding_within(DecodeLimits(max_pixels=25_000_000, budget=PixelBudget(60_000_000))):
...     current_limits().max_pixels
25000000
"""

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from PIL import Image

from pipeline.errors import ImageError, SimileError

__all__ = [
    "MAX_PIXELS",
    "DecodeLimits",
    "PixelBudget",
    "check_pixels",
    "current_limits",
    "decoding_within",
    "too_large",
]

MAX_PIXELS = 100_000_000  # medium-format cameras; 300 MB once decoded
BUSY = "too many large pictures are being read right now; try again in a few seconds"


class PixelBudget:
    """A number of pixels that all threads share; whoever wants more than is left waits for a while.

    Args:
        pixels: how many may be in memory at once.
        patience: seconds that a picture waits for others to go.
    """

    def __init__(self, pixels: int, patience: float = 10.0) -> None:
        self._all, self._left, self._patience = pixels, pixels, patience
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """Pixels that are free now."""
        return self._left

    def take(self, pixels: int) -> int:
        """Waits until so many pixels are free, takes them, and returns how many `give_back` must return.

        More than the whole budget counts as the whole budget: such a picture is decoded alone.

        Raises:
            SimileError: they were not free in time.
        """
        pixels = min(pixels, self._all)
        end = time.monotonic() + self._patience
        with self._changed:
            if not self._changed.wait_for(lambda: self._left >= pixels, end - time.monotonic()):
                raise SimileError(BUSY)
            self._left -= pixels
        return pixels

    def give_back(self, pixels: int) -> None:
        """Returns pixels that were taken."""
        with self._changed:
            self._left += pixels
            self._changed.notify_all()

    def give_back_after(self, image: Image.Image, pixels: int) -> None:
        """Returns the pixels as soon as nothing refers to the image any more."""
        weakref.finalize(image, self.give_back, pixels).atexit = False


@dataclass(frozen=True)
class DecodeLimits:
    """What `pipeline.images.decode` heeds.

    Attributes:
        max_pixels: of one picture, as it is decoded: a JPEG may be decoded at a smaller scale.
        budget: shared by all pictures at once; None for no limit.
    """

    max_pixels: int = MAX_PIXELS
    budget: PixelBudget | None = None


_limits: ContextVar[DecodeLimits] = ContextVar("decode_limits", default=DecodeLimits())  # noqa: B039 (frozen)


def current_limits() -> DecodeLimits:
    """The limits of this thread or task."""
    return _limits.get()


@contextmanager
def decoding_within(limits: DecodeLimits) -> Iterator[None]:
    """Pictures that are decoded inside the block, and in threads that it starts, keep to these limits."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


def check_pixels(size: tuple[int, int], factor: int = 1) -> None:
    """Refuses a picture by its (width, height).

    Args:
        factor: how many times the limit of `current_limits` it may have.

    Raises:
        ImageError: it has more pixels.
    """
    if size[0] * size[1] > factor * current_limits().max_pixels:
        raise too_large(f"{size[0]} × {size[1]} pixels")


def too_large(found: str) -> ImageError:
    """The error for a picture that has `found`, which is more than `current_limits` allows."""
    limit = current_limits().max_pixels
    return ImageError(
        f"the image has {found} and the limit is {limit / 1e6:g} megapixels; "
        "scale it down before you send it",
        "too many pixels",
    )

"""Preprocessing: a faster equal of timm's evaluation transform, and the image processors of transformers.

`fast_transform` takes half of the time of timm's own transform (224 px, on one core).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from pipeline.encoders.checkpoint import PREPROCESSING, Checkpoint
from pipeline.encoders.names import EncoderName
from pipeline.errors import SimileError
from pipeline.images import resized
from pipeline.images.levels import levels

if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = [
    "Transform",
    "apply_processor",
    "describe_processor",
    "fast_transform",
    "find_processor",
    "quiet",
    "transform",
]

_FILTERS = ("bilinear", "bicubic")


def fast_transform(options: dict[str, Any]) -> Transform | None:
    """timm's evaluation transform in two halves; None where timm's own has to be used.

    Images are resized by `images.resized`: on noise one value in thirty differs, by one or two levels of 255.
    Images that already have the right size come out the same.

    Args:
        options: `input_size`, `crop_pct`, `crop_mode`, `interpolation`, `mean` and `std`, as timm has them.
    """
    _, height, width = options["input_size"]
    simple = options["crop_mode"] == "squash" or (options["crop_mode"] == "center" and height == width)
    return Transform(options) if simple and options["interpolation"] in _FILTERS else None


def transform(options: dict[str, Any]) -> Transform | Callable[[Image.Image], torch.Tensor]:
    """PIL RGB image -> (3, H, W): timm's evaluation transform, float32, or its faster equal, bytes."""
    if fast := fast_transform(options):
        return fast
    from timm.data import create_transform

    made: Callable[[Image.Image], torch.Tensor] = create_transform(
        is_training=False, **options | {"input_size": tuple(options["input_size"])}
    )
    return made


class Transform:
    """The transform for one set of options: PIL RGB image -> (3, H, W) uint8, and the rest for whole batches.

    Attributes:
        short_side: pixels, of the whole picture before the edges are cropped.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        _, self.height, self.width = options["input_size"]
        # timm rounds down as well
        self.scaled = tuple(math.floor(s / options["crop_pct"]) for s in (self.height, self.width))
        self.short_side: int = max(self.scaled)
        self.squash = options["crop_mode"] == "squash"
        self.filter = options["interpolation"]
        mean, std = (np.array(options[name], np.float32)[:, None, None] for name in ("mean", "std"))
        # (level / 255 - mean) / std in two passes instead of three
        self.scale, self.offset = 1 / (255 * std), -mean / std

    def __call__(self, image: Image.Image) -> np.ndarray:
        width, height = self.whole(image.size)
        pixels = levels(resized(image, (width, height), self.filter))
        top, left = round((height - self.height) / 2), round((width - self.width) / 2)
        part = pixels[top : top + self.height, left : left + self.width, :3]
        return np.ascontiguousarray(part.transpose(2, 0, 1))

    @overload
    def normalised(self, batch: np.ndarray) -> np.ndarray: ...

    @overload
    def normalised(self, batch: torch.Tensor) -> torch.Tensor: ...

    def normalised(self, batch: Any) -> Any:
        """(N, 3, H, W) uint8 -> float32, tensors on their device; floats are normalised already."""
        if isinstance(batch, np.ndarray):
            if batch.dtype != np.uint8:
                return batch
            levels = batch.astype(np.float32)
            levels *= self.scale
            levels += self.offset
            return levels
        import torch

        if batch.is_floating_point():
            return batch
        scale, offset = (torch.from_numpy(each).to(batch.device) for each in (self.scale, self.offset))
        return batch.to(torch.float32).mul_(scale).add_(offset)

    def makes(self, size: tuple[int, int], small: tuple[int, int]) -> bool:
        """Whether a picture of `size` becomes what `images.shrunk` makes of it in the size `small`."""
        return self.filter == "bicubic" and self.whole(size) == small

    def whole(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of a whole picture of this size after resizing, before its edges are cropped."""
        rows, columns = self.scaled
        if self.squash:
            return columns, rows
        long = rows * max(size) // min(size)
        return (rows, long) if size[0] <= size[1] else (long, rows)


def find_processor(name: EncoderName, checkpoint: Checkpoint) -> Any:
    """The checkpoint's image processor of transformers, always its PIL version.

    By default transformers takes torchvision's version where that is installed, whose pixels differ.

    Raises:
        SimileError: the checkpoint has none, or it cannot be read.
    """
    from transformers import AutoImageProcessor

    if not any((checkpoint.folder / file).is_file() for file in PREPROCESSING):
        raise SimileError(
            f"'{name.text}' has no {PREPROCESSING[0]}, which says how its images are prepared; save it "
            "with processor.save_pretrained(folder) beside the weights"
        )
    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                checkpoint.folder, backend="pil", trust_remote_code=False, local_files_only=True
            )
    except (ValueError, KeyError, OSError, TypeError, ImportError, RecursionError) as error:
        raise SimileError(
            f"the preprocessing of '{name.text}' cannot be read: {str(error).splitlines()[0]}"
        ) from None


def describe_processor(name: EncoderName, processor: Any) -> dict[str, Any]:
    """The processor's settings for JSON; with `@<N>px` images are resized to N × N as a whole."""
    found = {
        key: value
        for key, value in processor.to_dict().items()
        if not key.startswith("_") and value is not None
    }
    if name.pixels:
        for key in ("crop_pct", "crop_size", "do_center_crop", "do_resize"):
            found.pop(key, None)
        found["size"] = {"height": name.pixels, "width": name.pixels}
    found["image_processor_type"] = type(processor).__name__
    return found


def apply_processor(processor: Any, pixels: int | None, image: Image.Image) -> torch.Tensor:
    """PIL RGB image -> (3, H, W) float32, by the model's own image processor.

    Args:
        processor: from `find_processor`.
        pixels: side that the image is resized to as a whole; None: the processor resizes and crops.
    """
    options: dict[str, Any] = {}
    if pixels:
        image = image.resize((pixels, pixels), processor.resample)
        options = {"do_resize": False, "do_center_crop": False}
    # Without a stated format an image of 1 or 3 pixels in height would pass for one with channels first.
    batch = processor(image, return_tensors="pt", input_data_format="channels_last", **options)
    prepared: torch.Tensor = batch["pixel_values"][0]
    return prepared


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers while it loads: it warns of every tensor that is left out on purpose, such as
    classifiers and the other half of CLIP.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()

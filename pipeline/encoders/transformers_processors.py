"""The preprocessing of transformers models: each model's own image processor, always the one of PIL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.encoders.checkpoint import PREPROCESSING, Checkpoint
from pipeline.encoders.names import EncoderName
from pipeline.errors import SimileError

if TYPE_CHECKING:
    import torch
    from PIL import Image


def find_processor(name: EncoderName, checkpoint: Checkpoint) -> Any:
    """Of PIL, not of torchvision: transformers would take whichever is installed, and their pixels differ."""
    from transformers import AutoImageProcessor

    if not any((checkpoint.folder / file).is_file() for file in PREPROCESSING):
        raise SimileError(
            f"'{name.text}' has no {PREPROCESSING[0]}, so nobody knows what its images look like; save it "
            "with processor.save_pretrained(folder) beside the weights"
        )
    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                checkpoint.folder, backend="pil", trust_remote_code=False, local_files_only=True
            )
    except (ValueError, KeyError, OSError, TypeError, ImportError) as error:
        raise SimileError(
            f"the preprocessing of '{name.text}' cannot be read: {str(error).splitlines()[0]}"
        ) from None


def describe_processor(name: EncoderName, processor: Any) -> dict[str, Any]:
    """As JSON holds it; with `@<N>px` the whole image is resized to N × N."""
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
    """PIL RGB image -> (3, H, W) float32, by the model's own image processor."""
    options: dict[str, Any] = {}
    if pixels:
        image = image.resize((pixels, pixels), processor.resample)
        options = {"do_resize": False, "do_center_crop": False}
    # The format is said, because an image 1 or 3 pixels high looks like one with its channels first.
    batch = processor(image, return_tensors="pt", input_data_format="channels_last", **options)
    return batch["pixel_values"][0]


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the loading report: half of CLIP and every classifier is reported as unexpected."""
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

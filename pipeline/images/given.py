"""What people hand over as a picture -> RGB: PIL images, bytes, paths, numpy arrays, torch tensors."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import ImageError
from pipeline.images.decoding import JPEGS, decode
from pipeline.images.limits import check_pixels
from pipeline.images.pixels import from_array, to_rgb

if TYPE_CHECKING:
    import torch

__all__ = ["Picture", "as_rgb"]

Picture = Union[Image.Image, bytes, str, Path, np.ndarray, "torch.Tensor"]


def as_rgb(picture: Picture, *, min_side: int | None = None) -> Image.Image:
    """Any picture as `decode` returns it: RGB, 8 bits, upright, in sRGB, without metadata.

    Args:
        picture: a PIL image of any mode, whose EXIF orientation and colour profile count; the bytes or the
            path of a file; an array, (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, of uint8, uint16, bool or
            floats from 0 to 1; or a torch tensor of the same types, (H, W), (1, H, W), (3, H, W) or
            (4, H, W). It is not changed.
        min_side: pixels, as in `decode`. It counts for files, and for PIL images of files that were not
            loaded yet; other pictures keep their size.

    Raises:
        ImageError: a file that cannot be read or decoded (the message names it), or something that is no
            picture.
    """
    if isinstance(picture, bytes):
        return decode(picture, min_side=min_side)
    if isinstance(picture, str | Path):
        return _of_file(picture, min_side)
    if isinstance(picture, Image.Image):
        return _of_image(picture, min_side)
    array = _array_of(picture)
    if array is None:
        raise ImageError(
            f"a {type(picture).__name__} is no picture; expected a PIL image, bytes, a path, a numpy array "
            "or a torch tensor"
        )
    image = from_array(array)
    check_pixels(image.size)
    return to_rgb(image)


def _of_file(path: str | Path, min_side: int | None) -> Image.Image:
    try:
        return decode(Path(path).read_bytes(), min_side=min_side)
    except OSError as error:
        raise ImageError(f"'{path}' cannot be read: {error.strerror}") from None
    except ImageError as error:
        raise ImageError(f"'{path}': {error}") from None


def _of_image(image: Image.Image, min_side: int | None) -> Image.Image:
    data = _unloaded_jpeg(image)
    if data is not None:
        return decode(data, min_side=min_side)
    if 0 in image.size:
        raise ImageError(
            f"the PIL image has {image.width} × {image.height} pixels; give one that shows something"
        )
    check_pixels(image.size)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"the PIL image cannot be loaded: {error}; open it again") from None
    upright = image
    with suppress(Exception):  # broken EXIF raises many things; the pixels are fine all the same
        upright = ImageOps.exif_transpose(image)
    return to_rgb(upright)


def _unloaded_jpeg(image: Image.Image) -> bytes | None:
    """The bytes of a JPEG that was opened and not loaded yet: they can be decoded at a smaller scale, and
    then the picture gives exactly what its path gives.
    """
    file: Any = getattr(image, "fp", None)
    if image.format not in JPEGS or not getattr(image, "tile", None) or file is None or file.closed:
        return None
    if image.tell():  # another frame than the first
        return None
    at = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(at)
    return data


def _array_of(picture: Any) -> np.ndarray | None:
    """The picture with its channels last; None if it is neither array nor tensor."""
    if isinstance(picture, np.ndarray):
        return picture
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    if torch is None or not isinstance(picture, torch.Tensor):
        return None
    tensor = picture.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()  # numpy has no bfloat16
    array: np.ndarray = tensor.numpy()
    if array.ndim != 3:
        return array
    return array.transpose(1, 2, 0) if array.shape[0] in (1, 3, 4) else array[None]  # refused by its shape

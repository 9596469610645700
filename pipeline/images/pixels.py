"""Pixels of any kind -> 8-bit RGB in sRGB, on black or white where they are transparent."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageOps

from pipeline.errors import ImageError
from pipeline.images.colour import to_srgb

__all__ = ["from_array", "is_single_colour", "to_rgb"]

MID_GREY = 127.5  # of 255
_SPREAD = 8  # levels of 255 in a channel: the noise of a JPEG, which nobody sees
# The full scale of pixels that do not say theirs: the smallest of these that holds the values found.
_FLOAT_SCALES = (1.0, 255.0, 65535.0)
_INTEGER_SCALES = (255.0, 65535.0)
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF
_WHITE_IS_ZERO = 0


def to_rgb(image: Image.Image) -> Image.Image:
    """A new RGB image without metadata (so that the file handle and plugin state of the old one can go).

    Args:
        image: any mode, upright; its `info` may hold a colour profile.

    Raises:
        ImageError: a colour space that PIL cannot convert.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        negative = _is_negative(image)
        image = Image.fromarray(_eight_bits(np.asarray(image), _full_scale(image)))
        image = ImageOps.invert(image) if negative else image
    if image.mode == "LAB":  # PIL converts it only through a colour profile
        raise ImageError("the image is in the LAB colour space; save it as RGB", "LAB colour space")
    if image.has_transparency_data or image.mode in ("RGBa", "La"):
        result = _on_a_ground(image, profile)
    else:
        result = to_srgb(image, profile)
    result.info = {}
    return result


def _on_a_ground(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Set on black where the visible pixels are lighter than mid-grey, else on white.

    White drawings on a transparent ground would otherwise all become the same white picture.
    """
    alpha = image.convert("RGBA").getchannel("A")
    grey = image.mode in ("L", "LA", "La")
    visible = image.convert("LA").getchannel("L") if grey else image.convert("RGBA").convert("RGB")
    visible = to_srgb(visible, profile)
    if alpha.getextrema() == (255, 255):
        return visible
    ground = Image.new("RGB", image.size, "black" if _lightness(visible, alpha) > MID_GREY else "white")
    ground.paste(visible, mask=alpha)
    return ground


def _lightness(image: Image.Image, alpha: Image.Image) -> float:
    """Mean luma of the visible pixels, 0 to 255, weighted by how visible they are; 0 where none is."""
    levels = np.arange(256)
    weighted = ImageChops.multiply(image.convert("L"), alpha).histogram() @ levels
    return 255 * float(weighted) / max(1.0, float(alpha.histogram() @ levels))


def from_array(array: np.ndarray) -> Image.Image:
    """A PIL image of an array: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.

    Args:
        array: bool; uint8; uint16 from 0 to 65,535; or floats, whose full scale is the smallest of 1, 255
            and 65,535 that holds all values.

    Raises:
        ImageError: another shape or dtype.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not array.size or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ImageError(
            f"an array of shape {array.shape} is no picture; expected (H, W), (H, W, 3) or (H, W, 4), and of "
            "a torch tensor (H, W), (1, H, W), (3, H, W) or (4, H, W)"
        )
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if array.dtype == np.bool_:
        return Image.fromarray(array.astype(np.uint8) * 255)
    if array.dtype == np.uint16 or np.issubdtype(array.dtype, np.floating):
        return Image.fromarray(_eight_bits(array))
    raise ImageError(
        f"an array of {array.dtype} is no picture; expected uint8, uint16, bool, or floats from 0 to 1"
    )


def _full_scale(image: Image.Image) -> float:
    """White in an image of mode I;16: 65,535, or 4,095 of a TIFF of 12 bits, which PIL does not scale."""
    bits = getattr(image, "tag_v2", {}).get(_BITS, (16,))[0]
    return float(2**bits - 1)


def _is_negative(image: Image.Image) -> bool:
    """Whether 0 is white: PIL turns such TIFFs of 8 bits round, and not those of 12 or 16."""
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _eight_bits(values: np.ndarray, full_scale: float = 65535.0) -> np.ndarray:
    """uint8 of deep integers or floats, scaled and rounded; what is not a number is black.

    Args:
        values: of any shape.
        full_scale: white, where `values` are unsigned integers.
    """
    deep = np.nan_to_num(values.astype(np.float32), copy=False)
    low, high = float(deep.min()), float(deep.max())
    if values.dtype.kind == "u":  # 16 bits
        low, high = 0.0, full_scale
    else:
        scales = _FLOAT_SCALES if values.dtype.kind == "f" else _INTEGER_SCALES
        low, high = next(((0.0, s) for s in scales if low >= 0 and high <= s), (low, high))
    deep -= low
    deep *= 255.0 / (high - low) if high > low else 0.0
    deep += 0.5  # `astype` cuts decimals off
    return deep.astype(np.uint8)


def is_single_colour(image: Image.Image) -> bool:
    """Whether all pixels of an RGB image have nearly one colour.

    >>> is_single_colour(Image.new("RGB", (4, 4), "white"))
    True
    """
    # A few pixels tell of nearly every picture that it is none; looking at all of them takes longer.
    return _is_flat(image.resize((16, 16), Image.Resampling.NEAREST)) and _is_flat(image)


def _is_flat(image: Image.Image) -> bool:
    # PIL gives one (lowest, highest) for each band of an RGB image.
    return all(high - low <= _SPREAD for low, high in image.getextrema())  # type: ignore[misc]

"""Colour profiles (ICC) -> sRGB, by LittleCMS."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

__all__ = ["to_srgb"]

MAX_PROFILE_BYTES = 4 * 2**20  # those of printers have up to 3 MB
_KEPT = 16  # transforms: a source has few profiles, and a picture of a phone needs 0.3 ms without this
_SAME = 2  # levels of 255: a profile that changes no colour by more is sRGB under another name
_MODES = ("RGB", "L", "CMYK")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A new RGB image in sRGB.

    A profile that is broken, or of another colour space than the pixels, is left out of account.

    Args:
        image: opaque, 8 bits a channel.
        profile: the file's ICC profile; None: the pixels are taken for sRGB.
    """
    if not isinstance(profile, bytes) or not 0 < len(profile) <= MAX_PROFILE_BYTES:
        return image.convert("RGB")
    plain = image if image.mode in _MODES else image.convert("L" if image.mode == "1" else "RGB")
    transform = _transform(profile, plain.mode)
    return plain.convert("RGB") if transform is None else transform.apply(plain)


@lru_cache(maxsize=_KEPT)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where there is nothing to convert, or nothing that can be."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        probe = _probe(mode)
        changed = np.asarray(transform.apply(probe), np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(changed).max() > _SAME else None


def _probe(mode: str) -> Image.Image:
    """Colours all over the space, 9 levels of each channel."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    channels = len(Image.new(mode, (1, 1)).getbands())
    grid = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(1, -1, channels)
    return Image.fromarray(grid[..., 0] if channels == 1 else grid, mode)

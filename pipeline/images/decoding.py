"""Bytes of a file -> an upright RGB image of 8 bits in sRGB, bounded in bytes and pixels."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from functools import cache
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import ImageError
from pipeline.images.coded_sizes import coded_pixels, webp_size
from pipeline.images.isobmff import primary_picture
from pipeline.images.limits import check_pixels, current_limits, too_large
from pipeline.images.pixels import to_rgb

__all__ = [
    "FORMATS",
    "JPEGS",
    "MAX_BYTES",
    "decode",
    "decode_with_size",
    "shown_by_browsers",
]

# Formats that people have, each decoded by a well-tested library; other plugins of PIL would only add risk.
# JPEG XL is not among them: its plugin decodes the whole file to learn how many pixels it has.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
JPEGS = ("JPEG", "MPO")  # PIL's names of what can be decoded at a smaller scale
_START_OF_JPEG = b"\xff\xd8"
NO_BROWSER = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # first bytes of TIFF and BigTIFF
MAX_BYTES = 100 * 2**20  # bytes; a 40-megapixel JPEG has 10 to 25 MB

# PIL warns on stderr of odd EXIF, palettes and large headers in strangers' files. What matters of these is
# an ImageError here. One filter at import: `warnings.catch_warnings` for each call is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes | memoryview, *, min_side: int | None = None) -> Image.Image:
    """The first frame of an image file: RGB, 8 bits, upright after EXIF, in sRGB.

    16-bit, 32-bit and float images are scaled to 8 bits, not clipped. Colour profiles are converted to sRGB.
    Transparent pictures are set on black or white, whichever shows them. The result carries no metadata.
    What is larger than `limits.current_limits` allows is refused before any pixel is allocated; PIL itself
    refuses above 178 megapixels.

    Args:
        data: a whole file in one of `FORMATS`. A JPEG is read where it lies; of other files a view is copied.
        min_side: pixels. A JPEG may be decoded at 1/2, 1/4 or 1/8 while its short side stays at least this,
            or as far as the limit of pixels asks for: several times faster. The pixels differ a little from
            those of a full decode.

    Raises:
        ImageError: empty, too many bytes or pixels, not an image in `FORMATS`, or damaged.
        SimileError: the pixels that the budget has were not free in time.
    """
    return decode_with_size(data, min_side=min_side)[0]


def decode_with_size(
    data: bytes | memoryview, *, min_side: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """`decode`, and (width, height) in pixels of the whole picture as it is seen, upright.

    The picture itself may be smaller: see `min_side`.
    """
    if data[:2] != _START_OF_JPEG:  # decoders of other formats take a whole file, and would copy it
        data = bytes(data)
    image = _open(data)
    size = image.size
    try:
        coded = coded_pixels(image, data)
        if min_side is not None and image.format in JPEGS:
            image.draft(None, _draft_size(image.size, min_side))
    except ImageError:
        raise
    except Exception as error:  # as in `_loaded`
        raise _damaged(image.format, error) from None
    check_pixels(image.size)
    budget = current_limits().budget
    if budget is None:
        return _loaded(image, size)
    taken = budget.take(max(coded, image.size[0] * image.size[1]))
    try:
        result, size = _loaded(image, size)
    except BaseException:
        budget.give_back(taken)
        raise
    budget.give_back_after(result, taken)
    return result, size


def _draft_size(size: tuple[int, int], min_side: int) -> tuple[int, int]:
    """What to ask of a JPEG decoder: sides of `min_side`, or less if that were too many pixels."""
    whole, scale = size[0] * size[1], 1
    while whole // scale**2 > current_limits().max_pixels and scale < 8:
        scale *= 2
    return min(min_side, max(1, size[0] // scale)), min(min_side, max(1, size[1] // scale))


def _loaded(image: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """The picture, and its `size` after it was turned upright."""
    try:
        image.load()
        size = size[::-1] if _is_turned(image) else size
        return to_rgb(_upright(image)), size
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly any exception on hostile bytes
        raise _damaged(image.format, error) from None


def _open(data: bytes | memoryview) -> Image.Image:
    """The header of the file; no pixel is decoded yet."""
    if not data:
        raise ImageError("the file is empty (0 bytes); choose another one, or copy it again", "empty file")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"the file has {len(data) / 2**20:.0f} MiB and the limit is {MAX_BYTES // 2**20}; "
            "make it smaller",
            "too many bytes",
        )
    if size := webp_size(data):  # PIL allocates its pixels when it opens it
        check_pixels(size)
    try:
        return Image.open(_file(data), formats=_formats(data))
    except UnidentifiedImageError:
        raise ImageError(
            f"these {len(data):,} bytes are not a readable image; expected {', '.join(FORMATS)}",
            "not a readable image",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large("far more pixels") from None
    except Exception as error:  # as in `_loaded`
        raise _damaged(None, error) from None


def _file(data: bytes | memoryview) -> Any:
    """A file to read the bytes from; a view is not copied."""
    if isinstance(data, bytes):
        return io.BytesIO(primary_picture(data))
    import pyarrow as pa

    return pa.BufferReader(data)


def _formats(data: bytes | memoryview) -> tuple[str, ...]:
    """Those of `FORMATS` that a file may have. The library for HEIC comes with the first file that may."""
    if data[4:8] != b"ftyp":
        return tuple(each for each in FORMATS if each != "HEIF")
    _register_heif()
    return FORMATS


@cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _damaged(kind: str | None, error: Exception) -> ImageError:
    if isinstance(error, MemoryError):
        return ImageError("the image does not fit into memory; scale it down before you send it", "no memory")
    cut = isinstance(error, EOFError) or "truncated" in str(error)
    what = "is cut short" if cut else "is damaged and cannot be decoded"
    return ImageError(
        f"the {kind or 'image'} file {what}; copy or download it again, or choose another one",
        "cut short" if cut else "damaged",
    )


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # broken EXIF raises many things; the pixels are fine all the same
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _is_turned(image: Image.Image) -> bool:
    """Whether width and height are exchanged where the picture is seen upright."""
    if image.format == "TIFF":  # PIL has already exchanged the sides of these
        return False
    try:
        return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception:  # as in `_upright`
        return False


def shown_by_browsers(data: bytes) -> bool:
    """Whether all browsers show a file in one of `FORMATS` as it is: not TIFF and HEIC.

    >>> shown_by_browsers(b"II*\\0..."), shown_by_browsers(b"\\x89PNG...")
    (False, True)
    """
    is_heic = data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis")
    return not (is_heic or data.startswith(NO_BROWSER))

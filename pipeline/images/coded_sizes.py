"""How many pixels a decoder allocates, where this is not the size that PIL tells of an opened file."""

from __future__ import annotations

from PIL import Image

from pipeline.images.isobmff import box_sizes, coded_sizes
from pipeline.images.limits import check_pixels, current_limits, too_large

__all__ = ["coded_pixels", "webp_size"]

_PROGRESSIVE_FACTOR = 2  # held whole as coefficients, 3 to 6 bytes a pixel, and decoded at a smaller scale
_CODED_FACTOR = 2  # colour and transparency are coded as two pictures
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # tags of TIFF


def coded_pixels(image: Image.Image, data: bytes | memoryview) -> int:
    """How many pixels the decoder will hold besides those of the picture that comes out; 0 for most files.

    Args:
        image: opened, not loaded, and not scaled by a draft.
        data: the file that it was opened from.

    Raises:
        ImageError: too many pixels in tiles, in the code of an AVIF, or in a progressive JPEG.
    """
    if image.format in ("JPEG", "MPO") and image.info.get("progressive"):
        check_pixels(image.size, _PROGRESSIVE_FACTOR)
        return image.size[0] * image.size[1]
    if image.format == "TIFF":  # a whole tile is decoded, even if the picture covers a corner of it
        tags = getattr(image, "tag_v2", {})
        tile = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_LENGTH, 0)
        check_pixels(tile)
        return int(tile[0] * tile[1])
    if image.format not in ("AVIF", "HEIF"):
        return 0
    data = bytes(data)
    for size in box_sizes(data):
        check_pixels(size)
    if image.format == "HEIF":
        return 0
    pixels = sum(width * height for width, height in coded_sizes(data))
    if pixels > _CODED_FACTOR * current_limits().max_pixels:
        raise too_large(f"{pixels:,} pixels in its code")
    return pixels


def webp_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """(width, height) from the header of a WebP file; None of any other file.

    The three kinds of first chunks: https://developers.google.com/speed/webp/docs/riff_container
    """
    data = bytes(data[:30]).ljust(30, b"\0")
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":  # the canvas: 24 bits a side, less one
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":  # lossless: 14 bits a side, less one, after a signature of one byte
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":  # lossy: 14 bits a side, after a start code
        return (
            int.from_bytes(data[26:28], "little") & 0x3FFF,
            int.from_bytes(data[28:30], "little") & 0x3FFF,
        )
    return None

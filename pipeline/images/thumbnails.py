"""Images -> small encoded copies, without what files tell of their makers."""

from __future__ import annotations

import base64
import io
import os
import re
from typing import BinaryIO

from PIL import Image

from pipeline.images.shrinking import resized

__all__ = ["THUMBNAIL_SIDE", "data_url", "file_in_memory", "thumbnail"]

THUMBNAIL_SIDE = 256  # pixels, short side: sharp in a grid of results
THUMBNAIL_LONG_SIDE = 1024  # pixels: a panorama is no reason for a large payload
THUMBNAIL_BYTES = 64 * 2**10  # an original up to this size is its own thumbnail
THUMBNAIL_QUALITY = 80  # of JPEG: 15 to 20 kB in 0.2 ms, where WebP takes 2 to 4 ms and has 15 % less
# A JPEG keeps one colour for each 2 × 2 pixels. Up to this short side that shows, and full colour is cheap.
FULL_COLOUR_SIDE = 128
_TELLING_MARKER = re.compile(rb"\xff[\xe0-\xef\xfe]")  # APP0 to APP15 and comments of a JPEG
# Up to this short side every pixel counts, and without loss (WebP) a thumbnail has some 3 kB.
LOSSLESS_SIDE = 32


def thumbnail(image: Image.Image, data: bytes | None = None) -> tuple[bytes, str]:
    """A small encoded copy: (file bytes, MIME type).

    Short side at most `THUMBNAIL_SIDE`, long side at most `THUMBNAIL_LONG_SIDE`, never enlarged, no metadata.

    Args:
        image: RGB, as `decode` returns it.
        data: the bytes that `image` came from. They are returned as they are where they already are a
            thumbnail: JPEG, PNG or WebP of one frame, RGB or grey, nothing but pixels in it, small enough.
    """
    size = _fitted(image.size)
    small = resized(image, size)
    if data is not None and len(data) <= THUMBNAIL_BYTES and small is image:
        kind = _bare_format(data)
        if kind is not None and _has_mode_and_size(data, kind, image.size):
            return data, f"image/{kind.lower()}"
    if min(small.size) <= LOSSLESS_SIDE:
        lossless = io.BytesIO()
        small.save(lossless, "WEBP", lossless=True, method=0, exif=b"", xmp=b"", icc_profile=b"")
        return lossless.getvalue(), "image/webp"
    subsampling = "4:4:4" if min(small.size) <= FULL_COLOUR_SIDE else "4:2:0"
    with file_in_memory() as file:
        small.save(file, "JPEG", quality=THUMBNAIL_QUALITY, subsampling=subsampling)
        file.seek(0)
        return file.read(), "image/jpeg"


def file_in_memory() -> BinaryIO:
    """An empty file, with a descriptor where the system gives one.

    PIL lets go of Python's lock while it compresses into a descriptor, and only then. Two threads take two
    thirds of the time so, and of many none keeps the others waiting.
    """
    try:
        return os.fdopen(os.memfd_create("thumbnail"), "w+b", buffering=0)
    except (AttributeError, OSError):  # only Linux has them, and a container may forbid them
        return io.BytesIO()


def data_url(data: bytes, mime: str) -> str:
    """`data:` URL, for showing a thumbnail in a page without a second request."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    short, long = min(size), max(size)
    wide = long * THUMBNAIL_SIDE > short * THUMBNAIL_LONG_SIDE
    most, now = (THUMBNAIL_LONG_SIDE, long) if wide else (THUMBNAIL_SIDE, short)
    if now <= most:
        return size
    return max(1, size[0] * most // now), max(1, size[1] * most // now)


def _has_mode_and_size(data: bytes, kind: str, size: tuple[int, int]) -> bool:
    with Image.open(io.BytesIO(data), formats=[kind]) as header:
        return header.mode in ("RGB", "L") and header.size == size


def _bare_format(data: bytes) -> str | None:
    """JPEG, PNG or WEBP if the file holds one picture and nothing that could tell of its maker; else None.

    PIL drops segments that it does not know, so the question is asked of the bytes.
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return "JPEG" if _is_bare_jpeg(data) else None
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return "PNG" if _is_bare_png(data) else None
        if data.startswith(b"RIFF") and data[12:16] in (b"VP8 ", b"VP8L"):
            whole = len(data) == 8 + int.from_bytes(data[4:8], "little")
            chunk = int.from_bytes(data[16:20], "little")
            return "WEBP" if whole and len(data) == 20 + chunk + chunk % 2 else None
    except IndexError:
        pass
    return None


def _is_bare_jpeg(data: bytes) -> bool:
    """Only a JFIF header without thumbnail, tables and scans before the one end marker."""
    tables = (0xDB, 0xC0, 0xC1, 0xC2, 0xC4, 0xDD)  # DQT, SOF0 to SOF2, DHT, DRI
    place = 2
    while (marker := data[place + 1]) != 0xDA:  # start of scan
        length = int.from_bytes(data[place + 2 : place + 4])
        plain_header = marker == 0xE0 and length == 16 and data[place + 4 : place + 9] == b"JFIF\0"
        if data[place] != 0xFF or length < 2 or not (marker in tables or plain_header):
            return False
        place += 2 + length
    # None of these markers can occur in scan data; between progressive scans there may be tables only.
    others = _TELLING_MARKER.search(data, place) is not None
    return not others and data.find(b"\xff\xd9", place) == len(data) - 2


def _is_bare_png(data: bytes) -> bool:
    pixels_only = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"gAMA", b"sRGB", b"cHRM", b"sBIT", b"pHYs")
    place, kind = 8, b""
    while place < len(data) and kind != b"IEND":
        kind = data[place + 4 : place + 8]
        if kind not in pixels_only:
            return False
        place += 12 + int.from_bytes(data[place : place + 4])
    return kind == b"IEND" and place == len(data)

"""Bytes of any picture -> a safe, upright RGB image; images -> small thumbnails. Pure functions over PIL."""

from __future__ import annotations

import base64
import io
import re
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import ImageError

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "THUMBNAIL_SIDE",
    "data_url",
    "decode",
    "header_size",
    "shown_by_browsers",
    "thumbnail",
]

# Formats that people have, each decoded by a well-tested library; other plugins of PIL would only add risk.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
NO_BROWSER = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # first bytes of TIFF and BigTIFF
MAX_BYTES = 100 * 2**20  # bytes; a 40-megapixel JPEG has 10 to 25 MB
MAX_PIXELS = 100_000_000  # medium-format cameras; 300 MB once decoded
THUMBNAIL_SIDE = 256  # pixels, short side: sharp in a grid of results, some 10 kB each
THUMBNAIL_LONG_SIDE = 1024  # pixels: a panorama is no reason for a large payload
THUMBNAIL_BYTES = 64 * 2**10  # an original up to this size is its own thumbnail
THUMBNAIL_QUALITY = 80
_TELLING_MARKER = re.compile(rb"\xff[\xe0-\xef\xfe]")  # APP0 to APP15 and comments of a JPEG
THUMBNAIL_EFFORT = 2  # of libwebp's 0 to 6: half the time of the default 4 for 4 % more bytes
# Lossy WebP keeps one colour for each 2 × 2 pixels. Up to this short side that shows, and without loss a
# thumbnail has some 3 kB.
LOSSLESS_SIDE = 32
# Tags of TIFF
_BITS, _PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0

# PIL warns on stderr of odd EXIF, palettes and large headers in strangers' files. What matters of these is
# an ImageError here. One filter at import: `warnings.catch_warnings` for each call is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Image.Image:
    """The first frame of an image file: RGB, 8 bits, upright after EXIF, transparency over white.

    16-bit, 32-bit and float images are scaled to 8 bits, not clipped. Colour profiles are ignored. The result
    carries no metadata.

    Args:
        data: a whole file in one of `FORMATS`.
        max_pixels: refused above this, by the header alone; PIL itself refuses above 178 megapixels.
        min_side: pixels. A JPEG may be decoded at 1/2, 1/4 or 1/8 while its short side stays at least this:
            several times faster. The pixels differ a little from those of a full decode.

    Raises:
        ImageError: empty, too many bytes or pixels, not an image in `FORMATS`, or damaged.
    """
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise _too_large(f"{width} × {height} pixels", max_pixels)
    try:
        if min_side is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, (min_side, min_side))
        image.load()
        result = _to_rgb(_upright(image))
    except ImageError:
        raise
    except Exception as error:  # decoders raise nearly any exception on hostile bytes
        raise _damaged(image.format, error) from None
    result.info = {}
    return result


def _open(data: bytes) -> Image.Image:
    """The header of the file; no pixel is decoded yet."""
    if not data:
        raise ImageError("the file is empty (0 bytes); choose another one, or copy it again", "empty file")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"the file has {len(data) / 2**20:.0f} MiB and the limit is {MAX_BYTES // 2**20}; "
            "make it smaller",
            "too many bytes",
        )
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            f"these {len(data):,} bytes are not a readable image; expected {', '.join(FORMATS)}",
            "not a readable image",
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("far more pixels", MAX_PIXELS) from None
    except Exception as error:  # as in `decode`
        raise _damaged(None, error) from None


def _too_large(found: str, limit: int) -> ImageError:
    return ImageError(
        f"the image has {found} and the limit is {limit / 1e6:g} megapixels; "
        "scale it down before you send it",
        "too many pixels",
    )


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


def _to_rgb(image: Image.Image) -> Image.Image:
    """A new RGB image (so that the file handle and plugin state of the old one can go)."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(image).convert("RGB")
    if image.has_transparency_data or image.mode in ("RGBa", "La"):
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    if image.mode == "LAB":  # PIL converts it only through a colour profile
        raise ImageError("the image is in the LAB colour space; save it as RGB", "LAB colour space")
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """L image from I;16, I or F. The full scale is the smallest usual one that holds the values found."""
    deep = image if image.mode == "F" else image.convert("I")
    # mypy: getextrema of one band is a pair of numbers
    low, high = (float(value) for value in deep.getextrema())  # type: ignore[arg-type]
    if image.mode.startswith("I;16"):
        low, high = 0.0, _full_scale(image)
    else:
        scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        low, high = next(((0.0, s) for s in scales if low >= 0 and high <= s), (low, high))
    scale = 255.0 / (high - low) if high > low else 0.0
    rounding = 0.5  # `convert("L")` cuts decimals off
    grey = deep.convert("F").point(lambda value: value * scale + (rounding - low * scale)).convert("L")
    return ImageOps.invert(grey) if _is_negative(image) else grey


def _full_scale(image: Image.Image) -> float:
    """White in an image of mode I;16: 65,535, or 4,095 of a TIFF of 12 bits, which PIL does not scale."""
    bits = getattr(image, "tag_v2", {}).get(_BITS, (16,))[0]
    return float(2**bits - 1)


def _is_negative(image: Image.Image) -> bool:
    """Whether 0 is white: PIL turns such TIFFs of 8 bits round, and not those of 12 or 16."""
    tags = getattr(image, "tag_v2", {})
    return image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def thumbnail(image: Image.Image, data: bytes | None = None) -> tuple[bytes, str]:
    """A small encoded copy: (file bytes, MIME type).

    Short side at most `THUMBNAIL_SIDE`, long side at most `THUMBNAIL_LONG_SIDE`, never enlarged, no metadata.

    Args:
        image: RGB, as `decode` returns it.
        data: the bytes that `image` came from. They are returned as they are where they already are a
            thumbnail: JPEG, PNG or WebP of one frame, RGB or grey, nothing but pixels in it, small enough.
    """
    if data is not None and len(data) <= THUMBNAIL_BYTES and _fitted(image.size) == image.size:
        kind = _bare_format(data)
        if kind is not None and _has_mode_and_size(data, kind, image.size):
            return data, f"image/{kind.lower()}"
    small = image.resize(_fitted(image.size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    options = {"quality": THUMBNAIL_QUALITY, "method": THUMBNAIL_EFFORT}
    lossless = min(small.size) <= LOSSLESS_SIDE
    small.save(file, "WEBP", **options, lossless=lossless, exif=b"", xmp=b"", icc_profile=b"")
    return file.getvalue(), "image/webp"


def header_size(data: bytes) -> tuple[int, int]:
    """(width, height) in pixels as the picture is seen (EXIF orientation applied), from its header alone.

    Raises:
        ImageError: as `decode`, for what a header can show.
    """
    with _open(data) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        except Exception:  # as in `_upright`
            turned = False
        if image.format == "TIFF":  # PIL has already exchanged the sides of these
            turned = False
    return (height, width) if turned else (width, height)


def shown_by_browsers(data: bytes) -> bool:
    """Whether browsers show a file in one of `FORMATS` as it is: all but TIFF.

    >>> shown_by_browsers(b"II*\\0..."), shown_by_browsers(b"\\x89PNG...")
    (False, True)
    """
    return not data.startswith(NO_BROWSER)


def data_url(data: bytes, mime: str) -> str:
    """`data:` URL, for showing a thumbnail in a page without a second request."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL_SIDE / min(size), THUMBNAIL_LONG_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


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

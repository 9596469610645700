"""Bytes of any picture -> a safe, upright RGB image; images -> small thumbnails. Pure functions over PIL."""

from __future__ import annotations

import base64
import io
import re
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.decode_limits import current_limits
from pipeline.errors import ImageError

__all__ = [
    "FORMATS",
    "MAX_BYTES",
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
THUMBNAIL_SIDE = 256  # pixels, short side: sharp in a grid of results, some 10 kB each
THUMBNAIL_LONG_SIDE = 1024  # pixels: a panorama is no reason for a large payload
THUMBNAIL_BYTES = 64 * 2**10  # an original up to this size is its own thumbnail
THUMBNAIL_QUALITY = 80
_TELLING_MARKER = re.compile(rb"\xff[\xe0-\xef\xfe]")  # APP0 to APP15 and comments of a JPEG
THUMBNAIL_EFFORT = 2  # of libwebp's 0 to 6: half the time of the default 4 for 4 % more bytes

# PIL warns on stderr of odd EXIF, palettes and large headers in strangers' files. What matters of these is
# an ImageError here. One filter at import: `warnings.catch_warnings` for each call is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, *, min_side: int | None = None) -> Image.Image:
    """The first frame of an image file: RGB, 8 bits, upright after EXIF, transparency over white.

    16-bit, 32-bit and float images are scaled to 8 bits, not clipped. Colour profiles are ignored. The result
    carries no metadata. What is larger than `decode_limits.current_limits` allows is refused before any pixel
    is allocated; PIL itself refuses above 178 megapixels.

    Args:
        data: a whole file in one of `FORMATS`.
        min_side: pixels. A JPEG may be decoded at 1/2, 1/4 or 1/8 while its short side stays at least this,
            or as far as the limit of pixels asks for: several times faster. The pixels differ a little from
            those of a full decode.

    Raises:
        ImageError: empty, too many bytes or pixels, not an image in `FORMATS`, or damaged.
        SimileError: the pixels that the budget has were not free in time.
    """
    image = _open(data)
    whole = image.size
    try:
        if min_side is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, _draft_size(image.size, min_side))
    except Exception as error:  # as below
        raise _damaged(image.format, error) from None
    _check_pixels(image.size)
    budget = current_limits().budget
    if budget is None:
        return _loaded(image)
    # A progressive JPEG is held whole as coefficients, whatever the scale.
    width, height = whole if image.info.get("progressive") else image.size
    taken = budget.take(width * height)
    try:
        result = _loaded(image)
    except BaseException:
        budget.give_back(taken)
        raise
    budget.give_back_after(result, taken)
    return result


def _draft_size(size: tuple[int, int], min_side: int) -> tuple[int, int]:
    """What to ask of a JPEG decoder: sides of `min_side`, or less if that were too many pixels."""
    whole, scale = size[0] * size[1], 1
    while whole // scale**2 > current_limits().max_pixels and scale < 8:
        scale *= 2
    return min(min_side, max(1, size[0] // scale)), min(min_side, max(1, size[1] // scale))


def _loaded(image: Image.Image) -> Image.Image:
    try:
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
        raise ImageError("the file is empty (0 bytes); choose another one, or copy it again")
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"the file has {len(data) / 2**20:.0f} MiB and the limit is {MAX_BYTES // 2**20}; make it smaller"
        )
    if size := _webp_size(data):  # PIL allocates its pixels when it opens it
        _check_pixels(size)
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            f"these {len(data):,} bytes are not a readable image; expected {', '.join(FORMATS)}"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("far more pixels") from None
    except Exception as error:  # as in `decode`
        raise _damaged(None, error) from None


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > current_limits().max_pixels:
        raise _too_large(f"{size[0]} × {size[1]} pixels")


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) from the header of a WebP file; None of any other file.

    The three kinds of first chunks: https://developers.google.com/speed/webp/docs/riff_container
    """
    data = data[:30].ljust(30, b"\0")
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


def _too_large(found: str) -> ImageError:
    limit = current_limits().max_pixels
    return ImageError(
        f"the image has {found} and the limit is {limit / 1e6:g} megapixels; scale it down before you send it"
    )


def _damaged(kind: str | None, error: Exception) -> ImageError:
    if isinstance(error, MemoryError):
        return ImageError("the image does not fit into memory; scale it down before you send it")
    cut = isinstance(error, EOFError) or "truncated" in str(error)
    what = "is cut short" if cut else "is damaged and cannot be decoded"
    return ImageError(f"the {kind or 'image'} file {what}; copy or download it again, or choose another one")


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
        raise ImageError("the image is in the LAB colour space; save it as RGB")
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """L image from I;16, I or F. The full scale is the smallest usual one that holds the values found."""
    deep = image if image.mode == "F" else image.convert("I")
    # mypy: getextrema of one band is a pair of numbers
    low, high = (float(value) for value in deep.getextrema())  # type: ignore[arg-type]
    if image.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    else:
        scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        low, high = next(((0.0, s) for s in scales if low >= 0 and high <= s), (low, high))
    scale = 255.0 / (high - low) if high > low else 0.0
    rounding = 0.5  # `convert("L")` cuts decimals off
    return deep.convert("F").point(lambda value: value * scale + (rounding - low * scale)).convert("L")


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
    small.save(file, "WEBP", **options, exif=b"", xmp=b"", icc_profile=b"")
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

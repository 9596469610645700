"""Any picture -> a safe, upright RGB image in sRGB; images -> small thumbnails. Pure functions over PIL.

Index jobs, queries from Python, the page and its API all come through `as_rgb` or `decode`, so that the same
picture gives the same vector whatever it was handed over as.
"""

from pipeline.images.decoding import (
    FORMATS,
    MAX_BYTES,
    decode,
    decode_with_size,
    shown_by_browsers,
)
from pipeline.images.given import Picture, as_rgb
from pipeline.images.limits import MAX_PIXELS, DecodeLimits, PixelBudget, decoding_within
from pipeline.images.palette import main_colours
from pipeline.images.pixels import is_single_colour
from pipeline.images.preparation import PREPARATION, UNVERSIONED
from pipeline.images.shrinking import resized, shrunk
from pipeline.images.thumbnails import THUMBNAIL_SIDE, data_url, thumbnail

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "PREPARATION",
    "THUMBNAIL_SIDE",
    "UNVERSIONED",
    "DecodeLimits",
    "Picture",
    "PixelBudget",
    "as_rgb",
    "data_url",
    "decode",
    "decode_with_size",
    "decoding_within",
    "is_single_colour",
    "main_colours",
    "resized",
    "shown_by_browsers",
    "shrunk",
    "thumbnail",
]

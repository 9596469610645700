"""The colours of a picture as one vector, and a palette as a vector that such pictures are near.

A colour histogram (Swain and Ballard, "Color indexing", IJCV 1991) over CIELAB, where equal distances look
about equally different. Each pixel counts for all bins near its colour (soft assignment; van Gemert et al.,
"Visual word ambiguity", PAMI 2010), so that two colours which hardly differ do not fall into bins that have
nothing to do with each other; this is what a quadratic-form distance (Hafner et al., PAMI 1995) is for, too,
and here a plain dot product does it. The square root of each share is stored, so that the cosine of two
vectors is their Bhattacharyya coefficient: a small spot of a colour that was asked for still counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from pipeline.errors import SimileError

__all__ = [
    "BINS",
    "COLOUR_METHOD",
    "COLOUR_VECTOR",
    "MAX_COLOURS",
    "checked_colours",
    "colour_histogram",
    "main_colours",
    "palette_histogram",
]

# Names everything below that decides what a vector means. It has to change where any of that does, because
# vectors of two methods cannot be compared. The networks have no part in it, nor it in their fingerprints.
COLOUR_METHOD = "cielab_histogram_1"
COLOUR_VECTOR = "simile_colours"  # the named vector in a store; no encoder can have this name
MAX_COLOURS = 5  # of a palette
BINS = 118  # of a vector, as the constants below make them

_SIDE = 64  # pixels of the longer side that are counted, some 4,000
_LEVELS = 16  # of each channel that are told apart: 4,096 colours, at most 5 ΔE from the one that is meant
_STEP = 25.0  # ΔE between neighbouring bins
_BLUR = 15.0  # ΔE, standard deviation of the weight that a colour has in the bins around it
_LEAST = 0.2  # weight that some colour of sRGB must give a bin which is kept
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def colour_histogram(image: Image.Image) -> np.ndarray:
    """(`BINS`,) float32 of length 1: how much of each colour there is.

    Args:
        image: RGB, of any size; it is made small.
    """
    return _rooted(_counts(image))


def palette_histogram(colours: Sequence[str]) -> np.ndarray:
    """(`BINS`,) float32 of length 1: what a picture of equal shares of these colours has.

    Raises:
        SimileError: as `checked_colours`.
    """
    values = np.array([_rgb(one) for one in checked_colours(colours)], np.uint8)
    return _rooted(np.bincount(_indices(values), minlength=_LEVELS**3).astype(np.float32))


def main_colours(image: Image.Image, most: int = MAX_COLOURS) -> list[str]:
    """Up to `most` colours that stand for a picture, commonest first, such as `#aa3311`.

    Median cut, then k-means (both PIL's) over pixels whose commonness counts by its square root, so that a
    sky does not take all the places.

    Args:
        image: RGB.
    """
    counts = _counts(image)
    there = np.flatnonzero(counts)
    repeated = np.repeat(there, np.ceil(np.sqrt(counts[there])).astype(int))
    pixels = _values()[repeated].astype(np.uint8)[None]
    reduced = Image.fromarray(pixels).quantize(most, Image.Quantize.MEDIANCUT, kmeans=4)
    palette = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    found = np.bincount(np.asarray(reduced).ravel(), minlength=len(palette))
    order = [int(at) for at in np.argsort(-found, kind="stable") if found[at]]
    return list(dict.fromkeys("#" + palette[at].tobytes().hex() for at in order))


def checked_colours(colours: Sequence[str]) -> tuple[str, ...]:
    """The colours as `#rrggbb`, without repetitions.

    >>> checked_colours(["#A31", "aa3311", "#000000"])
    ('#aa3311', '#000000')

    Raises:
        SimileError: one is no colour, or there are more than `MAX_COLOURS`.
    """
    if isinstance(colours, str) or not isinstance(colours, Sequence):
        raise SimileError(f"colours must be a list such as ['#aa3311', '#ffeecc']; got {colours!r:.60}.")
    found = []
    for one in colours:
        digits = _HEX.fullmatch(one.strip()) if isinstance(one, str) else None
        if digits is None:
            raise SimileError(f"{one!r:.60} is no colour; write it as '#aa3311' (red, green, blue).")
        text = digits[1].lower()
        found.append("#" + (text if len(text) == 6 else "".join(2 * digit for digit in text)))
    distinct = tuple(dict.fromkeys(found))
    if len(distinct) > MAX_COLOURS:
        raise SimileError(f"{len(distinct)} colours are too many; give at most {MAX_COLOURS}.")
    return distinct


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _counts(image: Image.Image) -> np.ndarray:
    """Pixels of each of the 4,096 colours. (4096,) float32."""
    # A block of pixels counts as its mean: what is finer than that is seen as a mixture.
    block = max(1, max(image.size) // _SIDE)
    pixels = np.asarray(image.reduce(block) if block > 1 else image).reshape(-1, 3)
    return np.bincount(_indices(pixels), minlength=_LEVELS**3).astype(np.float32)


def _indices(values: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 of sRGB -> (N,) numbers of the nearest of the 4,096 colours."""
    red, green, blue = _parts()
    return red[values[:, 0]] + green[values[:, 1]] + blue[values[:, 2]]


@cache
def _parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    nearest = np.rint(np.arange(256) * (_LEVELS - 1) / 255).astype(np.int64)
    return nearest * _LEVELS**2, nearest * _LEVELS, nearest


@cache
def _values() -> np.ndarray:
    """(4096, 3) float64, sRGB from 0 to 255 of the colours that are told apart."""
    numbers = np.arange(_LEVELS**3)
    digits = np.stack([numbers // _LEVELS**2, numbers // _LEVELS % _LEVELS, numbers % _LEVELS], axis=1)
    return digits * (255 / (_LEVELS - 1))


def _lab(values: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB from 0 to 255 -> CIELAB (white point D65)."""
    part = values / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.072175],
            [0.0193339, 0.119192, 0.9503041],
        ]
    )
    relative = linear @ to_xyz.T / to_xyz.sum(axis=1)
    root = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@cache
def _weights() -> np.ndarray:
    """(4096, `BINS`) float32: what each colour gives each bin; rows sum to 1."""
    lab = _lab(_values())
    ends = [
        np.arange(np.floor(low / _STEP), np.ceil(high / _STEP) + 1)
        for low, high in zip(lab.min(0), lab.max(0), strict=True)
    ]
    grid = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3) * _STEP
    squared = ((lab[:, None] - grid[None]) ** 2).sum(axis=2)
    given = np.exp(-squared / (2 * _BLUR**2))
    given /= given.sum(axis=1, keepdims=True)
    given = given[:, given.max(axis=0) >= _LEAST]
    return (given / given.sum(axis=1, keepdims=True)).astype(np.float32)


def _rooted(counts: np.ndarray) -> np.ndarray:
    there = np.flatnonzero(counts)
    shares = counts[there] @ _weights()[there]
    return np.sqrt(shares / shares.sum())

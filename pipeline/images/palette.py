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
from functools import cache, lru_cache

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
    "lab_of",
    "main_colours",
    "palette_histogram",
]

# Names everything below that decides what a vector means. It has to change where any of that does, because
# vectors of two methods cannot be compared. The networks have no part in it, nor it in their fingerprints.
COLOUR_METHOD = "cielab_histogram_1"
COLOUR_VECTOR = "simile_colours"  # the named vector in a store; no encoder can have this name
MAX_COLOURS = 5  # of a palette
BINS = 118  # of a vector, as the constants below make them

_SIDE = 48  # pixels of the longer side that are counted, about: some 2,000 in all
_LEVELS = 16  # of each channel in the table of weights, which then fits the processor's cache
_STEP = 25.0  # ΔE between neighbouring bins
_BLUR = 15.0  # ΔE, standard deviation of the weight that a colour has in the bins around it
_LEAST = 0.2  # weight that some colour of sRGB must give a bin which is kept
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def colour_histogram(image: Image.Image) -> np.ndarray:
    """(`BINS`,) float32 of length 1 but for rounding to half precision: how much of each colour there is.

    Args:
        image: RGB, of any size; it is made small.
    """
    counts = _counts(image)
    there = np.flatnonzero(counts)
    return _rooted(counts[there] @ _weights()[there])


def palette_histogram(colours: Sequence[str]) -> np.ndarray:
    """(`BINS`,) float32 of length 1: what a picture of equal shares of these colours has.

    Raises:
        SimileError: as `checked_colours`.
    """
    values = np.array([tuple(bytes.fromhex(one[1:])) for one in checked_colours(colours)], np.float64)
    return _rooted(_given(values).mean(axis=0))


def main_colours(image: Image.Image, most: int = MAX_COLOURS) -> list[str]:
    """Up to `most` colours that stand for a picture, commonest first, such as `#aa3311`.

    Median cut, then k-means (both PIL's). How common a colour is counts by its square root, so that a sky
    does not take all the places.

    Args:
        image: RGB.
    """
    pixels = _pixels(image)
    coarse = (pixels >> 3).astype(np.int64) @ [1024, 32, 1]
    _, which, counts = np.unique(coarse, return_inverse=True, return_counts=True)
    means = (
        np.stack([np.bincount(which, pixels[:, channel]) for channel in range(3)], axis=1) / counts[:, None]
    )
    repeated = np.repeat(np.rint(means).astype(np.uint8), np.ceil(np.sqrt(counts)).astype(int), axis=0)
    reduced = Image.fromarray(repeated[None]).quantize(most, Image.Quantize.MEDIANCUT, kmeans=4)
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


def _pixels(image: Image.Image) -> np.ndarray:
    """(N, 3) uint8. A block of pixels counts as its mean: what is finer than that is seen as a mixture."""
    block = max(1, max(image.size) // _SIDE)
    return np.asarray(image.reduce(block) if block > 1 else image).reshape(-1, 3)


def _counts(image: Image.Image) -> np.ndarray:
    """(4096,) float32: pixels of each colour of the table.

    A colour between two levels goes to either, in shares that have it as their mean: so the table need have
    no more levels, and two colours between the same levels do not become one.
    """
    pixels = _pixels(image)
    levels = (pixels * np.float32((_LEVELS - 1) / 255) + _dither(len(pixels))).astype(np.int64)
    return np.bincount(levels @ [_LEVELS**2, _LEVELS, 1], minlength=_LEVELS**3).astype(np.float32)


@lru_cache(maxsize=64)
def _dither(count: int) -> np.ndarray:
    """(`count`, 3) float32 in [0, 1): spread evenly, the same each time (an additive recurrence)."""
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    made: np.ndarray = (np.arange(1, count + 1)[:, None] * steps % 1).astype(np.float32)
    return made


def lab_of(values: np.ndarray) -> np.ndarray:
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


def _table() -> np.ndarray:
    """(4096, 3) sRGB from 0 to 255: the colours of the table of weights."""
    levels = np.arange(_LEVELS) * (255 / (_LEVELS - 1))
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)


@cache
def _grid() -> np.ndarray:
    """(`BINS`, 3): the centres of the bins in CIELAB, of a cubic grid those that colours of sRGB are near."""
    lab = lab_of(_table())
    ends = [
        np.arange(np.floor(low / _STEP), np.ceil(high / _STEP) + 1)
        for low, high in zip(lab.min(0), lab.max(0), strict=True)
    ]
    every = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3) * _STEP
    near: np.ndarray = every[_shares(lab, every).max(axis=0) >= _LEAST]
    return near


@cache
def _weights() -> np.ndarray:
    """(4096, `BINS`) float32, 2 MB: what each colour of the table gives each bin."""
    return _given(_table()).astype(np.float32)


def _given(colours: np.ndarray) -> np.ndarray:
    """(N, 3) sRGB from 0 to 255 -> (N, `BINS`): what each gives each bin; rows sum to 1."""
    return _shares(lab_of(colours), _grid())


def _shares(lab: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squared = (lab**2).sum(axis=1)[:, None] - 2 * lab @ centres.T + (centres**2).sum(axis=1)
    given: np.ndarray = np.exp(-squared / (2 * _BLUR**2))
    given /= given.sum(axis=1, keepdims=True)
    return given


def _rooted(shares: np.ndarray) -> np.ndarray:
    # Rounded as it is stored, so that a vector is the same before and after.
    rooted: np.ndarray = np.sqrt(shares / shares.sum()).astype(np.float16).astype(np.float32)
    return rooted

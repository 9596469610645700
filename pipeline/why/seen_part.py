"""Which part of a picture a network sees: the preprocessing of most crops to the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pipeline.encoders.encoder import Encoder

__all__ = ["Part", "seen_part"]

Part = tuple[float, float, float, float]  # left, top, right, bottom as shares of the sides
_SIDE = 512  # pixels of the probe: brightness has only 256 steps


def seen_part(encoder: Encoder, size: tuple[int, int]) -> Part:
    """The part of a picture of `size` (width, height) that `encoder` sees.

    It is measured, because each library crops in its own way: pictures in which the brightness of a pixel is
    its coordinate are preprocessed, and the coordinates of the edges are read from the result.
    """
    scale = min(1.0, _SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    across = np.tile(_ramp(width), (height, 1))
    down = np.tile(_ramp(height)[:, None], (1, width))
    black = np.zeros((height, width), np.uint8)
    probes = (across, down, black, 255 - black)
    x, y, dark, bright = (
        encoder.preprocess(Image.fromarray(probe).convert("RGB"))[0].astype(np.float64) for probe in probes
    )
    left, right = _ends(((x - dark) / (bright - dark)).mean(0), width)
    top, bottom = _ends(((y - dark) / (bright - dark)).mean(1), height)
    return left, top, right, bottom


def _ramp(length: int) -> np.ndarray:
    return np.linspace(0, 255, length).round().astype(np.uint8)


def _ends(coordinates: np.ndarray, length: int) -> tuple[float, float]:
    """Edges of a line of pixels as shares of a side of `length` pixels, from 0 (first) to 1 (last pixel)."""
    count = len(coordinates)
    middle = np.arange(count // 4, count - count // 4)  # edges may be padded
    slope, start = np.polyfit(middle, coordinates[middle], 1)
    ends = np.array([start - slope / 2, start + slope * (count - 0.5)])
    shares = (ends * (length - 1) + 0.5) / length  # pixel centres -> the side they lie on
    return float(np.clip(shares[0], 0, 1)), float(np.clip(shares[1], 0, 1))

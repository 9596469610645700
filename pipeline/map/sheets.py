"""Thumbnails of a map as sheets: many tiny squares in one WebP, neighbours on the map side by side."""

import io
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from pipeline.errors import ImageError
from pipeline.images import decode

__all__ = [
    "EMPTY",
    "MAX_TILES",
    "QUALITY",
    "SHEET_SIDE",
    "curve_order",
    "sheets",
    "spread_sample",
    "tile",
    "tile_side",
]

SHEET_SIDE = 1024  # pixels: some 300 kB as WebP, and any browser takes it
MAX_TILES = 50_000  # 50,000 tiles of 32 px are some 30 MB; further points stay dots
QUALITY = 70
_GRID = 1024  # cells a side for ordering
_SAMPLE_GRID = 32  # cells a side for the sample; 32 × 32 tiles of 32 px fill one sheet
EMPTY = (128, 128, 128)


def tile_side(points: int) -> int:
    """Pixels of a thumbnail: the fewer, the larger. 6,000 of 64 px take as much as 24,000 of 32."""
    return 64 if points <= 12_000 else 32


def curve_order(positions: np.ndarray) -> np.ndarray:
    """(N, 2) in −1 to 1 -> (N,) order along a Z-curve (Morton 1966): near in it is near on the map."""
    cells = np.clip(((positions + 1) / 2 * _GRID).astype(np.int64), 0, _GRID - 1)
    keys = np.zeros(len(cells), np.int64)
    for bit in range(_GRID.bit_length() - 1):
        keys |= ((cells[:, 0] >> bit) & 1) << (2 * bit) | ((cells[:, 1] >> bit) & 1) << (2 * bit + 1)
    return np.argsort(keys, kind="stable")


def spread_sample(positions: np.ndarray, most: int) -> np.ndarray:
    """(≤ most,) indices: of each cell of a grid over the map the point nearest to its centre, by cell."""
    grid = min(_SAMPLE_GRID, int(np.sqrt(most)))
    scaled = (positions + 1) / 2 * grid
    cells = np.clip(scaled.astype(np.int64), 0, grid - 1)
    from_centre = ((scaled - cells - 0.5) ** 2).sum(axis=1)
    order = np.lexsort((from_centre, cells[:, 0], cells[:, 1]))
    key = cells[order, 1] * grid + cells[order, 0]
    return order[np.unique(key, return_index=True)[1]]


def tile(data: bytes, side: int) -> Image.Image:
    """The middle square of an encoded picture, `side` pixels wide; grey where it cannot be decoded."""
    try:
        picture = decode(data, min_side=side)
    except ImageError:
        return Image.new("RGB", (side, side), EMPTY)
    short = min(picture.size)
    left, top = (picture.width - short) / 2, (picture.height - short) / 2
    box = (left, top, left + short, top + short)
    return picture.resize((side, side), Image.Resampling.BOX if short > side else 3, box=box)


def sheets(tiles: Iterable[Image.Image], side: int) -> Iterator[bytes]:
    """WebP files of `SHEET_SIDE` pixels, filled row by row; the last one is as short as it can be."""
    columns = SHEET_SIDE // side
    batch: list[Image.Image] = []
    for each in tiles:
        batch.append(each)
        if len(batch) == columns * columns:
            yield _sheet(batch, side, columns)
            batch = []
    if batch:
        yield _sheet(batch, side, columns)


def _sheet(tiles: list[Image.Image], side: int, columns: int) -> bytes:
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), EMPTY)
    for place, each in enumerate(tiles):
        sheet.paste(each, (place % columns * side, place // columns * side))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=QUALITY, method=2)
    return file.getvalue()

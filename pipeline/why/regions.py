"""Parts of a picture that a search may be narrowed to: where what the network sees of it is concentrated."""

import numpy as np
from scipy import ndimage

from pipeline.images import Picture
from pipeline.search.collection import Collection
from pipeline.search.query import Box
from pipeline.search.query_embedding import encoder_of, opened
from pipeline.why.heat_map import Places, explain
from pipeline.why.seen_part import seen_part

__all__ = ["peaks", "suggested_regions"]

_MOST = 3
_HIGH = 0.5  # share of the highest value from which a place is a peak
_WARM = 0.65  # share of a peak from which the places around it belong to it
_SMALLEST, _LARGEST = 0.2, 0.8  # of a side; smaller parts have too few pixels, a larger one is the picture


def suggested_regions(collection: Collection, picture: Picture, encoder: str | None = None) -> list[Box]:
    """Up to three boxes over `picture`, the most striking part first.

    Raises:
        SimileError: an unusable picture, or a network that cannot show its places.
    """
    _, version = collection.live
    entry = version.manifest.encoder(encoder)
    network = encoder_of(version, entry)
    image = opened(picture, network.decode_side)
    grid = network.spatial(network.preprocess(image)[None])[0]
    places = Places(grid, grid.mean((0, 1)))  # of a class token, too: what its patches have in common
    heat = explain(places, places, version.manifest.projection_of(entry)).query
    left, top, right, bottom = seen_part(network, image.size)
    wide, high = right - left, bottom - top
    return [(left + a * wide, top + b * high, left + c * wide, top + d * high) for a, b, c, d in peaks(heat)]


def peaks(heat: np.ndarray, most: int = _MOST) -> list[Box]:
    """The warm spots of a map (h, w) as boxes in shares of its sides, the warmest first.

    >>> heat = np.zeros((8, 8)); heat[1:3, 1:3] = 1; heat[5:7, 4:7] = 0.8
    >>> peaks(heat)
    [(0.125, 0.125, 0.375, 0.375), (0.5, 0.625, 0.875, 0.875)]
    """
    values = heat.astype(np.float64) - heat.min()
    highest, found = values.max(), list[Box]()
    while len(found) < most and highest > 0:
        at = np.unravel_index(values.argmax(), values.shape)
        if values[at] < _HIGH * highest:
            break
        spots, _ = ndimage.label(values >= _WARM * values[at])
        rows, columns = ndimage.find_objects((spots == spots[at]).astype(np.int8))[0]
        box = (*_side(columns, values.shape[1]), *_side(rows, values.shape[0]))
        left, right, top, bottom = box
        if right - left <= _LARGEST and bottom - top <= _LARGEST:
            found.append((left, top, right, bottom))
        values[rows, columns] = 0
    return found


def _side(cells: slice, count: int) -> tuple[float, float]:
    """First and last edge of the cells as shares of a side, at least `_SMALLEST` apart."""
    start, stop = cells.start / count, cells.stop / count
    lacking = max(0.0, _SMALLEST - (stop - start)) / 2
    start, stop = start - lacking, stop + lacking
    moved = max(0.0, -start) - max(0.0, stop - 1)
    return max(0.0, start + moved), min(1.0, stop + moved)

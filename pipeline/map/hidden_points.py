"""A map without some of its points: their places, labels and thumbnails."""

import io
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from PIL import Image

from pipeline.map.map_file import NO_TILE, Map, MapField
from pipeline.map.sheets import EMPTY, QUALITY

__all__ = ["Covered", "cover_tiles", "without_points"]

Covered = Mapping[int, list[int]]  # sheet -> places on it whose thumbnails may not be seen


def without_points(made: Map, hidden: Collection[str]) -> tuple[Map, Covered]:
    """The map without the points `hidden`, and where on which sheets their thumbnails are.

    Sheets stay as they are arranged. In the sample, whose order is that of sheet 0, a neighbour takes the
    place of a point that is left out.
    """
    gone = np.array([point in hidden for point in made.ids], bool)
    if not gone.any():
        return made, {}
    left = np.flatnonzero(~gone)
    each, covered = made.facts["columns"] ** 2, dict[int, list[int]]()
    for tile in made.tiles[gone & (made.tiles != NO_TILE)].tolist():
        covered.setdefault(1 + tile // each, []).append(tile % each)
    covered[0] = np.flatnonzero(gone[made.sample]).tolist()
    # Points stand in an order in which neighbours on the map are near.
    follows = np.minimum(np.searchsorted(left, made.sample), max(0, len(left) - 1))
    return replace(
        made,
        ids=[made.ids[at] for at in left],
        positions=made.positions[left],
        labels={name: MapField(of.names, of.values[left]) for name, of in made.labels.items()},
        tiles=made.tiles[left],
        sample=follows.astype(np.int32) if len(left) else made.sample[:0],
    ), covered


def cover_tiles(sheet: bytes, places: Collection[int], side: int) -> bytes:
    """A sheet (WebP) with plain grey at some places; tiles are `side` pixels wide, row by row."""
    with Image.open(io.BytesIO(sheet), formats=["WEBP"]) as opened:
        picture = opened.convert("RGB")
    columns = picture.width // side
    for place in places:
        left, top = place % columns * side, place // columns * side
        picture.paste(EMPTY, (left, top, left + side, top + side))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=2)
    return file.getvalue()

"""Make the map of a version: read its vectors, lay them out, draw the sheets, and keep all with it."""

import base64
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.errors import SimileError
from pipeline.map import sheets
from pipeline.map.map_file import MAP, NO_TILE, Map, MapField, sheet_name, write_map
from pipeline.map.tsne import iterations, lay_out
from pipeline.points import RESERVED
from pipeline.progress import progress, say
from pipeline.store import Manifest, Store
from pipeline.store.read_points import read_points

__all__ = ["OTHER", "POINTS", "make_map"]

POINTS = 100_000  # of more, a fair sample is taken: more dots than pixels cannot be told apart
OTHER = "other"
_NAMES = 1_000  # values of a field that keep their names
_THUMBNAILS = 256  # read at once


def make_map(
    store: Store, version: str, vector: str | None = None, limit: int = POINTS, seed: int = 0
) -> dict[str, Any]:
    """Make the map of a version and attach it; a map that was there is replaced.

    Args:
        vector: of which encoder, by its name in the manifest; default: the first.
        limit: at most so many points, a fair sample where there are more.

    Returns:
        JSON-able: points, sheets, bytes, seconds by step.

    Raises:
        SimileError: an empty version, an unknown vector, or one that was never finished.
    """
    started = time.perf_counter()
    manifest = store.read_manifest(version)
    vector = _chosen(manifest, vector)
    total = store.count(version)
    say(f"{version}: reading {min(total, limit):,} of {total:,} vectors")
    points = read_points(store, version, [vector], list(manifest.labels), limit)
    if not points.ids:
        raise SimileError(f"'{version}' holds no pictures; index some first.")
    read = time.perf_counter()
    with progress("map", sum(iterations(len(points.ids))), unit="step") as bar:
        positions = lay_out(points.vectors.pop(vector), seed, advance=bar.update)
    laid_out = time.perf_counter()
    order = sheets.curve_order(positions)
    made = Map(
        [points.ids[i] for i in order],
        positions[order],
        {name: _labels([values[i] for i in order]) for name, values in points.fields.items()},
        *_tiles(positions[order]),
        {
            "points": total,
            "vector": vector,
            "seed": seed,
            "made": datetime.now(UTC).isoformat("T", "seconds"),
        },
    )
    size = _attach(store, version, made)
    return {
        "collection": manifest.collection,
        "version": version,
        "vector": vector,
        "points": len(made.ids),
        "of": total,
        **size,
        "read_s": round(read - started, 2),
        "layout_s": round(laid_out - read, 2),
        "sheets_s": round(time.perf_counter() - laid_out, 2),
    }


def _chosen(manifest: Manifest, vector: str | None) -> str:
    there = [entry.vector for entry in manifest.encoders]
    if vector is None:
        return there[0]
    if vector not in there:
        raise SimileError(f"'{manifest.collection}' has no vector '{vector}'; it has: {', '.join(there)}.")
    return vector


def _labels(values: list[Any]) -> MapField:
    """Values numbered by frequency, the most frequent first; those beyond the first 1,000 become `OTHER`."""
    texts = [OTHER if value is None else str(value) for value in values]
    ranked = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in ranked[:_NAMES]]
    if len(ranked) > _NAMES and OTHER not in names:
        names.append(OTHER)
    number = {name: at for at, name in enumerate(names)}
    return MapField(names, np.array([number.get(text, number.get(OTHER, 0)) for text in texts], np.uint16))


def _tiles(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which points get a thumbnail (all, or evenly along the curve), and the sample of the whole map."""
    n = len(positions)
    chosen = np.unique(np.linspace(0, n - 1, min(n, sheets.MAX_TILES)).round().astype(np.int64))
    tiles = np.full(n, NO_TILE, np.int32)
    tiles[chosen] = np.arange(len(chosen), dtype=np.int32)
    sample = sheets.spread_sample(positions, (sheets.SHEET_SIDE // sheets.tile_side(n)) ** 2)
    return tiles, sample.astype(np.int32)


def _attach(store: Store, version: str, made: Map) -> dict[str, int]:
    """Attach the sheets first and the map last, so that a map is never without its sheets."""
    side = sheets.tile_side(len(made.ids))
    size = 0
    wanted = [made.ids[i] for i in np.flatnonzero(made.tiles != NO_TILE)]
    numbers = count(0)
    with progress("tiles", len(wanted)) as bar:
        for ids in ([made.ids[i] for i in made.sample], wanted):
            tiles = _pictures(store, version, ids, side)
            for sheet in sheets.sheets(_counted(tiles, bar if ids is wanted else None), side):
                store.attach(version, sheet_name(next(numbers)), sheet)
                size += len(sheet)
    made_sheets = next(numbers)
    made.facts.update(side=side, columns=sheets.SHEET_SIDE // side, sheets=made_sheets)
    data = write_map(made)
    store.attach(version, MAP, data)
    return {"sheets": made_sheets, "bytes": size + len(data)}


def _counted(tiles: Iterator[Image.Image], bar: tqdm | None) -> Iterator[Image.Image]:
    for each in tiles:
        if bar is not None:
            bar.update(1)
        yield each


def _pictures(store: Store, version: str, ids: list[str], side: int) -> Iterator[Image.Image]:
    """Tiles of points in the order of `ids`. PIL decodes outside Python's lock, so threads use all cores."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(ids), _THUMBNAILS):
            wanted = ids[start : start + _THUMBNAILS]
            found = {str(record.id): record.payload or {} for record in store.retrieve(version, wanted)}
            encoded = [found.get(i, {}).get(RESERVED, {}).get("thumbnail", "") for i in wanted]
            yield from pool.map(lambda text: sheets.tile(base64.b64decode(text), side), encoded)

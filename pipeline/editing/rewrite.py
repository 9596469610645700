"""A version of the embedded store anew, point by point: what is left out is in none of its files."""

from collections.abc import Set
from typing import Any

import numpy as np

from pipeline.images.palette import COLOUR_VECTOR
from pipeline.progress import progress
from pipeline.store import Store
from pipeline.store.manifest import Version
from pipeline.store.protocol import vector_params
from pipeline.store.read_points import all_points, in_batches
from pipeline.store.similar_version import config_of
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["rewrite"]

_AT_ONCE = 500  # points with vectors and thumbnails that are held at once, some 10 MB


def rewrite(store: Store, live: Version, target: str, without: Set[str], home: str) -> None:
    """Write the points of a version to a new one, unfinished, but for some.

    A copy of the engine's files would not do: deleted points stay in them until a segment is rewritten.

    Args:
        store: where both are.
        live: the version that is read.
        target: name of the new one.
        without: ids of points that are left out.
        home: where thumbnails may lie as files.
    """
    manifest = live.manifest
    codes = {entry.code for entry in manifest.encoders if entry.code}
    vectors = manifest.vector_names
    first: Any = store.scroll(live.name, 1, with_vectors=vectors)[0].vector
    sizes = {name: len(first[name]) for name in vectors}
    config = config_of(manifest, manifest.collection)
    params = vector_params(
        config,
        {name: size for name, size in sizes.items() if name not in {*codes, COLOUR_VECTOR}},
        {name: size for name, size in sizes.items() if name in codes},
        manifest.rows,
        colours=manifest.colours is not None,
    )
    store.create(target, config, params, store.payload_indexes(live.name))
    thumbnails = ThumbnailFiles(home)
    records = (
        record
        for record in all_points(store, live.name, with_vectors=vectors, page=_AT_ONCE)
        if str(record.id) not in without
    )
    with progress("rewrite", manifest.rows) as bar:
        for some in in_batches(records, _AT_ONCE):
            thumbnails.put_away(manifest.collection, some)
            rows = {
                name: np.array([record.vector[name] for record in some], np.float32)  # type: ignore[index,call-overload]
                for name in vectors
            }
            store.upsert(target, [str(record.id) for record in some], rows, [r.payload or {} for r in some])
            bar.update(len(some))

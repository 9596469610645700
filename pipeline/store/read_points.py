"""All points of a version at once, as arrays: for measuring, calibrating and drawing, not for searching."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from qdrant_client import models

from pipeline.store.protocol import Store

__all__ = ["Points", "all_points", "read_points"]

_PAGE = 1000  # 1,000 points of 2 × 512 floats are 4 MB on the wire


@dataclass(frozen=True)
class Points:
    """N points in the order of their ids, which are hashes: the first ones are a fair sample.

    Attributes:
        ids: (N,).
        vectors: name -> (N, D) float32; cosine vectors have length 1, codes are −1 and +1.
        fields: payload field -> (N,) values, None where a point has none.
    """

    ids: list[str]
    vectors: dict[str, np.ndarray]
    fields: dict[str, list[Any]]


def read_points(
    store: Store,
    version: str,
    vectors: list[str],
    fields: list[str],
    limit: int | None = None,
    page: int = _PAGE,
) -> Points:
    """The first `limit` points (default: all) with the named vectors and payload fields only.

    50,000 points of 512 floats are 100 MB; thumbnails are not read unless their field is named.
    """
    ids: list[str] = []
    parts: dict[str, list[np.ndarray]] = {name: [] for name in vectors}
    columns: dict[str, list[Any]] = {name: [] for name in fields}
    for record in islice(all_points(store, version, fields, with_vectors=vectors or None, page=page), limit):
        ids.append(str(record.id))
        for name, each in parts.items():
            each.append(np.asarray(record.vector[name], np.float32))  # type: ignore[index,call-overload]
        for name, values in columns.items():
            values.append((record.payload or {}).get(name))
    joined = {
        name: np.array(each, np.float32) if each else np.empty((0, 0), np.float32)
        for name, each in parts.items()
    }
    return Points(ids, joined, columns)


def all_points(
    store: Store,
    version: str,
    fields: list[str] | None = None,
    query_filter: models.Filter | None = None,
    with_vectors: list[str] | None = None,
    page: int = 1_000,
) -> Iterator[models.Record]:
    """Every point, in the order of ids, a page at a time; arguments as in `Store.scroll`."""
    offset = None
    while True:
        # One more than a page: it is where the next one begins.
        records = store.scroll(version, page + 1, offset, with_vectors, fields, query_filter)
        yield from records[:page]
        if len(records) <= page:
            return
        offset = str(records[page].id)

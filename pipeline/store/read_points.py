"""All points of a version at once, as arrays: for measuring, calibrating and drawing, not for searching."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from qdrant_client import models

from pipeline.store.field_paths import FieldName, json_path
from pipeline.store.id_slices import WHOLE, IdSlice
from pipeline.store.protocol import Store

__all__ = ["Points", "all_points", "in_batches", "least_and_greatest", "read_points"]

T = TypeVar("T")

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
    fields: Sequence[FieldName] | None = None,
    query_filter: models.Filter | None = None,
    with_vectors: list[str] | None = None,
    page: int = 1_000,
    within: IdSlice = WHOLE,
) -> Iterator[models.Record]:
    """Every point within a slice, in the order of ids, a page at a time; arguments as in `Store.scroll`."""
    offset = within.first
    while True:
        # One more than a page: it is where the next one begins.
        records = store.scroll(version, page + 1, offset, with_vectors, fields, query_filter)
        if records and not within.holds(str(records[-1].id)):
            yield from (record for record in records if within.holds(str(record.id)))
            return
        yield from records[:page]
        if len(records) <= page:
            return
        offset = str(records[page].id)


def in_batches(records: Iterable[T], size: int) -> Iterator[list[T]]:
    """The records in lists of `size`, the last one perhaps shorter.

    >>> list(in_batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(records)
    while some := list(islice(left, size)):
        yield some


def least_and_greatest(store: Store, version: str, field: str) -> tuple[Any, Any] | None:
    """The ends of an indexed field of numbers or times; None where no point has a value.

    Two requests of one point each: both stores keep such an index in order (a millisecond of 500,000).
    """
    ends: list[Any] = []
    for direction, end in ((models.Direction.ASC, min), (models.Direction.DESC, max)):
        order = models.OrderBy(key=json_path(field), direction=direction)
        found = store.scroll(version, 1, fields=[field], order_by=order)
        if not found:
            return None
        value = (found[0].payload or {})[field]
        ends.append(end(one for one in value if one is not None) if isinstance(value, list) else value)
    return ends[0], ends[1]

"""What a collection holds, without a query: the pictures that pass filters, the most typical ones first."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.search.hit import Hit
from pipeline.search.query import Settings
from pipeline.search.query_embedding import Prepared
from pipeline.search.ranking import Search
from pipeline.store.filters import qdrant_filter, wanted_of
from pipeline.vectors import unit

if TYPE_CHECKING:
    from pipeline.search.collection import Collection

__all__ = ["browse"]

_SAMPLE = 512  # pictures whose mean is what is typical; ids are hashes, so the first ones are a fair sample


def browse(
    collection: "Collection", filters: Mapping[str, Any] | None, k: int, offset: int = 0
) -> tuple[list[Hit], int]:
    """Pictures that pass the filters, nearest to their mean vector first, and how many pass.

    Args:
        k: pictures wanted; `offset`: how many are left out before them.

    Raises:
        SimileError: a filter that does not fit, or values out of bounds.
    """
    store, version = collection.live
    settings = Settings(k=k, offset=offset, filters=filters, exact=store.allows_exact(version.name))
    settings.check(version)
    entry = version.manifest.encoder(None)
    passing = qdrant_filter(wanted_of(version, filters))
    records = store.scroll(
        version.name, _SAMPLE, with_vectors=[entry.vector], fields=(), query_filter=passing
    )
    if not records:
        return [], 0
    vectors = np.asarray([record.vector[entry.vector] for record in records], np.float32)  # type: ignore[index,call-overload]
    typical = Prepared(unit(vectors).mean(axis=0), np.empty(0, np.float32))
    found, _ = Search(version, entry, settings, [typical]).run(store)
    hits = [replace(hit, unusual=None, weak=None) for hit in found]  # nothing was searched from
    total = len(records) if len(records) < _SAMPLE else store.count(version.name, passing)
    return hits, total

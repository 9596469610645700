"""A store in which some points cannot be seen: every question leaves them out."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from qdrant_client import models

from pipeline.store.protocol import Store, VectorQuery

__all__ = ["hidden_in", "hiding"]


def hiding(store: Store, hidden: Callable[[], frozenset[str]]) -> Store:
    """The same store without some of its points.

    Args:
        store: of one collection's readers.
        hidden: ids of points; asked with each question, so that a change counts at once.
    """
    return cast(Store, _HidingStore(store, hidden))


def hidden_in(store: Store) -> frozenset[str]:
    """The ids that a store leaves out."""
    return store.hidden() if isinstance(store, _HidingStore) else frozenset()


class _HidingStore:
    """Signatures and results are those of `Store`; what is not here does not show points."""

    def __init__(self, store: Store, hidden: Callable[[], frozenset[str]]) -> None:
        self._store, self.hidden = store, hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _visible(self, query_filter: models.Filter | None) -> models.Filter | None:
        ids = self.hidden()
        if not ids:
            return query_filter
        own = query_filter or models.Filter()
        without = own.must_not if isinstance(own.must_not, list) else [own.must_not] if own.must_not else []
        return own.model_copy(update={"must_not": [*without, models.HasIdCondition(has_id=sorted(ids))]})

    def count(self, version: str, query_filter: models.Filter | None = None, exact: bool = True) -> int:
        return self._store.count(version, self._visible(query_filter), exact)

    def query(
        self, version: str, query: VectorQuery, *, query_filter: models.Filter | None = None, **others: Any
    ) -> list[models.ScoredPoint]:
        return self._store.query(version, query, query_filter=self._visible(query_filter), **others)

    def query_many(
        self, version: str, queries: np.ndarray, *, limit: int, **others: Any
    ) -> list[list[models.ScoredPoint]]:
        ids = self.hidden()
        found = self._store.query_many(version, queries, limit=limit + len(ids), **others)
        return [[point for point in each if str(point.id) not in ids][:limit] for each in found]

    def retrieve(self, version: str, ids: Sequence[str], *given: Any, **others: Any) -> list[models.Record]:
        hidden = self.hidden()
        return self._store.retrieve(version, [one for one in ids if one not in hidden], *given, **others)

    def scroll(
        self,
        version: str,
        limit: int,
        offset: str | None = None,
        with_vectors: list[str] | None = None,
        fields: Any = None,
        query_filter: models.Filter | None = None,
        order_by: models.OrderBy | None = None,
    ) -> list[models.Record]:
        visible = self._visible(query_filter)
        return self._store.scroll(version, limit, offset, with_vectors, fields, visible, order_by)

    def facet(
        self,
        version: str,
        key: str,
        limit: int,
        query_filter: models.Filter | None = None,
        exact: bool = True,
    ) -> list[tuple[Any, int]]:
        return self._store.facet(version, key, limit, self._visible(query_filter), exact)

"""Reading points of the embedded engine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import qdrant_edge as edge
from qdrant_client import models

from pipeline.store import embedded_translation as translate
from pipeline.store.embedded_translation import scored
from pipeline.store.field_paths import FieldName, json_path, payload_selector
from pipeline.store.protocol import VectorQuery
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["ReadingShards"]

_QUERIES = 100  # queries in one batch; other callers in this process wait for the whole batch


class ReadingShards:
    """The half of `pipeline.store.Store` that changes nothing."""

    thumbnails: ThumbnailFiles

    def _shard(self, version: str) -> edge.EdgeShard:
        """The open shard of a version."""
        raise NotImplementedError

    def count(self, version: str, query_filter: models.Filter | None = None, exact: bool = True) -> int:
        """By default exact."""
        request = edge.CountRequest(filter=translate.filter_(query_filter), exact=exact)
        return self._shard(version).count(request)

    def most_ids(self, version: str) -> int | None:
        """As many as wanted."""
        return None

    def query(
        self,
        version: str,
        query: VectorQuery,
        *,
        using: str,
        limit: int,
        query_filter: models.Filter | None = None,
        params: models.SearchParams | None = None,
        score_threshold: float | None = None,
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.ScoredPoint]:
        """Nearest points, best first."""
        request = edge.QueryRequest(
            limit=limit,
            query=translate.query(query, using),
            filter=translate.filter_(query_filter),
            params=translate.search_params(params),
            score_threshold=score_threshold,
            with_payload=payload_selector(fields),
            with_vector=with_vectors or False,
        )
        return self.thumbnails.put_back([scored(hit) for hit in self._shard(version).query(request)])

    def query_many(
        self,
        version: str,
        queries: np.ndarray,
        *,
        using: str,
        limit: int,
        params: models.SearchParams | None = None,
    ) -> list[list[models.ScoredPoint]]:
        """In batches, whose queries share one pass over the points."""
        searched = translate.search_params(params)
        requests = [
            edge.QueryRequest(limit=limit, query=translate.query(query, using), params=searched)
            for query in queries
        ]
        batches = (
            edge.QueryBatchRequest(requests[i : i + _QUERIES]) for i in range(0, len(requests), _QUERIES)
        )
        shard = self._shard(version)
        return [[scored(hit) for hit in hits] for batch in batches for hits in shard.query_batch(batch)]

    def retrieve(
        self,
        version: str,
        ids: Sequence[str],
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.Record]:
        """Points by id."""
        found = self._shard(version).retrieve(
            point_ids=list(ids), with_payload=payload_selector(fields), with_vector=with_vectors or False
        )
        return self.thumbnails.put_back([translate.record(each) for each in found])

    def scroll(
        self,
        version: str,
        limit: int,
        offset: str | None = None,
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
        query_filter: models.Filter | None = None,
        order_by: models.OrderBy | None = None,
    ) -> list[models.Record]:
        """Points by id order, or by a field."""
        request = edge.ScrollRequest(
            limit=limit,
            offset=offset,
            with_payload=payload_selector(fields),
            with_vector=with_vectors or False,
            filter=translate.filter_(query_filter),
            order_by=translate.order_by(order_by),
        )
        found, _ = self._shard(version).scroll(request)
        return self.thumbnails.put_back([translate.record(each) for each in found])

    def facet(
        self,
        version: str,
        key: str,
        limit: int,
        query_filter: models.Filter | None = None,
        exact: bool = True,
    ) -> list[tuple[Any, int]]:
        """Counts by value."""
        counted = translate.filter_(query_filter)
        request = edge.FacetRequest(json_path(key), limit=limit, exact=exact, filter=counted)
        return [(hit.value, hit.count) for hit in self._shard(version).facet(request).hits]

"""Reading points of a Qdrant server, within what its strict mode allows."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from pipeline.store.field_paths import FieldName, json_path, payload_selector
from pipeline.store.protocol import VectorQuery
from pipeline.store.server_requests import FLOAT_BYTES, request_slices
from pipeline.store.server_strictness import Strictness
from pipeline.store.servers import Servers
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["ReadingStore"]

# Exact queries of one request. 256 of them took 2.3 s on 500,000 points, and a request has 60 s.
_EXACT_AT_ONCE = 16


class ReadingStore:
    """The half of `pipeline.store.Store` that changes nothing."""

    servers: Servers
    strictness: Strictness
    thumbnails: ThumbnailFiles

    def count(self, version: str, query_filter: models.Filter | None = None, exact: bool = True) -> int:
        """By default exact."""
        found = self.servers.ask(QdrantClient.count, version, count_filter=query_filter, exact=exact)
        return int(found.count)

    def allows_exact(self, version: str) -> bool:
        """False where strict mode has `search_allow_exact: false`."""
        return self.strictness.allows_exact(version)

    def most_ids(self, version: str) -> int | None:
        """None at all where strict mode counts the conditions of a filter."""
        return self.strictness.most_ids(version)

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
        """Nearest points, best first; in pages where strict mode allows no more at once."""
        points: list[models.ScoredPoint] = []
        for offset, page in self.strictness.pages(version, limit):
            found: models.QueryResponse = self.servers.ask(
                QdrantClient.query_points,
                version,
                query=query.astype(np.float32).tolist() if isinstance(query, np.ndarray) else query,
                using=using,
                limit=page,
                offset=offset or None,
                query_filter=query_filter,
                search_params=self.strictness.params(version, params),
                score_threshold=score_threshold,
                with_payload=payload_selector(fields),
                with_vectors=with_vectors or False,
            )
            points += found.points
            if len(found.points) < page:
                break
        return self.thumbnails.put_back(points)

    def query_many(
        self,
        version: str,
        queries: np.ndarray,
        *,
        using: str,
        limit: int,
        params: models.SearchParams | None = None,
    ) -> list[list[models.ScoredPoint]]:
        """In requests of bounded size."""
        answers: list[list[models.ScoredPoint]] = [[] for _ in queries]
        params = self.strictness.params(version, params)
        most = self.strictness.of(version).search_max_batchsize or len(queries)
        if params is not None and params.exact:
            most = min(most, _EXACT_AT_ONCE)
        for part in request_slices([queries.shape[1] * FLOAT_BYTES] * len(queries), most):
            rows = queries[part].astype(np.float32).tolist()
            for offset, page in self.strictness.pages(version, limit):
                ask = partial(
                    models.QueryRequest, using=using, limit=page, offset=offset or None, params=params
                )
                requests = [ask(query=row) for row in rows]
                found = self.servers.ask(QdrantClient.query_batch_points, version, requests)
                for answer, more in zip(answers[part], found, strict=True):
                    answer += more.points
        return answers

    def retrieve(
        self,
        version: str,
        ids: Sequence[str],
        with_vectors: list[str] | None = None,
        fields: Sequence[FieldName] | None = None,
    ) -> list[models.Record]:
        """Points by id."""
        found: list[models.Record] = self.servers.ask(
            QdrantClient.retrieve,
            version,
            list(ids),
            with_payload=payload_selector(fields),
            with_vectors=with_vectors or False,
        )
        return self.thumbnails.put_back(found)

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
        """Points by id order, or by a field; in pages where strict mode allows no more at once."""
        records: list[models.Record] = []
        start: Any = offset
        for _, page in self.strictness.pages(version, limit):
            found, start = self.servers.ask(
                QdrantClient.scroll,
                version,
                limit=page,
                offset=start,
                with_payload=payload_selector(fields),
                with_vectors=with_vectors or False,
                scroll_filter=query_filter,
                order_by=order_by,
            )
            records += found
            if start is None or order_by is not None:  # by a field there is no next page
                break
        return self.thumbnails.put_back(records)

    def facet(
        self,
        version: str,
        key: str,
        limit: int,
        query_filter: models.Filter | None = None,
        exact: bool = True,
    ) -> list[tuple[Any, int]]:
        """Counts by value; approximate where strict mode forbids exact ones."""
        found = self.servers.ask(
            QdrantClient.facet,
            version,
            key=json_path(key),
            limit=self.strictness.values(version, limit),
            exact=exact and self.allows_exact(version),
            facet_filter=query_filter,
        )
        return [(hit.value, hit.count) for hit in found.hits]

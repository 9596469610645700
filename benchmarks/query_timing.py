"""One kind of search, repeated: latency, throughput, scores."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from qdrant_client import models

from benchmarks.query_index import VERSION
from pipeline.config import CollectionConfig
from pipeline.index_quality.recall import count_found
from pipeline.search.filtered_query import Index, filtered_query
from pipeline.store.embedded import EmbeddedStore

__all__ = ["SEARCHES", "RepeatedSearch", "recall"]

_K = 10
_SECONDS = 2.0  # of each throughput measurement
SEARCHES: dict[str, tuple[Literal["cosine", "hamming"], bool]] = {  # name -> metric, exact
    "exact": ("cosine", True),
    "hnsw": ("cosine", False),
    "hamming exact": ("hamming", True),
    "hamming": ("hamming", False),
}


class RepeatedSearch:
    """One kind of search over one version, called with the number of a query."""

    def __init__(
        self,
        store: EmbeddedStore,
        kind: str,
        vectors: np.ndarray,
        codes: np.ndarray,
        config: CollectionConfig,
        only: models.Filter | None = None,
    ) -> None:
        metric, exact = SEARCHES[kind]
        self.store, self.only = store, only
        self.rows, self.using = (codes, "v_code") if metric == "hamming" else (vectors, "v")
        self.metric, self.exact = metric, exact
        self.params = config.search.to_qdrant(_K, exact=exact, metric=metric, filtered=only is not None)
        self.index = Index(VERSION, store.count(VERSION), config.search, config.hnsw)

    def __call__(self, at: int) -> list[models.ScoredPoint]:
        row = self.rows[at % len(self.rows)]
        if self.only is not None and not self.exact:
            return filtered_query(
                self.store,
                self.index,
                row,
                using=self.using,
                limit=_K,
                query_filter=self.only,
                metric=self.metric,
                fields=[],
            )
        return self.store.query(
            VERSION, row, using=self.using, limit=_K, params=self.params, query_filter=self.only, fields=[]
        )

    def scores(self, count: int) -> list[np.ndarray]:
        """Scores of the hits of the first `count` queries; with rescoring they are exact."""
        return [np.array([hit.score for hit in self(at)]) for at in range(count)]

    def latency(self, count: int) -> dict[str, float]:
        """p50 and p95 in milliseconds of queries one after the other, with what they read in memory."""
        for at in range(count):
            self(at)
        times = []
        for at in range(count):
            start = time.perf_counter()
            self(at)
            times.append((time.perf_counter() - start) * 1e3)
        return {
            "p50_ms": round(float(np.percentile(times, 50)), 3),
            "p95_ms": round(float(np.percentile(times, 95)), 3),
        }

    def throughput(self, callers: int, seconds: float = _SECONDS) -> float:
        """Queries a second of so many threads at once, each of which searches at least once."""
        start = time.perf_counter()

        def call(first: int) -> int:
            done = 0
            while not done or time.perf_counter() < start + seconds:
                self(first + done)
                done += 1
            return done

        with ThreadPoolExecutor(callers) as pool:
            done = sum(pool.map(call, range(0, callers * 17, 17)))
            return round(done / (time.perf_counter() - start), 1)


def recall(exact: list[np.ndarray], found: list[np.ndarray]) -> float:
    """Mean recall@10: a hit counts if it is at least as near as the last of the exact ones."""
    return round(
        float(np.mean([count_found(f, e[-1]) / len(e) for e, f in zip(exact, found, strict=True)])), 4
    )

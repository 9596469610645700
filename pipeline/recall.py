"""How many of the exact nearest points an approximate search finds, and how fast."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qdrant_client import models

from pipeline.store.protocol import Store

__all__ = ["K", "Measured", "Queries", "count_found", "exact_scores", "measure"]

K = 10
_ROUNDING = 1e-6  # scores of one pair differ by this much between two ways of adding up


@dataclass(frozen=True)
class Queries:
    """Vectors to search with, of points that are in the version themselves.

    Attributes:
        using: name of the vector.
        vectors: (Q, D) float32 as stored: of length 1 under cosine, −1 and +1 for codes.
        own: (Q,) ids; a query's own point counts neither as found nor as missed.
    """

    using: str
    vectors: np.ndarray
    own: Sequence[str]

    def ask(
        self, store: Store, version: str, at: int, k: int, params: models.SearchParams
    ) -> list[models.ScoredPoint]:
        """The k best points other than the query's own."""
        vector = self.vectors[at]
        return self._others(
            at, store.query(version, vector, using=self.using, limit=k + 1, params=params, fields=[]), k
        )

    def ask_all(
        self, store: Store, version: str, k: int, params: models.SearchParams
    ) -> list[list[models.ScoredPoint]]:
        """The same of every query."""
        found = store.query_many(version, self.vectors, using=self.using, limit=k + 1, params=params)
        return [self._others(at, hits, k) for at, hits in enumerate(found)]

    def _others(self, at: int, found: list[models.ScoredPoint], k: int) -> list[models.ScoredPoint]:
        return [hit for hit in found if str(hit.id) != self.own[at]][:k]


@dataclass(frozen=True)
class Measured:
    """Recall in [0, 1], milliseconds a query (median of queries one after the other)."""

    recall: float
    ms: float


def count_found(scores: np.ndarray, last: float) -> int:
    """Hits that are as near as the last of the exact ones; of equal scores any is as good as another.

    >>> count_found(np.array([0.9, 0.8, 0.8, 0.7]), 0.8)
    3
    """
    return int((scores >= last - _ROUNDING * max(1.0, abs(last))).sum())


def exact_scores(
    store: Store, version: str, queries: Queries, params: models.SearchParams, k: int = K
) -> list[dict[str, float]]:
    """For each query its k exact nearest points: id -> score."""
    found = queries.ask_all(store, version, k, params)
    return [{str(hit.id): hit.score for hit in hits} for hits in found]


def measure(
    store: Store,
    version: str,
    queries: Queries,
    truth: Sequence[dict[str, float]],
    params: models.SearchParams,
    k: int = K,
) -> Measured:
    """Recall@k by distance against `truth` of `exact_scores`, query by query."""
    milliseconds, shares = [], []
    for at, exact in enumerate(truth):
        start = time.perf_counter()
        hits = queries.ask(store, version, at, k, params)
        milliseconds.append((time.perf_counter() - start) * 1e3)
        if exact:
            scores = _true_scores(store, version, queries, at, [str(hit.id) for hit in hits], exact)
            shares.append(min(1.0, count_found(scores, min(exact.values())) / len(exact)))
    return Measured(float(np.mean(shares)), float(np.median(milliseconds)))


def _true_scores(
    store: Store, version: str, queries: Queries, at: int, ids: list[str], exact: dict[str, float]
) -> np.ndarray:
    """What the originals say: without rescoring, the scores of an approximate search are estimates."""
    unknown = [point for point in ids if point not in exact]
    scores = dict(exact)
    if unknown:
        for record in store.retrieve(version, unknown, with_vectors=[queries.using], fields=[]):
            stored = np.asarray(record.vector[queries.using], np.float32)  # type: ignore[index,call-overload]
            scores[str(record.id)] = float(stored @ queries.vectors[at])
    return np.array([scores[point] for point in ids])

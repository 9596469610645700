"""A search with a filter: the way that it takes follows the number of points that pass."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from cachetools import TTLCache
from qdrant_client import models

from pipeline.config import HnswConfig, SearchConfig
from pipeline.config.graph_and_search import Metric
from pipeline.store import Store
from pipeline.store.field_paths import FieldName
from pipeline.store.manifest import Version

__all__ = ["Index", "Plan", "filtered_query", "plan_of"]

# The last hit stands at about rank k · points / passing among all points; by chance it may stand deeper.
# Where a fifth of a million points pass, the nearest 150 of all contain 0.992 of the ten nearest that pass.
_FOR_EACH = 3
_ENOUGH = 0.5  # of those that should pass; fewer do if what is near the query passes more rarely than others
MOST_KEPT = 450  # a walk that keeps more takes longer than one that knows the filter
_COUNTS, _SECONDS = 512, 30.0  # estimates that are kept; a server's version may change while it is searched


@dataclass(frozen=True)
class Index:
    """What a search has to know of the version that it is made in."""

    name: str
    points: int
    search: SearchConfig
    hnsw: HnswConfig

    @staticmethod
    def of(version: Version) -> "Index":
        """That of a version."""
        manifest = version.manifest
        return Index(version.name, manifest.rows, manifest.search, manifest.hnsw)


@dataclass(frozen=True)
class Plan:
    """How a filtered search is made.

    Attributes:
        way: `scan`: the engine compares the codes of all points that pass. `keep`: those that pass among the
            `nearest` without the filter. `graph`: a walk that knows the filter (ACORN).
    """

    way: Literal["scan", "keep", "graph"]
    nearest: int = 0


def plan_of(points: int, passing: int, k: int, scanned: int, most: int = MOST_KEPT) -> Plan:
    """The way for `k` hits among `passing` of `points` points.

    Args:
        passing: about how many pass.
        scanned: up to how many the engine compares one by one.
        most: how many points may be asked for without the filter.

    >>> plan_of(1_000_000, 40_000, 10, 50_000)
    Plan(way='scan', nearest=0)
    >>> plan_of(1_000_000, 200_000, 10, 50_000)
    Plan(way='keep', nearest=150)
    >>> plan_of(1_000_000, 60_000, 1_000, 50_000)
    Plan(way='graph', nearest=0)
    """
    if passing <= scanned:
        return Plan("scan")
    nearest = math.ceil(_FOR_EACH * k * points / passing)
    return Plan("keep", nearest) if nearest <= most else Plan("graph")


def filtered_query(
    store: Store,
    index: Index,
    vector: np.ndarray,
    *,
    using: str,
    limit: int,
    query_filter: models.Filter,
    metric: Metric = "cosine",
    score_threshold: float | None = None,
    with_vectors: list[str] | None = None,
    fields: Sequence[FieldName] | None = None,
) -> list[models.ScoredPoint]:
    """`Store.query` for one vector (D,) float32 and a filter, in the version `index`."""
    asked: dict[str, Any] = {"using": using, "limit": limit, "score_threshold": score_threshold}
    asked |= {"with_vectors": with_vectors, "fields": fields}
    few = index.search.to_qdrant(limit, metric=metric, filtered=True, few=True)
    scanned = index.hnsw.scanned_points(index.points, len(vector))
    ids = store.most_ids(index.name)
    most = MOST_KEPT if ids is None else min(ids, MOST_KEPT)
    passing = _passing(store, index.name, query_filter)
    points = max(index.points, passing)  # manifests of earlier versions do not count them
    plan = plan_of(points, passing, limit, scanned, most)
    if plan.way == "keep":
        near = _among_the_nearest(store, index, vector, plan.nearest, using, metric, query_filter)
        if store.count(index.name, near) >= _ENOUGH * plan.nearest * passing / points:
            return store.query(index.name, vector, query_filter=near, params=few, **asked)
    params = few if plan.way == "scan" else index.search.to_qdrant(limit, metric=metric, filtered=True)
    return store.query(index.name, vector, query_filter=query_filter, params=params, **asked)


def _among_the_nearest(
    store: Store,
    index: Index,
    vector: np.ndarray,
    nearest: int,
    using: str,
    metric: Metric,
    query_filter: models.Filter,
) -> models.Filter:
    """A filter for what passes among the nearest of all.

    Few of them do where what is near the query is of another kind than what passes: the paintings of a
    century, say, seen from a painting of another one.
    """
    params = index.search.to_nearest_of_all(nearest, metric=metric)
    found = store.query(index.name, vector, using=using, limit=nearest, params=params, fields=[])
    return models.Filter(must=[query_filter, models.HasIdCondition(has_id=[point.id for point in found])])


_counts: TTLCache[tuple[str, str, str], int] = TTLCache(_COUNTS, _SECONDS)
_lock = threading.Lock()


def _passing(store: Store, version: str, query_filter: models.Filter) -> int:
    """About how many points pass, by the engine's own estimate, which looks at no point."""
    key = (store.address, version, query_filter.model_dump_json())
    with _lock:
        known = _counts.get(key)
    if known is None:
        known = store.count(version, query_filter, exact=False)
        with _lock:
            _counts[key] = known
    return known

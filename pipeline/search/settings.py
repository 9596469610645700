"""How to search: metric, how many, filters, exactness; and what Qdrant calls these."""

from collections.abc import Mapping
from typing import Any, Literal

from qdrant_client import models

from pipeline.errors import SimileError

__all__ = ["MAX_K", "METRICS", "Metric", "check_metric_and_k", "qdrant_filter", "search_params"]

MAX_K = 1000
METRICS = ("cosine", "hamming")
Metric = Literal["cosine", "hamming"]


def check_metric_and_k(metric: str, k: int) -> None:
    """Refuses an unknown metric, and a k out of bounds."""
    if metric not in METRICS:
        raise SimileError(f"Metric '{metric}' is not known; choose {' or '.join(METRICS)}.")
    if not 1 <= k <= MAX_K:
        raise SimileError(f"k is {k}; it must be between 1 and {MAX_K}.")


def search_params(settings: Mapping[str, Any], k: int, exact: bool) -> models.SearchParams:
    """Exact: every point, in full precision. Otherwise the graph over quantized vectors, rescored."""
    return models.SearchParams(
        exact=exact,
        hnsw_ef=None if exact else max(settings["hnsw_ef"], k),
        quantization=models.QuantizationSearchParams(
            ignore=exact, rescore=True, oversampling=settings["oversampling"]
        ),
    )


def qdrant_filter(filters: Mapping[str, Any] | None) -> models.Filter | None:
    """Field -> value or values, ANDed; empty lists ask nothing."""
    must: list[Any] = []
    for field, wanted in (filters or {}).items():
        if isinstance(wanted, list | tuple | set):
            if wanted:
                must.append(models.FieldCondition(key=field, match=models.MatchAny(any=list(wanted))))
        else:
            must.append(models.FieldCondition(key=field, match=models.MatchValue(value=wanted)))
    return models.Filter(must=must) if must else None

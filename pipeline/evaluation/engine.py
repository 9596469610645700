"""Precision of what the search engine itself returns, exact or approximate, ties included."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.errors import ImageError, SimileError
from pipeline.evaluation.labels import is_label
from pipeline.evaluation.metrics import bootstrap_interval, expected_precision
from pipeline.progress import say
from pipeline.search import METRICS, Collection, Hit

__all__ = ["engine_scores", "measure_engine", "source_queries", "stored_queries"]

_RANKS = (1, 10)
_BEYOND = 40  # hits fetched beyond the last rank, so that ties there are seen
_BATCH = 64


def measure_engine(
    collection: Collection,
    encoder: str,
    fields: Sequence[str],
    exact: bool,
    queries: Iterator[tuple[np.ndarray, dict[str, Any]]] | None = None,
    asked: str = "leave-one-out",
    limit: int | None = None,
) -> dict[str, Any]:
    """What the search engine returns, query by query.

    Args:
        queries: prepared vectors and payloads; by default the first `limit` points of the collection.
        asked: where the queries come from, for the record.
    """
    if not fields:
        raise SimileError(
            f"'{collection.name}' has no labels to measure with; name payload columns with --fields."
        )
    chosen: Iterable[tuple[str | np.ndarray, dict[str, Any]]]
    chosen = stored_queries(collection, limit) if queries is None else queries
    shown = tqdm(chosen, desc=f"queries of {encoder}", file=sys.stderr, mininterval=2)
    count, scores = engine_scores(collection, shown, list(fields), exact, encoder)
    kind = "exact" if exact else "approximate"
    return {
        "key": "engine",
        "protocol": f"{kind} search of the engine ({asked}, {count:,} queries in {collection.count:,})",
        "about": "through the index, its quantization and its rescoring",
        "counts": {"queries": count, "training": 0, "database": collection.count},
        "encoder": encoder,
        "scores": scores,
    }


def stored_queries(collection: Collection, limit: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and payload of the first `limit` points."""
    for at, point in enumerate(collection.ids()):
        if limit is not None and at >= limit:
            return
        yield point, collection.get(point).payload


def source_queries(
    collection: Collection, encoder: str, source_name: str, split: str, limit: int | None
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Prepared vector and payload of each row, read through Ray Data; needs a session."""
    from pipeline.sources import decode_payload, image_bytes, read_rows, resolve_source

    source = resolve_source(source_name, split=split)
    for batch in read_rows(source, limit=limit).iter_batches(batch_size=_BATCH, batch_format="pyarrow"):
        asked = zip(image_bytes(batch), decode_payload(source, batch), strict=True)
        given = [(data, payload) for data, payload in asked if data]
        try:
            vectors = list(collection.embed([data for data, _ in given], encoder))
        except ImageError:  # of one picture, which asks nothing
            given, vectors = _one_by_one(collection, encoder, given)
        yield from zip(vectors, (payload for _, payload in given), strict=True)


_Asked = list[tuple[bytes, dict[str, Any]]]  # a picture's file, its payload


def _one_by_one(collection: Collection, encoder: str, given: _Asked) -> tuple[_Asked, list[np.ndarray]]:
    """Those that can be decoded, and their prepared vectors."""
    good: _Asked = []
    vectors: list[np.ndarray] = []
    for data, payload in given:
        try:
            vectors += list(collection.embed([data], encoder))
        except ImageError as error:
            say(f"left out as a query: {error}")
        else:
            good.append((data, payload))
    return good, vectors


def engine_scores(
    collection: Collection,
    queries: Iterable[tuple[str | np.ndarray, dict[str, Any]]],
    fields: list[str],
    exact: bool,
    encoder: str,
) -> tuple[int, dict[str, dict[str, float]]]:
    """P@1 and P@10 by each field, cosine and Hamming, with 95 % bootstrap intervals over queries.

    Args:
        queries: a stored id, which is left out of its own results, or a prepared vector; and its payload.
        fields: payload fields; equal values are relevant. A query without a label of a field is left out
            there: two unknown artists are not one.
        exact: every point in full precision, instead of HNSW over quantized vectors.
        encoder: one of the collection's, which made the vectors.

    Returns:
        Number of queries, and "field metric P@k" -> mean, low, high. Ties are in expectation as far as the
        50 hits that are fetched reach, beyond them in the engine's order.
    """
    values: dict[str, list[float]] = {}
    count = 0
    k = max(_RANKS) + _BEYOND
    for query, payload in queries:
        count += 1
        for metric in METRICS:
            hits = (
                collection.search_id(query, metric, k=k, exact=exact, encoder=encoder)[0]
                if isinstance(query, str)
                else collection.search_vector(query, metric, k=k, exact=exact, encoder=encoder)
            )
            for field in (name for name in fields if is_label(payload.get(name))):
                distances, relevant = _relevance(hits, payload, field)
                for rank in _RANKS:
                    key = f"{field} {metric} P@{rank}"
                    values.setdefault(key, []).append(expected_precision(distances, relevant, rank))
    return count, {key: _summary(np.array(each)) for key, each in values.items()}


def _relevance(hits: list[Hit], payload: dict[str, Any], field: str) -> tuple[np.ndarray, np.ndarray]:
    distances = np.array([hit.distance for hit in hits])
    wanted = _listed(payload.get(field))
    return distances, np.array([any(v in wanted for v in _listed(hit.payload.get(field))) for hit in hits])


def _listed(value: Any) -> list[Any]:
    """A picture in two folders has two labels."""
    return value if isinstance(value, list) else [value]


def _summary(each: np.ndarray) -> dict[str, float]:
    low, high = bootstrap_interval(each)
    return {"mean": round(float(each.mean()), 4), "low": round(low, 4), "high": round(high, 4)}

"""How many of the exact nearest points an approximate search finds, and how fast."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from qdrant_client import models

from pipeline.config import CollectionConfig
from pipeline.config.graph_and_search import Metric
from pipeline.config.quantization import CODE_QUANTIZATION
from pipeline.progress import say
from pipeline.store.manifest import EncoderEntry
from pipeline.store.measured import IndexCheck, MetricCheck, ResidentBytes
from pipeline.store.protocol import Resident, Store
from pipeline.store.read_points import read_points

__all__ = [
    "PROTOCOL",
    "K",
    "Measured",
    "Queries",
    "Truth",
    "check_metric",
    "check_version",
    "count_found",
    "exact_scores",
    "measure",
    "resident_of",
]

K = 10
_ROUNDING = 1e-6  # relative difference between two ways to sum up the same score


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
        """The k best points of every query, other than the query's own."""
        found = store.query_many(version, self.vectors, using=self.using, limit=k + 1, params=params)
        return [self._others(at, hits, k) for at, hits in enumerate(found)]

    def _others(self, at: int, found: list[models.ScoredPoint], k: int) -> list[models.ScoredPoint]:
        return [hit for hit in found if str(hit.id) != self.own[at]][:k]


@dataclass(frozen=True)
class Measured:
    """Recall in [0, 1], milliseconds a query (median of queries one after the other)."""

    recall: float
    ms: float


Truth = list[dict[str, float]]  # for each query its K exact nearest points: id -> score


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
    """Scores by the stored originals; without rescoring, those of an approximate search are estimates."""
    unknown = [point for point in ids if point not in exact]
    scores = dict(exact)
    if unknown:
        for record in store.retrieve(version, unknown, with_vectors=[queries.using], fields=[]):
            stored = np.asarray(record.vector[queries.using], np.float32)  # type: ignore[index,call-overload]
            scores[str(record.id)] = float(stored @ queries.vectors[at])
    return np.array([scores[point] for point in ids])


QUERIES = 500
_EXACT_TIMED = 20  # exact queries timed one after the other
_PATHS = {"scan": "comparing every code", "graph": "the graph", None: "the engine"}
# RAM a picture of an indexed payload field. A server with 500,000 points told 59 MB for one integer field and
# 14 MB for one keyword field; a float has the same two maps as an integer, a bool two sets of points.
INDEX_BYTES = {
    models.PayloadSchemaType.INTEGER: 118,
    models.PayloadSchemaType.FLOAT: 118,
    models.PayloadSchemaType.KEYWORD: 28,
    models.PayloadSchemaType.BOOL: 1,
}
_FLOAT_BYTES, _CODE_BYTES = 4, 2  # of a component as stored: float32, and ±1 as float16

PROTOCOL = (
    f"recall@{K} by distance against exact search of the same version; the queries are stored points, the "
    f"first {QUERIES} by id (ids are hashes: a random sample), each held out of its own results"
)


def check_version(
    store: Store,
    version: str,
    entry: EncoderEntry,
    config: CollectionConfig,
    staged: Callable[[Sequence[Queries]], list[Truth]] | None = None,
) -> IndexCheck:
    """Measure one encoder of a finished version.

    Says a line a metric on stderr, and warns below `search.min_recall`.

    Args:
        store, version, entry, config: what is measured.
        staged: queries of several vectors -> their exact neighbours among all staged points of the version.
            None: the store is asked for them, some queries at a time.
    """
    points = read_points(store, version, [entry.vector, entry.code], [], QUERIES)
    if len(points.ids) < 2:
        return IndexCheck(queries=0, protocol=PROTOCOL)
    cosine = Queries(entry.vector, points.vectors[entry.vector], points.ids)
    hamming = Queries(entry.code, points.vectors[entry.code], points.ids)
    near, differing = staged([cosine, hamming]) if staged else (None, None)
    checked = IndexCheck(
        queries=len(points.ids),
        protocol=PROTOCOL,
        oversampling=config.search.oversampling,
        cosine=check_metric(store, version, cosine, config, "cosine", near),
        hamming=check_metric(store, version, hamming, config, "hamming", differing),
        bytes=resident_of(store, version, entry, config),
    )
    _say(entry.name, checked, config.search.min_recall)
    return checked


def check_metric(
    store: Store,
    version: str,
    queries: Queries,
    config: CollectionConfig,
    metric: Metric,
    truth: Truth | None = None,
) -> MetricCheck | None:
    """Recall, time and path of the configured search, and the time of an exact one.

    None where the store forbids exact searches and `truth` is not given: there is nothing to compare with.
    """
    search, rows = config.search, store.count(version)
    scanned = store.allows_exact(version) and not config.hnsw.over_codes(rows)
    exact = search.to_qdrant(K + 1, exact=True, metric=metric, codes_scanned=scanned)
    asks_exactly = store.allows_exact(version) or not exact.exact
    if truth is None:
        if not asks_exactly:
            return None
        truth = exact_scores(store, version, queries, exact)
    found = measure(store, version, queries, truth, search.to_qdrant(K + 1, metric=metric))
    timed = measure(store, version, queries, truth[:_EXACT_TIMED], exact) if asks_exactly else None
    codes, width = metric == "hamming", queries.vectors.shape[1]
    walked = config.hnsw.over_codes(rows) if codes else config.hnsw.over_vectors(rows, width)
    return MetricCheck(
        recall=round(found.recall, 4),
        ms=round(found.ms, 2),
        exact_ms=round(timed.ms, 2) if timed else None,
        path="graph" if walked else "scan",
    )


def resident_of(store: Store, version: str, entry: EncoderEntry, config: CollectionConfig) -> ResidentBytes:
    """RAM in bytes a picture, from the engine's files where they can be seen, else computed.

    A version too small for a graph is scanned, and compares the originals. Payload indexes are those of the
    version, whatever its encoders: as the store tells, else estimated by kind.
    """
    rows = store.count(version)
    dimension, bits = entry.prepared_dimension or 0, entry.code_bits or 0
    resident = store.resident_bytes(version)
    links = round(rows * config.hnsw.link_bytes(rows))
    vector_links = links if config.hnsw.over_vectors(rows, dimension) else 0
    code_links = links if config.hnsw.over_codes(rows) else 0
    vector = (resident or {}).get(
        entry.vector, Resident(rows * config.quantization.code_bytes(dimension), vector_links)
    )
    code = (resident or {}).get(entry.code, Resident(rows * CODE_QUANTIZATION.code_bytes(bits), code_links))
    memory, told = config.memory, store.in_place and resident is not None
    # A server tells what is in RAM. The size of a file says it only where the file is not read on demand.
    codes, links, payload = (
        0 if tier == "cold" and not told else 1
        for tier in (memory.codes, memory.graph, memory.payload_indexes)
    )
    each = {
        "vector": codes * ((vector.codes / rows) or _FLOAT_BYTES * dimension),
        "code": codes * ((code.codes / rows) or _CODE_BYTES * bits),
        "links": links * (vector.links + code.links) / rows,
        "payload": payload * _payload_bytes(store, version, rows) / rows,
    }
    return ResidentBytes(
        **{name: round(value, 1) for name, value in each.items()},
        total=round(sum(each.values()), 1),
        found_in="estimate" if resident is None else "server" if store.in_place else "files",
    )


def _payload_bytes(store: Store, version: str, rows: int) -> float:
    told = store.payload_index_bytes(version)
    if told is not None:
        return told
    kinds = store.payload_indexes(version).values()
    return rows * sum(INDEX_BYTES.get(kind, INDEX_BYTES[models.PayloadSchemaType.KEYWORD]) for kind in kinds)


def _say(name: str, checked: IndexCheck, min_recall: float) -> None:
    size = checked.bytes
    assert size is not None  # there were queries
    for metric, kept in (("cosine", size.vector), ("hamming", size.code)):
        of = checked.hamming if metric == "hamming" else checked.cosine
        if of is None:
            say(f"check: {name} {metric}: not measured, because the server forbids exact search")
            continue
        exact = "not allowed" if of.exact_ms is None else f"{of.exact_ms:.2f} ms"
        say(
            f"check: {name} {metric}: recall@{K} {of.recall:.4f} in {of.ms:.2f} ms by {_PATHS[of.path]} "
            f"(exact {exact}), {kept:.0f} bytes a picture in RAM"
        )
        if of.recall < min_recall:
            say(
                f"warning: recall@{K} {of.recall:.4f} is below min_recall {min_recall:g}; raise "
                f"search.oversampling or search.hnsw_ef, or ask python -m ray_jobs.tune"
            )
    say(
        f"check: in all {size.total:.0f} bytes a picture in RAM, with graphs and payload indexes "
        f"({size.found_in})"
    )

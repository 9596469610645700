"""After the load, before the switch: what the index finds of the exact answer, and what it keeps in RAM."""

from typing import Any

from pipeline.indexing.progress import say
from pipeline.recall import K, Queries, exact_scores, measure
from pipeline.store import Store
from pipeline.store.bulk import read_points
from pipeline.store.protocol import Resident
from qdrant_config import CollectionConfig, SearchConfig

__all__ = ["PROTOCOL", "check_version", "recall_of", "resident_of"]

QUERIES = 500
_EXACT_TIMED = 20  # exact queries timed one after the other
_FLOAT_BYTES, _CODE_BYTES = 4, 2  # of a component as stored: float32, and ±1 as float16

PROTOCOL = (
    f"recall@{K} by distance against exact search of the same version; the queries are stored points, the "
    f"first {QUERIES} by id (ids are hashes: a random sample), each held out of its own results"
)


def check_version(
    store: Store, version: str, encoders: list[dict[str, Any]], config: CollectionConfig
) -> None:
    """Measure a finished version; enters `measured` in each of the manifest's `encoders`.

    Says one line an encoder on stderr, and warns below `search.min_recall`.
    """
    for facts in encoders:
        points = read_points(store, version, [facts["vector"], facts["code"]], [], QUERIES)
        if len(points.ids) < 2:
            facts["measured"] = {"queries": 0, "protocol": PROTOCOL}
            continue
        cosine = Queries(facts["vector"], points.vectors[facts["vector"]], points.ids)
        hamming = Queries(facts["code"], points.vectors[facts["code"]], points.ids)
        facts["measured"] = {
            "queries": len(points.ids),
            "protocol": PROTOCOL,
            "oversampling": config.search.oversampling,
            "cosine": recall_of(store, version, cosine, config.search, "cosine"),
            "hamming": recall_of(store, version, hamming, config.search, "hamming"),
            "bytes": resident_of(store, version, facts, config),
        }
        _say(facts, config.search.min_recall)


def recall_of(
    store: Store, version: str, queries: Queries, search: SearchConfig, metric: Any
) -> dict[str, float]:
    """`recall` of the configured search, its `ms`, and the `exact_ms` of an exact one."""
    exact = search.to_qdrant(K + 1, exact=True, metric=metric)
    truth = exact_scores(store, version, queries, exact)
    found = measure(store, version, queries, truth, search.to_qdrant(K + 1, metric=metric))
    timed = measure(store, version, queries, truth[:_EXACT_TIMED], exact)
    return {"recall": round(found.recall, 4), "ms": round(found.ms, 2), "exact_ms": round(timed.ms, 2)}


def resident_of(
    store: Store, version: str, facts: dict[str, Any], config: CollectionConfig
) -> dict[str, float | str]:
    """RAM in bytes a picture: `vector` and `code` (what is compared), `links` (the graphs), `total`.

    From the engine's files where they can be seen (`from: files`), else computed (`from: estimate`).
    A version too small for a graph is scanned, and compares the originals.
    """
    rows = store.count(version)
    dimension, bits = facts["prepared_dimension"], facts["code_bits"]
    resident = store.resident_bytes(version)
    source = "files" if resident else "estimate"
    links = round(rows * config.hnsw.link_bytes(rows))
    vector_links = links if config.hnsw.over_vectors(rows, dimension) else 0
    code_links = links if config.hnsw.over_codes(rows) else 0
    vector = (resident or {}).get(
        facts["vector"], Resident(rows * config.quantization.code_bytes(dimension), vector_links)
    )
    code = (resident or {}).get(facts["code"], Resident(rows * 16 * -(-bits // 128), code_links))
    each = {
        "vector": (vector.codes / rows) or _FLOAT_BYTES * dimension,
        "code": (code.codes / rows) or _CODE_BYTES * bits,
        "links": (vector.links + code.links) / rows,
    }
    return {name: round(value, 1) for name, value in (each | {"total": sum(each.values())}).items()} | {
        "from": source
    }


def _say(facts: dict[str, Any], min_recall: float) -> None:
    measured = facts["measured"]
    size = measured["bytes"]
    for metric in ("cosine", "hamming"):
        of = measured[metric]
        kept = size["vector" if metric == "cosine" else "code"]
        say(
            f"check: {facts['name']} {metric}: recall@{K} {of['recall']:.4f} in {of['ms']:.2f} ms "
            f"(exact {of['exact_ms']:.2f} ms), {kept:.0f} bytes a picture in RAM"
        )
        if of["recall"] < min_recall:
            say(
                f"warning: recall@{K} {of['recall']:.4f} is below min_recall {min_recall:g}; raise "
                f"search.oversampling or search.hnsw_ef, or ask python -m ray_jobs.tune"
            )
    say(f"check: in all {size['total']:.0f} bytes a picture in RAM, graphs included ({size['from']})")

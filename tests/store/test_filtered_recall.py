"""Filters that leave a twenty-fifth of the points, answered by the graph and not by a scan."""

import uuid
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from benchmarks.synthetic import FIELDS, payloads, prepared_vectors
from pipeline.recall import count_found
from pipeline.store.edge import EdgeStore
from pipeline.store.protocol import vector_params
from qdrant_config import CollectionConfig, EncoderConfig, HnswConfig

POINTS, WIDTH, QUERIES, K = 6_000, 64, 100, 10
ONLY = models.Filter(
    must=[models.FieldCondition(key=n, match=models.MatchValue(value=f"{n} 1")) for n in FIELDS]
)


@pytest.mark.parametrize("full_scan_kb", [10, HnswConfig().full_scan_kb])
def test_two_fields_anded_find_what_exact_search_finds(tmp_path: Path, full_scan_kb: int) -> None:
    config = CollectionConfig(
        collection="things",
        source="x",
        encoders=[EncoderConfig(name="e:v", vector="v")],
        hnsw=HnswConfig(full_scan_kb=full_scan_kb),
    )
    store = EdgeStore(tmp_path)
    indexes = dict.fromkeys(FIELDS, models.PayloadSchemaType.KEYWORD)
    store.create("b", config, vector_params(config, {"v": WIDTH}, {}), indexes)
    vectors = prepared_vectors(0, POINTS + QUERIES, POINTS, WIDTH)
    ids = [str(uuid.UUID(int=at)) for at in range(POINTS)]
    store.upsert("b", ids, {"v": vectors[:POINTS]}, payloads(0, POINTS))
    store.finish("b")
    assert 0.03 < store.count("b", ONLY) / POINTS < 0.05

    def scores(row: np.ndarray, exact: bool) -> np.ndarray:
        params = config.search.to_qdrant(K, exact=exact, metric="cosine", filtered=True)
        hits = store.query("b", row, using="v", limit=K, query_filter=ONLY, params=params, fields=["style"])
        assert {hit.payload["style"] for hit in hits if hit.payload} == {"style 1"}
        return np.array([hit.score for hit in hits])

    found = [count_found(scores(row, False), scores(row, True)[-1]) / K for row in vectors[POINTS:]]
    assert np.mean(found) >= 0.99

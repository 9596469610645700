"""Filters that leave a twenty-fifth of the points, answered by the graph and not by a scan."""

import uuid
from collections.abc import Callable

import numpy as np
import pytest
from qdrant_client import models

from benchmarks.synthetic_vectors import FIELDS, payloads, prepared_vectors
from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig, SearchConfig
from pipeline.index_quality.recall import count_found
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params

POINTS, WIDTH, QUERIES, K = 6_000, 64, 100, 10
ONLY = models.Filter(
    must=[models.FieldCondition(key=n, match=models.MatchValue(value=f"{n} 1")) for n in FIELDS]
)
GRAPH_KB, SCAN_KB = 10, HnswConfig().full_scan_kb  # the 240 points that match are 60 KB
Recall = Callable[[SearchConfig], float]


@pytest.fixture(scope="module", params=[GRAPH_KB, SCAN_KB], ids=["graph", "scan"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Recall]:
    """A limit below which the engine compares everything that matches, and recall@10 under it."""
    config = CollectionConfig(
        collection="things",
        source="x",
        encoders=[EncoderConfig(name="e:v", vector="v")],
        hnsw=HnswConfig(full_scan_kb=request.param),
    )
    store = EmbeddedStore(tmp_path_factory.mktemp("store"))
    indexes = dict.fromkeys(FIELDS, models.PayloadSchemaType.KEYWORD)
    store.create("b", config, vector_params(config, {"v": WIDTH}, {}), indexes)
    vectors = prepared_vectors(0, POINTS + QUERIES, POINTS, WIDTH)
    ids = [str(uuid.UUID(int=at)) for at in range(POINTS)]
    store.upsert("b", ids, {"v": vectors[:POINTS]}, payloads(0, POINTS))
    store.finish("b")
    assert 0.03 < store.count("b", ONLY) / POINTS < 0.05

    def scores(row: np.ndarray, params: models.SearchParams) -> np.ndarray:
        hits = store.query("b", row, using="v", limit=K, query_filter=ONLY, params=params)
        assert {tuple((hit.payload or {}).values()) for hit in hits} == {("style 1", "genre 1")}
        return np.array([hit.score for hit in hits])

    def recall(search: SearchConfig) -> float:
        exact, found = (
            [scores(row, search.to_qdrant(K, exact=how, metric="cosine", filtered=True)) for row in queries]
            for how in (True, False)
        )
        return float(np.mean([count_found(f, e[-1]) / K for e, f in zip(exact, found, strict=True)]))

    queries = vectors[POINTS:]
    return request.param, recall


def test_two_fields_anded_find_what_exact_search_finds(case: tuple[int, Recall]) -> None:
    _, recall = case
    assert recall(SearchConfig()) >= 0.99


def test_the_graph_alone_would_lose_its_way_between_the_points_that_match(case: tuple[int, Recall]) -> None:
    """Without ACORN a walk steps only on points that match; a scan has nothing to lose."""
    full_scan_kb, recall = case
    narrow = recall(SearchConfig(acorn=False, hnsw_ef=10))
    assert narrow < 0.95 if full_scan_kb == GRAPH_KB else narrow >= 0.99

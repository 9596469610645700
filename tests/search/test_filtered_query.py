"""Searches with a filter: which way they take, and what they find where the filter contradicts the query."""

import uuid
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from benchmarks.synthetic_vectors import prepared_vectors
from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig, SearchConfig
from pipeline.index_quality.recall import count_found
from pipeline.search.filtered_query import Index, Plan, filtered_query, plan_of
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params

POINTS, WIDTH, QUERIES, K = 4_000, 256, 40, 10
HNSW = HnswConfig(full_scan_kb=100)  # 200 points are compared one by one, more walk the graph


@pytest.mark.parametrize(
    ("points", "passing", "k", "plan"),
    [
        (1_000_000, 0, 10, Plan("scan")),
        (1_000_000, 50_000, 100, Plan("scan")),
        (1_000_000, 100_000, 10, Plan("keep", 300)),
        (1_000_000, 200_000, 24, Plan("keep", 360)),
        (1_000_000, 1_000_000, 10, Plan("keep", 30)),
        (1_000_000, 1_000_000, 151, Plan("graph")),
        (1_000_000, 50_001, 10, Plan("graph")),
    ],
)
def test_the_way_follows_the_number_of_points_that_pass(
    points: int, passing: int, k: int, plan: Plan
) -> None:
    assert plan_of(points, passing, k, scanned=50_000) == plan


def test_the_scan_grows_with_the_version_and_has_an_end() -> None:
    """`full_scan_kb` are 25,600 vectors of 512 components; a twentieth of a million is 50,000."""
    hnsw = HnswConfig()
    assert hnsw.scanned_points(20_000, 512) == 20_000, "there is no graph"
    assert hnsw.scanned_points(100_000, 512) == hnsw.scanned_points(500_000, 512) == 25_000
    assert hnsw.scanned_points(1_000_000, 512) == pytest.approx(50_000, rel=1e-3)
    assert hnsw.scanned_points(50_000_000, 512) == 50_000


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[EmbeddedStore, np.ndarray]:
    """Clustered points. `fifth` is drawn at random; `half` is the side of a plane that a point lies on."""
    config = CollectionConfig(
        collection="things", source="x", encoders=[EncoderConfig(name="e:v", vector="v")], hnsw=HNSW
    )
    store = EmbeddedStore(tmp_path_factory.mktemp("store"))
    indexes = dict.fromkeys(("fifth", "half"), models.PayloadSchemaType.KEYWORD)
    store.create("b", config, vector_params(config, {"v": WIDTH}, {}, POINTS), indexes)
    vectors = prepared_vectors(0, POINTS + QUERIES, POINTS, WIDTH)
    drawn = np.random.default_rng(0).integers(0, 5, POINTS)
    payloads = [{"fifth": str(drawn[i]), "half": str(vectors[i, 0] > 0)} for i in range(POINTS)]
    store.upsert("b", [str(uuid.UUID(int=i)) for i in range(POINTS)], {"v": vectors[:POINTS]}, payloads)
    store.finish("b")
    return store, vectors[POINTS:]


def recall(store: EmbeddedStore, queries: np.ndarray, field: str, value: str, asked: list[Any]) -> float:
    """Recall@10 with a filter; `asked` gets the parameters of each request."""
    only = models.Filter(must=[models.FieldCondition(key=field, match=models.MatchValue(value=value))])
    index, shares, query = Index("b", POINTS, SearchConfig(), HNSW), [], store.query

    def watched(*args: Any, **named: Any) -> list[models.ScoredPoint]:
        asked.append(named)
        return query(*args, **named)

    for row in queries:
        exact = store.query(
            "b", row, using="v", limit=K, query_filter=only, params=models.SearchParams(exact=True)
        )
        store.query = watched  # type: ignore[method-assign]
        try:
            found = filtered_query(store, index, row, using="v", limit=K, query_filter=only)
        finally:
            store.query = query  # type: ignore[method-assign]
        assert all((hit.payload or {})[field] == value for hit in found) and len(found) == K
        shares.append(count_found(np.array([hit.score for hit in found]), exact[-1].score) / K)
    return float(np.mean(shares))


def test_a_fifth_is_found_among_the_nearest_of_all(case: tuple[EmbeddedStore, np.ndarray]) -> None:
    asked: list[Any] = []
    assert recall(*case, "fifth", "1", asked) >= 0.99
    assert [named.get("query_filter") is None for named in asked] == [True, False] * QUERIES
    assert all(120 < named["limit"] < 180 for named in asked[::2])


def test_a_filter_on_which_no_neighbour_lies_is_answered_by_the_graph(
    case: tuple[EmbeddedStore, np.ndarray],
) -> None:
    """The farthest points from the plane: what is near to them lies on their own side."""
    store, queries = case
    far = queries[np.argsort(queries[:, 0])[-10:]] + np.eye(WIDTH, dtype=np.float32)[0] * 3
    asked: list[Any] = []
    assert recall(store, far, "half", "False", asked) >= 0.99
    assert any(named["params"].acorn for named in asked), "too few of the candidates pass"


def test_a_threshold_leaves_out_what_is_farther(case: tuple[EmbeddedStore, np.ndarray]) -> None:
    store, queries = case
    only = models.Filter(must=[models.FieldCondition(key="fifth", match=models.MatchValue(value="2"))])
    index = Index("b", POINTS, SearchConfig(), HNSW)
    every = filtered_query(store, index, queries[0], using="v", limit=K, query_filter=only)
    some = filtered_query(
        store, index, queries[0], using="v", limit=K, query_filter=only, score_threshold=every[4].score - 1e-6
    )
    assert [hit.id for hit in some] == [hit.id for hit in every[:5]]

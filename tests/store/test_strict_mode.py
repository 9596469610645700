"""A server whose strict mode forbids what it can: what still works, and what is said where nothing does."""

import logging
import uuid
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig, SearchConfig
from pipeline.errors import SimileError
from pipeline.search.query import search_params
from pipeline.store import Manifest
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from pipeline.store.strict_refusals import forbidden
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
N = 30
IDS = [str(uuid.UUID(int=at + 1)) for at in range(N)]
VECTORS = np.random.default_rng(2).normal(size=(N, 8)).astype(np.float32)
ONLY = models.Filter(must=[models.FieldCondition(key="label", match=models.MatchValue(value="v0"))])
SEARCH = SearchConfig().to_qdrant(N, filtered=True)
CLOUD = {"unindexed_filtering_retrieve": False, "unindexed_filtering_update": False}
TIGHT = CLOUD | {
    "max_query_limit": 7,
    "search_max_hnsw_ef": 64,
    "search_max_oversampling": 2.0,
    "search_allow_exact": False,
    "upsert_max_batchsize": 10,
    "search_max_batchsize": 4,
}


def fill(store: ServerStore, points: int | None = N) -> None:
    vectors = vector_params(CONFIG, {"cnn": 8}, {"cnn_code": 8}, points)
    store.create("things__1", CONFIG, vectors, {"label": models.PayloadSchemaType.KEYWORD})
    rows = {"cnn": VECTORS, "cnn_code": np.where(VECTORS >= 0, 1, -1).astype(np.float32)}
    store.upsert("things__1", IDS, rows, [{"label": f"v{at % 10}"} for at in range(N)])
    store.finish("things__1")
    store.write_manifest("things__1", Manifest(collection="things", rows=N))
    store.switch("things", "things__1")


@pytest.fixture(scope="module", params=["cloud", "tight"])
def store(request: pytest.FixtureRequest) -> Iterator[ServerStore]:
    settings = {"cloud": CLOUD, "tight": TIGHT}[request.param]
    with QdrantStandIn(strict=models.StrictModeConfig(enabled=True, **settings)) as server:
        opened = ServerStore(server.url, patience=5)
        fill(opened)
        yield opened


def query(store: ServerStore, limit: int = N, using: str = "cnn") -> list[str]:
    vector = VECTORS[0] if using == "cnn" else np.sign(VECTORS[0])
    found = store.query("things__1", vector, using=using, limit=limit, params=SEARCH)
    return [str(hit.id) for hit in found]


OPERATIONS: dict[str, Callable[[ServerStore], bool]] = {
    "check": lambda store: store.check("things") is None,
    "versions": lambda store: store.versions("things") == ["things__1"],
    "finished": lambda store: store.finished(["things__1"]) == {"things__1"},
    "manifest": lambda store: store.read_manifest("things__1").rows == N,
    "attach": lambda store: store.attach("things__1", "map", b"x")
    or store.attachment("things__1", "map") == b"x",
    "count": lambda store: store.count("things__1") == N and store.count("things__1", ONLY) == 3,
    "query": lambda store: query(store)[0] == IDS[0] and len(set(query(store))) == N,
    "codes": lambda store: len(set(query(store, using="cnn_code"))) == N,
    "filtered": lambda store: len(
        store.query("things__1", VECTORS[0], using="cnn", limit=9, query_filter=ONLY, params=SEARCH)
    ) == 3,
    "query_many": lambda store: [
        next(str(hit.id) for hit in hits)
        for hits in store.query_many("things__1", VECTORS, using="cnn", limit=9, params=SEARCH)
    ] == IDS,
    "scroll": lambda store: [str(each.id) for each in store.scroll("things__1", 20)] == IDS[:20],
    "retrieve": lambda store: len(store.retrieve("things__1", IDS)) == N,
    "facet": lambda store: len(store.facet("things__1", "label", 200)) in (7, 10),
    "set_graphs": lambda store: store.set_graphs(
        "things__1", CONFIG, vector_params(CONFIG, {"cnn": 8}, {"cnn_code": 8}, N)
    ) is None,
    "finish": lambda store: store.finish("things__1") is None and len(query(store, using="cnn_code")) == N,
    "delete": lambda store: store.delete("things__1", [str(uuid.UUID(int=99))]) is None,
    "rewrite": lambda store: store.write_manifest("things__1", Manifest(collection="things", rows=N)) is None,
    "switch": lambda store: store.switch("things", "things__1") is None,
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_everything_passes(store: ServerStore, name: str) -> None:
    assert OPERATIONS[name](store)


def test_a_search_by_codes_is_not_called_exact_where_nothing_may_be(store: ServerStore) -> None:
    """Few codes are all compared, which is exact; strict mode makes a graph of them, which is not."""
    manifest = Manifest(collection="things", rows=N)
    strict = not store.allows_exact("things__1")
    params = search_params(manifest, 5, exact=True, metric="hamming", by_originals=strict)
    assert params.exact == strict


def test_drop_passes() -> None:
    with QdrantStandIn(strict=models.StrictModeConfig(enabled=True, **TIGHT)) as server:
        store = ServerStore(server.url, patience=5)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        store.drop("things__1")
        assert store.versions("things") == []


def test_what_is_cut_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with QdrantStandIn(strict=models.StrictModeConfig(enabled=True, **TIGHT)) as server:
        store = ServerStore(server.url, patience=5)
        fill(store)
        with caplog.at_level(logging.WARNING, "simile"):
            for _ in range(2):
                query(store)
                store.facet("things__1", "label", 200)
        for said in (
            "search_max_hnsw_ef: 64",
            "search_max_oversampling: 2",
            "max_query_limit: 7, so a filter",
        ):
            assert caplog.text.count(said) == 1
        with pytest.raises(
            SimileError, match=r"'things__1' .* forbids exact search \(search_allow_exact: fal"
        ):
            store.query(
                "things__1", VECTORS[0], using="cnn", limit=1, params=SearchConfig().to_qdrant(1, exact=True)
            )


@pytest.mark.parametrize(
    ("reason", "setting"),
    [
        ('Index required but not found for "label" of one of the following types', "unindexed_filtering"),
        ("Exact search disabled! Help: Set exact=false", "search_allow_exact"),
        ("Request is forbidden: global vector indexing is disabled (m = 0)", "search_allow_exact"),
        ('Limit exceeded 501 > 100 for "limit". Help: Reduce', "max_query_limit"),
        ('Limit exceeded 128 > 64 for "hnsw_ef". Help: Reduce', "search_max_hnsw_ef"),
        ('Limit exceeded 4 > 2 for "oversampling"', "search_max_oversampling"),
        ('Limit exceeded 90 > 64 for "condition size limit"', "condition_max_size"),
        ("Max vector storage size limit of 1000 bytes reached!", "max_collection_vector_size_bytes"),
        ("Max points limit of 10 reached!", "max_points_count"),
    ],
)
def test_a_refusal_names_its_setting(reason: str, setting: str) -> None:
    assert setting in (forbidden(reason) or "")


def test_other_refusals_are_none_of_strict_mode() -> None:
    assert forbidden("Vector dimension error: expected dim: 2, got 3") is None


def test_a_refusal_is_one_sentence_without_json() -> None:
    strict = models.StrictModeConfig(enabled=True, unindexed_filtering_retrieve=False)
    with QdrantStandIn(strict=strict) as server:
        store = ServerStore(server.url, patience=1)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        with pytest.raises(
            SimileError, match=r"forbids filters of fields without an index \(unindexed_"
        ) as told:
            store.count("things__1", ONLY)
        assert "{" not in str(told.value)

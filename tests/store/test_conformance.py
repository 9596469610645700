"""The same calls on both stores must agree: the embedded engine, and a server spoken to over HTTP."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.projection import Projection
from pipeline.store import Manifest, Store, open_store
from pipeline.store.protocol import vector_params
from pipeline.store.read_points import read_points
from pipeline.store.server import ServerStore
from pipeline.vectors import hamming_distances
from tests.stand_ins.clusters import forget, killable_cluster, live_address
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
N, D = 300, 64
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(i))) for i in range(N)]
VECTORS = np.random.default_rng(1).normal(size=(N, D)).astype(np.float32)
CODES = Projection.codes(VECTORS)


@pytest.fixture(params=["embedded", "stand-in", "live-server"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param == "embedded":
        yield open_store(home=str(tmp_path))
    elif request.param == "stand-in":
        with QdrantStandIn() as server:
            yield open_store(url=server.url)
    else:
        yield open_store(url=live_server(monkeypatch))


def live_server(monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the server that tests may write to, with its key where Simile looks for it."""
    if not (url := live_address()):
        pytest.skip("QDRANT_URL names no server")
    for name in ("QDRANT_API_KEY", "QDRANT_GRPC_PORT"):
        if value := os.environ.get(f"SIMILE_TEST_{name}"):
            monkeypatch.setenv(name, value)
    return url


@pytest.fixture
def version(store: Store) -> Iterator[str]:
    alias = f"things{uuid.uuid4().hex[:8]}"  # others may use the same live server
    name = f"{alias}__1"
    fill(store, name, CONFIG)
    yield name
    if isinstance(store, ServerStore):
        forget(store, alias)


def fill(store: Store, name: str, config: CollectionConfig) -> None:
    """The points that every test asks for."""
    params = vector_params(config, {"cnn": D}, {"cnn_code": D})
    store.create(name, config, params, {"label": models.PayloadSchemaType.KEYWORD})
    payloads = [{"label": f"class {i % 3}", "row": i} for i in range(N)]
    store.upsert(name, IDS, {"cnn": VECTORS, "cnn_code": CODES}, payloads)
    store.finish(name)


EXACT = models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))


def cosine(query: np.ndarray) -> np.ndarray:
    return (VECTORS @ query) / np.linalg.norm(VECTORS, axis=1) / np.linalg.norm(query)


def test_count_and_filter(store: Store, version: str) -> None:
    only = models.Filter(must=[models.FieldCondition(key="label", match=models.MatchValue(value="class 1"))])
    assert store.count(version) == N
    assert store.count(version, only) == 100


def test_exact_cosine_agrees_with_numpy(store: Store, version: str) -> None:
    hits = store.query(version, VECTORS[7], using="cnn", limit=10, params=EXACT)
    expected = np.sort(cosine(VECTORS[7]))[::-1][:10]
    assert hits[0].id == IDS[7]
    assert np.allclose([hit.score for hit in hits], expected, atol=1e-5)


def test_many_queries_find_what_each_finds_alone(store: Store, version: str) -> None:
    together = store.query_many(version, VECTORS[:250], using="cnn", limit=5, params=EXACT)
    assert [(hits[0].id, hits[0].payload) for hits in together] == [(point, None) for point in IDS[:250]]
    for row in (0, 99, 100, 249):  # around the ends of batches
        alone = store.query(version, VECTORS[row], using="cnn", limit=5, params=EXACT, fields=[])
        assert [hit.id for hit in together[row]] == [hit.id for hit in alone]
        assert np.allclose([hit.score for hit in together[row]], [hit.score for hit in alone], atol=1e-6)


@pytest.mark.parametrize("rescore", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_hamming_distance_is_exact_and_integer(
    store: Store, version: str, exact: bool, rescore: bool
) -> None:
    params = models.SearchParams(exact=exact, quantization=models.QuantizationSearchParams(rescore=rescore))
    hits = store.query(version, CODES[3], using="cnn_code", limit=N, params=params)
    true = dict(zip(IDS, hamming_distances(CODES[3], CODES).tolist(), strict=True))
    assert [(D - hit.score) / 2 for hit in hits] == [true[str(hit.id)] for hit in hits]
    assert [true[str(hit.id)] for hit in hits] == sorted(true.values())[: len(hits)]


def test_filters_narrow_a_query(store: Store, version: str) -> None:
    any_of = models.MatchAny(any=["class 0", "class 2"])
    both = models.Filter(must=[models.FieldCondition(key="label", match=any_of)])
    hits = store.query(version, VECTORS[1], using="cnn", limit=50, query_filter=both)
    assert {(hit.payload or {})["label"] for hit in hits} == {"class 0", "class 2"}
    assert IDS[1] not in [hit.id for hit in hits]


def test_a_threshold_leaves_out_what_is_further_away(store: Store, version: str) -> None:
    expected = {IDS[i] for i in np.flatnonzero(cosine(VECTORS[7]) >= 0.2)}
    hits = store.query(version, VECTORS[7], using="cnn", limit=N, params=EXACT, score_threshold=0.2)
    assert {hit.id for hit in hits} == expected and 1 < len(expected) < 50


def test_vectors_come_with_hits_where_asked(store: Store, version: str) -> None:
    (hit,) = store.query(version, CODES[3], using="cnn_code", limit=1, with_vectors=["cnn_code"])
    assert np.array_equal(hit.vector["cnn_code"], CODES[3])  # type: ignore[index,call-overload]
    assert not store.query(version, CODES[3], using="cnn_code", limit=1)[0].vector


def test_best_score_is_near_a_like_and_nearer_to_it_than_to_a_dislike(store: Store, version: str) -> None:
    likes, dislikes = [VECTORS[1], VECTORS[2]], [VECTORS[3]]
    given = models.RecommendInput(
        positive=[v.tolist() for v in likes],
        negative=[v.tolist() for v in dislikes],
        strategy=models.RecommendStrategy.BEST_SCORE,
    )
    hits = store.query(version, models.RecommendQuery(recommend=given), using="cnn", limit=10, params=EXACT)
    nearest_like = np.maximum(*(cosine(v) for v in likes))
    liked = np.where(nearest_like > cosine(dislikes[0]), nearest_like, -2)
    expected = [IDS[i] for i in np.argsort(-liked)[:10]]
    assert {hit.id for hit in hits[:2]} == set(expected[:2]) == {IDS[1], IDS[2]}  # as near as each other
    assert [hit.id for hit in hits[2:]] == expected[2:]


def test_diversity_takes_from_further_away(store: Store, version: str) -> None:
    def spread(diversity: float) -> tuple[list[str], float]:
        mmr = models.Mmr(diversity=diversity, candidates_limit=100)
        query = models.NearestQuery(nearest=VECTORS[7].tolist(), mmr=mmr)
        hits = store.query(version, query, using="cnn", limit=10, params=EXACT)
        rows = np.array([VECTORS[IDS.index(str(hit.id))] for hit in hits])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return [str(hit.id) for hit in hits], float((rows @ rows.T).mean())

    plain = [hit.id for hit in store.query(version, VECTORS[7], using="cnn", limit=10, params=EXACT)]
    near, near_spread = spread(0.0)
    far, far_spread = spread(0.8)
    assert near == plain
    assert far[0] == IDS[7] and far_spread < near_spread - 0.05


def test_facets_count_every_value(store: Store, version: str) -> None:
    assert sorted(store.facet(version, "label", 10)) == [("class 0", 100), ("class 1", 100), ("class 2", 100)]


def test_retrieve_leaves_out_unknown_ids(store: Store, version: str) -> None:
    found = store.retrieve(version, [IDS[0], str(uuid.uuid4())], with_vectors=["cnn"])
    assert [record.id for record in found] == [IDS[0]]
    unit = VECTORS[0] / np.linalg.norm(VECTORS[0])
    assert np.allclose(found[0].vector["cnn"], unit, atol=1e-5)  # type: ignore[index,call-overload]


def test_scroll_goes_by_id(store: Store, version: str) -> None:
    assert [record.id for record in store.scroll(version, 5)] == sorted(IDS)[:5]


def test_scroll_brings_the_vectors_and_fields_asked_for(store: Store, version: str) -> None:
    (record,) = store.scroll(version, 1, with_vectors=["cnn_code"], fields=["row"])
    at = IDS.index(str(record.id))
    assert record.payload == {"row": at}
    assert list(record.vector) == ["cnn_code"]  # type: ignore[arg-type]
    assert np.array_equal(record.vector["cnn_code"], CODES[at])  # type: ignore[index,call-overload]
    assert not store.scroll(version, 1, fields=[])[0].payload


def test_all_points_are_read_in_pages(store: Store, version: str) -> None:
    points = read_points(store, version, ["cnn", "cnn_code"], ["label", "absent"], page=90)
    assert points.ids == sorted(IDS)
    order = [IDS.index(point) for point in points.ids]
    assert points.vectors["cnn"].dtype == np.float32
    assert np.allclose(
        points.vectors["cnn"], VECTORS[order] / np.linalg.norm(VECTORS[order], axis=1)[:, None]
    )
    assert np.array_equal(points.vectors["cnn_code"], CODES[order])
    assert points.fields == {"label": [f"class {i % 3}" for i in order], "absent": [None] * N}
    few = read_points(store, version, ["cnn_code"], [], limit=120, page=50)
    assert few.ids == points.ids[:120] and few.vectors["cnn_code"].shape == (120, D)


def test_manifest_survives(store: Store, version: str) -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    manifest = Manifest(collection="things", filters=("label",), tensors={"cnn.matrix": matrix})
    store.write_manifest(version, manifest)
    read = store.read_manifest(version)
    assert read.model_dump() == manifest.model_dump()
    assert np.array_equal(read.tensors["cnn.matrix"], matrix)


def test_attachments_are_kept_beside_a_version_and_go_with_it(store: Store, version: str) -> None:
    assert store.attachment(version, "map.bin") is None
    store.attach(version, "map.bin", b"\x00\xff first")
    store.attach(version, "map.bin", b"\x00\xff second")
    assert store.attachment(version, "map.bin") == b"\x00\xff second"
    store.attach(version, "a.json", b"{}")
    store.write_manifest(version, Manifest(collection="things"))  # is no attachment
    assert store.attachments(version) == ["a.json", "map.bin"]
    store.drop(version)
    assert store.attachments(version) == []
    assert store.attachment(version, "map.bin") is None


def test_payload_indexes_are_those_of_the_version(store: Store) -> None:
    kinds = models.PayloadSchemaType
    indexes = {"label": kinds.KEYWORD, "row": kinds.INTEGER, "seen": kinds.BOOL, "weight": kinds.FLOAT}
    name = f"things__{uuid.uuid4().hex}"
    store.create(name, CONFIG, vector_params(CONFIG, {"cnn": D}, {}), indexes)
    assert store.payload_indexes(name) == indexes
    store.drop(name)


def test_alias_switches_and_a_live_version_cannot_be_dropped(store: Store, version: str) -> None:
    alias = version.partition("__")[0]
    store.check(alias)
    store.switch(alias, version)
    assert store.aliases()[alias] == version
    store.check(alias)
    with pytest.raises(SimileError, match="is live"):
        store.drop(version)


def test_who_has_a_manifest_is_finished(store: Store, version: str) -> None:
    assert store.finished([version, "things__nowhere"]) == set()
    store.write_manifest(version, Manifest(collection="things"))
    assert store.finished([version, "things__nowhere"]) == {version}
    store.check_whole(version)


def test_unfinished_version_says_so(store: Store, version: str) -> None:
    with pytest.raises(SimileError, match="never finished"):
        store.read_manifest(version)


def test_unreachable_server_is_one_sentence() -> None:
    with pytest.raises(SimileError, match="No Qdrant server answers"):
        open_store(url="http://127.0.0.1:9")


@pytest.mark.parametrize("live", [False, True], ids=["stand-ins", "live-cluster"])
def test_a_node_that_dies_takes_nothing_along(live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas: everything is read and written with a node down, and whole when it is back."""
    if live:
        live_server(monkeypatch)
        if "SIMILE_TEST_QDRANT_KILL" not in os.environ:
            pytest.skip("SIMILE_TEST_QDRANT_KILL names no command that kills a node")
    alias = f"things{uuid.uuid4().hex[:8]}"
    config = CONFIG.model_copy(update={"shard_number": 6, "replication_factor": 2})
    manifest = Manifest(collection="things", tensors={"cnn.matrix": np.eye(2, dtype=np.float32)})
    with killable_cluster(live) as cluster:
        store = ServerStore(cluster.url, os.environ.get("QDRANT_API_KEY"))
        first, second = f"{alias}__1", f"{alias}__2"
        try:
            fill(store, first, config)
            store.write_manifest(first, manifest)
            store.switch(alias, first)
            cluster.kill()
            assert store.read_manifest(store.aliases()[alias]).tensors.keys() == {"cnn.matrix"}
            assert len(store.query(first, VECTORS[7], using="cnn", limit=N, params=EXACT)) == N
            fill(store, second, config)
            store.attach(second, "map", b"drawn with a node down")
            store.write_manifest(second, manifest)
            store.switch(alias, second)
            cluster.revive()
            assert store.aliases()[alias] == second
            for each in (first, second):
                assert store.count(each) == N
            assert store.attachment(second, "map") == b"drawn with a node down"
        finally:
            forget(store, alias)

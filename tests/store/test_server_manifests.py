"""On a server, a version says what it is in its own metadata; what is long lies beside it."""

import base64
import json
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from qdrant_client import models
from safetensors.numpy import save

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import NotFinishedError, SimileError
from pipeline.store import Manifest
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from pipeline.store.server_attachments import ATTACHMENTS, Kept
from pipeline.store.versions import is_finished
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
VECTORS = vector_params(CONFIG, {"cnn": 2}, {})
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
MANIFEST = Manifest(collection="things", rows=3, tensors={"cnn.matrix": MATRIX})


@pytest.fixture
def server() -> Iterator[QdrantStandIn]:
    with QdrantStandIn() as started:
        yield started


@pytest.fixture
def store(server: QdrantStandIn) -> ServerStore:
    store = ServerStore(server.url, patience=5)
    store.create("things__1", CONFIG, VECTORS, {})
    return store


def made_by_0_1_0(server: QdrantStandIn, version: str) -> None:
    """A version as the first Simile left it: no metadata, and points in `simile_manifests`."""
    server.client.create_collection(version, vectors_config=VECTORS)
    server.created[version] = models.CreateCollection(vectors=VECTORS)
    server.shards.place(version, 1, 1)
    one = models.VectorParams(size=1, distance=models.Distance.DOT)
    if "simile_manifests" not in server.created:
        server.client.create_collection("simile_manifests", vectors_config=one)
        server.created["simile_manifests"] = models.CreateCollection(vectors=one)
        server.shards.place("simile_manifests", 1, 1)
    payloads = {
        version: {
            "version": version,
            "facts": json.loads(MANIFEST.to_json()),
            "tensors": base64.b64encode(save(dict(MANIFEST.tensors))).decode(),
        },
        f"{version}/map": {"version": version, "name": "map", "data": base64.b64encode(b"old map").decode()},
    }
    points = [
        models.PointStruct(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"simile-manifest/{name}")), vector=[0.0], payload=payload
        )
        for name, payload in payloads.items()
    ]
    server.client.upsert("simile_manifests", points)


def test_facts_are_the_version_s_own_metadata(server: QdrantStandIn, store: ServerStore) -> None:
    store.write_manifest("things__1", MANIFEST)
    metadata = server.client.get_collection("things__1").config.metadata
    assert metadata and metadata["simile_manifest"]["facts"]["rows"] == 3
    assert set(server.created) == {"things__1", ATTACHMENTS}


def test_whether_a_version_is_finished_downloads_no_tensors(
    server: QdrantStandIn, store: ServerStore
) -> None:
    assert not is_finished(store, "things__1")
    store.write_manifest("things__1", MANIFEST)
    asked: list[tuple[str, str]] = []
    server.fault = lambda method, path: asked.append((method, path))  # type: ignore[func-returns-value]
    assert is_finished(ServerStore(server.url), "things__1")
    assert ("GET", "/collections/things__1") in asked
    assert not [path for _, path in asked if ATTACHMENTS in path]


def test_a_version_of_the_first_simile_is_read_and_taken_along(server: QdrantStandIn) -> None:
    made_by_0_1_0(server, "things__20260101T000000000000")
    made_by_0_1_0(server, "others__20260101T000000000000")
    store, version = ServerStore(server.url, patience=5), "things__20260101T000000000000"
    read = store.read_manifest(version)
    assert read.rows == 3 and np.array_equal(read.tensors["cnn.matrix"], MATRIX)
    assert store.attachment(version, "map") == b"old map"
    assert store.attachment(version, "report") is None
    assert store.finished([version, "things__2"]) == {version}
    store.attach(version, "map", b"new map")
    store.write_manifest(version, read.model_copy(update={"rows": 4}))
    assert store.read_manifest(version).rows == 4
    assert store.attachment(version, "map") == b"new map"
    store.drop(version)
    left, _ = server.client.scroll("simile_manifests", limit=10)
    assert {(point.payload or {})["version"] for point in left} == {"others__20260101T000000000000"}
    assert server.client.count(ATTACHMENTS).count == 0


def test_a_version_that_was_never_finished_says_so(server: QdrantStandIn, store: ServerStore) -> None:
    for version in ("things__1", "things__nowhere"):
        with pytest.raises(NotFinishedError, match="was never finished"):
            store.read_manifest(version)
        assert store.attachment(version, "map") is None
    with pytest.raises(SimileError, match="has no version 'things__nowhere'"):
        store.attach("things__nowhere", "map", b"")


@pytest.mark.parametrize("length", [0, 1, 8, 9, 40])
def test_what_is_long_is_sent_in_pieces(
    length: int, store: ServerStore, server: QdrantStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.server_attachments.PIECE_BYTES", 8)
    data = bytes(range(length))
    store.attach("things__1", "map", b"\xff" * 100)
    store.attach("things__1", "map", data)
    assert store.attachment("things__1", "map") == data
    assert server.client.count(ATTACHMENTS).count == max(
        1, -(-length // 8)
    )  # none is left of what was before


def test_a_map_of_thirty_megabytes_is_kept(store: ServerStore) -> None:
    data = np.random.default_rng(1).bytes(30 * 10**6)  # 40 MB as base64, where a server takes 33.5
    store.attach("things__1", "map", data)
    assert store.attachment("things__1", "map") == data


def test_attachments_have_as_many_replicas_as_the_most_replicated_version() -> None:
    with QdrantStandIn(peers=3) as server:
        for replicas, version in ((1, "things__1"), (2, "things__2"), (1, "things__3"), (3, "things__4")):
            config = CONFIG.model_copy(update={"replication_factor": replicas})
            ServerStore(server.url, patience=5).create(version, config, VECTORS, {})
            (there,) = server.shards.placed[ATTACHMENTS]
            assert len(there) == max(replicas, {"things__3": 2}.get(version, 1))
        assert server.updated[ATTACHMENTS][-1] == {"params": {"replication_factor": 3}}


def test_ids_of_pieces_depend_on_what_is_in_them() -> None:
    one, other = Kept(bytes=1, sha256="a"), Kept(bytes=1, sha256="b")
    assert one.ids("v", "map") == one.ids("v", "map") != other.ids("v", "map")
    assert set(one.ids("v", "map")).isdisjoint(one.ids("w", "map") + one.ids("v", "report"))

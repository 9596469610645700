"""A cluster of three nodes of which one is dead: what goes on, and what is said where it cannot."""

import logging
import socket
import time
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from qdrant_client import QdrantClient

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.store import Manifest
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from tests.stand_ins.qdrant import QdrantStandIn

ONE = CollectionConfig(
    collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")], shard_number=6
)
TWO = ONE.model_copy(update={"replication_factor": 2})
VECTORS = vector_params(ONE, {"cnn": 2}, {})
IDS = [str(uuid.UUID(int=at)) for at in range(60)]
MANIFEST = Manifest(collection="things", rows=60, tensors={"cnn.matrix": np.eye(2, dtype=np.float32)})


@pytest.fixture
def cluster() -> Iterator[QdrantStandIn]:
    with QdrantStandIn(peers=3) as started:
        yield started


def fill(store: ServerStore, config: CollectionConfig, version: str = "things__1") -> None:
    store.create(version, config, VECTORS, {})
    store.upsert(version, IDS, {"cnn": np.ones((len(IDS), 2), np.float32)}, [{}] * len(IDS))
    store.attach(version, "map", b"a map")
    store.write_manifest(version, MANIFEST)
    store.switch("things", version)


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_with_two_replicas_any_node_may_die(cluster: QdrantStandIn, dead: int) -> None:
    fill(ServerStore(cluster.url, patience=5), TWO)
    cluster.kill(dead)
    store = ServerStore(cluster.url, patience=5)
    assert store.aliases() == {"things": "things__1"}
    assert store.read_manifest("things__1").tensors.keys() == {"cnn.matrix"}
    assert store.attachment("things__1", "map") == b"a map"
    assert len(store.query("things__1", np.ones(2, np.float32), using="cnn", limit=60)) == 60


@pytest.mark.parametrize("dead", [0, 2])
def test_a_version_is_made_and_goes_live_while_a_node_is_down(cluster: QdrantStandIn, dead: int) -> None:
    cluster.kill(dead)
    store = ServerStore(cluster.url, patience=5)
    store.check("things")
    fill(store, TWO)
    assert store.count("things__1") == 60
    cluster.revive(dead)
    assert store.read_manifest("things__1").rows == 60


def test_what_waits_for_a_node_has_time_for_it_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Times of a real cluster, divided by ten: ten seconds with a node down, where a request has four."""
    monkeypatch.setattr("pipeline.store.server_connection._SHORTEST_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr("pipeline.store.servers._SLOW_SECONDS", 0.2)
    with QdrantStandIn(peers=3, peer_seconds=1.2) as cluster, caplog.at_level(logging.WARNING, "simile"):
        store = ServerStore(cluster.urls[0], patience=0.5)
        cluster.kill(2)
        store.servers.change(QdrantClient.create_collection, "x", vectors_config=VECTORS)
    assert "one of its nodes may be down, for which it has 30 seconds" in caplog.text


def test_shards_without_a_replica_are_named_before_anything_is_written(cluster: QdrantStandIn) -> None:
    store = ServerStore(cluster.url, patience=0.5)
    cluster.kill(2)
    with pytest.raises(
        SimileError,
        match=r"2 of 6 shards of 'things__1' .* have no active replica \(shard \d: Initializing on peer 1003"
        r"; .*set replication_factor to 2",
    ):
        store.create("things__1", ONE, VECTORS, {})


def test_a_live_version_with_a_dead_shard_is_found_before_work_begins(cluster: QdrantStandIn) -> None:
    """The states still say that all is well: a replica is marked when a write to it fails."""
    fill(ServerStore(cluster.url, patience=5), ONE)
    cluster.kill(1)
    store = ServerStore(cluster.url, patience=0.3)
    with pytest.raises(
        SimileError, match=r"A shard of 'things__1' .* has no replica that answers; start its"
    ):
        store.check("things")
    with pytest.raises(SimileError, match="no replica that answers"):
        store.switch("things", "things__1")


def test_a_count_that_leaves_shards_out_is_no_account(cluster: QdrantStandIn) -> None:
    cluster.kill(2)
    store = ServerStore(cluster.url, patience=0.3)
    with pytest.raises(SimileError, match="have no active replica"):
        store.create("things__1", ONE, VECTORS, {})
    with pytest.raises(
        SimileError, match=r"try again when it is back: Failed to connect to http.*transport error\.$"
    ):
        store.upsert("things__1", IDS, {"cnn": np.ones((len(IDS), 2), np.float32)}, [{}] * len(IDS))
    assert store.count("things__1") == 40  # of 60, and no error: as a real server does it
    with pytest.raises(SimileError, match="have no active replica"):
        store.check_whole("things__1")
    cluster.revive(2)
    store.check_whole("things__1")


def test_requests_go_on_at_another_address_and_come_back(
    cluster: QdrantStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.servers._AWAY_SECONDS", 0.2)
    store = ServerStore(cluster.url, patience=8)
    fill(store, TWO)
    asked: list[str] = []
    cluster.kill(0)
    start = time.monotonic()
    assert store.count("things__1") == 60
    assert time.monotonic() - start < 2
    cluster.revive(0)
    time.sleep(0.3)
    store.count("things__1")
    cluster.kill(1)
    cluster.kill(2)
    cluster.fault = lambda method, path: asked.append(path)  # type: ignore[func-returns-value]
    store.aliases()
    assert asked == ["/aliases"]  # by the first address, which needed no other


def test_an_address_that_takes_connections_and_is_silent_costs_a_second(cluster: QdrantStandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]},{cluster.urls[0]}"
        store = ServerStore(cluster.urls[0] + "," + cluster.urls[1], patience=8)
        store.servers._nodes[0].url = address.split(",")[0]  # the node hangs after the store was opened
        store.servers._nodes[0].__dict__.pop("client", None)
        store.servers._nodes[0].heard = 0.0
        start = time.monotonic()
        store.aliases()
        assert time.monotonic() - start < 2


def test_a_store_opens_by_any_address_that_answers(cluster: QdrantStandIn) -> None:
    store = ServerStore(f"http://127.0.0.1:9, {cluster.urls[1]}")
    assert store.aliases() == {}
    assert store.address == f"http://127.0.0.1:9,{cluster.urls[1]}"
    with pytest.raises(
        SimileError, match=r"No Qdrant server answers at http://127.0.0.1:9,http://127.0.0.1:7"
    ):
        ServerStore("http://127.0.0.1:9,http://127.0.0.1:7")

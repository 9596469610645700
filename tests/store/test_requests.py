"""Writes to a server are cut to size, and repeated while it is busy or away."""

import itertools

import grpc
import numpy as np
import pytest

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.store import open_store
from pipeline.store.protocol import vector_params
from pipeline.store.server_requests import REQUEST_BYTES, REQUEST_POINTS, payload_bytes, request_slices
from tests.stand_ins.qdrant import Fault, QdrantStandIn
from tests.stand_ins.qdrant_grpc import GrpcFault, GrpcStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
ID = "00000000-0000-0000-0000-000000000001"


def cut(sizes: list[int]) -> list[tuple[int, int]]:
    return [(part.start, part.stop) for part in request_slices(sizes)]


def test_requests_stay_below_bytes_and_points() -> None:
    assert cut([]) == []
    assert cut([5 * 2**20, 2 * 2**20, 4 * 2**20]) == [(0, 2), (2, 3)]
    assert cut([REQUEST_BYTES * 2]) == [(0, 1)]  # one point cannot be cut
    assert cut([1] * (REQUEST_POINTS + 1)) == [(0, REQUEST_POINTS), (REQUEST_POINTS, REQUEST_POINTS + 1)]


def test_the_thumbnail_is_what_counts() -> None:
    assert payload_bytes({"_simile": {"thumbnail": "x" * 5000}}) >= 5000


@pytest.mark.parametrize("fault", ["500", "429", "later", "drop", "stall"])
def test_a_passing_fault_costs_nothing_but_time(fault: Fault) -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        faults = itertools.chain([fault, fault], itertools.repeat(None))
        server.fault = lambda method, path: next(faults) if method == "PUT" else None
        store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
        server.fault = lambda method, path: None
        assert store.count("things__1") == 1


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_what_a_job_asks_is_repeated_too(fault: Fault) -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
        for ask in (
            lambda: store.query("things__1", np.ones(2, np.float32), using="cnn", limit=1),
            lambda: store.retrieve("things__1", [ID]),
            lambda: store.scroll("things__1", 1),
        ):
            faults = itertools.chain([fault], itertools.repeat(None))
            server.fault = lambda method, path, faults=faults: next(faults)  # type: ignore[misc]
            (point,) = ask()
            assert point.id == ID


def test_who_waits_for_an_answer_waits_no_longer_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn() as server:
        assert open_store(url=server.url).patience == 120
        assert open_store(url=server.url, patience=8).patience == 8
        monkeypatch.setenv("SIMILE_STORE_PATIENCE", "3")
        assert open_store(url=server.url, patience=8).patience == 3


def test_a_store_that_stays_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "1")
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        server.fault = lambda method, path: "500" if method == "PUT" else None
        with pytest.raises(SimileError, match=r"answered 500 for 1 s; try again when it is back"):
            store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_whatever_is_asked_of_a_server_that_is_away_is_one_sentence(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMILE_STORE_PATIENCE", "0.1")
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        server.fault = lambda method, path: fault
        vector = np.ones(2, np.float32)
        for ask in (
            store.aliases,
            lambda: store.versions("things"),
            lambda: store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {}),
            lambda: store.count("things__1"),
            lambda: store.read_manifest("things__1"),
            lambda: store.attach("things__1", "a", b""),
            lambda: store.query("things__1", vector, using="cnn", limit=1),
            lambda: store.retrieve("things__1", [ID]),
            lambda: store.scroll("things__1", 1),
            lambda: store.facet("things__1", "label", 1),
            lambda: store.delete("things__1", [ID]),
            lambda: store.switch("things", "things__1"),
            lambda: store.drop("things__1"),
        ):
            with pytest.raises(SimileError, match=r"The Qdrant server at .* (answered 500|did not answer)"):
                ask()


def test_a_key_that_may_only_read_is_one_sentence() -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        server.fault = lambda method, path: "403" if method != "GET" else None
        with pytest.raises(SimileError, match=r"refuses this key \(403\); set QDRANT_API_KEY to one"):
            store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})


def test_shards_and_replicas_go_over_the_wire() -> None:
    config = CONFIG.model_copy(update={"shard_number": 3, "replication_factor": 2})
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", config, vector_params(config, {"cnn": 2}, {}), {})
        assert server.created["things__1"].shard_number == 3
        assert server.created["things__1"].replication_factor == 2


def test_a_wrong_request_is_not_repeated() -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        seen: list[str] = []
        server.fault = lambda method, path: seen.append(path)  # type: ignore[func-returns-value]
        with pytest.raises(Exception, match="404"):
            store.delete("things__nowhere", [ID])
        assert len(seen) == 1


def test_points_go_by_grpc_where_a_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn(api_key="secret") as server, GrpcStandIn(server) as fast:
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(fast.port))
        monkeypatch.setenv("QDRANT_API_KEY", "secret")
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        away = itertools.chain([GrpcFault(grpc.StatusCode.UNAVAILABLE)], itertools.repeat(None))
        fast.fault = lambda: next(away)
        payload = {"label": "cat", "_simile": {"places": ["a:0"], "width": 3, "thumbnail": "x" * 5_000_000}}
        store.upsert("things__1", [ID], {"cnn": np.array([[0.6, 0.8]], np.float32)}, [payload])
        assert fast.written == 1
        (kept,) = store.retrieve("things__1", [ID], with_vectors=["cnn"])
        assert kept.payload == payload
        assert kept.vector["cnn"] == pytest.approx([0.6, 0.8])
        server.api_key = "another"
        with pytest.raises(SimileError, match=r"refuses this key \(UNAUTHENTICATED\); set QDRANT_API_KEY"):
            store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])


@pytest.mark.parametrize("turned_off", [False, True])
def test_grpc_is_used_where_it_answers_at_qdrant_s_own_ports(
    turned_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QdrantStandIn() as server, GrpcStandIn(server) as fast:
        rest_port = int(server.url.rsplit(":", 1)[1])
        monkeypatch.setattr("pipeline.store.server_connection.REST_PORT", rest_port)
        monkeypatch.setattr("pipeline.store.server_connection.GRPC_PORT", fast.port)
        if turned_off:
            monkeypatch.setenv("QDRANT_GRPC_PORT", "0")
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
        assert store.count("things__1") == 1
        assert fast.written == (0 if turned_off else 1)


def test_rest_is_used_where_nobody_answers_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    with QdrantStandIn() as server:
        rest_port = int(server.url.rsplit(":", 1)[1])
        monkeypatch.setattr("pipeline.store.server_connection.REST_PORT", rest_port)
        monkeypatch.setattr("pipeline.store.server_connection.GRPC_PORT", 9)
        store = open_store(url=server.url)
        store.create("things__1", CONFIG, vector_params(CONFIG, {"cnn": 2}, {}), {})
        store.upsert("things__1", [ID], {"cnn": np.ones((1, 2), np.float32)}, [{}])
        assert store.count("things__1") == 1


@pytest.mark.parametrize(("shards", "writers"), [(1, 4), (6, 12), (40, 32)])
def test_writers_follow_the_shards(shards: int, writers: int) -> None:
    config = CONFIG.model_copy(update={"shard_number": shards})
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        store.create("things__1", config, vector_params(config, {"cnn": 2}, {}), {})
        assert store.writers("things__1") == writers


@pytest.mark.parametrize(
    "port, sentence",
    [("1", "No server answers gRPC at 127.0.0.1:1; set QDRANT_GRPC_PORT"), ("x", "must be a number")],
)
def test_a_wrong_grpc_port_is_one_sentence(port: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_GRPC_PORT", port)
    monkeypatch.setattr("pipeline.store.server_connection.CONNECT_SECONDS", 1.0)
    with QdrantStandIn() as server, pytest.raises(SimileError, match=sentence):
        open_store(url=server.url)

"""A request whose answer is lost was carried out or was not; to repeat it does no harm, whichever it is."""

import itertools
import uuid
from collections.abc import Callable
from typing import NamedTuple

import grpc
import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.store import Manifest
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from tests.stand_ins.qdrant import Fault, QdrantStandIn
from tests.stand_ins.qdrant_grpc import GrpcFault, GrpcStandIn

CONFIG = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
VECTORS = vector_params(CONFIG, {"cnn": 2}, {})
IDS = [str(uuid.UUID(int=at + 1)) for at in range(3)]
MANIFEST = Manifest(collection="things", rows=3, tensors={"cnn.matrix": np.eye(2, dtype=np.float32)})
KEYWORD = {"label": models.PayloadSchemaType.KEYWORD}


class Request(NamedTuple):
    """An operation, the one request of it that meets the fault, and whether it did what it says."""

    method: str
    path: str
    act: Callable[[ServerStore], object]
    done: Callable[[ServerStore, QdrantStandIn], bool]


def create(store: ServerStore, name: str = "things__2") -> None:
    store.create(name, CONFIG, VECTORS, KEYWORD)


def upsert(store: ServerStore, version: str = "things__1") -> None:
    vectors = {"cnn": np.ones((len(IDS), 2), np.float32)}
    store.upsert(version, IDS, vectors, [{"label": "a"}] * len(IDS))


REQUESTS = {
    "create": Request("PUT", "things__2", create, lambda store, server: "things__2" in server.created),
    "payload index": Request(
        "PUT",
        "things__2/index",
        create,
        lambda store, server: set(store.payload_indexes("things__2")) == {"label"},
    ),
    "attachments": Request(
        "PUT", "simile_attachments", create, lambda store, server: "simile_attachments" in server.created
    ),
    "upsert": Request("PUT", "things__1/points", upsert, lambda store, server: store.count("things__1") == 3),
    "delete": Request(
        "POST", "things__1/points/delete",
        lambda store: store.delete("things__1", IDS[:2]), lambda store, server: store.count("things__1") <= 1,
    ),
    "graphs": Request(
        "PATCH", "things__1",
        lambda store: (store.set_graphs("things__1", CONFIG, VECTORS), store.finish("things__1")),
        lambda store, server: "vectors" in server.updated["things__1"][-1],
    ),
    "finish": Request(
        "PATCH", "things__1",
        lambda store: store.finish("things__1"),
        lambda store, server: "optimizers_config" in server.updated["things__1"][-1],
    ),
    "manifest": Request(
        "PATCH", "things__1",
        lambda store: store.write_manifest("things__1", MANIFEST),
        lambda store, server: store.read_manifest("things__1").rows == 3,
    ),
    "tensors": Request(
        "PUT", "simile_attachments/points",
        lambda store: store.write_manifest("things__1", MANIFEST),
        lambda store, server: list(store.read_manifest("things__1").tensors) == ["cnn.matrix"],
    ),
    "attach": Request(
        "PUT", "simile_attachments/points",
        lambda store: store.attach("things__1", "map", b"new"),
        lambda store, server: store.attachment("things__1", "map") == b"new",
    ),
    "attach anew": Request(
        "POST", "simile_attachments/points/delete",
        lambda store: (store.attach("things__1", "map", b"old"), store.attach("things__1", "map", b"new")),
        lambda store, server: store.attachment("things__1", "map") == b"new"
        and server.client.count("simile_attachments").count == 1,
    ),
    "alias": Request(
        "POST", "aliases",
        lambda store: store.switch("things", "things__1"),
        lambda store, server: server.aliases == {"things": "things__1"},
    ),
    "drop": Request(
        "DELETE", "things__1",
        lambda store: store.drop("things__1"), lambda store, server: "things__1" not in server.created,
    ),
}  # fmt: skip
FAULTS: list[Fault] = ["done drop", "done 408", "done 500", "done 504", "408", "504", "late", "twice"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_lost_answer_costs_nothing_but_time(
    name: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.store.servers._FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr("tests.stand_ins.qdrant.LATE_SECONDS", 0.05)
    request = REQUESTS[name]
    with QdrantStandIn() as server:
        store = ServerStore(server.url, patience=20)
        create(store, "things__1")
        if name == "attachments":
            server.client.delete_collection("simile_attachments")
            del server.created["simile_attachments"]
            store = ServerStore(server.url, patience=20)
        faults = itertools.chain([fault], itertools.repeat(None))
        met: list[str] = []

        def once(method: str, path: str) -> Fault | None:
            if (method, path) != (request.method, f"/collections/{request.path}"):
                return None
            met.append(path)
            return next(faults)

        server.fault = once
        request.act(store)
        assert met
        assert request.done(store, server)


def test_a_collection_of_this_name_with_other_vectors_is_one_sentence() -> None:
    with QdrantStandIn() as server:
        store = ServerStore(server.url)
        create(store)
        create(store)  # the same, by another job
        other = vector_params(CONFIG, {"cnn": 3}, {})
        with pytest.raises(SimileError, match="has a collection 'things__2' with other vectors"):
            store.create("things__2", CONFIG, other, {})


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("done", [True, False])
def test_points_that_go_by_grpc_are_repeated(
    code: grpc.StatusCode, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with QdrantStandIn() as server, GrpcStandIn(server) as fast:
        monkeypatch.setenv("QDRANT_GRPC_PORT", str(fast.port))
        store = ServerStore(server.url, patience=20)
        create(store, "things__1")
        reason = "2 out of 6 shards failed to apply operation. First error captured: transport error"
        faults = itertools.chain([GrpcFault(code, reason, done)], itertools.repeat(None))
        fast.fault = lambda: next(faults)
        upsert(store)
        assert store.count("things__1") == 3


@pytest.mark.parametrize("fault", ["done drop", "done 500", "408", "late", "twice"])
def test_a_lost_answer_to_a_further_replica(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.servers._FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr("tests.stand_ins.qdrant.LATE_SECONDS", 0.05)
    with QdrantStandIn(peers=3) as server:
        create(ServerStore(server.urls[0]), "things__1")
        faults = itertools.chain([fault], itertools.repeat(None))
        server.fault = lambda method, path: (
            next(faults) if (method, path[-8:]) == ("POST", "/cluster") else None
        )
        config = CONFIG.model_copy(update={"replication_factor": 2})
        ServerStore(server.urls[0], patience=20).create("things__2", config, VECTORS, {})
        (there,) = server.shards.placed["simile_attachments"]
        assert len(there) == 2

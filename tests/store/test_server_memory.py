"""What a server says of memory, in whatever form: found where it is told, unknown where it is not."""

from typing import Any

import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.store.protocol import Resident, vector_params
from pipeline.store.server import ServerStore
from pipeline.store.server_memory import payload_index_bytes, resident_bytes
from tests.stand_ins.qdrant import QdrantStandIn

PART = {
    "storage": {"ram_bytes": 7, "disk_bytes": 1000},
    "quantized": {"ram_bytes": 36, "disk_bytes": 36},
    "index": {"ram_bytes": 1, "cache_bytes": 77, "disk_bytes": 77},
}
FIELDS = {"label": {"ram_bytes": 14}, "year": {"ram_bytes": 59, "disk_bytes": 9}}


@pytest.mark.parametrize(
    "told",
    [
        {"result": {"vectors": {"cnn": PART}, "payload_indexes": FIELDS}},
        {
            "segments": {
                "vectors": [{"name": "cnn", **PART}],
                "payload": {"ram_bytes": 5},
                "payload_index": [{"field": name, **size} for name, size in FIELDS.items()],
            }
        },
    ],
)
def test_codes_graphs_and_payload_indexes_are_found(told: Any) -> None:
    assert resident_bytes(told, ["cnn"]) == {"cnn": Resident(codes=36, links=78)}
    assert payload_index_bytes(told, ["label", "year"]) == 73


@pytest.mark.parametrize("told", [None, {}, [], "x", {"vectors": {"other": PART}}, {"vectors": {"cnn": {}}}])
def test_what_is_not_told_is_unknown(told: Any) -> None:
    assert resident_bytes(told, ["cnn"]) is None
    assert payload_index_bytes(told, ["label"]) is None


def test_no_fields_take_nothing() -> None:
    assert payload_index_bytes(None, []) == 0


def test_a_store_asks_its_server() -> None:
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    with QdrantStandIn(peers=2) as server:
        store = ServerStore(server.url, patience=1)
        label = {"label": models.PayloadSchemaType.KEYWORD}
        for version, shards in (("things__1", 1), ("things__2", 2)):
            shared = config.model_copy(update={"shard_number": shards})
            store.create(version, shared, vector_params(config, {"cnn": 2}, {}), label)
        assert store.resident_bytes("things__1") is store.payload_index_bytes("things__1") is None
        server.memory = {"vectors": {"cnn": PART}, "payload_indexes": FIELDS}
        assert store.resident_bytes("things__1") == {"cnn": Resident(codes=36, links=78)}
        assert store.payload_index_bytes("things__1") == 14
        assert store.resident_bytes("things__2") is None  # a node tells only of its own shards

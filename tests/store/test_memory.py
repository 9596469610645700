"""Where each part of a version is kept: what the embedded engine and a server are told."""

import itertools
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qdrant_edge as edge
from pydantic import ValidationError
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig, MemoryConfig, QuantizationConfig, SearchConfig
from pipeline.index_quality.recall import resident_of
from pipeline.indexing.live import settings_key
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.embedded_translation import shard_config
from pipeline.store.manifest import EncoderEntry
from pipeline.store.protocol import vector_params
from pipeline.store.server import ServerStore
from tests.stand_ins.qdrant import QdrantStandIn

N, D = 2600, 100  # 1.04 MB of floats: enough for the engine to build a graph and codes
VECTORS = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)
IDS = [str(uuid.UUID(int=at)) for at in range(N)]
INDEXES = {
    "year": models.PayloadSchemaType.INTEGER,
    "label": models.PayloadSchemaType.KEYWORD,
    "open": models.PayloadSchemaType.BOOL,
    "size": models.PayloadSchemaType.FLOAT,
    "taken": models.PayloadSchemaType.DATETIME,
}
ALL_COLD = {"vectors": "cold", "codes": "cold", "graph": "cold", "payload_indexes": "cold"}


def config_of(memory: dict[str, Any] | None = None, kind: str = "binary") -> CollectionConfig:
    return CollectionConfig(
        collection="things",
        source="x",
        encoders=[EncoderConfig(name="e:cnn")],
        quantization=QuantizationConfig(kind=kind),  # type: ignore[arg-type]
        memory=MemoryConfig(**(memory or {})),
    )


@pytest.mark.parametrize("kind", ["binary", "turbo", "scalar", "product", "none"])
@pytest.mark.parametrize("tier", ["cold", "cached", "pinned"])
def test_a_version_is_searched_alike_whatever_is_in_ram(tmp_path: Path, tier: str, kind: str) -> None:
    config = config_of({"codes": tier, "graph": tier, "payload_indexes": tier}, kind)
    store = EmbeddedStore(tmp_path)
    store.create("v", config, vector_params(config, {"cnn": D}, {"cnn_code": D}), INDEXES)
    rows = {"cnn": VECTORS, "cnn_code": np.sign(VECTORS)}
    store.upsert("v", IDS, rows, [{"year": at, "label": "a"} for at in range(N)])
    store.finish("v")
    assert store.payload_indexes("v") == INDEXES
    params = SearchConfig(oversampling=20, hnsw_ef=256).to_qdrant(1)
    only = models.Filter(must=[models.FieldCondition(key="year", range=models.Range(gte=10))])
    hits = [store.query("v", VECTORS[at], using="cnn", limit=1, params=params)[0].id for at in range(10)]
    assert hits == IDS[:10]
    assert store.count("v", only) == N - 10
    entry = EncoderEntry(name="e:cnn", vector="cnn", code="cnn_code", prepared_dimension=D, code_bits=D)
    size = resident_of(store, "v", entry, config)
    assert (size.total == 0) == (tier == "cold")


def test_the_engine_is_told_each_tier() -> None:
    config = config_of({"vectors": "cached", "codes": "cold", "graph": "pinned", "payload": "cached"})
    told = shard_config(vector_params(config, {"cnn": D}, {"cnn_code": D}), config)
    assert told.payload_memory == edge.Memory.Cached
    for params in (told.vectors or {}).values():
        assert params.memory == edge.Memory.Cached
        assert params.hnsw_config is not None
        assert params.hnsw_config.memory == edge.Memory.Pinned
        assert params.quantization_config is not None
        assert params.quantization_config.memory == edge.Memory.Cold


@pytest.mark.parametrize(("kind", "kept"), [("binary", "cold"), ("none", "cached")])
def test_originals_are_in_the_page_cache_where_every_search_compares_them(kind: str, kept: str) -> None:
    params = vector_params(config_of(kind=kind), {"cnn": D}, {"cnn_code": D})
    assert params["cnn"].memory == kept
    assert params["cnn"].on_disk == (kept == "cold")
    assert params["cnn_code"].memory == "cold"


def test_a_server_is_told_each_tier() -> None:
    config = config_of({"codes": "cached", "graph": "cold", "payload": "cached", "payload_indexes": "cold"})
    with QdrantStandIn() as server:
        store = ServerStore(server.url, patience=2.0)
        store.create("things__1", config, vector_params(config, {"cnn": D}, {"cnn_code": D}), INDEXES)
        assert store.payload_indexes("things__1") == INDEXES
        made = server.created["things__1"]
        told = [index["params"] for index in server.indexes["things__1"].values()]
    assert [(index["memory"], index["on_disk"]) for index in told] == [("cold", True)] * len(INDEXES)
    assert (made.payload and made.payload.memory, made.on_disk_payload) == ("cached", False)
    assert isinstance(made.vectors, dict)
    for params in made.vectors.values():
        assert params.hnsw_config is not None
        assert (params.hnsw_config.memory, params.hnsw_config.on_disk) == ("cold", True)
        assert isinstance(params.quantization_config, models.BinaryQuantization)
        binary = params.quantization_config.binary
        assert (binary.memory, binary.always_ram) == ("cached", False)


def test_only_tiers_that_qdrant_has_are_taken() -> None:
    for part, tier in itertools.product(("vectors", "payload"), ("pinned",)):
        with pytest.raises(ValidationError, match="'cold' or 'cached'"):
            MemoryConfig.model_validate({part: tier})


def test_a_change_of_tiers_makes_another_version_and_the_default_does_not() -> None:
    before = config_of().model_dump()
    del before["memory"]
    assert settings_key(CollectionConfig.model_validate(before), {}) == settings_key(config_of(), {})
    assert settings_key(config_of(ALL_COLD), {}) != settings_key(config_of(), {})

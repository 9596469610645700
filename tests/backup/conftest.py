"""A small collection with all that a point can hold, on both stores; made without a network or Ray."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig, QuantizationConfig
from pipeline.images.palette import COLOUR_METHOD, COLOUR_VECTOR, palette_histogram
from pipeline.map.map_file import MAP
from pipeline.projection import Projection
from pipeline.report import REPORT
from pipeline.store import Manifest, Store, open_store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.protocol import vector_params
from tests.stand_ins.qdrant import QdrantStandIn

N, D = 23, 32
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(i))) for i in range(N)]
CONFIG = CollectionConfig(
    collection="things",
    source="x",
    encoders=[EncoderConfig(name="e:v", vector="v")],
    quantization=QuantizationConfig(kind="turbo"),
    hnsw=HnswConfig(m=8),
)
INDEXES = {"artist": models.PayloadSchemaType.KEYWORD, "year": models.PayloadSchemaType.INTEGER}
ATTACHMENTS = {MAP: b"\x00\xff map", REPORT: b"<p>report", "build.json": b"of the job that built it"}
KINDS = ("embedded", "server")


def payload(i: int) -> dict[str, Any]:
    """All that JSON can hold."""
    strange = {"float": 1.0, "tiny": 5e-324, "large": 2**60 + i, "none": None, "yes": True, "é\n": "\0😀"}
    own = {"places": [f"a:{i}"], "thumbnail": "AAAA", "strange": strange, "list": [None, 1, [{}]]}
    return {"artist": f"artist {i % 3}", "year": 1900 + i % 2, "_simile": own}


def fill(store: Store, version: str = "things__1", points: int = N) -> Store:
    vectors = np.random.default_rng(1).normal(size=(N, D)).astype(np.float32)[:points]
    codes = Projection.codes(vectors)
    store.create(
        version, CONFIG, vector_params(CONFIG, {"v": D}, {"v_code": D}, points, colours=True), INDEXES
    )
    if points:
        payloads = [payload(i) for i in range(points)]
        colours = {COLOUR_VECTOR: np.stack([palette_histogram([f"#{i:02x}80ff"]) for i in range(points)])}
        store.upsert(version, IDS[:points], {"v": vectors, "v_code": codes} | colours, payloads)
    store.finish(version)
    for name, data in ATTACHMENTS.items():
        store.attach(version, name, data)
    manifest = Manifest(
        collection="things",
        title="Things",
        filters=tuple(INDEXES),
        encoders=(EncoderEntry(name="e:v", vector="v", code="v_code"),),
        source_key="the source",
        quantization=CONFIG.quantization,
        hnsw=CONFIG.hnsw,
        rows=points,
        colours=COLOUR_METHOD,
        tensors={"v.matrix": np.eye(D, dtype=np.float32), "v.offset": np.zeros(D, np.float32)},
    )
    store.write_manifest(version, manifest)
    store.switch("things", version)
    return store


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[dict[str, Store]]:
    """A filled store and an empty one of each kind."""
    with ExitStack() as open_:
        made: dict[str, Store] = {}
        for name in ("filled", "empty"):
            made[f"{name} embedded"] = open_store(home=str(tmp_path / name))
            made[f"{name} server"] = open_store(url=open_.enter_context(QdrantStandIn()).url)
        yield made


@pytest.fixture
def embedded(tmp_path: Path) -> Store:
    return fill(open_store(home=str(tmp_path / "home")))

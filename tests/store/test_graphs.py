"""Few points are compared one by one; a version that outgrows that gets its graphs."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CollectionConfig, EncoderConfig, HnswConfig, SearchConfig
from pipeline.projection import Projection
from pipeline.store import Store, open_store
from pipeline.store.protocol import vector_params
from tests.stand_ins.qdrant import QdrantStandIn

D = 128  # 512 bytes a vector, 256 a code
CONFIG = CollectionConfig(
    collection="things",
    source="x",
    encoders=[EncoderConfig(name="e:cnn")],
    hnsw=HnswConfig(full_scan_kb=1500, codes_from=5000),
)
VECTORS = np.random.default_rng(3).normal(size=(6000, D)).astype(np.float32)
IDS = [str(uuid.UUID(int=i)) for i in range(len(VECTORS))]


@pytest.mark.parametrize(
    ("points", "vectors", "codes"),
    [(3000, 0, 0), (3001, 16, 0), (4999, 16, 0), (5000, 16, 16), (None, 16, 16)],
)
def test_a_graph_is_for_more_than_what_is_scanned(points: int | None, vectors: int, codes: int) -> None:
    params = vector_params(CONFIG, {"cnn": D}, {"cnn_code": D}, points)
    edges = {name: of.hnsw_config.m for name, of in params.items() if of.hnsw_config}
    assert edges == {"cnn": vectors, "cnn_code": codes}


def write(store: Store, version: str, rows: slice) -> None:
    vectors = {"cnn": VECTORS[rows], "cnn_code": Projection.codes(VECTORS[rows])}
    store.upsert(version, IDS[rows], vectors, [{}] * len(IDS[rows]))
    store.finish(version)


def test_the_engine_builds_the_graphs_of_a_copy_that_has_grown(tmp_path: Path) -> None:
    store = open_store(home=str(tmp_path))
    few, many = (vector_params(CONFIG, {"cnn": D}, {"cnn_code": D}, points) for points in (2400, 6000))
    store.create("things__1", CONFIG, few, {})
    write(store, "things__1", slice(0, 2400))
    store.copy("things__1", "things__2")
    store.set_graphs("things__2", CONFIG, many)
    write(store, "things__2", slice(2400, 6000))
    before, after = (store.resident_bytes(version) or {} for version in ("things__1", "things__2"))
    graph = CONFIG.hnsw.link_bytes(6000)
    for name in ("cnn", "cnn_code"):
        assert before[name].links < 0.2 * 2400 * graph  # who is there, and no link
        assert 0.5 * 6000 * graph < after[name].links
        assert after[name].codes / 6000 == before[name].codes / 2400 > 0
    params = SearchConfig(hnsw_ef=512, oversampling=8).to_qdrant(1)
    for row in (0, 2399, 2400, 5999):
        assert store.query("things__2", VECTORS[row], using="cnn", limit=1, params=params)[0].id == IDS[row]


def test_a_server_is_told_of_the_graphs() -> None:
    with QdrantStandIn() as server:
        store = open_store(url=server.url)
        few, many = (vector_params(CONFIG, {"cnn": D}, {"cnn_code": D}, points) for points in (2400, 6000))
        store.create("things__1", CONFIG, few, {})
        store.set_graphs("things__1", CONFIG, many)
        assert "things__1" not in server.updated  # it would build now, and again with the additions
        store.finish("things__1")
        (told,) = server.updated["things__1"]
        graph = {
            "m": 16,
            "ef_construct": 128,
            "full_scan_threshold": 750,
            "memory": "cached",
            "on_disk": False,
        }
        assert told["vectors"] == {"cnn": {"hnsw_config": graph}, "cnn_code": {"hnsw_config": graph}}
        assert told["optimizers_config"] == {"indexing_threshold": 750, "default_segment_number": 2}

"""Every kind of quantization in the real engine: it answers, and takes the bytes it is said to take."""

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig, QuantizationConfig, SearchConfig
from pipeline.projection import Projection
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params
from pipeline.vectors import hamming_distances

N, D = 2600, 100  # 1.04 MB of floats: enough for the engine to build a graph and codes
IDS = [str(uuid.UUID(int=i)) for i in range(N)]
VECTORS = np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)


@pytest.mark.parametrize(
    ("settings", "code_bytes"),
    [
        ({"kind": "binary"}, 16),  # 100 bits in one word of 128
        ({"kind": "binary", "bits": 1.5}, 32),
        ({"kind": "binary", "bits": 2, "query_bits": 4}, 32),
        ({"kind": "scalar"}, 116),
        ({"kind": "turbo", "bits": 1}, 21),
        ({"kind": "turbo", "bits": 4}, 58),
        ({"kind": "product", "compression": "x64"}, 7),
        ({"kind": "none"}, 400),
    ],
)
def test_kinds(tmp_path: Path, settings: dict[str, Any], code_bytes: int) -> None:
    config = CollectionConfig(
        collection="things",
        source="x",
        encoders=[EncoderConfig(name="e:cnn")],
        quantization=QuantizationConfig(**settings),
    )
    store = EmbeddedStore(tmp_path)
    store.create("v", config, vector_params(config, {"cnn": D}, {}), {})
    store.upsert("v", IDS, {"cnn": VECTORS}, [{}] * N)
    store.finish("v")
    params = SearchConfig(oversampling=20, hnsw_ef=256).to_qdrant(10)
    found = [store.query("v", VECTORS[i], using="cnn", limit=10, params=params) for i in range(20)]
    assert [hits[0].id for hits in found] == IDS[:20]
    assert np.allclose([hits[0].score for hits in found], 1, atol=1e-5)  # rescored with the originals
    resident = (store.resident_bytes("v") or {})["cnn"]
    assert config.quantization.code_bytes(D) == code_bytes
    assert resident.codes == (0 if config.quantization.kind == "none" else N * code_bytes)
    assert 0.7 < resident.links / (N * config.hnsw.link_bytes(N)) < 1.1


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("bits", [48, 100, 512])
def test_hamming_distances_of_quantized_codes_are_those_of_numpy(
    tmp_path: Path, bits: int, graph: bool
) -> None:
    """Widths that fill no word of the engine, too; and enough points (1 MB) for a graph and codes."""
    n = 540_000 // bits
    ids = [str(uuid.UUID(int=i)) for i in range(n)]
    codes = Projection.codes(np.random.default_rng(bits).normal(size=(n, bits)))
    config = CollectionConfig(collection="things", source="x", encoders=[EncoderConfig(name="e:cnn")])
    store = EmbeddedStore(tmp_path)
    store.create("v", config, vector_params(config, {}, {"cnn_code": bits}, None if graph else n), {})
    store.upsert("v", ids, {"cnn_code": codes}, [{}] * n)
    store.finish("v")
    resident = (store.resident_bytes("v") or {})["cnn_code"]
    assert resident.codes > 0
    assert (resident.links > 32 * n) == graph
    true = hamming_distances(codes[5], codes)
    for exact in (True, False):
        for rescore in (True, False):
            quantization = models.QuantizationSearchParams(rescore=rescore)
            params = models.SearchParams(exact=exact, hnsw_ef=512, quantization=quantization)
            hits = store.query("v", codes[5], using="cnn_code", limit=50, params=params)
            found = [true[uuid.UUID(str(hit.id)).int] for hit in hits]
            assert [(bits - hit.score) / 2 for hit in hits] == found
            assert found == sorted(found)
            if exact or not graph:
                assert found == np.sort(true)[:50].tolist()

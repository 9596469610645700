"""A large version of the embedded engine is written in segments, and searched as one."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CollectionConfig, EncoderConfig, SearchConfig
from pipeline.store import embedded_translation
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params

CONFIG = CollectionConfig(
    collection="things", source="x", encoders=[EncoderConfig(name="e:cnn", vector="cnn")]
)


def test_each_so_many_points_are_a_segment_and_all_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_translation, "SEGMENT", 1000)
    vectors = np.random.default_rng(0).normal(size=(2500, 512)).astype(np.float32)
    ids = [str(uuid.UUID(int=at)) for at in range(len(vectors))]
    store = EmbeddedStore(tmp_path)
    store.create("v", CONFIG, vector_params(CONFIG, {"cnn": 512}, {}, len(ids)), {})
    for start in range(0, len(ids), 500):
        part = slice(start, start + 500)
        store.upsert("v", ids[part], {"cnn": vectors[part]}, [{}] * 500)
    store.finish("v")
    assert store.count("v") == 2500
    assert store._shard("v").info().segments_count >= 3
    exact = SearchConfig().to_qdrant(1, exact=True)
    for at in (0, 999, 1000, 2499):
        (hit,) = store.query("v", vectors[at], using="cnn", limit=1, params=exact)
        assert str(hit.id) == ids[at]

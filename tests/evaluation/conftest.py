"""A small collection of known geometry, written without a job."""

import base64
import io
import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.store import Manifest, open_store
from pipeline.store.protocol import vector_params

CLASSES, EACH, D = 4, 15, 32


def write_collection(home: Path, name: str, labelled: bool = True) -> str:
    """Four tight clusters of fifteen coloured squares; returns the name of the version."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(CLASSES), EACH)
    vectors = rng.normal(size=(CLASSES, D))[kinds] + 0.2 * rng.normal(size=(len(kinds), D))
    config = CollectionConfig(collection=name, source="x", encoders=[EncoderConfig(name="e:cnn")])
    store, version = open_store(str(home)), f"{name}__1"
    keyword = {"kind": models.PayloadSchemaType.KEYWORD} if labelled else {}
    store.create(version, config, vector_params(config, {"cnn": D}, {"cnn_code": D}), keyword)
    payloads = []
    for kind in kinds:
        buffer = io.BytesIO()
        Image.new("RGB", (40, 40), (60 * int(kind), 80, 120)).save(buffer, "WEBP")
        own = {"thumbnail": base64.b64encode(buffer.getvalue()).decode(), "thumbnail_type": "image/webp"}
        label = {"kind": f"<kind {kind}>"} if labelled else {}  # a name that must be escaped
        payloads.append(label | {RESERVED: own})
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(i))) for i in range(len(kinds))]
    store.upsert(version, ids, {"cnn": vectors, "cnn_code": Projection.codes(vectors)}, payloads)
    store.finish(version)
    facts = {
        "collection": name,
        "filters": list(keyword),
        "built": "today",
        "search": {"oversampling": 4.0, "hnsw_ef": 128},
        "encoders": [
            {
                "name": "e:cnn",
                "vector": "cnn",
                "code": "cnn_code",
                "fingerprint": "0",
                "dimension": D,
                "prepared_dimension": D,
                "embedding": "made up",
            }
        ],
    }
    tensors = {"cnn.matrix": np.eye(D, dtype=np.float32), "cnn.offset": np.zeros(D, np.float32)}
    store.write_manifest(version, Manifest(**facts, tensors=tensors))
    store.switch(name, version)
    return version


@pytest.fixture(scope="session")
def clusters_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collections `clusters` (labelled) and `plain` (not)."""
    home = tmp_path_factory.mktemp("clusters")
    write_collection(home, "clusters")
    write_collection(home, "plain", labelled=False)
    return home

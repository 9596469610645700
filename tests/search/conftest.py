"""A collection of twelve grey pictures on both stores, made without a network and without Ray."""

import base64
import io
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qdrant_client import models

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.images.palette import COLOUR_METHOD, COLOUR_VECTOR, colour_histogram
from pipeline.index_quality.calibration import calibrate
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.search import Collection, query_embedding
from pipeline.store import Manifest, Store, open_store
from pipeline.store.protocol import vector_params
from tests.stand_ins.qdrant import QdrantStandIn

CONFIG = CollectionConfig(collection="greys", source="x", encoders=[EncoderConfig(name="e:grey", vector="v")])
N, BITS = 12, 32
IDS = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"grey {i}")) for i in range(N)]


def direction(angle: float) -> np.ndarray:
    """(BITS,) float32; the cosine of two, and the bits they share, fall with the degrees between them."""
    steps = np.radians(angle) + np.linspace(0, 2 * np.pi, BITS, endpoint=False)
    return np.cos(steps).astype(np.float32)


class GreyEncoder:
    """A picture of grey g looks at angle g: 0 to 255 degrees."""

    fingerprint = "grey"
    decode_side = 8
    device = "cpu"
    description = SimpleNamespace(text=False)

    def encode(self, images: list[Image.Image]) -> np.ndarray:
        return np.stack([direction(float(np.asarray(image.convert("L")).mean())) for image in images])


def grey(level: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


def _payload(i: int) -> dict[str, Any]:
    file = io.BytesIO()
    grey(10 * i).save(file, "PNG")
    own = {"thumbnail": base64.b64encode(file.getvalue()).decode(), "thumbnail_type": "image/png"}
    return {"artist": f"artist {i % 3}", "style": "even" if i % 2 == 0 else "odd", RESERVED: own}


def fill(store: Store, *, calibrated: bool, colours: bool = True) -> str:
    """Picture i has grey level 10 · i; artists take turns by three, styles by two."""
    version = f"greys__{uuid.uuid4().hex}"
    vectors = np.stack([direction(10 * i) for i in range(N)])
    codes = Projection.codes(vectors)
    fields = dict.fromkeys(("artist", "style"), models.PayloadSchemaType.KEYWORD)
    params = vector_params(CONFIG, {"v": BITS}, {"v_code": BITS}, colours=colours)
    store.create(version, CONFIG, params, fields)
    named = {"v": vectors, "v_code": codes}
    if colours:
        named[COLOUR_VECTOR] = np.stack([colour_histogram(grey(10 * i)) for i in range(N)])
    store.upsert(version, IDS, named, [_payload(i) for i in range(N)])
    store.finish(version)
    facts = {"name": "e:grey", "vector": "v", "code": "v_code", "fingerprint": "grey"}
    facts |= {"dimension": BITS, "prepared_dimension": BITS}
    if calibrated:
        facts["calibration"] = calibrate(vectors, codes)  # type: ignore[assignment]
    manifest = {
        "collection": "greys",
        "filters": ["artist", "style"],
        "encoders": [facts],
        "search": {"oversampling": 4.0, "hnsw_ef": 128},
        "colours": COLOUR_METHOD if colours else None,
    }
    tensors = {"v.matrix": np.eye(BITS, dtype=np.float32), "v.offset": np.zeros(BITS, np.float32)}
    store.write_manifest(version, Manifest(**manifest, tensors=tensors))
    store.switch("greys", version)
    return version


@pytest.fixture(autouse=True)
def grey_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_embedding, "load_encoder", lambda name: GreyEncoder())
    query_embedding._encoders.clear()
    query_embedding._vectors.clear()


@pytest.fixture(scope="module", params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "edge":
        yield open_store(home=str(tmp_path_factory.mktemp("home")))
    elif os.environ.get("QDRANT_URL"):
        yield open_store()
    else:
        with QdrantStandIn() as server:
            yield open_store(url=server.url)


@pytest.fixture(scope="module")
def greys(store: Store) -> Collection:
    fill(store, calibrated=True)
    return Collection("greys", store)


@pytest.fixture
def uncalibrated(tmp_path: Path) -> Collection:
    store = open_store(home=str(tmp_path))
    fill(store, calibrated=False)
    return Collection("greys", store)

"""A collection of small paintings, some of them copies of others, made without a network and without Ray."""

import base64
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.duplicates.candidates import copies_of
from pipeline.fields import FieldKind
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.search import Collection, query_embedding
from pipeline.store import Manifest, open_store
from pipeline.store.protocol import vector_params

SIDE = 64  # components: 8 × 8 pixels
COPIED = {"jpeg": 0, "scaled": 1, "cropped": 2, "turned": 3, "mirrored": 4}  # kind -> number of its original
ORIGINALS = 12


def painting(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Coloured clouds: no two are alike, and neighbouring pixels are, as in a picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))


class PixelEncoder:
    """Eight by eight grey pixels, centred, with their mirror image: networks hardly tell the two apart."""

    fingerprint = "pixels"
    decode_side = 64
    device = "cpu"
    description = SimpleNamespace(text=False)

    def encode(self, images: list[Image.Image]) -> np.ndarray:
        small = [np.asarray(i.convert("L").resize((8, 8), Image.Resampling.BOX), np.float32) for i in images]
        both = (each + 0.8 * each[:, ::-1] for each in small)
        return np.stack([(each - each.mean()).ravel() for each in both])


def point(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _payload(name: str, image: Image.Image) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=80)
    own = {"thumbnail": base64.b64encode(file.getvalue()).decode(), "thumbnail_type": "image/webp"}
    own |= {"width": image.width, "height": image.height, "places": [f"{name}.jpg:0"]}
    if name == "original-11":  # the same bytes in two folders
        own["places"] = ["b/original-11.jpg:0", "a/original-11.jpg:0"]
    return {"year": 1900 + len(name), "taken": f"2024-05-{10 + len(name)}", RESERVED: own}


def pictures() -> dict[str, Image.Image]:
    """Name -> picture: twelve originals, and a copy of five of them, each of another kind."""
    found = {f"original-{number}": painting(number) for number in range(ORIGINALS)}
    for kind, number in COPIED.items():
        found[f"{kind}-{number}"] = dict(copies_of(painting(number), np.random.default_rng(number)))[kind]
    return found


@pytest.fixture(scope="module")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_embedding, "load_encoder", lambda name: PixelEncoder())
        query_embedding._encoders.clear()
        yield fill(tmp_path_factory.mktemp("home"))
    query_embedding._encoders.clear()


def fill(home: Path) -> Collection:
    config = CollectionConfig(
        collection="paintings", source="x", encoders=[EncoderConfig(name="e:p", vector="v")]
    )
    store, version = open_store(home=str(home)), "paintings__1"
    named = pictures()
    vectors = PixelEncoder().encode(list(named.values()))
    store.create(version, config, vector_params(config, {"v": SIDE}, {"v_code": SIDE}), {})
    store.upsert(
        version,
        [point(name) for name in named],
        {"v": vectors, "v_code": Projection.codes(vectors)},
        [_payload(name, image) for name, image in named.items()],
    )
    store.finish(version)
    entry = {"name": "e:p", "vector": "v", "code": "v_code", "fingerprint": "pixels"}
    entry |= {"dimension": SIDE, "prepared_dimension": SIDE}
    kinds = {"year": FieldKind("integer"), "taken": FieldKind("time")}
    tensors = {"v.matrix": np.eye(SIDE, dtype=np.float32), "v.offset": np.zeros(SIDE, np.float32)}
    manifest = {"collection": "paintings", "filters": list(kinds), "kinds": kinds, "encoders": [entry]}
    store.write_manifest(version, Manifest(**manifest, rows=len(named), tensors=tensors))
    store.switch("paintings", version)
    return Collection("paintings", store)

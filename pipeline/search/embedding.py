"""Examples -> prepared vectors and codes, with the network and projection that a version was made with."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.encoders import Encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, decode
from pipeline.projection import Projection
from pipeline.search.example import Box, Example, Picture, cropped
from pipeline.search.version import Version
from pipeline.store import Store

__all__ = ["Prepared", "embed_examples", "encoder_of", "opened", "prepare"]

_KEPT = 512  # prepared vectors of pictures seen lately: 2 MB at 512 dimensions


@dataclass(frozen=True)
class Prepared:
    """One example as it is compared.

    Attributes:
        vector: (D,) float32, not normalised.
        code: (B,) float32 of −1 and +1.
    """

    vector: np.ndarray
    code: np.ndarray


def embed_examples(
    store: Store, version: Version, facts: dict[str, Any], examples: Sequence[Example]
) -> list[Prepared]:
    """Stored pictures by their stored vectors, everything else through the network.

    Raises:
        SimileError: an id that is not there any more, words without a text tower, an unusable picture.
    """
    stored = _stored(store, version, facts, [e.id for e in examples if e.id])
    return [stored[e.id] if e.id else _embed(version, facts, e) for e in examples]


def _stored(store: Store, version: Version, facts: dict[str, Any], ids: list[str]) -> dict[str, Prepared]:
    if not ids:
        return {}
    names = [facts["vector"], facts["code"]]
    records = store.retrieve(version.name, ids, with_vectors=names)
    found = {
        str(r.id): Prepared(*(np.asarray(r.vector[name], np.float32) for name in names))  # type: ignore[index]
        for r in records
    }
    for missing in set(ids) - set(found):
        raise SimileError(
            f"'{version.facts['collection']}' has no picture '{missing}' any more; search again."
        )
    return found


def _embed(version: Version, facts: dict[str, Any], example: Example) -> Prepared:
    if example.text:
        vector = _prepare_text(version, facts, example.text)
    elif isinstance(example.picture, bytes):
        vector = _kept(version, facts, example.picture, example.box)
    else:
        assert example.picture is not None
        vector = prepare(version, facts, [example.picture], [example.box])[0]
    return Prepared(vector, Projection.codes(vector[None])[0])


def prepare(
    version: Version,
    facts: dict[str, Any],
    images: Sequence[Picture],
    boxes: Sequence[Box | None] | None = None,
) -> np.ndarray:
    """(N, D) float32, not normalised; only what is inside `boxes` counts."""
    network = encoder_of(version, facts)
    boxes = boxes or [None] * len(images)
    raw = network.encode([opened(i, network.decode_side, box) for i, box in zip(images, boxes, strict=True)])
    return version.projection(facts["vector"]).apply(raw)


def _prepare_text(version: Version, facts: dict[str, Any], text: str) -> np.ndarray:
    network = encoder_of(version, facts)
    if not getattr(network.description, "text", False):
        raise SimileError(f"'{facts['name']}' knows pictures and no words; search with a picture.")
    return version.projection(facts["vector"]).apply(network.encode_text([text]))[0]  # type: ignore[attr-defined]


def opened(image: Picture, side: int, box: Box | None = None) -> Image.Image:
    """Huge JPEGs are decoded at a reduced scale, as the index job does; a part of one keeps its pixels."""
    side = max(THUMBNAIL_SIDE, side)
    if box is not None:
        side = round(side / min(box[2] - box[0], box[3] - box[1]))
    if isinstance(image, Image.Image):
        return cropped(image, box)
    if isinstance(image, bytes):
        return cropped(decode(image, min_side=side), box)
    try:
        return cropped(decode(Path(image).read_bytes(), min_side=side), box)
    except OSError as error:
        raise SimileError(f"'{image}' cannot be read: {error.strerror}.") from error


def encoder_of(version: Version, facts: dict[str, Any]) -> Encoder:
    """The network of a version's encoder.

    Raises:
        SimileError: its weights or preprocessing are not those that the version was made with.
    """
    encoder = _loaded_encoder(facts["name"])
    if encoder.fingerprint != facts["fingerprint"]:
        name = version.facts["collection"]
        raise SimileError(
            f"'{name}' was indexed with {facts['name']} {facts['fingerprint']} and here that is "
            f"{encoder.fingerprint}; index it again, or bring back the weights it was made with."
        )
    return encoder


@lru_cache(maxsize=4)
def _loaded_encoder(name: str) -> Encoder:
    """Collections that share an encoder share its network."""
    return load_encoder(name)


_vectors: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
_vectors_lock = threading.Lock()


def _kept(version: Version, facts: dict[str, Any], data: bytes, box: Box | None) -> np.ndarray:
    """`prepare`, remembered: a visitor who turns a knob does not wait for the network again."""
    key = (version.name, facts["fingerprint"], hashlib.sha256(data).digest(), box)
    with _vectors_lock:
        if key in _vectors:
            _vectors.move_to_end(key)
            return _vectors[key]
    vector = prepare(version, facts, [data], [box])[0]
    with _vectors_lock:
        _vectors[key] = vector
        while len(_vectors) > _KEPT:
            _vectors.popitem(last=False)
    return vector

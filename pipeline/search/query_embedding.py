"""Examples -> prepared vectors and codes, with the network and projection that a version was made with."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.encoders import LOADING, Encoder, load_encoder
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, decode
from pipeline.search.query import Box, Example, Picture, cropped
from pipeline.store import Store
from pipeline.store.manifest import Version

__all__ = ["KEPT_ENCODERS", "Prepared", "embed_examples", "encoder_of", "opened", "prepare"]

KEPT_ENCODERS = 4  # networks in memory: some 100 MB each
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
        return _prepare_text(version, facts, example.text)
    if isinstance(example.picture, bytes):
        return _kept(version, facts, example.picture, example.box)
    assert example.picture is not None
    return prepare(version, facts, [example.picture], [example.box])[0]


def prepare(
    version: Version,
    facts: dict[str, Any],
    images: Sequence[Picture],
    boxes: Sequence[Box | None] | None = None,
) -> list[Prepared]:
    """One each; only what is inside `boxes` counts.

    Raises:
        SimileError: an unusable picture, or one that the network has nothing to say of.
    """
    network = encoder_of(version, facts)
    boxes = boxes or [None] * len(images)
    seen = [opened(i, network.decode_side, box) for i, box in zip(images, boxes, strict=True)]
    projection = version.projection(facts)
    vectors, codes = projection.split(_raw(network, seen, projection.hash_bits))
    return [_checked(Prepared(*each), facts) for each in zip(vectors, codes, strict=True)]


def _raw(network: Encoder, images: list[Image.Image], hash_bits: int) -> np.ndarray:
    """(N, D), or (N, D + hash bits) where the network ends in a hash head, which `encode` leaves out."""
    if not hash_bits or not images:
        return network.encode(images)
    import torch

    return np.concatenate(
        [network.encode_tensor(torch.stack([network.preprocess(image)])) for image in images]
    )


def _checked(prepared: Prepared, facts: dict[str, Any]) -> Prepared:
    if not np.isfinite(prepared.vector).all():
        raise SimileError(f"{facts['name']} gives NaN or infinity for this picture; try another one.")
    if not prepared.vector.any():
        raise SimileError(
            f"{facts['name']} gives only zeros for this picture, which are no nearer to one picture than to "
            "another; try another one."
        )
    return prepared


def _prepare_text(version: Version, facts: dict[str, Any], text: str) -> Prepared:
    network = encoder_of(version, facts)
    if not getattr(network.description, "text", False):
        raise SimileError(f"'{facts['name']}' knows pictures and no words; search with a picture.")
    projection = version.projection(facts)
    if projection.hash_bits:
        raise SimileError(f"The codes of '{facts['name']}' are learnt from pictures; search with a picture.")
    vectors, codes = projection.split(network.encode_text([text]))
    return _checked(Prepared(vectors[0], codes[0]), facts)


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


_encoders: OrderedDict[str, Encoder] = OrderedDict()
_encoders_lock = threading.Lock()


def _loaded_encoder(name: str) -> Encoder:
    """Collections that share an encoder share its network. It is loaded once, whoever asks meanwhile, and
    those that are there already answer in the meantime.
    """
    if kept := _kept_encoder(name):
        return kept
    with LOADING:
        if kept := _kept_encoder(name):
            return kept
        loaded = load_encoder(name)
        with _encoders_lock:
            _encoders[name] = loaded
            while len(_encoders) > KEPT_ENCODERS:
                _encoders.popitem(last=False)
        return loaded


def _kept_encoder(name: str) -> Encoder | None:
    with _encoders_lock:
        if name in _encoders:
            _encoders.move_to_end(name)
        return _encoders.get(name)


_vectors: OrderedDict[tuple[Any, ...], Prepared] = OrderedDict()
_vectors_lock = threading.Lock()


def _kept(version: Version, facts: dict[str, Any], data: bytes, box: Box | None) -> Prepared:
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

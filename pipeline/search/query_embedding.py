"""Examples -> prepared vectors and codes, with the network and projection that a version was made with."""

import hashlib
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache, cached
from PIL import Image

from pipeline.encoders import LOADING, Encoder, load_encoder
from pipeline.encoders.all_cores import groups_of, on_all_cores
from pipeline.errors import SimileError
from pipeline.images import THUMBNAIL_SIDE, Picture, as_rgb
from pipeline.search.label_words import label_prototype
from pipeline.search.query import Box, Example, cropped
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version

__all__ = ["KEPT_ENCODERS", "Prepared", "embed_examples", "encoder_of", "opened", "prepare"]

KEPT_ENCODERS = 4  # networks in memory: some 100 MB each
_KEPT = 512  # prepared vectors of pictures seen lately: 2 MB at 512 dimensions


@dataclass(frozen=True)
class Prepared:
    """One example as it is compared.

    Attributes:
        vector: (D,) float32, not normalised.
        code: (B,) float32 of −1 and +1.
        output: (raw D,) float32 of the network, of a picture that it has just seen; None of all else.
    """

    vector: np.ndarray
    code: np.ndarray
    output: np.ndarray | None = None


def embed_examples(
    store: Store, version: Version, entry: EncoderEntry, examples: Sequence[Example]
) -> list[Prepared]:
    """Stored pictures by their stored vectors, words by labels where there is no text tower, everything else
    through the network.

    Raises:
        SimileError: an id that is not there any more, words that say nothing here, an unusable picture.
    """
    stored = _stored(store, version, entry, [e.id for e in examples if e.id])
    return [stored[e.id] if e.id else _embed(store, version, entry, e) for e in examples]


def _stored(store: Store, version: Version, entry: EncoderEntry, ids: list[str]) -> dict[str, Prepared]:
    if not ids:
        return {}
    names = [entry.vector, entry.code]
    records = store.retrieve(version.name, ids, with_vectors=names)
    found = {
        str(r.id): Prepared(*(np.asarray(r.vector[name], np.float32) for name in names))  # type: ignore[index,call-overload]
        for r in records
    }
    for missing in set(ids) - set(found):
        raise SimileError(
            f"'{version.manifest.collection}' has no picture '{missing}' any more; search again."
        )
    return found


def _embed(store: Store, version: Version, entry: EncoderEntry, example: Example) -> Prepared:
    if example.vector is not None:
        return _prepare_vector(version, entry, np.asarray(example.vector, np.float32))
    if example.text and not entry.text:
        return Prepared(*label_prototype(store, version, entry, example.text))
    if example.text:
        return _prepare_text(version, entry, example.text)
    if isinstance(example.picture, bytes):
        return _kept(version, entry, example.picture, example.box)
    assert example.picture is not None
    return prepare(version, entry, [example.picture], [example.box])[0]


def prepare(
    version: Version,
    entry: EncoderEntry,
    images: Sequence[Picture],
    boxes: Sequence[Box | None] | None = None,
) -> list[Prepared]:
    """One each, on all cores; only what is inside `boxes` counts.

    Raises:
        SimileError: an unusable picture, or one that the network has nothing to say of.
    """
    network, projection = encoder_of(version, entry), version.manifest.projection_of(entry)

    def embedded(some: Sequence[tuple[Picture, Box | None]]) -> np.ndarray:
        seen = [opened(image, network.decode_side, box) for image, box in some]
        return _raw(network, seen, projection.hash_bits)

    given = list(zip(images, boxes or [None] * len(images), strict=True))
    raw = np.concatenate(on_all_cores(embedded, groups_of(given)))
    # All at once: products of a few rows each would have the threads of BLAS wait for one another.
    outputs = raw[:, : len(projection.matrix)]
    return [_checked(Prepared(*each), entry) for each in zip(*projection.split(raw), outputs, strict=True)]


def _prepare_vector(version: Version, entry: EncoderEntry, raw: np.ndarray) -> Prepared:
    """A vector (D,) as the encoder gives it."""
    projection = version.manifest.projection_of(entry)
    if projection.hash_bits:
        raise SimileError(
            f"The network of '{entry.name}' makes codes from pictures only; search with a picture."
        )
    expected = len(projection.matrix)
    if len(raw) != expected:
        raise SimileError(
            f"A vector of '{entry.name}' has {expected:,} numbers and this one {len(raw):,}; give one that "
            "was made like those of the collection."
        )
    vectors, codes = projection.split(raw[None])
    return _checked(Prepared(vectors[0], codes[0]), entry, "this vector")


def _raw(network: Encoder, images: list[Image.Image], hash_bits: int) -> np.ndarray:
    """(N, D), or (N, D + hash bits) where the network ends in a hash head, which `encode` leaves out."""
    return network.encode_raw(images) if hash_bits else network.encode(images)


def _checked(prepared: Prepared, entry: EncoderEntry, of: str = "this picture") -> Prepared:
    if not np.isfinite(prepared.vector).all():
        raise SimileError(f"{entry.name} gives NaN or infinity for {of}; try another one.")
    if not prepared.vector.any():
        raise SimileError(
            f"{entry.name} gives only zeros for {of}, which are no nearer to one picture than to "
            "another; try another one."
        )
    return prepared


def _prepare_text(version: Version, entry: EncoderEntry, text: str) -> Prepared:
    network = encoder_of(version, entry, for_words=True)
    if not getattr(network.description, "text", False):
        raise SimileError(f"'{entry.name}' does not understand words; search with a picture.")
    projection = version.manifest.projection_of(entry)
    if projection.hash_bits:
        raise SimileError(
            f"The network of '{entry.name}' makes codes from pictures only; search with a picture."
        )
    vectors, codes = projection.split(network.encode_text([text]))
    return _checked(Prepared(vectors[0], codes[0]), entry)


def opened(image: Picture, side: int, box: Box | None = None) -> Image.Image:
    """Huge JPEGs are decoded at a reduced scale, as the index job does; a part of one keeps its pixels."""
    side = max(THUMBNAIL_SIDE, side)
    if box is not None:
        side = round(side / min(box[2] - box[0], box[3] - box[1]))
    return cropped(as_rgb(image, min_side=side), box)


def encoder_of(version: Version, entry: EncoderEntry, *, for_words: bool = False) -> Encoder:
    """The network of a version's encoder.

    Args:
        for_words: it is to embed words, which are not prepared as pictures are.

    Raises:
        SimileError: its weights or preprocessing are not those that the version was made with.
    """
    encoder, name = _loaded_encoder(entry.name), version.manifest.collection
    if encoder.fingerprint == entry.fingerprint:
        return encoder
    if encoder.description.is_prepared_differently(entry.fingerprint):
        if for_words:
            return encoder
        raise SimileError(
            f"'{name}' was indexed by an older version of Simile, which prepared pictures in another way, so "
            "a new picture cannot be compared with its pictures; index it again. Searching with one of its "
            "own pictures works as before."
        )
    raise SimileError(
        f"'{name}' was indexed with {entry.name} {entry.fingerprint}, but the fingerprint here is "
        f"{encoder.fingerprint}; index it again, or restore the weights it was made with. Searching with one "
        "of its own pictures works as before."
    )


_encoders: LRUCache[str, Encoder] = LRUCache(KEPT_ENCODERS)
_encoders_lock = threading.Lock()


def _loaded_encoder(name: str) -> Encoder:
    """Collections that share an encoder share its network. It is loaded once, whoever asks meanwhile, and
    those that are there already answer in the meantime.
    """
    with _encoders_lock:
        kept = _encoders.get(name)
    if kept is not None:
        return kept
    with LOADING:
        return _load(name)


@cached(_encoders, lock=_encoders_lock)
def _load(name: str) -> Encoder:
    return load_encoder(name)


_vectors: LRUCache[Hashable, Prepared] = LRUCache(_KEPT)


def _key(version: Version, entry: EncoderEntry, data: bytes, box: Box | None) -> Hashable:
    return version.name, entry.fingerprint, hashlib.sha256(data).digest(), box


@cached(_vectors, key=_key, lock=threading.Lock())
def _kept(version: Version, entry: EncoderEntry, data: bytes, box: Box | None) -> Prepared:
    """`prepare`, remembered: a visitor who turns a knob does not wait for the network again."""
    return prepare(version, entry, [data], [box])[0]

"""Pictures with labels and vectors, in one list that protocols index: of a source, or of a version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.encoders import describe_encoder
from pipeline.errors import NoSplitError, SimileError
from pipeline.evaluation.labels import Labels, encode_labels
from pipeline.sources import Source
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.read_points import read_points

if TYPE_CHECKING:
    from pipeline.staging.parts import Parts
    from pipeline.staging.vectors import Staging

__all__ = ["Pool", "Vectors", "read_pool", "read_stored", "resolve_splits"]


@dataclass(frozen=True)
class Pool:
    """N pictures; train pictures first, then test pictures, each in the order of the source.

    Attributes:
        labels: payload field -> labels.
        digests: (N,) sha256 of the image bytes, hexadecimal; empty where the source was not read.
        train: how many of the first pictures are of the train split.
        missing: pictures of the source without a vector: unreadable, or rejected by an encoder.
        raw: encoder -> its output for all pictures, (N, D [+ code bits]) float16.
    """

    labels: Mapping[str, Labels]
    digests: Sequence[str]
    train: int
    missing: int = 0
    raw: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """N."""
        return len(next(iter(self.labels.values())).values)


@dataclass(frozen=True)
class Vectors:
    """The vectors and codes of a pool, from one encoder and one projection.

    Attributes:
        embedding: (N, D) float, the network's own output; None where only the index was read.
        prepared: (N, P) float, what a collection compares by cosine.
        codes: (N, B) of −1 and +1, what it compares by Hamming distance.
        trained: the codes come from a hash head, not from signs of `prepared`.
    """

    embedding: np.ndarray | None
    prepared: np.ndarray
    codes: np.ndarray
    trained: bool = False


def resolve_splits(source: str, train: str = "train", test: str = "test") -> list[Source]:
    """The split to train on, and the test split where there is one.

    Raises:
        SimileError: as `resolve_source`, but not for a source without a test split.
    """
    from pipeline.sources import resolve_source

    first = resolve_source(source, split=train)
    if train == test:
        return [first]
    try:
        return [first, resolve_source(source, split=test)]
    except NoSplitError:
        return [first]


def read_pool(
    collection: str,
    splits: Sequence[Source],
    encoders: Sequence[str],
    fields: Sequence[str],
    home: str,
    limit: int | None = None,
) -> Pool:
    """Every readable picture of the splits, with the raw output of each encoder.

    Needs a Ray session. Vectors are staged below the home under the collection's name, as an index job does:
    pictures that it or an earlier evaluation embedded are not embedded again.

    Args:
        collection: its staged vectors are used and added to.
        splits: train, or train and test.
        encoders: names of encoders, see `pipeline.encoders`.
        fields: payload columns that are labels.
        limit: only the first pictures of each split.

    Raises:
        SimileError: the source does not have one of the fields, or none of its pictures could be embedded.
    """
    from pipeline.indexing.embed import embed_units
    from pipeline.sources import units_of
    from pipeline.staging.parts import Parts
    from pipeline.staging.vectors import Staging

    unknown = [field for field in fields if field not in splits[0].payload_columns]
    if unknown or not fields:
        raise SimileError(
            f"'{splits[0].name}' has no column {', '.join(unknown) or 'of labels'} to measure with; it has: "
            f"{', '.join(splits[0].payload_columns) or 'none'}."
        )
    stagings = {name: Staging(home, collection, describe_encoder(name).fingerprint) for name in encoders}
    parts = Parts(home, collection)
    read: list[_Read] = []
    train = 0
    for number, source in enumerate(splits):
        units = units_of(source, limit)
        embed_units(source, units, parts, stagings)
        read += [_read_unit(unit.name, parts, stagings) for unit in units]
        if number == 0:
            train = sum(len(each.digests) for each in read)
    if not any(each.digests for each in read):
        raise SimileError(f"No picture of '{splits[0].name}' could be embedded; see the index job's rejects.")
    payloads = [json.loads(payload) for each in read for payload in each.payloads]
    filled = [each for each in read if each.digests]
    return Pool(
        labels={field: encode_labels([payload.get(field) for payload in payloads]) for field in fields},
        digests=[digest for each in read for digest in each.digests],
        train=train,
        missing=sum(each.missing for each in read),
        raw={name: np.concatenate([each.raw[name] for each in filled]) for name in stagings},
    )


@dataclass(frozen=True)
class _Read:
    """The N rows of a unit that every encoder has a vector of, and how many it has beside them."""

    digests: list[str]
    payloads: list[str]
    raw: Mapping[str, np.ndarray]
    missing: int


def _read_unit(unit: str, parts: Parts, stagings: Mapping[str, Staging]) -> _Read:
    from pipeline.staging.ids import id_words

    rows = parts.read(unit, ["id", "digest", "payload"])
    words = id_words(rows["id"])
    vectors = {name: staging.read(unit) for name, staging in stagings.items()}
    at = {name: found.at(words) for name, found in vectors.items()}
    whole = np.logical_and.reduce([places >= 0 for places in at.values()])
    kept = rows.take(np.flatnonzero(whole))
    digests = [digest.hex() for digest in kept["digest"].to_pylist()]
    raw = {name: found.vectors[at[name][whole]] for name, found in vectors.items()}
    return _Read(digests, kept["payload"].to_pylist(), raw, int((~whole).sum()))


def read_stored(
    store: Store, version: str, entry: EncoderEntry, fields: Sequence[str]
) -> tuple[Pool, Vectors, list[str]]:
    """Labels, vectors and ids of all points of a version, in the order of their ids.

    Args:
        entry: the encoder.
        fields: payload fields that are labels.
    """
    points = read_points(store, version, [entry.vector, entry.code], list(fields))
    if not points.ids:
        raise SimileError(f"'{version}' holds no pictures; there is nothing to measure.")
    labels = {field: encode_labels(values) for field, values in points.fields.items()}
    trained = bool(entry.hash_bits)
    vectors = Vectors(None, points.vectors[entry.vector], points.vectors[entry.code], trained)
    return Pool(labels, (), len(points.ids)), vectors, points.ids

"""Pictures with labels and vectors, in one list that protocols index: of a source, or of a version."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.encoders import describe_encoder
from pipeline.errors import NoSplitError, SimileError
from pipeline.evaluation.labels import Labels, encode_labels
from pipeline.sources import Source
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.read_points import read_points

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
    from pipeline.indexing.embed import embed_missing
    from pipeline.indexing.plan import make_plan
    from pipeline.staging.parts import Staging

    unknown = [field for field in fields if field not in splits[0].payload_columns]
    if unknown or not fields:
        raise SimileError(
            f"'{splits[0].name}' has no column {', '.join(unknown) or 'of labels'} to measure with; it has: "
            f"{', '.join(splits[0].payload_columns) or 'none'}."
        )
    stagings = {name: Staging(home, collection, describe_encoder(name).fingerprint) for name in encoders}
    ids: list[str] = []
    digests: list[str] = []
    payloads: list[dict[str, Any]] = []
    counts = []
    for source in splits:
        plan = make_plan(collection, source, limit)
        embed_missing(plan, source, stagings, limit=limit)
        rows = plan.table.filter(plan.table["id"].is_valid())
        ids += rows["id"].to_pylist()
        digests += rows["digest"].to_pylist()
        payloads += [json.loads(payload) for payload in rows["payload"].to_pylist()]
        counts.append((plan.table.num_rows, rows.num_rows))
    gathered = {name: staging.gather(ids) for name, staging in stagings.items()}
    whole = np.logical_and.reduce([there for _, there in gathered.values()])
    if not whole.any():
        raise SimileError(f"No picture of '{splits[0].name}' could be embedded; see the index job's rejects.")
    kept = np.flatnonzero(whole)
    return Pool(
        labels={field: encode_labels([payloads[i].get(field) for i in kept]) for field in fields},
        digests=[digests[i] for i in kept],
        train=int((kept < counts[0][1]).sum()),
        missing=sum(planned for planned, _ in counts) - len(kept),
        raw={name: raw[whole[there]] for name, (raw, there) in gathered.items()},
    )


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

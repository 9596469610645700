"""A source and encoders -> a pool: read, embed what is not staged yet, and gather. Needs a Ray session."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.encoders import describe_encoder
from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.methods import Vectors
from pipeline.evaluation.pool import Pool
from pipeline.sources import Source
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry
from pipeline.store.read_points import read_points

__all__ = ["EVALUATION", "keep", "kept", "read_pool", "read_stored", "resolve_splits"]


def read_pool(
    collection: str,
    splits: Sequence[Source],
    encoders: Sequence[str],
    fields: Sequence[str],
    home: str,
    limit: int | None = None,
) -> Pool:
    """Every readable picture of the splits, with the raw output of each encoder.

    Vectors are staged below the home under the collection's name, as an index job does: what it or an
    earlier evaluation embedded is not embedded again.

    Args:
        collection: whose staging to use.
        splits: train, or train and test.
        encoders: names.
        fields: payload columns that are labels.
        limit: only the first pictures of each split.

    Raises:
        SimileError: a field that the source does not have, or nothing that could be embedded.
    """
    from pipeline.indexing.embed import embed_missing
    from pipeline.indexing.plan import make_plan
    from pipeline.indexing.reservation import reserve
    from pipeline.staging.parts import Staging

    unknown = [field for field in fields if field not in splits[0].payload_columns]
    if unknown or not fields:
        raise SimileError(
            f"'{splits[0].name}' has no column {', '.join(unknown) or 'of labels'} to measure with; it has: "
            f"{', '.join(splits[0].payload_columns) or 'none'}."
        )
    stagings = {name: Staging(home, collection, describe_encoder(name).fingerprint) for name in encoders}
    reservation = reserve()
    ids: list[str] = []
    digests: list[str] = []
    payloads: list[dict] = []
    counts = []
    for source in splits:
        plan = make_plan(collection, source, limit)
        embed_missing(plan, source, stagings, reservation, limit)
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


def resolve_splits(source: str, train: str = "train", test: str = "test") -> list[Source]:
    """The split to train on, and the test split where there is one."""
    from pipeline.sources import resolve_source

    first = resolve_source(source, split=train)
    try:
        return [first, resolve_source(source, split=test)] if train != test else [first]
    except SimileError as error:
        if "no split" in str(error):
            return [first]
        raise


EVALUATION = "evaluation.json"  # attachment: list of results of `pipeline.evaluation.run.measure`


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


def kept(store: Store, version: str) -> list[dict[str, Any]]:
    """Results that earlier runs kept with a version."""
    data = store.attachment(version, EVALUATION)
    return json.loads(data) if data else []


def keep(store: Store, version: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep results with a version; one of the same protocol and encoder replaces the earlier one."""
    fresh = {(result["protocol"], result["encoder"]) for result in results}
    earlier = [
        result for result in kept(store, version) if (result["protocol"], result["encoder"]) not in fresh
    ]
    store.attach(version, EVALUATION, json.dumps([*earlier, *results]).encode())

"""A collection as it is stored -> a pool, and results kept beside its version."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.methods import Vectors
from pipeline.evaluation.pool import Pool
from pipeline.store import Store
from pipeline.store.bulk import read_points

__all__ = ["EVALUATION", "keep", "kept", "read_stored"]

EVALUATION = "evaluation.json"  # attachment: list of results of `pipeline.evaluation.results.measure`


def read_stored(
    store: Store, version: str, encoder: Mapping[str, Any], fields: Sequence[str]
) -> tuple[Pool, Vectors, list[str]]:
    """Labels, vectors and ids of all points of a version, in the order of their ids.

    Args:
        encoder: what the manifest says of it.
        fields: payload fields that are labels.
    """
    points = read_points(store, version, [encoder["vector"], encoder["code"]], list(fields))
    if not points.ids:
        raise SimileError(f"'{version}' holds no pictures; there is nothing to measure.")
    labels = {field: encode_labels(values) for field, values in points.fields.items()}
    trained = bool(encoder.get("hash_bits"))
    vectors = Vectors(None, points.vectors[encoder["vector"]], points.vectors[encoder["code"]], trained)
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

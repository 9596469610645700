"""Why a picture is among the hits of another: places, bits, and rank and score under each metric."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pipeline.calibration import unusualness
from pipeline.encoders import Encoder
from pipeline.encoders.seen import Part, seen_part
from pipeline.errors import SimileError
from pipeline.explain import Explanation, Places, explain
from pipeline.projection import Projection, hamming_distances
from pipeline.search.embedding import encoder_of
from pipeline.search.settings import MAX_K, Metric, search_params
from pipeline.search.version import Version
from pipeline.store import Store

__all__ = ["Reasons", "Standing", "find_reasons"]

_ROUNDING = 1e-6  # scores of equal vectors differ by this much between numpy and Qdrant


@dataclass(frozen=True)
class Standing:
    """Where a hit stands by one metric, compared exactly with every picture.

    Attributes:
        score, distance: as `Hit` has them.
        rank: 1 for the nearest; None beyond the first 1,000.
        unusual: share of random pairs that are further apart; None where the collection was not calibrated.
    """

    metric: Metric
    score: float
    distance: float | int
    rank: int | None
    unusual: float | None


@dataclass(frozen=True)
class Reasons:
    """Everything that says why two pictures are near.

    Attributes:
        explanation: heat maps over the parts that the network saw.
        query_part, hit_part: those parts.
        query_code, hit_code: (B,) of −1 and +1.
        standings: one a metric.
    """

    explanation: Explanation
    query_part: Part
    hit_part: Part
    query_code: np.ndarray
    hit_code: np.ndarray
    standings: list[Standing]


def find_reasons(
    store: Store,
    version: Version,
    facts: dict[str, Any],
    query: Image.Image,
    hit: Image.Image,
    hit_id: str,
    query_id: str | None = None,
) -> Reasons:
    """Compare two pictures.

    Args:
        facts: the encoder, as the manifest has it.
        query, hit: RGB pictures; of a stored one the thumbnail, which is all there is of it.
        hit_id: point of the hit.
        query_id: point of the query, where it is stored: its vector is then not computed again.

    Raises:
        SimileError: a point that is gone, or a network that cannot show its places.
    """
    encoder = encoder_of(version, facts)
    projection = version.projection(facts["vector"])
    places = _places(encoder, [query, hit])
    prepared, code = _stored(store, version, facts, hit_id)
    if query_id is None:
        own = projection.apply(places[0].embedding[None])[0]
        own_code = Projection.codes(own)[: len(code)]
    else:
        own, own_code = _stored(store, version, facts, query_id)
    score = float(own @ prepared / max(np.linalg.norm(own) * np.linalg.norm(prepared), 1e-12))
    differing = int(hamming_distances(own_code, code[None])[0])
    found: dict[Metric, tuple[np.ndarray, float, float | int]] = {
        "cosine": (own, score, 1 - score),
        "hamming": (own_code, 1 - 2 * differing / len(code), differing),
    }
    ids = {hit_id, query_id}
    standings = [_standing(store, version, facts, metric, *of, ids) for metric, of in found.items()]
    parts = [seen_part(encoder, picture.size) for picture in (query, hit)]
    return Reasons(explain(places[0], places[1], projection), parts[0], parts[1], own_code, code, standings)


def _places(encoder: Encoder, pictures: list[Image.Image]) -> list[Places]:
    """The network runs twice: once for the places, once for the embedding that they are checked against."""
    import torch

    batch = torch.stack([encoder.preprocess(picture) for picture in pictures])
    embeddings = encoder.encode_tensor(batch)[:, : encoder.dimension]
    return [Places(grid, e) for grid, e in zip(encoder.spatial(batch), embeddings, strict=True)]


def _stored(
    store: Store, version: Version, facts: dict[str, Any], point_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """Prepared vector and code."""
    names = [facts["vector"], facts["code"]]
    found = store.retrieve(version.name, [point_id], with_vectors=names)
    if not found:
        raise SimileError(
            f"'{version.facts['collection']}' has no picture '{point_id}' any more; search again."
        )
    vectors: Any = found[0].vector
    prepared, code = (np.asarray(vectors[name], np.float32) for name in names)
    return prepared, code


def _standing(
    store: Store,
    version: Version,
    facts: dict[str, Any],
    metric: Metric,
    vector: np.ndarray,
    score: float,
    distance: float | int,
    own: set[str | None],
) -> Standing:
    bits = len(vector) if metric == "hamming" else 1  # Qdrant's score of codes is not divided by their number
    nearer = store.query(
        version.name,
        vector,
        using=facts["code" if metric == "hamming" else "vector"],
        limit=MAX_K,
        params=search_params(version.facts["search"], MAX_K, exact=True),
        score_threshold=score * bits - _ROUNDING,
    )
    ahead = [p for p in nearer if p.score > score * bits + _ROUNDING and str(p.id) not in own]
    rank = len(ahead) + 1 if len(ahead) < MAX_K - len(own) else None
    calibration = facts.get("calibration")
    unusual = unusualness(score, calibration, metric) if calibration else None
    return Standing(metric, score, distance, rank, unusual)

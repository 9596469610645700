"""Why a picture is among the hits of another: places, bits, and rank and score under each metric."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pipeline.calibration import unusualness
from pipeline.encoders import Encoder
from pipeline.encoders.seen import Part, seen_part
from pipeline.explain import Explanation, Places, explain
from pipeline.projection import hamming_distances
from pipeline.search.embedding import Prepared, embed_examples, encoder_of, prepare
from pipeline.search.example import Example
from pipeline.search.settings import MAX_K, METRICS, Metric, qdrant_filter, search_params
from pipeline.search.version import Version
from pipeline.store import Store

__all__ = ["Reasons", "Standing", "find_reasons"]

_ROUNDING = 1e-5  # the same cosine differs by less than this between numpy and Qdrant; a bit is far more


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
    part_of: str | None = None,
) -> Reasons:
    """Compare two pictures.

    Args:
        facts: the encoder, as the manifest has it.
        query, hit: RGB pictures; of a stored one the thumbnail, which is all there is of it.
        hit_id: point of the hit.
        query_id: point of the query, where it is stored: its vector is then not computed again.
        part_of: point of which the query is a part; it counts in no rank, as it is no hit.

    Raises:
        SimileError: a point that is gone, or a network that cannot show its places.
    """
    encoder = encoder_of(version, facts)
    projection = version.projection(facts)
    places = _places(encoder, [query, hit])
    stored = embed_examples(
        store, version, facts, [Example(id=point) for point in (hit_id, query_id) if point]
    )
    found, own = stored[0], stored[-1]
    if query_id is None:
        own = prepare(version, facts, [query])[0]
    others = [point for point in (hit_id, query_id, part_of) if point]
    standings = [_standing(store, version, facts, m, own, found, others) for m in METRICS]
    parts = [seen_part(encoder, picture.size) for picture in (query, hit)]
    explanation = explain(places[0], places[1], projection)
    return Reasons(explanation, parts[0], parts[1], own.code, found.code, standings)


def _places(encoder: Encoder, pictures: list[Image.Image]) -> list[Places]:
    """The network runs twice: once for the places, once for the embedding that they are checked against."""
    import torch

    batch = torch.stack([encoder.preprocess(picture) for picture in pictures])
    embeddings = encoder.encode_tensor(batch)[:, : encoder.dimension]
    return [Places(grid, e) for grid, e in zip(encoder.spatial(batch), embeddings, strict=True)]


def _standing(
    store: Store,
    version: Version,
    facts: dict[str, Any],
    metric: Metric,
    query: Prepared,
    hit: Prepared,
    others: list[str],
) -> Standing:
    """Counts the points that are nearer to the query than the hit is."""
    bits = len(hit.code)
    if metric == "hamming":
        distance: float | int = int(hamming_distances(query.code, hit.code[None])[0])
        score, unit = 1 - 2 * distance / bits, bits
    else:
        lengths = float(np.linalg.norm(query.vector) * np.linalg.norm(hit.vector))
        score, unit = float(query.vector @ hit.vector) / max(lengths, 1e-12), 1
        distance = 1 - score
    nearer = store.query(
        version.name,
        query.code if metric == "hamming" else query.vector,
        using=facts["code" if metric == "hamming" else "vector"],
        limit=MAX_K,
        query_filter=qdrant_filter(None, without_ids=others),
        params=search_params(version.facts["search"], MAX_K, exact=True, metric=metric),
        score_threshold=(score + _ROUNDING) * unit,
        fields=[],
    )
    rank = len(nearer) + 1 if len(nearer) < MAX_K else None
    calibration = facts.get("calibration")
    unusual = unusualness(score, calibration, metric) if calibration else None
    return Standing(metric, score, distance, rank, unusual)

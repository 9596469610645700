"""Why a picture is among the hits of another: places, bits, and rank and score under each metric."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.encoders import Encoder
from pipeline.images import Picture
from pipeline.index_quality.calibration import unusualness
from pipeline.search.collection import Collection
from pipeline.search.query import MAX_K, METRICS, Box, Example, Metric, search_params
from pipeline.search.query_embedding import Prepared, embed_examples, encoder_of, opened, prepare
from pipeline.store import Store
from pipeline.store.filters import qdrant_filter
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.vectors import hamming_distances
from pipeline.why.heat_map import Explanation, Places, explain
from pipeline.why.seen_part import Part, seen_part

__all__ = ["Reasons", "Standing", "find_reasons"]

_ROUNDING = 1e-5  # the same cosine differs by less than this between numpy and Qdrant; a bit is far more


@dataclass(frozen=True)
class Standing:
    """Score and rank of a hit by one metric, from an exact comparison with every picture.

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
    """The reasons why two pictures are near.

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
    collection: Collection,
    query: Picture,
    hit_id: str,
    encoder: str | None = None,
    query_id: str | None = None,
    box: Box | None = None,
) -> Reasons:
    """Why the picture `hit_id` is near `query`: heat maps, bits, rank and score under each metric.

    Args:
        query: the picture that was searched with; of a stored point its thumbnail, the original is not kept.
        hit_id: a point of the collection.
        encoder: one of `collection.encoders`; default: the first.
        query_id: the query's own point, where it, or the whole of it, is stored. Its vector is then not
            computed again; with a box it counts in no rank, as it is no hit.
        box: the part of `query` that was searched with.

    Raises:
        SimileError: a point that is gone, an unusable picture, or a network that cannot show its places.
    """
    store, version = collection.live
    entry = version.manifest.encoder(encoder)
    network, projection = encoder_of(version, entry), version.manifest.projection_of(entry)
    pictures = [
        opened(query, network.decode_side, box),
        opened(collection.get(hit_id).thumbnail, network.decode_side),
    ]
    places = _places(network, pictures)
    asked = [hit_id, query_id] if query_id and not box else [hit_id]
    found, *rest = embed_examples(store, version, entry, [Example(id=point) for point in asked])
    own = rest[0] if rest else prepare(version, entry, pictures[:1])[0]
    others = [point for point in (hit_id, query_id) if point]
    standings = [_standing(store, version, entry, m, own, found, others) for m in METRICS]
    parts = [seen_part(network, picture.size) for picture in pictures]
    explanation = explain(places[0], places[1], projection)
    return Reasons(explanation, parts[0], parts[1], own.code, found.code, standings)


def _places(encoder: Encoder, pictures: list[Image.Image]) -> list[Places]:
    """The network runs twice: once for the places, once for the embedding that they are checked against."""
    batch = np.stack([encoder.preprocess(picture) for picture in pictures])
    embeddings = encoder.encode_tensor(batch)[:, : encoder.dimension]
    return [Places(grid, e) for grid, e in zip(encoder.spatial(batch), embeddings, strict=True)]


def _standing(
    store: Store,
    version: Version,
    entry: EncoderEntry,
    metric: Metric,
    query: Prepared,
    hit: Prepared,
    others: list[str],
) -> Standing:
    """Rank the hit by counting the points that are nearer to the query, where that may be exact."""
    bits = len(hit.code)
    if metric == "hamming":
        distance: float | int = int(hamming_distances(query.code, hit.code[None])[0])
        score, unit = 1 - 2 * distance / bits, bits
    else:
        lengths = float(np.linalg.norm(query.vector) * np.linalg.norm(hit.vector))
        score, unit = float(query.vector @ hit.vector) / max(lengths, 1e-12), 1
        distance = 1 - score
    calibration = entry.calibration
    unusual = unusualness(score, calibration.of(metric)) if calibration else None
    if not store.allows_exact(version.name):
        return Standing(metric, score, distance, None, unusual)
    nearer = store.query(
        version.name,
        query.code if metric == "hamming" else query.vector,
        using=entry.named_vector(metric),
        limit=MAX_K,
        query_filter=qdrant_filter((), without_ids=others),
        params=search_params(version.manifest, MAX_K, exact=True, metric=metric),
        score_threshold=(score + _ROUNDING) * unit,
        fields=[],
    )
    rank = len(nearer) + 1 if len(nearer) < MAX_K else None
    return Standing(metric, score, distance, rank, unusual)

"""Likes and dislikes -> what the store is asked; what it answers -> the hits that stay. Pure functions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from qdrant_client import models

from pipeline.search.hit import Hit
from pipeline.store.protocol import VectorQuery

__all__ = ["at_most", "fold", "similarities", "vector_query"]


def vector_query(
    likes: np.ndarray, dislikes: np.ndarray, combine: str, diversity: float, candidates: int
) -> VectorQuery:
    """What the store is asked.

    Args:
        likes: (L, D) float32, L ≥ 1; `dislikes`: (M, D).
        combine: `any`: Qdrant's best score, nearest to one like and not nearer to a dislike. `average`, and
            always with diversity: one vector, Qdrant's 2 · mean(likes) − mean(dislikes) of unit vectors.
        diversity: 0 to 1.
        candidates: nearest points that diversity chooses from.
    """
    if len(likes) + len(dislikes) > 1 and combine == "any" and not diversity:
        given = models.RecommendInput(
            positive=_unit(likes).tolist(),
            negative=_unit(dislikes).tolist() or None,
            strategy=models.RecommendStrategy.BEST_SCORE,
        )
        return models.RecommendQuery(recommend=given)
    vector = likes[0]
    if len(likes) > 1 or len(dislikes):
        vector = _unit(likes).mean(axis=0)
    if len(dislikes):
        vector = 2 * vector - _unit(dislikes).mean(axis=0)
    if not diversity:
        return vector
    mmr = models.Mmr(diversity=diversity, candidates_limit=candidates)
    return models.NearestQuery(nearest=vector.tolist(), mmr=mmr)


def similarities(examples: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosines (N, L) of examples (L, D) and vectors (N, D); for ±1 codes that is 1 − 2h/D.

    >>> similarities(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    return _unit(vectors) @ _unit(examples).T


def fold(hits: Sequence[Hit], vectors: np.ndarray, cosine: float) -> list[Hit]:
    """The first of every group of nearly equal pictures, with the ids of the others in `copies`.

    Args:
        hits: best first; `vectors` (N, D): theirs.
        cosine: from which two pictures are nearly equal.
    """
    kept: list[int] = []
    copies: dict[int, list[str]] = {}
    near = similarities(vectors, vectors) >= cosine
    for place, hit in enumerate(hits):
        first = next((earlier for earlier in kept if near[place, earlier]), None)
        if first is None:
            kept.append(place)
        else:
            copies.setdefault(first, []).append(hit.id)
    return [replace(hits[place], copies=tuple(copies.get(place, ()))) for place in kept]


def at_most(hits: Sequence[Hit], limits: Mapping[str, int]) -> list[Hit]:
    """Without hits whose value of a field was already had often enough. Hits without the field stay."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for hit in hits:
        keys = [(field, str(hit.payload[field])) for field in limits if hit.payload.get(field) is not None]
        if all(seen[key] < limits[key[0]] for key in keys):
            seen.update(keys)
            kept.append(hit)
    return kept


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-12))

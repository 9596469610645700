"""Measures of how vectors lie: pairs within and across labels, neighbours, hubs. Pure functions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.rankings import cosine_blocks

__all__ = ["Neighbours", "confusion", "find_neighbours", "hubness", "pair_scores", "shared_labels"]

_PAIR_SAMPLE = 3000  # pictures whose 4.5 million pairs are looked at


@dataclass(frozen=True)
class Neighbours:
    """The K nearest pictures of each of Q pictures, the picture itself left out.

    Attributes:
        queries: (Q,) places.
        places: (Q, K), nearest first.
        scores: (Q, K) cosines.
    """

    queries: np.ndarray
    places: np.ndarray
    scores: np.ndarray


def find_neighbours(vectors: np.ndarray, queries: int, k: int) -> Neighbours:
    """Exact neighbours of the first `queries` of (N, D) vectors among all; K = min(k, N − 1)."""
    asked = np.arange(min(queries, len(vectors)))
    k = min(k, len(vectors) - 1)
    none = np.zeros(len(vectors), np.int64)
    places, scores = [np.empty((0, k), np.int64)], [np.empty((0, k), np.float32)]
    for block, _ in cosine_blocks(vectors[asked], vectors, none[asked], none, asked):
        near = np.argpartition(-block, k - 1, axis=1)[:, :k] if k else np.empty((len(block), 0), np.int64)
        order = np.argsort(-np.take_along_axis(block, near, axis=1), axis=1)
        places.append(np.take_along_axis(near, order, axis=1))
        scores.append(np.take_along_axis(block, places[-1], axis=1))
    return Neighbours(asked, np.concatenate(places), np.concatenate(scores))


def pair_scores(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs of a sample of labelled pictures: of one label, and of different labels."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(labels != UNLABELLED))[:_PAIR_SAMPLE]
    none = np.zeros(len(chosen), np.int64)
    blocks = [block for block, _ in cosine_blocks(vectors[chosen], vectors[chosen], none, none)]
    first, second = np.triu_indices(len(chosen), 1)
    cosines = np.concatenate(blocks)[first, second] if blocks else np.empty(0, np.float32)
    same = labels[chosen][first] == labels[chosen][second]
    return cosines[same], cosines[~same]


def confusion(neighbours: Neighbours, labels: np.ndarray, size: int) -> np.ndarray:
    """(L, L) float: of the neighbours of pictures labelled i, the share labelled j; unlabelled are left out.

    A row of a label without queries is all 0.
    """
    asked = np.repeat(labels[neighbours.queries], neighbours.places.shape[1])
    found = labels[neighbours.places].ravel()
    known = (asked != UNLABELLED) & (found != UNLABELLED)
    counts = np.bincount(asked[known] * size + found[known], minlength=size * size).reshape(size, size)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def shared_labels(neighbours: Neighbours, labels: np.ndarray) -> np.ndarray:
    """(Q,) share of the K neighbours with the label of the query; NaN for an unlabelled query."""
    own = labels[neighbours.queries]
    share = (labels[neighbours.places] == own[:, None]).mean(axis=1)
    return np.where(own == UNLABELLED, np.nan, share)


def hubness(neighbours: Neighbours, size: int) -> dict[str, Any]:
    """How unevenly pictures appear in the lists of others (Radovanović et al., JMLR 2010).

    Args:
        neighbours: of Q queries.
        size: N, pictures that could appear.

    Returns:
        `expected`: mean number of lists a picture is in, Q · K / N; `largest`: the most that one is in;
        `hubs`: places of the eight largest; `never`: share of pictures in no list; `by_chance`: the share
        that would be in none if lists were drawn at random, where a query is never in its own;
        `skewness` of the counts.
    """
    counts = np.bincount(neighbours.places.ravel(), minlength=size)
    mean, deviation = counts.mean(), counts.std()
    q, k = neighbours.places.shape
    missed = 1 - k / max(size - 1, 1)  # by one list, at random
    return {
        "expected": float(mean),
        "largest": int(counts.max()),
        "hubs": np.argsort(-counts)[:8].tolist(),
        "hub_counts": np.sort(counts)[::-1][:8].tolist(),
        "never": float((counts == 0).mean()),
        "by_chance": float((q * missed ** max(q - 1, 0) + (size - q) * missed**q) / size),
        "skewness": float((((counts - mean) / deviation) ** 3).mean()) if deviation else 0.0,
    }

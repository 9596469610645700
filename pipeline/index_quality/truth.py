"""The exact nearest points of some queries, from staged vectors: no store has to compare everything."""

from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["Rows", "exact_among"]

Rows = tuple[Sequence[str], np.ndarray]  # N ids, and (N, D) float32


def exact_among(
    batches: Iterable[Rows], queries: np.ndarray, own: Sequence[str], k: int
) -> list[dict[str, float]]:
    """For each query its k nearest of all rows by dot product: id -> score.

    A batch is in memory at a time, with (Q, N) float32 scores. An id that comes twice counts once.

    Args:
        batches: the points, some thousand at a time; a cosine vector has length 1.
        queries: (Q, D) float32.
        own: (Q,) ids; the point of a query is none of its own neighbours.
        k: at least 1.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> exact_among([(["a", "b"], rows[:2]), (["c"], rows[2:])], rows[:1] + 0.5 * rows[2:], ["a"], 1)
    [{'c': 0.5}]
    """
    best: list[dict[str, float]] = [{} for _ in own]
    for ids, vectors in batches:
        scores = queries @ vectors.T
        most = min(k + 1, scores.shape[1])
        chosen = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        for at, columns in enumerate(chosen):
            found = best[at] | {ids[column]: float(scores[at, column]) for column in columns}
            found.pop(own[at], None)
            best[at] = dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:k])
    return best

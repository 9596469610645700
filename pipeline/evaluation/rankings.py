"""Vectors or codes of queries and database -> rankings, block by block."""

from collections.abc import Iterator

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.metrics import TieGroups
from pipeline.vectors import unit

__all__ = [
    "CSLS_NEIGHBOURS",
    "cosine_blocks",
    "cosine_rankings",
    "csls_offsets",
    "hamming_groups",
]

_CELLS = 4_000_000  # query × database cells held at a time: 32 MB of float64
CSLS_NEIGHBOURS = 10  # as in the paper


def hamming_groups(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    own: np.ndarray | None = None,
) -> TieGroups:
    """Counts by Hamming distance: group h holds the D + 1 possible distances, 0 first.

    Args:
        queries, database: (Q, D) and (N, D) of −1 and +1.
        query_labels, database_labels: (Q,) and (N,) int; equal labels are relevant, −1 never is.
        own: (Q,) index of each query in the database, left out of its results; None: no query is in it.
    """
    bits = database.shape[1]
    columns = np.ascontiguousarray(database.T, np.float32)
    sizes = np.empty((len(queries), bits + 1), np.int64)
    relevant = np.empty_like(sizes)
    for part in _blocks(len(queries), len(database)):
        rows = np.arange(part.stop - part.start)
        h = np.rint((bits - np.asarray(queries[part], np.float32) @ columns) / 2).astype(np.int64)
        if own is not None:
            h[rows, own[part]] = bits + 1  # a group of its own that is cut off below
        cell = (h + rows[:, None] * (bits + 2)) * 2 + _relevance(query_labels[part], database_labels)
        counts = np.bincount(cell.ravel(), minlength=len(rows) * (bits + 2) * 2)
        counts = counts.reshape(len(rows), bits + 2, 2)[:, : bits + 1]
        sizes[part], relevant[part] = counts.sum(axis=2), counts[:, :, 1]
    return TieGroups(sizes, relevant)


def cosine_rankings(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    own: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
) -> Iterator[TieGroups]:
    """Rankings by cosine for one block of queries after the other; equal floats come in any order.

    Args:
        queries, database: (Q, D) and (N, D) float, any length.
        query_labels, database_labels, own: as in `hamming_groups`.
        offsets: (N,) of `csls_offsets`: rank by CSLS instead.
    """
    for scores, relevant in cosine_blocks(queries, database, query_labels, database_labels, own):
        ranked_by = -scores if offsets is None else offsets - 2 * scores
        order = np.argsort(ranked_by, axis=1)  # unstable: 6 times faster, and floats hardly ever tie
        ranked = np.take_along_axis(relevant, order, axis=1)
        yield TieGroups.of_ranking(ranked if own is None else ranked[:, :-1])


def cosine_blocks(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    own: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(q, N) cosines and (q, N) relevance of one block of queries after the other.

    A query's own place in the database has −∞ and is not relevant.
    """
    queries, database = unit(queries), unit(database)
    for part in _blocks(len(queries), len(database)):
        scores = queries[part] @ database.T
        relevant = _relevance(query_labels[part], database_labels)
        if own is not None:
            rows = np.arange(len(scores))
            scores[rows, own[part]], relevant[rows, own[part]] = -np.inf, False
        yield scores, relevant


def csls_offsets(database: np.ndarray, neighbours: int = CSLS_NEIGHBOURS) -> np.ndarray:
    """Mean cosine of each database vector to its nearest neighbours in the database, itself left out.

    CSLS (Conneau et al., "Word translation without parallel data", ICLR 2018) takes the density around
    both ends off a cosine: 2 cos(q, x) − r(q) − r(x), so that hubs, which are near to everything, fall
    back. r(q) is the same for all hits of a query and does not change their order. Queries are never
    used: r(x) comes from the database alone.

    Args:
        database: (N, D) float, N > `neighbours`.

    Returns:
        (N,) float32.
    """
    if len(database) <= neighbours:
        raise ValueError(
            f"CSLS over {neighbours} neighbours needs more vectors than that, got {len(database)}"
        )
    database = unit(database)
    offsets = np.empty(len(database), np.float32)
    for part in _blocks(len(database), len(database)):
        scores = database[part] @ database.T
        scores[np.arange(len(scores)), np.arange(part.start, part.stop)] = -np.inf
        offsets[part] = np.partition(scores, -neighbours, axis=1)[:, -neighbours:].mean(axis=1)
    return offsets


def _relevance(query_labels: np.ndarray, database_labels: np.ndarray) -> np.ndarray:
    """(Q, N) bool: equal labels, of labelled queries."""
    known = (query_labels != UNLABELLED)[:, None]
    return np.asarray((query_labels[:, None] == database_labels[None]) & known)


def _blocks(queries: int, database: int) -> Iterator[slice]:
    step = max(1, _CELLS // max(1, database))
    for start in range(0, queries, step):
        yield slice(start, min(start + step, queries))

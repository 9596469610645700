"""The exact nearest points of some queries, from staged vectors: no store has to compare everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.staging.ids import id_texts, words_of

__all__ = ["Nearest"]


class Nearest:
    """The k nearest of all rows that were seen, for each of Q queries, by dot product.

    Rows come some thousand at a time. What is kept is 24 bytes for each of Q · k rows, however many are seen.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> ids = ["00000000-0000-0000-0000-00000000000" + digit for digit in "abc"]
    >>> nearest = Nearest(rows[:1] + 0.5 * rows[2:], ids[:1], 1)
    >>> nearest.add(words_of(ids[:2]), rows[:2])
    >>> nearest.add(words_of(ids[2:]), rows[2:])
    >>> nearest.found()
    [{'00000000-0000-0000-0000-00000000000c': 0.5}]
    """

    def __init__(self, queries: np.ndarray, own: Sequence[str], k: int) -> None:
        """
        Args:
            queries: (Q, D) float32.
            own: (Q,) ids; the point of a query is none of its own neighbours.
            k: at least 1.
        """
        self._queries, self._own, self._k = queries, words_of(own), k
        self._scores = np.full((len(queries), k), -np.inf, np.float32)  # the best first
        self._words = np.zeros((len(queries), k, 2), np.uint64)

    def add(self, words: np.ndarray, vectors: np.ndarray) -> None:
        """See further rows, each id for the first time.

        Args:
            words: (N, 2) uint64, their ids.
            vectors: (N, D) float32; a cosine vector has length 1.
        """
        scores = self._queries @ vectors.T
        scores[(self._own[:, None] == words).all(axis=2)] = -np.inf
        better = np.flatnonzero((scores > self._scores[:, -1:]).any(axis=1))
        if not len(better):
            return
        scores = scores[better]
        most = min(self._k, scores.shape[1])
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        self._take(better, np.take_along_axis(scores, best, axis=1), words[best])

    def join(self, other: Nearest) -> None:
        """Take over what another one of the same queries saw."""
        self._take(np.arange(len(self._queries)), other._scores, other._words)

    def _take(self, queries: np.ndarray, scores: np.ndarray, words: np.ndarray) -> None:
        both = np.concatenate([self._scores[queries], scores], axis=1)
        every = np.concatenate([self._words[queries], words], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, : self._k]
        self._scores[queries] = np.take_along_axis(both, order, axis=1)
        self._words[queries] = np.take_along_axis(every, order[..., None], axis=1)

    def found(self) -> list[dict[str, float]]:
        """For each query: id -> score, the best first."""
        there = [np.flatnonzero(np.isfinite(scores)) for scores in self._scores]
        return [
            dict(zip(id_texts(words[at]), scores[at].tolist(), strict=True))
            for at, words, scores in zip(there, self._words, self._scores, strict=True)
        ]

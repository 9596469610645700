"""Pictures with labels and vectors, in one list that protocols index."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.evaluation.protocols import (
    Protocol,
    art_split,
    leave_one_out,
    official_test,
    pooled,
    unseen_classes,
)

__all__ = ["PROTOCOLS", "Pool", "protocols_of"]

PROTOCOLS = ("a", "b", "c", "unseen-database", "unseen-classes", "art")
_POOLED = 600  # queries and training pictures of each class in A and B
_CLASSES = 10  # A, B, C and the unseen classes are cut from ten classes


@dataclass(frozen=True)
class Pool:
    """N pictures; train pictures first, then test pictures, each in the order of the source.

    Attributes:
        labels: payload field -> labels.
        digests: (N,) sha256 of the image bytes, hexadecimal; empty where the source was not read.
        train: how many of the first pictures are of the train split.
        missing: pictures of the source without a vector: unreadable, or rejected by an encoder.
    """

    labels: Mapping[str, Labels]
    digests: Sequence[str]
    train: int
    missing: int = 0
    raw: Mapping[str, np.ndarray] = field(default_factory=dict)  # encoder -> (N, D [+ code bits]) float16

    @property
    def size(self) -> int:
        """N."""
        return len(next(iter(self.labels.values())).values)


def protocols_of(pool: Pool, wanted: Sequence[str] = PROTOCOLS) -> list[Protocol]:
    """The named protocols that this pool allows, in the order of `PROTOCOLS`.

    `art` needs a field `artist` and digests; `a`, `b`, `c` and `unseen-classes` ten classes, `a` and `b` of
    more than 600 pictures each; `c`, `unseen-classes` and `unseen-database` a test split.
    """
    if "artist" in pool.labels:
        if "art" not in wanted or not len(pool.digests):
            return []
        return art_split(pool.labels["artist"].texts(), pool.digests).protocols()
    labels = next(iter(pool.labels.values())).values
    train, test = np.arange(pool.train), np.arange(pool.train, pool.size)
    counts = np.unique(labels[labels != UNLABELLED], return_counts=True)[1]
    ten = len(counts) == _CLASSES
    possible = {
        "a": ten and counts.min() > _POOLED,
        "b": ten and counts.min() > _POOLED,
        "c": ten and len(test) > 0,
        "unseen-database": len(test) > 1,
        "unseen-classes": ten and len(test) > 0,
    }
    cut: dict[str, Callable[[], Protocol]] = {
        "a": lambda: pooled(labels, pool.train, training_in_database=False),
        "b": lambda: pooled(labels, pool.train, training_in_database=True),
        "c": lambda: official_test(len(train), len(test)),
        "unseen-database": lambda: leave_one_out(test, train),
        "unseen-classes": lambda: unseen_classes(labels[train], labels[test]),
    }
    return [make() for key, make in cut.items() if key in wanted and possible[key]]

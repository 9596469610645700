"""Pictures with labels and vectors, in one list that protocols index."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.evaluation.neighbours import UNLABELLED
from pipeline.evaluation.splits import (
    Protocol,
    art_split,
    leave_one_out,
    official_test,
    pooled,
    unseen_classes,
)

__all__ = ["PROTOCOLS", "Labels", "Pool", "encode_labels", "protocols_of"]

# Values that say that there is no label, as WikiArt's "Unknown Genre" does.
_NO_LABEL = {"", "unknown", "unknown artist", "unknown genre", "unknown style"}
PROTOCOLS = ("a", "b", "c", "unseen-database", "unseen-classes", "art")
_POOLED = 600  # queries and training pictures of each class in A and B
_CLASSES = 10  # A, B, C and the unseen classes are cut from ten classes


@dataclass(frozen=True)
class Labels:
    """One field of every picture.

    Attributes:
        values: (N,) int64, −1 where there is no label.
        names: of the values.
    """

    values: np.ndarray
    names: tuple[str, ...]


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


def encode_labels(values: Iterable[Any]) -> Labels:
    """Names in alphabetical order become 0, 1, …; None, "" and the likes of "Unknown Genre" become −1."""
    texts = [
        None if value is None or str(value).strip().lower() in _NO_LABEL else str(value) for value in values
    ]
    names = sorted({text for text in texts if text is not None})
    number = {name: i for i, name in enumerate(names)}
    coded = [UNLABELLED if text is None else number[text] for text in texts]
    return Labels(np.array(coded, np.int64), tuple(names))


def protocols_of(pool: Pool, wanted: Sequence[str] = PROTOCOLS) -> list[Protocol]:
    """The named protocols that this pool allows, in the order of `PROTOCOLS`.

    `art` needs a field `artist` and digests; `a`, `b`, `c` and `unseen-classes` ten classes, `a` and `b` of
    more than 600 pictures each; `c`, `unseen-classes` and `unseen-database` a test split.
    """
    if "artist" in pool.labels:
        if "art" not in wanted or not len(pool.digests):
            return []
        artists = pool.labels["artist"]
        known = np.flatnonzero(artists.values != UNLABELLED)
        if len(known) != pool.size:
            raise ValueError(
                f"{pool.size - len(known)} works have no artist; the art split needs one for each"
            )
        return art_split([artists.names[i] for i in artists.values], pool.digests).protocols()
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
        "a": lambda: pooled(labels, training_in_database=False),
        "b": lambda: pooled(labels, training_in_database=True),
        "c": lambda: official_test(len(train), len(test)),
        "unseen-database": lambda: leave_one_out(test, train),
        "unseen-classes": lambda: unseen_classes(labels[train], labels[test]),
    }
    return [make() for key, make in cut.items() if key in wanted and possible[key]]

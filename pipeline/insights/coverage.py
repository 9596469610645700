"""How densely a collection is filled: unusual pictures, and how far a few typical ones stand for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.insights.label_noise import Doubt
from pipeline.vectors import unit

__all__ = ["LabelCoverage", "by_label", "covered", "unusual_order"]


@dataclass(frozen=True)
class LabelCoverage:
    """One label of a collection.

    Attributes:
        pictures: that have it.
        same: mean share of their neighbours that have it as well; 0 to 1.
        doubtful: pictures with this label that may be wrong.
        confused_with: the commonest other label among the neighbours; empty where there is none.
        covered: share of them that are near a typical picture of the collection.
    """

    label: str
    pictures: int
    same: float
    doubtful: int
    confused_with: str
    covered: float


def unusual_order(cosines: np.ndarray) -> np.ndarray:
    """(N,) places, the picture that is furthest from its K nearest first (Ramaswamy et al., SIGMOD 2000: here
    by their mean, which one near-copy changes little).

    Args:
        cosines: (N, K) with the nearest.
    """
    return np.argsort(cosines.mean(axis=1), kind="stable")


def covered(vectors: np.ndarray, typical: Sequence[int], threshold: float) -> np.ndarray:
    """(N,) bool: pictures that are as near to one of `typical` as a match, or are one of them.

    Args:
        vectors: (N, D).
        typical: places.
        threshold: cosine of a match.
    """
    rows = unit(vectors)
    return np.asarray((rows @ rows[list(typical)].T).max(axis=1) >= threshold)


def by_label(
    labels: Labels, neighbours: np.ndarray, near_typical: np.ndarray, doubts: Sequence[Doubt]
) -> list[LabelCoverage]:
    """A line for each label, the one with the fewest pictures first.

    Args:
        neighbours: (N, K) places.
        near_typical: (N,) bool, see `covered`.
    """
    doubtful = [doubt.label for doubt in doubts]
    lines = []
    for number, name in enumerate(labels.names):
        own = np.flatnonzero(labels.values == number)
        found = labels.values[neighbours[own]].ravel()
        found = found[found != UNLABELLED]
        counts = np.bincount(found, minlength=len(labels.names))
        same = counts[number] / max(1, len(found))
        counts[number] = 0
        other = labels.names[int(counts.argmax())] if counts.any() else ""
        share = float(near_typical[own].mean())
        lines.append(LabelCoverage(name, len(own), float(same), doubtful.count(name), other, share))
    return sorted(lines, key=lambda line: (line.pictures, line.label))

"""Labels that may be wrong: pictures whose neighbours agree on another label than theirs."""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED, Labels

__all__ = ["DOUBTFUL", "Doubt", "doubtful_labels"]

# How much larger the share of the neighbours' commonest other label must be than that of the picture's own.
# Measured by benchmarks.label_noise: docs/duplicates.md has the figures.
DOUBTFUL = 0.6


@dataclass(frozen=True)
class Doubt:
    """A picture whose label may be wrong.

    Attributes:
        place: of the picture, among those that were looked at.
        label, suggested: what it is called, and what most of its neighbours are called.
        own, other: shares of the neighbours with these two labels, weighted by nearness.
    """

    place: int
    label: str
    suggested: str
    own: float
    other: float

    @property
    def margin(self) -> float:
        """`other` − `own`; the larger, the surer."""
        return self.other - self.own


def doubtful_labels(
    neighbours: np.ndarray, cosines: np.ndarray, labels: Labels, least: float = DOUBTFUL
) -> list[Doubt]:
    """Pictures whose neighbours agree on another label, the surest first.

    A k-nearest-neighbour classifier that leaves the picture itself out (Wilson, "Asymptotic properties of
    nearest neighbor rules using edited data", 1972), with votes weighted by nearness. Neighbours without a
    label have no vote.

    Args:
        neighbours: (N, K) places, nearest first, not the picture itself.
        cosines: (N, K) of these.
        labels: of the N pictures.
        least: margin from which a label is doubtful, −1 to 1.

    >>> near = np.array([[1, 2], [0, 2], [0, 1]])
    >>> labels = Labels(np.array([0, 1, 1]), ("cat", "dog"))
    >>> doubtful_labels(near, np.ones((3, 2)), labels)
    [Doubt(place=0, label='cat', suggested='dog', own=0.0, other=1.0)]
    """
    found = labels.values[neighbours]
    weights = np.where(found == UNLABELLED, 0.0, np.maximum(cosines, 0.0))
    votes = np.zeros((len(found), len(labels.names)))
    np.add.at(votes, (np.arange(len(found))[:, None], np.maximum(found, 0)), weights)
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1e-9)
    asked = np.flatnonzero(labels.values != UNLABELLED)
    own = votes[asked, labels.values[asked]]
    votes[asked, labels.values[asked]] = -1.0
    best = votes[asked].argmax(axis=1)
    other = votes[asked, best]
    doubts = [
        Doubt(
            int(asked[at]),
            labels.names[labels.values[asked[at]]],
            labels.names[best[at]],
            round(float(own[at]), 4),
            round(float(other[at]), 4),
        )
        for at in np.flatnonzero(other - own >= least)
    ]
    return sorted(doubts, key=lambda doubt: (-doubt.margin, doubt.place))

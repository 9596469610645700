"""Groups of similar pictures, each with a name made of its labels and with its most typical pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.vectors import unit

__all__ = ["Cluster", "Share", "find_clusters", "name_of", "usual_number"]

_MOST_CLUSTERS, _PICTURES_EACH = 32, 25  # a page of them; fewer pictures have fewer clusters
_LEAST_SHARE, _LEAST_LIFT = 0.25, 1.5  # of a label, to name a cluster
_NAMES = 2  # labels in a name


@dataclass(frozen=True)
class Share:
    """How much of a cluster has a label, 0 to 1, and how many times its share of the whole that is."""

    field: str
    label: str
    share: float
    lift: float


@dataclass(frozen=True)
class Cluster:
    """Pictures that are near each other.

    Attributes:
        members: (M,) places of the pictures, the most typical first: nearest to the cluster's centre.
        tightness: mean cosine of the members with the centre.
        name: of its commonest labels; "mixed" where none stands out.
        shares: of labels that are commoner here than elsewhere, the largest first.
    """

    members: np.ndarray
    tightness: float
    name: str
    shares: tuple[Share, ...]


def usual_number(pictures: int) -> int:
    """Clusters of a collection, unless somebody asks for another number."""
    return max(1, min(_MOST_CLUSTERS, pictures // _PICTURES_EACH))


def find_clusters(
    vectors: np.ndarray, labels: Mapping[str, Labels], number: int, seed: int = 0
) -> list[Cluster]:
    """k-means over unit vectors (spherical but for the length of the centres), largest cluster first.

    Args:
        vectors: (N, D), N ≥ 1.
        labels: field -> labels of the N pictures.
        number: of clusters; fewer come out where pictures are equal.
    """
    from sklearn.cluster import MiniBatchKMeans

    rows = unit(vectors)
    number = max(1, min(number, len(np.unique(rows, axis=0)) if len(rows) <= number else number))
    made = MiniBatchKMeans(number, random_state=seed, n_init=3, batch_size=4096).fit(rows)
    centres = unit(made.cluster_centers_)
    clusters = []
    for at in range(number):
        members = np.flatnonzero(made.labels_ == at)
        if not len(members):
            continue
        cosines = rows[members] @ centres[at]
        shares = _shares(members, labels)
        ordered = members[np.argsort(-cosines, kind="stable")]
        clusters.append(Cluster(ordered, float(cosines.mean()), name_of(shares), shares))
    return sorted(clusters, key=lambda cluster: (-len(cluster.members), int(cluster.members[0])))


def _shares(members: np.ndarray, labels: Mapping[str, Labels]) -> tuple[Share, ...]:
    found = []
    for field, each in labels.items():
        known = each.values[each.values != UNLABELLED]
        here = each.values[members]
        here = here[here != UNLABELLED]
        if not len(here):
            continue
        counts = np.bincount(here, minlength=len(each.names)) / len(here)
        everywhere = np.bincount(known, minlength=len(each.names)) / len(known)
        for label in np.flatnonzero(counts >= _LEAST_SHARE):
            lift = float(counts[label] / everywhere[label])
            if lift >= _LEAST_LIFT:
                found.append(Share(field, each.names[label], float(counts[label]), lift))
    return tuple(sorted(found, key=lambda share: (-share.share, share.label)))


def name_of(shares: tuple[Share, ...]) -> str:
    """The largest shares in words.

    >>> name_of((Share("label", "cat", 0.6, 6.0), Share("label", "dog", 0.3, 3.0)))
    'cat, dog'
    """
    return ", ".join(share.label for share in shares[:_NAMES]) or "mixed"

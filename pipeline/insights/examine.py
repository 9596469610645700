"""A version -> its insights: reads vectors and labels, finds neighbours, and asks each part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SimileError
from pipeline.evaluation.labels import encode_labels
from pipeline.index_quality.calibration import calibrate, fold_cosine
from pipeline.insights.clusters import Cluster, find_clusters, usual_number
from pipeline.insights.coverage import LabelCoverage, by_label, covered, unusual_order
from pipeline.insights.label_noise import DOUBTFUL, Doubt, doubtful_labels
from pipeline.report.geometry import find_neighbours
from pipeline.store import Store
from pipeline.store.manifest import EncoderEntry, Version
from pipeline.store.read_points import read_points

__all__ = ["NEIGHBOURS", "PICTURES", "FieldInsights", "Insights", "examine"]

PICTURES = 50_000  # of more, a fair sample: exact neighbours take time that grows with the square
NEIGHBOURS = 15  # that vote on a label
_UNUSUAL = 48  # pictures


@dataclass(frozen=True)
class FieldInsights:
    """One field of labels.

    Attributes:
        doubts: labels that may be wrong, the surest first.
        labels: a line for each label.
    """

    field: str
    doubts: list[Doubt]
    labels: list[LabelCoverage]


@dataclass(frozen=True)
class Insights:
    """What was found; places are those of `ids`.

    Attributes:
        ids: (N,) of the pictures that were looked at, of `total`.
        clusters: largest first.
        unusual: places, the most unusual first, and `nearness`: mean cosine of each with its neighbours.
        covered: share of pictures that are a match of the most typical picture of some cluster.
        copies: share whose nearest neighbour is as near as a copy.
        fields: of labels.
    """

    ids: list[str]
    total: int
    clusters: list[Cluster]
    unusual: list[int]
    nearness: list[float]
    covered: float
    copies: float
    fields: list[FieldInsights]


def examine(
    store: Store,
    version: Version,
    entry: EncoderEntry,
    fields: Sequence[str],
    limit: int = PICTURES,
    clusters: int | None = None,
    doubtful: float = DOUBTFUL,
) -> Insights:
    """Look at a version.

    Args:
        entry: the encoder whose vectors are compared.
        fields: payload fields that are labels.
        limit: pictures at most, a fair sample of more.
        clusters: how many; None: as many as suit the number of pictures.
        doubtful: margin from which a label is doubtful.

    Raises:
        SimileError: the version holds fewer than three pictures.
    """
    points = read_points(store, version.name, [entry.vector, entry.code], list(fields), limit)
    if len(points.ids) < 3:
        name = version.manifest.collection
        raise SimileError(f"'{name}' holds {len(points.ids)} pictures; insights compare them and need three.")
    vectors = points.vectors[entry.vector]
    near = find_neighbours(vectors, len(vectors), NEIGHBOURS)
    labels = {field: encode_labels(values) for field, values in points.fields.items()}
    labels = {field: each for field, each in labels.items() if each.tell_apart}
    found = find_clusters(vectors, labels, clusters or usual_number(len(vectors)))
    calibration = entry.calibration or calibrate(vectors, points.vectors[entry.code])
    typical = [int(cluster.members[0]) for cluster in found]
    near_typical = covered(vectors, typical, calibration.cosine.threshold)
    told = []
    for field, each in labels.items():
        doubts = doubtful_labels(near.places, near.scores, each, doubtful)
        told.append(FieldInsights(field, doubts, by_label(each, near.places, near_typical, doubts)))
    unusual = unusual_order(near.scores)[:_UNUSUAL].tolist()
    return Insights(
        ids=points.ids,
        total=store.count(version.name),
        clusters=found,
        unusual=unusual,
        nearness=[round(float(near.scores[at].mean()), 4) for at in unusual],
        covered=float(near_typical.mean()),
        copies=float(np.mean(near.scores[:, 0] >= fold_cosine(calibration))),
        fields=told,
    )

"""The report on one encoder of a collection: numbers, drawings, and ids of pictures to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.evaluation import auc
from pipeline.evaluation.labels import UNLABELLED, Labels
from pipeline.index_quality.calibration import calibrate, unusualness
from pipeline.report.charts import heat_map, histogram
from pipeline.report.geometry import (
    Neighbours,
    confusion,
    find_neighbours,
    hubness,
    pair_scores,
    shared_labels,
)
from pipeline.store.manifest import EncoderEntry
from pipeline.store.measured import Calibration

__all__ = ["EncoderSection", "LabelSection", "NeighbourExample", "encoder_section", "nearest_unusualness"]

_QUERIES = 5000
_K = 10
_SHOWN = 5  # neighbours beside an example
_EXAMPLES = 5
_LARGEST_MAP = 20  # labels in a heat map; of more the most frequent
_COPIES = 0.97  # cosine from which a pair is shown as a possible copy


@dataclass(frozen=True)
class NeighbourExample:
    """A picture and its nearest neighbours.

    Attributes:
        query: id of the picture.
        neighbours: ids, nearest first.
        scores: their cosines.
        right: whether each has the label of the picture.
        share: of the ten nearest that have it.
    """

    query: str
    neighbours: list[str]
    scores: list[float]
    right: list[bool]
    share: float


@dataclass(frozen=True)
class LabelSection:
    """Measures of one encoder by one label field."""

    field: str
    labels: int
    labelled: int  # pictures
    auc: float
    same_mean: float
    different_mean: float
    chance: float  # share of pairs with the same label
    first: float  # share of nearest neighbours with the same label
    ten: float
    histogram: str
    heat_map: str
    heat_map_labels: int
    confused: list[tuple[str, str, float]]
    best: list[NeighbourExample]
    worst: list[NeighbourExample]


@dataclass(frozen=True)
class EncoderSection:
    """Measures of one encoder's vectors, with and without labels."""

    entry: EncoderEntry
    queries: int
    code_bits: int
    labels: list[LabelSection]
    calibration: Calibration
    random_histogram: str
    hubness: dict[str, Any]
    hubs: list[str]
    copies: int
    closest: list[tuple[str, str, float]]
    nearest_mean: float
    nearest_unusual: float  # share of pictures whose nearest neighbour reaches the match threshold
    pictures: set[str] = field(default_factory=set)  # ids to be shown


def encoder_section(
    entry: EncoderEntry,
    ids: Sequence[str],
    vectors: np.ndarray,
    codes: np.ndarray,
    labels: Mapping[str, Labels],
) -> EncoderSection:
    """Measure and draw.

    Args:
        entry: the encoder.
        ids: (N,).
        vectors, codes: (N, D) and (N, B), as stored.
        labels: field -> labels of the N pictures.
    """
    near = find_neighbours(vectors, _QUERIES, _K)
    calibration = entry.calibration or calibrate(vectors, codes)
    nearest = near.scores[:, 0] if near.scores.shape[1] else np.empty(0, np.float32)
    everything = pair_scores(vectors, np.zeros(len(vectors), np.int64))[0]
    hubs = hubness(near, len(vectors))
    closest = _closest(near, ids)
    sections = [_label_section(name, each, vectors, near, ids) for name, each in labels.items()]
    shown = {ids[place] for place in hubs["hubs"]} | {point for pair in closest for point in pair[:2]}
    for section in sections[:1]:
        for example in section.best + section.worst:
            shown |= {example.query, *example.neighbours}
    threshold = calibration.cosine.threshold
    return EncoderSection(
        entry=entry,
        queries=len(near.queries),
        code_bits=codes.shape[1],
        labels=sections,
        calibration=calibration,
        random_histogram=histogram(
            {"nearest neighbours": nearest, "random pairs": everything}, {"“all matches”": threshold}
        ),
        hubness=hubs,
        hubs=[ids[place] for place in hubs["hubs"]],
        copies=int((nearest >= _COPIES).sum()),
        closest=closest,
        nearest_mean=float(nearest.mean()) if len(nearest) else 0.0,
        nearest_unusual=float((nearest >= threshold).mean()) if len(nearest) else 0.0,
        pictures=shown,
    )


def _label_section(
    name: str, labels: Labels, vectors: np.ndarray, near: Neighbours, ids: Sequence[str]
) -> LabelSection:
    values = labels.values
    same, different = pair_scores(vectors, values)
    share = shared_labels(near, values)
    asked = ~np.isnan(share)
    first = values[near.places[:, 0]] == values[near.queries]
    counts = np.bincount(values[values != UNLABELLED], minlength=len(labels.names))
    shown = np.sort(np.argsort(-counts, kind="stable")[:_LARGEST_MAP])
    shares = confusion(near, values, len(labels.names))
    return LabelSection(
        field=name,
        labels=len(labels.names),
        labelled=int((values != UNLABELLED).sum()),
        auc=auc(same, different),
        same_mean=float(same.mean()),
        different_mean=float(different.mean()),
        chance=len(same) / (len(same) + len(different)),
        first=float(first[asked].mean()),
        ten=float(share[asked].mean()),
        histogram=histogram({f"same {name}": same, f"different {name}": different}),
        heat_map=heat_map(shares[np.ix_(shown, shown)], [labels.names[i] for i in shown]),
        heat_map_labels=len(shown),
        confused=_confused(shares, labels.names),
        best=_examples(near, values, share, ids, best=True),
        worst=_examples(near, values, share, ids, best=False),
    )


def _confused(shares: np.ndarray, names: Sequence[str]) -> list[tuple[str, str, float]]:
    """The six largest shares off the diagonal."""
    off = shares * (1 - np.eye(len(shares)))
    order = np.argsort(-off, axis=None)[:6]
    rows, columns = np.unravel_index(order, off.shape)
    return [
        (names[i], names[j], float(off[i, j])) for i, j in zip(rows, columns, strict=True) if off[i, j] > 0
    ]


def _examples(
    near: Neighbours, values: np.ndarray, share: np.ndarray, ids: Sequence[str], best: bool
) -> list[NeighbourExample]:
    """Pictures of different labels of whose ten neighbours the most have, or lack, their label.

    Among equals, those with the largest cosine to their nearest neighbour come first.
    """
    sure = near.scores[:, 0]
    score = np.nan_to_num(share if best else -share, nan=-2.0)
    order = np.lexsort((-sure, -score))
    examples: list[NeighbourExample] = []
    seen: set[int] = set()
    for at in order:
        label = int(values[near.queries[at]])
        if label == UNLABELLED or label in seen or (not best and share[at] >= 0.5):
            continue
        seen.add(label)
        found = near.places[at, :_SHOWN]
        examples.append(
            NeighbourExample(
                ids[near.queries[at]],
                [ids[place] for place in found],
                near.scores[at, :_SHOWN].tolist(),
                (values[found] == label).tolist(),
                float(share[at]),
            )
        )
        if len(examples) == _EXAMPLES:
            break
    return examples


def _closest(near: Neighbours, ids: Sequence[str]) -> list[tuple[str, str, float]]:
    """The six closest pairs of different pictures."""
    pairs: dict[tuple[str, str], float] = {}
    for at in np.argsort(-near.scores[:, 0])[:50] if near.scores.shape[1] else []:
        first, second = sorted((ids[near.queries[at]], ids[near.places[at, 0]]))
        pairs.setdefault((first, second), float(near.scores[at, 0]))
    return [(a, b, score) for (a, b), score in list(pairs.items())[:6]]


def nearest_unusualness(section: EncoderSection) -> float:
    """How unusual the mean nearest neighbour is among random pairs."""
    return unusualness(section.nearest_mean, section.calibration.cosine)

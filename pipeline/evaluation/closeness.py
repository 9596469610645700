"""Are the closeness words true? "top 1%" says that one random pair in a hundred is as near or nearer.

The words come from pairs of a collection's own pictures. Here new pictures ask, which the calibration never
saw: the share of the database that is called "top 1%" should be one in a hundred of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.pool import Vectors
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.rankings import cosine_blocks
from pipeline.evaluation.scores import summary
from pipeline.index_quality.calibration import calibrate, score_of_share

__all__ = ["SHARES", "ClosenessRow", "measure_closeness"]

SHARES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)  # "top 0.1%" to "top 10%"


@dataclass(frozen=True)
class ClosenessRow:
    """What is behind one of the words.

    Attributes:
        share: what the word says, 0.01 for "top 1%".
        measured: the share of the database that got the word, over queries: mean, low, high.
        alike: field -> the share of these hits with the query's label; None where there were none.
    """

    share: float
    measured: dict[str, float]
    alike: dict[str, float | None]


def measure_closeness(
    vectors: Vectors, protocol: Protocol, labels: Mapping[str, np.ndarray]
) -> Iterator[ClosenessRow]:
    """One row for each of `SHARES`, by cosine of prepared vectors.

    Args:
        vectors: of the whole pool.
        protocol: its database is calibrated as an index job would; its queries ask.
        labels: field -> (N,) int of the whole pool.
    """
    database = vectors.prepared[protocol.database]
    kept = calibrate(database, vectors.codes[protocol.database]).cosine
    thresholds = [score_of_share(share, kept) for share in SHARES]
    reached: list[list[np.ndarray]] = [[] for _ in SHARES]
    hits = np.zeros((len(SHARES), len(labels)), np.int64)
    right = np.zeros_like(hits)
    start = 0
    first = next(iter(labels.values()))
    others = len(database) - (protocol.own is not None)
    for scores, _ in cosine_blocks(
        vectors.prepared[protocol.queries],
        database,
        first[protocol.queries],
        first[protocol.database],
        protocol.own,
    ):
        asked = protocol.queries[start : start + len(scores)]
        start += len(scores)
        for at, threshold in enumerate(thresholds):
            near = scores >= threshold
            reached[at].append(near.sum(axis=1) / others)
            for column, values in enumerate(labels.values()):
                wanted = values[asked][:, None]
                there = values[protocol.database][None]
                hits[at, column] += (near & (wanted != UNLABELLED)).sum()
                right[at, column] += (near & (wanted != UNLABELLED) & (wanted == there)).sum()
    for at, share in enumerate(SHARES):
        alike = {
            field: round(float(right[at, column] / hits[at, column]), 4) if hits[at, column] else None
            for column, field in enumerate(labels)
        }
        yield ClosenessRow(share, summary(np.concatenate(reached[at])), alike)

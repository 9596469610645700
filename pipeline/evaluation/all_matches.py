""" "All matches": what a threshold that random pairs set finds, and what it misses."""

from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.metrics import bootstrap_ratio
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.rankings import cosine_blocks, hamming_groups
from pipeline.index_quality.calibration import calibrate, match_tail, match_threshold
from pipeline.store.measured import Calibration

__all__ = ["counts_at", "match_table"]

_ROUNDING = 1e-6  # of kept scores: as the search has it, a hit at the threshold is a match
_TAILS = (1e-4, 1e-3, 1e-2, 1e-1)  # share of random pairs allowed to reach the threshold


def match_table(
    vectors: np.ndarray,
    codes: np.ndarray,
    protocol: Protocol,
    labels: np.ndarray,
    calibration: Calibration | None = None,
) -> list[dict[str, Any]]:
    """Precision and recall of thresholds that are calibrated on the database, without labels or queries.

    Args:
        vectors: (N, D) float of the whole pool.
        codes: (N, B) of −1 and +1.
        labels: (N,) int.
        calibration: of the collection; by default measured on the database.

    Returns:
        A row for each metric and share of random pairs (`tail`): `threshold` (score),
        `precision` = relevant matches / matches and `recall` = relevant matches / relevant pictures, over
        all queries together, each with a 95 % bootstrap interval over queries (`precision_low`, …), None
        where nothing was found or nothing is relevant; `matches`: mean number a query; `empty`: share of
        queries without any.
        `default` marks the one of "all matches".
    """
    asked = labels[protocol.queries] != UNLABELLED
    queries, there = protocol.queries[asked], labels[protocol.database]
    own = None if protocol.own is None else protocol.own[asked]
    database = protocol.database
    calibration = calibration or calibrate(vectors[database], codes[database])
    rows = []
    for metric, each, kept in (
        ("cosine", vectors, calibration.cosine),
        ("hamming", codes, calibration.hamming),
    ):
        default = match_tail(kept.images)
        tails = sorted({*_TAILS, default})
        thresholds = [match_threshold(kept, tail) for tail in tails]
        found, right, total = counts_at(
            metric, each[queries], each[database], labels[queries], there, thresholds, own
        )
        for at, tail in enumerate(tails):
            rows.append(
                {
                    "metric": metric,
                    "tail": tail,
                    "default": tail == default,
                    "threshold": round(thresholds[at], 4),
                    **_share("precision", right[:, at], found[:, at]),
                    **_share("recall", right[:, at], total),
                    "matches": round(float(found[:, at].mean()), 2) if len(found) else 0.0,
                    "empty": round(float((found[:, at] == 0).mean()), 4) if len(found) else 0.0,
                }
            )
    return rows


def counts_at(
    metric: str,
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    thresholds: list[float],
    own: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Q, T) hits whose score reaches each threshold, (Q, T) relevant ones of them, (Q,) relevant in all.

    Scores are cosines, or 1 − 2h/B for Hamming distance h of B bits.
    """
    least = [threshold - _ROUNDING for threshold in thresholds]
    if metric == "hamming":
        groups = hamming_groups(queries, database, query_labels, database_labels, own)
        scores = 1 - 2 * np.arange(groups.sizes.shape[1]) / database.shape[1]
        within = [scores >= threshold for threshold in least]
        found = np.stack([groups.sizes[:, keep].sum(axis=1) for keep in within], axis=1)
        right = np.stack([groups.relevant[:, keep].sum(axis=1) for keep in within], axis=1)
        return found, right, groups.total
    parts = [
        (
            np.stack([(scores >= t).sum(axis=1) for t in least], axis=1),
            np.stack([((scores >= t) & relevant).sum(axis=1) for t in least], axis=1),
            relevant.sum(axis=1),
        )
        for scores, relevant in cosine_blocks(queries, database, query_labels, database_labels, own)
    ]
    none = np.empty((0, len(thresholds)), np.int64)
    if not parts:
        return none, none, np.empty(0, np.int64)
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))  # type: ignore[return-value]


def _share(name: str, parts: np.ndarray, wholes: np.ndarray) -> dict[str, float | None]:
    """Sum of (Q,) parts in the sum of (Q,) wholes, and its interval."""
    if not wholes.sum():
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = bootstrap_ratio(parts, wholes)
    values = {name: parts.sum() / wholes.sum(), f"{name}_low": low, f"{name}_high": high}
    return {key: round(float(value), 4) for key, value in values.items()}

"""Protocols × encoders -> results: the tables that a report and a terminal show, as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.matches import match_table
from pipeline.evaluation.methods import Vectors, methods_of
from pipeline.evaluation.protocols import Protocol
from pipeline.evaluation.recommendation import LIKED, draw_trials, recommend_table
from pipeline.evaluation.scores import TIE_RULE, score

__all__ = ["SEED", "labelled", "measure"]

SEED = 0
_RECOMMENDED = ("artist", "style")  # a liked genre or class says too little to find one work by


def measure(
    encoder: str,
    vectors: Vectors,
    protocol: Protocol,
    labels: Mapping[str, np.ndarray],
    calibration: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that one protocol says of one encoder.

    Args:
        encoder: its name, for the record.
        vectors: of the whole pool.
        protocol: index sets into the pool.
        labels: field -> (N,) int.
        calibration: whose thresholds "all matches" are measured at, a collection's own; by default that of
            the protocol's database.

    Returns:
        JSON-able: protocol, counts, seed, tie rule, kind of intervals, and the tables `rows` (a method and
        field each), `matches` and `recommendation`.
    """
    rows = [
        {"method": method.name, "metric": method.metric, "bytes": method.bytes, "field": field}
        | score(method, protocol, values)
        for method in methods_of(vectors, protocol, labels)
        for field, values in labels.items()
        if method.field in (None, field)
    ]
    return {
        "key": protocol.key,
        "protocol": protocol.name,
        "about": protocol.about,
        "counts": protocol.counts,
        "encoder": encoder,
        "seed": SEED,
        "ties": TIE_RULE,
        "intervals": "95 %, bootstrap over queries, 2,000 draws",
        "rows": rows,
        "matches": [
            {"field": field} | row
            for field, values in labels.items()
            for row in match_table(vectors.prepared, vectors.codes, protocol, values, calibration)
        ],
        "recommendation": list(_recommendations(vectors.prepared, protocol, labels)),
    }


def _recommendations(
    prepared: np.ndarray, protocol: Protocol, labels: Mapping[str, np.ndarray]
) -> Iterator[dict[str, Any]]:
    """Liked works come from the database; the one held out is a query, so never trained on."""
    for field in (f for f in _RECOMMENDED if f in labels):
        for liked in LIKED:
            trials = draw_trials(labels[field], liked, protocol.database, protocol.queries, SEED)
            if len(trials.held_out):
                for row in recommend_table(prepared, labels[field], trials, protocol.database):
                    yield {"field": field} | row


def labelled(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields with two different labels or more; with fewer there is nothing to tell apart."""
    return {
        field: values for field, values in labels.items() if len(np.unique(values[values != UNLABELLED])) > 1
    }

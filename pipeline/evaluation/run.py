"""Measure what is stored in a collection, or named protocols on a source; ray_jobs/evaluate.py calls this.

What the search engine itself returns is measured by engine.py.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.config import ProjectionConfig
from pipeline.encoders import describe_encoder
from pipeline.errors import SimileError
from pipeline.evaluation.all_matches import match_table
from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.methods import fit_on, methods_of, prepare
from pipeline.evaluation.pool import Pool, Vectors, read_stored
from pipeline.evaluation.protocols import Protocol, protocols_of, sampled
from pipeline.evaluation.recommendation import LIKED, draw_trials, recommend_table
from pipeline.evaluation.scores import TIE_RULE, score
from pipeline.progress import say
from pipeline.projection import Projection
from pipeline.search import Collection
from pipeline.store.measured import Calibration

__all__ = ["DRAWN", "SEED", "TRAINED_ON", "labelled", "measure", "measure_pool", "measure_stored"]

TRAINED_ON = ("elsewhere", "train", "a", "b", "unseen-classes")
DRAWN = ("a", "b")  # whose training pictures are a draw from all of the source
# What a network was trained on -> protocols whose queries, and other unseen pictures, it was not trained on.
_UNSPOILT = {
    "train": {"c", "unseen-database", "art"},
    "a": {"a", "b"},
    "b": {"a", "b"},
    "unseen-classes": {"unseen-classes", "c", "unseen-database"},
}
SEED = 0
_STORED_QUERIES = 5000
_RECOMMENDED = ("artist", "style")  # a liked genre or class says too little to find one work by


def measure_stored(
    collection: Collection, encoders: Sequence[str], fields: Sequence[str], limit: int | None = None
) -> list[dict[str, Any]]:
    """Vectors and codes as they are stored: the first points ask, all others answer.

    Args:
        encoders: of the collection.
        fields: payload fields that are labels.
        limit: queries; 5,000 by default.

    Raises:
        SimileError: no labels.
    """
    store, version = collection.live
    results = []
    for name in encoders:
        entry = version.manifest.encoder(name)
        pool, vectors, _ = read_stored(store, version.name, entry, fields)
        labels = labelled({field: each.values for field, each in pool.labels.items()})
        if not labels:
            raise SimileError(
                f"'{collection.name}' has no labels to measure with; name payload columns with --fields, or "
                f"see python -m ray_jobs.report {collection.name} for what can be said without."
            )
        protocol = sampled(pool.size, limit or _STORED_QUERIES)
        results.append(measure(name, vectors, protocol, labels, entry.calibration))
    return results


def measure_pool(
    pool: Pool,
    encoders: Sequence[str],
    wanted: Sequence[str],
    trained_on: str | None = None,
    projection: ProjectionConfig | None = None,
    baseline: str | None = None,
) -> list[dict[str, Any]]:
    """Named protocols on a source.

    Args:
        pool: with the raw outputs of `encoders`.
        wanted: keys of protocols.
        trained_on: which pictures of this source the encoders were trained on, one of `TRAINED_ON`; by
            default its training pictures for networks of ray_jobs/train.py, and none for all others.
        projection: how prepared vectors are made; the collection's.
        baseline: one of the encoders, which saw nothing of this source whatever `trained_on` says.

    Raises:
        SimileError: no protocol is possible; or `trained_on` is a draw, and not all of the source is here.
    """
    if trained_on in DRAWN and pool.missing:
        raise SimileError(
            f"{pool.missing:,} pictures of the source have no vector, so protocols A and B would draw other "
            "queries than those kept out of training; repair the pictures, or leave out the encoder that "
            "rejects them (--baseline none leaves out the baseline)."
        )
    labels = labelled({field: each.values for field, each in pool.labels.items()})
    protocols = protocols_of(pool, wanted)
    results = []
    for name in encoders:
        description = describe_encoder(name)
        own = "train" if description.family.startswith("simile:") else "elsewhere"
        seen = "elsewhere" if name == baseline else trained_on or own
        raw = np.asarray(pool.raw[name], np.float32)
        projections: dict[bytes, Projection] = {}  # by training pictures, which some protocols share
        for protocol in tqdm(_unspoilt(protocols, seen, name), desc=name, file=sys.stderr, leave=False):
            key = protocol.training.tobytes() or protocol.database.tobytes()
            if key not in projections:
                projections[key] = fit_on(
                    raw, description.code_bits, protocol, projection or ProjectionConfig()
                )
            vectors = prepare(raw, description.code_bits, projections[key])
            missing = {"source_missing": pool.missing, "trained_on": seen}
            results.append(measure(name, vectors, protocol, labels) | missing)
    if not results:
        raise SimileError(
            f"None of the protocols {', '.join(wanted)} works for this source and these encoders; a, b, c "
            "and unseen-classes need ten classes, all but a and b need a test split, art needs a column "
            "'artist'."
        )
    return results


def _unspoilt(protocols: Sequence[Protocol], seen: str, encoder: str) -> list[Protocol]:
    allowed = _UNSPOILT.get(seen)
    for protocol in protocols:
        if allowed is not None and protocol.key not in allowed:
            say(
                f"left out, because {encoder} may have seen pictures of it in training (if it did not, give "
                f"--trained-on elsewhere): {protocol.name}"
            )
    return [protocol for protocol in protocols if allowed is None or protocol.key in allowed]


def measure(
    encoder: str,
    vectors: Vectors,
    protocol: Protocol,
    labels: Mapping[str, np.ndarray],
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """All measures of one encoder under one protocol.

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
    """Rows for each field and number of liked works.

    Liked works come from the database; the work held out is a query, so that it was never trained on.
    """
    for field in (f for f in _RECOMMENDED if f in labels):
        for liked in LIKED:
            trials = draw_trials(labels[field], liked, protocol.database, protocol.queries, SEED)
            if len(trials.held_out):
                for row in recommend_table(prepared, labels[field], trials, protocol.database):
                    yield {"field": field} | row


def labelled(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields with two different labels or more."""
    return {
        field: values for field, values in labels.items() if len(np.unique(values[values != UNLABELLED])) > 1
    }

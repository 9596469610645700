"""Settings of quantization and search, tried on a collection's own vectors: recall, RAM, milliseconds."""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import CollectionConfig, EncoderConfig, QuantizationConfig, SearchConfig
from pipeline.errors import SimileError
from pipeline.index_quality.recall import K, Queries, exact_scores, measure
from pipeline.staging.vectors import Staging
from pipeline.store import Manifest, Store, open_store
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.embedded_translation import INDEXING_THRESHOLD
from pipeline.store.protocol import Resident, vector_params
from pipeline.store.versions import live_version
from pipeline.vectors import unit

__all__ = [
    "QUANTIZATIONS",
    "SEARCHES",
    "Trial",
    "Tuning",
    "frontier",
    "recommend",
    "staged_vectors",
    "try_settings",
    "tune_collection",
]

_VECTOR = "v"
_BATCH = 1000
_FLOAT_BYTES = 4  # without codes, the originals are compared
QUERIES = 500

QUANTIZATIONS: tuple[dict[str, Any], ...] = (
    {"kind": "binary", "bits": 1},
    {"kind": "binary", "bits": 1.5},
    {"kind": "binary", "bits": 2},
    {"kind": "turbo", "bits": 1},
    {"kind": "turbo", "bits": 1.5},
    {"kind": "turbo", "bits": 2},
    {"kind": "turbo", "bits": 4},
    {"kind": "scalar"},
    {"kind": "product", "compression": "x32"},
    {"kind": "none"},
)
SEARCHES: tuple[dict[str, Any], ...] = (
    {"oversampling": 1, "hnsw_ef": 64},
    {"oversampling": 2, "hnsw_ef": 128},
    {"oversampling": 4, "hnsw_ef": 128},
    {"oversampling": 8, "hnsw_ef": 128},
    {"oversampling": 16, "hnsw_ef": 256},
)


@dataclass(frozen=True)
class Trial:
    """What one setting gave.

    Attributes:
        quantization, search: as the YAML says them.
        recall: recall@10 by distance against exact search.
        code_bytes, link_bytes: RAM a picture, for its vector and for its place in the graph.
        ms: median of one query after the other.
    """

    quantization: dict[str, Any]
    search: dict[str, Any]
    recall: float
    code_bytes: float
    link_bytes: float
    ms: float

    @property
    def bytes(self) -> float:
        """RAM a picture in all."""
        return self.code_bytes + self.link_bytes


@dataclass(frozen=True)
class Tuning:
    """The trials on a collection, and which of them is recommended.

    Attributes:
        points, dimension: of the vectors that were tried.
        recall_wanted: what the recommendation has to reach.
    """

    collection: str
    points: int
    dimension: int
    recall_wanted: float
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The recommended trial."""
        return recommend(self.trials, self.recall_wanted)

    @property
    def recommended(self) -> dict[str, Any]:
        """The recommended settings, as the YAML says them."""
        return {"quantization": self.best.quantization, "search": self.best.search}

    def summary(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "collection": self.collection,
            "points": self.points,
            "dimension": self.dimension,
            "recall_wanted": self.recall_wanted,
            "reached": self.best.recall >= self.recall_wanted,
            "recommended": self.recommended,
            "trials": [asdict(trial) for trial in self.trials],
            "frontier": [asdict(trial) for trial in frontier(self.trials)],
        }


def tune_collection(
    home: str,
    collection: str,
    encoder: str | None = None,
    *,
    points: int = 50_000,
    recall: float = 0.99,
    after_each: Callable[[Trial], None] = lambda trial: None,
) -> Tuning:
    """Tries all of `QUANTIZATIONS` and `SEARCHES` on the staged vectors of a collection.

    Args:
        home: where the collection was staged.
        encoder: one of the collection's; None for the first.
        points: at most so many vectors.
        recall: recall@10 that the recommendation has to reach.
        after_each: called with each trial, to show progress.

    Raises:
        SimileError: no such collection or encoder, or so few vectors that Qdrant uses neither codes nor a
            graph for them.
    """
    manifest = live_version(open_store(home), collection).manifest
    vectors = staged_vectors(home, manifest, encoder, points)
    if vectors.nbytes < 1000 * INDEXING_THRESHOLD:
        raise SimileError(
            f"{len(vectors):,} vectors of {vectors.shape[1]} components are less than {INDEXING_THRESHOLD:,} "
            "kB: Qdrant compares so few without codes and without a graph, and there is nothing to tune."
        )
    config = CollectionConfig(
        collection=collection,
        source="staged",
        encoders=[EncoderConfig(name="staged")],
        hnsw=manifest.hnsw,
    )
    trials = []
    with _scratch_store() as scratch:
        for trial in try_settings(scratch, vectors, config):
            after_each(trial)
            trials.append(trial)
    return Tuning(collection, len(vectors), vectors.shape[1], recall, tuple(trials))


def staged_vectors(home: str, manifest: Manifest, encoder: str | None, points: int) -> np.ndarray:
    """(≤ points, D) float32: staged raw outputs, prepared by the projection of the collection."""
    entry = manifest.encoder(encoder)
    staging = Staging(home, manifest.collection, entry.fingerprint)
    raw = staging.sample(points)
    if len(raw) < 2:
        raise SimileError(
            f"Fewer than two vectors are staged below {home}; index the collection there first."
        )
    return manifest.projection_of(entry).apply(raw)


@contextmanager
def _scratch_store() -> Iterator[Store]:
    """The server at QDRANT_URL, where scratch versions have no alias; else a temporary folder."""
    if os.environ.get("QDRANT_URL"):
        yield open_store()
        return
    with tempfile.TemporaryDirectory(prefix="simile-tune-") as folder:
        yield EmbeddedStore(Path(folder))


def try_settings(
    store: Store,
    vectors: np.ndarray,
    config: CollectionConfig,
    quantizations: Sequence[dict[str, Any]] = QUANTIZATIONS,
    searches: Sequence[dict[str, Any]] = SEARCHES,
) -> Iterator[Trial]:
    """Build a scratch version for each quantization, measure each search on it, and drop it again.

    Args:
        store: where; an embedded one in a temporary folder, or a server.
        vectors: (N, D) float32, prepared; the first 500 are the queries, each held out of its own results.
        config: of the collection; its HNSW settings are kept. Where they give so few vectors no graph,
            `hnsw_ef` says nothing and is left out.
    """
    walked = config.hnsw.over_vectors(len(vectors), vectors.shape[1])
    rows = unit(vectors)
    ids = [str(uuid.UUID(int=at)) for at in range(len(vectors))]
    queries = Queries(_VECTOR, rows[:QUERIES], ids[:QUERIES])
    truth: list[dict[str, float]] = []
    for wanted in quantizations:
        quantization = QuantizationConfig.model_validate(wanted)
        version = f"{config.collection}__tune{uuid.uuid4().hex}"
        try:
            _fill(store, version, config.model_copy(update={"quantization": quantization}), rows, ids)
            truth = truth or exact_scores(store, version, queries, SearchConfig().to_qdrant(K, exact=True))
            codes = len(ids) * quantization.code_bytes(vectors.shape[1])
            links = round(len(ids) * config.hnsw.link_bytes(len(ids))) if walked else 0
            resident = (store.resident_bytes(version) or {}).get(_VECTOR) or Resident(codes, links)
            fitting = searches if quantization.kind != "none" else [{"hnsw_ef": s} for s in (64, 128)]
            for search in fitting if walked else _without_graph(fitting):
                params = SearchConfig.model_validate(search).to_qdrant(K + 1)
                found = measure(store, version, queries, truth, params)
                yield Trial(
                    wanted,
                    search,
                    round(found.recall, 4),
                    round(resident.codes / len(ids), 1) or float(_FLOAT_BYTES * vectors.shape[1]),
                    round(resident.links / len(ids), 1),
                    round(found.ms, 3),
                )
        finally:
            store.drop(version)


def _without_graph(searches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The searches that differ in more than how they would walk a graph, each once."""
    kept: list[dict[str, Any]] = []
    for search in searches:
        asked = {name: value for name, value in search.items() if name != "hnsw_ef"}
        if asked not in kept:
            kept.append(asked)
    return kept


def _fill(store: Store, version: str, config: CollectionConfig, unit: np.ndarray, ids: list[str]) -> None:
    params = vector_params(config, {_VECTOR: unit.shape[1]}, {}, len(ids))
    store.create(version, config, params, {})
    for start in range(0, len(ids), _BATCH):
        part = slice(start, start + _BATCH)
        store.upsert(version, ids[part], {_VECTOR: unit[part]}, [{}] * len(ids[part]))
    store.finish(version)


def frontier(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that no other one beats in recall, RAM and time at once; by RAM, then time."""

    def beaten(one: Trial, other: Trial) -> bool:
        no_worse = other.recall >= one.recall and other.bytes <= one.bytes and other.ms <= one.ms
        return no_worse and (other.recall, -other.bytes, -other.ms) != (one.recall, -one.bytes, -one.ms)

    kept = [one for one in trials if not any(beaten(one, other) for other in trials)]
    return sorted(kept, key=lambda trial: (trial.code_bytes, trial.ms))


def recommend(trials: Sequence[Trial], recall: float) -> Trial:
    """Of those that reach `recall` the one with the smallest code, then the fastest; else the best recall."""
    enough = [trial for trial in trials if trial.recall >= recall]
    if not enough:
        return max(trials, key=lambda trial: trial.recall)
    return min(enough, key=lambda trial: (trial.code_bytes, trial.ms))

"""Builds a version of synthetic points in one of the ways that are compared."""

import sys
import time
import uuid
from pathlib import Path

import numpy as np
from qdrant_client import models

from benchmarks.resources import peak_gb
from benchmarks.synthetic_vectors import FIELDS, payloads, prepared_vectors
from pipeline.config import (
    CollectionConfig,
    EncoderConfig,
    ProjectionConfig,
    QuantizationConfig,
    SearchConfig,
)
from pipeline.projection import Projection
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.protocol import vector_params

__all__ = ["VERSION", "WAYS", "build", "queries_of"]

VERSION = "b"
_DEFAULT = CollectionConfig(
    collection="bench", source="synthetic", encoders=[EncoderConfig(name="e:v", vector="v")]
)
WAYS = {
    "binary, 1 bit": _DEFAULT,
    "turbo, 2 bits": _DEFAULT.model_copy(
        update={
            "projection": ProjectionConfig(dimension=224),
            "quantization": QuantizationConfig(kind="turbo", bits=2),
            "search": SearchConfig(oversampling=4),
        }
    ),
}
_BATCH = 5_000
_TELL_EVERY = 100_000  # points


def build(folder: Path, points: int, way: str) -> dict[str, float]:
    """Builds a version with vectors `v`, codes `v_code` and two filter fields; seconds and peak GB."""
    store, config = EmbeddedStore(folder), WAYS[way]
    width, bits = config.projection.dimension, config.projection.code_bits
    indexes = dict.fromkeys(FIELDS, models.PayloadSchemaType.KEYWORD)
    store.create(VERSION, config, vector_params(config, {"v": width}, {"v_code": bits}, points), indexes)
    start = time.perf_counter()
    for first in range(0, points, _BATCH):
        last = min(points, first + _BATCH)
        vectors = prepared_vectors(first, last, points, width)
        ids = [str(uuid.UUID(int=at)) for at in range(first, last)]
        rows = {"v": vectors, "v_code": _codes(vectors, bits)}
        store.upsert(VERSION, ids, rows, payloads(first, last))
        if last % _TELL_EVERY == 0:
            print(
                f"  {last:,} written after {time.perf_counter() - start:,.0f} s", file=sys.stderr, flush=True
            )
    written = time.perf_counter()
    store.finish(VERSION)
    indexed = time.perf_counter()
    return {
        "write_s": round(written - start, 1),
        "index_s": round(indexed - written, 1),
        "build_peak_gb": peak_gb(),
    }


def queries_of(points: int, count: int, way: str) -> tuple[np.ndarray, np.ndarray]:
    """(Q, D) vectors of the same clusters that are not in the version, and their codes."""
    projection = WAYS[way].projection
    rows = prepared_vectors(points, points + count, points, projection.dimension)
    return rows, _codes(rows, projection.code_bits)


def _codes(vectors: np.ndarray, bits: int) -> np.ndarray:
    """Codes by random planes. Fitted ones would give other codes, but the same speed and recall of codes."""
    planes = np.random.default_rng(3).normal(size=(vectors.shape[1], bits)).astype(np.float32)
    return Projection.codes(vectors @ planes)

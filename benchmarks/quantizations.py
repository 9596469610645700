"""What each quantization finds in the same RAM, on the vectors of indexed collections.

    python -m benchmarks.quantizations cifar10 wikiart [--home HOME]

Reads the raw outputs that the index jobs staged, keeps 500 of them out as queries, fits a projection to the
others as an index job does, and searches them in the embedded engine. Truth is exact search over the same
prepared vectors; exact cosine over all kept components stands beside it. Prints a Markdown table, and writes
benchmarks/results/quantizations.json.
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, write_result
from pipeline.config import CollectionConfig, HnswConfig, QuantizationConfig
from pipeline.config.collection import EncoderConfig
from pipeline.home import resolve_home
from pipeline.index_quality.recall import K, count_found
from pipeline.projection import fit_projection
from pipeline.staging.vectors import Staging
from pipeline.store import open_store
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.manifest import EncoderEntry
from pipeline.store.protocol import vector_params
from pipeline.store.versions import live_version
from pipeline.vectors import unit

__all__ = ["Setting", "measure", "settings_of"]

_QUERIES = 500
_FITTED = 20_000
_EVERYTHING_KB = 10**9
_BATCH = 2_000
_ROUNDS = 3  # timed passes over the queries; the first one, which warms the caches, is not timed


@dataclass(frozen=True)
class Setting:
    """One row of the table: components that are kept, components that are stored, and their quantization."""

    components: int
    bits: int | None
    quantization: dict[str, Any]
    oversampling: float
    scanned: bool = False  # every code is compared, whatever the collection's own settings are

    @property
    def name(self) -> str:
        """Such as `binary 1, 112 → 512, 16 ×`."""
        kind, bits = self.quantization["kind"], self.quantization.get("bits")
        stored = f"{self.components} → {self.bits}" if self.bits else f"{self.components}"
        name = f"{kind} {bits:g}" if bits else kind
        return f"{name}, {stored}, {self.oversampling:g} ×"


def settings_of(config: CollectionConfig, width: int) -> Iterator[Setting]:
    """What is tried: the collection's own settings first, then others of about 64 bytes a vector, compared
    one by one and by the graph.

    Args:
        config: of the collection.
        width: of the encoder's embedding.
    """
    kept = min(config.projection.dimension, width)
    spread = config.stored_bits if config.stored_bits and config.stored_bits > kept else None
    own = config.quantization.model_dump(exclude_none=True)
    for oversampling in sorted({config.search.oversampling, 4, 8, 16}):
        yield Setting(kept, spread, own, oversampling)
    yield Setting(kept, spread, own, config.search.oversampling, scanned=True)
    for components, quantization in (
        (112, {"kind": "turbo", "bits": 4}),
        (224, {"kind": "turbo", "bits": 2}),
        (336, {"kind": "binary", "bits": 1.5}),
        (256, {"kind": "binary", "bits": 2}),
        (56, {"kind": "scalar"}),
        (256, {"kind": "product", "compression": "x16"}),
    ):
        # As version 0.1.0 searched collections of this size, and with the collection's own graph.
        yield Setting(min(width, components), None, quantization, 4, scanned=True)
        yield Setting(min(width, components), None, quantization, 16)


def measure(raw: np.ndarray, setting: Setting, config: CollectionConfig) -> dict[str, float | str]:
    """Build a version of all rows but the queries, and search it.

    Args:
        raw: (N, D) float, an encoder's outputs.
        setting: what to build.
        config: of the collection, for its whitening, its graph, and how the graph is walked.

    Returns:
        `recall` of the ten nearest, `p50_ms` and `p95_ms` of a query, `bytes` of RAM of a vector's codes,
        `path`: `scan` or `graph`.
    """
    order = np.random.default_rng(0).permutation(len(raw))
    asked, rows = raw[order[:_QUERIES]], raw[order[_QUERIES:]]
    projection = fit_projection(
        rows[:_FITTED].astype(np.float32),
        setting.components,
        whitening=config.projection.whitening,
        bits=setting.bits,
    )
    stored, queries = unit(projection.apply(rows)), unit(projection.apply(asked))
    hnsw = HnswConfig(full_scan_kb=_EVERYTHING_KB) if setting.scanned else config.hnsw
    config = config.model_copy(
        update={
            "quantization": QuantizationConfig(**setting.quantization),
            "search": config.search.model_copy(update={"oversampling": setting.oversampling}),
            "hnsw": hnsw,
        }
    )
    ids = [str(uuid.UUID(int=at)) for at in range(len(stored))]
    with tempfile.TemporaryDirectory(prefix="simile-quantizations-") as folder:
        store, version = EmbeddedStore(Path(folder)), "tried__1"
        params = vector_params(config, {"v": stored.shape[1]}, {}, len(stored))
        store.create(version, config, params, {})
        for start in range(0, len(stored), _BATCH):
            batch = slice(start, start + _BATCH)
            store.upsert(version, ids[batch], {"v": stored[batch]}, [{}] * len(ids[batch]))
        store.finish(version)
        search = config.search.to_qdrant(K)
        shares, milliseconds = [], []
        for round_ in range(_ROUNDS + 1):
            for query in queries:
                began = time.perf_counter()
                hits = store.query(version, query, using="v", limit=K, params=search, fields=[])
                if round_:
                    milliseconds.append((time.perf_counter() - began) * 1e3)
                    continue
                exact = np.partition(stored @ query, -K)[-K]
                found = stored[[uuid.UUID(str(hit.id)).int for hit in hits]] @ query
                shares.append(min(1.0, count_found(found, float(exact)) / K))
        resident = store.resident_bytes(version) or {}
    return {
        "recall": round(float(np.mean(shares)), 4),
        "p50_ms": round(float(np.median(milliseconds)), 2),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "bytes": round(resident["v"].codes / len(stored), 1),
        "path": "graph" if hnsw.over_vectors(len(stored), stored.shape[1]) else "scan",
    }


def _staged(home: str, collection: str, entry: EncoderEntry) -> np.ndarray:
    """(N, D) float16: every staged output of an encoder, without its hash logits, in the order of ids."""
    staging = Staging(home, collection, entry.fingerprint)
    raw = staging.sample(10**9)
    return raw[:, : raw.shape[1] - entry.hash_bits]


def main(arguments: list[str] | None = None) -> None:
    """Measure every setting for every encoder of the collections."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantizations", description=__doc__)
    parser.add_argument("collection", nargs="+")
    parser.add_argument("--home")
    options = parser.parse_args(arguments)
    before, home, results = machine(), resolve_home(options.home), []
    print("| collection, vector | setting | bytes | recall@10 | p50, ms | p95, ms | by |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.collection:
        manifest = live_version(open_store(home), name).manifest
        for entry in manifest.encoders:
            raw = _staged(home, name, entry)
            config = CollectionConfig(
                collection=name,
                source=manifest.source,
                encoders=[EncoderConfig(name=entry.name)],
                projection=manifest.projection or {},
                quantization=manifest.quantization or {},
                search=manifest.search,
                hnsw=manifest.hnsw,
            )
            for setting in settings_of(config, raw.shape[1]):
                found = measure(raw, setting, config)
                results.append({"collection": name, "vector": entry.vector, **asdict(setting), **found})
                cells = (
                    f"{name}, {entry.vector} ({len(raw):,})",
                    setting.name,
                    *(str(found[key]) for key in ("bytes", "recall", "p50_ms", "p95_ms", "path")),
                )
                print(f"| {' | '.join(cells)} |", flush=True)
    write_result("quantizations", {"queries": _QUERIES, "rows": results}, before)


if __name__ == "__main__":
    main()

"""Query latency, throughput, recall and RAM of the embedded engine: python -m benchmarks.query [--full]"""

import argparse
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_client import models

from benchmarks.asking import SEARCHES, Asker, recall
from benchmarks.report import machine, print_table, write_result
from benchmarks.synthetic import FIELDS, payloads, prepared_vectors
from pipeline.projection import Projection
from pipeline.store.edge import EdgeStore
from pipeline.store.protocol import vector_params
from qdrant_config import CollectionConfig, EncoderConfig, ProjectionConfig

__all__ = ["main"]

_CONFIG = CollectionConfig(
    collection="bench", source="synthetic", encoders=[EncoderConfig(name="e:v", vector="v")]
)
_DIMENSION, _BITS = ProjectionConfig().dimension, ProjectionConfig().code_bits
_BATCH = 5000
_CALLERS = (1, 8, 32)


def build(store: EdgeStore, points: int) -> dict[str, float]:
    """A version `b` with vectors, codes and two filter fields; seconds it took."""
    indexes = dict.fromkeys(FIELDS, models.PayloadSchemaType.KEYWORD)
    params = vector_params(_CONFIG, {"v": _DIMENSION}, {"v_code": _BITS})
    store.create("b", _CONFIG, params, indexes)
    rotation = np.random.default_rng(3).normal(size=(_DIMENSION, _BITS)).astype(np.float32)
    start = time.perf_counter()
    for first in range(0, points, _BATCH):
        last = min(points, first + _BATCH)
        vectors = prepared_vectors(first, last, points, _DIMENSION)
        ids = [str(uuid.UUID(int=at)) for at in range(first, last)]
        codes = Projection.codes(vectors @ rotation)  # random hyperplanes: enough bits for a benchmark
        store.upsert("b", ids, {"v": vectors, "v_code": codes}, payloads(first, last))
    written = time.perf_counter()
    store.finish("b")
    return {"write_s": round(written - start, 1), "index_s": round(time.perf_counter() - written, 1)}


def queries_of(points: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(Q, D) vectors from the same clusters that are not in the version, and their codes."""
    rows = prepared_vectors(points, points + count, points, _DIMENSION)
    rotation = np.random.default_rng(3).normal(size=(_DIMENSION, _BITS)).astype(np.float32)
    return rows, Projection.codes(rows @ rotation)


def measure_size(points: int, queries: int = 200) -> dict[str, Any]:
    """Everything at one number of points."""
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as folder:
        need = points * (4 * _DIMENSION + 2 * _BITS + 600) * 2
        if need > shutil.disk_usage(folder).free:
            raise SystemExit(f"error: {points:,} points need about {need / 1e9:.0f} GB of disk in {folder}")
        store = EdgeStore(Path(folder))
        result: dict[str, Any] = {"points": points} | build(store, points)
        vectors, codes = queries_of(points, queries)
        resident = store.resident_bytes("b") or {}
        result["bytes_a_point"] = {
            name: {"codes": round(of.codes / points, 1), "links": round(of.links / points, 1)}
            for name, of in resident.items()
        }
        result["searches"] = {}
        for kind in SEARCHES:
            asker = Asker(store, kind, vectors, codes, _CONFIG.search)
            slow = kind == "exact"
            result["searches"][kind] = asker.latency(50 if slow else queries) | {
                "queries_per_second": {str(n): asker.throughput(n) for n in _CALLERS}
            }
        for metric, kind in (("exact", "hnsw"), ("hamming exact", "hamming")):
            truth = Asker(store, metric, vectors, codes, _CONFIG.search).scores(100)
            found = Asker(store, kind, vectors, codes, _CONFIG.search).scores(100)
            result["searches"][kind]["recall"] = recall(truth, found)
        result["process_gb"] = _resident_gb()
        result["filtered"] = filtered(store, vectors, codes)
        return result


def filtered(store: EdgeStore, vectors: np.ndarray, codes: np.ndarray, queries: int = 100) -> dict[str, Any]:
    """Two ANDed fields that leave about 4 %: recall@10 and time with ACORN and without."""
    only = models.Filter(
        must=[models.FieldCondition(key=n, match=models.MatchValue(value=f"{n} 1")) for n in FIELDS]
    )
    share = store.count("b", only) / store.count("b")
    truth = Asker(store, "exact", vectors, codes, _CONFIG.search, only).scores(queries)
    found: dict[str, Any] = {"share": round(share, 4)}
    for name, acorn in (("acorn", True), ("without", False)):
        search = _CONFIG.search.model_copy(update={"acorn": acorn})
        asker = Asker(store, "hnsw", vectors, codes, search, only)
        found[name] = asker.latency(queries) | {"recall": recall(truth, asker.scores(queries))}
    return found


def _resident_gb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1e6, 2)
    return 0.0


def main(arguments: list[str] | None = None) -> None:
    """Tables on stdout, figures in benchmarks/results/query.json (query-full.json with --full)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__)
    parser.add_argument(
        "--points", type=int, nargs="+", help="default: 5,000 and 50,000; --full: 500,000, 1,000,000 too"
    )
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args(arguments)
    sizes = options.points or [5_000, 50_000] + ([500_000, 1_000_000] if options.full else [])
    before, results = machine(), []
    for points in sizes:
        results.append(measure_size(points))
        _show(results[-1])
    name = "query-full" if options.full else "query"
    figures = {
        "dimension": _DIMENSION,
        "code_bits": _BITS,
        "config": _CONFIG.model_dump(),
        "sizes": results,
    }
    path = write_result(name, figures, before)
    print(f"\n{path}")


def _show(result: dict[str, Any]) -> None:
    print_table(
        f"{result['points']:,} points: written in {result['write_s']} s, indexed in {result['index_s']} s; "
        f"the process holds {result['process_gb']} GB",
        ["search", "p50 ms", "p95 ms", *[f"{n} callers/s" for n in _CALLERS], "recall@10"],
        [
            [kind, of["p50_ms"], of["p95_ms"], *of["queries_per_second"].values(), of.get("recall", 1.0)]
            for kind, of in result["searches"].items()
        ],
    )
    narrowed = result["filtered"]
    print_table(
        f"two fields ANDed, {narrowed['share']:.1%} of the points",
        ["ACORN", "p50 ms", "p95 ms", "recall@10"],
        [[n, *(narrowed[n][key] for key in ("p50_ms", "p95_ms", "recall"))] for n in ("acorn", "without")],
    )


if __name__ == "__main__":
    main()

"""Query latency, throughput, recall and RAM of the embedded engine: python -m benchmarks.query [--full]

Two ways to keep 64 bytes of a vector in RAM: Simile's default (224 components in 2-bit Turbo codes) and 512
components in 1-bit binary codes asked with 8 bits. Every size and way has a process of its own, so that the
memory measured is its own.
"""

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
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
from qdrant_config import CollectionConfig, EncoderConfig, ProjectionConfig, QuantizationConfig

__all__ = ["main"]

_DEFAULT = CollectionConfig(
    collection="bench", source="synthetic", encoders=[EncoderConfig(name="e:v", vector="v")]
)
CONFIGS = {
    "turbo, 2 bits": _DEFAULT,
    "binary, 1 bit": _DEFAULT.model_copy(
        update={
            "projection": ProjectionConfig(dimension=512),
            "quantization": QuantizationConfig(kind="binary", bits=1, query_bits=8),
        }
    ),
}
_BATCH = 5000
_CALLERS = (1, 8, 32)
_TRUTHS = 100  # queries that are also asked exactly


def build(store: EdgeStore, points: int, config: CollectionConfig) -> dict[str, float]:
    """A version `b` with vectors, codes and two filter fields; seconds it took."""
    width, bits = config.projection.dimension, config.projection.code_bits
    indexes = dict.fromkeys(FIELDS, models.PayloadSchemaType.KEYWORD)
    store.create("b", config, vector_params(config, {"v": width}, {"v_code": bits}), indexes)
    planes = _planes(width, bits)
    start = time.perf_counter()
    for first in range(0, points, _BATCH):
        last = min(points, first + _BATCH)
        vectors = prepared_vectors(first, last, points, width)
        ids = [str(uuid.UUID(int=at)) for at in range(first, last)]
        codes = Projection.codes(vectors @ planes)
        store.upsert("b", ids, {"v": vectors, "v_code": codes}, payloads(first, last))
    written = time.perf_counter()
    store.finish("b")
    return {"write_s": round(written - start, 1), "index_s": round(time.perf_counter() - written, 1)}


def _planes(width: int, bits: int) -> np.ndarray:
    """Random hyperplanes: as good as fitted ones where nothing but speed and counts is asked of codes."""
    return np.random.default_rng(3).normal(size=(width, bits)).astype(np.float32)


def measure(points: int, way: str, queries: int = 200, only_filtered: bool = False) -> dict[str, Any]:
    """Everything at one number of points, kept in one way."""
    config = CONFIGS[way]
    width, bits = config.projection.dimension, config.projection.code_bits
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as folder:
        need = points * (4 * width + 2 * bits + 600) * 2
        if need > shutil.disk_usage(folder).free:
            raise SystemExit(f"error: {points:,} points need about {need / 1e9:.0f} GB of disk in {folder}")
        store = EdgeStore(Path(folder))
        result: dict[str, Any] = {"points": points, "way": way} | build(store, points, config)
        rows = prepared_vectors(points, points + queries, points, width)  # of the same clusters
        ask = (store, rows, Projection.codes(rows @ _planes(width, bits)), config)
        if not only_filtered:
            result |= {"bytes_a_point": _kept(store, points), "searches": searches(*ask)}
            result["process_gb"] = _resident_gb()
        return result | {"filtered": filtered(*ask)}


def _kept(store: EdgeStore, points: int) -> dict[str, dict[str, float]]:
    resident = store.resident_bytes("b") or {}
    return {
        name: {"codes": round(of.codes / points, 1), "links": round(of.links / points, 1)}
        for name, of in resident.items()
    }


def searches(
    store: EdgeStore, vectors: np.ndarray, codes: np.ndarray, config: CollectionConfig
) -> dict[str, Any]:
    """Latency, throughput and recall@10 of every kind of search."""
    askers = {kind: Asker(store, kind, vectors, codes, config.search) for kind in SEARCHES}
    found: dict[str, Any] = {
        kind: asker.latency(50 if kind == "exact" else len(vectors))
        | {"queries_per_second": {str(n): asker.throughput(n) for n in _CALLERS}}
        for kind, asker in askers.items()
    }
    for truth, kind in (("exact", "hnsw"), ("hamming exact", "hamming")):
        found[kind]["recall"] = recall(askers[truth].scores(_TRUTHS), askers[kind].scores(_TRUTHS))
    return found


def filtered(
    store: EdgeStore, vectors: np.ndarray, codes: np.ndarray, config: CollectionConfig
) -> dict[str, Any]:
    """Two ANDed fields that leave about 4 %: recall@10 and time, cosine with ACORN and without, Hamming."""
    only = models.Filter(
        must=[models.FieldCondition(key=n, match=models.MatchValue(value=f"{n} 1")) for n in FIELDS]
    )
    found: dict[str, Any] = {"share": round(store.count("b", only) / store.count("b"), 4)}
    plain = config.search.model_copy(update={"acorn": False})
    for name, kind, truth, search in (
        ("cosine", "hnsw", "exact", config.search),
        ("cosine, no ACORN", "hnsw", "exact", plain),
        ("hamming", "hamming", "hamming exact", config.search),
    ):
        exact = Asker(store, truth, vectors, codes, search, only).scores(_TRUTHS)
        asker = Asker(store, kind, vectors, codes, search, only)
        found[name] = asker.latency(_TRUTHS) | {"recall": recall(exact, asker.scores(_TRUTHS))}
    return found


def _resident_gb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1e6, 2)
    return 0.0


def main(arguments: list[str] | None = None) -> None:
    """Tables on stdout, figures in benchmarks/results/query.json (query-full.json with --full)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--points", type=int, nargs="+", help="default: 5,000 and 50,000; --full: 500,000, 1,000,000 too"
    )
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only-filtered", action="store_true", help="filtered searches and nothing else")
    options = parser.parse_args(arguments)
    sizes = options.points or [5_000, 50_000] + ([500_000, 1_000_000] if options.full else [])
    name = "query" + ("-full" if options.full else "") + ("-filtered" if options.only_filtered else "")
    before, results = machine(), []
    cases = [(points, way) for points in sizes for way in CONFIGS]
    for points, way in cases:
        print(f"{points:,} points, {way} …", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            results.append(apart.submit(measure, points, way, only_filtered=options.only_filtered).result())
        _show(results[-1])
        # After each, so that a run cut short keeps what it measured.
        ways = {way: config.model_dump() for way, config in CONFIGS.items()}
        figures = {"complete": len(results) == len(cases), "configs": ways, "results": results}
        path = write_result(name, figures, before)
    print(f"\n{path}")


def _show(result: dict[str, Any]) -> None:
    title = f"{result['points']:,} points, {result['way']}"
    if "searches" in result:
        kept = sum(value for of in result["bytes_a_point"].values() for value in of.values())
        print_table(
            f"{title}: written in {result['write_s']} s, indexed in {result['index_s']} s; "
            f"{kept:.0f} bytes a point in RAM; the process holds {result['process_gb']} GB",
            ["search", "p50 ms", "p95 ms", *[f"{n} callers/s" for n in _CALLERS], "recall@10"],
            [
                [kind, of["p50_ms"], of["p95_ms"], *of["queries_per_second"].values(), of.get("recall", 1.0)]
                for kind, of in result["searches"].items()
            ],
        )
    narrowed = result["filtered"]
    rows = [[name, *of.values()] for name, of in narrowed.items() if name != "share"]
    columns = ["filtered", "p50 ms", "p95 ms", "recall@10"]
    print_table(f"{title}: two fields ANDed, {narrowed['share']:.1%} of the points", columns, rows)


if __name__ == "__main__":
    main()

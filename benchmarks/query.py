"""Query latency, throughput, recall and RAM of the embedded engine: python -m benchmarks.query [--full]

Compares two ways to keep a vector in 64 bytes of RAM: Simile's default (512 components in 1-bit binary codes,
with 8-bit queries) and 224 components in 2-bit Turbo codes. For every size and way one process builds the
version and another one searches it, so that the measured memory is that of searching alone.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.query_index import VERSION, WAYS, build, queries_of
from benchmarks.query_timing import SEARCHES, RepeatedSearch, recall
from benchmarks.report import machine, print_growth, print_query_result, write_result
from benchmarks.resources import resident_mb, shortage
from benchmarks.synthetic_vectors import FIELDS
from pipeline.config import CollectionConfig
from pipeline.store.embedded import EmbeddedStore
from pipeline.store.filter_terms import AnyOf, Where
from pipeline.store.filters import qdrant_filter

__all__ = ["main"]

_SIZES, _FULL_SIZES = [5_000, 50_000], [500_000, 1_000_000]
_CALLERS = (1, 8, 32)
_QUERIES, _EXACT_QUERIES = 200, 50  # of each measurement of latency; exact searches take longer
_TRUTHS = 100  # queries that are also searched exactly, to measure recall
_FILTERS = {"two fields ANDed": tuple(FIELDS), "one field": tuple(FIELDS)[:1]}
_RECORDED = {"projection", "quantization", "search", "hnsw"}  # keys of a configuration


def search_version(folder: Path, points: int, way: str, only_filtered: bool = False) -> dict[str, Any]:
    """Memory, latency, throughput and recall of a version that `build` made."""
    before, store, config = resident_mb(), EmbeddedStore(folder), WAYS[way]
    asked = (store, *queries_of(points, _QUERIES, way), config)
    if only_filtered:
        return {"filtered": filtered(*asked)}
    found = searches(*asked, before)
    return {"bytes_a_point": _kept(store, points)} | found | {"filtered": filtered(*asked)}


def _kept(store: EmbeddedStore, points: int) -> dict[str, dict[str, float]]:
    resident = store.resident_bytes(VERSION) or {}
    return {
        name: {"codes": round(of.codes / points, 1), "links": round(of.links / points, 1)}
        for name, of in resident.items()
    }


def searches(
    store: EmbeddedStore,
    vectors: np.ndarray,
    codes: np.ndarray,
    config: CollectionConfig,
    before: dict[str, float],
) -> dict[str, Any]:
    """Latency, throughput and recall@10 of every kind of search; RAM in MB on top of `before`."""
    askers = {kind: RepeatedSearch(store, kind, vectors, codes, config) for kind in SEARCHES}
    found: dict[str, dict[str, Any]] = {}
    ram: dict[str, float] = {}
    for kind, asker in sorted(askers.items(), key=lambda item: SEARCHES[item[0]][1]):
        if SEARCHES[kind][1] and not ram:  # exact search reads all originals into memory, so it comes last
            ram = {name: round(now - before[name], 1) for name, now in resident_mb().items()}
        found[kind] = asker.latency(_EXACT_QUERIES if SEARCHES[kind][1] else len(vectors))
        found[kind]["queries_per_second"] = {str(n): asker.throughput(n) for n in _CALLERS}
    for truth, kind in (("exact", "hnsw"), ("hamming exact", "hamming")):
        found[kind]["recall"] = recall(askers[truth].scores(_TRUTHS), askers[kind].scores(_TRUTHS))
    return {"ram_mb": ram, "searches": {kind: found[kind] for kind in SEARCHES}}


def filtered(
    store: EmbeddedStore, vectors: np.ndarray, codes: np.ndarray, config: CollectionConfig
) -> dict[str, Any]:
    """Recall@10 and time with filters, by how many of the points they leave."""
    every = store.count(VERSION)
    found: dict[str, Any] = {}
    for title, names in _FILTERS.items():
        only = qdrant_filter([Where(name, AnyOf((f"{name} 1",))) for name in names])
        of: dict[str, Any] = {"share": round(store.count(VERSION, only) / every, 4)}
        for kind, truth in (("hnsw", "exact"), ("hamming", "hamming exact")):
            exact = RepeatedSearch(store, truth, vectors, codes, config, only).scores(_TRUTHS)
            asker = RepeatedSearch(store, kind, vectors, codes, config, only)
            name = "cosine" if kind == "hnsw" else kind
            of[name] = asker.latency(_TRUTHS) | {"recall": recall(exact, asker.scores(_TRUTHS))}
        found[title] = of
    return found


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of `work`, called in a new process that holds nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def measure(points: int, way: str, only_filtered: bool = False, kept: str | None = None) -> dict[str, Any]:
    """Builds a version and searches it, in two processes.

    Args:
        kept: folder where the version stays, and where it is found by the next run.

    Raises:
        SystemExit: there is too little disk or memory; the message says so in a sentence.
    """
    shape = WAYS[way].projection
    with tempfile.TemporaryDirectory(prefix="simile-bench-") as made:
        folder = Path(kept or made) / f"{points}-{way.partition(',')[0]}"
        figures = folder / "built.json"
        try:
            if not figures.is_file():
                if why := shortage(points, shape.dimension, shape.code_bits, Path(kept or made)):
                    raise SystemExit(f"error: {why}")
                shutil.rmtree(folder, ignore_errors=True)  # what a run that was cut short has left
                figures.parent.mkdir(parents=True)
                figures.write_text(json.dumps(_apart(build, folder, points, way)), encoding="utf-8")
            built = json.loads(figures.read_text(encoding="utf-8"))
            asked = _apart(search_version, folder, points, way, only_filtered)
        except BrokenProcessPool as error:
            why = f"the process that held {points:,} points was killed, most likely because memory ran out"
            raise SystemExit(f"error: {why}.") from error
        return {"points": points, "way": way} | built | asked


def main(arguments: list[str] | None = None) -> None:
    """Tables on stdout, figures in benchmarks/results/query.json (query-full.json with --full)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--points", type=int, nargs="+", help="default: 5,000 and 50,000; --full: 500,000, 1,000,000 too"
    )
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only-filtered", action="store_true", help="measure only filtered searches")
    parser.add_argument("--keep", metavar="DIR", help="where built versions stay for the next run")
    parser.add_argument("--way", choices=list(WAYS), nargs="+", default=list(WAYS))
    options = parser.parse_args(arguments)
    if options.keep:
        Path(options.keep).mkdir(parents=True, exist_ok=True)
    cases = [(n, way) for n in options.points or _SIZES + options.full * _FULL_SIZES for way in options.way]
    name = "query" + ("-full" if options.full else "") + ("-filtered" if options.only_filtered else "")
    before, results = machine(), list[dict[str, Any]]()
    for points, way in cases:
        at = f"{len(results) + 1} of {len(cases)}"
        print(f"{at}: {points:,} points, {way} …", file=sys.stderr, flush=True)
        results.append(measure(points, way, options.only_filtered, options.keep))
        print_query_result(results[-1])
        # Written after each case, so that a run which is cut short keeps what it measured.
        ways = {each: config.model_dump(include=_RECORDED) for each, config in WAYS.items()}
        figures = {"complete": len(results) == len(cases), "ways": ways, "results": results}
        path = write_result(name, figures, before)
    print_growth(results)
    print(f"\n{path}")


if __name__ == "__main__":
    main()

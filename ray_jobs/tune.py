"""Try quantizations and searches on a collection's staged vectors: python -m ray_jobs.tune wikiart"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.home import resolve_home
from pipeline.index_quality.tuning import Trial, frontier, recommend, try_settings
from pipeline.staging.parts import Staging
from pipeline.store import Manifest, Store, open_store
from pipeline.store.edge import EdgeStore
from pipeline.store.edge_translation import INDEXING_THRESHOLD
from pipeline.store.versions import live_version
from ray_jobs.session import print_result, report_errors

__all__ = ["main"]


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ray_jobs.tune", description=__doc__)
    parser.add_argument("collection")
    parser.add_argument("--encoder", help="one of the collection's; default: the first")
    parser.add_argument("--points", type=int, default=50_000, metavar="N", help="at most so many vectors")
    parser.add_argument("--recall", type=float, default=0.99, help="what the recommendation has to reach")
    parser.add_argument("--home")
    return parser.parse_args(arguments)


def staged_vectors(home: str, manifest: Manifest, encoder: str | None, points: int) -> np.ndarray:
    """(≤ points, D) float32: staged raw outputs, prepared by the projection of the collection."""
    entry = manifest.encoder(encoder)
    staging = Staging(home, manifest.collection, entry.fingerprint)
    raw = staging.sample(points, staging.ids())
    if len(raw) < 2:
        raise SimileError(
            f"Fewer than two vectors are staged below {home}; index the collection there first."
        )
    return manifest.projection_of(entry).apply(raw)


@contextmanager
def _scratch() -> Iterator[Store]:
    """The server at QDRANT_URL, where a scratch version is no alias's; else a folder that goes away."""
    if os.environ.get("QDRANT_URL"):
        yield open_store()
        return
    with tempfile.TemporaryDirectory(prefix="simile-tune-") as folder:
        yield EdgeStore(Path(folder))


def tune(options: argparse.Namespace) -> dict[str, Any]:
    """Try everything; the trials, the frontier, and a recommendation."""
    home = resolve_home(options.home)
    store = open_store(home)
    manifest = live_version(store, options.collection).manifest
    vectors = staged_vectors(home, manifest, options.encoder, options.points)
    if vectors.nbytes < 1000 * INDEXING_THRESHOLD:
        raise SimileError(
            f"{len(vectors):,} vectors of {vectors.shape[1]} components are less than {INDEXING_THRESHOLD:,} "
            "kB: Qdrant compares so few without codes and without a graph, and there is nothing to tune."
        )
    config = CollectionConfig(
        collection=options.collection,
        source="staged",
        encoders=[EncoderConfig(name="staged")],
        hnsw=manifest.hnsw,
    )
    trials = []
    with _scratch() as scratch:
        for trial in try_settings(scratch, vectors, config):
            print(_line(trial), file=sys.stderr, flush=True)
            trials.append(trial)
    best = recommend(trials, options.recall)
    print("\nfrontier of recall, RAM and time:", file=sys.stderr)
    for trial in frontier(trials):
        print(_line(trial) + ("  <- recommended" if trial is best else ""), file=sys.stderr)
    recommended = {"quantization": best.quantization, "search": best.search}
    print("\n" + yaml.safe_dump(recommended, sort_keys=False), file=sys.stderr)
    return {
        "collection": options.collection,
        "points": len(vectors),
        "dimension": vectors.shape[1],
        "recall_wanted": options.recall,
        "reached": best.recall >= options.recall,
        "recommended": recommended,
        "trials": [asdict(trial) for trial in trials],
        "frontier": [asdict(trial) for trial in frontier(trials)],
    }


def _line(trial: Trial) -> str:
    said = " ".join(f"{key}={value}" for key, value in (trial.quantization | trial.search).items())
    return (
        f"{said:<62} recall@10 {trial.recall:.4f}  {trial.code_bytes:6.0f} + {trial.link_bytes:3.0f} bytes  "
        f"{trial.ms:6.2f} ms"
    )


def main(arguments: list[str] | None = None) -> None:
    """Print a table on stderr and one JSON line on stdout."""
    options = parse_arguments(arguments)
    with report_errors():
        result = tune(options)
    print_result(result)


if __name__ == "__main__":
    main()

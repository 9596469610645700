"""The embed stage with GPUs that are only simulated: python -m benchmarks.gpu_simulation [--short]

A job's embed stage runs as on a node with one GPU: Ray has a logical GPU, its actor prepares photographs in
threads, and in place of the network it sleeps (1/4,000 s a picture). What is measured: how long the GPU was
idle while a prepared batch waited for it, what Ray's object store held and spilled, and the memory of the
actor. From the measured milliseconds of one core, and of Python's lock, a table follows: the cores and the
actors that a GPU needs, and the pictures a second of a node.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import threading
import time
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import limit_of_the_machine as limit
from benchmarks.embed import pictures
from benchmarks.made_photographs import KINDS, made, written
from benchmarks.photographs import ENCODER, SOURCE
from benchmarks.report import machine, print_table, write_result
from pipeline.cluster.reservation import share_of_a_gpu
from pipeline.encoders import Encoder, load_encoder
from pipeline.images import THUMBNAIL_SIDE
from pipeline.indexing.decode_and_embed import embed_group

__all__ = ["SimulatedGpu", "idle_share", "install", "main", "node_table"]

A_SECOND = 4000.0  # pictures that the simulated GPU embeds
NETWORKS = {"ViT-B/16, 224 px": 4000.0, "ViT-L/14, 224 px": 1200.0, "EfficientNet-Lite0, 224 px": 9000.0}
NODE_CORES, NODE_GPUS = 96, 8
_RECORDS = "SIMULATED_GPU_RECORDS"  # folder where each actor writes what its GPU did
_SIZES = 3  # the plain JPEGs among the kinds
_TIMES = 24  # as often each picture is in the data set


class SimulatedGpu:
    """Stands in for a network on a GPU: one batch at a time, a sleep for each picture.

    Args:
        rate: pictures a second.
        dimension: components of the vectors that it makes up.
    """

    def __init__(self, rate: float, dimension: int) -> None:
        self._rate, self._dimension = rate, dimension
        self._gpu, self.writing = threading.Lock(), threading.Lock()
        self.batches: list[tuple[float, float, float]] = []  # seconds: ready, begun, done

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) uint8 -> (N, D) float32, the same for the same picture."""
        ready = time.monotonic()
        with self._gpu:
            begun = time.monotonic()
            time.sleep(len(batch) / self._rate)
            done = time.monotonic()
        with self.writing:
            self.batches.append((ready, begun, done))
        means = batch.reshape(len(batch), -1).mean(axis=1, dtype=np.float32) + 1
        return np.outer(means, np.linspace(0.1, 1, self._dimension)).astype(np.float32)


def idle_share(batches: list[tuple[float, float, float]]) -> float:
    """Of the time in which a prepared batch was there, the share in which the GPU worked on none.

    Args:
        batches: seconds at which each was ready, begun and done.

    >>> idle_share([(0.0, 0.0, 1.0), (0.5, 1.0, 2.0), (5.0, 6.0, 8.0)])
    0.2
    """
    waiting = _union([(ready, done) for ready, _, done in batches])
    working = sum(end - start for start, end in _union([(begun, done) for _, begun, done in batches]))
    there = sum(end - start for start, end in waiting)
    return (there - working) / there if there else 0.0


def _union(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def install() -> None:
    """Called by Ray in each worker: encoders prepare as ever, and their network is a `SimulatedGpu`."""
    import pipeline.encoders as encoders

    load = encoders.load_encoder

    def simulated(name: str, **named: Any) -> Encoder:
        encoder = load(name, **(named | {"device": "cpu"}))
        gpu = SimulatedGpu(A_SECOND, encoder.dimension)
        encoder.encode_tensor = partial(_recorded, gpu)  # type: ignore[method-assign]
        encoder.accelerate = lambda images: None  # type: ignore[method-assign]
        encoder.device = "cuda, simulated"  # so that it gets the batches of a GPU
        return encoder

    encoders.load_encoder = simulated


def _recorded(gpu: SimulatedGpu, batch: np.ndarray) -> np.ndarray:
    vectors = gpu(batch)
    with gpu.writing:  # several threads are here
        file = Path(os.environ[_RECORDS], f"{os.getpid()}.json")
        file.write_text(json.dumps(gpu.batches), encoding="utf-8")
    return vectors


def simulate(files: list[bytes], encoder: str, times: int) -> dict[str, Any]:
    """One embed stage on a machine with a logical GPU."""
    import ray
    from ray._private.internal_api import memory_summary

    from pipeline.cluster.actors import Actors
    from pipeline.cluster.reservation import reserve
    from pipeline.indexing.embed import embed_units
    from pipeline.sources import units_of
    from pipeline.sources.resolve import resolve_source
    from pipeline.staging.parts import Parts
    from pipeline.staging.vectors import Staging

    with tempfile.TemporaryDirectory(prefix="simile-simulation-") as folder:
        data = written(files, Path(folder) / "photographs", times)
        records = Path(folder, "records")
        records.mkdir()
        variables = {_RECORDS: str(records), "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
        environment = {
            "env_vars": variables,
            "worker_process_setup_hook": "benchmarks.gpu_simulation.install",
        }
        ray.init(num_cpus=os.cpu_count(), num_gpus=1, runtime_env=environment, include_dashboard=False)
        try:
            source = resolve_source(str(data))
            parts, staging = Parts(folder, "photographs"), Staging(folder, "photographs", "simulated")
            began = time.perf_counter()
            one = partial(reserve, Actors(1))
            result = embed_units(source, units_of(source), parts, {encoder: staging}, one)
            seconds = time.perf_counter() - began
            spilled = "Spilled" in memory_summary(ray.get_runtime_context().gcs_address, stats_only=True)
        finally:
            ray.shutdown()
        batches = [
            tuple(batch)
            for record in records.glob("*.json")
            for batch in json.loads(record.read_text(encoding="utf-8"))
        ]
    actors = result.actors.values()
    return {
        "images": result.embedded,
        "images_a_second": round(result.embedded / seconds, 1),
        "idle_while_a_batch_waited": round(idle_share(batches), 4),
        "spilled": spilled,
        "actor_peak_mb": round(max(actor.peak_memory for actor in actors) / 1e6),
    }


def node_table(prepare_ms: dict[str, float], lock_ms: float) -> list[list[Any]]:
    """Network, picture, cores and actors that keep a GPU busy, images/s of a node with `NODE_GPUS` and
    `NODE_CORES` with the actors that a job takes by itself.

    Args:
        prepare_ms: of one core a picture, by its size.
        lock_ms: of these, for which Python's lock is held: the threads of one actor share it.

    >>> node_table({"500 × 375": 2.0}, 0.6)[0]
    ['ViT-B/16, 224 px', '500 × 375', 2.0, 8, 3, '32,000', 'GPUs']
    """
    by_default = NODE_GPUS * round(1 / share_of_a_gpu([(NODE_CORES, NODE_GPUS)]))
    rows = []
    for network, rate in NETWORKS.items():
        actors = max(1, math.ceil(rate * lock_ms / 1000))
        for size, spent in prepare_ms.items():
            limits = {
                "GPUs": NODE_GPUS * rate,
                "cores": NODE_CORES * 1000 / spent,
                "Python's lock": by_default * 1000 / lock_ms,
            }
            limit_is = min(limits, key=limits.__getitem__)
            cores = int(-(-rate * spent // 1000))
            rows.append([network, size, spent, cores, actors, f"{limits[limit_is]:,.0f}", limit_is])
    return rows


def print_node(spent: dict[str, float], lock_ms: float) -> None:
    """The table of `node_table`."""
    columns = ["network", "picture", "ms of a core", "cores a GPU", "actors a GPU", "images/s", "limited by"]
    title = (
        f"A node of {NODE_GPUS} GPUs and {NODE_CORES} cores; a picture holds Python's lock for {lock_ms} ms"
    )
    print_table(title, columns, node_table(spent, lock_ms))


def prepare_ms(
    files: dict[str, list[bytes]], encoder: Encoder, seconds: float
) -> tuple[dict[str, float], float]:
    """Milliseconds of one core of what a thread of the embed stage does without the network, by size; and for
    how many of these a picture of the first size holds Python's lock. Larger ones hardly hold it longer.
    """
    prepares = copy(encoder)
    prepares.encode_tensor = lambda batch: np.ones((len(batch), 1), np.float32)  # type: ignore[method-assign]
    work = partial(embed_group, {encoder.name: prepares}, max(THUMBNAIL_SIDE, encoder.decode_side))
    found = {
        name: limit.core_and_lock_milliseconds(
            limit.Step(work, [[(str(at), 1, data)] for at, data in enumerate(each)]), seconds
        )
        for name, each in files.items()
    }
    _, lock = next(iter(found.values()))
    return {name: round(spent, 2) for name, (spent, _) in found.items()}, round(lock, 2)


def main(arguments: list[str] | None = None) -> None:
    """Measure; write benchmarks/results/gpu-simulation.json, unless it is the short form."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_simulation", description=__doc__)
    parser.add_argument("--source", type=Path, default=SOURCE, help="a data set of pictures to enlarge")
    parser.add_argument("--encoder", default=ENCODER, help="encoder whose preprocessing is used")
    parser.add_argument("--short", action="store_true", help="few pictures, to see that it works")
    options = parser.parse_args(arguments)
    kinds, count, times, seconds = list(KINDS[:_SIZES]), 16, _TIMES, 2.0
    if options.short:
        kinds, count, times, seconds = kinds[:1], 4, 2, 0.05
    facts = machine()
    originals = pictures(options.source, count)
    files = {kind.name: made(kind, originals) for kind in kinds}
    encoder = load_encoder(options.encoder, device="cpu")
    spent, lock_ms = prepare_ms(files, encoder, seconds)
    found = {kind.name: simulate(files[kind.name], options.encoder, times) for kind in kinds}
    rows = [[name, *each.values()] for name, each in found.items()]
    print_table(
        f"A GPU of {A_SECOND:,.0f} pictures/s, simulated", ["picture", *next(iter(found.values()))], rows
    )
    print_node(spent, lock_ms)
    if not options.short:
        figures = {"prepare_ms": spent, "lock_ms": lock_ms, "simulated": found, "gpu_rates": NETWORKS}
        print(write_result("gpu-simulation", figures, facts))


if __name__ == "__main__":
    main()

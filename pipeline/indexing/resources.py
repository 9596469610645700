"""What an index job reserves of a Ray cluster, checked before anything waits for it."""

import math
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SimileError
from pipeline.store import Store

__all__ = ["Reservation", "check_cluster", "reserve"]

READ_CPUS = 1.0  # left for the tasks that read and hash; without it the job would wait for ever
_CPUS_AN_ACTOR = 4  # beyond about four threads the small matrices of one image stop scaling
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Reservation:
    """Actors, and what each takes."""

    actors: int
    actor_cpus: float
    actor_gpus: float
    threads: int  # of torch, in each actor
    read_cpus: float = READ_CPUS / 2


def reserve(actors: int | None = None, gpus_per_actor: float | None = None) -> Reservation:
    """Fit the job into the cluster: one actor a GPU, else one for every four CPUs.

    Args:
        actors: number of actors wanted; None chooses.
        gpus_per_actor: GPUs each reserves; None means 1 where the cluster has GPUs, otherwise 0.

    Raises:
        SimileError: the cluster can never give this, or others hold it now.
    """
    import ray

    total = ray.cluster_resources()
    cpus, gpus = total.get("CPU", 0.0), total.get("GPU", 0.0)
    each = gpus_per_actor if gpus_per_actor is not None else (1.0 if gpus else 0.0)
    if actors is None:
        actors = max(1, int(gpus / each) if each else math.floor(cpus / _CPUS_AN_ACTOR))
    if actors < 1:
        raise SimileError(f"--actors is {actors}; it must be 1 or more.")
    if actors * each > gpus:
        raise SimileError(
            f"{actors} actors of {each:g} GPU need {actors * each:g} GPUs and the cluster has {gpus:g}; "
            "lower --actors or --gpus-per-actor."
        )
    share = (cpus - READ_CPUS) / actors
    if share < 0.25:
        raise SimileError(
            f"{actors} actors and the reading of images need {actors * 0.25 + READ_CPUS:g} CPUs and the "
            f"cluster has {cpus:g}; lower --actors or add CPUs."
        )
    actor_cpus = min(float(_CPUS_AN_ACTOR), math.floor(share * 4) / 4)
    actor_cpus = math.floor(actor_cpus) if actor_cpus > 1 else actor_cpus  # Ray takes whole CPUs above one
    _wait_until_free(actors * actor_cpus + READ_CPUS, actors * each)
    threads = max(1, math.floor(min(_CPUS_AN_ACTOR, cpus / actors)))
    return Reservation(actors, actor_cpus, each, threads)


def check_cluster(home: str, store: Store) -> None:
    """Every node must reach the store and the home.

    Raises:
        SimileError: an embedded store on more than one node, or a home that is a folder of one of them.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:
        return
    if not store.parallel_writes:
        raise SimileError(
            f"This Ray cluster has {len(nodes)} nodes and the embedded store is a folder of one machine; "
            "start a Qdrant server and set QDRANT_URL (and QDRANT_API_KEY)."
        )
    if "://" in home:
        return
    probe = Path(home) / f".reached-{uuid.uuid4().hex}"
    probe.touch()
    try:
        look = ray.remote(num_cpus=0)(lambda: probe.is_file())
        seen = ray.get(
            [
                look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
                for node in nodes
            ]
        )
    finally:
        probe.unlink()
    if not all(seen):
        raise SimileError(
            f"{seen.count(False)} of {len(nodes)} nodes do not see the home {home}; use a shared folder or a "
            "URL such as s3://bucket/simile as --home."
        )


def _wait_until_free(cpus: float, gpus: float) -> None:
    import ray

    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        free = ray.available_resources()
        if free.get("CPU", 0.0) >= cpus and free.get("GPU", 0.0) >= gpus:
            return
        if time.monotonic() > deadline:
            raise SimileError(
                f"The job needs {cpus:g} CPUs and {gpus:g} GPUs; others on this Ray cluster hold all but "
                f"{free.get('CPU', 0.0):g} CPUs and {free.get('GPU', 0.0):g} GPUs. Wait, or lower --actors."
            )
        time.sleep(0.5)

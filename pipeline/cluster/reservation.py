"""What an index job reserves of a Ray cluster, checked before anything waits for it."""

from __future__ import annotations

import gc
import itertools
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cluster.actors import Actors, wait_for_room
from pipeline.errors import SimileError

__all__ = [
    "NotEnoughError",
    "Reservation",
    "ask_for",
    "check_for_one_node",
    "check_this_machine",
    "peak_memory",
    "reserve",
    "share_of_a_gpu",
    "share_out",
    "spread",
]

SPARE_CPUS = 1.0  # left to the job's own process and to Ray's, which reserve none
# Without a GPU more actors are better than larger ones; above one CPU Ray reserves whole ones.
_ACTOR_CPUS = (4.0, 3.0, 2.0, 1.0, 0.75, 0.5, 0.25)
# A GPU embeds what several to hundreds of cores prepare (docs/cluster.md), so it gets its share. Threads of
# one process share Python's lock, which a picture of 500 × 375 holds for a third of the time that it takes to
# prepare: more than three of them prepare hardly more pictures, so a GPU of more cores gets several actors.
# Each holds the network and CUDA's own memory.
_THREADS_BESIDE_A_GPU = 3
_MOST_ACTORS_A_GPU = 6
_RAY_COUNTS = 10_000  # in ten-thousandths, rounded: six times a sixth would be more than a GPU
_GPU_ACTOR_CPUS = (*(float(cpus) for cpus in range(32, 4, -1)), *_ACTOR_CPUS)
_EACH_ITS_NODE_SECONDS = 5.0  # for which actors wait for a node each
_PATIENCE_SECONDS = 20.0


class NotEnoughError(SimileError):
    """The nodes that the cluster has now can never give what was asked for."""


@dataclass(frozen=True)
class Reservation:
    """Actors, and what each takes; where `most` is not None, their number goes from `actors` up to it."""

    actors: int
    actor_cpus: float
    actor_gpus: float
    threads: int  # of torch, in each actor
    most: int | None = None


def reserve(
    actors: Actors | None = None,
    gpus_per_actor: float | None = None,
    wait: float | None = None,
    *,
    grows: bool = True,
) -> Reservation:
    """Fit the job into the cluster: an actor for each GPU, or several where it has many CPUs; without GPUs
    one for every four CPUs and at least one a node.

    Args:
        actors: number of actors wanted; None chooses.
        gpus_per_actor: GPUs each reserves; None: without GPUs 0; with them 1 if `actors` is given, else a
            share that depends on the CPUs beside each.
        wait: seconds in which the cluster may grow; None: it is taken as it is.
        grows: whether nodes that come are of use; else the job waits only for what others hold.

    Raises:
        SimileError: the cluster can never give this, or others hold it now; with `wait`, there was no room
            all the time.
    """
    wanted = ask_for(_nodes(), actors, gpus_per_actor, waits=grows and wait is not None)
    if wait is None:
        _wait_until_free(wanted.actors * wanted.actor_cpus + SPARE_CPUS, wanted.actors * wanted.actor_gpus)
        return wanted
    wait_for_room(wanted.actors, wanted.actor_cpus, wanted.actor_gpus, SPARE_CPUS, wait)
    return share_out(_nodes(), actors, gpus_per_actor)  # what came may have more CPUs than was asked for


def _nodes() -> list[tuple[float, float]]:
    """CPUs and GPUs of each node."""
    import ray

    each_node = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in each_node]


def ask_for(
    nodes: Sequence[tuple[float, float]],
    actors: Actors | None,
    gpus_per_actor: float | None,
    *,
    waits: bool,
) -> Reservation:
    """What a job asks for: what fits these nodes; if nothing does and it may wait, what new ones could give.

    A job that may wait asks for whole CPUs: actors that are squeezed into a part of one bring no node. Beside
    GPUs it takes what their nodes have, as more of the same kind would come.

    Raises:
        NotEnoughError: these nodes can never give this, and the job does not wait.
        SimileError: the job waits, and nobody said whether for GPUs: CPUs are never taken in their place.
    """
    if waits and gpus_per_actor is None and not any(gpus for _, gpus in nodes):
        raise SimileError(
            "The cluster has no GPU now, but it may grow: set --gpus-per-actor to 1 to wait for GPUs, or to "
            "0 to embed on CPUs."
        )
    try:
        fitting = share_out(nodes, actors, gpus_per_actor)
        if not waits or fitting.actor_gpus or fitting.actor_cpus >= 1:
            return fitting
    except NotEnoughError:
        if not waits:
            raise
    actors = actors or Actors(1)
    return Reservation(actors.least, 1.0, gpus_per_actor or float(gpus_per_actor is None), 1, actors.most)


def share_out(
    nodes: Sequence[tuple[float, float]], actors: Actors | None = None, gpus_per_actor: float | None = None
) -> Reservation:
    """What `reserve` takes of nodes that have so many (CPUs, GPUs).

    An actor lies within one node. It gets as many CPUs as all actors can have, up to four, or 32 with a GPU.
    In an elastic pool these are all that the nodes have GPUs for, so that it can grow on them.

    Raises:
        NotEnoughError: these nodes can never give this.
    """
    cpus, gpus = (sum(node[i] for node in nodes) for i in (0, 1))
    gpu = gpus_per_actor
    if gpu is None:
        gpu = share_of_a_gpu(nodes) if actors is None else float(gpus > 0)
    fitting = sum(int(g / gpu) if gpu else max(c >= 1, int(c / _ACTOR_CPUS[0])) for c, g in nodes)
    asked = actors or Actors(max(1, fitting))
    least, most = asked.least, asked.most
    if least > (sum(int(g / gpu) for _, g in nodes) if gpu else least):
        raise NotEnoughError(
            f"{least} actors of {gpu:g} GPU need {least * gpu:g} GPUs and the cluster has {gpus:g}"
            f"{', none of which two nodes can share' if least * gpu <= gpus else ''}; "
            "lower --actors or --gpus-per-actor."
        )
    largest = max(range(len(nodes)), key=lambda i: nodes[i][0])
    free = [(c - SPARE_CPUS * (i == largest), g) for i, (c, g) in enumerate(nodes)]
    now = least if most is None else min(most, max(least, fitting))
    sizes = _GPU_ACTOR_CPUS if gpu else _ACTOR_CPUS
    for count, actor_cpus in itertools.product(sorted({now, least}, reverse=True), sizes):
        if sum(int(min(c / actor_cpus, g / gpu if gpu else c / actor_cpus)) for c, g in free) >= count:
            beside = sum(c for c, g in nodes if g or not gpu)
            threads = max(1, int(min(sizes[0], beside / count)))
            return Reservation(least, actor_cpus, gpu, threads, most)
    raise NotEnoughError(
        f"{least} actors and the job's own process need {least * _ACTOR_CPUS[-1] + SPARE_CPUS:g} CPUs"
        f"{' on the nodes that have the GPUs' if gpu else ''} and the cluster has {cpus:g}; "
        "lower --actors or add CPUs."
    )


def share_of_a_gpu(nodes: Sequence[tuple[float, float]]) -> float:
    """What one of its actors takes of a GPU, by the node with the fewest CPUs for each GPU; 0 without GPUs.

    >>> share_of_a_gpu([(4, 1)]), share_of_a_gpu([(96, 8), (4, 0)]), share_of_a_gpu([(64, 1)])
    (1.0, 0.25, 0.1666)
    """
    beside = [cpus / gpus for cpus, gpus in nodes if gpus]
    if not beside:
        return 0.0
    actors = min(_MOST_ACTORS_A_GPU, max(1, int(min(beside) / _THREADS_BESIDE_A_GPU)))
    return math.floor(_RAY_COUNTS / actors) / _RAY_COUNTS


def check_this_machine(actors: Actors | None) -> None:
    """Without a cluster: CPUs for so many actors, looked at before Ray is started.

    Raises:
        SimileError: this machine can never give them.
    """
    share_out([(float(os.cpu_count() or 1), 0.0)], actors, 0.0)


def check_for_one_node(actors: Actors | None, gpus_per_actor: float | None) -> None:
    """For a store that is a folder of one machine: no node may come, so there must be enough now.

    Raises:
        NotEnoughError: there is not.
    """
    try:
        share_out(_nodes(), actors, gpus_per_actor)
    except NotEnoughError as error:
        raise NotEnoughError(
            f"{error} The embedded store is a folder of this machine, so the job does not wait for nodes; "
            "for more of them start a Qdrant server and set QDRANT_URL."
        ) from None


@contextmanager
def spread(reservation: Reservation) -> Iterator[Any]:
    """Places for the actors, over as many nodes as can be: a scheduling strategy for Ray Data.

    A fixed number of actors gets its places at once. An elastic pool finds them one after the other.

    Raises:
        SimileError: others hold so much of each node that the actors do not fit.
    """
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    if reservation.most is not None:
        yield "SPREAD"
        return
    bundle = {"CPU": reservation.actor_cpus} | (
        {"GPU": reservation.actor_gpus} if reservation.actor_gpus else {}
    )
    bundles = [bundle] * reservation.actors
    # SPREAD alone may put two on a node while another one looks busy, and keeps them there.
    group = placement_group(
        bundles, strategy="STRICT_SPREAD" if 1 < len(bundles) <= len(_nodes()) else "SPREAD"
    )
    if not group.wait(_EACH_ITS_NODE_SECONDS):
        remove_placement_group(group)
        group = placement_group(bundles, strategy="SPREAD")
    try:
        if not group.wait(_PATIENCE_SECONDS):
            raise SimileError(
                f"No room for {reservation.actors} actors of {reservation.actor_cpus:g} CPUs and "
                f"{reservation.actor_gpus:g} GPUs, each within one node: others hold parts of every node. "
                "Wait, or lower --actors."
            )
        yield PlacementGroupSchedulingStrategy(group)
    finally:
        remove_placement_group(group)


def _wait_until_free(cpus: float, gpus: float) -> None:
    import ray

    gc.collect()  # the writers of a job that failed in this process live as long as its exception's frames
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


def peak_memory() -> int:
    """Bytes: the largest resident set of this process so far; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    if sys.platform == "linux":  # `ru_maxrss` would start at the peak of the parent process
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

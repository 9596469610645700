"""How many embedding actors were asked for, and how long a job waits for a cluster that grows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import SimileError
from pipeline.progress import say

__all__ = ["WAIT_SECONDS", "Actors", "check_gpus", "patience", "wait_for_room"]

WAIT_SECONDS = 900.0  # a GPU node takes five to ten minutes to come, with its image
_SAID_EVERY = 30.0  # seconds
_LOOK_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Actors:
    """`least` actors; or, where `most` is not None, a pool that grows and shrinks between the two."""

    least: int
    most: int | None = None

    def __str__(self) -> str:
        return str(self.least) if self.most is None else f"{self.least}:{self.most}"

    @classmethod
    def parse(cls, text: str) -> Actors:
        """What `--actors` was given.

        >>> Actors.parse("4"), Actors.parse("2:8")
        (Actors(least=4, most=None), Actors(least=2, most=8))

        Raises:
            SimileError: neither a number from 1 on nor two of them, the smaller one first.
        """
        least, colon, most = text.partition(":")
        try:
            actors = cls(int(least), int(most) if colon else None)
        except ValueError:
            actors = cls(0)
        if actors.least < 1 or (actors.most is not None and actors.most < actors.least):
            raise SimileError(f"--actors is {text}; it must be 1 or more, or MIN:MAX such as 2:8.")
        return actors


def check_gpus(each: float | None) -> None:
    """Look whether Ray can reserve so many GPUs for an actor; None leaves it to what the cluster has.

    Raises:
        SimileError: it is neither a share of one GPU nor a number of whole ones.
    """
    if each is None or 0 <= each <= 1 or (1 < each < math.inf and each.is_integer()):
        return
    raise SimileError(
        f"--gpus-per-actor is {each:g}; it must be 0, a share of one GPU such as 0.5, or a whole number."
    )


def patience(actors: Actors | None, wait: float | None, on_a_cluster: bool) -> float | None:
    """Seconds for which a job waits for actors that have no room; None: it fails at once.

    Args:
        actors: as asked for.
        wait: as asked for; None leaves it to what `actors` is.
        on_a_cluster: whether the job joins a cluster; a Ray of its own never grows.

    Raises:
        SimileError: `wait` is no number of seconds.
    """
    if wait is not None and not 0 <= wait < math.inf:
        raise SimileError(f"--wait is {wait:g}; it must be a number of seconds, 0 or more.")
    if not on_a_cluster:
        return None
    if wait is not None:
        return wait
    return WAIT_SECONDS if actors is not None and actors.most is not None else None


def wait_for_room(actors: int, cpus: float, gpus: float, spare_cpus: float, seconds: float) -> None:
    """Ask the cluster for room, and wait until it is there; a cluster with an autoscaler starts nodes for it.

    What is asked for is a placement group: as long as it is pending, autoscalers count it as demand, also
    where others hold what there is. It is given back when there is room.

    Args:
        actors: how many, each of so many `cpus` and `gpus` of one node.
        spare_cpus: that are left beside them.
        seconds: to wait at most.

    Raises:
        SimileError: there is no room within so many seconds.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    actor = {"CPU": cpus} | ({"GPU": gpus} if gpus else {})
    group = placement_group([{"CPU": spare_cpus}] + [actor] * actors, strategy="SPREAD")
    try:
        _wait(group.wait, f"room for {actors} actors of {cpus:g} CPUs and {gpus:g} GPUs", seconds)
    finally:
        remove_placement_group(group)


def _wait(has_room: Callable[[float], bool], needed: str, seconds: float) -> None:
    """Look again and again, and say now and then for what the job waits."""
    import ray

    began, said = time.monotonic(), -math.inf
    while not has_room(_LOOK_EVERY):
        waited, there = time.monotonic() - began, ray.cluster_resources()
        has = f"{there.get('CPU', 0.0):g} CPUs and {there.get('GPU', 0.0):g} GPUs"
        if waited >= seconds:
            raise SimileError(
                f"The cluster had no {needed} within {seconds:g} s; it has {has}, and others may hold them. "
                "Start nodes, raise --wait, or lower --actors or --gpus-per-actor."
            )
        if waited - said >= _SAID_EVERY:
            say(f"waiting for {needed}: the cluster has {has}; at most {seconds - waited:,.0f} s more")
            said = waited

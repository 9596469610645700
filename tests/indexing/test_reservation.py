"""What a job reserves, and what it says when it cannot have it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ray

from pipeline.cluster.actors import Actors, check_gpus, patience
from pipeline.cluster.reservation import (
    SPARE_CPUS,
    Reservation,
    ask_for,
    peak_memory,
    reserve,
    share_out,
)
from pipeline.config import CollectionConfig, EncoderConfig
from pipeline.errors import SimileError
from pipeline.indexing.job import _reserving
from pipeline.indexing.preflight import IndexJob
from pipeline.store import open_store

ROOT = Path(__file__).resolve().parent.parent.parent


def test_one_cpu_is_left_beside_the_actors(ray_here: None) -> None:
    reservation = reserve()
    cpus = ray.cluster_resources()["CPU"]
    assert reservation.actors * reservation.actor_cpus + SPARE_CPUS <= cpus


def test_a_busy_cluster_says_so_instead_of_hanging(ray_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cluster.reservation._PATIENCE_SECONDS", 1.0)

    @ray.remote(num_cpus=ray.cluster_resources()["CPU"])
    class Greedy:
        def here(self) -> bool:
            return True

    other = Greedy.remote()
    assert ray.get(other.here.remote())
    with pytest.raises(SimileError, match="others on this Ray cluster hold all but 0 CPUs"):
        reserve()
    ray.kill(other)
    monkeypatch.setattr("pipeline.cluster.reservation._PATIENCE_SECONDS", 20.0)
    assert reserve().actors >= 1  # a job that comes a little early waits


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        ([(2, 0)], None, (1, 1, 0)),
        ([(16, 0)], None, (4, 3, 0)),
        ([(2, 0)] * 8, None, (8, 1, 0)),  # three CPUs an actor would fit the sum, but no node
        ([(0, 0), (4, 0), (4, 0)], None, (2, 3, 0)),  # a head that does no work
        ([(16, 8)], None, (8, 1, 1)),
        ([(8, 1), (8, 1)], None, (4, 3, 0.5)),
        ([(4, 1)], None, (1, 3, 1)),
        ([(96, 8)], None, (32, 2, 0.25)),  # twelve threads of one process would wait for Python's lock
        ([(96, 8)], Actors(8), (8, 11, 1)),
        ([(96, 1)], None, (6, 15, 0.1666)),
        ([(96, 1)], Actors(1), (1, 32, 1)),
        ([(25, 3)], None, (6, 4, 0.5)),
        ([(2, 0), (8, 1), (8, 1)], None, (4, 3, 0.5)),  # a head's CPUs are not beside the GPUs
        ([(2, 8), (100, 0)], None, (8, 0.25, 1)),
        ([(96, 1), (4, 1)], None, (2, 4, 1)),
        ([(2, 0)], Actors(4), (4, 0.25, 0)),
        ([(2, 0), (8, 8)], Actors(1, 16), (1, 0.75, 1)),  # eight will fit this node, as it has eight GPUs
        ([(9, 0)], Actors(1, 2), (1, 4, 0)),
        ([(1.25, 4)], Actors(1, 4), (1, 0.25, 1)),  # CPUs for one alone
    ],
)
def test_an_actor_lies_within_one_node(
    nodes: list[tuple[float, float]], asked: Actors | None, expected: tuple[int, float, float]
) -> None:
    made = share_out(nodes, asked)
    assert (made.actors, made.actor_cpus, made.actor_gpus) == expected


@pytest.mark.parametrize(
    ("nodes", "asked", "gpus", "message"),
    [
        ([(2, 0)], 5, None, "need 2.25 CPUs and the cluster has 2"),
        ([(4, 2)], 3, 1.0, "need 3 GPUs and the cluster has 2;"),
        ([(4, 1), (4, 1)], 1, 2.0, "has 2, none of which two nodes can share"),
        ([(1, 1), (8, 0)], 1, 1.0, None),
        ([(0, 1), (8, 0)], 1, 1.0, "on the nodes that have the GPUs"),
    ],
)
def test_what_no_node_can_give_is_refused(
    nodes: list[tuple[float, float]], asked: int, gpus: float | None, message: str | None
) -> None:
    if message is None:
        assert share_out(nodes, Actors(asked), gpus).actors == asked
        return
    with pytest.raises(SimileError, match=message):
        share_out(nodes, Actors(asked), gpus)


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1:", ":2", "4:2", "0:3", "1:2:3", "1.5"])
def test_what_is_no_number_of_actors_is_refused(text: str) -> None:
    with pytest.raises(SimileError, match=rf"^--actors is {text}; it must be 1 or more, or MIN:MAX"):
        Actors.parse(text)


@pytest.mark.parametrize(
    ("actors", "asked", "on_a_cluster", "expected"),
    [
        (None, None, True, None),
        (Actors(4), None, True, None),  # fails at once
        (Actors(4), 60.0, True, 60.0),
        (Actors(1, 4), None, True, 900.0),
        (Actors(1, 4), 0.0, True, 0.0),
        (Actors(1, 4), 60.0, False, None),  # a Ray of this process never grows
    ],
)
def test_who_waits_and_how_long(
    actors: Actors | None, asked: float | None, on_a_cluster: bool, expected: float | None
) -> None:
    assert patience(actors, asked, on_a_cluster) == expected


@pytest.mark.parametrize("wait", [-1.0, float("nan"), float("inf")])
def test_a_wait_is_a_number_of_seconds(wait: float) -> None:
    with pytest.raises(SimileError, match=r"--wait is .*; it must be a number of seconds, 0 or more"):
        patience(None, wait, True)


@pytest.mark.parametrize("gpus", [float("nan"), float("inf"), -0.5, 1.5])
def test_gpus_are_a_share_of_one_or_whole(gpus: float) -> None:
    with pytest.raises(SimileError, match=rf"--gpus-per-actor is {gpus:g}; it must be 0, a share"):
        check_gpus(gpus)
    for right in (None, 0.0, 0.25, 1.0, 2.0):
        check_gpus(right)


def test_a_job_that_waits_asks_for_gpus_that_are_not_there() -> None:
    no_gpus = [(2.0, 0.0)]
    assert ask_for(no_gpus, Actors(2, 8), 1.0, waits=True) == Reservation(2, 1.0, 1.0, 1, most=8)
    assert ask_for(no_gpus, Actors(1, 8), 0.0, waits=True).actor_gpus == 0
    with pytest.raises(SimileError, match="2 actors of 1 GPU need 2 GPUs and the cluster has 0"):
        ask_for(no_gpus, Actors(2, 8), 1.0, waits=False)
    with pytest.raises(SimileError, match=r"has no GPU now.*set --gpus-per-actor"):
        ask_for(no_gpus, Actors(2, 8), None, waits=True)  # CPUs are not taken in their place


def test_a_job_that_waits_asks_for_whole_cpus() -> None:
    small = [(2.0, 0.0)]
    assert ask_for(small, Actors(4, 8), 0.0, waits=True) == Reservation(4, 1.0, 0.0, 1, most=8)
    assert ask_for(small, Actors(4, 8), 0.0, waits=False).actor_cpus == 0.25
    assert ask_for([(2.0, 8.0)], Actors(4), 1.0, waits=True).actor_cpus == 0.25  # so such nodes are


def test_the_embedded_store_waits_for_no_node(ray_here: None, tmp_path: Path) -> None:
    config = CollectionConfig(collection="c", source="s", encoders=[EncoderConfig(name="e")])
    job = IndexJob(config, str(tmp_path), actors=Actors(2, 8), gpus_per_actor=1.0, wait=900.0)
    with pytest.raises(SimileError, match=r"2 actors of 1 GPU need 2 GPUs.*does not wait.*set QDRANT_URL"):
        _reserving(job, open_store(str(tmp_path)))
    fits = replace(job, actors=Actors(4, 8), gpus_per_actor=0.0)  # in parts of this machine's CPUs
    assert _reserving(fits, open_store(str(tmp_path)))().actors == 4


def test_a_cluster_that_does_not_grow_is_waited_for_in_vain(
    ray_here: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.cluster.actors._LOOK_EVERY", 0.1)
    needed = "room for 2 actors of 1 CPUs and 1 GPUs"
    with pytest.raises(SimileError, match=rf"had no {needed} within 0.3 s; it has .* 0 GPUs"):
        reserve(Actors(2, 8), 1.0, wait=0.3)
    assert f"waiting for {needed}: the cluster has" in capsys.readouterr().err
    assert reserve(Actors(1, 8), 0.0, wait=10.0).most == 8  # and what was asked for is given back


def test_the_peak_of_memory_is_that_of_the_program_and_not_of_the_one_that_started_it() -> None:
    held = np.ones(2**26)  # 512 MiB
    assert peak_memory() > held.nbytes
    ask = "from pipeline.cluster.reservation import peak_memory; print(peak_memory())"
    run = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 1e7 < int(run.stdout) < held.nbytes / 2

"""What a job reserves, and what it says when it cannot have it."""

import pytest
import ray

from pipeline.errors import SimileError
from pipeline.indexing.resources import READ_CPUS, reserve


def test_reading_always_keeps_a_cpu(ray_here: None) -> None:
    reservation = reserve()
    cpus = ray.cluster_resources()["CPU"]
    assert reservation.actors * reservation.actor_cpus + READ_CPUS <= cpus


def test_a_busy_cluster_says_so_instead_of_hanging(ray_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.indexing.resources._PATIENCE_SECONDS", 1.0)

    @ray.remote(num_cpus=ray.cluster_resources()["CPU"])
    class Greedy:
        def here(self) -> bool:
            return True

    other = Greedy.remote()
    assert ray.get(other.here.remote())
    with pytest.raises(SimileError, match="others on this Ray cluster hold all but 0 CPUs"):
        reserve()
    ray.kill(other)
    monkeypatch.setattr("pipeline.indexing.resources._PATIENCE_SECONDS", 20.0)
    assert reserve().actors >= 1  # a job that comes a little early waits

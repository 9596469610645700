"""What a job reserves, and what it says when it cannot have it."""

import pytest
import ray

from pipeline.errors import SimileError
from pipeline.indexing.reservation import READ_CPUS, reserve, share_out


def test_reading_always_keeps_a_cpu(ray_here: None) -> None:
    reservation = reserve()
    cpus = ray.cluster_resources()["CPU"]
    assert reservation.actors * reservation.actor_cpus + READ_CPUS <= cpus


def test_a_busy_cluster_says_so_instead_of_hanging(ray_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.indexing.reservation._PATIENCE_SECONDS", 1.0)

    @ray.remote(num_cpus=ray.cluster_resources()["CPU"])
    class Greedy:
        def here(self) -> bool:
            return True

    other = Greedy.remote()
    assert ray.get(other.here.remote())
    with pytest.raises(SimileError, match="others on this Ray cluster hold all but 0 CPUs"):
        reserve()
    ray.kill(other)
    monkeypatch.setattr("pipeline.indexing.reservation._PATIENCE_SECONDS", 20.0)
    assert reserve().actors >= 1  # a job that comes a little early waits


@pytest.mark.parametrize(
    ("nodes", "asked", "expected"),
    [
        ([(2, 0)], None, (1, 1, 0)),
        ([(16, 0)], None, (4, 3, 0)),
        ([(2, 0)] * 8, None, (8, 1, 0)),  # three CPUs an actor would fit the sum, but no node
        ([(0, 0), (4, 0), (4, 0)], None, (2, 3, 0)),  # a head that does no work
        ([(16, 8)], None, (8, 1, 1)),
        ([(8, 1), (8, 1)], None, (2, 4, 1)),
        ([(2, 0)], 4, (4, 0.25, 0)),
    ],
)
def test_an_actor_lies_within_one_node(
    nodes: list[tuple[float, float]], asked: int | None, expected: tuple[int, float, float]
) -> None:
    made = share_out(nodes, asked)
    assert (made.actors, made.actor_cpus, made.actor_gpus) == expected


@pytest.mark.parametrize(
    ("nodes", "asked", "gpus", "message"),
    [
        ([(2, 0)], 0, None, "--actors is 0"),
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
        assert share_out(nodes, asked, gpus).actors == asked
        return
    with pytest.raises(SimileError, match=message):
        share_out(nodes, asked, gpus)

"""GPUs by simulation: what counts as idle, what a node can do, and the command in its short form."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import ray

from benchmarks import gpu_simulation
from benchmarks.gpu_simulation import SimulatedGpu, idle_share, node_table
from benchmarks.limit_of_the_machine import Step, core_and_lock_milliseconds


@pytest.mark.parametrize(
    ("batches", "share"),
    [
        ([], 0.0),
        ([(0, 0, 1), (5, 5, 6)], 0.0),  # nothing waited in between
        ([(0, 1, 2)], 0.5),
        ([(0, 0, 1), (0.5, 1, 2), (5, 6, 8)], 0.2),  # one second of five in which a batch was there
    ],
)
def test_a_gpu_is_idle_while_a_batch_waits_and_it_works_on_none(
    batches: list[tuple[float, float, float]], share: float
) -> None:
    assert idle_share(batches) == pytest.approx(share)


def test_the_simulated_gpu_takes_its_time_and_one_batch_at_once() -> None:
    gpu = SimulatedGpu(rate=1000.0, dimension=3)
    pixels = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(gpu, [pixels] * 3)
    assert first.shape == (4, 3) and first.dtype == np.float32
    assert all(np.array_equal(first, other) for other in others)
    spans = sorted((begun, done) for _, begun, done in gpu.batches)
    assert all(done - begun >= 0.004 for begun, done in spans)
    assert all(one[1] <= following[0] for one, following in itertools.pairwise(spans))


def test_a_node_is_as_fast_as_its_gpus_or_its_cores() -> None:
    """By hand: 96 cores at 2 ms a picture prepare 48,000 a second, and at 20 ms 4,800."""
    rows = {(row[0], row[1]): row[3:] for row in node_table({"small": 2.0, "large": 20.0}, lock_ms=0.6)}
    assert rows["ViT-B/16, 224 px", "small"] == [8, 3, "32,000", "GPUs"]
    assert rows["ViT-B/16, 224 px", "large"] == [80, 3, "4,800", "cores"]
    assert rows["ViT-L/14, 224 px", "small"] == [3, 1, "9,600", "GPUs"]


def test_work_that_never_lets_go_of_the_lock_holds_it_all_the_time() -> None:
    numbers = range(200_000)
    began = time.thread_time()
    sum(numbers)
    alone = 1000 * (time.thread_time() - began)
    assert core_and_lock_milliseconds(Step(sum, [numbers] * 4), at_least=0.5)[1] > 0.5 * alone


@pytest.mark.long
def test_the_short_form_runs_the_embed_stage_with_a_logical_gpu(capsys: Any) -> None:
    ray.shutdown()  # the one that other tests of this process share; it has no GPU
    gpu_simulation.main(["--short"])
    printed = capsys.readouterr().out
    assert "idle_while_a_batch_waited" in printed and "A node of 8 GPUs" in printed

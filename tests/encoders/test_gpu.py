"""A network on a GPU, as far as a machine without one can tell: batches are halved until they fit."""

import logging

import numpy as np
import pytest
import torch

from pipeline.encoders.gpu import GpuNetwork
from pipeline.errors import SimileError


class Small:
    """Memory for `most` pictures at once; the vector of a picture is its mean colour."""

    def __init__(self, most: int) -> None:
        self.most, self.batches = most, list[int]()

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.batches.append(len(pixels))
        return pixels.mean((2, 3))


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    memory = Small(3)
    network = GpuNetwork(memory, torch.Tensor.float, "cpu", batch=16)
    pixels = torch.arange(30, dtype=torch.uint8)[:, None, None, None].expand(30, 3, 4, 4)
    with caplog.at_level(logging.WARNING, "simile"):
        vectors = network(pixels)
        network(pixels)
    np.testing.assert_array_equal(vectors[:, 0], np.arange(30))
    assert memory.batches == [2] * 30
    assert [record.getMessage()[:27] for record in caplog.records] == [
        "16 pictures at once do not ",
        "8 pictures at once do not f",
        "4 pictures at once do not f",
    ]


def test_few_pictures_that_do_not_fit_for_a_moment_leave_the_batch_as_it_is() -> None:
    memory = Small(16)
    network = GpuNetwork(memory, torch.Tensor.float, "cpu", batch=16)
    network(torch.zeros(16, 3, 4, 4))
    memory.most = 3  # another actor came
    assert len(network(torch.zeros(10, 3, 4, 4))) == 10
    assert network.batch == 16 and memory.batches == [16, 2, 2, 2, 2, 2]


def test_a_single_picture_waits_for_memory_that_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, waits = Small(0), list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        memory.most = len(waits) // 2

    monkeypatch.setattr("pipeline.encoders.gpu.time.sleep", wait)
    assert GpuNetwork(memory, torch.Tensor.float, "cpu", batch=4)(torch.zeros(1, 3, 4, 4)).shape == (1, 3)
    assert len(waits) == 2


def test_one_picture_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.encoders.gpu.time.sleep", lambda seconds: None)
    with pytest.raises(SimileError, match="a single picture does not fit into the memory of 'cpu'"):
        GpuNetwork(Small(0), torch.Tensor.float, "cpu", batch=4)(torch.zeros(2, 3, 4, 4))

"""A step of training on a GPU, as far as a machine without one can tell: on which device each tensor is, and
that no operation mixes two. PyTorch's fake tensors have a device, a shape and a type, but no numbers; their
backward pass and autocast need the GPU itself, so half precision is looked at on a CPU.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from pipeline.networks import build_network
from pipeline.training import loop
from pipeline.training.config import load_training_config
from pipeline.training.data import Images
from pipeline.training.objective import Objective
from pipeline.training.optimizer import make_optimizer
from pipeline.training.run import worker_settings

CONFIGS = Path(__file__).parents[2] / "training_config"
BATCH = 8


class Run(loop.Run):
    """What `loop.Run` is after its start, on any device; `layers` is where outputs are, and their type."""

    def __init__(self, name: str, device: str) -> None:
        self.config: Any = load_training_config(CONFIGS / f"{name}.yaml")
        names = {column: [f"{column} {i}" for i in range(10)] for column in self.config.data.labels}
        settings = worker_settings(self.config, names)
        side, columns = self.config.data.pixels, len(names)
        self.data = Images(
            np.zeros((BATCH, side, side, 3), np.uint8), np.arange(BATCH)[:, None].repeat(columns, 1)
        )
        self.rank, self.world, self.batch = 0, 1, BATCH
        self.odd, self.taught, self.fixed = torch.zeros(BATCH, dtype=torch.bool), None, None
        self.variants = self.config.augment.variants or 1
        self.device, self.teacher = torch.device(device), None
        with self.device:
            self.network = build_network(settings.network).train()
            self.objective = Objective(self.config, settings.classes)
        self.optimizer = make_optimizer(self.network, self.objective.parameters(), self.config.optimizer)
        self.model = loop._Joined(self.network, self.objective, fixed=False)
        self.layers: set[tuple[str, torch.dtype]] = set()
        for layer in self.network.modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                layer.register_forward_hook(
                    lambda _, given, out: self.layers.add((out.device.type, out.dtype))
                )


NAMES = pytest.mark.parametrize("name", ["cifar10-cnn", "cifar10-dsh-network"])


@NAMES
@pytest.mark.filterwarnings("ignore:CUDA is not available", "ignore:Accessing the data pointer of FakeTensor")
def test_a_step_on_a_gpu_mixes_no_devices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: None)
    # Fake tensors have no numbers: what `numpy` gives of the chosen rows would be unset memory.
    monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: np.arange(BATCH))
    chosen, random = torch.arange(BATCH), torch.Generator().manual_seed(0)
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv()):
        run = Run(name, "cuda")
        run._step(chosen, 0, random)
        assert (run._precision().device, run._precision().fast_dtype) == ("cuda", torch.bfloat16)
    assert {device for device, _ in run.layers} == {"cuda"}


@NAMES
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
def test_layers_work_in_half_precision_where_there_is_any_and_weights_stay_in_full(
    name: str, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "cpu_has_bfloat16", lambda: kind == torch.bfloat16)
    run = Run(name, "cpu")
    loss, _ = run._step(torch.arange(BATCH), 0, torch.Generator().manual_seed(0))
    assert np.isfinite(loss) and run.layers == {("cpu", kind)}
    assert {p.dtype for p in run.network.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in run.network.parameters() if p.grad is not None} == {torch.float32}

"""Deep supervised hashing end to end: a few steps of the configuration that ships, on bundled photographs."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from pipeline.networks import build_network
from pipeline.training.augment import normalise
from pipeline.training.config import load_training_config
from pipeline.training.objective import Objective
from pipeline.training.optimizer import make_optimizer

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_whole_network_learns_from_the_pairwise_loss_alone() -> None:
    torch.manual_seed(0)
    config = load_training_config(ROOT / "training_config" / "cifar10-dsh-network.yaml")
    assert [term.kind for term in config.losses] == ["dsh"]
    assert config.network.start is None and config.teacher is None and not config.network.frozen
    (file,) = (ROOT / "samples" / "cifar10" / "data").glob("*.parquet")
    rows = pq.read_table(file).slice(0, 60)
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row["bytes"]))) for row in rows["img"].to_pylist()])
    labels = torch.tensor(rows["label"].to_pylist())[:, None]
    images = normalise(torch.from_numpy(pixels), config.network.mean, config.network.std)

    options = {"backbone": config.network.backbone, "options": {"widths": [16, 32, 32]}, "code_bits": 48}
    network = build_network(options).train()
    network.backbone.initialise(images)
    objective, optimizer = Objective(config, {"label": 10}), make_optimizer(network, [], config.optimizer)
    before = {name: value.clone() for name, value in network.named_parameters()}
    losses = []
    for _ in range(12):
        loss, _ = objective(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    learnt = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert learnt == {name for name, value in network.named_parameters() if value.requires_grad}
    # only the first layer, which is fitted to the images, and the scales of norms, which are left out, stay
    filters = {name for name, value in network.named_parameters() if value.ndim > 1}
    assert filters - learnt == {"backbone.whiten.weight"}

"""Variants of images that pass through a frozen part once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.encoders.families.simile_models import load_embedder
from pipeline.networks import build_network
from pipeline.training import loop
from pipeline.training.config import TrainingConfig, load_training_config
from pipeline.training.data import Images
from pipeline.training.loop import Run
from pipeline.training.run import worker_settings
from pipeline.training.start import begin, remembers

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3)).astype(np.uint8)
LABELS = np.arange(6)[:, None] % 2


def configured(**augment: object) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "name": "small",
            "data": {"source": "s", "labels": ["label"], "pixels": 64},
            "augment": augment,
            "network": {
                "backbone": "style-cnn",
                "options": {"maps": [1, 2], "correlations": [1]},
                "start": "pypi:efficientnet-lite0",
                "frozen": True,
                "dimension": 4,
            },
            "losses": [{"kind": "metric", "options": {"name": "NormalizedSoftmaxLoss"}}],
            "optimizer": {"rate": 0.1},
            "epochs": 1,
            "batch": 6,
            "precision": "float32",
        }
    )


class Remembering(Run):
    """What `Run` remembers of images, without the rest of it."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config, self.data, self.world = config, Images(PIXELS, LABELS), 1
        self.device = torch.device("cpu")
        self.network = build_network(config.network.model_dump(include={"backbone", "options", "dimension"}))
        assert remembers(self.network, config)
        self.variants = config.augment.variants or 1
        self.fixed = self._fixed(begin(self.network, config, self.data))


def test_a_step_takes_one_variant_of_each_image() -> None:
    run = Remembering(configured(crop=0.3, variants=3))
    assert run.fixed is not None and run.fixed.shape == (18, run.network.backbone.features)
    every = run.fixed.unflatten(0, (3, 6))
    images = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255
    mean, std = (
        torch.tensor(each)[:, None, None] for each in (run.config.network.mean, run.config.network.std)
    )
    with torch.no_grad():  # the first variant is the image itself, and the first step standardised by these
        torch.testing.assert_close(run.network.fixed((images - mean) / std), every[0], rtol=1e-3, atol=1e-3)
    assert (every[1] - every[0]).abs().amax(1).min() > 0.01  # all others are varied
    random, seen = torch.Generator().manual_seed(0), set()
    for _ in range(20):
        rows = run._remembered(torch.tensor([4, 2]), random)
        for row, image in zip(rows, (4, 2), strict=True):
            (which,) = torch.nonzero((every[:, image] == row).all(1))[0].tolist()
            seen.add((image, which))
    assert seen == {(image, which) for image in (4, 2) for which in range(3)}


def test_without_variants_images_that_are_varied_are_not_remembered() -> None:
    network = build_network({"backbone": "style-cnn", "options": {"maps": [1]}, "dimension": 4})
    assert not remembers(network, configured(crop=0.3))
    assert remembers(network, configured(flip="none"))


def test_variants_of_images_need_a_part_that_is_not_trained() -> None:
    config = configured(variants=2)
    network = build_network({"backbone": "style-cnn", "options": {"maps": [1]}, "dimension": 4})
    trained = config.model_copy(update={"network": config.network.model_copy(update={"frozen": False})})
    assert remembers(network, config) and not remembers(network, trained)
    with pytest.raises(ValueError, match=r"variants"):
        configured(variants=0)


def test_a_transformer_that_goes_on_keeps_all_it_has_learned_and_remembers_the_map_below_it() -> None:
    config = load_training_config(Path(__file__).parents[2] / "training_config" / "cifar10-vit-longer.yaml")
    network = build_network(
        config.network.model_dump(include={"backbone", "options", "dimension", "code_bits"})
        | {"classes": {"label": 10}}
    )
    small = Images(PIXELS[:, :32, :32].copy(), LABELS)
    assert remembers(network, config) and begin(network, config, small) is None
    shipped = load_embedder("weights:cifar10-vit").state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, shipped[name], msg=name)
    trained = config.network.options | {"frozen": False}
    other = build_network({"backbone": "hybrid-vit", "options": trained, "dimension": 288})
    assert not remembers(other, config)


def test_classes_begin_where_a_network_that_goes_on_has_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_training_config(Path(__file__).parents[2] / "training_config" / "art-vit.yaml")
    network = shipped.network.model_copy(
        update={"start": "weights:art-vit", "start_heads": True, "start_embedding": "whitened"}
    )
    augment = shipped.augment.model_copy(update={"variants": 2})
    metric = [loss for loss in shipped.losses if loss.kind == "metric"]
    config = shipped.model_copy(
        update={"network": network, "augment": augment, "teacher": None, "losses": metric}
    )
    settings = worker_settings(config, {column: ["a", "b"] for column in config.data.labels})
    images = Images(np.pad(PIXELS, ((0, 0), (80, 80), (80, 80), (0, 0))), LABELS.repeat(3, 1))
    began: list[torch.Tensor] = []
    monkeypatch.setattr(loop, "_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(Run, "_start_proxies", lambda _, fixed: began.append(fixed))
    run = Run(settings, images, 0, 1)
    assert run.fixed is not None and len(run.fixed) == 12
    torch.testing.assert_close(began[0], run.fixed[:6])

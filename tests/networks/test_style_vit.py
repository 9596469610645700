"""A transformer beside style statistics: what is remembered of an image is enough to train on."""

from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import SimileError
from pipeline.networks import Outputs, RawOutput, StyleVit, build_network
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images
from pipeline.training.first_embedding import imitation
from pipeline.training.objective import Objective
from pipeline.training.start import begin, remembers

RANDOM = torch.Generator().manual_seed(4)
IMAGES = torch.rand(4, 3, 64, 64, generator=RANDOM)
OPTIONS = {
    "maps": [1, 2],
    "correlations": [1],
    "pixels": 64,
    "width": 32,
    "depth": 1,
    "heads": 2,
    "keep": 0.5,
}
STATISTICS = 2 * (16 + 24) + 16 * 17 // 2  # means and deviations of both maps, correlations of the first


@pytest.fixture(scope="module")
def network() -> StyleVit:
    torch.manual_seed(0)
    return StyleVit(**OPTIONS).eval()


def test_what_is_fixed_is_statistics_and_the_last_map(network: StyleVit) -> None:
    with torch.no_grad():
        fixed = network.fixed(IMAGES)
        assert network.shape == (24, 16, 16)
        assert fixed.shape == (4, STATISTICS + 24 * 16 * 16)
        torch.testing.assert_close(fixed[:, :STATISTICS], network.stem(IMAGES))
        torch.testing.assert_close(network.from_fixed(fixed), network(IMAGES))
        torch.testing.assert_close(network(IMAGES)[:, 32:], fixed[:, :STATISTICS])


def test_places_add_up_and_only_the_stem_stays(network: StyleVit) -> None:
    with torch.no_grad():
        torch.testing.assert_close(
            network.spatial(IMAGES).mean((1, 2)), network(IMAGES), rtol=1e-3, atol=1e-3
        )
    assert not any(p.requires_grad for p in network.stem.parameters())
    assert all(p.requires_grad for key, p in network.named_parameters() if not key.startswith("stem."))
    assert not network.train().stem.training
    network.eval()


def test_half_of_the_tokens_are_left_out_in_training_only(network: StyleVit) -> None:
    seen = []
    watched = network.blocks.register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape[1])
    )
    with torch.no_grad():
        fixed = network.fixed(IMAGES)
        network.train().from_fixed(fixed)
        network.eval().from_fixed(fixed)
    watched.remove()
    assert seen == [128, 256]
    with pytest.raises(SimileError, match="keep is 0"):
        StyleVit(keep=0)


def test_the_embedding_of_what_is_fixed_is_that_of_the_image() -> None:
    embedder = build_network({"backbone": "style-vit", "options": OPTIONS, "dimension": 6}).eval()
    with torch.no_grad():
        outputs: Outputs = embedder.from_fixed(embedder.fixed(IMAGES))
        torch.testing.assert_close(outputs.embedding, embedder(IMAGES).embedding)
        torch.testing.assert_close(RawOutput(embedder)(IMAGES), outputs.embedding)


def test_imitation_finds_a_linear_teacher() -> None:
    features = torch.randn(300, 5, generator=RANDOM)
    teacher = features @ torch.randn(5, 3, generator=RANDOM)
    teacher = teacher / teacher.norm(dim=1, keepdim=True) * 7
    weight, bias = imitation(features, teacher)
    found = features @ weight.T + bias
    assert torch.nn.functional.cosine_similarity(found, teacher).mean() > 0.9


def test_a_frozen_stem_sees_each_image_once_and_training_starts_from_what_it_says() -> None:
    """Features of all images come back standardised, the embedding is fitted to them, proxies to classes."""
    settings: dict[str, Any] = {
        "name": "tiny",
        "data": {"source": "none", "labels": ["artist"], "pixels": 64},
        "augment": {"flip": "none"},
        "network": {"backbone": "style-vit", "start": "pypi:efficientnet-lite0", "dimension": 4},
        "losses": [{"kind": "metric", "options": {"name": "NormalizedSoftmaxLoss"}}],
        "optimizer": {"rate": 0.01},
        "epochs": 1,
        "batch": 4,
    }
    settings["network"]["start_embedding"] = "discriminant"
    config = TrainingConfig.model_validate(settings)
    network = build_network({"backbone": "style-vit", "options": OPTIONS, "dimension": 4})
    random = np.random.default_rng(0)
    data = Images(random.integers(0, 256, (12, 64, 64, 3), np.uint8), np.arange(12)[:, None] % 3)
    assert remembers(network, config)
    fixed = begin(network, config, data)
    assert fixed is not None
    assert fixed.shape == (12, STATISTICS + 24 * 16 * 16)
    assert fixed[:, :STATISTICS].mean(0).abs().max() < 1e-4
    objective = Objective(config, {"artist": 3})
    with torch.no_grad():
        found = network.eval().from_fixed(fixed).embedding
    objective.begin(found, torch.from_numpy(data.labels))
    unit = torch.nn.functional.normalize(found, dim=1)
    proxies: Any = objective.metric[0].W
    expected = torch.nn.functional.normalize(unit[::3].sum(0), dim=0)
    torch.testing.assert_close(proxies[:, 0], expected, rtol=1e-3, atol=1e-4)
    changed = TrainingConfig.model_validate(settings | {"augment": {"flip": "random"}})
    assert not remembers(network, changed)

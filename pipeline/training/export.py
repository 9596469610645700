"""A trained network as a folder that `load_encoder` reads: safetensors, config.json, README.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.training.config import TrainingConfig

__all__ = ["export_network", "preprocessing"]


def preprocessing(config: TrainingConfig) -> dict[str, Any]:
    """The options of timm's evaluation transform that repeat what training images went through."""
    side = config.data.pixels
    return {
        "input_size": [3, side, side],
        "crop_pct": 1.0,
        "crop_mode": "squash",
        "interpolation": "bicubic",
        "mean": list(config.network.mean),
        "std": list(config.network.std),
    }


def export_network(
    network: nn.Module,
    config: TrainingConfig,
    description: Mapping[str, Any],
    class_names: Mapping[str, list[str]],
    folder: Path,
) -> int:
    """Write weights and configuration; the size of the weights in bytes.

    Matrices and filters are stored in float16, vectors (biases, statistics of norms) in float32.

    Args:
        description: what `build_network` was given.
        folder: made if it is not there; files in it are replaced.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: _stored(value).contiguous().cpu()
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    save_file(tensors, folder / "model.safetensors")
    written = {
        "model_type": "simile",
        "name": config.name,
        "network": dict(description),
        "mirror": config.network.mirror,
        "preprocessing": preprocessing(config),
        "class_names": dict(class_names),
    }
    (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return (folder / "model.safetensors").stat().st_size


def _stored(value: torch.Tensor) -> torch.Tensor:
    """Indexes stay integers."""
    if not value.is_floating_point():
        return value
    return value.half() if value.ndim > 1 else value.float()


def restore_network(network: nn.Module, state: Path) -> None:
    """Load the network of a checkpoint of `pipeline.training.loop`."""
    parts = torch.load(state, map_location="cpu", weights_only=True)
    network.load_state_dict(parts["network"])

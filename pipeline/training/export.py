"""A trained network as a folder that `load_encoder` reads: safetensors, config.json, README.md."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.encoders.checkpoint import PROVENANCE, SIMILE
from pipeline.encoders.weight_files import WEIGHTS
from pipeline.training.config import TrainingConfig
from pipeline.training.provenance import Provenance
from pipeline.training.state_file import read_state

__all__ = ["export_network", "preprocessing", "restore_network"]


def preprocessing(config: TrainingConfig) -> dict[str, Any]:
    """The options of timm's evaluation transform that prepare images as they were in training."""
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
    provenance: Provenance,
    folder: Path,
) -> int:
    """Write weights and configuration.

    Matrices and filters are stored in float16, vectors (biases, statistics of norms) in float32.

    Args:
        description: that `build_network` made the network from.
        class_names: label column -> names of its classes.
        folder: made if it is not there; files in it are replaced.

    Returns:
        Size of the weights in bytes.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: _stored(value).contiguous().cpu()
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    save_file(tensors, folder / WEIGHTS)
    written = {
        "model_type": SIMILE,
        "name": config.name,
        "network": dict(description),
        "mirror": config.network.mirror,
        "preprocessing": preprocessing(config),
        PROVENANCE: provenance.as_json(),
        "class_names": dict(class_names),
    }
    (folder / "config.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return (folder / WEIGHTS).stat().st_size


def _stored(value: torch.Tensor) -> torch.Tensor:
    """In its stored type; integers, such as indexes, stay as they are."""
    if not value.is_floating_point():
        return value
    return value.half() if value.ndim > 1 else value.float()


def restore_network(network: nn.Module, state: Path) -> None:
    """Load the network of a checkpoint of `pipeline.training.loop`."""
    network.load_state_dict(read_state(state)["network"])

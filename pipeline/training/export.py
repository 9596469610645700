"""A trained network as a folder that `load_encoder` reads: safetensors, config.json, README.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from pipeline.encoders.checkpoint import PROVENANCE, SIMILE
from pipeline.encoders.families.simile_models import write_weights
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
    """Write weights and configuration, see `write_weights`.

    Args:
        description: that `build_network` made the network from.
        class_names: label column -> names of its classes.
        folder: made if it is not there; files in it are replaced.

    Returns:
        Size of the weights in bytes.
    """
    written = {
        "model_type": SIMILE,
        "name": config.name,
        "network": dict(description),
        "mirror": config.network.mirror,
        "preprocessing": preprocessing(config),
        PROVENANCE: provenance.as_json(),
        "class_names": dict(class_names),
    }
    return write_weights(network, written, folder)


def restore_network(network: nn.Module, state: Path) -> None:
    """Load the network of a checkpoint of `pipeline.training.loop`."""
    network.load_state_dict(read_state(state)["network"])

"""Networks of ray_jobs.train or make_general: fp16 safetensors, a config.json and a card in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.encoders.checkpoint import Checkpoint, find_folder
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.names import EncoderName, parse_name
from pipeline.encoders.preprocessing import Transform, transform
from pipeline.encoders.shipped_onnx import find_shipped
from pipeline.encoders.weight_files import WEIGHTS
from pipeline.errors import SimileError
from pipeline.installation import need_torch

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

    from pipeline.networks import Embedder

__all__ = ["describe", "load", "load_embedder", "write_weights"]

EMBEDDING = "the trained embedding"
MIRRORED = "the trained embedding, mean over the image and its mirror image"


def describe(name: EncoderName, checkpoint: Checkpoint) -> EncoderDescription:
    """From the configuration file, and what is known of an ONNX file; without one also from the network on
    torch's meta device, where it takes no memory.

    Raises:
        SimileError: a backbone or an option that this version does not know, or another input size.
    """
    config = checkpoint.config
    stated = config.get("embedding")  # make_general says it
    trained = MIRRORED if config.get("mirror") else EMBEDDING
    shipped = find_shipped(checkpoint.folder, checkpoint.revision)
    dimension = shipped.dimension if shipped else _dimension(name, checkpoint)
    return EncoderDescription(
        name=name.text,
        family=f"simile:{config['network']['backbone']}",
        dimension=dimension,
        revision=checkpoint.revision,
        preprocessing=_preprocessing(name, checkpoint),
        embedding=stated if isinstance(stated, str) else trained,
        licence=checkpoint.licence,
        code_bits=config["network"].get("code_bits"),
    )


def load(
    name: EncoderName, checkpoint: Checkpoint
) -> tuple[nn.Module, Transform | Callable[[Image.Image], torch.Tensor]]:
    """The network, whose raw output is embedding and hash logits, and its transform.

    Raises:
        SimileError: as `describe`; also tensors that do not fit.
    """
    from pipeline.networks import RawOutput

    network = RawOutput(_weighted(name, checkpoint), mirror=bool(checkpoint.config.get("mirror")))
    return network, transform(_preprocessing(name, checkpoint))


def load_embedder(name: str) -> Embedder:
    """The whole network of `weights:NAME` or a folder, with its classifiers: a teacher, or a start.

    Raises:
        SimileError: there is none, or it is of another kind.
    """
    parsed = parse_name(name)
    checkpoint = find_folder(parsed) if parsed.source == "folder" else None
    if checkpoint is None or checkpoint.layout != "simile":
        raise SimileError(f"'{name}' was not trained by ray_jobs/train.py; name one of weights: or a folder")
    return _weighted(parsed, checkpoint)


def write_weights(network: nn.Module, configuration: Mapping[str, Any], folder: Path) -> int:
    """Write the folder that `load` reads, but for its card.

    Matrices and filters are stored in float16, vectors (biases, statistics of norms) in float32.

    Args:
        network: an `Embedder`.
        configuration: for config.json.
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
    (folder / "config.json").write_text(json.dumps(dict(configuration), indent=1) + "\n", encoding="utf-8")
    return (folder / WEIGHTS).stat().st_size


def _stored(value: torch.Tensor) -> torch.Tensor:
    """In its stored type; integers, such as indexes, stay as they are."""
    if not value.is_floating_point():
        return value
    return value.half() if value.ndim > 1 else value.float()


def _dimension(name: EncoderName, checkpoint: Checkpoint) -> int:
    need_torch(f"'{name.text}', which has no ONNX file of its weights,")
    import torch

    with torch.device("meta"):
        return _build(name, checkpoint).dimension


def _weighted(name: EncoderName, checkpoint: Checkpoint) -> Embedder:
    from safetensors.torch import load_file

    network = _build(name, checkpoint)
    stored = load_file(checkpoint.folder / WEIGHTS)
    tensors = {k: value.float() if value.is_floating_point() else value for k, value in stored.items()}
    counters = {key for key in network.state_dict() if key.endswith("num_batches_tracked")}
    try:
        missing, unexpected = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise _unfit(name, str(error).splitlines()[-1].strip()) from None
    wrong = sorted((set(missing) - counters) | set(unexpected))
    if wrong:
        raise _unfit(name, f"'{wrong[0]}' is missing or unknown")
    return network


def _build(name: EncoderName, checkpoint: Checkpoint) -> Embedder:
    from pipeline.networks import build_network

    try:
        return build_network(checkpoint.config["network"])
    except KeyError as error:
        raise _unfit(name, f"config.json lacks {error}") from None


def _preprocessing(name: EncoderName, checkpoint: Checkpoint) -> dict[str, Any]:
    found = dict(checkpoint.config["preprocessing"])
    if name.pixels:
        if _fixed_size(checkpoint.config["network"]) and name.pixels != found["input_size"][1]:
            raise SimileError(
                f"'{name.text}' takes {found['input_size'][1]} px only: its position embeddings fit no other"
            )
        found["input_size"] = [3, name.pixels, name.pixels]
    return found


def _fixed_size(network: dict[str, Any]) -> bool:
    """Whether position embeddings fit one input size only."""
    recipe = network.get("options", {}).get("recipe", {})
    return network["backbone"] == "compact-vit" or "img_size" in recipe.get("arguments", {})


def _unfit(name: EncoderName, why: str) -> SimileError:
    return SimileError(f"the weights of '{name.text}' do not fit: {why}; train them again")

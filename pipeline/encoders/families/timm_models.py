"""Image models of timm (Wightman, "PyTorch Image Models"): VGG, ResNet, DenseNet, ConvNeXt, ViT, CLIP …"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipeline.encoders.checkpoint import Checkpoint
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.input_size import check_patches, input_size_error
from pipeline.encoders.names import EncoderName
from pipeline.encoders.preprocessing import Transform, transform
from pipeline.errors import SimileError
from pipeline.networks.pooling import POOLED, PooledFeatures, embedding_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["describe", "hub_id", "load", "preprocessing"]

PROJECTED = "projected image embedding"


def hub_id(name: EncoderName) -> str:
    """The Hub repository of a model of timm's registry; without a tag, that of timm's default weights.

    Raises:
        SimileError: no such model, with the nearest names; or one without weights.
    """
    import timm
    from timm.models import get_pretrained_cfg

    architecture, _, tag = name.place.partition(".")
    if not timm.is_model(architecture):
        raise SimileError(f"timm has no model '{name.place}'{_nearest(name.place, timm.list_models())}")
    tags = [model.partition(".")[2] for model in timm.list_models(f"{architecture}.*", pretrained=True)]
    if not tags or (tag and tag not in tags):
        there = f"there are: {', '.join(tags)}" if tags else "there are none"
        raise SimileError(f"timm has no weights '{tag}' for '{architecture}'; {there}")
    found = get_pretrained_cfg(name.place)
    if found is None or not found.hf_hub_id:
        raise SimileError(
            f"timm has no weights for '{name.place}' on the Hub; save it once with timm.models.save_for_hf "
            "and name the folder"
        )
    return found.hf_hub_id


def _nearest(asked: str, known: list[str]) -> str:
    near = difflib.get_close_matches(asked.partition(".")[0], known, n=4, cutoff=0.5)
    return f"; did you mean {', '.join(near)}?" if near else "; timm.list_models() lists them"


def describe(name: EncoderName, checkpoint: Checkpoint) -> EncoderDescription:
    """Read from the network on torch's meta device, where tensors have shapes but take no memory."""
    with torch.device("meta"):
        network = embedding_of(_create(name, checkpoint, folder=None))
        options = preprocessing(name, network)
        try:
            dimension = network.eval()(torch.empty(1, *options["input_size"])).shape[1]
        except (RuntimeError, NotImplementedError, AssertionError):  # a size it refuses; `load` reports it
            dimension = None
    return EncoderDescription(
        name=name.text,
        family=f"timm:{checkpoint.config['architecture']}",
        dimension=dimension,
        revision=checkpoint.revision,
        preprocessing=options,
        embedding=POOLED if isinstance(network, PooledFeatures) else PROJECTED,
        licence=checkpoint.licence,
    )


def load(
    name: EncoderName, checkpoint: Checkpoint
) -> tuple[nn.Module, Transform | Callable[[Image.Image], torch.Tensor]]:
    """The network with its weights, and its transform.

    Raises:
        SimileError: the weights do not fit the architecture or the input size.
    """
    network = embedding_of(_create(name, checkpoint, folder=checkpoint.download(name)))
    return network, transform(preprocessing(name, network))


def _create(name: EncoderName, checkpoint: Checkpoint, folder: Path | None) -> nn.Module:
    """The model with the weights in `folder`, or without weights.

    `local-dir:` makes timm read the folder's model.safetensors, which is known to exist, and check that every
    tensor fits. Files of the Hub are read in the same way, because timm would take pickled weights by Hub id.
    """
    import timm

    config = checkpoint.config
    card = config.get("pretrained_cfg", config)
    options: dict[str, Any] = {}
    if name.pixels and card.get("fixed_input_size"):
        options["img_size"] = name.pixels  # position embeddings are interpolated
    try:
        model = timm.create_model(
            f"local-dir:{folder or checkpoint.folder}", pretrained=folder is not None, **options
        )
    except (RuntimeError, TypeError, ValueError, AssertionError, KeyError) as error:
        if not timm.is_model(config["architecture"]):
            raise SimileError(
                f"'{name.text}' is a '{config['architecture']}', which this version of timm does not know"
                f"{_nearest(config['architecture'], timm.list_models())}"
            ) from None
        if name.pixels:
            raise input_size_error(name.text, name.pixels, error) from None
        raise SimileError(
            f"the weights of '{name.text}' do not fit '{config['architecture']}': "
            f"{str(error).splitlines()[0]}; save the model again"
        ) from None
    check_patches(name.text, name.pixels, getattr(getattr(model, "patch_embed", None), "patch_size", None))
    return model


def preprocessing(name: EncoderName, network: nn.Module) -> dict[str, Any]:
    """The model's own, as JSON can hold it; with `@<N>px` images are resized to N × N as a whole."""
    from timm.data import resolve_model_data_config

    found = resolve_model_data_config(network.model)
    if name.pixels:
        found |= {"input_size": (3, name.pixels, name.pixels), "crop_pct": 1.0, "crop_mode": "squash"}
    keys = ("input_size", "crop_pct", "crop_mode", "interpolation", "mean", "std")
    return {key: list(found[key]) if isinstance(found[key], tuple) else found[key] for key in keys}

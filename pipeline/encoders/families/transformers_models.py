"""Image models of transformers (Wolf et al., 2020): ViT, DeiT, DINOv2, CLIP, SigLIP, ResNet, ConvNeXt …"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipeline.encoders.checkpoint import Checkpoint
from pipeline.encoders.description import EncoderDescription
from pipeline.encoders.input_size import check_patches
from pipeline.encoders.names import EncoderName
from pipeline.encoders.preprocessing import apply_processor, describe_processor, find_processor, quiet
from pipeline.encoders.text_tower import TextTower, has_text_tower, load_text_tower
from pipeline.errors import SimileError
from pipeline.networks.pooling import OWN_POOLING, TransformersEmbedding

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["describe", "load", "load_text"]

PROJECTED = "projected image embedding (get_image_features)"
POOLER = "the model's own pooling"
TOKENS_OR_MAP = "CLS token after the final norm, or mean over the last feature map or over all tokens"
# The image half of a model that has two: the text half would take memory and time for nothing.
IMAGE_HALF = {"clip": "CLIPVisionModelWithProjection", "siglip": "SiglipVisionModel"}


def describe(name: EncoderName, checkpoint: Checkpoint) -> EncoderDescription:
    """From the configuration files alone.

    Raises:
        SimileError: no preprocessing configuration, or a type that transformers does not know.
    """
    kind = checkpoint.config["model_type"]
    config = _config(name, checkpoint)
    check_patches(
        name.text, name.pixels, getattr(getattr(config, "vision_config", config), "patch_size", None)
    )
    projected = _is_projected(config)
    return EncoderDescription(
        name=name.text,
        family=f"transformers:{kind}",
        dimension=_dimension(config, projected),
        revision=checkpoint.revision,
        preprocessing=describe_processor(name, find_processor(name, checkpoint)),
        embedding=PROJECTED if projected else POOLER if kind in OWN_POOLING else TOKENS_OR_MAP,
        licence=checkpoint.licence,
        text=has_text_tower(checkpoint),
    )


def load(
    name: EncoderName, checkpoint: Checkpoint
) -> tuple[nn.Module, Callable[[Image.Image], torch.Tensor]]:
    """The network with its weights, and its transform.

    Raises:
        SimileError: weights are missing from the checkpoint or do not fit.
    """
    import transformers

    folder = checkpoint.download(name)
    config = _config(name, checkpoint)
    kind = IMAGE_HALF.get(config.model_type, "AutoModel")
    if "CLIPVisionModelWithProjection" in (config.architectures or ()):
        kind = "CLIPVisionModelWithProjection"
    options: dict[str, Any] = {"add_pooling_layer": False} if config.model_type in ("vit", "deit") else {}
    if (
        config.model_type == "clip"
    ):  # the file states the width of the projection outside the image half's part
        config.vision_config.projection_dim = config.projection_dim
        options["config"] = config.vision_config
    try:
        with quiet():
            model, report = getattr(transformers, kind).from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
                **options,
            )
    except (RuntimeError, ValueError, OSError, TypeError, KeyError) as error:
        raise SimileError(f"'{name.text}' cannot be loaded: {str(error).splitlines()[0]}") from None
    if model.main_input_name != "pixel_values" and not hasattr(model, "get_image_features"):
        raise SimileError(
            f"'{name.text}' is no image model: {type(model).__name__} reads {model.main_input_name}"
        )
    if hasattr(model.config, "mask_ratio"):  # ViT-MAE hides parts of every image at random, also in use
        model.config.mask_ratio = 0.0
    network = TransformersEmbedding(model, interpolate=name.pixels is not None)
    _check_complete(name, network, report["missing_keys"])
    return network, partial(apply_processor, find_processor(name, checkpoint), name.pixels)


def load_text(name: EncoderName, checkpoint: Checkpoint) -> TextTower:
    """The text half; the description says whether there is one."""
    return load_text_tower(name, checkpoint)


def _check_complete(name: EncoderName, network: TransformersEmbedding, missing: Iterable[str]) -> None:
    """Refuse a checkpoint that lacks weights in use: transformers fills them with random numbers."""
    used = sorted(
        key
        for key in missing
        if network.own_pooling or not key.startswith(("pooler.", "vision_model.pooler."))
    )
    if used:
        raise SimileError(
            f"the weights of '{name.text}' lack {len(used)} tensors that its configuration needs "
            f"({used[0]}, …); is the file complete, and of this model?"
        )


def _config(name: EncoderName, checkpoint: Checkpoint) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False, local_files_only=True)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise SimileError(
            f"transformers cannot read '{name.text}' (model_type '{checkpoint.config['model_type']}'): "
            f"{str(error).splitlines()[0]}"
        ) from None


def _is_projected(config: Any) -> bool:
    """Whether it is a model of images and texts, or the image half of one with its projection."""
    from transformers import MODEL_MAPPING

    if "CLIPVisionModelWithProjection" in (config.architectures or ()):
        return True
    return type(config) in MODEL_MAPPING and hasattr(MODEL_MAPPING[type(config)], "get_image_features")


def _dimension(config: Any, projected: bool) -> int | None:
    found: int | None
    if projected and hasattr(config, "projection_dim"):
        found = config.projection_dim
        return found
    config = getattr(config, "vision_config", config)
    if sizes := getattr(config, "hidden_sizes", None):
        found = sizes[-1]
    else:
        key = "hidden_dim" if config.model_type == "efficientnet" else "hidden_size"
        found = getattr(config, key, None)
    return found

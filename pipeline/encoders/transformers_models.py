"""Image models of transformers (Wolf et al., 2020): ViT, DeiT, DINOv2, CLIP, SigLIP, ResNet, ConvNeXt …"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipeline.encoders.checkpoint import PREPROCESSING, Checkpoint
from pipeline.encoders.encoder import EncoderDescription, check_patches
from pipeline.encoders.names import EncoderName
from pipeline.errors import SimileError

if TYPE_CHECKING:
    from PIL import Image

PROJECTED = "projected image embedding"
POOLER = "the model's own pooling"
TOKENS_OR_MAP = "CLS token after the final norm, or mean over the last feature map or over all tokens"
# Models without a CLS token whose pooling is trained, or is part of what they were trained to do.
OWN_POOLING = {
    "beit",
    "clip_vision_model",
    "data2vec-vision",
    "siglip",
    "siglip_vision_model",
    "swin",
    "swinv2",
}
# The image half of a model that has two: the text half would take memory and time for nothing.
IMAGE_HALF = {"clip": "CLIPVisionModelWithProjection", "siglip": "SiglipVisionModel"}


class Embedding(nn.Module):
    """(N, 3, H, W) -> (N, D): the embedding of a transformers model.

    CLIP: `image_embeds`, what `get_image_features` gives. SigLIP: the output of its attention pooling,
    likewise. ViT, DeiT, DINOv2: the CLS token of `last_hidden_state`, which is normalised; the pooler of ViT is
    untrained in many checkpoints. CNNs: the mean of the last feature map (ConvNeXt: before the norm of its head).
    """

    def __init__(self, model: nn.Module, interpolate: bool) -> None:
        super().__init__()
        self.model = model
        self.has_cls = any(key.endswith("cls_token") for key, _ in model.named_parameters())
        self.own_pooling = getattr(model.config, "model_type", None) in OWN_POOLING
        self.call: Any = model
        if hasattr(model, "get_image_features"):
            self.call = model.get_image_features
        takes_it = "interpolate_pos_encoding" in inspect.signature(_forward(self.call)).parameters
        self.options = {"interpolate_pos_encoding": True} if interpolate and takes_it else {}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.call(pixel_values=images, **self.options)
        if isinstance(output, torch.Tensor):
            return output
        if getattr(output, "image_embeds", None) is not None:
            return output.image_embeds
        if self.own_pooling or self.call is not self.model:
            return output.pooler_output
        hidden = output.last_hidden_state
        if hidden.ndim == 4:
            return hidden.mean((2, 3))
        return hidden[:, 0] if self.has_cls else hidden.mean(1)


def _forward(call: Any) -> Callable[..., Any]:
    return call.forward if isinstance(call, nn.Module) else call


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
    projected = "clip" in kind and not kind.endswith("vision_model")
    return EncoderDescription(
        name=name.text,
        family=f"transformers:{kind}",
        dimension=_dimension(config),
        revision=checkpoint.revision,
        preprocessing=_preprocessing(name, _processor(name, checkpoint)),
        embedding=PROJECTED if projected else POOLER if kind in OWN_POOLING else TOKENS_OR_MAP,
        licence=checkpoint.licence,
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
    if config.model_type == "clip":  # the width of the projection is said once, and not where its half looks
        config.vision_config.projection_dim = config.projection_dim
        options["config"] = config.vision_config
    try:
        with _quiet():
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
    network = Embedding(model, interpolate=name.pixels is not None)
    _check_complete(name, network, report["missing_keys"])
    return network, partial(_transform, _processor(name, checkpoint), name.pixels)


def _check_complete(name: EncoderName, network: Embedding, missing: Any) -> None:
    """transformers fills what a checkpoint lacks with random numbers, and goes on."""
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


def _dimension(config: Any) -> int | None:
    if config.model_type in ("clip", "altclip", "chinese_clip", "metaclip_2"):
        return config.projection_dim
    if "CLIPVisionModelWithProjection" in (config.architectures or ()):
        return config.projection_dim
    config = getattr(config, "vision_config", config)
    sizes = getattr(config, "hidden_sizes", None)
    if sizes:
        return sizes[-1]
    if config.model_type == "efficientnet":
        return None  # rounded in the network
    return getattr(config, "hidden_size", None)


def _processor(name: EncoderName, checkpoint: Checkpoint) -> Any:
    """Of PIL, not of torchvision: transformers would take whichever is installed, and their pixels differ."""
    from transformers import AutoImageProcessor

    if not any((checkpoint.folder / file).is_file() for file in PREPROCESSING):
        raise SimileError(
            f"'{name.text}' has no {PREPROCESSING[0]}, so nobody knows what its images look like; save it "
            "with processor.save_pretrained(folder) beside the weights"
        )
    try:
        with _quiet():
            return AutoImageProcessor.from_pretrained(
                checkpoint.folder, backend="pil", trust_remote_code=False, local_files_only=True
            )
    except (ValueError, KeyError, OSError, TypeError, ImportError) as error:
        raise SimileError(
            f"the preprocessing of '{name.text}' cannot be read: {str(error).splitlines()[0]}"
        ) from None


def _preprocessing(name: EncoderName, processor: Any) -> dict[str, Any]:
    found = {
        key: value
        for key, value in processor.to_dict().items()
        if not key.startswith("_") and value is not None
    }
    if name.pixels:
        for key in ("crop_pct", "crop_size", "do_center_crop", "do_resize"):
            found.pop(key, None)
        found["size"] = {"height": name.pixels, "width": name.pixels}
    found["image_processor_type"] = type(processor).__name__
    return found


def _transform(processor: Any, pixels: int | None, image: Image.Image) -> torch.Tensor:
    """PIL RGB image -> (3, H, W) float32, by the model's own image processor."""
    options: dict[str, Any] = {}
    if pixels:
        image = image.resize((pixels, pixels), processor.resample)
        options = {"do_resize": False, "do_center_crop": False}
    # The format is said, because an image 1 or 3 pixels high looks like one with its channels first.
    batch = processor(image, return_tensors="pt", input_data_format="channels_last", **options)
    return batch["pixel_values"][0]


class _quiet:  # noqa: N801
    """Silences the loading report: half of CLIP and every classifier is reported as unexpected."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.level = logging.get_verbosity()
        self.bars = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.level)
        if self.bars:
            logging.enable_progress_bar()

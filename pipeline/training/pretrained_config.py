"""Complete a configuration of backbone `pretrained` from its encoder: image size, mean, architecture."""

from collections.abc import Mapping
from typing import Any

import torch

from pipeline.encoders import EncoderDescription, describe_encoder, load_network
from pipeline.encoders.input_size import input_size_error
from pipeline.encoders.names import parse_name
from pipeline.errors import SimileError
from pipeline.training.config import TrainingConfig

__all__ = ["complete"]


def complete(config: TrainingConfig) -> TrainingConfig:
    """Fill in `data.pixels`, `network.options`, `network.mean` and `network.std` where they are not stated.

    Configurations of other backbones are returned as they are.

    Raises:
        SimileError: no encoder is named, or there is none of that name; it takes no images of that size; or
            pooling `gem` is asked of a network that has no feature map.
    """
    network = config.network
    if network.backbone != "pretrained":
        return config
    if not network.start:
        raise SimileError(
            "backbone 'pretrained' needs network.start, the encoder it begins from, such as "
            "timm:resnet50.a1_in1k or hf:facebook/dinov2-small"
        )
    start, pixels = _sized(network.start, config.data.pixels)
    options, description = _options(start, pixels, network.options)
    norms = _norms(description.preprocessing)
    stated = {key: value for key, value in norms.items() if key not in network.model_fields_set}
    changed = network.model_dump() | stated | {"options": options, "start": start}
    data = config.data.model_dump() | {"pixels": pixels}
    return TrainingConfig.model_validate(config.model_dump() | {"network": changed, "data": data})


def _sized(start: str, pixels: int) -> tuple[str, int]:
    """The encoder's name with the side of its images added, and this side.

    A folder becomes an absolute path, because workers run in other folders.

    Args:
        pixels: side that the configuration states; 0: that of the name, or else the encoder's own.
    """
    parsed = parse_name(start)
    if pixels and parsed.pixels and pixels != parsed.pixels:
        raise SimileError(
            f"network.start asks for images of {parsed.pixels} px, data.pixels for {pixels}; give only one "
            "of them"
        )
    bare = start.removesuffix(f"@{parsed.pixels}px")
    side = pixels or parsed.pixels or _own_side(start)
    return f"{parsed.place if parsed.source == 'folder' else bare}@{side}px", side


def _own_side(start: str) -> int:
    """Pixels: the side that the encoder's own preprocessing gives its images."""
    stated = describe_encoder(start).preprocessing
    if "input_size" in stated:
        return int(stated["input_size"][1])
    cropped = stated.get("do_center_crop") and stated.get("crop_size")
    size = dict(cropped or stated.get("size") or {})
    side = size.get("height") or size.get("shortest_edge")
    if not side:
        raise SimileError(f"'{start}' does not say how large its images are; set data.pixels")
    return int(side)


def _norms(stated: Mapping[str, Any]) -> dict[str, Any]:
    """`mean` and `std` for pixels between 0 and 1, from the preprocessing of timm or of transformers."""
    if "input_size" in stated:
        return {"mean": stated["mean"], "std": stated["std"]}
    if not stated.get("do_normalize") or "image_mean" not in stated:
        return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"mean": stated["image_mean"], "std": stated["image_std"]}


def _options(name: str, pixels: int, options: Mapping[str, Any]) -> tuple[dict[str, Any], EncoderDescription]:
    """The options of `Pretrained`, with recipe and width filled in; and the encoder's description."""
    network, recipe, description = load_network(name)
    network.eval()  # in training mode batch norms fail on a single small image
    try:
        with torch.inference_mode():
            width = network(torch.zeros(1, 3, pixels, pixels)).shape[1]
    except (RuntimeError, ValueError, AssertionError) as error:
        raise input_size_error(name, pixels, error) from None
    if options.get("pooling") == "gem" and not _has_map(network, pixels):
        raise SimileError(f"'{name}' gives tokens and no feature map, which GeM needs; leave out pooling")
    return dict(options) | {"recipe": recipe, "features": width}, description


@torch.inference_mode()
def _has_map(network: Any, pixels: int) -> bool:
    """Whether the mean over places is the embedding, which is so for CNNs only."""
    images = torch.rand(1, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
    return torch.allclose(network.spatial(images).mean((1, 2)), network(images), rtol=1e-3, atol=1e-4)

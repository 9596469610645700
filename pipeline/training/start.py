"""What a network is before its first step: pretrained weights, and an embedding that is fitted to them."""

import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.training.augment import normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images
from pipeline.training.first_embedding import discriminant, imitation, whitened
from pipeline.training.networks import Embedder, Outputs, PooledCnn, Pretrained, StyleCnn, StyleVit

__all__ = ["begin", "fixed_features", "remembers"]

_IMAGES = 2_000  # for the statistics of a first layer; all, where every image is passed through anyway
_BATCH = 50  # images
_SECONDS_BETWEEN_LINES = 20.0  # of progress
_FAINT = 0.1  # size of random weights beside fitted ones


def remembers(network: Embedder, config: TrainingConfig) -> bool:
    """What stays as it is sees each image once: all of the backbone, or the `fixed` part of it."""
    return config.images_stay and (config.network.frozen or hasattr(network.backbone, "fixed"))


def begin(
    network: Embedder,
    config: TrainingConfig,
    data: Images,
    taught: Outputs | None = None,
    device: str | torch.device = "cpu",
) -> torch.Tensor | None:
    """Pretrained or data-dependent weights, of the first worker's images: the others get a copy of them.

    Args:
        taught: a teacher's outputs for all images.
        device: that images are passed through on; the network stays where it is.

    Returns:
        (N, K) `Embedder.fixed` of all images, where they are remembered and were needed.
    """
    backbone: Any = network.backbone
    whole = remembers(network, config)
    rows = slice(None) if whole else _sample(len(data), config.seed)
    fixed = None
    if config.network.start and not hasattr(backbone, "load_pretrained"):
        _copy(network, config.network.start, config.network.start_heads)
    elif config.network.start:
        backbone.load_pretrained(config.network.start)
        if isinstance(backbone, Pretrained):
            backbone.leave_idle(config.data.pixels)
        if _wants_features(network, whole):
            fixed = fixed_features(network, data.pixels[rows], config, device)
            fixed = _start_embedding(network, config, fixed, data.labels[rows], taught)
    elif hasattr(backbone, "initialise"):
        pixels = torch.from_numpy(data.pixels[_sample(len(data), config.seed)])
        backbone.initialise(normalise(pixels, config.network.mean, config.network.std))
    if config.network.frozen:
        backbone.requires_grad_(False)
    return fixed if whole else None


def _sample(count: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:_IMAGES])


def _wants_features(network: Embedder, whole: bool) -> bool:
    """Something is fitted to them, or they are remembered."""
    if isinstance(network.backbone, PooledCnn | Pretrained):
        return whole or isinstance(network.embedding, nn.Linear)
    return isinstance(network.backbone, StyleCnn | StyleVit)


@torch.no_grad()
def fixed_features(
    network: Embedder, pixels: np.ndarray, config: TrainingConfig, device: str | torch.device
) -> torch.Tensor:
    """(N, side, side, 3) uint8 -> (N, K) float32 in main memory: `Embedder.fixed`, computed on `device`."""
    home = next(network.parameters()).device
    network.backbone.eval().to(device).to(memory_format=torch.channels_last)
    parts, said = [], time.monotonic()
    for first in range(0, len(pixels), _BATCH):
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            sys.stderr.write(f"  passed through what stays as it is: {first}/{len(pixels)} images\n")
        images = torch.from_numpy(pixels[first : first + _BATCH]).to(device)
        found = network.fixed(normalise(images, config.network.mean, config.network.std))
        parts.append(found.float().cpu())
    network.backbone.to(home)
    return torch.cat(parts)


@torch.no_grad()
def _start_embedding(
    network: Embedder, config: TrainingConfig, fixed: torch.Tensor, labels: np.ndarray, taught: Outputs | None
) -> torch.Tensor:
    """Standardise features that are `fixed`, and fit the embedding to them; `Embedder.fixed` as it is then.

    Of a ViT the embedding is fitted to the statistics; what its tokens add begins next to nothing.
    """
    backbone: Any = network.backbone
    if isinstance(backbone, StyleCnn | StyleVit):
        fixed = backbone.standardise(fixed)
    layer: Any = network.embedding
    if not isinstance(layer, nn.Linear):
        return fixed
    known = backbone.stem.features if isinstance(backbone, StyleVit) else backbone.features
    features = fixed[:, :known]
    if config.network.start_embedding == "teacher":
        if taught is None or taught.embedding.shape[1] != network.dimension:
            raise SimileError(f"the teacher's embedding has not network.dimension {network.dimension}")
        weight, bias = imitation(features, taught.embedding.to(features.device))
    elif config.network.start_embedding == "discriminant":
        weight, bias = discriminant(features, torch.from_numpy(labels[:, 0]), network.dimension)
    else:
        weight, bias = whitened(features, network.dimension)
    layer.weight.mul_(weight.std() / layer.weight.std() * _FAINT)
    layer.weight[:, backbone.features - known :] = weight
    layer.bias.copy_(bias)
    return fixed


def _copy(network: Embedder, name: str, heads: bool) -> None:
    """Backbone and embedding of a trained network; with `heads` all of it."""
    from pipeline.encoders.simile_models import load_embedder

    source = load_embedder(name)
    try:
        if heads:
            network.load_state_dict(source.state_dict())
        network.backbone.load_state_dict(source.backbone.state_dict())
        network.embedding.load_state_dict(source.embedding.state_dict())
    except RuntimeError as error:
        raise SimileError(f"'{name}' does not fit: {str(error).splitlines()[-1].strip()}") from None

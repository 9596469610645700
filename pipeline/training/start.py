"""The weights of a network before its first step: pretrained, and an embedding fitted to its features."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.encoders import load_encoder, load_network
from pipeline.encoders.families.simile_models import load_embedder
from pipeline.errors import SimileError
from pipeline.networks import Embedder, Outputs, PooledCnn, Pretrained, StyleCnn, StyleVit
from pipeline.networks.hybrid_vit import OWN_CNN, HybridVit
from pipeline.progress import say
from pipeline.training.augment import augment, normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images
from pipeline.training.first_embedding import discriminant, imitation, whitened
from pipeline.training.history import SECONDS_BETWEEN_LINES

__all__ = ["begin", "fixed_features", "remembers"]

_IMAGES = 2_000  # that a first layer or an embedding is fitted to, unless all are passed through anyway
_BATCH = 50  # images
_FAINT = 0.1  # size of random weights, relative to the fitted ones beside them


def remembers(network: Embedder, config: TrainingConfig) -> bool:
    """Whether the output of the part that is not trained is computed once for each image and kept.

    That part is the whole backbone, or what its method `fixed` computes; images must be the same every epoch.
    """
    backbone: Any = network.backbone
    partly = hasattr(backbone, "fixed") and getattr(backbone, "frozen", True)
    return config.images_stay and (config.network.frozen or partly)


def begin(
    network: Embedder,
    config: TrainingConfig,
    data: Images,
    taught: Outputs | None = None,
    device: str | torch.device = "cpu",
) -> torch.Tensor | None:
    """Set the pretrained weights, and those that depend on this worker's images.

    Every worker calls this; before the first step all take the weights of the first worker.

    Args:
        taught: a teacher's outputs for all images.
        device: where images are passed through the network; the network is moved back afterwards.

    Returns:
        (N, K) `Embedder.fixed` of all images, if `remembers` and if they were computed here, else None.
    """
    backbone: Any = network.backbone
    whole = remembers(network, config)
    rows = slice(None) if whole else _sample(len(data), config.seed)
    fixed = None
    if config.network.start and (config.network.start_heads or not hasattr(backbone, "load_pretrained")):
        _copy(network, config.network.start, config.network.start_heads)
        if isinstance(backbone, Pretrained):
            backbone.freeze_unused(config.data.pixels)
    elif config.network.start:
        _load_pretrained(backbone, config.network.start)
        if isinstance(backbone, Pretrained):
            backbone.freeze_unused(config.data.pixels)
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
    """Whether an embedding is fitted to the backbone's features, or they are kept."""
    if isinstance(network.backbone, PooledCnn | Pretrained):
        return whole or isinstance(network.embedding, nn.Linear)
    return isinstance(network.backbone, StyleCnn | StyleVit)


@torch.no_grad()
def fixed_features(
    network: Embedder,
    pixels: np.ndarray,
    config: TrainingConfig,
    device: str | torch.device,
    variant: int = 0,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """(N, side, side, 3) uint8 -> (N, K) float32 in main memory: `Embedder.fixed`, computed on `device`.

    Args:
        variant: 0: of the images themselves; otherwise a number that decides how each is varied.
        out: (N, K), anywhere, is filled and returned: large parts are then never in memory twice.
    """
    home = next(network.parameters()).device
    random = torch.Generator().manual_seed(config.seed + variant)
    network.backbone.eval().to(device).to(memory_format=torch.channels_last)
    said = time.monotonic()
    for first in range(0, len(pixels), _BATCH):
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            say(f"  passed through the frozen part: {first}/{len(pixels)} images")
        images = normalise(
            torch.from_numpy(pixels[first : first + _BATCH]).to(device),
            config.network.mean,
            config.network.std,
        )
        if variant:
            images = augment(
                images, config.augment, torch.zeros(len(images), dtype=torch.bool), variant, random
            )
        found = network.fixed(images)
        if out is None:
            out = torch.empty(len(pixels), found.shape[1])
        out[first : first + _BATCH] = found
    network.backbone.to(home)
    assert out is not None, "there are images"
    return out


@torch.no_grad()
def _start_embedding(
    network: Embedder, config: TrainingConfig, fixed: torch.Tensor, labels: np.ndarray, taught: Outputs | None
) -> torch.Tensor:
    """Standardise the features, and fit the embedding to them.

    The embedding of a `StyleVit` is fitted to its statistics; its tokens get small random weights.

    Args:
        fixed: (N, K) `Embedder.fixed` of training images.

    Returns:
        What `Embedder.fixed` gives for the same images from now on.
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
            raise SimileError(
                f"the teacher's embedding does not have network.dimension = {network.dimension} components"
            )
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
    """Copy backbone and embedding of a trained network; with `heads` also hash head and classifiers."""
    source = load_embedder(name)
    with _fitting(name):
        if heads:
            network.load_state_dict(source.state_dict())
        network.backbone.load_state_dict(source.backbone.state_dict())
        network.embedding.load_state_dict(source.embedding.state_dict())


def _load_pretrained(backbone: Any, name: str) -> None:
    """Give a backbone the weights of an encoder.

    Raises:
        SimileError: there is no such encoder, or its tensors do not fit.
    """
    with _fitting(name):
        if isinstance(backbone, Pretrained):
            backbone.load_pretrained(load_network(name)[0])
        elif isinstance(backbone, HybridVit) and backbone.cnn == OWN_CNN:
            backbone.load_pretrained(load_embedder(name).backbone)
        else:
            backbone.load_pretrained(_pretrained_model(name))


@contextmanager
def _fitting(name: str) -> Iterator[None]:
    """Turn the error for tensors that do not fit into one that names their encoder."""
    try:
        yield
    except (AttributeError, RuntimeError) as error:
        raise SimileError(f"'{name}' does not fit: {str(error).splitlines()[-1].strip()}") from None


def _pretrained_model(name: str) -> Any:
    """timm's model inside an encoder: `pypi:`, `timm:`, or a network trained from one of these."""
    network: Any = load_encoder(name, device="cpu", runtime="torch").network
    inner = getattr(network, "network", network)  # of our own: RawOutput -> Embedder -> PooledCnn
    found = getattr(getattr(inner, "backbone", inner), "model", None)
    if found is None:
        raise SimileError(f"'{name}' is no model of timm; name one, such as pypi:efficientnet-lite0")
    return found

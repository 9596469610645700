"""What a network is before its first step: pretrained weights, and an embedding that already knows a lot."""

from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.training.augment import normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images
from pipeline.training.networks import Embedder, PooledCnn, StyleCnn

__all__ = ["begin", "discriminant", "frozen_features", "whitened"]

_IMAGES = 2_000  # for the statistics of a first layer; all, where every image is passed through anyway
_BATCH = 50  # images
_COMPONENTS = 1024  # of which the discriminant is made: further ones are noise of some thousand images
_SHRINKAGE = 0.3  # of the covariance within classes, towards a multiple of one
_CONTRAST = 0.25  # power of a direction's ratio of variances that it is weighted by


def begin(network: Embedder, config: TrainingConfig, data: Images) -> torch.Tensor | None:
    """Pretrained or data-dependent weights, of the first worker's images: the others get a copy of them.

    Returns:
        (N, backbone.features) of all images where the backbone stays as it is and they were needed.
    """
    backbone: Any = network.backbone
    rows = slice(None) if config.features_stay else _sample(len(data), config.seed)
    features = None
    if config.network.start and not hasattr(backbone, "load_pretrained"):
        _copy(network, config.network.start, config.network.start_heads)
    elif config.network.start:
        backbone.load_pretrained(config.network.start)
        if isinstance(backbone, PooledCnn | StyleCnn):
            features = _start_embedding(network, config, data.pixels[rows], data.labels[rows])
    elif hasattr(backbone, "initialise"):
        pixels = torch.from_numpy(data.pixels[_sample(len(data), config.seed)])
        backbone.initialise(normalise(pixels, config.network.mean, config.network.std))
    if config.network.frozen:
        backbone.requires_grad_(False)
    return features if config.features_stay else None


def _sample(count: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(count)[:_IMAGES])


@torch.no_grad()
def frozen_features(network: Embedder, pixels: np.ndarray, config: TrainingConfig) -> torch.Tensor:
    """(N, side, side, 3) uint8 -> (N, backbone.features) float32 on the network's device."""
    network.backbone.eval()
    device = next(network.parameters()).device
    parts = []
    for first in range(0, len(pixels), _BATCH):
        images = torch.from_numpy(pixels[first : first + _BATCH]).to(device)
        parts.append(network.backbone(normalise(images, config.network.mean, config.network.std)).float())
    return torch.cat(parts)


@torch.no_grad()
def _start_embedding(
    network: Embedder, config: TrainingConfig, pixels: np.ndarray, labels: np.ndarray
) -> torch.Tensor:
    """Standardise the features, and fit the embedding to them; the features as they are then."""
    backbone: Any = network.backbone.to(memory_format=torch.channels_last)
    features = frozen_features(network, pixels, config)
    if isinstance(backbone, StyleCnn):
        features = backbone.standardise(features)
    layer: Any = network.embedding
    if isinstance(layer, nn.Linear):
        if config.network.start_embedding == "discriminant":
            weight, bias = discriminant(features, torch.from_numpy(labels[:, 0]), network.dimension)
        else:
            weight, bias = whitened(features, network.dimension)
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return features


def whitened(features: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of centring and half-whitening of a pretrained backbone's output (N, F), N > dimension.

    As Radenović, Tolias and Chum do (PAMI 2019): training then begins from what the pretrained features
    can already do, instead of from a random projection of them.

    Raises:
        SimileError: the features vary in fewer directions.
    """
    from pipeline.projection import fit_projection

    fitted = fit_projection(features.numpy(), dimension)
    _check_rank(fitted.dimension, len(features), dimension)
    return torch.from_numpy(fitted.matrix.T.copy()), torch.from_numpy(fitted.offset)


def discriminant(
    features: torch.Tensor, labels: torch.Tensor, dimension: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (dimension, F) and bias of the directions that vary between classes more than within them.

    Fisher's linear discriminant among the strongest principal components: with covariances S of all
    features and W within classes, shrunk to (W + 0.3 · mean variance · 1), the directions v of largest
    λ = vᵀSv / vᵀWv, scaled to vᵀWv = √λ: noise within classes is white, weighted by how much a direction
    tells. More directions than classes are kept, for classes that nobody has labelled yet.

    Args:
        features: (N, F), N > dimension.
        labels: (N,) int64.

    Raises:
        SimileError: the features vary in fewer directions.
    """
    from scipy.linalg import eigh

    mean = features.mean(0)
    components = min(_COMPONENTS, len(features) - 1, features.shape[1])
    _check_rank(components, len(features), dimension)
    with torch.random.fork_rng():  # the decomposition starts from random directions
        torch.manual_seed(0)
        asked = min(components + 100, *features.shape)
        axes = torch.pca_lowrank(features, asked, center=True, niter=2)[2][:, :components]
    rows = ((features - mean) @ axes).double().numpy()
    groups = labels.numpy()
    within = rows.copy()
    for group in np.unique(groups):
        within[groups == group] -= rows[groups == group].mean(0)
    noise = within.T @ within / len(rows)
    noise += _SHRINKAGE * np.trace(noise) / components * np.eye(components)
    ratios, directions = eigh(rows.T @ rows / len(rows), noise)
    best = np.argsort(-ratios)[:dimension]
    directions = directions[:, best] * np.maximum(ratios[best], 0) ** _CONTRAST
    weight = (axes @ torch.from_numpy(directions).float()).T
    weight = weight / (weight.square().mean().sqrt() * dimension**0.5)  # the size of proxies, for one rate
    return weight, -weight @ mean


def _check_rank(found: int, images: int, dimension: int) -> None:
    if found < dimension:
        raise SimileError(
            f"{images} images show only {found} directions; train on more of them, or set "
            f"network.dimension to {found} or less"
        )


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

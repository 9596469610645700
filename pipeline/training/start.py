"""What a network is before its first step: pretrained weights, and an embedding that is fitted to them."""

import sys
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
from pipeline.projection import fit_projection
from pipeline.training.augment import normalise
from pipeline.training.config import TrainingConfig
from pipeline.training.data import Images

__all__ = [
    "begin",
    "discriminant",
    "fixed_features",
    "imitation",
    "pretrained_model",
    "remembers",
    "whitened",
]

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
        _load_pretrained(backbone, config.network.start)
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
    source = load_embedder(name)
    with _fitting(name):
        if heads:
            network.load_state_dict(source.state_dict())
        network.backbone.load_state_dict(source.backbone.state_dict())
        network.embedding.load_state_dict(source.embedding.state_dict())


def _load_pretrained(backbone: Any, name: str) -> None:
    """Begin a backbone with the weights of an encoder.

    Raises:
        SimileError: there is no such encoder, or its tensors do not fit.
    """
    with _fitting(name):
        if isinstance(backbone, Pretrained):
            backbone.load_pretrained(load_network(name)[0])
        elif isinstance(backbone, HybridVit) and backbone.cnn == OWN_CNN:
            backbone.load_pretrained(load_embedder(name).backbone)
        else:
            backbone.load_pretrained(pretrained_model(name))


@contextmanager
def _fitting(name: str) -> Iterator[None]:
    """Say of tensors that do not fit whose they are."""
    try:
        yield
    except (AttributeError, RuntimeError) as error:
        raise SimileError(f"'{name}' does not fit: {str(error).splitlines()[-1].strip()}") from None


def pretrained_model(name: str) -> Any:
    """timm's model inside an encoder: `pypi:`, `timm:`, or one that was trained here from either."""
    network: Any = load_encoder(name, device="cpu").network
    inner = getattr(network, "network", network)  # trained here: RawOutput -> Embedder -> PooledCnn
    found = getattr(getattr(inner, "backbone", inner), "model", None)
    if found is None:
        raise SimileError(f"'{name}' is no model of timm; name one, such as pypi:efficientnet-lite0")
    return found


_COMPONENTS = 1024  # of which the discriminant is made: further ones are noise of some thousand images
_SHRINKAGE = 0.3  # of the covariance within classes, towards a multiple of one
_RIDGE = 1e-3  # of the mean variance of features
_CONTRAST = 0.25  # power of a direction's ratio of variances that it is weighted by


def imitation(features: torch.Tensor, taught: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the linear map from features (N, F) to a teacher's directions (N, D), by ridge
    regression with a penalty of a thousandth of the features' mean variance."""
    target = nn.functional.normalize(taught, dim=1)
    mean, centre = features.mean(0), target.mean(0)
    rows = (features - mean).double()
    gram = rows.T @ rows / len(rows)
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    solved = torch.linalg.solve(gram, rows.T @ (target - centre).double() / len(rows)).float().T
    return solved, centre - solved @ mean


def whitened(features: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of centring and half-whitening of a pretrained backbone's output (N, F), N > dimension.

    As Radenović, Tolias and Chum do (PAMI 2019): training then begins from what the pretrained features
    can already do, instead of from a random projection of them.

    Raises:
        SimileError: the features vary in fewer directions.
    """
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

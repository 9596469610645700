"""Weight and bias of a linear embedding that knows a lot before its first step, from features of images."""

import numpy as np
import torch
from torch import nn

from pipeline.errors import SimileError

__all__ = ["discriminant", "imitation", "whitened"]

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

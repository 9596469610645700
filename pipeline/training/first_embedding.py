"""What the embedding of a pretrained network is before training: linear maps fitted to its features.

Pure functions: features (N, F) float32 of training images -> weight (D, F) and bias (D,) of a linear layer.
"""

import numpy as np
import torch
from torch import nn

from pipeline.errors import SimileError
from pipeline.evaluation.classifier import RidgeMoments
from pipeline.projection import fit_projection

__all__ = ["discriminant", "imitation", "whitened"]

_COMPONENTS = 1024  # principal components of the discriminant; with a few thousand images, more are noise
_SHRINKAGE = 0.3  # of the covariance within classes, towards a multiple of the identity
_RIDGE = 1e-3  # strength of the penalty, relative to the mean variance of features
_CONTRAST = 0.25  # a direction is weighted by its ratio of variances to this power


def imitation(features: torch.Tensor, taught: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (D, F) and bias (D,) of the linear map that comes nearest to a teacher's directions.

    By ridge regression.

    Args:
        features: (N, F) float32.
        taught: (N, D), the teacher's embeddings, of any length.
    """
    target = nn.functional.normalize(taught, dim=1)
    weights, bias = RidgeMoments.of(features.numpy(), target.numpy()).solve(_RIDGE)
    return torch.from_numpy(weights.T.copy()).float(), torch.from_numpy(bias).float()


def whitened(features: torch.Tensor, dimension: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (dimension, F) and bias of centring and half-whitening.

    As Radenović, Tolias and Chum do (PAMI 2019): training then begins from features that can already tell
    pictures apart, instead of from a random projection of them.

    Args:
        features: (N, F) output of a pretrained backbone, N > dimension.

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
    λ = vᵀSv / vᵀWv, scaled to vᵀWv = √λ: the noise within classes is whitened, and directions that separate
    classes better have more weight. More directions than classes are kept, for classes without labels.

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
    with torch.random.fork_rng():  # the decomposition draws random directions
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
    weight = weight / (weight.square().mean().sqrt() * dimension**0.5)  # as proxies, for one rate
    return weight, -weight @ mean


def _check_rank(found: int, images: int, dimension: int) -> None:
    if found < dimension:
        raise SimileError(
            f"{images} images show only {found} directions; train on more of them, or set "
            f"network.dimension to {found} or less"
        )

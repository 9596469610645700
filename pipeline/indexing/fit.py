"""Stage 3, fit: staged vectors -> one projection an encoder."""

import numpy as np

from pipeline.errors import SimileError
from pipeline.indexing.staging import Staging
from pipeline.projection import Projection, fit_projection, identity
from qdrant_config import ProjectionConfig

__all__ = ["fit"]


def fit(staging: Staging, ids: set[str], config: ProjectionConfig) -> Projection:
    """The projection of one encoder, from a sample of its staged vectors that depends on nothing but the ids.

    Args:
        staging: where the raw vectors are.
        ids: rows of this collection; staged rows outside it are not looked at.
        config: kind, dimension and sample size.

    Raises:
        SimileError: nothing is staged.
    """
    sample = staging.sample(config.sample, ids)
    if not len(sample):
        raise SimileError("No image could be embedded, so there is nothing to index; see the rejects above.")
    if config.kind == "none":
        return identity(sample.shape[1])
    if len(sample) == 1 or np.ptp(sample, axis=0).max() == 0:
        return identity(sample.shape[1])  # one picture, or copies of it: nothing varies, nothing to fit
    return fit_projection(sample, config.dimension)

"""Stage 4, fit: a sample of the staged vectors -> one projection an encoder."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from pipeline.config import ProjectionConfig
from pipeline.errors import SimileError
from pipeline.progress import say
from pipeline.projection import Projection, fit_projection, identity
from pipeline.staging.vectors import Staging
from pipeline.vectors import finite_rows

__all__ = ["fit"]


def fit(
    staging: Staging,
    units: Collection[str],
    config: ProjectionConfig,
    hash_bits: int = 0,
    stored_bits: int | None = None,
) -> Projection:
    """The projection of one encoder, from a sample of its staged vectors that depends on nothing but the ids.

    Args:
        staging: where the raw vectors are.
        units: of this collection; vectors of other units are not looked at.
        config: kind, dimension, whitening, sample size, and bits of a code.
        hash_bits: outputs after the embedding whose signs are the Hamming code; 0 for most encoders.
        stored_bits: components of a stored vector, see `CollectionConfig.stored_bits`.

    Raises:
        SimileError: nothing is staged.
    """
    sample = staging.sample(config.sample, units)
    if not len(sample):
        raise SimileError("No image could be embedded, so there is nothing to index; see the rejects above.")
    width = sample.shape[1] - hash_bits
    sample = sample[:, :width]
    code_bits = None if hash_bits else config.code_bits  # a hash head makes the codes itself
    finite = finite_rows(sample)
    good = sample if finite.all() else sample[finite]
    if len(good) < len(sample):
        say(f"fit: {len(sample) - len(good):,} sampled vectors with NaN or infinity are left out")
    if config.kind == "none":
        projection = identity(width, code_bits)
    elif len(good) < 2 or np.ptp(good, axis=0).max() == 0:
        say("fit: fewer than two different vectors, so nothing varies; raw vectors are used as they are")
        projection = identity(width, code_bits)
    else:
        projection = fit_projection(
            good, config.dimension, whitening=config.whitening, code_bits=code_bits, bits=stored_bits
        )
        _say_what_is_missing(projection, min(config.dimension, width), len(good))
    return replace(projection, hash_bits=hash_bits)


def _say_what_is_missing(projection: Projection, wanted: int, rows: int) -> None:
    kept = _rank(projection.matrix)  # a frame makes more components of those kept
    if kept >= wanted:
        return
    reason = (
        f"{rows:,} vectors vary along {kept} at most"
        if kept == rows - 1
        else "the others do not vary in the sample"
    )
    say(f"fit: {kept} of {wanted} components are kept; {reason}")


def _rank(matrix: np.ndarray) -> int:
    """Of (D, K) float32, from the squares of its singular values, as an SVD takes ten times as long.

    Rounding to float32 leaves singular values of some 1e-8 of the largest, and so squares of 1e-16.
    """
    wide = matrix.astype(np.float64)
    return int(np.linalg.matrix_rank(wide.T @ wide, hermitian=True, rtol=1e-12))

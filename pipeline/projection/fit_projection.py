"""Fit a projection: centre, PCA, whitening, then the rotation of ITQ (Gong & Lazebnik, 2011) or a frame."""

import numpy as np

from pipeline.projection.projection import Projection
from pipeline.vectors import finite_rows, unit

__all__ = ["fit_projection", "tight_frame"]

_ITQ_ROWS = 20  # of the sample for each bit: twice as many gain less than 0.01 of recall@10, and take longer
ITQ_ITERATIONS = 20  # of the paper's 50, the last 30 add nothing at 512 bits, 0.008 of recall@10 at 256
HALF = 0.5  # whitening: divide by the square root of the deviation
_TINY = 1e-6  # components with less than this share of the largest deviation are rounding errors
_SINGULAR = 1e-9  # squared singular values below this share of the largest have lost their digits
_ROWS = 4096  # converted to float64 at once


def fit_projection(
    raw: np.ndarray,
    dimension: int,
    seed: int = 0,
    *,
    whitening: float = HALF,
    code_bits: int | None = None,
    bits: int | None = None,
) -> Projection:
    """Fit on a sample; the same sample gives the same projection.

    Args:
        raw: (N, D) float; rows with NaN or infinity are left out, N ≥ 2 must remain.
        dimension: components wanted; fewer are kept when N or D or the rank of the sample is smaller.
        seed: of the rotation that ITQ starts from.
        whitening: a component is divided by its standard deviation to this power; 0 not at all, 1 fully.
        code_bits: components that make the code; None: those of the prepared vector. They are rotated
            among themselves.
        bits: components of the prepared vector. Where fewer are kept, a tight frame makes so many of them:
            cosines stay what they were, and there are more signs (see `tight_frame`). None: as many as are
            kept.

    Raises:
        ValueError: fewer than two finite rows, or all rows equal.
    """
    finite = finite_rows(raw)
    raw = raw if finite.all() else raw[finite]
    if len(raw) < 2:
        raise ValueError(f"a projection needs two finite vectors or more, got {len(raw)}")
    mean = raw.mean(axis=0, dtype=np.float64)
    deviations, components = _principal_components(raw, mean, max(dimension, code_bits or 0))
    scaled = components / deviations**whitening
    rows = (raw - mean.astype(np.float32)).astype(np.float32, copy=False) @ scaled.astype(np.float32)
    width, coded = (min(wanted, len(deviations)) for wanted in (dimension, code_bits or dimension))
    if bits and bits > width:
        spread = scaled[:, :width] @ tight_frame(width, bits, seed)
        vectors = spread.astype(np.float32), (-mean @ spread).astype(np.float32)
        if code_bits is None:
            return Projection(*vectors)
    else:
        vectors = _rotated(rows[:, :width], scaled[:, :width], mean, seed)
        if width == coded:
            return Projection(*vectors)
    return Projection(*vectors, *_rotated(rows[:, :coded], scaled[:, :coded], mean, seed))


def tight_frame(width: int, bits: int, seed: int = 0) -> np.ndarray:
    """(width, bits) float64 with orthonormal rows, bits ≥ width: inner products stay what they are.

    Vectors of few components have too few signs to tell neighbours apart; after this they have `bits` of
    them. Compare Jégou, Furon and Fuchs, "Anti-sparse coding for approximate nearest neighbor search" (ICASSP
    2012), and the random rotation of RaBitQ (Gao and Long, SIGMOD 2024).

    >>> frame = tight_frame(2, 4)
    >>> np.allclose(frame @ frame.T, np.eye(2))
    True
    """
    columns, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, width)))
    return np.asarray(columns.T)


def _principal_components(raw: np.ndarray, mean: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (K,) and components (D, K), largest first, without those that do not vary.

    In float64: single precision would give constant components a deviation of 3e-4 of the largest.
    """
    covariance = np.zeros((raw.shape[1], raw.shape[1]))
    for start in range(0, len(raw), _ROWS):
        centred = raw[start : start + _ROWS] - mean
        covariance += centred.T @ centred
    variances, vectors = np.linalg.eigh(covariance / len(raw))
    deviations = np.sqrt(np.clip(variances[::-1], 0, None))
    kept = min(dimension, int((deviations > _TINY * deviations[0]).sum()), len(raw) - 1)
    if deviations[0] == 0 or kept < 1:
        raise ValueError("all vectors of the sample are equal; there is nothing to project")
    return deviations[:kept], vectors[:, ::-1][:, :kept]


def _rotated(
    rows: np.ndarray, scaled: np.ndarray, mean: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset with the ITQ rotation of `rows` (N, K) folded in.

    The rotation is fitted to vectors of unit length, because cosine does not depend on length.
    """
    matrix = scaled @ _itq_rotation(unit(rows), seed)
    return matrix.astype(np.float32), (-mean @ matrix).astype(np.float32)


def _itq_rotation(rows: np.ndarray, seed: int) -> np.ndarray:
    """(K, K) rotation that brings `rows` (N, K) float32 nearest to corners of a hypercube."""
    width = rows.shape[1]
    rows = rows[: _ITQ_ROWS * width]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    corners = np.empty_like(rows)
    for _ in range(ITQ_ITERATIONS):
        np.matmul(rows, rotation.astype(np.float32), out=corners)
        np.copysign(np.float32(1), corners, out=corners)
        rotation = _nearest_rotation((rows.T @ corners).astype(np.float64))
    return rotation


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """(K, K) float64: the orthogonal factor of the polar decomposition.

    From the eigenvectors of `matrix.T @ matrix`: `scipy.linalg.polar` takes an SVD, five times as long.
    """
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    precise = squares > _SINGULAR * squares[-1]
    left = matrix @ vectors[:, precise] / np.sqrt(squares[precise])
    if not precise.all():
        # In the other directions the matrix is nearly zero, so any rotation of them is as near, as long as
        # the columns stay orthonormal.
        basis, _ = np.linalg.qr(left, mode="complete")
        left = np.hstack([basis[:, left.shape[1] :], left])
    return np.asarray(left @ vectors.T)

"""Raw network outputs -> prepared vectors and binary codes.

Centre, PCA, half-whitening and an ITQ rotation (Gong & Lazebnik, "Iterative Quantization", CVPR 2011),
folded into one matrix and one offset. Raw outputs of a CNN are mostly positive, so their signs say
nothing; prepared ones make 1-bit codes that keep the order of neighbours.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Projection", "fit_projection", "hamming_distances", "identity"]

ITQ_ITERATIONS = 50  # as in the paper
_TINY = 1e-6  # components below this share of the largest deviation carry no signal, only rounding


@dataclass(frozen=True)
class Projection:
    """prepared = raw @ matrix + offset.

    Attributes:
        matrix: (raw D, prepared D) float32.
        offset: (prepared D,) float32.
    """

    matrix: np.ndarray
    offset: np.ndarray

    @property
    def dimension(self) -> int:
        """Width of prepared vectors, which is also the number of bits of a code."""
        return self.matrix.shape[1]

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """(N, raw D) float -> (N, prepared D) float32, not normalised; Qdrant's cosine does that."""
        return raw.astype(np.float32) @ self.matrix + self.offset

    @staticmethod
    def codes(prepared: np.ndarray) -> np.ndarray:
        """(N, D) float -> (N, D) float32 of −1 and +1; a zero counts as +1."""
        return np.where(prepared >= 0, np.float32(1), np.float32(-1))


def fit_projection(raw: np.ndarray, dimension: int, seed: int = 0) -> Projection:
    """Fit on a sample.

    Args:
        raw: (N, D) float; rows with NaN or infinity are left out, N ≥ 2 must remain.
        dimension: components wanted; fewer are kept when N or D or the rank of the sample is smaller.
        seed: of the rotation that ITQ starts from.

    Raises:
        ValueError: fewer than two finite rows, or all rows equal.
    """
    raw = raw[np.isfinite(raw).all(axis=1)].astype(np.float64)
    if len(raw) < 2:
        raise ValueError(f"a projection needs two finite vectors or more, got {len(raw)}")
    mean = raw.mean(axis=0)
    deviations, components = _principal_components(raw - mean, dimension)
    scaled = components / np.sqrt(deviations)  # half-whitening
    rotation = _itq_rotation((raw - mean) @ scaled, seed)
    matrix = scaled @ rotation
    return Projection(matrix.astype(np.float32), (-mean @ matrix).astype(np.float32))


def identity(dimension: int) -> Projection:
    """`projection: none`: raw vectors as they are."""
    return Projection(np.eye(dimension, dtype=np.float32), np.zeros(dimension, np.float32))


def _principal_components(centred: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (K,) and components (D, K), largest first, without those that do not vary."""
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    deviations = np.sqrt(np.clip(variances[::-1], 0, None))
    kept = min(dimension, int((deviations > _TINY * deviations[0]).sum()), len(centred) - 1)
    if deviations[0] == 0 or kept < 1:
        raise ValueError("all vectors of the sample are equal; there is nothing to project")
    return deviations[:kept], vectors[:, ::-1][:, :kept]


def _itq_rotation(scaled: np.ndarray, seed: int) -> np.ndarray:
    """(K, K) rotation that brings `scaled` (N, K) nearest to the corners of the hypercube."""
    width = scaled.shape[1]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    scaled = scaled.astype(np.float32)
    for _ in range(ITQ_ITERATIONS):
        corners = np.where(scaled @ rotation.astype(np.float32) >= 0, np.float32(1), np.float32(-1))
        left, _, right = np.linalg.svd(corners.T @ scaled)
        rotation = (left @ right).T
    return rotation


def hamming_distances(code: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(D,) and (N, D) of ±1 -> (N,) int64 number of differing bits.

    >>> hamming_distances(np.array([1, -1]), np.array([[1, 1], [1, -1]])).tolist()
    [1, 0]
    """
    return np.rint((codes.shape[1] - codes @ code) / 2).astype(np.int64)

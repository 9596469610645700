"""Arithmetic on arrays of vectors, compared by cosine, and of ±1 codes, compared by Hamming distance."""

import numpy as np

__all__ = ["agreeing_bits", "finite_rows", "hamming_distances", "similarities", "unit"]


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., D) -> (..., D) float32 of length 1; a zero vector stays zero.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    vectors = np.asarray(vectors, np.float32)
    lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-12))
    return np.asarray(vectors / lengths)


def similarities(examples: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosines (N, L) of examples (L, D) and vectors (N, D); for ±1 codes that is 1 − 2h/D.

    >>> similarities(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    return np.asarray(unit(vectors) @ unit(examples).T)


def finite_rows(raw: np.ndarray) -> np.ndarray:
    """(N,) bool: rows without NaN and infinity."""
    return np.asarray(np.isfinite(raw).all(axis=1))


def hamming_distances(code: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(D,) and (N, D) of ±1 -> (N,) int64 number of differing bits.

    >>> hamming_distances(np.array([1, -1]), np.array([[1, 1], [1, -1]])).tolist()
    [1, 0]
    """
    return np.asarray(np.rint((codes.shape[1] - codes @ code) / 2), np.int64)


def agreeing_bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(B,) and (B,) of ±1 -> (B,) bool; as many are true as B minus the Hamming distance.

    >>> agreeing_bits(np.array([1, -1, 1]), np.array([1, 1, 1])).tolist()
    [True, False, True]
    """
    return np.asarray(np.multiply(first, second) > 0)

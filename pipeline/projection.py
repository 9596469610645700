"""Raw network outputs -> prepared vectors and binary codes.

Centre, PCA, whitening and an ITQ rotation (Gong & Lazebnik, "Iterative Quantization", CVPR 2011), folded
into one matrix and one offset. Raw outputs of a CNN are mostly positive, so their signs say nothing;
prepared ones make 1-bit codes that keep the order of neighbours.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import SimileError

__all__ = [
    "Projection",
    "check_fingerprints",
    "finite_rows",
    "fit_projection",
    "hamming_distances",
    "identity",
    "stored_projection",
    "vectors_fingerprint",
]

_ITQ_ROWS = 20  # of the sample for each bit: twice as many gain less than 0.01 of recall@10, and take longer
ITQ_ITERATIONS = 20  # of the paper's 50, the last 30 add nothing at 512 bits, 0.008 of recall@10 at 256
HALF = 0.5  # whitening: divide by the square root of the deviation
_TINY = 1e-6  # components below this share of the largest deviation carry no signal, only rounding
_SINGULAR = 1e-9  # of squared singular values
_ROWS = 4096  # converted to float64 at once


@dataclass(frozen=True)
class Projection:
    """prepared = raw @ matrix + offset, code = signs of what `code_matrix` makes of the same raw outputs.

    Attributes:
        matrix: (raw D, prepared D) float32.
        offset: (prepared D,) float32.
        code_matrix, code_offset: (raw D, bits) and (bits,) float32, for codes of another width than the
            prepared vectors; None: a code is the signs of the prepared vector.
        hash_bits: outputs of the network that follow the embedding and whose signs are the code instead;
            0 where the network has no hash head.
    """

    matrix: np.ndarray
    offset: np.ndarray
    code_matrix: np.ndarray | None = None
    code_offset: np.ndarray | None = None
    hash_bits: int = 0

    @property
    def dimension(self) -> int:
        """Width of prepared vectors."""
        return self.matrix.shape[1]

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.hash_bits or (self.dimension if self.code_matrix is None else self.code_matrix.shape[1])

    @property
    def codes_apart(self) -> bool:
        """Codes need the raw outputs: prepared vectors do not tell them."""
        return bool(self.hash_bits) or self.code_matrix is not None

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """(N, raw D) float -> (N, prepared D) float32, not normalised; Qdrant's cosine does that.

        Hash logits that follow the embedding are left out.
        """
        return self._embedding(raw) @ self.matrix + self.offset

    def split(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, raw D [+ hash bits]) -> prepared vectors (N, D) and codes (N, bits), both float32."""
        prepared = self.apply(raw)
        width = len(self.matrix)
        if self.hash_bits:
            if raw.shape[1] != width + self.hash_bits:
                raise ValueError(
                    f"expected {width} + {self.hash_bits} outputs of a hash network, got {raw.shape[1]}"
                )
            return prepared, self.codes(raw[:, width:])
        if self.code_matrix is None:
            return prepared, self.codes(prepared)
        return prepared, self.codes(self._embedding(raw) @ self.code_matrix + self.code_offset)

    def _embedding(self, raw: np.ndarray) -> np.ndarray:
        return raw[:, : len(self.matrix)].astype(np.float32, copy=False)

    @staticmethod
    def codes(values: np.ndarray) -> np.ndarray:
        """(N, D) float -> (N, D) float32 of −1 and +1; a zero counts as +1."""
        return np.where(values >= 0, np.float32(1), np.float32(-1))

    def tensors(self, vector: str) -> dict[str, np.ndarray]:
        """What a manifest keeps, under the name of the vector."""
        kept = {f"{vector}.matrix": self.matrix, f"{vector}.offset": self.offset}
        if self.code_matrix is not None and self.code_offset is not None:
            kept |= {f"{vector}.code_matrix": self.code_matrix, f"{vector}.code_offset": self.code_offset}
        return kept


def fit_projection(
    raw: np.ndarray,
    dimension: int,
    seed: int = 0,
    *,
    whitening: float = HALF,
    code_bits: int | None = None,
) -> Projection:
    """Fit on a sample; the same sample gives the same projection.

    Args:
        raw: (N, D) float; rows with NaN or infinity are left out, N ≥ 2 must remain.
        dimension: components wanted; fewer are kept when N or D or the rank of the sample is smaller.
        seed: of the rotation that ITQ starts from.
        whitening: a component is divided by its standard deviation to this power; 0 not at all, 1 fully.
        code_bits: components that make the code; None: those of the prepared vector. They are rotated
            among themselves.

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
    width, bits = (min(wanted, len(deviations)) for wanted in (dimension, code_bits or dimension))
    vectors = _rotated(rows[:, :width], scaled[:, :width], mean, seed)
    if width == bits:
        return Projection(*vectors)
    return Projection(*vectors, *_rotated(rows[:, :bits], scaled[:, :bits], mean, seed))


def finite_rows(raw: np.ndarray) -> np.ndarray:
    """(N,) bool: rows without NaN and infinity."""
    return np.isfinite(raw).all(axis=1)


def identity(dimension: int, code_bits: int | None = None) -> Projection:
    """`projection: none`: raw vectors as they are; a code is made of the first components."""
    one, zero = np.eye(dimension, dtype=np.float32), np.zeros(dimension, np.float32)
    if code_bits is None or code_bits >= dimension:
        return Projection(one, zero)
    return Projection(one, zero, one[:, :code_bits], zero[:code_bits])


def stored_projection(tensors: Mapping[str, np.ndarray], encoder: Mapping[str, Any]) -> Projection:
    """The projection of one encoder of a manifest, the inverse of `Projection.tensors`."""
    vector = encoder["vector"]
    return Projection(
        tensors[f"{vector}.matrix"],
        tensors[f"{vector}.offset"],
        tensors.get(f"{vector}.code_matrix"),
        tensors.get(f"{vector}.code_offset"),
        encoder.get("hash_bits", 0),
    )


def vectors_fingerprint(encoder_fingerprint: str, projection: Projection) -> str:
    """16 hex digits: equal ones may be compared, vectors and codes alike."""
    hasher = hashlib.sha256(f"{encoder_fingerprint}/{projection.bits}/{projection.hash_bits}".encode())
    for tensor in projection.tensors("").values():
        hasher.update(np.ascontiguousarray(tensor, "<f4").tobytes())
    return hasher.hexdigest()[:16]


def check_fingerprints(
    version: str, encoders: Sequence[Mapping[str, Any]], tensors: Mapping[str, np.ndarray]
) -> None:
    """Refuses projections that are not those that the points of a version were written with.

    Raises:
        SimileError: naming both fingerprints.
    """
    for entry in encoders:
        written = entry.get("vectors_fingerprint")  # older manifests have none
        found = vectors_fingerprint(entry["fingerprint"], stored_projection(tensors, entry))
        if written and written != found:
            raise SimileError(
                f"Points of '{version}' were written with {entry['name']} {written}, and the projection "
                f"beside them is {found}, which cannot be compared with it; roll back, or index again."
            )


def hamming_distances(code: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(D,) and (N, D) of ±1 -> (N,) int64 number of differing bits.

    >>> hamming_distances(np.array([1, -1]), np.array([[1, 1], [1, -1]])).tolist()
    [1, 0]
    """
    return np.rint((codes.shape[1] - codes @ code) / 2).astype(np.int64)


def _principal_components(raw: np.ndarray, mean: np.ndarray, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (K,) and components (D, K), largest first, without those that do not vary.

    In float64: single precision would give constant components a deviation of 3e-4 of the largest.
    """
    from scipy.linalg import eigh  # here, as searching needs none of it

    covariance = np.zeros((raw.shape[1], raw.shape[1]))
    for start in range(0, len(raw), _ROWS):
        centred = raw[start : start + _ROWS] - mean
        covariance += centred.T @ centred
    last = len(covariance) - 1
    largest = (max(0, last + 1 - dimension), last)
    variances, vectors = eigh(covariance / len(raw), subset_by_index=largest, overwrite_a=True)
    deviations = np.sqrt(np.clip(variances[::-1], 0, None))
    kept = min(dimension, int((deviations > _TINY * deviations[0]).sum()), len(raw) - 1)
    if deviations[0] == 0 or kept < 1:
        raise ValueError("all vectors of the sample are equal; there is nothing to project")
    return deviations[:kept], vectors[:, ::-1][:, :kept]


def _rotated(
    rows: np.ndarray, scaled: np.ndarray, mean: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset with the ITQ rotation of `rows` (N, K) folded in.

    Cosine compares directions, so the rotation is fitted to directions: long vectors do not weigh more.
    """
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    matrix = scaled @ _itq_rotation(unit, seed)
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
    if squares[0] <= _SINGULAR * squares[-1]:  # squares have half the digits; then there are too few
        left, _, right = np.linalg.svd(matrix)
        return left @ right
    return (matrix @ vectors / np.sqrt(squares)) @ vectors.T

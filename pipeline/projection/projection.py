"""Raw network outputs -> prepared vectors and binary codes.

Centre, PCA, whitening and an ITQ rotation (Gong & Lazebnik, "Iterative Quantization", CVPR 2011), folded
into one matrix and one offset. Raw outputs of a CNN are mostly positive, so their signs hardly differ; the
signs of prepared vectors are 1-bit codes that keep the order of neighbours.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from pipeline.errors import SimileError

__all__ = ["Projection", "identity", "read_tensors", "vectors_fingerprint"]

_MEND = "index the collection again, or go back to the previous version (--rollback)"


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
        return int(self.matrix.shape[1])

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.hash_bits or (self.dimension if self.code_matrix is None else self.code_matrix.shape[1])

    @property
    def codes_apart(self) -> bool:
        """Whether codes are computed from the raw outputs instead of the prepared vectors."""
        return bool(self.hash_bits) or self.code_matrix is not None

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """(N, raw D) float -> (N, prepared D) float32, not normalised; Qdrant's cosine does that.

        Hash logits that follow the embedding are left out.
        """
        return np.asarray(self._embedding(raw) @ self.matrix + self.offset)

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
        """The arrays that a manifest keeps, each named after the vector."""
        kept = {f"{vector}.matrix": self.matrix, f"{vector}.offset": self.offset}
        if self.code_matrix is not None and self.code_offset is not None:
            kept |= {f"{vector}.code_matrix": self.code_matrix, f"{vector}.code_offset": self.code_offset}
        return kept

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], vector: str, hash_bits: int = 0) -> "Projection":
        """The inverse of `tensors`.

        Raises:
            SimileError: arrays are missing, or do not fit each other.
        """
        matrix, offset, code_matrix, code_offset = (
            tensors.get(f"{vector}.{name}") for name in ("matrix", "offset", "code_matrix", "code_offset")
        )
        if matrix is None or offset is None or not (_fit(matrix, offset) and _fit(code_matrix, code_offset)):
            raise SimileError(f"the projection of '{vector}' is incomplete; {_MEND}")
        return cls(matrix, offset, code_matrix, code_offset, hash_bits)


def _fit(matrix: np.ndarray | None, offset: np.ndarray | None) -> bool:
    """Whether both are absent, or of shapes (D, d) and (d,)."""
    if matrix is None or offset is None:
        return matrix is offset
    return matrix.ndim == 2 and offset.shape == matrix.shape[1:]


def read_tensors(version: str, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file that was kept beside a manifest; none of no bytes.

    Raises:
        SimileError: it is damaged.
    """
    try:
        return load(data) if data else {}
    except SafetensorError as error:
        raise SimileError(f"the projections of '{version}' are damaged ({error}); {_MEND}") from None


def identity(dimension: int, code_bits: int | None = None) -> Projection:
    """`projection: none`: raw vectors as they are; a code is made of the first components."""
    one, zero = np.eye(dimension, dtype=np.float32), np.zeros(dimension, np.float32)
    if code_bits is None or code_bits >= dimension:
        return Projection(one, zero)
    return Projection(one, zero, one[:, :code_bits], zero[:code_bits])


def vectors_fingerprint(encoder_fingerprint: str, projection: Projection) -> str:
    """16 hex digits: equal ones may be compared, vectors and codes alike."""
    hasher = hashlib.sha256(f"{encoder_fingerprint}/{projection.bits}/{projection.hash_bits}".encode())
    for tensor in projection.tensors("").values():
        hasher.update(np.ascontiguousarray(tensor, "<f4").tobytes())
    return hasher.hexdigest()[:16]

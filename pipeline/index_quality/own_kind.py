"""Whether a picture is of the kind of a collection: among which neighbours its vector lies, and how far out.

Two signs, either of which is enough. (1) The distance to the k-th nearest of a sample of the collection's own
pictures (Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022). It is measured
between the centred outputs of the network, not between prepared vectors: whitening makes those directions
strong in which pictures of other kinds differ least. (2) The length of the vector: networks for one kind of
picture give those of another long vectors about the centre, and cosine leaves the length out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.projection import Projection
from pipeline.vectors import unit

__all__ = ["REFERENCES", "OwnKind", "own_kind"]

REFERENCES = 2_000  # own pictures that a new one is compared with: 4 MB of 512 components, 0.3 ms
_NEIGHBOUR, _EACH = 20, 30  # the k of the k-th nearest, or a thirtieth of the pictures where those are few
# Shares of own pictures that each sign may call foreign, 4 % together. A new picture of the same kind is
# found foreign a little more often than those that the shares are counted on.
_FURTHER, _LONGER = 0.025, 0.015
_ROUNDING = 1e-5


@dataclass(frozen=True)
class OwnKind:
    """What is known of a collection's own pictures.

    Attributes:
        back: (prepared D, raw D), from prepared vectors to the centred outputs of the network.
        references: (N, raw D) float32 of length 1: the centred outputs of some own pictures.
        neighbour: the k of the k-th nearest.
        least: cosine that the k-th nearest of an own picture has.
        longest: length of a prepared vector; infinite where it is not known.
    """

    back: np.ndarray
    references: np.ndarray
    neighbour: int
    least: float
    longest: float = float("inf")

    def is_foreign(self, prepared: np.ndarray) -> bool:
        """Whether a picture is of another kind.

        Args:
            prepared: (D,) as the projection gives it, not normalised.
        """
        if np.linalg.norm(prepared) > self.longest * (1 + _ROUNDING):
            return True
        near = self.references @ unit((prepared @ self.back)[None])[0]
        return bool(np.partition(near, -self.neighbour)[-self.neighbour] < self.least - _ROUNDING)


def own_kind(projection: Projection, prepared: np.ndarray, lengths: np.ndarray) -> OwnKind | None:
    """Learn what a collection's own pictures are like; None of fewer than two.

    Args:
        projection: that made the vectors.
        prepared: (N, D) of own pictures, of any length.
        lengths: (M,) of the prepared vectors of some own pictures before they were normalised; may be empty.
    """
    if len(prepared) < 2:
        return None
    back = np.linalg.pinv(projection.matrix.astype(np.float64)).astype(np.float32)
    references = unit(prepared @ back)
    neighbour = max(1, min(_NEIGHBOUR, len(references) // _EACH))
    near = references @ references.T
    np.fill_diagonal(near, -np.inf)
    kth = np.partition(near, -neighbour, axis=1)[:, -neighbour]
    longest = float(np.quantile(lengths, 1 - _LONGER)) if len(lengths) else float("inf")
    return OwnKind(back, references, neighbour, float(np.quantile(kth, _FURTHER)), longest)

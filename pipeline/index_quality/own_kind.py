"""Whether a picture is of the kind of a collection: among which neighbours it lies, and how far out.

Both are asked of the network's outputs, not of prepared vectors: the projection drops and evens out the very
directions in which pictures of other kinds differ. Two signs, either of which is enough. (1) The distance to
the k-th nearest of some own pictures (Sun et al., "Out-of-distribution detection with deep nearest
neighbors", ICML 2022). (2) The distance from their centre: networks for one kind of picture put some of
another kind far out, and cosine leaves that out of account.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.vectors import unit

__all__ = ["REFERENCES", "OwnKind", "own_kind"]

REFERENCES = 256  # own pictures that the network is run on, and that a new one is compared with
_EACH = 30  # a neighbour for so many of them: the 8th of 256
# Shares of own pictures that each sign may call foreign, 3.5 % together. A new picture of the same kind is
# found foreign a little more often than those that the shares are counted on.
_FURTHER, _LONGER = 0.02, 0.015
_ROUNDING = 1e-5


@dataclass(frozen=True)
class OwnKind:
    """What is known of a collection's own pictures.

    Attributes:
        centre: (D,) float32, the mean of the network's outputs.
        references: (N, D) float32 of length 1: outputs of own pictures about the centre.
        neighbour: the k of the k-th nearest.
        least: cosine that the k-th nearest of an own picture has.
        longest: distance of an own picture from the centre.
    """

    centre: np.ndarray
    references: np.ndarray
    neighbour: int
    least: float
    longest: float

    def is_foreign(self, output: np.ndarray) -> bool:
        """Whether a picture is of another kind.

        Args:
            output: (D,) of the network.
        """
        about = output - self.centre
        if np.linalg.norm(about) > self.longest * (1 + _ROUNDING):
            return True
        near = self.references @ unit(about[None])[0]
        return bool(np.partition(near, -self.neighbour)[-self.neighbour] < self.least - _ROUNDING)


def own_kind(outputs: np.ndarray) -> OwnKind | None:
    """Learn what a collection's own pictures are like; None of fewer than three, which have no kind.

    Args:
        outputs: (N, D) float of the network, of own pictures.
    """
    if len(outputs) < 3:
        return None
    centre = outputs.mean(axis=0)
    about = outputs - centre
    references = unit(about)
    neighbour = max(1, len(references) // _EACH)
    near = references @ references.T
    np.fill_diagonal(near, -np.inf)
    kth = np.partition(near, -neighbour, axis=1)[:, -neighbour]
    longest = float(np.quantile(np.linalg.norm(about, axis=1), 1 - _LONGER))
    return OwnKind(centre, references, neighbour, float(np.quantile(kth, _FURTHER)), longest)

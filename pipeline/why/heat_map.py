"""Why two pictures are near: the cosine of their vectors, taken apart by the places of both pictures.

A network that pools by a mean makes the embedding e = mean over places p of f_p, and the projection is
affine, so a prepared vector is the mean of g_p = f_p · matrix + offset. The cosine of query q and hit h is

    cos(q, h) = Σ_p Σ_r  g_p · g_r / (P R |q| |h|)      p of P places of the query, r of R places of the hit

without a remainder: the sum over r is what place p of the query adds, the whole is the score. This is the
decomposition of Stylianou, Souvenir & Pless, "Visualizing Deep Similarity Networks" (WACV 2019), carried
through the projection. GeM pooling (Radenović et al., TPAMI 2019) hands each place its share of every
channel, and the same sum holds.

The class token of a ViT is no mean of its patches. There each patch token is compared, by cosine and after
the same projection, with the whole vector of the other picture. These values do not add up to the score;
`Explanation.exact` says so.
Attention rollout (Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020) is not used: its
map of a picture is the same whichever picture it is compared with.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.projection import Projection
from pipeline.vectors import unit

__all__ = ["Explanation", "Places", "explain"]

# Sums of 16-bit floats on a GPU differ from the network's own pooling by less than this share.
_SAME = 0.02
_TINY = 1e-12


@dataclass(frozen=True)
class Places:
    """The outputs of a network for one picture.

    Attributes:
        grid: (h, w, D) float32, `Encoder.spatial`.
        embedding: (D,) float32, `Encoder.encode_tensor` without the bits of a hash head.
    """

    grid: np.ndarray
    embedding: np.ndarray

    @property
    def sums_up(self) -> bool:
        """Whether the embedding is the mean of the grid; measured, not taken from the name of the network."""
        apart = np.linalg.norm(self.grid.mean((0, 1)) - self.embedding)
        return bool(apart <= _SAME * np.linalg.norm(self.embedding))


@dataclass(frozen=True)
class Explanation:
    """How much each place matters.

    Attributes:
        similarity: cosine of the two prepared vectors.
        exact: the values of each map add up to `similarity`; otherwise they are cosines of single places.
        query: (h, w) float32, places of the query.
        hit: (h, w) float32, places of the hit.
        pairs: (places of the query, places of the hit) float32, row by row; `exact`: adds up to `similarity`.
    """

    similarity: float
    exact: bool
    query: np.ndarray
    hit: np.ndarray
    pairs: np.ndarray


def explain(query: Places, hit: Places, projection: Projection) -> Explanation:
    """How much each place of two pictures adds to their similarity.

    Raises:
        ValueError: the projection is not of this network.
    """
    if query.grid.shape[-1] != len(projection.matrix):
        raise ValueError(f"places have {query.grid.shape[-1]} values, expected {len(projection.matrix)}")
    first, second = (projection.apply(p.grid.reshape(-1, p.grid.shape[-1])) for p in (query, hit))
    exact = query.sums_up and hit.sums_up
    if exact:
        pairs = _shares(first, second)
        of_query, of_hit, similarity = pairs.sum(1), pairs.sum(0), float(pairs.sum())
    else:
        q, h = projection.apply(np.stack([query.embedding, hit.embedding]))
        pairs = unit(first) @ unit(second).T
        of_query, of_hit = unit(first) @ unit(h), unit(second) @ unit(q)
        similarity = float(unit(q) @ unit(h))
    return Explanation(
        similarity, exact, of_query.reshape(query.grid.shape[:2]), of_hit.reshape(hit.grid.shape[:2]), pairs
    )


def _shares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(P, D), (R, D) -> (P, R): what each pair of places adds to the cosine of the two means."""
    lengths = float(np.linalg.norm(first.mean(0)) * np.linalg.norm(second.mean(0)))
    return np.asarray(first @ second.T / (len(first) * len(second) * max(lengths, _TINY)))

"""Measures of rankings whose hits may tie: expected, best and worst value, in closed form.

Hamming distances of D bits take D + 1 values, so nearly all of a ranking is ties and its order within
them is an accident. The expected value over all orders of tied hits follows McSherry & Najork,
"Computing information retrieval performance measures efficiently in the presence of tied scores",
ECIR 2008. A ranking without ties is the case of groups of one, for which the three values agree.

In all formulas a group of n tied hits, r of them relevant, comes after N₀ hits of which R₀ are relevant;
m = min(n, max(0, k − N₀)) of its places lie within rank k; R is the number of relevant hits in the whole
database; H(x) is the x-th harmonic number. A query with R = 0 has no recall, AP or nDCG: NaN.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

__all__ = [
    "TieGroups",
    "TieOrder",
    "auc",
    "average_precision",
    "bootstrap_interval",
    "bootstrap_ratio",
    "expected_precision",
    "ndcg_at",
    "precision_at",
    "recall_at",
]

TieOrder = Literal["expected", "best", "worst"]
Rank = int | np.ndarray | None  # one rank for all queries, (Q,) ranks, or None for the whole database
_BLOCK = 2_000_000  # indices that a bootstrap draws and holds at a time


@dataclass(frozen=True)
class TieGroups:
    """Q rankings of the whole database, as groups of hits at equal distance, nearest first.

    Attributes:
        sizes: (Q, G) int, members of each group; 0 is allowed.
        relevant: (Q, G) int, how many of them are relevant.
    """

    sizes: np.ndarray
    relevant: np.ndarray

    def __post_init__(self) -> None:
        if self.sizes.ndim != 2 or self.sizes.shape != self.relevant.shape:
            raise ValueError(f"expected two (Q, G) arrays, got {self.sizes.shape} and {self.relevant.shape}")

    @classmethod
    def of_ranking(cls, relevant: np.ndarray) -> "TieGroups":
        """(Q, N) bool, nearest first and without ties.

        Irrelevant hits in a row become one group, for their order does not matter: few relevant hits in a
        large database make few groups.
        """
        total = relevant.sum(axis=1)
        width = int(total.max(initial=0))
        if 2 * width + 1 >= relevant.shape[1]:
            return cls(np.broadcast_to(np.int64(1), relevant.shape), relevant.astype(np.int64))
        query, rank = np.nonzero(relevant)
        nth = np.arange(len(query)) - (total.cumsum() - total)[query]
        gap = np.diff(rank, prepend=-1) - 1
        gap[nth == 0] = rank[nth == 0]
        sizes = np.zeros((len(relevant), 2 * width + 1), np.int64)
        hits = np.zeros_like(sizes)
        sizes[query, 2 * nth] = gap
        sizes[query, 2 * nth + 1] = hits[query, 2 * nth + 1] = 1
        sizes[:, -1] = relevant.shape[1] - sizes.sum(axis=1)
        return cls(sizes, hits)

    @property
    def total(self) -> np.ndarray:
        """(Q,) R: relevant hits in the whole database."""
        return np.asarray(self.relevant.sum(axis=1))

    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """(Q, G) N₀ and R₀ of every group."""
        return self.sizes.cumsum(axis=1) - self.sizes, self.relevant.cumsum(axis=1) - self.relevant


def precision_at(groups: TieGroups, k: int, order: TieOrder = "expected") -> np.ndarray:
    """P@k = (relevant hits in the first k) / k; always divided by k, even where R < k.

    Relevant hits in the first k, expected: Σ over groups of m · r / n; best: Σ min(m, r); worst:
    Σ max(0, m − (n − r)).

    Returns:
        (Q,) float64.
    """
    size = int(groups.sizes[0].sum())
    if size < k:
        raise ValueError(f"P@{k} needs {k} hits or more, got {size}")
    return _found(groups, k, order) / k


def recall_at(groups: TieGroups, k: int, order: TieOrder = "expected") -> np.ndarray:
    """R@k = (relevant hits in the first k) / R, with ties as in `precision_at`; (Q,), NaN where R = 0.

    This is recall as in information retrieval; metric learning often prints "R@k" for the share of
    queries with at least one relevant hit in the first k, which is another number.
    """
    return _divide(_found(groups, k, order), groups.total)


def average_precision(groups: TieGroups, k: Rank = None, order: TieOrder = "expected") -> np.ndarray:
    """AP@k = 1 / min(R, k) · Σ over relevant hits at rank i ≤ k of (relevant hits in the first i) / i.

    `k=None` is AP@all: ÷ R, over the whole database; `k=groups.total` is AP@R of Musgrave et al., "A Metric
    Learning Reality Check", ECCV 2020: ÷ R, over the first R hits. Other code divides AP@k by the relevant
    hits found, or always by R.

    A group adds, with h = H(N₀ + m) − H(N₀):
        expected: r/n · [(R₀ + 1) h + (r − 1)/(n − 1) · (m − (N₀ + 1) h)], the last term 0 where n = 1;
        best:  the first b = min(m, r) places are relevant:  b + (R₀ − N₀) · (H(N₀ + b) − H(N₀));
        worst: the last ones are, after N₁ = N₀ + n − r: w + (R₀ − N₁) · (H(N₁ + w) − H(N₁)),
               w = max(0, m − (n − r)).

    Returns:
        (Q,) float64, NaN where R = 0.
    """
    n, r = groups.sizes, groups.relevant
    start, found = groups.before()
    m = _places(n, start, k)
    harmonic = _harmonic(int(n.sum(axis=1).max()))
    if order == "expected":
        h = harmonic[start + m] - harmonic[start]
        others = (r - 1) / np.maximum(n - 1, 1) * (n > 1)
        added = r / np.maximum(n, 1) * ((found + 1) * h + others * (m - (start + 1) * h))
    else:
        start, taken = _ordered(groups, m, order)
        added = taken + (found - start) * (harmonic[start + taken] - harmonic[start])
    total = groups.total
    return _divide(added.sum(axis=1), total if k is None else np.minimum(total, k))


def ndcg_at(groups: TieGroups, k: int, order: TieOrder = "expected") -> np.ndarray:
    """nDCG@k = Σ over relevant hits at rank i ≤ k of 1 / log₂(i + 1), divided by the same sum for the
    best possible ranking, which has min(R, k) relevant hits in front (Järvelin & Kekäläinen, 2002).

    With C(x) = Σ for i ≤ x of 1 / log₂(i + 1), a group adds
        expected: r/n · (C(N₀ + m) − C(N₀));
        best:  C(N₀ + b) − C(N₀), b = min(m, r);
        worst: C(N₁ + w) − C(N₁), after N₁ = N₀ + n − r, w = max(0, m − (n − r)).

    Returns:
        (Q,) float64, NaN where R = 0.
    """
    n, r = groups.sizes, groups.relevant
    start, _ = groups.before()
    m = _places(n, start, k)
    discounts = _discounts(int(n.sum(axis=1).max()))
    if order == "expected":
        gained = r / np.maximum(n, 1) * (discounts[start + m] - discounts[start])
    else:
        start, taken = _ordered(groups, m, order)
        gained = discounts[start + taken] - discounts[start]
    total = groups.total
    ideal = discounts[np.minimum(total, k)]
    return _divide(gained.sum(axis=1), ideal)


def expected_precision(distances: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Expected P@k of one list of hits.

    Args:
        distances: (N,) ascending, N ≥ k; it should go beyond rank k to the end of the ties there.
        relevant: (N,) bool.
        k: rank, 1 or more.

    >>> expected_precision(np.array([0, 1, 1]), np.array([True, True, False]), 2)
    0.75
    """
    if len(distances) < k:
        raise ValueError(f"P@{k} needs {k} hits or more, got {len(distances)}")
    _, group, sizes = np.unique(distances, return_inverse=True, return_counts=True)
    found = np.bincount(group, weights=relevant, minlength=len(sizes)).astype(np.int64)
    return float(precision_at(TieGroups(sizes[None], found[None]), k)[0])


def _places(n: np.ndarray, start: np.ndarray, k: Rank) -> np.ndarray:
    """(Q, G) m: the places of each group within rank k."""
    if k is None:
        return n
    rank = np.asarray(k)
    return np.asarray(np.clip((rank[:, None] if rank.ndim else rank) - start, 0, n))


def _found(groups: TieGroups, k: int, order: TieOrder) -> np.ndarray:
    """(Q,) relevant hits in the first k."""
    n, r = groups.sizes, groups.relevant
    m = _places(n, groups.before()[0], k)
    if order == "expected":
        return np.asarray((m * (r / np.maximum(n, 1))).sum(axis=1))
    return np.asarray(_ordered(groups, m, order)[1].sum(axis=1), np.float64)


def _ordered(groups: TieGroups, m: np.ndarray, order: TieOrder) -> tuple[np.ndarray, np.ndarray]:
    """(Q, G) each: for the best order N₀ and b, for the worst order N₁ and w.

    Relevant hits of a group are its first b places in the best order, and the w last of the m places that
    lie within rank k in the worst.
    """
    n, r = groups.sizes, groups.relevant
    start, _ = groups.before()
    if order == "best":
        return start, np.minimum(m, r)
    return start + n - r, np.maximum(0, m - (n - r))


def _divide(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """(Q,) quotients, NaN where `by` is 0."""
    return np.asarray(np.divide(values, by, out=np.full(len(values), np.nan), where=by > 0))


@lru_cache(maxsize=4)
def _harmonic(size: int) -> np.ndarray:
    """(size + 1,) H(0), H(1), …"""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, size + 1))])


@lru_cache(maxsize=4)
def _discounts(size: int) -> np.ndarray:
    """(size + 1,) C(0), C(1), …"""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, size + 2)))])


def bootstrap_interval(values: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of (N,) per-query values (Efron, 1979)."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // len(values))
    means = np.concatenate(
        [
            values[rng.integers(0, len(values), (min(step, draws - done), len(values)))].mean(axis=1)
            for done in range(0, draws, step)
        ]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_ratio(
    parts: np.ndarray, wholes: np.ndarray, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of Σ parts / Σ wholes, where queries are drawn, each with both its numbers.

    Args:
        parts, wholes: (Q,) ≥ 0, parts ≤ wholes; a draw whose wholes are all 0 has no ratio and is left out.

    Raises:
        ValueError: all wholes are 0.
    """
    if not wholes.sum():
        raise ValueError("a ratio needs a whole that is not 0")
    rng = np.random.default_rng(seed)
    both = np.stack([parts, wholes], axis=1).astype(np.float64)
    size = len(both)
    times = (np.bincount(rng.integers(0, size, size), minlength=size) for _ in range(draws))
    sums = np.array([each @ both for each in times])
    sums = sums[sums[:, 1] > 0]
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    return float(low), float(high)


def auc(same: np.ndarray, different: np.ndarray) -> float:
    """Area under the ROC curve: P(score of a same pair > score of a different pair), ties counting ½.

    Args:
        same, different: (N,) and (M,) scores, larger is nearer.

    Raises:
        ValueError: there are no pairs of one kind.

    >>> auc(np.array([3, 1]), np.array([0, 1, 2]))
    0.75
    """
    if not len(same) or not len(different):
        raise ValueError(
            f"AUC needs pairs of both kinds, got {len(same)} same and {len(different)} different"
        )
    from sklearn.metrics import roc_auc_score  # takes a second to import, and only reports need it

    kinds = np.repeat([True, False], [len(same), len(different)])
    return float(roc_auc_score(kinds, np.concatenate([same, different])))

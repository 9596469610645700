"""Hits and labels -> how good retrieval is. Pure functions; the job is ray_jobs/evaluate.py."""

import numpy as np

__all__ = ["bootstrap_interval", "expected_precision"]


def expected_precision(distances: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """P@k, expected over a random order of hits at equal distance.

    Hamming distances tie often. Of the group of ties that straddles rank k with n members, r of them
    relevant and m places left, m · r / n are expected to be relevant. Precision is always divided by k.

    Args:
        distances: (N,) ascending, N ≥ k; it should go beyond rank k to the end of the ties there.
        relevant: (N,) bool.
        k: rank, 1 or more.

    >>> expected_precision(np.array([0, 1, 1]), np.array([True, True, False]), 2)
    0.75
    """
    if len(distances) < k:
        raise ValueError(f"P@{k} needs {k} hits or more, got {len(distances)}")
    last = distances[k - 1]
    nearer, tied = distances < last, distances == last
    places = k - int(nearer.sum())
    return float((relevant[nearer].sum() + places * relevant[tied].mean()) / k)


def bootstrap_interval(values: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of (N,) per-query values (Efron, 1979)."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(draws)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

"""How sure a mean or a ratio over queries is."""

import numpy as np

__all__ = ["bootstrap_interval", "bootstrap_ratio"]

_BLOCK = 2_000_000  # drawn indices held at a time


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
        parts, wholes: (Q,) ≥ 0, parts ≤ wholes; a draw whose wholes are all 0 says nothing and is left out.

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

"""How sure a mean over queries is."""

import numpy as np

__all__ = ["bootstrap_interval"]

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

"""Scores of pairs that belong together and of pairs that do not."""

import numpy as np

__all__ = ["auc"]


def auc(same: np.ndarray, different: np.ndarray) -> float:
    """Area under the ROC curve: P(score of a same pair > score of a different pair), ties counting ½.

    The Mann-Whitney statistic over all (same, different) combinations, by sorting.

    Args:
        same, different: (N,) and (M,) scores, larger is nearer.

    >>> auc(np.array([3, 1]), np.array([0, 1, 2]))
    0.75
    """
    if not len(same) or not len(different):
        raise ValueError(
            f"AUC needs pairs of both kinds, got {len(same)} same and {len(different)} different"
        )
    ordered = np.sort(different)
    below = np.searchsorted(ordered, same, side="left")
    up_to = np.searchsorted(ordered, same, side="right")
    return float((below + up_to).mean() / 2 / len(different))

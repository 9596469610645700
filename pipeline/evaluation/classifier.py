"""What a plain classifier would retrieve: everything that it gives the same label, in any order."""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED

__all__ = ["label_codes", "predicted_labels"]

# Strengths tried on a tenth of the training pictures; relative to the mean square of a feature.
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def predicted_labels(
    features: np.ndarray, labels: np.ndarray, training: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Labels that a linear classifier on `features` gives to all pictures.

    Ridge regression to one-hot targets. The strength is chosen by accuracy on a tenth of the training
    pictures, which the final fit includes again; queries are never looked at.

    Args:
        features: (N, D) float.
        labels: (N,) int, −1 unlabelled.
        training: places of the training pictures.

    Returns:
        (N,) int, one of the labels seen in training.
    """
    training = training[labels[training] != UNLABELLED]
    classes, targets = np.unique(labels[training], return_inverse=True)
    mixed = np.random.default_rng(seed).permutation(len(training))
    held, rest = mixed[: len(mixed) // 10], mixed[len(mixed) // 10 :]
    strength = _STRENGTHS[2]
    if len(held):
        moments = _moments(features[training[rest]], targets[rest], len(classes))
        right = [
            (_predict(features[training[held]], _solve(moments, each)) == targets[held]).mean()
            for each in _STRENGTHS
        ]
        strength = _STRENGTHS[int(np.argmax(right))]
    fit = _solve(_moments(features[training], targets, len(classes)), strength)
    return classes[_predict(features, fit)]


def label_codes(labels: np.ndarray) -> np.ndarray:
    """(N,) int -> (N, C) int8 of −1 and +1, one bit set: equal labels at distance 0, all others at 2.

    Sablayrolles et al., "How should we evaluate supervised hashing?", ICASSP 2017, show that this beats
    most published hashes; it is printed beside them.
    """
    classes, at = np.unique(labels, return_inverse=True)
    codes = np.full((len(labels), len(classes)), -1, np.int8)
    codes[np.arange(len(labels)), at] = 1
    return codes


@dataclass(frozen=True)
class _Moments:
    """Means and products of features and one-hot targets: all that ridge regression needs of them."""

    mean: np.ndarray
    bias: np.ndarray
    gram: np.ndarray
    cross: np.ndarray


def _moments(features: np.ndarray, targets: np.ndarray, classes: int) -> _Moments:
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean.astype(np.float32)
    wanted = np.eye(classes, dtype=np.float32)[targets]
    gram = (centred.T @ centred).astype(np.float64)
    return _Moments(mean, wanted.mean(axis=0), gram, (centred.T @ wanted).astype(np.float64))


def _solve(moments: _Moments, strength: float) -> tuple[np.ndarray, _Moments]:
    size = len(moments.gram)
    penalty = strength * np.trace(moments.gram) / size
    return np.linalg.solve(moments.gram + penalty * np.eye(size), moments.cross), moments


def _predict(features: np.ndarray, fit: tuple[np.ndarray, _Moments]) -> np.ndarray:
    weights, moments = fit
    shifted = moments.bias - moments.mean @ weights
    return (features @ weights.astype(np.float32) + shifted).argmax(axis=1)

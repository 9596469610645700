"""A linear classifier on embeddings, whose label is compared as a code; and the ridge regression under it."""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.labels import UNLABELLED

__all__ = ["RidgeMoments", "label_codes", "predicted_labels"]

# Strengths tried on a tenth of the training pictures; relative to the mean variance of features.
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
    wanted = np.eye(len(classes), dtype=np.float32)[targets]
    mixed = np.random.default_rng(seed).permutation(len(training))
    held, rest = mixed[: len(mixed) // 10], mixed[len(mixed) // 10 :]
    strength = _STRENGTHS[2]
    if len(held):
        moments = RidgeMoments.of(features[training[rest]], wanted[rest])
        right = [
            (_predict(features[training[held]], *moments.solve(each)) == targets[held]).mean()
            for each in _STRENGTHS
        ]
        strength = _STRENGTHS[int(np.argmax(right))]
    fit = RidgeMoments.of(features[training], wanted).solve(strength)
    return np.asarray(classes[_predict(features, *fit)])


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
class RidgeMoments:
    """Means and products of features (N, D) and targets (N, T): all that ridge regression needs of them.

    One pass over the data serves every strength. `sklearn.linear_model.Ridge` gives the same weights but
    passes over the data for each strength, which took six times as long (20,000 × 512, five strengths).
    """

    feature_mean: np.ndarray  # (D,)
    target_mean: np.ndarray  # (T,)
    gram: np.ndarray  # (D, D) float64, products of centred features
    cross: np.ndarray  # (D, T) float64, products of centred features and targets

    @classmethod
    def of(cls, features: np.ndarray, targets: np.ndarray) -> "RidgeMoments":
        """Moments of (N, D) float32 features and (N, T) float32 targets."""
        mean = features.mean(axis=0, dtype=np.float64)
        centred = features - mean.astype(np.float32)
        gram, cross = centred.T @ centred, centred.T @ targets
        return cls(mean, targets.mean(axis=0), gram.astype(np.float64), cross.astype(np.float64))

    def solve(self, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (D, T) and intercepts (T,), float64.

        Args:
            strength: of the penalty on squared weights, relative to the mean variance of features.
        """
        size = len(self.gram)
        penalty = strength * np.trace(self.gram) / size
        weights = np.linalg.solve(self.gram + penalty * np.eye(size), self.cross)
        return weights, self.target_mean - self.feature_mean @ weights


def _predict(features: np.ndarray, weights: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """(N,) int: the target with the largest prediction."""
    return np.asarray((features @ weights.astype(np.float32) + intercepts).argmax(axis=1))

"""Clusters that a line separates, and labels as codes."""

import numpy as np

from pipeline.evaluation.classifier import label_codes, predicted_labels
from pipeline.vectors import hamming_distances


def test_separable_classes_are_told_apart_and_queries_are_not_looked_at() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([3, 5, 8], 40)
    features = (rng.normal(size=(9, 6))[truth] + 0.05 * rng.normal(size=(120, 6))).astype(np.float32)
    training = np.arange(0, 120, 2)
    hidden = truth.copy()
    hidden[1::2] = -1  # the others' labels do not exist for the classifier
    assert np.array_equal(predicted_labels(features, hidden, training), truth)


def test_label_codes_are_at_distance_0_or_2() -> None:
    codes = label_codes(np.array([4, 9, 4]))
    assert hamming_distances(codes[0], codes).tolist() == [0, 2, 0]

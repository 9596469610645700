"""Pictures on a circle, by hand."""

import numpy as np
import pytest

from pipeline.report.geometry import confusion, find_neighbours, hubness, pair_scores, shared_labels

DEGREES = np.array([0, 10, 90, 95, 300])
VECTORS = np.stack([np.cos(np.radians(DEGREES)), np.sin(np.radians(DEGREES))], axis=1)
LABELS = np.array([0, 0, 1, 1, -1])


def test_neighbours_leave_out_the_picture_itself() -> None:
    near = find_neighbours(VECTORS, queries=3, k=2)
    assert near.places.tolist() == [[1, 4], [0, 4], [3, 1]]  # 300° is 60° from 0° and 70° from 10°
    assert near.scores[0] == pytest.approx(np.cos(np.radians([10, 60])), abs=1e-6)
    assert find_neighbours(VECTORS, queries=9, k=9).places.shape == (5, 4)


def test_pairs_of_unlabelled_pictures_count_for_neither_side() -> None:
    same, different = pair_scores(VECTORS, LABELS)
    assert sorted(same) == pytest.approx(sorted(np.cos(np.radians([10, 5]))), abs=1e-6)
    assert sorted(different) == pytest.approx(sorted(np.cos(np.radians([90, 95, 80, 85]))), abs=1e-6)


def test_confusion_and_shares() -> None:
    near = find_neighbours(VECTORS, queries=5, k=2)
    # 0° and 10° have each other and the unlabelled; 90° has 95° and 10°, 95° has 90° and 10°
    assert confusion(near, LABELS, 2).tolist() == [[1, 0], [0.5, 0.5]]
    assert shared_labels(near, LABELS)[:4].tolist() == [0.5] * 4
    assert np.isnan(shared_labels(near, LABELS)[4])


def test_hubness_counts_appearances() -> None:
    found = hubness(find_neighbours(VECTORS, queries=5, k=1), 5)
    # nearest: 0°→10°, 10°→0°, 90°→95°, 95°→90°, 300°→0°
    assert found["largest"] == 2 and found["hubs"][0] == 0
    assert found["expected"] == 1 and found["never"] == pytest.approx(1 / 5)
    assert found["by_chance"] == pytest.approx((3 / 4) ** 4)  # four lists of others, one of four places each
    few = hubness(find_neighbours(VECTORS, queries=2, k=1), 5)
    # 0° and 10° can be in the list of the other alone, the three others in both lists
    assert few["by_chance"] == pytest.approx((2 * (3 / 4) + 3 * (3 / 4) ** 2) / 5)

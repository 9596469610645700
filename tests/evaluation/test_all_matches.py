"""Four pictures by hand, and thresholds that come from random pairs alone."""

import numpy as np
import pytest

from pipeline.evaluation.all_matches import counts_at, match_table
from pipeline.evaluation.protocols import leave_one_out


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_counts_by_hand(metric: str) -> None:
    # scores to the first: 1 (itself), 0.5, 0, 1
    vectors = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1], [1, 1, 1, 1]])
    labels = np.array([0, 1, 0, 0])
    own = np.array([0])
    found, right, total = counts_at(
        metric, vectors[:1], vectors, labels[:1], labels, [1.0 - 1e-6, 0.4, -1], own
    )
    assert found.tolist() == [[1, 2, 3]]
    assert right.tolist() == [[1, 1, 2]]
    assert total.tolist() == [2]


def test_a_hit_at_a_threshold_that_was_rounded_up_is_a_match() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, np.sqrt(3)]])  # 60° apart: cosine 0.5
    none = np.zeros(2, np.int64)
    found, _, _ = counts_at("cosine", vectors[:1], vectors, none[:1], none, [0.5000005], np.array([0]))
    assert found.tolist() == [[1]]


def test_clusters_are_found_whole_and_alone() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(100), 5)  # 0.8 % of all pairs are of one cluster
    vectors = rng.normal(size=(100, 64))[labels] + 0.05 * rng.normal(size=(500, 64))
    rows = match_table(vectors, np.where(vectors >= 0, 1, -1), leave_one_out(np.arange(500)), labels)
    tails = [1e-4, 1e-3, 4 / 500, 1e-2, 1e-1]
    assert [row["tail"] for row in rows] == [*tails, *tails]
    assert [row["tail"] for row in rows if row["default"]] == [4 / 500, 4 / 500]
    at = {(row["metric"], row["tail"]): row for row in rows}
    assert at["cosine", 1e-3]["precision"] == at["cosine", 1e-3]["precision_low"] == 1
    spread = at["cosine", 1e-3]
    assert spread["recall_low"] < spread["recall"] < spread["recall_high"]
    assert at["cosine", 1e-3]["recall"] == pytest.approx(1e-3 / (4 / 499), abs=0.02)
    assert at["cosine", 1e-2]["recall"] > 0.99  # one pair in a hundred is more than the 0.8 % that match
    assert at["cosine", 1e-1]["precision"] == pytest.approx(0.08, abs=0.01)
    assert at["hamming", 1e-2]["recall"] > 0.95

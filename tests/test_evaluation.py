"""Worked by hand."""

import numpy as np
import pytest

from pipeline.evaluation import bootstrap_interval, expected_precision


def test_without_ties_it_is_the_share_of_relevant_hits() -> None:
    assert expected_precision(np.array([1, 2, 3, 4]), np.array([1, 0, 1, 1], bool), 3) == pytest.approx(2 / 3)


def test_ties_across_the_rank_count_in_proportion() -> None:
    # one sure hit; two of the four tied ones are relevant and one place is left: (1 + 1/2) / 2
    assert expected_precision(np.array([0, 5, 5, 5, 5]), np.array([1, 1, 0, 0, 1], bool), 2) == 0.75


def test_all_tied_is_the_share_of_relevant() -> None:
    assert expected_precision(np.zeros(4), np.array([1, 0, 0, 0], bool), 1) == 0.25


def test_too_few_hits_are_refused() -> None:
    with pytest.raises(ValueError, match="P@5 needs 5"):
        expected_precision(np.zeros(4), np.ones(4, bool), 5)


def test_interval_holds_the_mean_and_narrows() -> None:
    values = np.tile([0.0, 1.0], 50)
    low, high = bootstrap_interval(values)
    assert low < 0.5 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.05, rel=0.2)  # normal approximation, σ/√n = 0.05

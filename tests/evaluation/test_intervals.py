"""Against the normal approximation."""

import numpy as np
import pytest

from pipeline.evaluation import auc, bootstrap_interval
from pipeline.evaluation.metrics import bootstrap_ratio


def test_interval_holds_the_mean_and_narrows() -> None:
    values = np.tile([0.0, 1.0], 50)
    low, high = bootstrap_interval(values)
    assert low < 0.5 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.05, rel=0.2)  # normal approximation, σ/√n = 0.05


def test_a_ratio_is_of_sums_and_its_unit_is_the_query() -> None:
    parts, wholes = np.array([1.0] * 50 + [0.0] * 50), np.ones(100)
    assert bootstrap_ratio(parts, wholes) == pytest.approx(bootstrap_interval(parts), abs=0.02)
    # Ten hits of one query are one observation: the interval stays that of a hundred queries
    assert bootstrap_ratio(10 * parts, 10 * wholes) == pytest.approx(bootstrap_ratio(parts, wholes))
    low, high = bootstrap_ratio(np.array([3, 0, 0]), np.array([3, 0, 0]))  # queries without hits say nothing
    assert low == high == 1
    with pytest.raises(ValueError, match="not 0"):
        bootstrap_ratio(np.zeros(3), np.zeros(3))


def test_auc_by_hand() -> None:
    # 3 > 0, 1, 2; 1 > 0 and ties with 1: (3 + 1.5) / 6
    assert auc(np.array([3.0, 1.0]), np.array([0.0, 1.0, 2.0])) == pytest.approx(4.5 / 6)
    with pytest.raises(ValueError, match="both kinds"):
        auc(np.array([]), np.array([1.0]))

"""Two painters on a circle."""

import numpy as np
import pytest

from pipeline.evaluation.recommendation import Trials, draw_trials, recommend_table


def test_trials_never_like_what_they_hide() -> None:
    labels = np.repeat([0, 1, -1], [8, 3, 4])
    everything = np.arange(15)
    trials = draw_trials(labels, 3, everything, everything)
    assert trials.liked.shape == (8, 3)  # one for each work of the first painter; the second has too few
    for liked, held_out in zip(trials.liked, trials.held_out, strict=True):
        assert held_out not in liked and set(labels[liked]) == {0} == {labels[held_out]}
    only = draw_trials(labels, 2, np.arange(4, 8), np.arange(2))
    assert set(only.held_out) == {0, 1} and only.liked.min() >= 4


def test_by_hand() -> None:
    # liked at 0° and 20°, hidden at 10°; others at 12° (another painter) and 90°
    angles = np.radians([0, 20, 10, 12, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = np.array([0, 0, 0, 1, 1])
    trials = Trials(np.array([[0, 1]]), np.array([2]))
    rows = {row["strategy"]: row for row in recommend_table(vectors, labels, trials, np.arange(5))}
    average = {name: value["mean"] for name, value in rows["average"]["scores"].items()}
    assert average["recall@10"] == 1
    assert average["nDCG@10"] == 1  # 10° is in the middle of both: rank 1
    assert average["same@10"] == pytest.approx(1 / 3, abs=1e-4)  # one of three candidates
    # the three cosines between 10°, 12° and 90°
    pairs = np.cos(np.radians([2, 80, 78]))
    assert average["diversity"] == pytest.approx(1 - pairs.mean(), abs=1e-4)
    # the nearest liked work is 8° from 12° and 10° from 10°: rank 2
    assert rows["best"]["scores"]["nDCG@10"]["mean"] == pytest.approx(1 / np.log2(3), abs=1e-4)


def test_diverse_lists_are_more_diverse() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 30)
    vectors = rng.normal(size=(10, 16))[labels] + 0.5 * rng.normal(size=(300, 16))
    trials = draw_trials(labels, 3, np.arange(300), np.arange(300))
    rows = {
        row["strategy"]: row["scores"] for row in recommend_table(vectors, labels, trials, np.arange(300))
    }
    assert rows["average, diverse"]["diversity"]["low"] > rows["average"]["diversity"]["high"]
    assert rows["average"]["same@10"]["mean"] > 0.9

"""Worked by hand on few pictures, and on a distribution that is known."""

import numpy as np
import pytest

from pipeline.index_quality.calibration import (
    FAR_SHARE,
    calibrate,
    fold_cosine,
    match_tail,
    match_threshold,
    unusualness,
)
from pipeline.store.measured import Calibration, Distribution


def three() -> Calibration:
    """Cosines 0, 0 and 1; Hamming distances 1, 1 and 0 of 2 bits."""
    vectors = np.array([[1.0, 0], [0, 2], [3, 0]])
    return calibrate(vectors, np.array([[1, 1], [1, -1], [1, 1]]))


def test_three_pictures_by_hand() -> None:
    found = three()
    for kept in (found.cosine, found.hamming):
        assert kept.pairs == 3
        assert unusualness(0.0, kept) == 0  # no pair is further apart
        assert unusualness(1.0, kept) == pytest.approx(2 / 3)
    assert unusualness(-1.0, found.cosine) == 0
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_a_close_match_is_what_nearly_all_own_pictures_have() -> None:
    """Six pictures at 0°, 0°, 10°, 10°, 30° and 90°: their best cosines are 1, 1, 1, 1, cos 20° and ½."""
    angles = np.radians([0, 0, 10, 10, 30, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = calibrate(vectors, np.where(vectors > 0.1, 1, -1))
    least, second = 0.5, np.cos(np.radians(20))
    assert found.cosine.close == pytest.approx(least + 5 * FAR_SHARE * (second - least), abs=1e-4)
    assert found.hamming.close is not None and -1 <= found.hamming.close <= 1
    old = found.cosine.model_dump(exclude={"close"})
    assert Distribution.model_validate(old).close is None, "of a manifest from before it is not known"


def test_nearer_than_every_pair_is_one() -> None:
    vectors = np.eye(4)
    found = calibrate(vectors, np.where(vectors > 0, 1, -1))
    assert unusualness(0.0, found.cosine) == 0
    assert unusualness(0.5, found.cosine) == 1


def test_random_vectors_follow_their_known_distribution() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 64))
    found = calibrate(vectors, np.where(vectors >= 0, 1, -1))
    # cosines of random directions in 64 dimensions: mean 0, deviation 1/8
    assert unusualness(0.0, found.cosine) == pytest.approx(0.5, abs=0.01)
    assert found.cosine.threshold == pytest.approx(3.09 / 8, rel=0.05)  # normal: 0.999 at 3.09 σ
    assert unusualness(found.cosine.threshold, found.cosine) >= 0.999
    # bits agree with probability ½: mean distance 32, deviation 4
    assert unusualness(1 - 2 * 32 / 64, found.hamming) == pytest.approx(0.45, abs=0.01)  # P(h > 32)
    assert unusualness(found.hamming.threshold, found.hamming) >= 0.999
    assert match_threshold(found.cosine, 1e-2) < match_threshold(found.cosine, 1e-5)
    assert len(found.model_dump_json()) < 8_000  # it travels in the manifest


def test_it_is_repeatable_and_rises() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(300, 16))
    codes = np.where(vectors >= 0, 1, -1)
    found = calibrate(vectors, codes, seed=3)
    assert found == calibrate(vectors, codes, seed=3)
    values = [unusualness(score, found.cosine) for score in np.linspace(-1, 1, 50)]
    assert values == sorted(values)


def test_copies_only_have_no_further_pair() -> None:
    found = calibrate(np.ones((5, 3)), np.ones((5, 3)))
    assert unusualness(1.0, found.cosine) == 0
    assert found.hamming.threshold == 1


def test_one_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        calibrate(np.ones((1, 3)), np.ones((1, 3)))


def test_copies_are_told_by_the_vectors_own_random_pairs() -> None:
    def with_top(cosine: float, pairs: int) -> Calibration:
        kept = Distribution(
            scores=[0.0, cosine, 1.0],
            further=[0.0, 1 - 1e-5, 1.0],
            threshold=cosine,
            threshold_tail=1e-5,
            pairs=pairs,
        )
        return Calibration(cosine=kept, hamming=kept)

    assert fold_cosine(None) == 0.8
    assert fold_cosine(with_top(0.6, 10**7)) == 0.8
    assert fold_cosine(with_top(0.93, 10**7)) == 0.93
    assert fold_cosine(with_top(0.999, 10**7)) == 0.97  # random pairs are copies
    assert fold_cosine(with_top(0.93, 1000)) == 0.8  # too few pairs to tell


def test_codes_that_are_often_the_same_say_how_often() -> None:
    chance = np.random.default_rng(0)
    vectors, codes = chance.normal(size=(40, 8)), np.ones((40, 8))
    codes[:4, 0] = -1
    found = calibrate(vectors, codes).hamming
    same = (36 * 35 + 4 * 3) / (40 * 39)
    assert found.threshold == 1.0 and found.threshold_tail == pytest.approx(same)
    assert calibrate(vectors, codes).cosine.threshold_tail == pytest.approx(0.05, abs=1 / 780)


def test_few_pictures_have_four_matches_on_average() -> None:
    assert [match_tail(images) for images in (2, 80, 1000, 4000, 10**6)] == [
        0.05,
        0.05,
        0.004,
        0.001,
        0.001,
    ]
    vectors = np.random.default_rng(2).normal(size=(1000, 32))
    found = calibrate(vectors, np.where(vectors >= 0, 1, -1)).cosine
    near = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    matches = (near @ near.T >= found.threshold).sum() - 1000
    assert matches / 1000 == pytest.approx(4, abs=0.3)

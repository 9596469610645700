"""The exact neighbours from staged parts are those that an exact search of the store finds."""

import numpy as np
import pytest

from pipeline.index_quality.truth import exact_among

VECTORS = np.random.default_rng(5).normal(size=(300, 16)).astype(np.float32)
IDS = [f"{at:03}" for at in range(300)]


@pytest.mark.parametrize("size", [1, 7, 300])
def test_batches_of_any_size_give_the_same(size: int) -> None:
    batches = [(IDS[at : at + size], VECTORS[at : at + size]) for at in range(0, 300, size)]
    found = exact_among([*batches, batches[0]], VECTORS[:20], IDS[:20], 10)  # a part may come twice
    for at, mine in enumerate(found):
        scores = VECTORS @ VECTORS[at]
        expected = [IDS[row] for row in np.argsort(-scores) if row != at][:10]
        assert list(mine) == expected
        assert list(mine.values()) == pytest.approx(sorted(scores[np.arange(300) != at])[::-1][:10], rel=1e-5)


def test_fewer_points_than_asked_for() -> None:
    assert exact_among([(IDS[:2], VECTORS[:2])], VECTORS[:1], IDS[:1], 10)[0].keys() == {"001"}

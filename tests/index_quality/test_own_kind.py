"""Pictures of another kind: unlike all neighbours, or further out than a collection's own."""

import numpy as np
import pytest

from pipeline.index_quality.own_kind import REFERENCES, own_kind

RNG = np.random.default_rng(0)
# Own pictures lie about two points, and vary along some of twelve components.
SPREAD = np.array([2, 2, 1, 1, 0.5, 0.5, *[0.02] * 6], np.float32)


def pictures(count: int) -> np.ndarray:
    """(N, 12) outputs of own pictures; the network's outputs are all positive, as after a ReLU."""
    outputs = 20 + RNG.normal(size=(count, 12)) * SPREAD
    outputs[:, 0] += np.where(np.arange(count) % 2, 8, -8)
    return outputs.astype(np.float32)


def output(*about: float) -> np.ndarray:
    return 20 + np.array([*about, *[0] * (12 - len(about))], np.float32)


def test_new_pictures_of_the_kind_are_rarely_foreign_and_others_are() -> None:
    learnt = own_kind(pictures(REFERENCES))
    assert learnt and learnt.neighbour == 8
    assert np.mean([learnt.is_foreign(one) for one in pictures(1000)]) < 0.06
    assert learnt.is_foreign(output(*[0] * 8, 8)), "where no own picture lies, and not far out"
    assert learnt.is_foreign(output(80)), "in the direction of own pictures, ten times as far out"
    assert not learnt.is_foreign(output(8)) and not learnt.is_foreign(output(-8, 1))


@pytest.mark.parametrize(("count", "neighbour"), [(3, 1), (60, 2), (120, 4)])
def test_few_pictures_have_near_neighbours(count: int, neighbour: int) -> None:
    learnt = own_kind(pictures(count))
    assert learnt and learnt.neighbour == neighbour
    assert own_kind(pictures(2)) is None

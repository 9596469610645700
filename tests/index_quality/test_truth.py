"""The exact neighbours from staged parts are those that an exact search of the store finds."""

import numpy as np
import pytest

from pipeline.index_quality.truth import Nearest
from pipeline.staging.ids import id_texts, words_of

VECTORS = np.random.default_rng(5).normal(size=(300, 16)).astype(np.float32)
WORDS = np.random.default_rng(6).integers(0, 2**63, (300, 2), np.uint64)
IDS = id_texts(WORDS)


@pytest.mark.parametrize("size", [1, 7, 300])
def test_rows_in_blocks_of_any_size_and_from_several_readers_give_the_same(size: int) -> None:
    readers = [Nearest(VECTORS[:20], IDS[:20], 10) for _ in range(3)]
    for number, at in enumerate(range(0, 300, size)):
        readers[number % 3].add(WORDS[at : at + size], VECTORS[at : at + size])
    first, *others = readers
    for other in others:
        first.join(other)
    for at, mine in enumerate(first.found()):
        scores = VECTORS @ VECTORS[at]
        expected = [IDS[row] for row in np.argsort(-scores) if row != at][:10]
        assert list(mine) == expected
        assert list(mine.values()) == pytest.approx(sorted(scores[np.arange(300) != at])[::-1][:10], rel=1e-5)


def test_fewer_points_than_asked_for() -> None:
    nearest = Nearest(VECTORS[:1], IDS[:1], 10)
    assert nearest.found() == [{}]
    nearest.add(WORDS[:2], VECTORS[:2])
    assert nearest.found()[0].keys() == {IDS[1]}


def test_ids_that_begin_alike_are_told_apart() -> None:
    words = np.array([[7, 1], [7, 2]], np.uint64)
    nearest = Nearest(VECTORS[:1], id_texts(words[:1]), 1)
    nearest.add(words, VECTORS[:2])
    assert nearest.found()[0].keys() == set(id_texts(words[1:]))
    assert (words_of(nearest.found()[0]) == words[1]).all()

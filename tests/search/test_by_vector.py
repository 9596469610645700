"""A search by a vector as the encoder makes it."""

import numpy as np
import pytest

from pipeline.errors import SimileError
from pipeline.search import Collection, Example
from pipeline.search.query import words_or_vector
from tests.search.conftest import IDS, direction


def test_a_vector_finds_what_it_looks_at(greys: Collection) -> None:
    for given in (direction(42.0), direction(42.0).tolist()):
        assert [hit.id for hit in greys.find([Example(vector=given)]).hits[:2]] == [IDS[4], IDS[5]]
    assert greys.find([words_or_vector(str(direction(80).tolist()))]).hits[0].id == IDS[8]


@pytest.mark.parametrize("given", [[], [0.0, 0.0], [1.0, float("nan")], [[1.0]], ["a"], "text"])
def test_what_is_no_vector_is_refused(given: object) -> None:
    with pytest.raises(SimileError, match="A vector is a list of numbers"):
        Example(vector=given)  # type: ignore[arg-type]


def test_a_vector_of_another_length_is_refused(greys: Collection) -> None:
    with pytest.raises(SimileError, match="has 32 numbers and this one 3"):
        greys.find([Example(vector=np.ones(3))])


def test_long_words_are_refused() -> None:
    with pytest.raises(SimileError, match="have 301 characters; write at most 300"):
        words_or_vector("x" * 301)

"""Pictures of another kind: unlike all neighbours, or further out than a collection's own."""

import numpy as np
import pytest

from pipeline.index_quality.own_kind import own_kind
from pipeline.projection import Projection

RAW, KEPT = 12, 6
RNG = np.random.default_rng(0)
# Own pictures lie along the first components, the first one most; the projection makes all equally strong.
STRENGTH = np.array([8, 4, 2, 1, 1, 1], np.float32)
MATRIX = np.zeros((RAW, KEPT), np.float32)
MATRIX[:KEPT] = np.diag(1 / STRENGTH) @ np.linalg.qr(RNG.normal(size=(KEPT, KEPT)))[0].astype(np.float32)
PROJECTION = Projection(MATRIX, np.zeros(KEPT, np.float32))


def pictures(count: int) -> np.ndarray:
    """(N, KEPT) prepared vectors of own pictures: two kinds, at either end of the first component."""
    raw = RNG.normal(size=(count, RAW)) * np.concatenate([STRENGTH / 8, np.zeros(RAW - KEPT)])
    raw[:, 0] += np.where(np.arange(count) % 2, 8, -8)
    return PROJECTION.apply(raw.astype(np.float32))


def prepared(raw: list[float]) -> np.ndarray:
    return PROJECTION.apply(np.array([raw + [0] * (RAW - len(raw))], np.float32))[0]


@pytest.mark.parametrize("count", [900, 20])
def test_new_pictures_of_the_kind_are_rarely_foreign_and_others_are(count: int) -> None:
    own = pictures(count)
    lengths = np.linalg.norm(own, axis=1)
    learnt = own_kind(PROJECTION, own / lengths[:, None], lengths)  # as a store has them
    assert learnt and learnt.neighbour == (20 if count == 900 else 1)
    new = [learnt.is_foreign(one) for one in pictures(400)]
    assert np.mean(new) < (0.07 if count == 900 else 0.5)
    assert learnt.is_foreign(prepared([0, 0, 0, 0, 0, 1])), "where no own picture lies"
    assert learnt.is_foreign(prepared([80, 0, 0, 0, 0, 0])), "ten times as far out"
    assert not learnt.is_foreign(prepared([8, 0, 0, 0, 0, 0]))


def test_without_lengths_only_the_neighbours_count_and_one_picture_tells_nothing() -> None:
    own = pictures(60)
    learnt = own_kind(PROJECTION, own, np.empty(0))
    assert learnt and not learnt.is_foreign(prepared([80, 0, 0, 0, 0, 0]))
    assert learnt.is_foreign(prepared([0, 0, 0, 0, 0, 1]))
    assert own_kind(PROJECTION, own[:1], np.empty(0)) is None

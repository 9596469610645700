"""Four pictures on a circle, and blocks against the whole."""

import numpy as np
import pytest

from pipeline.evaluation import cosine_rankings, csls_offsets, hamming_groups, precision_at, rankings


def test_hamming_groups_count_by_distance_and_leave_out_the_query() -> None:
    codes = np.array([[1, 1, 1], [1, 1, -1], [-1, -1, -1], [1, 1, 1]])
    labels = np.array([0, 1, 0, 0])
    found = hamming_groups(codes[:1], codes, labels[:1], labels, own=np.array([0]))
    assert found.sizes.tolist() == [[1, 1, 0, 1]]  # distance 0: the last; 1: the second; 3: the third
    assert found.relevant.tolist() == [[1, 0, 0, 1]]
    assert hamming_groups(codes[:1], codes, labels[:1], labels).sizes.tolist() == [[2, 1, 0, 1]]


def test_unlabelled_is_relevant_to_nothing() -> None:
    codes, labels = np.ones((3, 2)), np.array([-1, -1, 4])
    assert hamming_groups(codes, codes, labels, labels).relevant[:, 0].tolist() == [0, 0, 1]


def test_cosine_ranking_by_hand() -> None:
    angles = np.radians([0, 10, 50, 180])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1) * 7
    labels = np.array([0, 1, 0, 0])
    (found,) = cosine_rankings(vectors[:1], vectors, labels[:1], labels, own=np.array([0]))
    assert found.relevant.tolist() == [[0, 1, 1]]


def test_blocks_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.normal(size=(60, 8)), rng.integers(0, 3, 60)
    codes, own = np.where(vectors >= 0, 1, -1), np.arange(60)
    whole = hamming_groups(codes, codes, labels, labels, own)
    (ranked,) = cosine_rankings(vectors, vectors, labels, labels, own)
    offsets = csls_offsets(vectors)
    monkeypatch.setattr(rankings, "_CELLS", 60 * 7)
    assert np.array_equal(hamming_groups(codes, codes, labels, labels, own).relevant, whole.relevant)
    parts = list(cosine_rankings(vectors, vectors, labels, labels, own))
    assert len(parts) == 9
    assert np.array_equal(np.concatenate([p.relevant for p in parts]), ranked.relevant)
    assert np.allclose(csls_offsets(vectors), offsets)


def test_csls_sends_hubs_back() -> None:
    # Wrong pictures crowd at 18°, right ones lie at -60°, -50° … 0°. The query at 10° is 8° from the crowd
    # and 10° from the nearest right one, but the crowd is near to itself and the right one is not.
    degrees = np.array([*range(-60, 1, 10), *([18] * 13)])
    database = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
    labels = (degrees == 18).astype(int)
    query, label = np.array([[np.cos(np.radians(10)), np.sin(np.radians(10))]]), np.array([0])
    (plain,) = cosine_rankings(query, database, label, labels)
    (better,) = cosine_rankings(query, database, label, labels, offsets=csls_offsets(database))
    assert precision_at(plain, 1)[0] == 0
    assert precision_at(better, 1)[0] == 1

"""Counts, disjointness, and independence of order."""

import hashlib

import numpy as np
import pytest

from pipeline.evaluation.art_split import art_split, validation_part
from pipeline.evaluation.protocols import (
    art_protocols,
    leave_one_out,
    official_test,
    pooled,
    unseen_classes,
)

LABELS = np.repeat(np.arange(10), 12)


def test_a_and_b_differ_only_in_the_database() -> None:
    a = pooled(LABELS, 100, training_in_database=False, queries=2, training=3)
    b = pooled(LABELS, 100, training_in_database=True, queries=2, training=3)
    assert a.counts == {"queries": 20, "training": 30, "database": 70}
    assert b.counts == {"queries": 20, "training": 30, "database": 100}
    assert a.name == "A (20 queries / 30 training / 70 database; of 100 train + 20 test pictures)"
    assert np.array_equal(a.queries, b.queries) and np.array_equal(a.training, b.training)
    assert np.bincount(LABELS[a.queries]).tolist() == [2] * 10
    assert np.bincount(LABELS[a.training]).tolist() == [3] * 10
    everything = np.concatenate([a.queries, a.training, a.database])
    assert sorted(everything) == list(range(120))
    assert a.own is None
    other = pooled(LABELS, 100, training_in_database=False, queries=2, training=3, seed=1)
    assert not np.array_equal(a.queries, other.queries)


def test_c_asks_with_the_test_pictures() -> None:
    c = official_test(50, 10)
    assert c.counts == {"queries": 10, "training": 50, "database": 50}
    assert c.queries.min() == 50 and c.own is None


def test_leave_one_out_knows_where_each_query_is() -> None:
    unseen = leave_one_out(np.array([7, 5, 9]), np.array([0, 1]))
    assert unseen.queries.tolist() == [5, 7, 9]
    assert unseen.own is not None and unseen.own.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="trained on"):
        leave_one_out(np.array([5]), np.array([5]))


def test_unseen_classes_are_not_trained_on() -> None:
    train, test = LABELS, np.arange(10)
    split = unseen_classes(train, test)
    assert split.counts == {"queries": 3, "training": 84, "database": 36}
    assert set(train[split.training]) == set(range(7)) and set(train[split.database]) == {7, 8, 9}
    assert test[split.queries - len(train)].tolist() == [7, 8, 9]


def works() -> tuple[list[str], list[str]]:
    artists = [f"artist {i % 30}" for i in range(30 * 21)]
    return artists, [hashlib.sha256(str(i).encode()).hexdigest() for i in range(len(artists))]


def test_art_holds_out_artists_and_a_tenth_of_the_others_works() -> None:
    artists, digests = works()
    split = art_split(artists, digests, unseen=5)
    assert len(split.unseen_artists) == 5 and len(split.unseen) == 5 * 21
    assert {artists[i] for i in split.unseen} == set(split.unseen_artists)
    asked = [artists[i] for i in split.queries]
    assert len(set(asked)) == 25 and all(asked.count(name) == 2 for name in asked)  # round(2.1)
    together = np.concatenate([split.training, split.queries, split.unseen])
    assert sorted(together) == list(range(630))
    seen, among_all, alone = art_protocols(split)
    assert seen.own is None and among_all.own is not None and alone.own is not None
    assert not set(split.training) & set(among_all.queries)


def test_the_order_of_works_does_not_matter() -> None:
    artists, digests = works()
    order = np.random.default_rng(0).permutation(len(artists))
    first = art_split(artists, digests)
    second = art_split([artists[i] for i in order], [digests[i] for i in order])
    assert first.unseen_artists == second.unseen_artists
    assert {digests[i] for i in first.queries} == {digests[order[i]] for i in second.queries}


def test_copies_stay_on_one_side() -> None:
    artists, digests = ["a"] * 20, ["same"] * 10 + [str(i) for i in range(10)]
    split = art_split(artists, digests, unseen=0)
    assert not {digests[i] for i in split.training} & {digests[i] for i in split.queries}


def test_validation_is_a_share_of_the_training_part() -> None:
    artists, digests = works()
    training = art_split(artists, digests).training
    kept = validation_part(training, digests)
    assert kept.shape == training.shape
    assert 0.03 < kept.mean() < 0.2


def test_works_of_nobody_known_are_trained_on_and_never_asked() -> None:
    artists, digests = works()
    nobody = [*artists, "Unknown Artist", ""]
    split = art_split(nobody, [*digests, "a", "b"])
    assert {630, 631} <= set(split.training.tolist())
    assert split.unseen_artists == art_split(artists, digests).unseen_artists

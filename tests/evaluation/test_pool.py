"""Labels become numbers, and a pool says which protocols it allows."""

import hashlib

import numpy as np
import pytest

from pipeline.evaluation.labels import encode_labels
from pipeline.evaluation.pool import Pool
from pipeline.evaluation.protocols import protocols_of


def test_labels_are_numbered_by_name_and_unknown_ones_are_none() -> None:
    labels = encode_labels(["b", None, "a", "Unknown Genre", "", "b", 7])
    assert labels.names == ("7", "a", "b")
    assert labels.values.tolist() == [2, -1, 1, -1, -1, 2, 0]


def pool(each: int, train: int, classes: int = 10) -> Pool:
    return Pool({"label": encode_labels([i % classes for i in range(each * classes)])}, (), train)


def keys(pool: Pool) -> list[str]:
    return [protocol.key for protocol in protocols_of(pool)]


def test_ten_classes_with_a_test_split_allow_everything_but_art() -> None:
    assert keys(pool(601, 5000)) == ["a", "b", "c", "unseen-database", "unseen-classes"]
    assert [p.key for p in protocols_of(pool(601, 5000), ["c"])] == ["c"]


@pytest.mark.parametrize(
    ("test", "database", "copy"),
    [(10_000, (54_000, 59_000), "10,000 test"), (5000, (49_000, 54_000), "5,000 of the 10,000 test")],
)
def test_cifar10_is_cut_as_in_the_papers_and_says_how_many_test_pictures_there_were(
    test: int, database: tuple[int, int], copy: str
) -> None:
    cifar10 = pool((50_000 + test) // 10, 50_000)
    labels = cifar10.labels["label"].values
    a, b, c, unseen = protocols_of(cifar10, ["a", "b", "c", "unseen-database"])
    for protocol, size in zip((a, b), database, strict=True):
        assert protocol.counts == {"queries": 1000, "training": 5000, "database": size}
        assert np.bincount(labels[protocol.queries]).tolist() == [100] * 10
        assert np.bincount(labels[protocol.training]).tolist() == [500] * 10
        assert protocol.name == (
            f"{protocol.key.upper()} (1,000 queries / 5,000 training / {size:,} database; "
            f"of 50,000 train + {copy} pictures)"
        )
        assert not np.isin(protocol.queries, protocol.database).any()
    assert not np.isin(a.training, a.database).any() and np.isin(b.training, b.database).all()
    assert (a.queries >= 50_000).sum() == pytest.approx(1000 * test / (50_000 + test), abs=50)
    assert c.name == f"C ({copy} queries / 50,000 training = database)"
    assert unseen.name == f"unseen database (leave-one-out over {copy} pictures, never trained on)"


def test_what_is_missing_is_left_out() -> None:
    assert keys(pool(600, 5000)) == ["c", "unseen-database", "unseen-classes"]
    assert keys(pool(601, 6010)) == ["a", "b"]
    assert keys(pool(50, 100, classes=3)) == ["unseen-database"]


def test_artists_give_the_art_protocols() -> None:
    artists = encode_labels([f"artist {i % 25}" for i in range(500)])
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(500)]
    found = protocols_of(Pool({"artist": artists}, digests, 500))
    assert [p.name for p in found] == [
        "seen artists (10 queries / 90 training = database)",
        "20 unseen artists among all (400 queries, leave-one-out in 500)",
        "20 unseen artists alone (leave-one-out over 400)",
    ]
    assert np.intersect1d(found[0].queries, found[0].training).size == 0

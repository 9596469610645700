"""Named protocols: which pictures are queries, which may be trained on, which are searched.

Pure functions over labels; seeds are fixed: the same labels give the same sets. Art is cut by `splits.py`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.labels import is_label

__all__ = [
    "UNSEEN_ARTISTS",
    "ArtSplit",
    "Protocol",
    "art_split",
    "leave_one_out",
    "official_test",
    "pooled",
    "sampled",
    "unseen_classes",
    "validation_part",
]

_CIFAR10_TRAIN, _CIFAR10_TEST = 50_000, 10_000  # pictures, on which A, B and C are defined


@dataclass(frozen=True)
class Protocol:
    """Index sets into one list of pictures, each ascending int64.

    Attributes:
        key: short name, for the command line.
        name: with its counts, so that figures of different protocols are not compared by accident.
        queries: (Q,); never among `training`.
        database: (N,); a query that is in it is left out of its own results.
        training: (T,) what a network measured by it may be trained on; empty: nothing is needed.
        about: one sentence for the reader of a table.
    """

    key: str
    name: str
    queries: np.ndarray
    database: np.ndarray
    training: np.ndarray
    about: str

    @property
    def own(self) -> np.ndarray | None:
        """(Q,) place of each query in `database`, or None where queries are not searched."""
        at = np.searchsorted(self.database, self.queries).clip(0, len(self.database) - 1)
        inside = self.database[at] == self.queries
        if inside.any() and not inside.all():
            raise ValueError(f"'{self.name}' has some queries in the database and some not")
        return at if inside.all() else None

    @property
    def counts(self) -> dict[str, int]:
        """Queries, training and database pictures."""
        return {
            "queries": len(self.queries),
            "training": len(self.training),
            "database": len(self.database),
        }


def pooled(
    labels: np.ndarray,
    train: int,
    *,
    training_in_database: bool,
    queries: int = 100,
    training: int = 500,
    seed: int = 0,
) -> Protocol:
    """Protocols A and B of the hashing literature, from train and test pictures in one pool.

    Args:
        labels: (N,) int of the pool.
        train: how many of them are of the train split, for the name.
        training_in_database: A searches what is neither query nor training; B searches all but the queries.
        queries, training: pictures of each class.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    asked, trained = [], []
    for label in np.unique(labels):
        mixed = rng.permutation(np.flatnonzero(labels == label))
        if len(mixed) <= queries + training:
            raise ValueError(
                f"class {label} has {len(mixed)} pictures; more than {queries + training} needed"
            )
        asked.append(mixed[:queries])
        trained.append(mixed[queries : queries + training])
    q, t = np.sort(np.concatenate(asked)), np.sort(np.concatenate(trained))
    database = np.setdiff1d(np.arange(len(labels)), q if training_in_database else np.union1d(q, t))
    letter = "B" if training_in_database else "A"
    return Protocol(
        letter.lower(),
        f"{letter} ({len(q):,} queries / {len(t):,} training / {len(database):,} database; "
        f"of {train:,} train + {_test(train, len(labels) - train)} test pictures)",
        q,
        database,
        t,
        "drawn from train and test together; only for networks trained on these training pictures or on none",
    )


def _test(train: int, test: int) -> str:
    """How many test pictures, and of how many where CIFAR-10 is short of some."""
    short = train == _CIFAR10_TRAIN and test < _CIFAR10_TEST
    return f"{test:,} of the {_CIFAR10_TEST:,}" if short else f"{test:,}"


def official_test(train: int, test: int) -> Protocol:
    """Protocol C: pictures 0 … train − 1 are trained on and searched, the `test` ones after them ask."""
    return Protocol(
        "c",
        f"C ({_test(train, test)} test queries / {train:,} training = database)",
        np.arange(train, train + test),
        np.arange(train),
        np.arange(train),
        "rewards memorising the database, which is the training set",
    )


def sampled(size: int, queries: int) -> Protocol:
    """The first `queries` of `size` pictures ask, all others answer.

    For the points of a collection, whose ids are hashes: the first ones are a fair sample. What a network
    was trained on is not known here.
    """
    asked = np.arange(min(size, queries))
    return Protocol(
        "stored",
        f"within the collection ({len(asked):,} queries, leave-one-out in {size:,})",
        asked,
        np.arange(size),
        np.array([], np.int64),
        "flatters a network that was trained on these pictures",
    )


def leave_one_out(
    members: np.ndarray, training: np.ndarray | None = None, name: str = "unseen database"
) -> Protocol:
    """Each of `members` asks, all others of `members` are searched; none of them was trained on."""
    members = np.sort(members)
    trained = np.sort(training) if training is not None else np.array([], np.int64)
    if np.intersect1d(members, trained).size:
        raise ValueError(f"'{name}' would search pictures that were trained on")
    return Protocol(
        "unseen-database",
        f"{name} (leave-one-out over {_test(len(trained), len(members))} test pictures, never trained on)",
        members,
        members,
        trained,
        "nothing that is searched was seen in training",
    )


def unseen_classes(
    train_labels: np.ndarray, test_labels: np.ndarray, seen: Sequence[int] = range(7)
) -> Protocol:
    """Train on the `seen` classes, retrieve in the others: test pictures ask, training pictures answer.

    Indexes are those of the train pictures followed by the test pictures.
    """
    train_seen = np.isin(train_labels, list(seen))
    queries = len(train_labels) + np.flatnonzero(~np.isin(test_labels, list(seen)))
    database = np.flatnonzero(~train_seen)
    others = sorted(set(np.unique(test_labels).tolist()) - set(seen))
    return Protocol(
        "unseen-classes",
        f"unseen classes {', '.join(map(str, others))} ({len(queries):,} test queries / "
        f"{train_seen.sum():,} training of the other classes / {len(database):,} database)",
        queries,
        database,
        np.flatnonzero(train_seen),
        "only for networks trained without these classes",
    )


UNSEEN_ARTISTS = 20
QUERY_SHARE = 0.1  # of each artist's works


@dataclass(frozen=True)
class ArtSplit:
    """Places of works, each ascending int64; together they are all works.

    Attributes:
        training: works of seen artists that may be trained on; they are also what is searched.
        queries: a fixed tenth of each seen artist's works, never trained on.
        unseen: all works of the artists held out altogether.
        unseen_artists: their names.
    """

    training: np.ndarray
    queries: np.ndarray
    unseen: np.ndarray
    unseen_artists: tuple[str, ...]

    def protocols(self) -> list[Protocol]:
        """Seen artists; unseen artists among everything; unseen artists among themselves."""
        everything = np.sort(np.concatenate([self.training, self.queries, self.unseen]))
        among = f"{len(self.unseen_artists)} unseen artists"
        return [
            Protocol(
                "art",
                f"seen artists ({len(self.queries):,} queries / {len(self.training):,} training = database)",
                self.queries,
                self.training,
                self.training,
                "a fixed tenth of each artist's works asks, the rest answers",
            ),
            Protocol(
                "art",
                f"{among} among all ({len(self.unseen):,} queries, leave-one-out in {len(everything):,})",
                self.unseen,
                everything,
                self.training,
                "artists that no network was trained on, searched among all works",
            ),
            Protocol(
                "art",
                f"{among} alone (leave-one-out over {len(self.unseen):,})",
                self.unseen,
                self.unseen,
                self.training,
                "nothing that is searched was seen in training",
            ),
        ]


def art_split(artists: Sequence[str], digests: Sequence[str], unseen: int = UNSEEN_ARTISTS) -> ArtSplit:
    """Cut works by artist, whatever order they come in.

    Artists are held out by the hash of their name, queries by the hash of the image: of an artist with n
    works the max(1, round(n / 10)) with the smallest one. Copies of one image stay on one side: they share
    their digest. An artist with a single work gives no query, for nothing would be left to find. Works
    without a known artist may be trained on and are searched, but ask nothing.

    Args:
        artists: (N,) names, not class numbers: those depend on the dataset's copy.
        digests: (N,) hexadecimal sha256 of the encoded image bytes, as stored in the source.
        unseen: artists to hold out.
    """
    if len(artists) != len(digests):
        raise ValueError(f"expected one digest a work, got {len(artists)} artists and {len(digests)} digests")
    names = sorted({artist for artist in artists if is_label(artist)}, key=_hash)
    held_out = set(names[:unseen])
    of_artist: dict[str, list[int]] = {name: [] for name in names}
    training: list[int] = []
    for place, artist in enumerate(artists):
        of_artist.get(artist, training).append(place)
    queries: list[int] = []
    for artist in set(names) - held_out:
        works = of_artist[artist]
        distinct = sorted({digests[i] for i in works}, key=_hash)
        number = max(1, round(len(distinct) * QUERY_SHARE)) if len(distinct) > 1 else 0
        asked = set(distinct[:number])
        queries += [i for i in works if digests[i] in asked]
        training += [i for i in works if digests[i] not in asked]
    outside = [i for artist in held_out for i in of_artist[artist]]
    return ArtSplit(_ascending(training), _ascending(queries), _ascending(outside), tuple(sorted(held_out)))


def validation_part(training: np.ndarray, digests: Sequence[str], share: float = 0.1) -> np.ndarray:
    """(V,) bool over `training`: what to choose epochs and settings on, so that nothing is chosen on queries.

    Args:
        training: places of training pictures.
        digests: hexadecimal sha256 of every picture, indexed by those places.
        share: of the training pictures.
    """
    return np.array([int(_hash(f"validation {digests[i]}")[:8], 16) < share * 2**32 for i in training], bool)


def _hash(text: Any) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def _ascending(places: Iterable[int]) -> np.ndarray:
    return np.array(sorted(places), np.int64)

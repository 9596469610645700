"""Named protocols: which pictures are queries, which may be trained on, which are searched.

Pure functions; seeds are fixed, so the same labels give the same sets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.art_split import ArtSplit, art_split
from pipeline.evaluation.labels import UNLABELLED
from pipeline.evaluation.pool import Pool

__all__ = [
    "PROTOCOLS",
    "Protocol",
    "art_protocols",
    "leave_one_out",
    "official_test",
    "pooled",
    "protocols_of",
    "sampled",
    "unseen_classes",
]

PROTOCOLS = ("a", "b", "c", "unseen-database", "unseen-classes", "art")
_POOLED = 600  # queries and training pictures of each class in A and B
_CLASSES = 10  # A, B, C and the unseen classes are cut from ten classes
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


def protocols_of(pool: Pool, wanted: Sequence[str] = PROTOCOLS) -> list[Protocol]:
    """The named protocols that this pool allows, in the order of `PROTOCOLS`.

    `art` needs a field `artist` and digests; `a`, `b`, `c` and `unseen-classes` ten classes, `a` and `b` of
    more than 600 pictures each; `c`, `unseen-classes` and `unseen-database` a test split.
    """
    if "artist" in pool.labels:
        if "art" not in wanted or not len(pool.digests):
            return []
        return art_protocols(art_split(pool.labels["artist"].texts(), pool.digests))
    labels = next(iter(pool.labels.values())).values
    train, test = np.arange(pool.train), np.arange(pool.train, pool.size)
    counts = np.unique(labels[labels != UNLABELLED], return_counts=True)[1]
    ten = len(counts) == _CLASSES
    possible = {
        "a": ten and counts.min() > _POOLED,
        "b": ten and counts.min() > _POOLED,
        "c": ten and len(test) > 0,
        "unseen-database": len(test) > 1,
        "unseen-classes": ten and len(test) > 0,
    }
    cut: dict[str, Callable[[], Protocol]] = {
        "a": lambda: pooled(labels, pool.train, training_in_database=False),
        "b": lambda: pooled(labels, pool.train, training_in_database=True),
        "c": lambda: official_test(len(train), len(test)),
        "unseen-database": lambda: leave_one_out(test, train),
        "unseen-classes": lambda: unseen_classes(labels[train], labels[test]),
    }
    return [make() for key, make in cut.items() if key in wanted and possible[key]]


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


def art_protocols(split: ArtSplit) -> list[Protocol]:
    """Queries of seen artists; of unseen artists among all works; of unseen artists among themselves."""
    everything = np.sort(np.concatenate([split.training, split.queries, split.unseen]))
    among = f"{len(split.unseen_artists)} unseen artists"
    return [
        Protocol(
            "art",
            f"seen artists ({len(split.queries):,} queries / {len(split.training):,} training = database)",
            split.queries,
            split.training,
            split.training,
            "the queries are a fixed tenth of each artist's works; the rest is the database",
        ),
        Protocol(
            "art",
            f"{among} among all ({len(split.unseen):,} queries, leave-one-out in {len(everything):,})",
            split.unseen,
            everything,
            split.training,
            "artists that no network was trained on, searched among all works",
        ),
        Protocol(
            "art",
            f"{among} alone (leave-one-out over {len(split.unseen):,})",
            split.unseen,
            split.unseen,
            split.training,
            "nothing that is searched was seen in training",
        ),
    ]


def _test(train: int, test: int) -> str:
    """How many test pictures, and of how many where CIFAR-10 is short of some."""
    short = train == _CIFAR10_TRAIN and test < _CIFAR10_TEST
    return f"{test:,} of the {_CIFAR10_TEST:,}" if short else f"{test:,}"

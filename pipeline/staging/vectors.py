"""Staged vectors: for each encoder a file beside each part.

<home>/staging/<collection>/<encoder fingerprint>/<unit>.parquet, sorted by id:
id: 16 bytes · vector: float16[D]

The first rows stand in a row group of their own: ids are hashes, so the smallest of all units together are a
fair sample, which is read without the rest. Pictures that the encoder could not take are in the file's
metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SimileError
from pipeline.home import filesystem
from pipeline.staging.ids import find_words, first_of_each, id_bytes, id_texts, id_words
from pipeline.staging.rejects import Reject, reject_of
from pipeline.staging.unit_files import READERS, UnitFiles, put

__all__ = ["SAMPLED", "Staging", "UnitVectors", "vectors_of", "without_rejects"]

_REJECTS = b"simile.rejects"
# Rows that are read for a sample. Of a million rows in units of 2,048, 41 of a unit are among the 20,000
# smallest on average, and more than 64 hardly ever; where they are, the rest is read as well.
SAMPLED = 64


@dataclass(frozen=True)
class UnitVectors:
    """The vectors of a unit.

    Attributes:
        words: (N, 2) uint64, their ids, sorted.
        vectors: (N, D) float16.
        rejects: of pictures that the encoder could not take, or that were gone when their vectors were to be
            made; without places.
        location: of the file.
    """

    words: np.ndarray
    vectors: np.ndarray
    rejects: list[Reject]
    location: str

    @cached_property
    def rejected(self) -> dict[str, Reject]:
        """The same by id."""
        return {str(reject.id): reject for reject in self.rejects}

    def at(self, words: np.ndarray) -> np.ndarray:
        """Where each of (M, 2) ids stands; (M,) int64, -1: nowhere."""
        return find_words(self.words, words)

    def of(self, words: np.ndarray) -> np.ndarray:
        """The vectors of (M, 2) ids; (M, D) float16.

        Raises:
            SimileError: one of them has none.
        """
        at = self.at(words)
        if (at < 0).any():
            raise SimileError(
                f"{self.location} has no vectors of {int((at < 0).sum()):,} pictures of its unit, such as "
                f"{id_texts(words[at < 0][:1])[0]}. Remove it and run the job again, which makes it anew."
            )
        return np.asarray(self.vectors[at])


@dataclass(frozen=True)
class Staging(UnitFiles):
    """The vectors of one collection and one encoder."""

    fingerprint: str

    @property
    def folder(self) -> str:
        """Where they are, as path or URL."""
        return f"{self.home}/staging/{self.collection}/{self.fingerprint}"

    def write(self, unit: str, ids: Sequence[str], vectors: np.ndarray, rejects: Sequence[Reject]) -> int:
        """Add the vectors of a unit; returns the bytes of the file.

        Args:
            ids: N of them, each once.
            vectors: (N, D) float; kept as float16.
            rejects: pictures that the encoder could not take.
        """
        keys = [id_bytes(point) for point in ids]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        half = vectors.astype(np.float16)[order]
        width = max(1, half.shape[1])
        columns = {
            "id": pa.array([keys[at] for at in order], pa.binary(16)),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(half.reshape(-1)), width),
        }
        about = {_REJECTS: json.dumps([asdict(reject) for reject in rejects])}
        table = pa.table(columns).replace_schema_metadata(about)
        return put(self.location(unit), table, SAMPLED)

    def read(self, unit: str) -> UnitVectors:
        """All of a unit."""
        location = self.location(unit)
        files, path = filesystem(location)
        table = pq.read_table(path, filesystem=files, use_threads=False)
        rejects = _rejects_of(table.schema.metadata or {})
        return UnitVectors(id_words(table["id"]), vectors_of(table), rejects, location)

    def rejects(self, unit: str) -> list[Reject]:
        """The pictures of a unit that the encoder could not take; none where it has no vectors of it."""
        try:
            return _rejects_of(self.about(unit))
        except FileNotFoundError:
            return []

    def sample(self, size: int, units: Iterable[str] | None = None) -> np.ndarray:
        """(≤ size, D) float32: the vectors with the smallest ids, each id once.

        Args:
            units: among those of these; None: of all that are staged.
        """
        names = sorted(self.names() if units is None else set(units))
        kept, more = _Smallest(size), list[tuple[str, np.ndarray]]()
        with ThreadPoolExecutor(READERS) as pool:
            for name, (ids, rows, whole) in zip(names, pool.map(self._first, names), strict=True):
                kept.add(ids, rows)
                if len(ids) and not whole:
                    more.append((name, ids[-1]))
        for name, last in more:
            if kept.may_take(last):
                found = self.read(name)
                kept.add(found.words, found.vectors)
        return kept.vectors().astype(np.float32)

    def _first(self, unit: str) -> tuple[np.ndarray, np.ndarray, bool]:
        """Ids and vectors of the first rows of a unit, and whether these are all."""
        files, path = filesystem(self.location(unit))
        with files.open_input_file(path) as stream, pq.ParquetFile(stream) as opened:
            table = opened.read_row_groups(range(min(1, opened.num_row_groups)), use_threads=False)
            return id_words(table["id"]), vectors_of(table), opened.num_row_groups <= 1


class _Smallest:
    """The vectors with the smallest ids of those that were added, each id once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._words: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []
        self._last: tuple[int, ...] | None = None  # no larger id is taken any more

    def add(self, words: np.ndarray, vectors: np.ndarray) -> None:
        """Sorted ids (N, 2) and their vectors."""
        if not len(words) or not self.may_take(words[0]):
            return
        self._words.append(words)
        self._vectors.append(vectors)
        if sum(map(len, self._words)) >= 2 * self._size:  # not each time: a row is sorted about twice
            self._settle()

    def may_take(self, word: np.ndarray) -> bool:
        """Whether an id, or a larger one, is perhaps among the smallest."""
        return self._last is None or tuple(word) <= self._last

    def vectors(self) -> np.ndarray:
        """(≤ size, D) float16, by id."""
        self._settle()
        return self._vectors[0] if self._vectors else np.empty((0, 1), np.float16)

    def _settle(self) -> None:
        if not self._words:
            return
        words, vectors = np.concatenate(self._words), np.concatenate(self._vectors)
        order = np.lexsort((words[:, 1], words[:, 0]))
        order = order[first_of_each(words[order])][: self._size]
        self._words, self._vectors = [words[order]], [vectors[order]]
        self._last = tuple(words[order[-1]]) if len(order) == self._size else None


def _rejects_of(about: Mapping[bytes, bytes]) -> list[Reject]:
    return [reject_of(row) for row in json.loads(about.get(_REJECTS, b"[]"))]


def without_rejects(about: Mapping[bytes, bytes], ids: Set[str]) -> dict[bytes, bytes] | None:
    """The metadata of a file of vectors without the rejects of these pictures; None where it has none."""
    rejects = json.loads(about.get(_REJECTS, b"[]"))
    left = [each for each in rejects if each["id"] not in ids]
    return None if len(left) == len(rejects) else {**about, _REJECTS: json.dumps(left).encode()}


def vectors_of(table: pa.Table) -> np.ndarray:
    """The `vector` column as (N, D) float16."""
    column = table["vector"].combine_chunks()
    vectors = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(vectors).reshape(len(column), column.type.list_size)

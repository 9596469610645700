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
        with ThreadPoolExecutor(READERS) as pool:
            words, vectors = np.empty((0, 2), np.uint64), np.empty((0, 1), np.float16)
            more: list[tuple[str, np.ndarray]] = []
            for name, (ids, rows, whole) in zip(names, pool.map(self._first, names), strict=True):
                words, vectors = _smallest(size, words, vectors, ids, rows)
                if not whole:
                    more.append((name, ids[-1]))
            for name, last in more:
                if len(words) < size or tuple(last) < tuple(words[-1]):
                    found = self.read(name)
                    words, vectors = _smallest(size, words, vectors, found.words, found.vectors)
        return vectors.astype(np.float32)

    def _first(self, unit: str) -> tuple[np.ndarray, np.ndarray, bool]:
        """Ids and vectors of the first rows of a unit, and whether these are all."""
        files, path = filesystem(self.location(unit))
        with files.open_input_file(path) as stream, pq.ParquetFile(stream) as opened:
            table = opened.read_row_groups(range(min(1, opened.num_row_groups)), use_threads=False)
            return id_words(table["id"]), vectors_of(table), opened.num_row_groups <= 1


def _smallest(
    size: int, words: np.ndarray, vectors: np.ndarray, more: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rows with the `size` smallest ids of both, sorted, each id once."""
    if not len(more):
        return words, vectors
    if len(words) == size and tuple(more[0]) > tuple(words[-1]):
        return words, vectors
    both = np.concatenate([words, more])
    order = np.lexsort((both[:, 1], both[:, 0]))
    both = both[order]
    first = first_of_each(both)
    chosen = order[first][:size]
    joined = np.concatenate([vectors, rows]) if len(vectors) else rows
    return both[first][:size], joined[chosen]


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

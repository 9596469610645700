"""Which pictures are staged already, by id, whatever unit they came with: they are not embedded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from pipeline.staging.erased import erased_list
from pipeline.staging.ids import id_texts, id_words, words_of
from pipeline.staging.parts import PICTURE_COLUMNS, REJECT_COLUMNS, Parts, StagedPicture, picture_of
from pipeline.staging.rejects import Reject, reject_of
from pipeline.staging.unit_files import READERS
from pipeline.staging.vectors import Staging, UnitVectors

__all__ = ["Known", "KnownVectors", "known_pictures"]

_HELD = 4  # units that a reader holds: those of a dataset that was cut anew are asked for one after the other


@dataclass(frozen=True)
class KnownVectors:
    """What is staged for one encoder: 12 bytes of memory a picture. N pictures.

    Attributes:
        staging: where it is.
        prefix: (N,) uint64, the first half of each id, sorted.
        unit: (N,) int32, where each stands: an index of `units`.
        units: names of units, text.
    """

    staging: Staging
    prefix: np.ndarray
    unit: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Known:
    """Answers what is staged of a picture. It is shared with all actors.

    Attributes:
        parts: where the thumbnails are.
        encoders: name -> what is staged for it.
        rejects_again: pictures that were rejected are not known.
        erased: ids of pictures that may not be staged again.
    """

    parts: Parts
    encoders: Mapping[str, KnownVectors]
    rejects_again: bool = False
    erased: frozenset[str] = frozenset()

    def find(self, encoder: str, ids: Sequence[str]) -> dict[str, tuple[StagedPicture, np.ndarray] | Reject]:
        """Id -> picture and vector (D,) float16, or why it has none; of those that are staged.

        Args:
            encoder: name.
            ids: of pictures.
        """
        known = self.encoders[encoder]
        found: dict[str, tuple[StagedPicture, np.ndarray] | Reject] = {}
        if not len(known.prefix) or not ids:
            return found
        words = words_of(ids)
        start, stop = (np.searchsorted(known.prefix, words[:, 0], side) for side in ("left", "right"))
        for point, word, first, end in zip(ids, words, start, stop, strict=True):
            for at in range(first, end):
                if point in found:
                    break
                one = _read(self.parts, known.staging, str(known.units[known.unit[at]])).find(point, word)
                if one is not None and not (isinstance(one, Reject) and self._is_open(one)):
                    found[point] = one
        return found

    def _is_open(self, reject: Reject) -> bool:
        """Whether it says nothing of the picture in hand: one may be read here that could not be there."""
        return self.rejects_again or reject.stage == "plan"


@dataclass(frozen=True)
class _Unit:
    """A staged unit in memory: id -> its row of `table`; vectors of some of them."""

    rows: Mapping[str, int]
    table: pa.Table
    vectors: UnitVectors

    def find(self, point: str, word: np.ndarray) -> tuple[StagedPicture, np.ndarray] | Reject | None:
        if point not in self.rows:
            return None
        row = self.table.slice(self.rows[point], 1).to_pylist()[0]
        if row["stage"]:
            return reject_of({name: row[name] for name in REJECT_COLUMNS} | {"id": point})
        if point in self.vectors.rejected:
            return self.vectors.rejected[point]
        at = int(self.vectors.at(word[None])[0])
        if at < 0:
            return None
        return picture_of(point, row), self.vectors.vectors[at]


@lru_cache(_HELD)
def _read(parts: Parts, staging: Staging, unit: str) -> _Unit:
    table = parts.read(unit, ["id", *PICTURE_COLUMNS, *REJECT_COLUMNS])
    ids = id_texts(id_words(table["id"]))
    rows = {point: row for row, point in reversed(list(enumerate(ids)))}  # the first of equal ones has it all
    return _Unit(rows, table, staging.read(unit))


def known_pictures(
    parts: Parts, stagings: Mapping[str, Staging], rejects_again: bool, there: set[str]
) -> Known:
    """Everything that is staged, from the ids of all parts.

    Args:
        stagings: encoder name -> its vectors.
        rejects_again: pictures that were rejected are not known.
        there: the units that have parts.
    """
    of_encoder = {name: sorted(there & staging.names()) for name, staging in stagings.items()}
    units = sorted(set().union(*of_encoder.values()))
    with ThreadPoolExecutor(READERS) as pool:
        prefixes = dict(zip(units, pool.map(lambda unit: _prefix(parts, unit), units), strict=True))
    encoders = {
        name: _sorted(staging, of_encoder[name], [prefixes[unit] for unit in of_encoder[name]])
        for name, staging in stagings.items()
    }
    return Known(parts, encoders, rejects_again, erased_list(parts.home, parts.collection).ids)


def _prefix(parts: Parts, unit: str) -> np.ndarray:
    return id_words(parts.read(unit, ["id"])["id"])[:, 0].copy()  # not a view that keeps the other half


def _sorted(staging: Staging, units: list[str], prefixes: list[np.ndarray]) -> KnownVectors:
    prefix = np.concatenate(prefixes) if prefixes else np.empty(0, np.uint64)
    unit = np.repeat(np.arange(len(units), dtype=np.int32), [len(each) for each in prefixes])
    order = np.argsort(prefix, kind="stable")
    return KnownVectors(staging, prefix[order], unit[order], np.array(units, np.str_))

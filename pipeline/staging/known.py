"""Which pictures are staged already, by id, whatever unit they came with: they are not embedded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from pipeline.staging.earlier_parts import earlier_parts, earlier_rejects, read_earlier, rules_of_part
from pipeline.staging.erased import erased_list
from pipeline.staging.ids import id_texts, id_words, words_of
from pipeline.staging.parts import REJECT_COLUMNS, Parts, StagedPicture
from pipeline.staging.rejects import Reject, reject_of
from pipeline.staging.vectors import Staging, UnitVectors, vectors_of

__all__ = ["Known", "KnownVectors", "known_pictures"]

_READERS = 8  # files that are read at once
_HELD = 4  # units that a reader holds: those of a dataset that was cut anew are asked for one after the other


@dataclass(frozen=True)
class KnownVectors:
    """What is staged for one encoder: 12 bytes of memory a picture. N pictures.

    Attributes:
        staging: where it is.
        prefix: (N,) uint64, the first half of each id, sorted.
        file: (N,) int32, where each stands: an index of `files`.
        files: units, or paths of older parts; text.
        rejects: of older parts.
    """

    staging: Staging
    prefix: np.ndarray
    file: np.ndarray
    files: np.ndarray
    rejects: Mapping[str, tuple[Reject, int]] = field(default_factory=dict)


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

    def find(
        self, encoder: str, ids: Sequence[str], rules: Mapping[str, int]
    ) -> dict[str, tuple[StagedPicture, np.ndarray] | Reject]:
        """Id -> picture and vector (D,) float16, or why it has none; of those that are staged.

        Args:
            encoder: name.
            ids: of pictures.
            rules: id -> rules of decoding that it needs; what older ones made is not known.
        """
        known = self.encoders[encoder]
        found: dict[str, tuple[StagedPicture, np.ndarray] | Reject] = {}
        if not self.rejects_again and known.rejects:
            at_hand = {point: known.rejects[point] for point in ids if point in known.rejects}
            found |= {point: why for point, (why, made) in at_hand.items() if rules[point] <= made}
        if not len(known.prefix) or not ids:
            return found
        words = words_of(ids)
        start, stop = (np.searchsorted(known.prefix, words[:, 0], side) for side in ("left", "right"))
        for point, word, first, end in zip(ids, words, start, stop, strict=True):
            for at in range(first, end):
                if point in found:
                    break
                told = _read(self.parts, known.staging, str(known.files[known.file[at]]))
                one = told.find(point, word) if rules[point] <= told.rules else None
                if one is not None and not (self.rejects_again and isinstance(one, Reject)):
                    found[point] = one
        return found


@dataclass(frozen=True)
class _File:
    """A staged file in memory: id -> its row of `table`; vectors of some of them."""

    rules: int
    rows: Mapping[str, int]
    table: pa.Table
    vectors: UnitVectors

    def find(self, point: str, word: np.ndarray) -> tuple[StagedPicture, np.ndarray] | Reject | None:
        if point not in self.rows:
            return None
        row = self.table.slice(self.rows[point], 1).to_pylist()[0]
        if row.get("stage"):
            return reject_of({name: row[name] for name in REJECT_COLUMNS} | {"id": point})
        if point in self.vectors.rejected:
            return self.vectors.rejected[point]
        at = int(self.vectors.at(word[None])[0])
        if at < 0:
            return None
        picture = StagedPicture(
            point, row["thumbnail"] or b"", row["thumbnail_type"] or "", row["width"], row["height"]
        )
        return picture, self.vectors.vectors[at]


_PICTURE = ["id", "thumbnail", "thumbnail_type", "width", "height"]


@lru_cache(_HELD)
def _read(parts: Parts, staging: Staging, file: str) -> _File:
    if "/" in file:
        table = read_earlier(staging.folder, file)
        ids = table["id"].to_pylist()
        words = words_of(ids)
        order = np.lexsort((words[:, 1], words[:, 0]))
        vectors = UnitVectors(words[order], vectors_of(table)[order], [])
        rows = {point: row for row, point in enumerate(ids)}
        return _File(rules_of_part(staging.folder, file), rows, table.select(_PICTURE), vectors)
    table = parts.read(file, [*_PICTURE, *REJECT_COLUMNS])
    ids = id_texts(id_words(table["id"]))
    rows = {point: row for row, point in reversed(list(enumerate(ids)))}  # the first of equal ones has it all
    return _File(parts.rules(file), rows, table, staging.read(file))


def known_pictures(
    parts: Parts, stagings: Mapping[str, Staging], rejects_again: bool, there: set[str]
) -> Known:
    """Everything that is staged, from the ids of all parts.

    Args:
        stagings: encoder name -> its vectors.
        rejects_again: pictures that were rejected are not known.
        there: the units that have parts.
    """
    with ThreadPoolExecutor(_READERS) as pool:
        words: dict[str, np.ndarray] = {}

        def of_unit(unit: str) -> np.ndarray:
            if unit not in words:
                words[unit] = id_words(parts.read(unit, ["id"])["id"])[:, 0]
            return words[unit]

        encoders = {}
        for name, staging in stagings.items():
            units = sorted(there & staging.names())
            older = earlier_parts(staging.folder)
            ids = list(pool.map(of_unit, units))
            ids += list(pool.map(lambda part, s=staging: _earlier_words(s, part), older))
            encoders[name] = _sorted(staging, [*units, *older], ids)
    erased = erased_list(parts.home, parts.collection).ids
    return Known(parts, encoders, rejects_again, erased)


def _earlier_words(staging: Staging, part: str) -> np.ndarray:
    return words_of(read_earlier(staging.folder, part, ["id"])["id"].to_pylist())[:, 0]


def _sorted(staging: Staging, files: list[str], ids: list[np.ndarray]) -> KnownVectors:
    prefix = np.concatenate(ids) if ids else np.empty(0, np.uint64)
    file = np.repeat(np.arange(len(ids), dtype=np.int32), [len(each) for each in ids])
    order = np.argsort(prefix, kind="stable")
    rejects = earlier_rejects(staging.folder)
    return KnownVectors(staging, prefix[order], file[order], np.array(files, np.str_), rejects)

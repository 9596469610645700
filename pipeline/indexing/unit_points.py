"""The points of a unit: its part, its vectors and what was decided on its rows -> what a store is given."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.images import decode
from pipeline.images.palette import COLOUR_METHOD, COLOUR_VECTOR, colour_histogram
from pipeline.indexing.catalogue import rows_in
from pipeline.indexing.choice import joined_mark
from pipeline.indexing.merged_payload import merged_payload
from pipeline.points import RESERVED
from pipeline.projection import Projection
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import MARKED, Parts, marks_of, places_of
from pipeline.staging.vectors import Staging
from pipeline.store.thumbnail_files import ThumbnailFiles

__all__ = ["Points", "Repeats", "Target", "UnitLoad", "points_of"]

BATCH = 512  # points of a request; what is in memory at once beside a unit
# Row of a unit -> (unit, row, credit) of all rows that hold its picture, in their order, itself included.
Repeats = Mapping[int, Sequence[tuple[str, int, str | None]]]


class _Joined(NamedTuple):
    """What the rows of a point say together."""

    places: list[str]
    payload: str
    mark: int
    credit: str | None


@dataclass(frozen=True)
class Target:
    """One encoder of a version: where its raw outputs are, and what they become."""

    staging: Staging
    vector: str
    code: str
    projection: Projection

    def vectors(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """(N, raw D [+ hash bits]) -> the named vectors of N points."""
        prepared, codes = self.projection.split(raw)
        return {self.vector: prepared, self.code: codes}


@dataclass(frozen=True)
class UnitLoad:
    """What is to be written of a unit.

    Attributes:
        unit: its name.
        bits: its rows that are written, packed: all units wait in the driver's memory.
        credit: who is to be credited.
        repeats: of some of these rows.
        files_above: bytes above which a thumbnail becomes a file on the home; None: none does.
        colours: whether the version holds the colours of its pictures.
        again: loads of the same unit before this one: two sources may have it.
    """

    unit: str
    bits: np.ndarray
    credit: str | None
    repeats: Repeats
    files_above: int | None = None
    colours: bool = False
    again: int = 0

    @property
    def marker(self) -> str:
        """Name of the mark that it is written."""
        return f"{self.unit}.{self.again}" if self.again else self.unit

    def __len__(self) -> int:
        return int(np.bitwise_count(self.bits).sum())


@dataclass(frozen=True)
class Points:
    """N points as `Store.upsert` takes them; `size` is their bytes."""

    ids: list[str]
    vectors: dict[str, np.ndarray]
    payloads: list[dict[str, Any]]

    @property
    def size(self) -> int:
        """Bytes of the vectors and thumbnails."""
        thumbnails = sum(len(payload[RESERVED]["thumbnail"]) for payload in self.payloads)
        return sum(rows.nbytes for rows in self.vectors.values()) + thumbnails


def points_of(load: UnitLoad, parts: Parts, targets: Sequence[Target]) -> Iterator[Points]:
    """The points of a unit, some hundred at a time."""
    part = parts.read(load.unit)
    staged = [target.staging.read(load.unit) for target in targets]
    words, chosen = id_words(part["id"]), rows_in(load.bits)
    joined = _joined(load, chosen, parts)
    for start in range(0, len(chosen), BATCH):
        rows = chosen[start : start + BATCH]
        vectors: dict[str, np.ndarray] = {}
        for target, found in zip(targets, staged, strict=True):
            vectors |= target.vectors(found.of(words[rows]))
        taken = part.take(pa.array(rows))
        if load.colours:
            vectors[COLOUR_VECTOR] = _colours(taken)
        yield Points(id_texts(words[rows]), vectors, _payloads(load, rows, taken, parts, joined))


def _colours(taken: pa.Table) -> np.ndarray:
    """(N, `BINS`) float32; of what was staged without them, from the thumbnails."""
    staged = zip(taken[COLOUR_METHOD].to_pylist(), taken["thumbnail"], strict=True)
    return np.stack(
        [
            colour_histogram(decode(thumbnail.as_py()))
            if colours is None
            else np.frombuffer(colours, np.float16).astype(np.float32)
            for colours, thumbnail in staged
        ]
    )


def _payloads(
    load: UnitLoad, rows: np.ndarray, taken: pa.Table, parts: Parts, joined: Mapping[int, _Joined]
) -> list[dict[str, Any]]:
    marks = marks_of(taken, load.credit)
    told = taken.select(["payload", "width", "height", "thumbnail", "thumbnail_type"]).to_pylist()
    ids, found = id_texts(id_words(taken["id"])), []
    for number, point, place, mark, row in zip(rows, ids, places_of(taken), marks, told, strict=True):
        alone = _Joined([place], row["payload"], int(mark), load.credit)
        said = joined.get(number, alone)
        own = {
            "places": said.places,
            "mark": f"{said.mark:016x}",
            "width": row["width"],
            "height": row["height"],
            "thumbnail": _thumbnail(load, parts, point, row["thumbnail"]),
            "thumbnail_type": row["thumbnail_type"],
        }
        if said.credit:
            own["credit"] = said.credit
        found.append(json.loads(said.payload) | {RESERVED: own})
    return found


def _thumbnail(load: UnitLoad, parts: Parts, point: str, thumbnail: bytes) -> str:
    if load.files_above is None or len(thumbnail) <= load.files_above:
        return base64.b64encode(thumbnail).decode()
    return ThumbnailFiles(parts.home).keep(parts.collection, point, thumbnail)


def _joined(load: UnitLoad, chosen: np.ndarray, parts: Parts) -> dict[int, _Joined]:
    """What the pictures that stand in several rows say together. Each part with some of them is read once.

    Args:
        chosen: (N,) int64, the rows that are written.
    """
    repeats = {row: load.repeats[row] for row in chosen.tolist() if row in load.repeats}
    asked: dict[tuple[str, str | None], list[int]] = {}
    for unit, number, credit in chain.from_iterable(repeats.values()):
        asked.setdefault((unit, credit), []).append(number)
    told: dict[tuple[str, int, str | None], tuple[str, str, int, str | None]] = {}
    for (unit, credit), numbers in asked.items():
        rows = parts.read(unit, [*MARKED, "mark"]).take(pa.array(numbers))
        each = zip(numbers, places_of(rows), rows["payload"].to_pylist(), marks_of(rows, credit), strict=True)
        for number, place, payload, mark in each:
            told[unit, number, credit] = (place, payload, int(mark), credit)
    joined = {}
    for row, those in repeats.items():
        places, payloads, marks, credits = zip(*(told[each] for each in those), strict=True)
        joined[row] = _Joined(
            list(dict.fromkeys(places)),
            merged_payload(list(payloads)),
            joined_mark(list(marks)),
            "; ".join(dict.fromkeys(filter(None, credits))) or None,
        )
    return joined

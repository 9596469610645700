"""What is staged of a unit that is read again: it stays, whatever the source gives now."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import MARKED, PICTURE_COLUMNS, Parts, StagedPicture, marks_of, picture_of
from pipeline.staging.vectors import Staging

__all__ = ["EarlierRows", "earlier_rows"]

_ROW = ["id", "digest", *MARKED, "mark", "stage"]


@dataclass(frozen=True)
class EarlierRows:
    """The rows of a unit that are points by its part.

    Attributes:
        entries: number of a row -> what the part says of it, without what a picture has only once; of one
            that was erased the id alone.
        pictures: by id.
        vectors: encoder name -> id -> vector (D,) float16.
        refused: ids that an encoder could not take, and that are tried again.
    """

    entries: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    pictures: Mapping[str, StagedPicture] = field(default_factory=dict)
    vectors: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    refused: Set[str] = frozenset()


def earlier_rows(
    parts: Parts, stagings: Mapping[str, Staging], unit: str, credit: str | None, with_rows: bool
) -> EarlierRows:
    """What is staged of a unit that is read again.

    Args:
        stagings: encoder name -> where its vectors are.
        unit: that has a part.
        credit: that marks are to be made with.
        with_rows: the part is written again, and its rejects are tried again; else only the rows are told.
    """
    part = parts.read(unit, [*_ROW, *(PICTURE_COLUMNS if with_rows else ())])
    told = part.select(["digest", *MARKED]).to_pylist()
    points, marks, stages = id_texts(id_words(part["id"])), marks_of(part, credit), part["stage"].to_pylist()
    entries = {
        number: {"point": point} | ({} if row["payload"] is None else {**row, "mark": int(mark)})
        for number, (row, point, mark, stage) in enumerate(zip(told, points, marks, stages, strict=True))
        if stage is None
    }
    if not with_rows:
        return EarlierRows(entries)
    refused = {str(reject.id) for staging in stagings.values() for reject in staging.rejects(unit)}
    vectors = {name: _vectors(staging, unit) for name, staging in stagings.items() if staging.has(unit)}
    return EarlierRows(entries, _pictures(part, points), vectors, refused)


def _pictures(part: pa.Table, points: list[str]) -> dict[str, StagedPicture]:
    told = part.select(list(PICTURE_COLUMNS)).to_pylist()
    return {
        point: picture_of(point, row)
        for point, row in zip(points, told, strict=True)
        if row["thumbnail"] is not None
    }


def _vectors(staging: Staging, unit: str) -> dict[str, np.ndarray]:
    found = staging.read(unit)
    return dict(zip(id_texts(found.words), found.vectors, strict=True))

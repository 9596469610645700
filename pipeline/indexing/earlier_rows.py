"""What is staged of a unit that is read again: it stays, whatever the source gives now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import MARKED, Parts, marks_of

__all__ = ["EarlierRows", "earlier_rows"]


@dataclass(frozen=True)
class EarlierRows:
    """The rows of a unit that are points by its part.

    Attributes:
        entries: number of a row -> what the part says of it, without what a picture has only once; of one
            that was erased the id alone.
    """

    entries: Mapping[int, dict[str, Any]] = field(default_factory=dict)


def earlier_rows(parts: Parts, unit: str, credit: str | None) -> EarlierRows:
    """Read them.

    Args:
        unit: that has a part.
        credit: that marks are to be made with.
    """
    part = parts.read(unit, ["id", "digest", *MARKED, "mark", "stage"])
    told = part.select(["digest", *MARKED]).to_pylist()
    points, marks, stages = id_texts(id_words(part["id"])), marks_of(part, credit), part["stage"].to_pylist()
    entries = {
        number: {"point": point} | ({} if row["payload"] is None else {**row, "mark": int(mark)})
        for number, (row, point, mark, stage) in enumerate(zip(told, points, marks, stages, strict=True))
        if stage is None
    }
    return EarlierRows(entries)

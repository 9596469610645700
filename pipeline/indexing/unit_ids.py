"""The ids of one unit, and what a catalogue has to know of each of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.indexing.choice import CURRENT, DELETED, LIVE, REFUSED, IdRows
from pipeline.staging.ids import id_texts, id_words
from pipeline.staging.parts import Parts, places_of
from pipeline.staging.rejects import Reject
from pipeline.staging.vectors import Staging
from pipeline.store.unit_record import Entry

__all__ = ["Reading", "UnitIds", "read_ids"]


@dataclass(frozen=True)
class Reading:
    """An entry as it is read.

    Attributes:
        number: of the entry.
        role: of its rows, see `choice`.
        live: the entry of the live version's record; None: it has none.
    """

    number: int
    entry: Entry
    role: int
    live: Entry | None


@dataclass(frozen=True)
class UnitIds:
    """The ids of a unit; its rejects and number of rows, where it is of the source."""

    ids: IdRows
    rejects: list[Reject]
    rows: int


def read_ids(parts: Parts, stagings: Sequence[Staging], reading: Reading) -> UnitIds:
    """Read them from the part, without the pictures that some encoder could not take."""
    entry, live = reading.entry, reading.live
    facts = parts.facts(entry.unit, entry.credit)
    good, rejects = facts.good.copy(), facts.rejects
    count = len(good)
    refused = {str(reject.id): reject for staging in stagings for reject in staging.rejects(entry.unit)}
    if refused:
        rows = parts.read(entry.unit, ["id", "file", "row"])
        ids = id_texts(id_words(rows["id"]))
        for at, (point, place) in enumerate(zip(ids, places_of(rows), strict=True)):
            if point in refused and good[at]:
                rejects = [*rejects, replace(refused[point], place=place)]
                good[at] = False
    roles = np.full(count, reading.role, np.uint8)
    if entry.rows is not None:
        roles[:] = 0
        roles[entry.rows] = reading.role
    if live is not None:
        roles[slice(None) if live.rows is None else live.rows] |= LIVE
    if reading.role & CURRENT:
        refused_rows = ~good & facts.words.any(1)
        roles[refused_rows], good = REFUSED, good | refused_rows
    good &= roles > 0
    roles[facts.erased] |= DELETED
    same_credit = live is not None and live.credit == entry.credit
    marks = facts.marks[good]
    number = len(marks)
    found = IdRows(
        facts.words[good],
        marks,
        np.full(number, reading.number, np.int32),
        np.flatnonzero(good).astype(np.int32),
        roles[good],
        marks if same_credit else np.zeros(number, np.uint64),
    )
    return UnitIds(found, rejects, count) if reading.role & CURRENT else UnitIds(found, [], 0)

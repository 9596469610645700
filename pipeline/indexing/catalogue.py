"""Stage 3, catalogue: the ids of all parts -> which rows become points, and which of these are written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from pipeline.indexing.choice import BESIDE, CURRENT, DELETED, KEPT, LIVE, Choice, IdRows, choose
from pipeline.indexing.shuffle import shuffled
from pipeline.indexing.unit_ids import Reading, read_ids
from pipeline.staging.ids import words_of
from pipeline.staging.parts import Parts
from pipeline.staging.rejects import Reject, RejectLog
from pipeline.staging.unit_files import READERS
from pipeline.staging.vectors import Staging
from pipeline.store.unit_record import Entry, Record

__all__ = ["Asked", "Catalogue", "LiveMarks", "catalogue_of", "rows_in"]

# Rows that one process decides on: 41 bytes each, and some times that to sort them. More are shuffled by id
# into buckets of so many, which costs some seconds, and as much memory on every node.
_ROWS_HERE = 3_000_000


@dataclass(frozen=True)
class LiveMarks:
    """What a live version holds, where only its points can tell: N ids and marks.

    Attributes:
        words: (N, 2) uint64.
        marks: (N,) uint64.
        entries: units that its points may be of, by a record that does not say which are.
    """

    words: np.ndarray
    marks: np.ndarray
    entries: Sequence[Entry] = ()


@dataclass(frozen=True)
class Asked:
    """What a catalogue is made of.

    Attributes:
        units: of the source, in its order.
        credit: of the points of these.
        source: the address of the source, see `live.source_key`.
        live: the record of the live version, or what its points say; None: there is none.
        keeps: points of the live version that no row of the source has stay.
        deleted: ids that were deleted on purpose.
        anew: the version is built from nothing.
        adopted: units of the live version's points that its record does not have.
    """

    units: Sequence[str]
    credit: str | None
    source: str
    live: Record | LiveMarks | None
    keeps: bool
    deleted: Sequence[str] = ()
    anew: bool = False
    adopted: Sequence[Entry] = ()


@dataclass
class Catalogue:
    """What becomes of all rows; by unit, a bit for each row.

    Attributes:
        entries: the units that points are made of, by the address of their source: what a point joins has the
            same order then, whichever source was indexed last.
        current: which of `entries` are of the source.
        points, writes: number of an entry -> its rows that are points, and that are written; packed bits.
        repeats: (entry, row) of a point -> all rows that it joins.
        survivors: number of an entry that is not of the source -> its rows that count, packed bits.
        rejects: of the units of the source.
        source, rejected, unreadable: rows of the source, those of them that are no points, and those of these
            that could not even be read.
        further attributes: counts and ids, see `Choice`.
    """

    entries: list[Entry]
    current: range
    points: dict[int, np.ndarray] = field(default_factory=dict)
    writes: dict[int, np.ndarray] = field(default_factory=dict)
    survivors: dict[int, np.ndarray] = field(default_factory=dict)
    repeats: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    rejects: RejectLog = field(default_factory=RejectLog)
    source: int = 0
    rejected: int = 0
    unreadable: int = 0
    to_write: int = 0
    from_source: int = 0  # of `to_write`
    total: int = 0  # points
    unchanged: int = 0
    repeated: int = 0
    deleted: int = 0
    live: int = 0
    gone: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    lost: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.uint64))

    @property
    def skipped(self) -> int:
        """Rows of the source that need nothing."""
        return self.unchanged + self.repeated + self.deleted

    def rows(self, bits: Mapping[int, np.ndarray], entry: int) -> np.ndarray:
        """(N,) int64: the rows of an entry whose bits are set."""
        return rows_in(bits[entry]) if entry in bits else np.empty(0, np.int64)

    def add(self, choice: Choice) -> None:
        """Enter what was decided on some of the ids."""
        for bits, places in (
            (self.points, choice.points),
            (self.writes, choice.points[choice.written]),
            (self.survivors, choice.survivors),
        ):
            _set(bits, places)
        self.repeats |= choice.repeats
        self.to_write += int(choice.written.sum())
        self.from_source += int((choice.written & choice.current).sum())
        self.total += len(choice.points)
        for name in ("unchanged", "repeated", "deleted", "live"):
            setattr(self, name, getattr(self, name) + getattr(choice, name))
        for name in ("gone", "lost"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(choice, name)]))

    def count(self, rejects: list[Reject], rows: int) -> None:
        """Enter what was read of a unit beside its ids."""
        self.rejects.add(rejects)
        self.rejected += len(rejects)
        self.unreadable += sum(reject.stage == "plan" for reject in rejects)
        self.source += rows

    def record_entries(self) -> list[Entry]:
        """The units of the version that this becomes, for its record."""
        kept = [
            replace(self.entries[at], rows=self.rows(self.survivors, at).astype(np.int32))
            for at in sorted(self.survivors)
        ]
        return [*self.entries[self.current.start : self.current.stop], *kept]


def rows_in(bits: np.ndarray) -> np.ndarray:
    """(N,) int64: the rows of a unit whose packed bits are set.

    >>> rows_in(np.packbits([0, 1, 1]))
    array([1, 2])
    """
    return np.flatnonzero(np.unpackbits(bits))


def _set(bits: dict[int, np.ndarray], places: np.ndarray) -> None:
    """Set the bits of (N, 2) entries and rows."""
    if not len(places):
        return
    ordered = places[np.argsort(places[:, 0], kind="stable")]
    entries, starts = np.unique(ordered[:, 0], return_index=True)
    for entry, rows in zip(entries.tolist(), np.split(ordered[:, 1], starts[1:]), strict=True):
        every = np.concatenate([rows_in(bits[entry]), rows]) if entry in bits else rows
        mask = np.zeros(every.max() + 1, bool)
        mask[every] = True
        bits[entry] = np.packbits(mask)


def catalogue_of(
    asked: Asked, parts: Parts, stagings: Mapping[str, Staging], rows: int, rows_here: int = _ROWS_HERE
) -> Catalogue:
    """Decide what becomes of each row.

    Args:
        asked: units, and what the live version has; all units are staged for all encoders.
        parts, stagings: where they are staged.
        rows: roughly how many there are.
        rows_here: above so many the ids are shuffled by Ray.
    """
    result = _without_rows(asked)
    readings = list(_readings(asked, result))
    read = partial(read_ids, parts, tuple(stagings.values()))
    bare = list(_without_units(asked))
    if rows <= rows_here:
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(read, readings))
        for each in found:
            result.count(each.rejects, each.rows)
        result.add(choose(IdRows.joined([*(each.ids for each in found), *bare]), asked.anew))
        return result
    for told in shuffled(readings, read, bare, asked.anew, -(-rows // rows_here)):
        if isinstance(told, Choice):
            result.add(told)
        else:
            result.count(*told)
    return result


def _without_rows(asked: Asked) -> Catalogue:
    """The entries, before anything is known of their rows."""
    here, own = set(asked.units), (None, asked.source)
    recorded = asked.live.entries if asked.live else ()
    others = [entry for entry in recorded if entry.unit not in here or entry.source not in own]
    others = sorted([*others, *asked.adopted], key=_address)
    current = [Entry(unit, None, asked.credit, asked.source) for unit in asked.units]
    start = bisect_left(others, asked.source, key=_address)
    entries = [*others[:start], *current, *others[start:]]
    return Catalogue(entries, range(start, start + len(current)))


def _address(entry: Entry) -> str:
    return entry.source or ""


def _readings(asked: Asked, catalogue: Catalogue) -> Iterator[Reading]:
    """How each entry is read. Which rows are live says a record, or the points themselves."""
    recorded = asked.live.entries if isinstance(asked.live, Record) else ()
    live = {(entry.unit, entry.source): entry for entry in recorded}
    for at, entry in enumerate(catalogue.entries):
        there = live.get((entry.unit, entry.source))
        if at in catalogue.current:
            yield Reading(at, entry, CURRENT, there or live.get((entry.unit, None)))
        elif not asked.keeps:
            yield Reading(at, entry, 0, there)
        else:
            of_another = entry.source not in (None, asked.source)
            yield Reading(at, entry, KEPT | BESIDE if of_another else KEPT, there)


def _without_units(asked: Asked) -> Iterator[IdRows]:
    """Ids that stand in no unit: deleted ones, and those of a version without a record."""
    deleted = words_of(asked.deleted)
    yield _bare(deleted, DELETED, np.zeros(len(deleted), np.uint64))
    if isinstance(asked.live, LiveMarks):
        yield _bare(asked.live.words, LIVE, asked.live.marks)


def _bare(words: np.ndarray, role: int, live_marks: np.ndarray) -> IdRows:
    nowhere = np.full(len(words), -1, np.int32)
    return IdRows(
        words,
        np.zeros(len(words), np.uint64),
        nowhere,
        nowhere,
        np.full(len(words), role, np.uint8),
        live_marks,
    )

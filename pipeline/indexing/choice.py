"""Which rows become points: a pure function over ids, of all rows or of those with some of the ids.

An id can stand in several rows of the source, and in units that the source does not have any more. Here it is
decided which row its point is made of, whether it has to be written, and what is to be removed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from pipeline.staging.ids import first_of_each

__all__ = [
    "BESIDE",
    "CURRENT",
    "DELETED",
    "KEPT",
    "LIVE",
    "REFUSED",
    "Choice",
    "IdRows",
    "choose",
    "joined_mark",
]

# What a row is; one may be several of these.
CURRENT = 1  # of the source
KEPT = 2  # of a unit that the source does not have, whose points stay; a row of the source takes its place
LIVE = 4  # what the live version holds
DELETED = 8  # of an id that was deleted on purpose; of no unit
REFUSED = 16  # of the source, and rejected: no point is made of it
BESIDE = 32  # of another source, whose points stay: joined with a row of the source that has the same picture


@dataclass(frozen=True)
class IdRows:
    """N rows: 41 bytes each.

    Attributes:
        words: (N, 2) uint64, the ids.
        marks: (N,) uint64, what the point of this row alone would be marked with.
        units, rows: (N,) int32, where each stands; units are numbered in the order in which they count.
        roles: (N,) uint8, see above.
        live_marks: (N,) uint64, of live rows: what they are marked with there.
    """

    words: np.ndarray
    marks: np.ndarray
    units: np.ndarray
    rows: np.ndarray
    roles: np.ndarray
    live_marks: np.ndarray

    def __len__(self) -> int:
        return len(self.marks)

    @staticmethod
    def joined(each: list[IdRows]) -> IdRows:
        """All of them, of one or more."""
        return IdRows(*map(np.concatenate, zip(*(vars(one).values() for one in each), strict=True)))


@dataclass(frozen=True)
class Choice:
    """What becomes of the rows.

    Attributes:
        points: (P, 2) int32, unit and row that each point is made of; a row of the source where there is one.
        written: (P,) bool, which of these have to be written.
        current: (P,) bool, which of these are of the source.
        repeats: (unit, row) of a point -> all rows that it joins, itself included, in the order of units.
        survivors: (S, 2) int32, unit and row of what counts beside the source, repeats and deleted included.
        unchanged, repeated, deleted: rows of the source that need nothing: they are there as they should be,
            repeat another one, or were deleted on purpose.
        gone: (G, 2) uint64, live ids that no row of the source makes a point of. A version that is built anew
            does without those that are rejected now; in the live one they stay.
        live: live ids.
        lost: (L, 2) uint64, those of `gone` that no kept row holds.
    """

    points: np.ndarray
    written: np.ndarray
    current: np.ndarray
    repeats: dict[tuple[int, int], list[tuple[int, int]]]
    survivors: np.ndarray
    unchanged: int
    repeated: int
    deleted: int
    gone: np.ndarray
    live: int
    lost: np.ndarray


def joined_mark(marks: list[int]) -> int:
    """The mark of a point that several rows are joined in, from the marks of these; 64 bits.

    Rows of two sources that say the same count once.

    >>> joined_mark([7]), joined_mark([7, 7]), joined_mark([7, 8]) == joined_mark([8, 7])
    (7, 7, False)
    """
    distinct = list(dict.fromkeys(marks))
    if len(distinct) == 1:
        return distinct[0]
    data = b"".join(mark.to_bytes(8, "big") for mark in distinct)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def choose(rows: IdRows, anew: bool) -> Choice:
    """Decide for all ids of `rows`; every row of each of these ids has to be among them.

    Args:
        anew: the version is built from nothing, so that every point is written.
    """
    order = np.lexsort((rows.rows, rows.units, rows.words[:, 1], rows.words[:, 0]))
    words, marks, roles = rows.words[order], rows.marks[order], rows.roles[order]
    places = np.stack([rows.units[order], rows.rows[order]], 1)
    begins = first_of_each(words)
    group = np.cumsum(begins) - 1
    ids = words[begins]
    count = len(ids)

    def any_of(mask: np.ndarray) -> np.ndarray:
        return np.bincount(group[mask], minlength=count) > 0

    is_current, is_live = any_of(roles & CURRENT > 0), any_of(roles & LIVE > 0)
    is_deleted = any_of(roles & DELETED > 0)
    # A kept row without a live point is one that was deleted, or of a change that was cut short.
    counts = np.where(is_current[group], roles & (CURRENT | BESIDE), roles & KEPT) > 0
    counts &= (is_current | is_live)[group]
    member = counts & ~is_deleted[group]
    is_own = roles & CURRENT > 0
    at, firsts, mark, repeats = _joined(np.flatnonzero(member), is_own, group, marks, places, count)
    live_marks = rows.live_marks[order]
    _, _, live_mark, _ = _joined(np.flatnonzero(roles & LIVE), is_own, group, live_marks, places, count)
    held = np.zeros(count, bool)
    held[at] = True
    same = is_live & (mark == live_mark)
    to_write = held if anew else held & is_current & ~same
    rows_of_source = is_own & member
    gone = is_live & ~is_current & ~is_deleted
    if anew:
        gone &= ~any_of(roles & REFUSED > 0)
    return Choice(
        points=places[firsts],
        written=to_write[at],
        current=is_current[at],
        repeats=repeats,
        survivors=places[counts & ~is_own],
        unchanged=int((held & is_current & ~to_write).sum()),
        repeated=int(rows_of_source.sum() - (held & is_current).sum()),
        deleted=int((is_own & is_deleted[group]).sum()),
        gone=ids[gone],
        live=int((is_live & ~is_deleted).sum()),
        lost=ids[gone & ~held],
    )


def _joined(
    members: np.ndarray,
    is_own: np.ndarray,
    group: np.ndarray,
    marks: np.ndarray,
    places: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[tuple[int, int], list[tuple[int, int]]]]:
    """Ids that have members, the member that the point of each is made of, the mark of every id, and repeats.

    A point is made of the first member of the source: another source's may have no vectors of all encoders.
    """
    of = group[members]
    first = np.ones(len(members), bool)
    first[1:] = of[1:] != of[:-1]
    own_first = members[np.lexsort((~is_own[members], of))]
    firsts, at = own_first[first], of[first]
    mark = np.zeros(count, np.uint64)
    mark[at] = marks[firsts]
    repeats: dict[tuple[int, int], list[tuple[int, int]]] = {}
    ends = np.append(np.flatnonzero(first), len(members))
    for number in np.flatnonzero(np.diff(ends) > 1):
        those = members[ends[number] : ends[number + 1]]
        mark[at[number]] = joined_mark([int(each) for each in marks[those]])
        unit, row = places[firsts[number]]
        repeats[int(unit), int(row)] = [(int(unit), int(row)) for unit, row in places[those]]
    return at, firsts, mark, repeats

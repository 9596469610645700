"""Units: pieces of a source that are known from its listing alone, read, embedded and loaded as a whole.

A unit has the same name for as long as what it stands for stays the same, so that a later job knows what it
has already. The driver of a job holds units and never rows.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.sources.source import FileState

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.source import Source

__all__ = [
    "BYTES_AT_ONCE",
    "LEAST_ROWS",
    "MOST_BYTES",
    "MOST_ROWS",
    "Span",
    "Unit",
    "cut_evenly",
    "cut_names",
    "most_rows",
    "name_of",
    "payload_key",
    "rows_at_once",
    "serialized",
]

# Rows of a unit. Of a large source some thousand: what each costs apart from its rows (a task, two files, a
# marker) is then not felt. A killed worker loses the units at work, so that a small source, which may have a
# slow network, has small ones, and enough of them for many actors. Steps are powers of two: a source that
# grows is cut anew when it has doubled.
LEAST_ROWS, MOST_ROWS = 128, 2048
_UNITS = 16  # of a source that is just large enough for units of some size
# Bytes of pictures in a unit: what a task reads, and reads again after it was killed.
MOST_BYTES = 2**30
# Bytes of a staged part. A thumbnail has at most 64 KiB, and no more than its picture where that is small.
_PART_BYTES, _THUMBNAIL_BYTES = 64 * 2**20, 64 * 2**10
_LEAST_AT_ONCE, _MOST_AT_ONCE = 16, 256
BYTES_AT_ONCE = 64 * 2**20  # of pictures in a table; where sizes are not known before, it ends there
PAYLOAD_RULES = 1  # of turning columns into JSON; another number renews every payload, and embeds nothing


class Span(NamedTuple):
    """Rows of a parquet file: `rows` of them from `skip` on, counted from the row group `first` on.

    Attributes:
        first, stop: row groups.
        skip, rows: of these; `rows` counts pictures where a row holds a list of them.
        number: of the first row in its file.
        bytes: compressed, roughly.
    """

    first: int
    stop: int
    skip: int
    rows: int
    number: int
    bytes: int


@dataclass(frozen=True)
class Unit:
    """A piece of a source.

    Attributes:
        name: `<pictures>-<payload>`, two hashes: of what is read, and of what is said of it.
        rows: of the source.
        bytes: of the pictures, roughly; 0 where nobody knows.
        file: path within the source of the one file that all rows come from; empty where each has its own.
        state: of that file, as the listing found it.
        span: of a parquet file.
        slice: of all other sources: their places in the column `image`, numbers `row`, and payload columns.
    """

    name: str
    rows: int
    bytes: int = 0
    file: str = ""
    state: FileState | None = None
    span: Span | None = None
    slice: pa.Table | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent with its own rows alone: pyarrow would send all that a slice is cut from."""
        rows = None if self.slice is None else serialized(self.slice)
        names = ("name", "rows", "bytes", "file", "state", "span")
        return _sent, ({name: getattr(self, name) for name in names}, rows)


def _sent(facts: dict[str, Any], rows: bytes | None) -> Unit:
    import pyarrow as pa

    return Unit(**facts, slice=None if rows is None else pa.ipc.open_stream(rows).read_all())


def serialized(table: pa.Table) -> bytes:
    """The values of a table as bytes."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def name_of(pictures: bytes, payload: bytes) -> str:
    """The name of a unit from all that decides what its pictures are, and what is said of them."""
    first = hashlib.blake2b(pictures, digest_size=12).hexdigest()
    return f"{first}-{hashlib.blake2b(payload, digest_size=4).hexdigest()}"


def payload_key(source: Source, columns: Sequence[str], spoken: Sequence[str] = ()) -> bytes:
    """All that decides what is made of the payload columns, apart from their values.

    Args:
        columns: payload columns.
        spoken: those whose classes are hashed by their names, with the values.
    """
    features = [(name, "" if name in spoken else repr(source.features.get(name))) for name in columns]
    return json.dumps([PAYLOAD_RULES, features, sorted(source.separators.items())]).encode()


def most_rows(total: int, rows: int = 1, size: int = 0) -> int:
    """Rows of a unit at most, in a source of `total` rows, where `rows` of them have `size` bytes.

    >>> [most_rows(total) for total in (24, 5_000, 20_000, 10**9)]
    [128, 256, 1024, 2048]
    >>> most_rows(10**6, 1000, 1000 * 5_000_000)
    214
    """
    each = max(1, size // max(1, rows))
    by_part = _PART_BYTES // min(each, _THUMBNAIL_BYTES)
    wanted = LEAST_ROWS
    while wanted < MOST_ROWS and total >= 2 * wanted * _UNITS:
        wanted *= 2
    return max(1, min(wanted, by_part, MOST_BYTES // each))


def rows_at_once(unit: Unit) -> int:
    """Rows of a unit that are read before the first of them is handed on: some for each thread of an actor,
    enough for the batch of a GPU where they are small, and few enough that several such tables fit in memory.
    """
    each = max(1, unit.bytes // max(1, unit.rows))
    return max(_LEAST_AT_ONCE, min(_MOST_AT_ONCE, BYTES_AT_ONCE // each))


def cut_evenly(rows: int, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of about equal length, none longer than `most`.

    >>> list(cut_evenly(10, 4))
    [(0, 4), (4, 7), (7, 10)]
    """
    pieces = -(-rows // most)
    size, longer = divmod(rows, max(1, pieces))
    start = 0
    for piece in range(pieces):
        stop = start + size + (piece < longer)
        yield start, stop
        start = stop


def cut_names(names: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of N sorted names that a name which comes or goes changes only where it stands.

    A new range begins at each name whose hash is 0 modulo a quarter of `most_rows`, and where one would
    become too long.

    Args:
        sizes: bytes of each picture.
    """
    most = most_rows(len(names))
    start, held, staged = 0, 0, 0
    for at, (name, size) in enumerate(zip(names, sizes, strict=True)):
        full = at - start >= most or held + size > MOST_BYTES or staged >= _PART_BYTES
        marked = zlib.crc32(name.encode(errors="surrogateescape")) % (most // 4) == 0
        if at > start and (full or (marked and name not in ("", names[at - 1]))):  # "" has the hash 0
            yield start, at
            start, held, staged = at, 0, 0
        held += size
        staged += min(size, _THUMBNAIL_BYTES)
    if start < len(names):
        yield start, len(names)

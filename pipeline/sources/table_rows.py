"""The rows of a source whose table the driver holds: units are slices of it; tasks read their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from pipeline.sources.patience import patiently
from pipeline.sources.source import FileState, Unread
from pipeline.sources.storage import change_of
from pipeline.sources.units import (
    BYTES_AT_ONCE,
    Unit,
    cut_evenly,
    cut_names,
    most_rows,
    name_of,
    payload_key,
    rows_at_once,
    serialized,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.source import Reader, Source

__all__ = ["read_table_unit", "table_units"]


def table_units(source: Source, limit: int | None) -> Iterator[Unit]:
    """The units of the first `limit` rows."""
    import pyarrow as pa

    assert source.table is not None and source.reader is not None
    table, reader = source.table.slice(0, limit), source.reader
    places = table[source.image_column].combine_chunks()
    files, sizes = reader.files(places), reader.sizes(places)
    shown = {source.row_name(column): table[column] for column in source.payload_columns}
    rows = pa.table({"image": places, "row": _numbers(files), **shown}).combine_chunks()
    said = _spoken(source, table.select(source.payload_columns)).combine_chunks()
    key = payload_key(source, source.payload_columns, _classes(source))
    # A row that is inserted in a list gives other numbers to those below it, whose pictures stay the same. In
    # all other sources a row keeps its number as long as its file is the same.
    named = ["image"] if source.kind == "list" else ["image", "row"]
    alike: Counter[bytes] = Counter()  # units of the same pictures, such as rows without an address
    for start, stop, file in _cuts(reader, places, files, sizes):
        piece = rows.slice(start, stop - start)
        state = source.states.get(file) if file else None
        pictures = serialized(piece.select(named)) + repr((file, state)).encode()
        alike[pictures] += 1
        if alike[pictures] > 1:
            pictures += str(alike[pictures]).encode()
        name = name_of(pictures, key + serialized(said.slice(start, stop - start)))
        size = sum(sizes[start:stop])
        yield Unit(name, stop - start, size, file, state, slice=piece)


def _cuts(
    reader: Reader, places: pa.Array, files: Sequence[str], sizes: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    """(start, stop, file) of each unit; the file only where all of its rows come from this one."""
    if reader.cut_by_names:
        for start, stop in cut_names(reader.names(places), sizes):
            yield start, stop, ""
        return
    first = 0
    for file, those in groupby(files):
        count = sum(1 for _ in those)
        size = sum(sizes[first : first + count])
        for start, stop in cut_evenly(count, most_rows(len(files), count, size)):
            yield first + start, first + stop, file
        first += count


def _numbers(files: Sequence[str]) -> np.ndarray:
    """The number of each row within its file; the rows of a file stand together."""
    lengths = [sum(1 for _ in those) for _, those in groupby(files)]
    return np.concatenate([np.arange(length) for length in lengths]) if lengths else np.arange(0)


def _classes(source: Source) -> list[str]:
    from datasets import ClassLabel

    return [name for name in source.payload_columns if isinstance(source.features[name], ClassLabel)]


def _spoken(source: Source, table: pa.Table) -> pa.Table:
    """With the names of classes in place of their numbers: a new class changes the numbers of others."""
    import pyarrow as pa

    for name in _classes(source):
        names = pa.array(source.features[name].names, pa.string()).take(table[name].combine_chunks())
        table = table.set_column(table.column_names.index(name), name, names)
    return table


def read_table_unit(source: Source, unit: Unit, columns: Sequence[str]) -> Iterator[pa.Table]:
    """See `rows.read_unit`."""
    assert unit.slice is not None and source.reader is not None
    rows = unit.slice.select(["image", "row", *(source.row_name(column) for column in columns)])
    places, reader = rows["image"].combine_chunks(), source.reader
    if why := _change(source.root + unit.file, unit.state):
        # The list is another one now, or gone, so none of the pictures that it named is opened.
        yield _with_pictures(rows, reader.files(places), [why] * len(places))
        return
    for start, found in _tables(reader, places, rows_at_once(unit)):
        # For each table, as a file may be replaced while its unit is read. The reader looks at files of rows.
        why = _change(source.root + unit.file, unit.state)
        files = reader.files(places.slice(start, len(found)))
        yield _with_pictures(rows.slice(start, len(found)), files, [why] * len(found) if why else found)


def _tables(reader: Reader, places: pa.Array, step: int) -> Iterator[tuple[int, list[bytes | Unread]]]:
    """First row and pictures of each table: at most `step` rows, and fewer where they have many bytes."""
    import pyarrow as pa

    held: dict[int, bytes | Unread] = {}  # by row; those of a fast host are read before their turn
    start = 0
    while start < len(places):
        rows = range(start, min(start + step, len(places)))
        missing = [row for row in rows if row not in held]
        room = BYTES_AT_ONCE - sum(len(each) for each in held.values() if isinstance(each, bytes))
        if room <= 0:
            missing = missing[:1]  # the next in turn alone: others might be begun beside it
        found = reader.read(places.take(pa.array(missing, pa.int64())), max(1, room))
        held |= {row: each for row, each in zip(missing, found, strict=True) if each is not None}
        stop = next((row for row in rows if row not in held), rows.stop)
        if stop > start:  # else the first was no address of the web, and is the next to be begun
            yield start, [held.pop(row) for row in range(start, stop)]
        start = stop


def _change(location: str, listed: FileState | None) -> Unread | None:
    """Why the one file of a unit is not that of the listing."""
    return None if listed is None else patiently(lambda: change_of(location, listed), location)


def _with_pictures(rows: pa.Table, files: Sequence[str], found: Sequence[bytes | Unread]) -> pa.Table:
    """N rows with pictures in place of places, null where `unread` says why, and the columns `file` and
    `unread`."""
    import pyarrow as pa

    images = [
        {"bytes": None if isinstance(data, Unread) else data, "path": file}
        for data, file in zip(found, files, strict=True)
    ]
    unread = [data._asdict() if isinstance(data, Unread) else None for data in found]
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    reasons = pa.struct([("kind", pa.string()), ("reason", pa.string())])
    rows = rows.set_column(rows.column_names.index("image"), "image", pa.array(images, image))
    rows = rows.append_column("file", pa.array(files, pa.string()))
    return rows.append_column("unread", pa.array(unread, reasons))

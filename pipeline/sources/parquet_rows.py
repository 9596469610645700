"""The rows of parquet files: units of row groups, and what a task reads of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.sources.folder_reader import read_inside
from pipeline.sources.patience import PatientFile, patiently
from pipeline.sources.python_values import python_values
from pipeline.sources.schemas import merged_column
from pipeline.sources.source import GONE, NOT_READABLE, RowGroup, Unread
from pipeline.sources.storage import HUB, change_of
from pipeline.sources.units import (
    BYTES_AT_ONCE,
    MOST_ROWS,
    Span,
    Unit,
    cut_evenly,
    most_rows,
    name_of,
    payload_key,
    rows_at_once,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.source import Source

__all__ = ["cut_groups", "parquet_units", "read_parquet_unit"]

# A row group is decoded from its beginning, so that each further range of it reads what lies before as well:
# a group in k ranges is read (k + 1) / 2 times. From a disk that costs little. From afar it is a download, so
# that a group is cut only where a unit would be too large to be staged. So is one in a single large page:
# each range of it would be read and decoded as a whole.
_MOST_RANGES = 16
_BUFFER_BYTES = 4 * 2**20  # of a column; from afar each is a request


def parquet_units(source: Source, limit: int | None) -> Iterator[Unit]:
    """The units of the first `limit` rows, in the order of the files."""
    least = MOST_ROWS if "://" in source.root else 1
    payload = payload_key(source, source.payload_columns)
    left = source.rows if limit is None else min(limit, source.rows)
    for file, groups in zip(source.files, source.groups, strict=True):
        path = file.removeprefix(source.root)
        state = source.states[path]
        for span in cut_groups(groups, least, source.rows):
            if left <= 0:
                return
            taken = span._replace(rows=min(span.rows, left))
            left -= taken.rows
            facts = [path, *state, taken.first, taken.stop, taken.skip, taken.rows, source.image_column]
            name = name_of(json.dumps(facts).encode(), payload)
            yield Unit(name, taken.rows, taken.bytes, path, state, taken)


def cut_groups(groups: Sequence[RowGroup], least: int, total: int) -> Iterator[Span]:
    """Small row groups together, large ones in at most 16 ranges.

    Args:
        least: a group of up to so many rows is not cut; of one in a single large page MOST_ROWS.
        total: rows of the whole source.

    >>> [span[:4] for span in cut_groups([RowGroup(50, 50, 1), RowGroup(50, 50, 1)], 1, 100)]
    [(0, 2, 0, 100)]
    """
    rows, size = (sum(getattr(group, name) for group in groups) for name in ("pictures", "bytes"))
    most = most_rows(total, rows, size)
    number, first = 0, 0
    while first < len(groups):
        stop, held = first + 1, groups[first].pictures
        while stop < len(groups) and held + groups[stop].pictures <= most:
            held += groups[stop].pictures
            stop += 1
        bytes_here = sum(group.bytes for group in groups[first:stop])
        uncut = MOST_ROWS if groups[first].in_one_page else least
        for start, end in cut_evenly(held, max(most, uncut, -(-held // _MOST_RANGES))):
            share = bytes_here * (end - start) // max(1, held)
            yield Span(first, stop, start, end - start, number + start, share)
        number += held
        first = stop


def read_parquet_unit(source: Source, unit: Unit, columns: Sequence[str]) -> Iterator[pa.Table]:
    """See `rows.read_unit`. A row group that is damaged gives rows that say so, and those after it go on.

    Raises:
        SimileError: the file is there, and its bytes cannot be had.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert unit.span is not None
    location, span = source.root + unit.file, unit.span
    unread = _change(location, unit)
    if unread:
        yield _unread_rows(source, unit, 0, span.rows, columns, unread)
        return
    given = 0
    try:
        with (
            PatientFile(location, source.storage) as stream,
            pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES) as opened,
        ):
            skip = span.skip
            for group in range(span.first, span.stop):
                due = given + min(_pictures_of(opened, source, group) - skip, span.rows - given)
                if due == given:
                    continue
                try:
                    for piece in _pieces(opened, source, unit, group, columns, skip, due - given):
                        if (unread := _change(location, unit)) is not None:  # since it was opened
                            yield _unread_rows(source, unit, given, span.rows - given, columns, unread)
                            return
                        yield _numbered(piece, unit, given)
                        given += piece.num_rows
                except FileNotFoundError:
                    raise
                except (pa.ArrowException, OSError) as error:  # of decoding: `stream` raises none of the way
                    reason = f"row group {group} of '{unit.file}' is damaged: {_first_line(error)}"
                    why = _change(location, unit) or Unread("damaged", reason)
                    yield _unread_rows(source, unit, given, due - given, columns, why)
                    given = due
                skip = 0
    except FileNotFoundError:
        unread = GONE
    except (pa.ArrowException, OSError) as error:
        reason = f"'{unit.file}' cannot be read: {_first_line(error)}"
        unread = _change(location, unit) or Unread("damaged", reason)
    if given < span.rows:
        yield _unread_rows(source, unit, given, span.rows - given, columns, unread or NOT_READABLE)


def _change(location: str, unit: Unit) -> Unread | None:
    """Why the file is not that of the listing."""
    state = unit.state
    assert state is not None
    return patiently(lambda: change_of(location, state), location)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _pictures_of(opened: Any, source: Source, group: int) -> int:
    """Pictures of a row group, by its footer."""
    found = opened.metadata.row_group(group)
    for place in range(found.num_columns):
        leaf = found.column(place)
        if leaf.path_in_schema.startswith(f"{source.image_column}."):
            return int(leaf.num_values)
    return int(found.num_rows)


def _pieces(
    opened: Any, source: Source, unit: Unit, group: int, columns: Sequence[str], skip: int, count: int
) -> Iterator[pa.Table]:
    """So many rows of a row group, some at a time, with their columns as Simile calls them.

    Args:
        skip: rows before them.
    """
    import pyarrow as pa

    wanted = [source.image_column, *columns]
    there = set(opened.schema_arrow.names)
    pictures_a_row = max(1, _pictures_of(opened, source, group) // opened.metadata.row_group(group).num_rows)
    batches = opened.iter_batches(
        max(1, rows_at_once(unit) // pictures_a_row),
        row_groups=[group],
        columns=[name for name in wanted if name in there],
        use_threads=False,
    )
    for batch in batches:
        table = pa.Table.from_batches([batch])
        image = _column(table, source, source.image_column)
        named = {source.row_name(name): _column(table, source, name) for name in columns}
        rows = _one_picture_each(pa.table({"image": image, **named}))
        piece = rows.slice(skip, count)
        skip, count = max(0, skip - rows.num_rows), count - piece.num_rows
        if piece.num_rows:
            yield from _with_files(piece, source.root, unit.file)
        if not count:
            return


def _column(table: pa.Table, source: Source, name: str) -> Any:
    """A column as the whole source has it."""
    return (
        table[name] if source.schema is None else merged_column(table, name, source.schema.field(name).type)
    )


def _numbered(rows: pa.Table, unit: Unit, given: int) -> pa.Table:
    """With the columns `file`, `row` and `unread`."""
    import pyarrow as pa

    assert unit.span is not None
    first = unit.span.number + given
    rows = rows.append_column("file", pa.repeat(pa.scalar(unit.file), rows.num_rows))
    rows = rows.append_column("row", pa.array(np.arange(first, first + rows.num_rows)))
    return rows.append_column("unread", pa.nulls(rows.num_rows, _unread_type()))


def _unread_rows(
    source: Source, unit: Unit, given: int, count: int, columns: Sequence[str], why: Unread
) -> pa.Table:
    """So many rows of which nothing is known but their places."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    empty = {source.row_name(name): pa.nulls(count) for name in columns}
    rows = _numbered(pa.table({"image": pa.nulls(count, image), **empty}), unit, given)
    told = pa.array([why._asdict()] * count, _unread_type())
    return rows.set_column(rows.column_names.index("unread"), "unread", told)


def _unread_type() -> pa.DataType:
    import pyarrow as pa

    return pa.struct([("kind", pa.string()), ("reason", pa.string())])


def _in_one_piece(column: pa.ChunkedArray) -> Any:
    """A column as one array. `combine_chunks` copies all pictures even if they are one array already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _one_picture_each(rows: pa.Table) -> pa.Table:
    """A row with a list of pictures becomes a row for each; an empty list stays a row without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    image = _in_one_piece(rows["image"])
    if not (pa.types.is_list(image.type) or pa.types.is_large_list(image.type)):
        return rows
    lengths = pc.list_value_length(image).fill_null(0).to_numpy(zero_copy_only=False)
    counts = np.maximum(lengths, 1)
    number = np.concatenate([np.arange(count) for count in counts]) if len(counts) else counts
    of_row = np.repeat(np.arange(len(counts)), counts)
    first = np.asarray(image.offsets)[:-1][of_row]
    at = pa.array(first + number, pa.int64(), mask=lengths[of_row] == 0)
    out = rows.take(pa.array(of_row))
    return out.set_column(out.column_names.index("image"), "image", image.values.take(at))


def _with_files(rows: pa.Table, root: str, file: str) -> Iterator[pa.Table]:
    """Where an image has a path and no bytes, those of that file: beside its shard, or below the root. Where
    these are many bytes, the rows come in several tables."""
    import pyarrow as pa

    kind = rows["image"].type
    if root.startswith(HUB) or not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
        yield rows
        return
    images = _in_one_piece(rows["image"])
    paths = images.flatten()[kind.get_field_index("path")]
    data = images.flatten()[kind.get_field_index("bytes")]
    wanted = np.asarray(data.is_null()) & np.asarray(paths.is_valid())
    if not wanted.any():
        yield rows
        return
    names = python_values("path", paths)
    found: list[bytes | None] = []
    start = held = 0
    for row, named in enumerate(names):
        found.append(_beside(root, file, named) if wanted[row] else data[row].as_py())
        held += len(found[-1] or b"")
        if held >= BYTES_AT_ONCE or row + 1 == len(names):
            image = pa.StructArray.from_arrays(
                [pa.array(found, pa.large_binary()), pa.array(names[start : row + 1], pa.string())],
                ["bytes", "path"],
            )
            piece = rows.slice(start, len(found))
            yield piece.set_column(piece.column_names.index("image"), "image", image)
            found, start, held = [], row + 1, 0


def _beside(root: str, file: str, named: str) -> bytes | None:
    beside = read_inside(root, f"{file.rpartition('/')[0]}/{named}")
    return read_inside(root, named) if beside is None else beside

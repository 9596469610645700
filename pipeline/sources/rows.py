"""The rows of any source, unit by unit; or all of them, read by Ray tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.ray_blocks import blocks_of, things_in
from pipeline.sources.parquet_rows import parquet_units, read_parquet_unit
from pipeline.sources.source import NOT_READABLE, Unread
from pipeline.sources.storage import HUB, hub_filesystem
from pipeline.sources.table_rows import read_table_unit, table_units

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Source
    from pipeline.sources.units import Unit

__all__ = [
    "for_tasks",
    "image_bytes",
    "image_views",
    "read_rows",
    "read_unit",
    "units_of",
    "unread_rows",
]

_BLOCK_BYTES = 32 * 2**20  # Ray's 128 MiB is for numbers; a reader holds a few blocks at once


def units_of(source: Source, limit: int | None = None) -> list[Unit]:
    """The units of a source, in its order. No picture is read.

    Args:
        limit: only the first `limit` rows, in the order of the files.

    Raises:
        ValueError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    return list((parquet_units if source.table is None else table_units)(source, limit))


def read_unit(source: Source, unit: Unit, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a unit, some at a time, in their order: as many as the unit has, whatever becomes of it.

    Every row has `file` (string, relative to the source), `row` (int64, its number in the file), `image`
    (struct<bytes: binary, path: string>, or binary; null bytes where there are none), `unread` (struct<kind:
    string, reason: string>: why there are none, if that is known) and the payload columns under
    `source.row_name(column)`.

    Args:
        source: of the unit; `for_tasks(source)` is enough.
        columns: the payload columns to read; all of them by default.
    """
    chosen = source.payload_columns if columns is None else columns
    return (read_parquet_unit if unit.span else read_table_unit)(source, unit, chosen)


def for_tasks(source: Source) -> Source:
    """What a task needs to read a unit of it: no rows, and the Hub's endpoint and token of this process."""
    storage = hub_filesystem() if source.root.startswith(HUB) else None
    return replace(source.without_rows(), storage=storage)


def read_rows(
    source: Source, *, limit: int | None = None, columns: Sequence[str] | None = None, num_cpus: float = 0.5
) -> ray.data.Dataset:
    """Read a source lazily, in Ray tasks; rows are those of `read_unit`.

    Blocks arrive in any order; with `dataset.context.execution_options.preserve_order = True` rows arrive
    in the order of the source.

    Args:
        source: what `resolve_source` returned.
        limit: only the first `limit` rows, in the order of the files; no other file is opened.
        columns: the payload columns to read; all of them by default.
        num_cpus: CPUs that one read task reserves. Leave some for it beside your actors.

    Raises:
        ValueError: `columns` names something that is not a payload column, or `limit` is below 1.
    """
    import ray.data
    from ray.data import DataContext, TaskPoolStrategy

    chosen = source.payload_columns if columns is None else tuple(columns)
    unknown = [column for column in chosen if column not in source.payload_columns]
    if unknown:
        raise ValueError(f"not payload columns of {source.name}: {', '.join(unknown)}")
    blocks = blocks_of(units_of(source, limit))
    context = DataContext.get_current().copy()
    context.target_max_block_size = min(context.target_max_block_size or _BLOCK_BYTES, _BLOCK_BYTES)
    if limit is not None:
        context.execution_options.preserve_order = True  # "the first" means nothing otherwise
    with DataContext.current(context):
        return ray.data.from_arrow(blocks).map_batches(
            partial(_read_units, source=for_tasks(source), columns=chosen),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=num_cpus,
            compute=TaskPoolStrategy(size=source.reader.tasks if source.reader else None),
        )


def _read_units(blocks: pa.Table, *, source: Source, columns: Sequence[str]) -> Iterator[pa.Table]:
    for unit in things_in(blocks):
        yield from read_unit(source, unit, columns)


def image_bytes(table: pa.Table) -> Iterator[bytes | None]:
    """The compressed image of each row of `table`, None where there is none."""
    return (None if view is None else bytes(view) for view in image_views(table))


def image_views(table: pa.Table) -> Iterator[memoryview | None]:
    """`image_bytes` where the table has them, without a copy: all of the table stays as long as one does."""
    import pyarrow as pa

    for chunk in _image_chunks(table):
        # Scalars of Arrow hold copies, so the places in the column's own memory are asked for.
        column = chunk.cast(pa.large_binary())
        if not len(column):
            continue
        _, ends, data = column.buffers()
        places = np.frombuffer(ends, np.int64)[column.offset : column.offset + len(column) + 1].tolist()
        whole = memoryview(data or b"").cast("B").toreadonly()
        for there, start, end in zip(column.is_valid().to_pylist(), places, places[1:], strict=False):
            yield whole[start:end] if there else None


def _image_chunks(table: pa.Table) -> Iterator[Any]:
    import pyarrow as pa

    for chunk in table["image"].chunks:
        if pa.types.is_struct(chunk.type):
            # field() ignores the validity of the struct itself, flatten() does not
            yield chunk.flatten()[chunk.type.get_field_index("bytes")]
        else:
            yield chunk


def unread_rows(table: pa.Table) -> list[Unread | None]:
    """Of each row of `table` why there is no image; None where there is one."""
    told = table["unread"].to_pylist() if "unread" in table.column_names else [None] * table.num_rows
    there = [valid for chunk in _image_chunks(table) for valid in chunk.is_valid().to_pylist()]
    return [
        None if valid else Unread(**why) if why else NOT_READABLE
        for valid, why in zip(there, told, strict=True)
    ]

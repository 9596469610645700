"""The rows of parquet files, read by Ray Data; one for each picture where a column holds lists of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.sources.folder_reader import read_inside
from pipeline.sources.storage import HUB, hub_filesystem, on_filesystem

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

    from pipeline.sources.source import Source

__all__ = ["classic_reader", "read_parquet_rows"]

# Compressed bytes: small enough to spread one file over actors, large enough to amortize a task.
BLOCK_BYTES = 4 * 2**20
TARGET_BLOCK_BYTES = 32 * 2**20  # Ray's 128 MiB is for numbers; a reader holds a few blocks at once
MIN_BLOCKS = 8  # so that two actors share even a source of a few megabytes
# pyarrow's scanner holds a row group whole, several times (measured: 500 MB on disk, 2.0 GB resident).
ROW_GROUP_COPIES = 4
_SPREAD = np.uint64(
    0x9E3779B97F4A7C15
)  # 2⁶⁴ over the golden ratio: keys of pictures of one row differ widely
LARGE_ROW_GROUP = 256 * 2**20  # bytes; from here on a read task reserves the memory it needs


@contextmanager
def classic_reader() -> Iterator[ray.data.DataContext]:
    """Ray's reader with one task a file, rows in file order, and no listing actors that start with every read
    and need CPUs of their own; yields the context that the reads inside get."""
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.use_datasource_v2 = False
    with DataContext.current(context):
        yield context


def read_parquet_rows(
    source: Source, columns: Sequence[str], limit: int | None, num_cpus: float
) -> ray.data.Dataset:
    files, count = _first_files(source, limit)
    with classic_reader() as context:
        context.target_max_block_size = min(
            context.target_max_block_size or TARGET_BLOCK_BYTES, TARGET_BLOCK_BYTES
        )
        if limit is not None:
            context.execution_options.preserve_order = True  # "the first" means nothing otherwise
        # Ray's path column would replace a column of the files that is called `path`.
        if "path" in columns:
            parts = [_open_files(source, [file], columns, num_cpus, file) for file in files]
            rows = parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]
        else:
            rows = _open_files(source, files, columns, num_cpus, None)
        return rows if limit is None or count <= limit else rows.limit(limit)


def _open_files(
    source: Source, files: Sequence[str], columns: Sequence[str], num_cpus: float, only_file: str | None
) -> ray.data.Dataset:
    import pyarrow as pa
    import ray.data

    share = len(files) / len(source.files)
    blocks = max(len(files), MIN_BLOCKS, math.ceil((source.bytes or 0) * share / BLOCK_BYTES))
    wanted = [source.image_column, *columns]
    # Ray leaves out columns that the first file lacks, unless it is told the schema in their place.
    which: dict[str, Any] = {"columns": wanted}
    if source.schema is not None:
        which = {"schema": pa.schema([source.schema.field(column) for column in wanted])}
    rows = ray.data.read_parquet(
        [_path(file) for file in files],
        filesystem=_filesystem(source),
        partitioning=None,  # `datasets` gives key=value folders no meaning either
        include_paths=only_file is None,
        include_row_hash=True,
        override_num_blocks=min(blocks, max(source.rows, 1)),
        num_cpus=num_cpus,
        memory=_memory(source),
        **which,
    )
    name = partial(
        _name_columns,
        image_column=source.image_column,
        names={column: source.row_name(column) for column in columns},
        root=source.root,
        only_file=_path(only_file) if only_file else None,
    )
    return rows.map_batches(
        name, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, num_cpus=num_cpus
    )


def _name_columns(
    table: pa.Table, *, image_column: str, names: dict[str, str], root: str, only_file: str | None
) -> pa.Table:
    """Give the columns that Ray read their names in Simile; paths become relative to `root`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = pa.repeat(pa.scalar(only_file), table.num_rows) if only_file else table["path"]
    out = {
        "row_key": table["row_hash"],
        "file": pc.utf8_slice_codeunits(paths, start=len(_path(root))),
        "image": table[image_column],
    }
    rows = _one_picture_each(pa.table(out | {name: table[column] for column, name in names.items()}))
    return rows if root.startswith(HUB) else _with_files(rows, root)


def _path(location: str) -> str:
    """Without the scheme: what a file system calls it."""
    return location.partition("://")[2] or location


def _one_picture_each(rows: pa.Table) -> pa.Table:
    """A row with a list of pictures becomes a row for each; an empty list stays a row without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    image = rows["image"].combine_chunks()
    if not (pa.types.is_list(image.type) or pa.types.is_large_list(image.type)):
        return rows
    counts = np.maximum(pc.list_value_length(image).fill_null(0).to_numpy(zero_copy_only=False), 1)
    number = np.concatenate([np.arange(count) for count in counts]) if len(counts) else counts
    of_row = np.repeat(np.arange(len(counts)), counts)
    first = np.asarray(image.offsets)[:-1][of_row]
    empty = pc.list_value_length(image).fill_null(0).to_numpy(zero_copy_only=False)[of_row] == 0
    at = pa.array(first + number, pa.int64(), mask=empty)
    keys = rows["row_key"].to_numpy()[of_row] ^ (number.astype(np.uint64) * _SPREAD)
    out = rows.take(pa.array(of_row))
    out = out.set_column(out.column_names.index("image"), "image", image.values.take(at))
    return out.set_column(out.column_names.index("row_key"), "row_key", pa.array(keys, pa.uint64()))


def _with_files(rows: pa.Table, root: str) -> pa.Table:
    """Where an image has a path and no bytes, those of that file: beside its shard, or below the root."""
    import pyarrow as pa

    kind = rows["image"].type
    if not pa.types.is_struct(kind) or not (rows.num_rows and kind.get_field_index("path") >= 0):
        return rows
    images = rows["image"].combine_chunks()
    paths = images.flatten()[kind.get_field_index("path")]
    data = images.flatten()[kind.get_field_index("bytes")]
    wanted = np.flatnonzero(np.asarray(data.is_null()) & np.asarray(paths.is_valid()))
    if not len(wanted):
        return rows
    found = data.to_pylist()
    for row in wanted:
        folder = rows["file"][row].as_py().rpartition("/")[0]
        named = paths[row].as_py()
        beside = read_inside(root, f"{folder}/{named}")
        found[row] = read_inside(root, named) if beside is None else beside
    filled = pa.StructArray.from_arrays(
        [pa.array(found, pa.large_binary()), paths.cast(pa.string())], ["bytes", "path"]
    )
    return rows.set_column(rows.column_names.index("image"), "image", filled)


def _first_files(source: Source, limit: int | None) -> tuple[Sequence[str], int]:
    """The files that hold the first `limit` rows, and how many rows they hold together."""
    count = 0
    for index, rows in enumerate(source.file_rows):
        count += rows
        if limit is not None and count >= limit:
            return source.files[: index + 1], count
    return source.files, count


def _filesystem(source: Source) -> Any:
    return hub_filesystem() if source.root.startswith(HUB) else on_filesystem(source.root)[0]


def _memory(source: Source) -> float | None:
    """Bytes that a read task reserves; None where row groups are small, as they should be."""
    if source.row_group_bytes < LARGE_ROW_GROUP:
        return None
    import ray

    available = ray.cluster_resources().get("memory", 0)
    # A reservation that no machine can fulfil would wait for ever.
    return min(ROW_GROUP_COPIES * source.row_group_bytes, available / max(len(ray.nodes()), 1) / 2) or None
